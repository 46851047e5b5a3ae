"""Every format gives the same tenders, and every bad row is reported with its line and reason while its neighbours stay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenders.errors import UnreachableError
from tenders.io import rows as module
from tenders.io.blocks import blocks
from tenders.io.read import to_processes
from tenders.io.rows import RegisterCase, cut_register
from tenders.io.streams import BOUNDS, Bounds
from tenders.registers import find_register
from tenders.tender import Tender
from tests import bad_input, samples
from tests.bad_input import Bad
from tests.portfolio import sample_files
from tests.tenders.registers import made as registers
from tests.tenders.registers.test_columns import ROWS, as_csv, as_parquet

RELEASES, FORMS = sample_files.releases(), sample_files.FORMS
RECORDS = [{"ocid": release["ocid"], "compiledRelease": release} for release in RELEASES]
PLAIN = sample_files.lines(RELEASES)
OCDS = {
    "a.jsonl": PLAIN,
    "a.ndjson": PLAIN.rstrip(),
    "crlf.jsonl": b"\xef\xbb\xbf" + PLAIN.replace(b"\n", b"\r\n\r\n"),
    "a.jsonl.gz": sample_files.packed(PLAIN, "gz"),
    "a.jsonl.zst": sample_files.packed(PLAIN, "zst"),
    "lines.json": PLAIN,
    "lines.json.gz": sample_files.packed(PLAIN, "gz"),
    "package.json": samples.data({"uri": "https://x", "releases": RELEASES}),
    "pretty.json": json.dumps({"releases": RELEASES}, indent=1).encode(),
    "package.json.zst": sample_files.packed(samples.data({"releases": RELEASES}), "zst"),
    "records.json": samples.data({"records": RECORDS}),
    "list.json": samples.data(RELEASES),
    "packages.json": samples.data([{"releases": RELEASES[:3]}, {"records": RECORDS[3:]}]),
    "packages.jsonl": sample_files.lines([{"releases": RELEASES[:3]}, {"records": RECORDS[3:6]}, RECORDS[6]]),
}
TABLES = {
    "a.csv": sample_files.as_csv(FORMS),
    "bom.csv": b"\xef\xbb\xbf" + sample_files.as_csv(FORMS).replace(b"\r\n", b"\n"),
    "a.csv.gz": sample_files.packed(sample_files.as_csv(FORMS), "gz"),
    "a.parquet": sample_files.as_parquet(FORMS),
    "a.parquet.zst": sample_files.packed(sample_files.as_parquet(FORMS), "zst"),
    "a.xlsx": sample_files.as_xlsx(FORMS),
    "a.jsonl": sample_files.lines(FORMS),
    "a.json": samples.data(FORMS),
}


@pytest.mark.parametrize("name", OCDS)
def test_releases_are_the_same_tenders_in_every_format(tmp_path: Path, name: str) -> None:
    rows = sample_files.read(sample_files.written(tmp_path, name, OCDS[name]))
    assert sample_files.tenders(rows) == [process.compiled() for process in to_processes(RELEASES)]


@pytest.mark.parametrize("name", TABLES)
def test_forms_are_the_same_tenders_in_every_format(tmp_path: Path, name: str) -> None:
    rows = sample_files.read(sample_files.written(tmp_path, name, TABLES[name]))
    assert sample_files.tenders(rows) == [process.compiled() for process in to_processes(FORMS)]


@settings(max_examples=12)
@given(block=st.integers(1, 6000), documents=st.integers(1, 9), rows=st.integers(1, 9))
def test_how_it_is_cut_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, block: int, documents: int, rows: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    bounds = Bounds(block=block, documents=documents, rows=rows)
    for name, content in (OCDS | TABLES).items():
        if name.endswith(".xlsx"):
            continue
        path = sample_files.written(folder, name, content)
        assert sample_files.seen(sample_files.read(path, bounds=bounds)) == sample_files.seen(
            sample_files.read(path)
        ), name


BAD = [
    bad for bad in bad_input.BAD if bad.suffix == ".json" and b"\n" not in bad.data and bad.data.strip(b"\xef\xbb\xbf ")
]


@pytest.mark.parametrize("bad", BAD, ids=bad_input.ids)
def test_a_bad_line_is_told_and_its_neighbours_survive(tmp_path: Path, bad: Bad) -> None:
    content = sample_files.GOOD + b"\n\n" + bad.data + b"\r\n" + sample_files.GOOD
    rows = sample_files.read(sample_files.written(tmp_path, "a.jsonl", content))
    assert rows[0].process is not None and rows[0].line == 1
    assert rows[-1].process is not None and rows[-1].line == 4
    wrong = [row for row in rows if row.process is None]
    assert {row.line for row in wrong} == {3}
    assert wrong[0].problems[0].path in (bad.path, "/0")
    assert wrong[0].problems[0].problem


WHOLE = [bad for bad in BAD if not bad.name.startswith(("truncated", "100,000 brackets", "100,000 objects"))]


@pytest.mark.parametrize("bad", WHOLE, ids=bad_input.ids)
def test_a_bad_release_of_a_package_is_told_and_its_neighbours_survive(tmp_path: Path, bad: Bad) -> None:
    good = [samples.data(samples.draft(ocid=f"good-{i}")) for i in range(2)]
    content = b'{"releases": [' + good[0] + b", " + bad.data + b", " + good[1] + b"]}"
    rows = sample_files.read(sample_files.written(tmp_path, "a.json", content))
    assert [row.place for row in rows if row.process] == ["/releases/0", "/releases/2"]
    assert [row.place for row in rows if not row.process] == ["/releases/1"]
    assert all(p.path.startswith("/releases/1") for row in rows for p in row.problems)


def test_a_truncated_package_gives_what_is_whole(tmp_path: Path) -> None:
    content = samples.data({"releases": RELEASES})
    rows = sample_files.read(sample_files.written(tmp_path, "a.json", content[:-200]))
    assert [row.place for row in rows] == [f"/releases/{i}" for i in range(7)]
    assert [row.place for row in rows if not row.process] == ["/releases/6"]


def test_what_follows_a_package_is_told(tmp_path: Path) -> None:
    content = samples.data({"releases": RELEASES}) + b"garbage"
    rows = sample_files.read(sample_files.written(tmp_path, "a.json", content))
    assert [row.process is not None for row in rows] == [True] * 7 + [False]


CELLS = [
    ("a cell too many", b"North,1,2,3\n", "row 3: 4 cells where there are 3 columns"),
    ("a number in words", b"North,many,\n", "row 3, column lots: expected a number, got 'many'"),
    ("half a lot", b"North,1.5,\n", "row 3, column lots: expected a whole number"),
    ("a day that does not exist", b"North,1,2024-02-30\n", "row 3, column published"),
    ("Latin-1", b"Soins \xe0 domicile,1,\n", "row 3: not UTF-8"),
    ("a long cell", b"x" * 200_000 + b",1,\n", "row 3: not CSV: field larger"),
]


@pytest.mark.parametrize(("line", "problem"), [cell[1:] for cell in CELLS], ids=[cell[0] for cell in CELLS])
def test_a_bad_row_of_a_csv_is_told_and_its_neighbours_survive(tmp_path: Path, line: bytes, problem: str) -> None:
    content = b"title,lots,published\nNursing,1,\n" + line + b"\n,,\nNursing,2\n"
    rows = sample_files.read(sample_files.written(tmp_path, "a.csv", content))
    assert [(row.line, row.place, row.process is not None) for row in rows] == [
        (2, "row 2", True), (3, "row 3", False), (6, "row 6", True)
    ]  # fmt: skip
    assert sample_files.message(rows[1]).startswith(problem)


def test_a_bad_row_of_a_workbook_is_told_and_so_is_another_sheet(tmp_path: Path) -> None:
    content = sample_files.as_xlsx(FORMS[:1], [["x", "y", "many"], ["x", "y", 1, 2, "2024-01-01", "beyond"], [], ["x"]])
    rows = sample_files.read(sample_files.written(tmp_path, "a.xlsx", content))
    assert [(row.line, row.process is not None) for row in rows] == [(2, True), (3, False), (4, False), (6, True)]


def test_a_column_that_is_not_read_is_named_and_a_row_of_nothing_else_is_told(tmp_path: Path) -> None:
    rows = sample_files.read(sample_files.written(tmp_path, "a.csv", b"title,colour\nNursing,red\n,red\n"))
    assert rows[0].process
    assert rows[0].process.warnings == ("not part of the score, because the name is unknown: /colour",)
    assert sample_files.message(rows[1]) == "row 3: no column that is read has a value"


def test_a_bad_row_of_parquet_is_told(tmp_path: Path) -> None:
    content = sample_files.as_parquet([FORMS[0], {**FORMS[1], "lots": -1}, FORMS[2]])
    rows = sample_files.read(sample_files.written(tmp_path, "a.parquet", content))
    assert [(row.line, row.process is not None) for row in rows] == [(1, True), (2, False), (3, True)]
    assert sample_files.message(rows[1]).startswith("row 2, column lots: expected a number of at least 0")


def test_our_own_mistakes_are_rows_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(document: Any) -> Any:
        if document["ocid"].endswith("3"):
            raise ZeroDivisionError
        return to_processes(document)

    monkeypatch.setattr(module, "to_processes", broken)
    rows = sample_files.read(sample_files.written(tmp_path, "a.jsonl", PLAIN))
    assert [row.line for row in rows if not row.process] == [4]
    assert "an unexpected error, ZeroDivisionError" in sample_files.message(rows[3])
    assert "ZeroDivisionError" in caplog.text


def test_a_file_that_is_gone_is_no_row(tmp_path: Path) -> None:
    path = sample_files.written(tmp_path, "a.jsonl", PLAIN)
    cut = list(blocks(path))
    path.unlink()
    with pytest.raises(UnreachableError, match="Is it reachable here"):
        list(module.read_rows(cut[0]))


SOURCES = {
    "sicoes_bo": [registers.sicoes(), registers.sicoes("15-0099-00-500002-1-1", "Desierto")],
    "placsp_es": [registers.placsp("1"), registers.placsp("2")],
    "dncp_py": [registers.dncp()],
    "nicgep_in": [registers.nicgep()],
    "fpds_dod_us": [registers.fpds()],
    "ted_de": [registers.ted()],
    "uk_notices": [registers.uk_notice(), registers.uk_notice("ocds-b5fd17-2", published=None)],
    "dos_uk": [registers.dos()],
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_registers_own_columns_are_read_through_its_source(tmp_path: Path, name: str) -> None:
    path = registers.table(tmp_path, SOURCES[name])
    cases = find_register(name).read(path).cases
    rows = sample_files.read(path, name, Bounds(documents=1))
    assert sample_files.tenders(rows) == [case.tender for case in cases]
    assert [row.line for row in rows] == [case.row + 1 for case in cases]
    for row, case in zip(rows, cases, strict=True):
        assert row.process
        assert msgspec.convert(row.process.releases[0], Tender) == case.tender
        assert row.process.as_of("draft") == case.as_of("draft")
        assert row.place.endswith(f"lot {case.lot}" if case.lot else f"row {case.row + 1}")


def test_a_row_that_a_register_cannot_read_is_told(tmp_path: Path) -> None:
    path = registers.table(tmp_path, [registers.sicoes("nonsense"), registers.sicoes(estado="Perdido")])
    bad, doubtful = sample_files.read(path, "sicoes_bo")
    assert (bad.line, bad.process, bad.problems[0].path) == (1, None, "row 1, column cuce")
    assert doubtful.process and "Taken as censored" in doubtful.process.warnings[0]


def test_with_a_register_ocds_is_read_as_ever(tmp_path: Path) -> None:
    path = sample_files.written(tmp_path, "a.jsonl", PLAIN)
    assert len(sample_files.tenders(sample_files.read(path, "sicoes_bo"))) == 7
    assert next(blocks(path, "sicoes_bo")).kind == "range"


def as_workbook(folder: Path, rows: list[registers.Row]) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet
    sheet.append(list(rows[0]))
    for row in rows:
        sheet.append(list(row.values()))
    path = folder / "register.xlsx"
    book.save(path)
    return path


def cases(register: str, path: Path) -> list[RegisterCase]:
    cuts = cut_register(path, find_register(register), BOUNDS)
    return [case for cut in cuts for case in msgspec.msgpack.decode(cut.data, type=list[RegisterCase])]


@pytest.mark.parametrize("saved", [as_csv, as_workbook], ids=lambda form: form.__name__)
@pytest.mark.parametrize("register", ROWS)
def test_a_register_in_another_form_is_the_same(tmp_path, register, saved):
    rows = ROWS[register]
    expected = cases(register, as_parquet(tmp_path, rows))
    assert len(expected) == len(rows)
    assert cases(register, saved(tmp_path, rows)) == expected


def test_a_cell_that_cannot_be_read_is_a_remark_and_one_that_is_needed_costs_its_row(tmp_path):
    rows = [registers.placsp(lot_value_eur="plenty"), registers.placsp(id=901, lot_value_eur="7", published=None)]
    read, lost = cases("placsp_es", as_csv(tmp_path, rows))
    assert read.tender
    assert [str(problem) for problem in read.problems] == [
        "row 1, column lot_value_eur: 'plenty' is no number. Taken as not given"
    ]
    assert lost.tender is None
    assert [str(problem) for problem in lost.problems] == ["row 2, column published: no publication day"]
