"""The form as a spreadsheet: templates to fill, drafts to keep, and both read again, bounded packed and unpacked.

A workbook is a zip file of XML: what it says it unpacks to is added up before anything is unpacked, and zipfile gives
no more than that. Text that a spreadsheet would take for a formula is written as text.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.datavalidation import DataValidation

from tenders.errors import DataError, Problem, TooLargeError
from tenders.io import form
from tenders.io.fields import Field

MAX_PACKED, MAX_UNPACKED, MAX_PARTS = 4 * 2**20, 32 * 2**20, 200
MAX_ROWS, MAX_COLUMNS = 10_000, 200
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""
UNREADABLE = (InvalidFileException, zipfile.BadZipFile, LookupError, ValueError, TypeError, SyntaxError, AttributeError)
"""What openpyxl raises for files that are no workbook, or a broken one."""
COLUMNS = (("key", 26), ("value", 44), ("what", 34), ("unit or choices", 34), ("help", 50), ("known from", 12))
KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def rows(content: bytes) -> list[dict[str, Any]]:
    """The forms in a workbook's first sheet: one by `key` and `value` down the sheet, or one a row under its keys.

    Raises DataError, and TooLargeError for what would unpack to more than MAX_UNPACKED.
    """
    _check(content)
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        found = [
            [cell_text(cell) for cell in row]
            for row in sheet.iter_rows(max_row=MAX_ROWS + 2, max_col=MAX_COLUMNS, values_only=True)
        ]
    except UNREADABLE as error:
        raise DataError.at("", f"not a workbook that can be read: {type(error).__name__}", "Save it as .xlsx") from None
    if len(found) > MAX_ROWS + 1:
        raise TooLargeError(Problem(path="", problem=f"more than {MAX_ROWS:,} rows", remedy="Split it"))
    return _forms([row for row in found if any(row)])


def template_xlsx(values: Mapping[str, str] | None = None) -> bytes:
    """A workbook with one line a key, choices to pick from, and `values` where there are some."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "form"
    sheet.append([name for name, _ in COLUMNS])
    for number, field in enumerate(form.FIELDS, start=2):
        line = (field.key, (values or {}).get(field.key, ""), field.label, _answers(field), field.help, field.stage)
        for column, text in enumerate(line, start=1):
            cell = sheet.cell(number, column, ILLEGAL_CHARACTERS_RE.sub("", text))
            # Whatever it begins with, it is text: a formula would run on the reader's machine.
            cell.data_type = "s" if text else "n"
            cell.alignment = Alignment(wrap_text=True, vertical="top")
        options = ("yes", "no") if field.kind == "yes_no" else field.choices if field.kind == "choice" else ()
        if options:
            picked = DataValidation(type="list", formula1=f'"{",".join(options)}"', allow_blank=True)
            sheet.add_data_validation(picked)
            picked.add(f"B{number}")
    for letter, (_, width) in zip("ABCDEF", COLUMNS, strict=True):
        sheet.column_dimensions[letter].width = width
        sheet[f"{letter}1"].font = Font(bold=True)
    sheet.freeze_panes = "C2"
    return _saved(book)


def template_csv(values: Mapping[str, str] | None = None) -> str:
    """A CSV with the keys of the form as its first row, and one row to fill."""
    return written([dict(values or {})], list(form.BY_KEY))


def written(lines: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as CSV, formulas neutralised."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows({name: neutral(each.get(name, "")) for name in columns} for each in lines)
    return out.getvalue()


def neutral(value: Any) -> Any:
    """Text that a spreadsheet would run, with a mark before it that makes it text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def meant(text: str) -> str:
    """What `neutral` was given."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def _check(content: bytes) -> None:
    problem = ""
    if len(content) > MAX_PACKED:
        problem = f"{len(content) / 2**20:.0f} MB; at most {MAX_PACKED // 2**20} MB of a workbook are read"
    else:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                parts = packed.infolist()
        except (zipfile.BadZipFile, ValueError, OSError):
            raise DataError.at("", "not a workbook", "Save it as .xlsx") from None
        size = sum(part.file_size for part in parts)
        if len(parts) > MAX_PARTS or size > MAX_UNPACKED:
            problem = f"it unpacks to {size / 2**20:.0f} MB in {len(parts)} parts; {MAX_UNPACKED // 2**20} MB are read"
    if problem:
        raise TooLargeError(Problem(path="", problem=problem, remedy="Keep the form's sheet alone"))


def _forms(found: list[list[str]]) -> list[dict[str, Any]]:
    names = [name.strip() for name in found[0]] if found else []
    if {"key", "value"} <= set(names):
        key, value = names.index("key"), names.index("value")
        one = {row[key].strip(): meant(row[value]) for row in found[1:] if len(row) > max(key, value) and row[key]}
        return [{name: text for name, text in one.items() if text}]
    if not set(names) & set(form.BY_KEY):
        raise DataError.at("row 1", "no column is a key of the form", "Use the template")
    return [{name: meant(text) for name, text in zip(names, row, strict=False) if name and text} for row in found[1:]]


def cell_text(cell: Any) -> str:
    """What a cell of a workbook says, as one would type it into the form."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell.date().isoformat() if hasattr(cell, "date") else str(cell)


def _answers(field: Field) -> str:
    if field.choices:
        return " / ".join(field.choices)
    return "yes / no" if field.kind == "yes_no" else field.unit or field.kind


def _saved(book: Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
