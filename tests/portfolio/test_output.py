"""What is written is the same bytes for the same rows, runs nowhere as a formula, and is there whole or not at all."""

from __future__ import annotations

import csv
import gc
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from portfolio import output
from tenders.errors import UsageError
from tenders.io.text import escape_formula

SCHEMA = pa.schema(
    [("buyer", pa.string()), ("line", pa.int64()), ("failure", pa.float64()), ("published", pa.date32())]
)
FORMULAS = [
    "=1+1",
    "+44 20",
    "-2",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\0=1",
    "\ufeff=1",
    "＝1+1",
    '=HYPERLINK("https://x","y")',
    "=cmd|' /C calc'!A0",
]
PLAIN = ["a=b", "North, South", 'the "Board"', "two\nlines", "Đắk Lắk 𝔘 ✓", "", " ", "'quoted", None]


def table(buyers: list[str | None]) -> pa.Table:
    """A row a buyer; the second has nothing else."""
    rows = [
        {"buyer": b, "line": i, "failure": i / 7, "published": date(2024, 1, 1)} if i != 1 else {"buyer": b}
        for i, b in enumerate(buyers)
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


def written(tmp_path: Path, format: str, *tables: pa.Table, name: str = "out") -> bytes:
    out = tmp_path / f"{name}.{format}"
    output.write_tables(out, format, SCHEMA, tables)
    return out.read_bytes()


def as_csv(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def as_sheets(content: bytes) -> list[list[tuple[Any, ...]]]:
    return [list(sheet.iter_rows(values_only=True)) for sheet in load_workbook(io.BytesIO(content)).worksheets]


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_of_a_csv_begins_a_formula(tmp_path: Path, formula: str) -> None:
    assert as_csv(written(tmp_path, "csv", table([formula])))[1][0] == f"'{formula}"


def test_a_csv_leaves_all_other_text_as_it_is(tmp_path: Path) -> None:
    rows = as_csv(written(tmp_path, "csv", table(PLAIN)))
    assert rows[0] == SCHEMA.names
    assert [row[0] for row in rows[1:]] == [text or "" for text in PLAIN]
    assert rows[1][1:] == ["0", "0", "2024-01-01"] and rows[2][1:] == ["", "", ""]


def test_negative_numbers_are_no_formulas(tmp_path: Path) -> None:
    row = pa.Table.from_pylist([{"buyer": "x", "line": -3, "failure": -0.5}], SCHEMA)
    assert as_csv(written(tmp_path, "csv", row))[1][1:3] == ["-3", "-0.5"]


@given(st.text(st.sampled_from("=+-@＝＋－＠﹦ \t\n\r\0\xa0\ufeffa1'") | st.characters(codec="utf-8"), max_size=6))
def test_what_is_escaped_in_a_csv_is_what_is_escaped_in_a_form(text: str) -> None:
    assert output._with_apostrophes(pa.chunked_array([[text, None]])).to_pylist() == [escape_formula(text), None]


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_of_a_workbook_is_a_formula(tmp_path: Path, formula: str) -> None:
    content = written(tmp_path, "xlsx", table([formula]))
    cell = load_workbook(io.BytesIO(content)).worksheets[0]["A2"]
    assert cell.data_type == "s"
    assert cell.value == formula.replace("\r", "\n").replace("\0", "")
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        assert not any(b"<f>" in book.read(name) for name in book.namelist())


def test_a_workbook_holds_numbers_days_and_gaps_as_what_they_are(tmp_path: Path) -> None:
    ((names, first, second),) = as_sheets(written(tmp_path, "xlsx", table(["x", "y"])))
    assert list(names) == SCHEMA.names
    assert (first[0], first[1], first[2], first[3].date()) == ("x", 0, 0.0, date(2024, 1, 1))
    assert second == ("y", None, None, None)


def test_what_no_workbook_can_hold_is_left_out_of_it(tmp_path: Path) -> None:
    ((_, first, second),) = as_sheets(written(tmp_path, "xlsx", table(["a\x00b\x1fc", "x" * 40_000])))
    assert first[0] == "abc"
    assert second[0] == "x" * 32_767


def test_rows_beyond_one_sheet_go_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "SHEET_ROWS", 3)
    sheets = as_sheets(written(tmp_path, "xlsx", table([str(i) for i in range(7)])))
    assert [[row[0] for row in sheet] for sheet in sheets] == [
        ["buyer", "0", "1", "2"], ["buyer", "3", "4", "5"], ["buyer", "6"]
    ]  # fmt: skip


def test_json_lines_hold_every_character_and_null(tmp_path: Path) -> None:
    lines = written(tmp_path, "jsonl", table([*PLAIN, *FORMULAS])).splitlines()
    assert [json.loads(line)["buyer"] for line in lines] == [*PLAIN, *FORMULAS]
    assert msgspec.json.decode(lines[1]) == {"buyer": PLAIN[1], "line": None, "failure": None, "published": None}


def test_parquet_holds_the_table(tmp_path: Path) -> None:
    expected = table([*PLAIN, *FORMULAS])
    assert pq.read_table(io.BytesIO(written(tmp_path, "parquet", expected))).equals(expected)


@pytest.mark.parametrize("format", output.FORMATS)
def test_how_rows_are_cut_into_tables_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    monkeypatch.setattr(output, "ROW_GROUP", 1_000)
    whole = table([f"=Council {i % 50}" for i in range(2_500)])
    cut = [whole.slice(0, 1), whole.slice(1, 0), whole.slice(1, 1_700), whole.slice(1_701)]
    once = written(tmp_path, format, whole)
    assert written(tmp_path, format, *cut, name="cut") == once
    if format == "parquet":
        about = pq.ParquetFile(io.BytesIO(once)).metadata
        assert [about.row_group(i).num_rows for i in range(about.num_row_groups)] == [1_000, 1_000, 500]


def test_a_workbook_has_no_time_of_creation(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(written(tmp_path, "xlsx", table(["x"])))) as book:
        assert {member.date_time for member in book.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert book.read("docProps/core.xml").count(b"2000-01-01T00:00:00Z") == 2


@pytest.mark.parametrize("format", output.FORMATS)
def test_no_rows_are_a_file_with_columns(tmp_path: Path, format: str) -> None:
    content = written(tmp_path, format, table([]))
    if format == "parquet":
        assert pq.read_table(io.BytesIO(content)).schema.names == SCHEMA.names
    elif format == "csv":
        assert as_csv(content) == [SCHEMA.names]
    elif format == "xlsx":
        assert as_sheets(content) == [[tuple(SCHEMA.names)]]
    else:
        assert content == b""


# openpyxl's own generator complains when it is given up.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("format", output.FORMATS)
def test_an_interrupted_write_leaves_the_previous_file(tmp_path: Path, format: str) -> None:
    def broken() -> Iterator[pa.Table]:
        yield table(["x"])
        raise KeyboardInterrupt

    before = written(tmp_path, format, table(["before"]))
    with pytest.raises(KeyboardInterrupt):
        output.write_tables(tmp_path / f"out.{format}", format, SCHEMA, broken())
    assert (tmp_path / f"out.{format}").read_bytes() == before
    output.write_tables(tmp_path / f"out.{format}", format, SCHEMA, [table(["before"])])
    assert [file.name for file in tmp_path.iterdir()] == [f"out.{format}"]
    # Here, where the complaint is expected, and not in a later test.
    gc.collect()


def test_the_format_is_the_one_named_or_the_files_ending() -> None:
    assert output.output_format(Path("a.CSV")) == "csv"
    assert output.output_format(Path("a"), "parquet") == "parquet"
    for out, named in (("a.txt", None), ("a", None), ("a.csv", "excel")):
        with pytest.raises(UsageError, match="Use parquet, csv, xlsx, jsonl"):
            output.output_format(Path(out), named)
