"""Parquet is read within bounds, whatever it unpacks to, and a file that is honest is read as it stands."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenders.errors import DataError, TooLargeError
from tenders.io.blocks import blocks
from tenders.io.parquet import parquet_batches
from tenders.io.streams import BOUNDS, MIB
from tenders.io.tables import parquet_forms
from tenders.registers.columns import read_columns
from tests.tenders.io.bombs import dictionary_bomb

TEXTS = st.none() | st.text(st.characters(codec="utf-8"), max_size=12)
TYPES = (
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.dictionary(pa.int32(), pa.string()),
    pa.list_(pa.string()),
)
SMALL = msgspec.structs.replace(BOUNDS, rows=4, block=60)


def as_file(columns: dict[str, Any], **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **options)
    return out.getvalue()


def read(content: bytes, bounds: Any = BOUNDS) -> list[pa.RecordBatch]:
    return [*parquet_batches(pa.BufferReader(content), len(content), bounds, lambda names: names)]


@given(st.lists(TEXTS, min_size=1, max_size=20), st.sampled_from(TYPES), st.booleans(), st.integers(1, 20))
def test_an_honest_file_is_read_as_it_stands(
    texts: list[str | None], kind: pa.DataType, is_dictionary: bool, rows: int
) -> None:
    values = [text if text is None or not pa.types.is_list(kind) else [text, text] for text in texts]
    columns = {"title": pa.array(values, kind), "lots": pa.array(range(len(texts)))}
    batches = read(as_file(columns, use_dictionary=is_dictionary, row_group_size=rows), SMALL)
    assert pa.Table.from_batches(batches).to_pydict() == {"title": values, "lots": [*range(len(texts))]}
    assert all(batch.num_rows == 1 or batch.nbytes < 10 * SMALL.block for batch in batches)


def test_one_text_of_every_row_is_refused_before_it_is_written_out(tmp_path: Path) -> None:
    content = dictionary_bomb()
    path = tmp_path / "bomb.parquet"
    path.write_bytes(content)
    assert len(content) < 2_000
    before = pa.default_memory_pool().max_memory()
    readers = [
        lambda: list(blocks(path)),
        lambda: parquet_forms(content),
        lambda: read_columns(path, ["title"]),
    ]
    for read_it in readers:
        with pytest.raises(TooLargeError, match="it unpacks to more than"):
            read_it()
    assert pa.default_memory_pool().max_memory() - before < 100 * MIB


def test_a_file_that_is_large_and_honest_comes_in_pieces() -> None:
    content = as_file({"title": [f"{number:04}" * 5_000 for number in range(2_000)]})
    batches = read(content)
    assert sum(batch.num_rows for batch in batches) == 2_000
    assert max(batch.nbytes for batch in batches) < 1.1 * BOUNDS.block


def test_more_rows_than_a_file_can_honestly_have_are_refused() -> None:
    content = as_file({"lots": pa.array([1]).take(pa.array([0] * 1_000_001))})
    assert len(content) < 10_000
    with pytest.raises(TooLargeError, match=r"1,000,001 rows in 0\.0 MB"):
        read(content)


def test_bytes_that_unpack_to_too_much_are_refused_by_what_the_file_says() -> None:
    content = as_file({"title": ["a" * 10_000_000]}, compression="zstd", use_dictionary=False)
    with pytest.raises(TooLargeError, match="it unpacks to more than 2 MB"):
        read(content, msgspec.structs.replace(BOUNDS, unpacked=2 * MIB, ratio=1))


def test_any_byte_of_the_footer_may_be_wrong() -> None:
    whole = as_file({"title": [["a"], ["b", "c"]], "lots": [1, None]})
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    refused = 0
    for place in range(footer, len(whole)):
        for change in (1, 2, 0x80):
            content = bytearray(whole)
            content[place] ^= change
            try:
                read(bytes(content))
            except (DataError, pa.ArrowException, OSError):
                refused += 1
    assert refused > 100


def test_a_name_of_a_column_that_is_no_utf_8_is_refused() -> None:
    content = as_file({"title": ["a"]}, store_schema=False)
    with pytest.raises(DataError, match="not UTF-8"):
        parquet_forms(content.replace(b"title", b"t\xd3tle"))


def test_lists_that_are_longer_than_any_are_refused() -> None:
    content = as_file({"title": [["a"] * 200_000]})
    with pytest.raises(TooLargeError, match="more than 100 values a row"):
        read(content)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pa.array([{"a": 1}]), "the column title holds structures"),
        (pa.array([[["a"]]]), "the column title holds structures"),
        (pa.array([b"x" * 1_000], pa.binary(1_000)), "the column title holds bytes"),
    ],
)
def test_columns_that_no_table_has_are_refused(values: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(as_file({"title": values}))


def test_too_many_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.parquet"
    path.write_bytes(as_file({f"c{number}": [1] for number in range(10_000)} | {"title": ["x"]}))
    with pytest.raises(TooLargeError, match="10,001 columns"):
        list(blocks(path))
