"""What `benchmarks.fuzz` made of real files by chance and found wanting: each is read, or refused in words."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import bundle as bundles
from portfolio.work import RunOptions, score_block
from tenders.errors import DataError
from tenders.io.blocks import blocks
from tenders.io.conversion import without_paths
from tenders.io.read import read_bytes, to_process, to_processes
from tests import samples

DEEP = 900
"""Levels that are within what JSON may have, and more than Python copies."""


def deep() -> Any:
    nested: Any = 1
    for _ in range(DEEP):
        nested = [nested]
    return nested


def zip_whose_files_begin_before_it() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("a.json", samples.data(samples.draft()))
    data = bytearray(out.getvalue())
    start = int.from_bytes(data[-6:-2], "little")
    data[-6:-2] = (start + 10).to_bytes(4, "little")
    return bytes(data)


def parquet_of_years_that_are_none() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"title": ["x"], "published": pa.array([10**12], pa.timestamp("s"))}), out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("a.yaml", lambda: b"title: \xff", "byte 7 is not UTF-8"),
        ("a.csv", lambda: b"title,\xff\n\xfe,x\n", "not UTF-8"),
        ("a.csv", lambda: b"ocid,_link_main,\nocds-h6vhtk-1,1,x\n", "the release has no tender"),
        ("a.zip", zip_whose_files_begin_before_it, "a.zip: damaged: "),
    ],
)
def test_it_is_refused_in_words_by_every_door(
    tmp_path: Path, name: str, make: Callable[[], bytes], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DataError):
        print([process.compiled() for process in read_bytes(make(), name)])
    file = tmp_path / name
    file.write_bytes(make())
    assert words in refusal(file)
    assert not caplog.records


def test_years_that_are_none_are_no_dates(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(DataError, match=r"row 1, column published: .* is not a date that exists"):
        read_bytes(parquet_of_years_that_are_none(), "a.parquet")
    file = tmp_path / "a.parquet"
    file.write_bytes(parquet_of_years_that_are_none())
    (block,) = blocks(file)
    (row,) = pa.ipc.open_file(score_block(OPTIONS, block)).read_all().to_pylist()
    assert row["published"] is None
    assert "no date, so it is unknown" in row["warnings"]
    assert not caplog.records


def refusal(file: Path) -> str:
    """What is said of a portfolio's file, or of its rows."""
    try:
        return " ".join(message for block in blocks(file) for message in messages(score_block(OPTIONS, block)))
    except DataError as error:
        return str(error)


def messages(part: bytes) -> list[str]:
    return [pa.ipc.open_file(part).schema.metadata[b"refused"].decode()]


OPTIONS = RunOptions(bundle=str(bundles.released()))


def test_a_wrong_value_beside_what_is_very_deep_is_left_out() -> None:
    release = samples.draft()
    release["tender"]["documents"] = [{"id": "d", "noticeType": deep()}]
    assert to_process(release).compiled().tender.title == "Community nursing"


def test_what_is_left_out_is_left_out_of_a_copy() -> None:
    document = {"tender": {"lots": [{"id": 1, "value": 2}, {"id": 3}], "title": "x"}, "other": {"kept": True}}
    copied = without_paths(
        document, ["/tender/lots/0/value", "/tender/lots/1", "/tender/missing/deeper", "/tender/title"]
    )
    assert copied == {"tender": {"lots": [{"id": 1}, None]}, "other": {"kept": True}}
    assert document["tender"] == {"lots": [{"id": 1, "value": 2}, {"id": 3}], "title": "x"}
    assert copied["other"] is document["other"]


def test_a_blank_date_is_no_day_of_publication() -> None:
    release = {"ocid": samples.OCID, "tender": {"title": "Nursing"}}
    assert to_process({**release, "date": " "}).published_on() is None
    assert to_process({**release, "date": "2024-03-01"}).published_on() == date(2024, 3, 1)


@pytest.mark.parametrize("versioned", [{}, {"ocid": "x-1", "id": "1"}, {"ocid": "x-1", "tender": {}}])
def test_a_versioned_release_that_states_nothing_is_refused(versioned: Any) -> None:
    with pytest.raises(DataError, match="/records/0/versionedRelease: the versioned release states nothing"):
        to_processes({"records": [{"ocid": "x-1", "versionedRelease": versioned}]})


def test_damaged_files_leave_no_memory_behind() -> None:
    packed = gzip.compress(samples.data(samples.draft()) * 50)[:-20]
    tracemalloc.start()
    try:
        for _ in range(20):
            with pytest.raises(DataError, match="damaged"):
                read_bytes(packed, "a.json.gz")
        # Arrow's own way of reading keeps 256 KB of each.
        assert tracemalloc.get_traced_memory()[0] < 2**20
    finally:
        tracemalloc.stop()
