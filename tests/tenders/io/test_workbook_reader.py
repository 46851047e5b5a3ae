"""Workbooks are read as they stand, within bounds whatever they hold, and no row is left out silently."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from tenders.errors import DataError, TooLargeError
from tenders.io.streams import Bounds, open_zip
from tenders.io.workbook_reader import CellRow, WorkbookReader
from tenders.io.xlsx import cut_workbook, read_forms
from tests.portfolio import sample_files
from tests.serving.made import workbook

MIB = 2**20
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
TYPE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
PLENTY = Bounds(workbook_ratio=MIB)


def book_of(rows: str, texts: str | None = None, **parts: str) -> bytes:
    """A workbook whose sheet holds these rows, as XML, with these shared texts and other parts by their names."""
    sheet = rows if rows.startswith("<") and "sheetData" in rows else f"<sheetData>{rows}</sheetData>"
    changed = {"xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}">{sheet}</worksheet>', **parts}
    if texts is not None:
        changed["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}">{texts}</sst>'
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook([["x"]]))) as plain,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in {*plain.namelist(), *changed}:
            packed.writestr(name, changed.get(name) or plain.read(name))
    return out.getvalue()


def cell(address: str, text: str) -> str:
    return f'<c r="{address}" t="inlineStr"><is><t>{text}</t></is></c>'


def row(number: object, *cells: str) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'


def rows_of(content: bytes, bounds: Bounds = PLENTY) -> list[tuple[int, CellRow]]:
    """The rows of the first sheet."""
    with WorkbookReader(io.BytesIO(content), bounds) as book:
        return list(next(book.sheets())[1])


MOMENTS = datetime.fromisoformat("1901-01-01"), datetime.fromisoformat("2100-01-01")
CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.integers(-(10**9), 10**9).map(lambda hundredths: hundredths / 100),
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cn"], exclude_characters="=_'"), max_size=20),
    st.dates(date(1901, 1, 1), date(2100, 1, 1)),
    st.datetimes(*MOMENTS).map(lambda moment: moment.replace(microsecond=0)),
)


def typed(value: Any) -> str:
    """A value as one would type it into the form."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(int(value)) if value == int(value) else str(value)


@settings(max_examples=30)
@given(st.lists(st.lists(CELLS, max_size=5), min_size=1, max_size=5))
def test_what_a_spreadsheet_program_writes_is_read_as_it_was_typed(written: Sequence[Sequence[Any]]) -> None:
    book = Workbook()
    for values in written:
        book.worksheets[0].append(list(values))
    out = io.BytesIO()
    book.save(out)
    read = [row for _, row in rows_of(out.getvalue())]
    width = max(map(len, written))
    padded = [[*row, *[""] * (width - len(row))] for row in read]
    expected = [[*map(typed, values), *[""] * (width - len(values))] for values in written]
    assert padded == expected[: len(padded)]
    assert not any(any(values) for values in expected[len(padded) :])


def test_shared_texts_runs_and_prefixed_names_are_read() -> None:
    texts = (
        "<si><t>plain</t></si><si><r><t>in </t></r><r><rPr><b/></rPr><t>runs</t></r><rPh><t>no</t></rPh></si>"
        "<si><t/></si><si><t>'=1</t></si>"
    )
    cells = "".join(f'<c r="{letter}1" t="s"><v>{n}</v></c>' for n, letter in enumerate("ABCD"))
    assert rows_of(book_of(f'<row r="1">{cells}</row>', texts)) == [(1, ["plain", "in runs", "", "=1"])]
    prefixed = (
        '<x:sheetData xmlns:x="y"><x:row><x:c><x:v>2</x:v></x:c><x:c t="b"><x:v>1</x:v></x:c></x:row></x:sheetData>'
    )
    assert rows_of(book_of(prefixed)) == [(1, ["2", "yes"])]


def test_rows_that_are_left_out_are_empty_ones() -> None:
    assert rows_of(book_of(row(1, cell("A1", "a")) + row(4, cell("B4", "b")))) == [
        (1, ["a"]),
        (2, []),
        (3, []),
        (4, ["", "b"]),
    ]


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (cell("XFE2", "x"), "the cell XFE2 is beyond the last column, XFD"),
        (cell("ZZZZZZ2", "x"), "the cell ZZZZZZ2 is beyond the last column, XFD"),
        (cell("A2", "x") + cell("A2", "y"), "the cell A2 comes twice"),
        (cell("A7", "x"), "the cell A7 stands in row 2"),
        (cell("2", "x"), "the cell 2 has no address of a cell"),
        (cell("\N{LATIN CAPITAL LETTER A WITH ACUTE}2", "x"), "has no address of a cell"),
        ('<c r="A2"><v>many</v></c>', "the cell A2 holds 'many', which is no value of its kind"),
        ('<c r="A2"><v>' + "9" * 5000 + "</v></c>", "which is no value of its kind"),
        ('<c r="A2" t="s"><v>-1</v></c>', "the cell A2 holds '-1'"),
        ('<c r="A2" t="s"><v>7</v></c>', "the cell A2 holds '7'"),
        ('<c r="A2" t="b"><v>perhaps</v></c>', "the cell A2 holds 'perhaps'"),
        ('<c r="A2" t="d"><v>2024-13-45</v></c>', "the cell A2 holds '2024-13-45'"),
    ],
)  # fmt: skip
def test_a_cell_that_no_program_writes_costs_its_row_and_is_named(tmp_path: Path, cells: str, problem: str) -> None:
    content = book_of(row(1, cell("A1", "title")) + row(2, cells) + row(3, cell("A3", "Nursing")), "<si><t>a</t></si>")
    bad, good = rows_of(content)[1:]
    assert problem in bad[1]
    assert good == (3, ["Nursing"])
    rows = sample_files.read(sample_files.written(tmp_path, "a.xlsx", content))
    assert [(entry.place, entry.process is not None) for entry in rows] == [("row 2", False), ("row 3", True)]
    assert problem in sample_files.message(rows[0])
    with pytest.raises(DataError, match="row 2"):
        read_forms(content)


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (1_048_577, "it is numbered 1,048,577, and a sheet has rows 1 to 1,048,576"),
        (4_000_000_000, "it is numbered 4,000,000,000, and a sheet has rows"),
        (0, "it is numbered 0, and a sheet has rows"),
        ("many", "and a sheet has rows"),
        (3, "it stands below row 3: its rows are out of order, or there are two of this number"),
        (2, "it stands below row 3"),
    ],
)
def test_a_row_out_of_order_costs_itself_and_is_named(tmp_path: Path, number: object, problem: str) -> None:
    rows = (
        row(1, cell("A1", "title"))
        + row(3, cell("A3", "a"))
        + row(number, cell(f"A{number}", "b"))
        + row(4, cell("A4", "c"))
    )
    result = sample_files.read(sample_files.written(tmp_path, "a.xlsx", book_of(rows)))
    assert [entry.process is not None for entry in result] == [True, True, False]
    assert problem in sample_files.message(result[2])
    with pytest.raises(DataError, match="row"):
        read_forms(book_of(rows))


def test_so_does_one_that_is_the_only_one(tmp_path: Path) -> None:
    rows = row(1, cell("A1", "title")) + row(2_000_000, cell("A2000000", "x"))
    with pytest.raises(DataError, match=r"row 2000000: it is numbered 2,000,000.*no row below the column names"):
        sample_files.read(sample_files.written(tmp_path, "a.xlsx", book_of(rows)))


def test_a_row_of_releases_out_of_order_costs_itself(tmp_path: Path) -> None:
    rows = [("ocid", "tender/title"), ("ocds-h6vhtk-1", "a"), ("ocds-h6vhtk-2", "b")]
    numbered = [*zip((1, 2, 2_000_000), rows, strict=True)]
    content = book_of("".join(row(n, cell(f"A{n}", one), cell(f"B{n}", two)) for n, (one, two) in numbered))
    result = sample_files.read(sample_files.written(tmp_path, "a.xlsx", content))
    assert [entry.process is not None for entry in result] == [True, False]
    assert "row 2000000: it is numbered 2,000,000" in sample_files.message(result[1])


def test_thousands_of_rows_out_of_order_are_no_workbook() -> None:
    with pytest.raises(DataError, match="more than 1,000 rows out of order"):
        rows_of(book_of(row(1) * 1_100))


MANY = "<si><t>ab</t></si>" * 20_000


@pytest.mark.parametrize(
    ("content", "bounds", "problem"),
    [
        (lambda: book_of("", MANY), Bounds(shared=MIB), r"its first 1\d,\d{3} shared texts take 1 MB of memory"),
        (lambda: book_of("", f"<si><t>{'a' * 2 * MIB}</t></si>"), Bounds(line=MIB), "a text of more than 1 MB"),
        (
            lambda: book_of("<row>" + '<c t="s"><v>0</v></c>' * 9 + "</row>" + row(2), f"<si><t>{'a' * 9_000}</t></si>"),
            Bounds(line=10**6, unpacked=80_000, ratio=0),
            "it unpacks to more than 0 MB",
        ),
    ],
)  # fmt: skip
def test_texts_are_counted_before_they_fill_the_memory(content: Any, bounds: Bounds, problem: str) -> None:
    roomy = Bounds(
        shared=bounds.shared, line=bounds.line, unpacked=bounds.unpacked, ratio=bounds.ratio, workbook_ratio=MIB
    )
    with pytest.raises(TooLargeError, match=problem):
        rows_of(content(), roomy)


def test_a_row_that_repeats_a_long_text_costs_itself() -> None:
    cells = '<c t="s"><v>0</v></c>' * 200
    content = book_of(f"<row>{cells}</row>" + row(2, cell("A2", "x")), f"<si><t>{'a' * 9_000}</t></si>")
    assert rows_of(content, Bounds(line=MIB, workbook_ratio=MIB)) == [(1, "more than 1 MB"), (2, ["x"])]


@pytest.mark.parametrize(
    "xml",
    [
        "<sheetData>" + "<a>" * 100 + "</a>" * 100 + "</sheetData>",
        "<sheetData>" + "".join(f"<a{n}/>" for n in range(11_000)) + "</sheetData>",
        "<sheetData/><a " + " ".join(f'a{n}=""' for n in range(11_000)) + "/>",
        f"<sheetData/><!--{'x' * 2 * MIB}-->",
        f'<sheetData/><a b="{"x" * 2 * MIB}"/>',
        "<sheetData>",
    ],
    ids=["deep", "names", "attributes", "comment", "attribute", "open"],
)
def test_xml_that_a_parser_holds_whole_is_refused(xml: str) -> None:
    with pytest.raises(DataError):
        rows_of(book_of(xml))


def test_millions_of_elements_that_mean_nothing_are_not_held() -> None:
    assert rows_of(book_of("<sheetData>" + "<a/>" * 300_000 + row(1, cell("A1", "x")) + "</sheetData>")) == [(1, ["x"])]


def test_a_zip_whose_list_of_files_is_long_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for number in range(90):
            packed.writestr(f"{number}{'x' * 60_000}", b"")
    with pytest.raises(TooLargeError, match="its list of files has 5 MB"):
        open_zip(path)
    with pytest.raises(TooLargeError, match="its list of files has 5 MB"):
        list(cut_workbook(path.rename(tmp_path / "a.xlsx"), PLENTY))
