"""A portfolio is cut into the same blocks every time, within bounds, and whatever cannot be read is said."""

from __future__ import annotations

import gzip
import hashlib
import re
import tracemalloc
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from tenders.errors import DataError, TooLargeError, UnreachableError, UsageError
from tenders.io.blocks import blocks, input_files
from tenders.io.rows import read_rows
from tenders.io.streams import Block, Bounds, block_lines, count_lines
from tests import samples
from tests.portfolio import sample_files

EVERY = {
    "lines.jsonl": sample_files.lines(sample_files.releases()),
    "lines.jsonl.gz": sample_files.packed(sample_files.lines(sample_files.releases()), "gz"),
    "package.json": samples.data({"releases": sample_files.releases()}),
    "forms.parquet": sample_files.as_parquet(sample_files.FORMS),
    "forms.csv": sample_files.as_csv(sample_files.FORMS),
    "forms.xlsx": sample_files.as_xlsx(sample_files.FORMS),
}
SMALL = Bounds(block=2000, documents=3, rows=3)


def folder(tmp_path: Path) -> Path:
    """A folder with one file of each kind, one of them deeper down, and one that no reader knows."""
    for name, content in EVERY.items():
        sample_files.written(tmp_path, f"in/{name}", content)
    sample_files.written(tmp_path, "in/2023/more.ndjson", sample_files.GOOD)
    sample_files.written(tmp_path, "in/README.md", b"# About")
    return tmp_path / "in"


def small(path: Path, bounds: Bounds = SMALL, skip: frozenset[int] = frozenset()) -> list[Block]:
    return list(blocks(path, skip=skip, bounds=bounds))


def refusal(path: Path, bounds: Bounds = SMALL) -> str:
    """The refusal of a file, or what is wrong with its last row."""
    try:
        return sample_files.message(sample_files.read(path, bounds=bounds)[-1])
    except DataError as error:
        return str(error)


def test_blocks_are_numbered_in_the_order_of_relative_paths(tmp_path: Path) -> None:
    listed = small(folder(tmp_path))
    assert [block.number for block in listed] == list(range(len(listed)))
    assert list(dict.fromkeys(block.file for block in listed)) == sorted([*EVERY, "2023/more.ndjson", "README.md"])


def test_every_kind_is_cut_into_several_blocks(tmp_path: Path) -> None:
    cut = [block.file for block in small(folder(tmp_path))]
    assert {name for name in EVERY if cut.count(name) < 2} == set()


def test_blocks_that_are_done_keep_their_numbers_and_carry_nothing(tmp_path: Path) -> None:
    source = folder(tmp_path)
    every, rest = small(source), small(source, skip=frozenset({0, 2, 5}))
    assert [(b.number, b.file, b.kind, b.first, b.start, b.end) for b in rest] == [
        (b.number, b.file, b.kind, b.first, b.start, b.end) for b in every
    ]
    assert [b.data for b in rest] == [b"" if b.number in (0, 2, 5) else b.data for b in every]


def test_a_file_that_no_reader_knows_is_an_entry_and_stops_nothing(tmp_path: Path) -> None:
    rows = sample_files.read(folder(tmp_path))
    assert [sample_files.message(row) for row in rows if not row.process] == [
        "/: no reader for .md. Use one of .jsonl, .ndjson, .json, .parquet, .csv, .xlsx, .yaml, .yml, .zip, .tar"
    ]
    assert sum(row.process is not None for row in rows) == 6 * 7 + 1


def test_inputs_have_size_and_digest(tmp_path: Path) -> None:
    source = folder(tmp_path)
    listed = input_files(source)
    assert [file.file for file in listed] == sorted([*EVERY, "2023/more.ndjson", "README.md"])
    one = next(file for file in listed if file.file == "forms.csv")
    assert (one.size, one.sha256) == (len(EVERY["forms.csv"]), hashlib.sha256(EVERY["forms.csv"]).hexdigest())
    assert [file.file for file in input_files(source / "forms.csv")] == ["forms.csv"]


def test_one_file_that_cannot_be_read_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="no such file"):
        small(tmp_path / "nothing.jsonl")
    with pytest.raises(UnreachableError):
        input_files(tmp_path / "nothing.jsonl")
    with pytest.raises(DataError, match=r"^a\.pdf: no reader"):
        small(sample_files.written(tmp_path, "a.pdf", b"%PDF"))
    with pytest.raises(DataError, match=r"^a\.xlsx: not a workbook"):
        small(sample_files.written(tmp_path, "a.xlsx", b"PK"))
    with pytest.raises(UsageError, match="no register"):
        next(blocks(sample_files.written(tmp_path, "a.csv", b""), register="atlantis"))


@pytest.mark.parametrize("content", [b"", b"\n", b"a", b"a\n", b"a\nbb\n\nccc", b"\n\na\r\n\n" + b"x" * 9 + b"\nb\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_every_line_begins_in_one_range_and_ranges_are_counted_alike(tmp_path: Path, content: bytes, size: int) -> None:
    path = sample_files.written(tmp_path, "a.jsonl", content)
    cut = small(path, Bounds(block=size))
    parts = [[line for _, line in block_lines(block)] for block in cut]
    assert [line for part in parts for line in part] == re.findall(rb"[^\n]*\n|[^\n]+", content)
    assert [count_lines(block) for block in cut] == [len(part) for part in parts]


def test_a_line_above_the_bound_is_cut_in_every_reader(tmp_path: Path) -> None:
    content = b"{}\n" + b"x" * 1000 + b"\n{}\n"
    for name, packed in (("a.jsonl", content), ("a.jsonl.gz", sample_files.packed(content, "gz"))):
        cut = small(sample_files.written(tmp_path, name, packed), Bounds(block=64, line=100))
        lines = [line for block in cut for _, line in block_lines(block, Bounds(line=100))]
        assert lines == [b"{}\n", b"x" * 101 + b"\n", b"{}\n"]


def test_the_end_of_a_line_does_not_count_towards_its_bound(tmp_path: Path) -> None:
    content = b"\n".join(b"x" * size for size in (100, 101, 100))
    for name, packed in (("a.jsonl", content), ("a.jsonl.gz", sample_files.packed(content, "gz"))):
        cut = small(sample_files.written(tmp_path, name, packed), Bounds(line=100))
        messages = [sample_files.message(row) for block in cut for row in read_rows(block, Bounds(line=100))]
        assert [" in one line" in message for message in messages] == [False, True, False]


@pytest.mark.parametrize("codec", ["", ".gz", ".zst"])
def test_a_line_of_64_megabytes_costs_one_row_and_no_memory(tmp_path: Path, codec: str) -> None:
    content = sample_files.GOOD + b"\n" + b" " * 2**26 + b"\n" + sample_files.GOOD
    path = sample_files.written(
        tmp_path, f"a.jsonl{codec}", sample_files.packed(content, codec[1:]) if codec else content
    )
    del content
    bounds = Bounds(block=2**20, line=2**21)
    tracemalloc.start()
    rows = sample_files.read(path, bounds=bounds)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(row.line, sample_files.message(row)) for row in rows] == [
        (1, ""), (2, "/: more than 2 MB in one line. Split it"), (3, "")
    ]  # fmt: skip
    assert peak < 20 * 2**20


@pytest.mark.parametrize("codec", ["gz", "zst"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet", "a.xlsx"])
def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, name: str, codec: str) -> None:
    bomb = sample_files.written(tmp_path, f"{name}.{codec}", sample_files.packed(b"title\n" + (b" " * 2**10 + b"\n") * 2**12, codec))
    assert "it unpacks to more than 1 MB" in refusal(bomb, Bounds(unpacked=2**20, ratio=10))


@pytest.mark.parametrize("codec", ["gz", "zst"])
def test_a_stream_that_breaks_off_gives_what_came_before_and_says_where(tmp_path: Path, codec: str) -> None:
    content = sample_files.packed(sample_files.lines(sample_files.releases()) * 500, codec)
    rows = sample_files.read(sample_files.written(tmp_path, f"a.jsonl.{codec}", content[: len(content) - 20]))
    assert rows[0].process
    assert [sample_files.message(row).split(":")[:2] for row in rows if not row.process] == [
        [f"line {len(rows)}", " damaged"]
    ]


def test_streams_that_follow_each_other_are_one(tmp_path: Path) -> None:
    two = gzip.compress(sample_files.GOOD + b"\n") + gzip.compress(sample_files.GOOD)
    assert len(sample_files.tenders(sample_files.read(sample_files.written(tmp_path, "a.jsonl.gz", two)))) == 2


def test_one_document_above_the_bound_is_to_be_made_lines(tmp_path: Path) -> None:
    path = sample_files.written(tmp_path, "a.json", EVERY["package.json"])
    with pytest.raises(TooLargeError, match=r"Convert it to JSON lines \(\.jsonl\)"):
        small(path, Bounds(document=1000))


def test_releases_of_one_ocid_stay_together(tmp_path: Path) -> None:
    first, other, again = sample_files.releases(3)
    later = {**again, "ocid": first["ocid"], "date": "2024-05-01T09:00:00Z"}
    path = sample_files.written(tmp_path, "a.json", samples.data({"releases": [first, other, later]}))
    rows = sample_files.read(path, bounds=Bounds(documents=1))
    assert [(row.line, row.place, row.process and len(row.process.releases)) for row in rows] == [
        (1, "/releases/0", 2), (2, "/releases/1", 1)
    ]  # fmt: skip
    assert rows[0].process
    assert rows[0].process.where == ("/releases/0", "/releases/2")


def test_a_workbook_that_unpacks_to_too_much_is_refused_by_what_it_says(tmp_path: Path) -> None:
    path = sample_files.written(tmp_path, "a.xlsx", sample_files.as_xlsx(sample_files.FORMS))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/worksheets/sheet2.xml", b" " * 2**25)
    with pytest.raises(TooLargeError, match="times its size"):
        small(path)


def test_too_many_columns_are_refused(tmp_path: Path) -> None:
    names = ["title", *(f"c{i}" for i in range(9_999))]
    table = pa.table({name: ["x"] for name in names})
    pa.parquet.write_table(table, tmp_path / "a.parquet")
    sample_files.written(tmp_path, "a.csv", ",".join(names).encode() + b"\nx\n")
    sample_files.written(tmp_path, "a.xlsx", sample_files.as_xlsx([dict.fromkeys(names, "x")]))
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(TooLargeError, match="10,000 columns; at most 1,000 are read"):
            small(path)


def test_blank_rows_without_end_are_refused(tmp_path: Path) -> None:
    path = sample_files.written(tmp_path, "a.csv.gz", gzip.compress(b"title\nNursing\n" + b"\n" * 500))
    good, refused = sample_files.read(path, bounds=Bounds(table_rows=100))
    assert good.process
    assert "more than 100 rows" in sample_files.message(refused)
    assert len(sample_files.read(path)) == 1


def test_lines_without_end_are_refused(tmp_path: Path) -> None:
    path = sample_files.written(tmp_path, "a.jsonl.gz", gzip.compress(b"{}\n" * 5_000))
    *_, refused = sample_files.read(path, bounds=Bounds(table_rows=100))
    assert "more than 100 lines" in sample_files.message(refused)
    assert sum(len(block.data) for block in blocks(path)) == 15_000


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.xlsx", "a.json", "a.jsonl.gz", "a.csv.zst", "a.xlsx.gz"])
def test_what_is_not_what_its_name_says_is_refused(tmp_path: Path, name: str) -> None:
    assert refusal(sample_files.written(tmp_path, name, b"\x00\x01\x02 nothing of the kind \xff" * 50))


def test_a_register_of_too_many_rows_is_refused(tmp_path: Path) -> None:
    path = sample_files.written(tmp_path, "a.csv", b"cuce\n" * 9)
    with pytest.raises(TooLargeError, match="at most 5 are read"):
        next(blocks(path, "sicoes_bo", bounds=Bounds(register_rows=5)))
