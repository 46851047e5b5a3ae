"""The sheets of a workbook (.xlsx), read as a stream within bounds (ISO/IEC 29500-1, SpreadsheetML).

A workbook is a zip file of XML. Of the XML nothing is held but the texts that its sheets share and the row that is
being read, whatever is written there, and those are counted. A row that no spreadsheet program could have written costs
itself and says why; none is left out silently.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from xml.parsers import expat

from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH

from tenders.errors import DataError
from tenders.io.streams import MIB, Bounds, open_zip, too_large, unpacks_to_more
from tenders.io.workbook_parts import (
    EMPTY,
    CellRow,
    Contents,
    Formats,
    PartHandler,
    Relations,
    SharedTexts,
    SheetRows,
    parse_part,
)

LAST_ROW = 2**20
"""The last of a sheet: neither Excel nor LibreOffice goes beyond it."""
MAX_DISORDER = 1_000
"""Rows out of order that are named; with one more the file is refused."""
UNREADABLE = (
    expat.ExpatError, zipfile.BadZipFile, LookupError, ValueError, TypeError, AttributeError, zlib.error, EOFError,
    OSError, NotImplementedError, RuntimeError,
)  # fmt: skip
"""What is raised for a file that is no workbook, or a broken one."""


class WorkbookReader:
    """An open workbook: the titles of its worksheets in order, hidden ones too, and their rows.

    Raises DataError for what is no workbook, TooLargeError above `bounds`; so do the rows.
    """

    def __init__(self, source: Path | BytesIO, bounds: Bounds) -> None:
        self.bounds = bounds
        size = source.stat().st_size if isinstance(source, Path) else source.getbuffer().nbytes
        self._left = self._most = max(bounds.unpacked, bounds.ratio * size)
        try:
            self._zip = open_zip(source)
        except DataError:
            raise
        except (zipfile.BadZipFile, ValueError, OSError):
            raise DataError.at("", "not a workbook", "Save it as .xlsx") from None
        try:
            self._check_size(size)
            self._open()
        except BaseException as error:
            self.close()
            if isinstance(error, UNREADABLE):
                raise _unreadable(error) from None
            raise

    def __enter__(self) -> WorkbookReader:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._zip.close()

    def sheets(self) -> Iterator[tuple[str, Iterator[tuple[int, CellRow]]]]:
        """The title of each sheet and its rows by their numbers, from 1, with empty ones where rows are left out.

        A row that stands out of order comes where it stands, with its own number.
        """
        for title, part in self._sheets:
            yield title, self._rows(part)

    def _check_size(self, file: int) -> None:
        """Refuses a zip bomb by what it says it unpacks to; zipfile gives no more than that."""
        parts, bounds = self._zip.infolist(), self.bounds
        size = sum(part.file_size for part in parts)
        beside = sum(part.file_size for part in parts if "/worksheets/" not in part.filename)
        remedy = "Keep the form's sheet alone, or export it as CSV"
        if size > min(bounds.unpacked, bounds.workbook_ratio * file) or len(parts) > bounds.workbook_parts:
            times = f"{size // max(file, 1):,} times its size"
            raise too_large(f"it unpacks to {size / MIB:,.0f} MB in {len(parts):,} parts, {times}", remedy)
        if beside > bounds.shared:
            raise too_large(f"{beside / MIB:,.0f} MB beside its sheets", remedy)

    def _open(self) -> None:
        start = [target for kind, target in self._relations("").values() if kind == "officeDocument"]
        book = start[0] if start else "xl/workbook.xml"
        relations = self._relations(book)
        content = Contents(self.bounds)
        self._parse(book, content)
        self._epoch = MAC_EPOCH if content.is_mac else WINDOWS_EPOCH
        self._sheets = [
            (title, relations[relation][1])
            for title, relation in content.sheets
            if relations.get(relation, ("worksheet", ""))[0] == "worksheet"
        ]
        if not self._sheets:
            raise DataError.at("", "a workbook without a sheet")
        parts = dict(relations.values())
        formats, texts = Formats(), SharedTexts(self.bounds)
        # Most programs name them so even where they do not say it.
        for kind, part, handler in (("styles", "styles.xml", formats), ("sharedStrings", "sharedStrings.xml", texts)):
            name = parts.get(kind, posixpath.join(posixpath.dirname(book), part))
            if name in self._zip.NameToInfo:
                self._parse(name, handler)
        self._texts, self._days, self._spans = texts.texts, formats.days, formats.spans

    def _relations(self, part: str) -> Mapping[str, tuple[str, str]]:
        """What a part of the workbook relates to: the kind and the name of a part, by identifier."""
        folder, name = posixpath.split(part)
        relations = Relations(folder, self.bounds)
        place = posixpath.join(folder, "_rels", f"{name}.rels")
        if place in self._zip.NameToInfo:
            self._parse(place, relations)
        return relations.targets

    def _parse(self, part: str, handler: PartHandler) -> None:
        for _ in parse_part(self._zip, part, handler):
            pass

    def _rows(self, part: str) -> Iterator[tuple[int, CellRow]]:
        handler = SheetRows(self.bounds, self._texts, self._days, self._spans, self._epoch)
        last, disordered = 0, 0
        try:
            for _ in parse_part(self._zip, part, handler):
                for number, row in handler.taken():
                    if not last < number <= LAST_ROW:
                        disordered += 1
                        if disordered > MAX_DISORDER:
                            raise DataError.at("", f"more than {MAX_DISORDER:,} rows out of order", "Save it as .xlsx")
                        yield number, _disorder(number, last)
                        continue
                    for gap in range(last + 1, number):
                        yield gap, EMPTY
                    last = number
                    yield number, row
                self._left -= handler.characters
                handler.characters = 0
                if self._left < 0:
                    raise unpacks_to_more(self._most)
        except UNREADABLE as error:
            raise _unreadable(error) from None


def _disorder(number: int, last: int) -> str:
    if not 0 < number <= LAST_ROW:
        return f"it is numbered {number:,}, and a sheet has rows 1 to {LAST_ROW:,}"
    return f"it stands below row {last:,}: its rows are out of order, or there are two of this number"


def _unreadable(error: Exception) -> DataError:
    if isinstance(error, DataError):
        return error
    return DataError.at("", f"not a workbook that can be read: {type(error).__name__}", "Save it as .xlsx")


def numbered_from_one(rows: Iterable[tuple[int, CellRow]], disordered: list[tuple[int, str]]) -> Iterator[CellRow]:
    """The rows in order, each where its number says; those that are out of order go to `disordered`."""
    last = 0
    for number, row in rows:
        if last < number <= LAST_ROW:
            last = number
            yield row
        else:
            disordered.append((number, str(row)))
