"""The XML of a workbook's parts: what is kept of each, piece by piece, and what is refused (ISO/IEC 29500-1).

Parsers hold names, open elements and attributes as long as they come; here they are bounded.
"""

from __future__ import annotations

import posixpath
import sys
import zipfile
from collections.abc import Iterator
from typing import Any, TypeAlias
from xml.parsers import expat

from openpyxl.styles.numbers import builtin_format_code, is_date_format, is_timedelta_format
from openpyxl.utils.datetime import from_excel, from_ISO8601

from tenders.errors import DataError
from tenders.io.streams import MIB, Bounds, too_large
from tenders.io.text import unescape_formula

LAST_COLUMN, LAST_COLUMN_NAME = 2**14, "XFD"
"""The last of a sheet: neither Excel nor LibreOffice goes beyond it."""
PIECE = 2**16
"""Bytes of XML that are parsed at a time."""
MAX_TOKEN, MAX_DEPTH, MAX_NAMES = 2**20, 64, 10_000
"""Bytes of one tag or comment, elements within one another, and different names of elements and attributes in one part.
The parser holds all of these; of a real workbook they are a thousandth, ten and a few hundred."""
MAX_FORMATS = 2**16
"""Formats of cells, of which Excel has 65,490."""
MAX_NAME, MAX_FORMAT_CODE = 1_000, 255
"""Characters of a name in the workbook, and of a format, that are looked at."""
MAX_DIGITS = 400
"""Of a number: the largest that there is has 309."""
EMPTY: list[str] = []

CellRow: TypeAlias = "list[str] | str"
"""The texts of a row up to its last one; or a text that says what is wrong with the row."""


def parse_part(packed: zipfile.ZipFile, part: str, handler: PartHandler) -> Iterator[None]:
    """Parses a part piece by piece, and stops after each. Raises DataError for what no workbook has."""
    info = packed.getinfo(part)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError.at("", "a workbook that is packed in another way than workbooks are", "Save it as .xlsx")
    names: dict[str, str] = {}
    parser = expat.ParserCreate(intern=names)
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = handler.start, handler.end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = handler.text, _refuse_doctype
    read = 0
    with packed.open(info) as file:
        while piece := file.read(PIECE):
            parser.Parse(piece, False)
            read += len(piece)
            if read - parser.CurrentByteIndex > MAX_TOKEN or len(names) > MAX_NAMES:
                raise DataError.at("", f"{part[:80]} is no XML of a workbook", "Save it as .xlsx")
            yield
    parser.Parse(b"", True)
    yield


def _refuse_doctype(*_: object) -> None:
    raise DataError.at("", "not a workbook that can be read: it declares a document type", "Save it as .xlsx")


class PartHandler:
    """What is called for each element of a part. `depth` is 1 within the root."""

    def __init__(self) -> None:
        self.depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins. Raises DataError above MAX_DEPTH."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise DataError.at("", f"more than {MAX_DEPTH} elements within one another", "Save it as .xlsx")
        # Some programs write a prefix before every name.
        self.begin(name.rpartition(":")[2] if ":" in name else name, attributes)

    def end(self, name: str) -> None:
        """An element ends."""
        self.finish(name.rpartition(":")[2] if ":" in name else name)
        self.depth -= 1

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins, at `depth`."""

    def finish(self, name: str) -> None:
        """An element ends, at `depth`."""

    def text(self, data: str) -> None:
        """Text comes, in pieces."""


class Relations(PartHandler):
    """The relations of a part: kind and target by identifier."""

    def __init__(self, folder: str, bounds: Bounds) -> None:
        super().__init__()
        self.targets: dict[str, tuple[str, str]] = {}
        self._folder, self._most = folder, bounds.workbook_parts

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Keeps a relation."""
        if name != "Relationship" or attributes.get("TargetMode") == "External":
            return
        if len(self.targets) >= self._most:
            raise too_large(f"more than {self._most:,} parts in it", "Keep the form's sheet alone")
        target = attributes.get("Target", "")[:MAX_NAME]
        place = target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join(self._folder, target))
        self.targets[attributes.get("Id", "")[:MAX_NAME]] = (
            attributes.get("Type", "")[:MAX_NAME].rpartition("/")[2],
            place,
        )


class Contents(PartHandler):
    """The sheets of a workbook: their titles and identifiers, and whether days are counted from 1904."""

    def __init__(self, bounds: Bounds) -> None:
        super().__init__()
        self.sheets: list[tuple[str, str]] = []
        self.is_mac = False
        self._most = bounds.workbook_parts

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Keeps a sheet, or how days are counted."""
        if name == "workbookPr":
            self.is_mac = attributes.get("date1904", "").lower() in ("1", "true")
        elif name == "sheet" and self.depth == 3:
            if len(self.sheets) >= self._most:
                raise too_large(f"more than {self._most:,} sheets", "Keep the form's sheet alone")
            relation = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            self.sheets.append((attributes.get("name", "")[:MAX_NAME], relation[:MAX_NAME]))


class Formats(PartHandler):
    """The formats of cells that make days, times or spans of time of numbers, by their places."""

    def __init__(self) -> None:
        super().__init__()
        self.days: set[int] = set()
        self.spans: set[int] = set()
        self._codes: dict[int, str] = {}
        self._count = 0
        self._in_cells = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Keeps what a format makes of numbers."""
        if self.depth == 2:
            self._in_cells = name == "cellXfs"
        elif self.depth == 3 and name == "numFmt" and len(self._codes) < MAX_FORMATS:
            self._codes[_number(attributes.get("numFmtId"))] = attributes.get("formatCode", "")[:MAX_FORMAT_CODE]
        elif self.depth == 3 and name == "xf" and self._in_cells and self._count < MAX_FORMATS:
            number = _number(attributes.get("numFmtId"))
            code = self._codes.get(number) or builtin_format_code(number)
            self.days |= {self._count} if is_date_format(code) else set()
            self.spans |= {self._count} if is_timedelta_format(code) else set()
            self._count += 1


class SharedTexts(PartHandler):
    """The texts that cells share, held in memory."""

    def __init__(self, bounds: Bounds) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._bounds, self._left = bounds, bounds.shared
        self._pieces: list[str] = []
        self._size = 0
        self._in_run = self._collects = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002 - handlers share their arguments
        """Begins to collect a text; what says how it is pronounced is none of it."""
        if self.depth == 3:
            self._in_run, self._collects = name == "r", name == "t"
        elif self.depth == 4:
            self._collects = self._in_run and name == "t"

    def text(self, data: str) -> None:
        """Collects a text. Raises TooLargeError above `bounds.line`."""
        if self._collects:
            self._size += len(data)
            if self._size > self._bounds.line:
                raise too_large(f"a text of more than {self._bounds.line // MIB:,} MB", "Export it as CSV")
            self._pieces.append(data)

    def finish(self, name: str) -> None:
        """Keeps a text. Raises TooLargeError if all take more than `bounds.shared`."""
        self._collects = False
        if self.depth == 2 and name == "si":
            text = unescape_formula("".join(self._pieces).replace("x005F_", ""))
            self._pieces.clear()
            self._size = 0
            self._left -= sys.getsizeof(text) + 8
            if self._left < 0:
                most = f"{self._bounds.shared // MIB:,} MB of memory"
                raise too_large(f"its first {len(self.texts):,} shared texts take {most}", "Export it as CSV")
            self.texts.append(text)


class SheetRows(PartHandler):
    """The rows of a sheet as they come, until they are taken."""

    def __init__(self, bounds: Bounds, texts: list[str], days: set[int], spans: set[int], epoch: Any) -> None:
        super().__init__()
        self.characters = 0
        self._bounds, self._texts, self._days, self._spans, self._epoch = bounds, texts, days, spans, epoch
        self._ready: list[tuple[int, CellRow]] = []
        self._columns: dict[str, int] = {}
        self._number = 0
        self._cells: dict[int, str] = {}
        self._wrong, self._size = "", 0
        self._in_data = self._in_row = self._in_cell = self._in_text = self._in_run = self._collects = False
        self._column, self._kind, self._format, self._address = 0, "n", 0, ""
        self._pieces: list[str] = []

    def taken(self) -> list[tuple[int, CellRow]]:
        """The rows that are complete, with their numbers; they are forgotten."""
        ready, self._ready = self._ready, []
        return ready

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Begins a row, a cell or a text, by its depth: a sheet has each at one alone."""
        depth = self.depth
        if depth == 4:
            if self._in_row and name == "c":
                self._begin_cell(attributes)
        elif depth == 5:
            if self._in_cell:
                self._collects = name == "v" and self._kind != "inlineStr"
                self._in_text = name == "is" and self._kind == "inlineStr"
        elif depth == 3:
            if self._in_data and name == "row":
                self._begin_row(attributes.get("r"))
        else:
            self._begin_other(name, depth)

    def _begin_other(self, name: str, depth: int) -> None:
        if depth == 6 and self._in_text:
            self._collects, self._in_run = name == "t", name == "r"
        elif depth == 7:
            self._collects = self._in_text and self._in_run and name == "t"
        elif depth == 2:
            self._in_data = name == "sheetData"

    def text(self, data: str) -> None:
        """Collects the value of a cell, up to `bounds.line` in a row."""
        if self._collects and not self._wrong:
            self._size += len(data)
            self._pieces.append(data)
            self._check_row_size()

    def finish(self, name: str) -> None:  # noqa: ARG002 - as above
        """Keeps a cell or a row."""
        depth = self.depth
        if depth >= 5:
            self._collects = False
            if depth == 5:
                self._in_text = self._in_run = False
            elif depth == 6:
                self._in_run = False
        elif depth == 4 and self._in_cell:
            self._in_cell = False
            if self._pieces:
                self._keep("".join(self._pieces))
                self._pieces.clear()
        elif depth == 3 and self._in_row:
            self._in_row = False
            self._end_row()

    def _begin_row(self, stated: str | None) -> None:
        self._in_row, self._wrong, self._size, self._column = True, "", 0, 0
        self._number += 1
        if stated is not None:
            self._number = _number(stated)

    def _end_row(self) -> None:
        row: CellRow = EMPTY
        if self._wrong:
            row = self._wrong
        elif self._cells:
            row = [""] * max(self._cells)
            for column, text in self._cells.items():
                row[column - 1] = text
        self._cells.clear()
        self.characters += self._size
        self._ready.append((self._number, row))

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        self._in_cell = True
        self._kind, self._format = attributes.get("t", "n"), _number(attributes.get("s", "0"))
        address = attributes.get("r")
        self._address = (address or "")[:MAX_NAME]
        if address is None:
            self._column += 1
        else:
            self._column = self._place(self._address)
        if self._column > LAST_COLUMN:
            self._refuse(f"is beyond the last column, {LAST_COLUMN_NAME}")

    def _place(self, address: str) -> int:
        letters = address.rstrip("0123456789")
        if address[len(letters) :] != str(self._number) and _number(address[len(letters) :]) != self._number:
            self._refuse(f"stands in row {self._number:,}")
        if (column := self._columns.get(letters)) is None:
            column = _column_number(letters)
            if 0 < column <= LAST_COLUMN:
                self._columns[letters] = column
        if not column:
            self._refuse("has no address of a cell")
        return column

    def _refuse(self, why: str) -> None:
        self._wrong = self._wrong or f"the cell {self._address[:20] or self._column} {why}"

    def _keep(self, data: str) -> None:
        if self._wrong:
            return
        if self._column in self._cells:
            self._refuse("comes twice")
            return
        try:
            text = self._value(data)
        except (ValueError, LookupError, OverflowError, TypeError):
            self._refuse(f"holds {data[:40]!r}, which is no value of its kind")
            return
        if text:
            self._cells[self._column] = text

    def _value(self, data: str) -> str:
        """The value of a cell as one would type it. Raises ValueError, LookupError, OverflowError and TypeError."""
        if self._kind == "s":
            place = _number(data)
            if place < 0:
                raise ValueError(data)
            text = self._texts[place]
            # Its text is not in the sheet: the value counted its number.
            self._size += len(text)
            self._check_row_size()
            return text
        if self._kind == "n":
            return self._number_text(data)
        if self._kind == "b":
            return "yes" if int(data) else "no"
        if self._kind == "d":
            return _day_text(from_ISO8601(data))  # type: ignore[no-untyped-call]
        return unescape_formula(data)

    def _number_text(self, data: str) -> str:
        if len(data) > MAX_DIGITS:
            raise ValueError(data)
        is_whole = "." not in data and "E" not in data and "e" not in data
        value: float = int(data) if is_whole else float(data)
        if self._format in self._days:
            try:
                return _day_text(from_excel(value, self._epoch, timedelta=self._format in self._spans))
            except (OverflowError, ValueError):
                return "#VALUE!"
        return str(int(value)) if is_whole or value.is_integer() else str(value)

    def _check_row_size(self) -> None:
        if self._size > self._bounds.line:
            self._wrong = self._wrong or f"more than {self._bounds.line // MIB:,} MB"
            self._pieces.clear()


def _day_text(value: Any) -> str:
    return str(value.date().isoformat() if hasattr(value, "date") else value)


def _number(text: str | None) -> int:
    """A whole number from 0, or -1 for a text that is none."""
    if text is None or not text.isascii() or len(text) > MAX_DIGITS:
        return -1
    if text.isdecimal():
        return int(text)
    try:
        value = float(text)
    except ValueError:
        return -1
    return int(value) if value.is_integer() and value >= 0 else -1


def _column_number(letters: str) -> int:
    """The number of a column from 1; 0 for a name that is none."""
    if not 0 < len(letters) <= MAX_NAME or not letters.isascii() or not letters.isalpha():
        return 0
    number = 0
    for letter in letters.upper()[:4]:
        number = number * 26 + ord(letter) - 64
    return number
