"""Workbooks of forms, one a row: the first sheet of an .xlsx file, read as a stream within bounds.

What a workbook says that it unpacks to is added up before anything is unpacked, and zipfile gives no more than that.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from tenders.errors import DataError, Problem
from tenders.io import spreadsheets, streams, tables
from tenders.io.bounds import Bounds
from tenders.io.cuts import Cut, wrong

UNREADABLE = (*spreadsheets.UNREADABLE, zlib.error, EOFError, OSError)
# The most that Excel writes; without it a row numbered in billions would be waited for.
LAST_ROW = 2**20


def workbook(path: Path, bounds: Bounds) -> Iterator[Cut]:
    """The rows of the first sheet as `tables.Cells`; that other sheets hold something is reported.

    Raises DataError if it is no workbook of forms, TooLargeError for what unpacks to more than is read.
    """
    with streams.unpacked(path, bounds) as plain:
        sheets = read(plain, bounds)
        yield from tables.cut(*table(next(sheets)[1], bounds), bounds)
        for name, rows in sheets:
            if any(any(row) for row in rows):
                yield wrong([Problem(path=f"sheet {name}", problem="not read", remedy="Keep one sheet a file")])


def read(path: Path, bounds: Bounds) -> Iterator[tuple[str, Iterator[list[str]]]]:
    """The name and the rows of each sheet, as text. Raises as `workbook` does, also from the rows."""
    _check(path, bounds)
    try:
        book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except UNREADABLE as error:
        raise _unreadable(error) from None
    try:
        if not book.worksheets:
            raise DataError.at("", "a workbook without a sheet")
        for sheet in book.worksheets:
            yield sheet.title, _rows(sheet)
    finally:
        book.close()


def table(rows: Iterator[list[str]], bounds: Bounds) -> tuple[list[str], Iterator[Sequence[str]]]:
    """The column names and the rows below them; the form's own template, which is filled downwards, is one row."""
    names = [name.strip() for name in next(rows, [])]
    if {"key", "value"} <= set(names):
        key, value = names.index("key"), names.index("value")
        given = [row for row in rows if len(row) > max(key, value) and row[key].strip()]
        names, rows = [row[key].strip() for row in given], iter([[row[value] for row in given]])
    tables.known(names, bounds)
    return names, rows


def _rows(sheet: Any) -> Iterator[list[str]]:
    sheet.reset_dimensions()
    try:
        for row in sheet.iter_rows(max_row=LAST_ROW, values_only=True):
            yield [spreadsheets.meant(spreadsheets.cell_text(cell)) for cell in row]
    except UNREADABLE as error:
        raise _unreadable(error) from None


def _check(path: Path, bounds: Bounds) -> None:
    try:
        with zipfile.ZipFile(path) as packed:
            parts = packed.infolist()
    except (zipfile.BadZipFile, ValueError, OSError):
        raise DataError.at("", "not a workbook", "Save it as .xlsx") from None
    size, file = sum(part.file_size for part in parts), path.stat().st_size
    shared = sum(part.file_size for part in parts if "/worksheets/" not in part.filename)
    if size > min(bounds.unpacked, bounds.workbook_ratio * file):
        problem = f"it unpacks to {size / 2**20:,.0f} MB, {size // max(file, 1):,} times its size"
        raise streams.too_large(problem, "Export the sheet as CSV")
    if shared > bounds.shared:
        raise streams.too_large(f"{shared / 2**20:,.0f} MB beside its sheets", "Export the sheet as CSV")


def _unreadable(error: Exception) -> DataError:
    if isinstance(error, DataError):
        return error
    return DataError.at("", f"not a workbook that can be read: {type(error).__name__}", "Save it as .xlsx")
