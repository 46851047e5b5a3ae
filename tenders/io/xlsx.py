"""Workbooks: forms to fill, drafts to keep, and tables of forms, written and read.

How they are read, and within which bounds, is in `tenders.io.workbook_reader`. Text that a spreadsheet would take for a
formula is written as text.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font
from openpyxl.worksheet.datavalidation import DataValidation

from tenders.columns import Column
from tenders.errors import DataError, Problem
from tenders.io import form
from tenders.io.detection import table_kind
from tenders.io.flattened import FlatTable
from tenders.io.streams import MIB, Bounds, Cut, problems_cut, too_large, unpacked
from tenders.io.tables import check_columns, check_width, cut_flattened, cut_rows
from tenders.io.text import to_csv
from tenders.io.workbook_parts import CellRow
from tenders.io.workbook_reader import WorkbookReader, numbered_from_one

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TEMPLATE_COLUMNS = (("key", 26), ("value", 44), ("what", 34), ("unit or choices", 34), ("help", 50), ("known from", 12))
"""The columns of a template and their widths in characters."""

MAX_FORM_BYTES = 4 * MIB
MAX_FORM_ROWS, MAX_FORM_COLUMNS = 10_000, 200
FORM_BOUNDS = Bounds(unpacked=32 * MIB, ratio=0, shared=32 * MIB, workbook_ratio=MIB, workbook_parts=200)
"""What is read of a workbook of one form or a few, which is held in memory."""


def check_size(content: bytes) -> None:
    """Raises TooLargeError for a workbook above MAX_FORM_BYTES."""
    if len(content) > MAX_FORM_BYTES:
        problem = f"{len(content) / MIB:.0f} MB; at most {MAX_FORM_BYTES // MIB} MB of a workbook are read"
        raise too_large(problem, "Keep the form's sheet alone, or use tender-risk portfolio")


def read_forms(content: bytes) -> list[dict[str, str]]:
    """The forms in a workbook's first sheet: one by `key` and `value` down the sheet, or one a row under its keys.

    Columns beyond MAX_FORM_COLUMNS are not read. Raises DataError, and TooLargeError above MAX_FORM_BYTES,
    MAX_FORM_ROWS and FORM_BOUNDS.
    """
    check_size(content)
    with WorkbookReader(io.BytesIO(content), FORM_BOUNDS) as book:
        rows_read = _plain_rows(next(book.sheets())[1])
        names, below = form_table(row[:MAX_FORM_COLUMNS] for row in islice(rows_read, MAX_FORM_ROWS + 2))
        rows = [_good_row(number, row) for number, row in enumerate(below, start=2)]
    if len(rows) > MAX_FORM_ROWS:
        raise too_large(f"more than {MAX_FORM_ROWS:,} rows", "Split it")
    if names or not rows:
        form.known_columns(names)
    filled = [row for row in rows if any(row) or not names]
    return [{name: text for name, text in zip(names, row, strict=False) if name and text} for row in filled]


def _plain_rows(rows: Iterable[tuple[int, CellRow]]) -> Iterator[list[str]]:
    """Rows of which every one can be read. Raises DataError for another one, at its number."""
    disordered: list[tuple[int, str]] = []
    for number, row in enumerate(numbered_from_one(rows, disordered), start=1):
        yield _good_row(number, row)
    for number, problem in disordered:
        _good_row(number, problem)


def _good_row(number: int, row: Sequence[str]) -> list[str]:
    if isinstance(row, str):
        raise DataError.at(f"row {number}", row, "Save the workbook anew in a spreadsheet program")
    return list(row)


def flat_sheets(book: WorkbookReader) -> list[FlatTable]:
    """The sheets of a workbook that are tables of flattened releases; none if the first sheet holds forms.

    The book has to be open until the rows are read. Raises as `WorkbookReader` does.
    """
    tables: list[FlatTable] = []
    for number, (title, rows) in enumerate(book.sheets()):
        names = _names(rows)
        kind = table_kind(names, form.BY_KEY.keys())
        if number == 0 and (kind == "forms" or {"key", "value"} <= set(names)):
            break
        if kind == "releases":
            tables.append(FlatTable(title, names, rows))
    return tables


def _names(rows: Iterator[tuple[int, CellRow]]) -> list[str]:
    """The names in the first row. Raises DataError if it cannot be read."""
    number, row = next(rows, (1, []))
    return [name.strip() for name in _good_row(number, row)]


def cut_workbook(path: Path, bounds: Bounds) -> Iterator[Cut]:
    """The rows of the first sheet as `tables.FormRows`; that other sheets hold something is reported. Of flattened
    releases all sheets, joined.

    A row that cannot be read, or stands out of order, costs only itself. Raises DataError if it is not a workbook of
    forms, TooLargeError for what unpacks to more than is read.
    """
    with unpacked(path, bounds) as plain, WorkbookReader(plain, bounds) as book:
        if tables := flat_sheets(book):
            for table in tables:
                check_width(table.columns, bounds)
            yield from cut_flattened(tables, bounds)
            return
        sheets = book.sheets()
        disordered: list[tuple[int, str]] = []
        names, rows = form_table(numbered_from_one(next(sheets)[1], disordered))
        check_columns(names, bounds)
        try:
            yield from cut_rows(names, rows, bounds)
        except DataError as error:
            # Where no row is left, those that were out of order say why.
            raise type(error)([*_out_of_order(disordered), *error.problems]) from None
        for out in _out_of_order(disordered):
            yield problems_cut([out])
        for title, others in sheets:
            if any(any(row) for _, row in others):
                unread = Problem(path=f"sheet {title}", problem="not read", remedy="Keep one sheet a file")
                yield problems_cut([unread])


def _out_of_order(disordered: Iterable[tuple[int, str]]) -> list[Problem]:
    return [Problem(path=f"row {number}", problem=problem) for number, problem in disordered]


def first_sheet(path: Path, bounds: Bounds) -> Iterator[list[str]]:
    """The rows of a workbook's first sheet, as wide as the first row or wider. Raises as `WorkbookReader` does, and
    DataError for a row that cannot be read."""
    with WorkbookReader(path, bounds) as book:
        width = 0
        for row in _plain_rows(next(book.sheets())[1]):
            width = width or len(row)
            yield row + [""] * (width - len(row)) if row else row


def form_table(rows: Iterator[CellRow]) -> tuple[list[str], Iterator[CellRow]]:
    """The names of the columns and the rows below them; the form's own template, filled downwards, is one row.

    Raises DataError if the names cannot be read, or a row of a template.
    """
    names = [name.strip() for name in _good_row(1, next(rows, []))]
    if {"key", "value"} <= set(names):
        key, value = names.index("key"), names.index("value")
        lines = (_good_row(number, row) for number, row in enumerate(rows, start=2))
        filled = [(row[key].strip(), row[value]) for row in lines if len(row) > max(key, value) and row[key].strip()]
        return [name for name, _ in filled], iter([[text for _, text in filled]])
    return names, rows


def template_xlsx(values: Mapping[str, str] | None = None) -> bytes:
    """A workbook of one line a key of the form, with choices to pick from, and `values` where there are some."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "form"
    sheet.append([name for name, _ in TEMPLATE_COLUMNS])
    for number, field in enumerate(form.FIELDS, start=2):
        line = (field.name, (values or {}).get(field.name, ""), field.label, _answers(field), field.help, field.stage)
        for column, text in enumerate(line, start=1):
            cell = sheet.cell(number, column, ILLEGAL_CHARACTERS_RE.sub("", text))
            # Whatever it starts with, it is text: a formula would run on the reader's machine.
            cell.data_type = "s" if text else "n"
            cell.alignment = Alignment(wrap_text=True, vertical="top")
        options = ("yes", "no") if field.kind == "yes_no" else field.choices if field.kind == "choice" else ()
        if options:
            picker = DataValidation(type="list", formula1=f'"{",".join(options)}"', allow_blank=True)
            sheet.add_data_validation(picker)
            picker.add(f"B{number}")
    for letter, (_, width) in zip("ABCDEF", TEMPLATE_COLUMNS, strict=True):
        sheet.column_dimensions[letter].width = width
        sheet[f"{letter}1"].font = Font(bold=True)
    sheet.freeze_panes = "C2"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _answers(field: Column) -> str:
    if field.choices:
        return " / ".join(field.choices)
    return "yes / no" if field.kind == "yes_no" else field.unit or field.kind


def template_csv(values: Mapping[str, str] | None = None) -> str:
    """A CSV with the keys of the form as its first row, and one row to fill."""
    return to_csv([dict(values or {})], list(form.BY_KEY))
