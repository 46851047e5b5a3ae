"""The rows of a block: each becomes a `Process` through `tenders.io.read`, or says what is wrong with it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import msgspec
import pyarrow as pa
from msgspec.structs import replace

from tenders.errors import DataError, Problem, UnreachableError
from tenders.io import arrow, documents, form, streams
from tenders.io.blocks import Block
from tenders.io.bounds import BOUNDS, Bounds
from tenders.io.fields import Remembered
from tenders.io.lines import lines
from tenders.io.ocds import decode_releases
from tenders.io.read import decode, process_of_form, process_of_record, process_of_releases, to_processes
from tenders.io.registers import Case
from tenders.io.tables import Cells
from tenders.process import Process
from tenders.tender import Tender

log = logging.getLogger(__name__)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One tender of the input, or what is wrong with it.

    `line` is the number of the line, row or record in the file from 1, in the block where its `first` is 0, and 0 for a
    file as a whole. `place` is the JSON path within the line or document, or the row of a table.
    """

    line: int
    place: str
    process: Process | None
    problems: tuple[Problem, ...] = ()


def rows(
    block: Block, bounds: Bounds = BOUNDS, whole: bool = True, only: Container[int] | None = None
) -> Iterator[Row]:
    """The rows of a block in the order of the input; blank lines and rows are none. With `only`, those of some lines.

    If they need not be `whole`, all those of JSON lines are read straight into their types. Whatever is wrong with a
    row, a mistake of ours included, becomes its problems. Raises UnreachableError if the file of a range is not there
    any more: the row that could say so would stand for thousands.
    """
    try:
        with reached(block):
            if block.kind in OF_FORMS:
                yield from _of_forms(block, only)
            elif block.kind in OF_LINES:
                yield from _of_lines(block, bounds, whole, only)
            else:
                found = _READERS[block.kind](block, bounds)
                yield from found if only is None else (row for row in found if row.line in only)
    except UnreachableError:
        raise
    except Exception as error:
        log.exception("%s, block %d", block.file, block.number)
        yield _unexpected(block.first, "", error)


def _of_lines(block: Block, bounds: Bounds, whole: bool, only: Container[int] | None) -> Iterator[Row]:
    if whole or only is not None:
        for number, line in lines(block, bounds):
            if only is None or number in only:
                yield from of_line(number, line, bounds)
        return
    given = lines(block, bounds)
    while some := list(islice(given, _AT_ONCE)):
        for (number, line), release in zip(some, decode_releases([line for _, line in some]), strict=True):
            if release is None:
                yield from of_line(number, line, bounds)
            else:
                yield released(number, release)


def released(line: int, release: Tender) -> Row:
    """The row of a sound release that stands alone in its line."""
    return Row(line=line, place="", process=Process.of_tender(release))


@contextmanager
def reached(block: Block) -> Iterator[None]:
    """Raises UnreachableError where the file of a block cannot be read any more."""
    try:
        yield
    except OSError as error:
        raise UnreachableError(
            f"{block.path or block.file}: {error.strerror or error}. Is it reachable here?"
        ) from None


def of_line(number: int, line: bytes, bounds: Bounds) -> Iterator[Row]:
    """The rows of one line, whatever stands in it."""
    if len(line.rstrip(b"\n")) > bounds.line:
        yield _refused(number, "", _too_long(bounds, "line"))
        return
    document = _decoded(line)
    if isinstance(document, dict) and "records" not in document and _is_one(document):
        yield _row(number, "", to_processes, document)
    elif line and not line.isspace():
        for piece in documents.pieces(line):
            yield _of_piece(number, piece, bounds)


def _is_one(document: dict[str, Any]) -> bool:
    return "releases" not in document or "compiledRelease" in document


def _decoded(line: bytes) -> Any:
    """The value of a line, None if it is none that can be read at once."""
    try:
        return msgspec.json.decode(line)
    except documents.BROKEN:
        return None


def _of_documents(block: Block, bounds: Bounds) -> Iterator[Row]:
    pieces = msgspec.msgpack.decode(block.data, type=list[documents.Piece])
    for number, piece in enumerate(pieces, start=block.first):
        yield _of_piece(number, piece, bounds)


def _of_piece(line: int, piece: documents.Piece, bounds: Bounds) -> Row:
    return _row(line, piece.places[0], _read, piece, bounds)


def _read(piece: documents.Piece, bounds: Bounds) -> list[Process]:
    if documents.size(piece) > bounds.line:
        raise _too_long(bounds, "process")
    values = [_placed(value, place) for value, place in zip(piece.values, piece.places, strict=True)]
    if piece.how == "releases":
        return [process_of_releases(values, piece.places)]
    if piece.how == "record":
        return [process_of_record(values[0], piece.places[0])]
    if isinstance(values[0], list) and values[0]:
        raise DataError.at(piece.places[0], "expected an object, got array")
    return to_processes(values[0], piece.places[0])


def _placed(value: bytes, place: str) -> Any:
    try:
        return decode(value)
    except DataError as error:
        # What is no JSON has no places within.
        raise DataError([replace(each, path=place) for each in error.problems]) from None


def _of_forms(block: Block, only: Container[int] | None) -> Iterator[Row]:
    if block.kind == "cells":
        cells = msgspec.msgpack.decode(block.data, type=Cells)
        chosen = [(n, row) for n, row in enumerate(cells.rows, start=block.first) if only is None or n in only]
        return _of_table([n for n, _ in chosen], cells.columns, cells.unread, [row for _, row in chosen])
    table, unread = arrow.table(block.data)
    numbers: Sequence[int] = range(block.first, block.first + table.num_rows)
    if only is not None:
        numbers = [number for number in numbers if number in only]
        table = table.take(pa.array([number - block.first for number in numbers], pa.int64()))
    return _of_table(numbers, table.column_names, unread, arrow.cells(table))


def _of_table(
    numbers: Iterable[int], columns: Sequence[str], unread: Sequence[str], table: Iterable[Sequence[Any] | str]
) -> Iterator[Row]:
    remembered = Remembered([form.BY_KEY[name] for name in columns])
    paths = [f"/{name}" for name in unread]
    for number, row in zip(numbers, table, strict=False):
        place = f"row {number}"
        if isinstance(row, str):
            yield _refused(number, place, DataError.at(place, row))
        elif row:
            yield _row(number, place, _filled, row, columns, paths, remembered, place)


def _filled(
    row: Sequence[Any], columns: Sequence[str], unread: Sequence[str], remembered: Remembered, place: str
) -> list[Process]:
    given = {name: cell for name, cell in zip(columns, row, strict=False) if cell is not None and cell != ""}
    try:
        return [process_of_form(given, unread, remembered(row) if given else None)]
    except DataError as error:
        raise DataError([_in_column(each, place) for each in error.problems]) from None


def _in_column(problem: Problem, place: str) -> Problem:
    column = problem.path.strip("/")
    return replace(problem, path=f"{place}, column {column}" if column else place)


def _of_cases(block: Block, bounds: Bounds) -> Iterator[Row]:
    for case in msgspec.msgpack.decode(block.data, type=list[Case]):
        place = f"row {case.row}" if case.row else ""
        if case.tender is None:
            yield Row(line=case.row, place=place, process=None, problems=tuple(case.problems))
        else:
            place = f"{place}, lot {case.lot}" if case.lot else place
            yield _row(case.row, place, _of_tender, case.tender, tuple(map(str, case.problems)))


def _of_tender(tender: Tender, warnings: tuple[str, ...]) -> list[Process]:
    process = Process(releases=(msgspec.to_builtins(tender),), where=("",), warnings=warnings)
    return [process.holding(tender)]


def _of_problems(block: Block, bounds: Bounds) -> Iterator[Row]:
    problems = msgspec.json.decode(block.data, type=tuple[Problem, ...])
    yield Row(line=block.first, place="", process=None, problems=problems)


def _row(line: int, place: str, make: Callable[..., list[Process]], *given: Any) -> Row:
    try:
        (process,) = make(*given)
        process.compiled()
    except DataError as error:
        return _refused(line, place, error)
    except Exception as error:
        log.exception("line %d, %s", line, place)
        return _unexpected(line, place, error)
    return Row(line=line, place=place, process=process)


def _refused(line: int, place: str, error: DataError) -> Row:
    return Row(line=line, place=place, process=None, problems=tuple(error.problems))


def _too_long(bounds: Bounds, what: str) -> DataError:
    return streams.too_large(f"more than {bounds.line / 2**20:.0f} MB in one {what}", "Split it")


def _unexpected(line: int, place: str, error: Exception) -> Row:
    problem = Problem(
        path=place, problem=f"an unexpected error, {type(error).__name__}", remedy="Tell who runs Tender Risk"
    )
    return Row(line=line, place=place, process=None, problems=(problem,))


_AT_ONCE = 32
OF_LINES = ("range", "lines")
"""The kinds of block that are JSON lines."""
OF_FORMS = ("arrow", "cells")
"""The kinds of block that are rows of a table, a form each."""
_READERS: dict[str, Callable[[Block, Bounds], Iterator[Row]]] = {
    "documents": _of_documents,
    "cases": _of_cases,
    "problems": _of_problems,
}
