"""Workbooks: forms to fill, drafts to keep, and tables of forms, written and read.

A workbook is a zip file of XML. What it says it unpacks to is added up before anything is unpacked, and zipfile gives
no more than that. Text that a spreadsheet would take for a formula is written as text.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.datavalidation import DataValidation

from tenders.columns import Column
from tenders.errors import DataError, Problem
from tenders.io import form
from tenders.io.detection import table_kind
from tenders.io.flattened import FlatTable
from tenders.io.streams import MIB, Bounds, Cut, problems_cut, too_large, unpacked
from tenders.io.tables import check_columns, cut_flattened, cut_rows
from tenders.io.text import to_csv, unescape_formula

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TEMPLATE_COLUMNS = (("key", 26), ("value", 44), ("what", 34), ("unit or choices", 34), ("help", 50), ("known from", 12))
"""The columns of a template and their widths in characters."""

MAX_FORM_BYTES = 4 * MIB
MAX_FORM_ROWS, MAX_FORM_COLUMNS = 10_000, 200
FORM_BOUNDS = Bounds(unpacked=32 * MIB, shared=32 * MIB, workbook_ratio=MIB, workbook_parts=200)
"""What is read of a workbook of one form or a few, which is held in memory."""
# The most that Excel writes. Without it a row that is numbered in billions would be waited for.
LAST_ROW = 2**20

_UNREADABLE = (
    InvalidFileException, zipfile.BadZipFile, LookupError, ValueError, TypeError, SyntaxError, AttributeError,
    zlib.error, EOFError, OSError,
)  # fmt: skip
"""What openpyxl raises for a file that is not a workbook, or a broken one."""


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
    # The workbook is open for as long as its sheets are held.
    sheets = read_sheets(io.BytesIO(content), FORM_BOUNDS, MAX_FORM_COLUMNS)
    names, below = form_table(islice(next(sheets)[1], MAX_FORM_ROWS + 2))
    rows = list(below)
    if len(rows) > MAX_FORM_ROWS:
        raise too_large(f"more than {MAX_FORM_ROWS:,} rows", "Split it")
    if names or not rows:
        form.known_columns(names)
    filled = [row for row in rows if any(row) or not names]
    return [{name: text for name, text in zip(names, row, strict=False) if name and text} for row in filled]


def flat_sheets(source: Path | io.BytesIO, bounds: Bounds) -> list[FlatTable]:
    """The sheets of a workbook that are tables of flattened releases; none if the first sheet holds forms.

    Raises as `read_sheets` does, and TooLargeError above `bounds.register_rows` rows.
    """
    tables: list[FlatTable] = []
    left = bounds.register_rows
    for number, (title, rows) in enumerate(read_sheets(source, bounds)):
        names = [name.strip() for name in next(rows, [])]
        kind = table_kind(names, form.BY_KEY.keys())
        if number == 0 and (kind == "forms" or {"key", "value"} <= set(names)):
            break
        if kind == "releases":
            held = list(islice(rows, left + 1))
            left -= len(held)
            if left < 0:
                raise too_large(f"more than {bounds.register_rows:,} rows", "Split it, or give JSON lines")
            tables.append(FlatTable(title, names, enumerate(held, start=2)))
    return tables


def cut_workbook(path: Path, bounds: Bounds) -> Iterator[Cut]:
    """The rows of the first sheet as `tables.FormRows`; that other sheets hold something is reported. Of flattened
    releases all sheets, joined.

    Raises DataError if it is not a workbook of forms, TooLargeError for what unpacks to more than is read.
    """
    with unpacked(path, bounds) as plain:
        if tables := flat_sheets(plain, bounds):
            yield from cut_flattened(tables, bounds)
            return
        sheets = read_sheets(plain, bounds)
        names, rows = form_table(next(sheets)[1])
        check_columns(names, bounds)
        yield from cut_rows(names, rows, bounds)
        for title, others in sheets:
            if any(any(row) for row in others):
                problem = Problem(path=f"sheet {title}", problem="not read", remedy="Keep one sheet a file")
                yield problems_cut([problem])


def read_sheets(
    source: Path | io.BytesIO, bounds: Bounds, max_columns: int | None = None
) -> Iterator[tuple[str, Iterator[list[str]]]]:
    """The title of each sheet and its rows as text, without the columns beyond `max_columns`.

    Raises DataError if it is not a workbook, TooLargeError for what unpacks to more than `bounds`; also from the rows.
    """
    _check_size(source, bounds)
    # Of a path openpyxl reads only what is called a workbook.
    file = source.open("rb") if isinstance(source, Path) else source
    try:
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
    except _UNREADABLE as error:
        file.close()
        raise _unreadable(error) from None
    try:
        if not book.worksheets:
            raise DataError.at("", "a workbook without a sheet")
        for sheet in book.worksheets:
            yield sheet.title, _sheet_rows(sheet, max_columns)
    finally:
        book.close()
        file.close()


def _check_size(source: Path | io.BytesIO, bounds: Bounds) -> None:
    """Refuses a zip bomb by what it says it unpacks to."""
    try:
        with zipfile.ZipFile(source) as packed:
            parts = packed.infolist()
    except (zipfile.BadZipFile, ValueError, OSError):
        raise DataError.at("", "not a workbook", "Save it as .xlsx") from None
    file = source.stat().st_size if isinstance(source, Path) else source.getbuffer().nbytes
    size = sum(part.file_size for part in parts)
    shared = sum(part.file_size for part in parts if "/worksheets/" not in part.filename)
    remedy = "Keep the form's sheet alone, or export it as CSV"
    if size > min(bounds.unpacked, bounds.workbook_ratio * file) or len(parts) > bounds.workbook_parts:
        times = f"{size // max(file, 1):,} times its size"
        raise too_large(f"it unpacks to {size / MIB:,.0f} MB in {len(parts):,} parts, {times}", remedy)
    if shared > bounds.shared:
        raise too_large(f"{shared / MIB:,.0f} MB beside its sheets", remedy)


def _sheet_rows(sheet: Any, max_columns: int | None) -> Iterator[list[str]]:
    sheet.reset_dimensions()
    try:
        for row in sheet.iter_rows(max_row=LAST_ROW, max_col=max_columns, values_only=True):
            yield [unescape_formula(cell_text(cell)) for cell in row]
    except _UNREADABLE as error:
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> DataError:
    if isinstance(error, DataError):
        return error
    return DataError.at("", f"not a workbook that can be read: {type(error).__name__}", "Save it as .xlsx")


def cell_text(cell: Any) -> str:
    """The value of a cell as one would type it into the form."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell.date().isoformat() if hasattr(cell, "date") else str(cell)


def form_table(rows: Iterator[list[str]]) -> tuple[list[str], Iterator[Sequence[str]]]:
    """The names of the columns and the rows below them; the form's own template, filled downwards, is one row."""
    names = [name.strip() for name in next(rows, [])]
    if {"key", "value"} <= set(names):
        key, value = names.index("key"), names.index("value")
        filled = [row for row in rows if len(row) > max(key, value) and row[key].strip()]
        return [row[key].strip() for row in filled], iter([[row[value] for row in filled]])
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
