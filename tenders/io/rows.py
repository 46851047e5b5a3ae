"""The rows of a block: each becomes a `Process`, by `tenders.io.read` or its register, or says what is wrong with it.

A register reads its whole file at once, because a row may replace another, share its outcome, or say what another
means. So whoever cuts such a file into blocks reads it (`cut_register`), and it is bounded by rows.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import replace

from tenders.errors import DataError, Problem, UnreachableError
from tenders.history import Register
from tenders.io import form
from tenders.io.detection import PACKAGE_KEYS
from tenders.io.form import RowReader
from tenders.io.json_documents import DocumentPiece, piece_size, split_document
from tenders.io.ocds import BROKEN_JSON, Releases, decode_releases
from tenders.io.plain_tables import as_csv
from tenders.io.read import decode, process_of_form, processes_of_record, processes_of_releases, to_processes
from tenders.io.streams import BOUNDS, MIB, Block, Bounds, Cut, block_lines, read_chunks, too_large, unpacked
from tenders.io.tables import FormRows, arrow_rows, read_arrow
from tenders.many import COUNTS, find_doubts
from tenders.process import Process
from tenders.registers import own
from tenders.settled import as_warnings, settle_many
from tenders.tender import Tender

log = logging.getLogger(__name__)

LINE_BLOCKS = ("range", "lines")
"""The kinds of block that are JSON lines."""
FORM_BLOCKS = ("arrow", "cells")
"""The kinds of block that are rows of a table, each a form."""
_LINES_AT_ONCE = 32
_PACKAGES = tuple(f'"{key}"'.encode() for key in PACKAGE_KEYS)
_ROW = re.compile(r"row (\d+)")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One tender of the input, or what is wrong with it.

    `line` is the number of the line, row or record in the file from 1, in the block where its `first` is 0, and 0 for a
    file as a whole. `place` is the JSON path within the line or document, or the row of a table.
    """

    line: int
    place: str
    process: Process | None
    problems: tuple[Problem, ...] = ()


def read_rows(
    block: Block, bounds: Bounds = BOUNDS, whole: bool = True, only: Container[int] | None = None
) -> Iterator[Row]:
    """The rows of a block in the order of the input, without blank lines and rows. With `only`, those of some lines.

    If they need not be `whole`, releases of JSON lines are decoded straight into their types, to be scored but not
    explained. Whatever is wrong with a row, a mistake of ours included, becomes its problems. Raises UnreachableError
    if the file of a range is gone: the row that could say so would stand for thousands.
    """
    try:
        with reachable(block):
            if block.kind in FORM_BLOCKS:
                yield from _form_rows(block, only)
            elif block.kind in LINE_BLOCKS:
                yield from _line_rows(block, bounds, whole, only)
            else:
                rows = _READERS[block.kind](block, bounds)
                yield from rows if only is None else (row for row in rows if row.line in only)
    except UnreachableError:
        raise
    except Exception as error:
        log.exception("%s, block %d", block.file, block.number)
        yield _unexpected(block.first, "", error)


@contextmanager
def reachable(block: Block) -> Iterator[None]:
    """Raises UnreachableError where the file of a block cannot be read any more."""
    try:
        yield
    except UnreachableError:
        raise
    except OSError as error:
        raise UnreachableError(
            f"{block.path or block.file}: {error.strerror or error}. Is it reachable here?"
        ) from None


# JSON lines and documents.


def _line_rows(block: Block, bounds: Bounds, whole: bool, only: Container[int] | None) -> Iterator[Row]:
    lines = block_lines(block, bounds)
    if whole or only is not None:
        for number, line in lines:
            if only is None or number in only:
                yield from rows_of_line(number, line, bounds)
        return
    while some := list(islice(lines, _LINES_AT_ONCE)):
        releases = decode_releases([line for _, line in some])
        warnings = settle_releases(releases).warnings
        for (number, line), release, notes in zip(some, releases.rows, warnings, strict=True):
            if release is None:
                yield from rows_of_line(number, line, bounds)
            else:
                yield row_of_release(number, release, notes)


class SettledRows(msgspec.Struct, frozen=True):
    """What has to be said of decoded releases by row, and which of them may have ended."""

    warnings: list[tuple[str, ...]]
    may_have_ended: frozenset[int]


def settle_releases(releases: Releases) -> SettledRows:
    """Makes decoded releases, in place, what they are read as (`tenders.settled`)."""
    rows = [row for row, release in enumerate(releases.rows) if release is not None]
    doubts = find_doubts(releases.chunk)
    notes = settle_many(releases.chunk.tenders, doubts)
    if doubts.to_settle:
        releases.chunk.forget()
    elif notes:
        for path in COUNTS:
            releases.chunk.forget_field(path)
    warnings: list[tuple[str, ...]] = [()] * len(releases.rows)
    for place, some in notes.items():
        warnings[rows[place]] = tuple(as_warnings(some))
    return SettledRows(warnings, frozenset(rows[place] for place in doubts.may_have_ended))


def row_of_release(line: int, release: Tender, warnings: tuple[str, ...] = ()) -> Row:
    """The row of a valid, settled release that stands alone in its line."""
    return Row(line=line, place="", process=Process.of_tender(release, warnings))


def rows_of_line(number: int, line: bytes, bounds: Bounds) -> Iterator[Row]:
    """The rows of one line, whatever is in it."""
    if len(line.rstrip(b"\n")) > bounds.line:
        yield _refused(number, "", _too_long(bounds, "line"))
        return
    # A package is read piece by piece, so it need not be decoded as a whole.
    document = None if any(key in line for key in _PACKAGES) else _decode_or_none(line)
    if isinstance(document, dict):
        yield _row(number, "", to_processes, document)
    elif line and not line.isspace():
        for piece in split_document(line):
            yield _row_of_piece(number, piece, bounds)


def _decode_or_none(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except BROKEN_JSON:
        return None


def _document_rows(block: Block, bounds: Bounds) -> Iterator[Row]:
    pieces = msgspec.msgpack.decode(block.data, type=list[DocumentPiece])
    for number, piece in enumerate(pieces, start=block.first):
        yield _row_of_piece(number, piece, bounds)


def _row_of_piece(line: int, piece: DocumentPiece, bounds: Bounds) -> Row:
    return _row(line, piece.places[0], _read_piece, piece, bounds)


def _read_piece(piece: DocumentPiece, bounds: Bounds) -> list[Process]:
    if piece_size(piece) > bounds.line:
        raise _too_long(bounds, "process")
    values = [_decode_at(value, place) for value, place in zip(piece.values, piece.places, strict=True)]
    if piece.kind == "releases":
        return processes_of_releases(values, piece.places)
    if piece.kind == "record":
        return processes_of_record(values[0], piece.places[0])
    if isinstance(values[0], list) and values[0]:
        raise DataError.at(piece.places[0], "expected an object, got array")
    return to_processes(values[0], piece.places[0])


def _decode_at(value: bytes, place: str) -> Any:
    if (document := _decode_or_none(value)) is not None:
        return document
    try:
        return decode(value)
    except DataError as error:
        # What is not JSON has no places within.
        raise DataError([replace(problem, path=place) for problem in error.problems]) from None


# Tables of forms.


def _form_rows(block: Block, only: Container[int] | None) -> Iterator[Row]:
    if block.kind == "cells":
        cells = msgspec.msgpack.decode(block.data, type=FormRows)
        chosen = [(n, row) for n, row in enumerate(cells.rows, start=block.first) if only is None or n in only]
        return _table_rows([n for n, _ in chosen], cells.columns, cells.unread, [row for _, row in chosen])
    table, unread = read_arrow(block.data)
    numbers: Sequence[int] = range(block.first, block.first + table.num_rows)
    if only is not None:
        numbers = [number for number in numbers if number in only]
        table = table.take(pa.array([number - block.first for number in numbers], pa.int64()))
    return _table_rows(numbers, table.column_names, unread, arrow_rows(table))


def _table_rows(
    numbers: Iterable[int], columns: Sequence[str], unread: Sequence[str], rows: Iterable[Sequence[Any] | str]
) -> Iterator[Row]:
    parse = RowReader([form.BY_KEY[name] for name in columns])
    paths = [f"/{name}" for name in unread]
    for number, row in zip(numbers, rows, strict=False):
        place = f"row {number}"
        if isinstance(row, str):
            yield _refused(number, place, DataError.at(place, row))
        elif row:
            yield _row(number, place, _read_form, row, columns, paths, parse, place)


def _read_form(
    row: Sequence[Any], columns: Sequence[str], unread: Sequence[str], parse: RowReader, place: str
) -> list[Process]:
    cells = {name: cell for name, cell in zip(columns, row, strict=False) if cell is not None and cell != ""}
    try:
        return [process_of_form(cells, unread, parse(row) if cells else None)]
    except DataError as error:
        raise DataError([_in_column(problem, place) for problem in error.problems]) from None


def _in_column(problem: Problem, place: str) -> Problem:
    column = problem.path.strip("/")
    return replace(problem, path=f"{place}, column {column}" if column else place)


# A register's own columns.


class RegisterCase(msgspec.Struct, frozen=True, array_like=True):
    """One row of a register's file, numbered from 1: its tender with remarks, or None and what is wrong with it."""

    row: int
    tender: Tender | None
    lot: str | None
    problems: list[Problem]


def has_register_columns(register: Register, suffix: str) -> bool:
    """Whether a file of this suffix has the register's own columns; every other file is OCDS or forms."""
    return suffix == ".toml" if register.name == own.NAME else suffix in (".parquet", ".csv", ".xlsx")


def cut_register(path: Path, register: Register, bounds: Bounds) -> Iterator[Cut]:
    """The cases of a register's file in the order of its rows, with the rows that could not be read among them.

    Raises as the register's reader does, and TooLargeError above `bounds.register_rows`.
    """
    with unpacked(path, bounds) as plain, as_csv(plain, bounds) as table:
        rows = _count_rows(table, bounds)
        if rows > bounds.register_rows:
            raise too_large(f"{rows:,} rows; at most {bounds.register_rows:,} are read", "Split it by year")
        read = register.read(table)
    problems: dict[int, list[Problem]] = {}
    for problem in read.problems:
        row = _ROW.match(problem.path)
        problems.setdefault(int(row[1]) if row else 0, []).append(problem)
    cases = [RegisterCase(case.row + 1, case.tender, case.lot, problems.pop(case.row + 1, [])) for case in read.cases]
    cases += [RegisterCase(number, None, None, wrong) for number, wrong in problems.items()]
    cases.sort(key=lambda case: case.row)
    for at in range(0, len(cases), bounds.documents):
        some = cases[at : at + bounds.documents]
        yield Cut(kind="cases", first=some[0].row, data=msgspec.msgpack.encode(some))


def _count_rows(path: Path, bounds: Bounds) -> int:
    """The rows of a Parquet file, or the lines of any other, which are no fewer than its rows."""
    if path.suffix.lower() != ".parquet":
        return sum(chunk.count(b"\n") for chunk in read_chunks(path, bounds))
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise DataError.at("", f"not Parquet, or damaged: {str(error).splitlines()[0][:200]}") from None


def _case_rows(block: Block, bounds: Bounds) -> Iterator[Row]:
    for case in msgspec.msgpack.decode(block.data, type=list[RegisterCase]):
        place = f"row {case.row}" if case.row else ""
        if case.tender is None:
            yield Row(line=case.row, place=place, process=None, problems=tuple(case.problems))
        else:
            place = f"{place}, lot {case.lot}" if case.lot else place
            yield _row(case.row, place, _read_case, case.tender, tuple(map(str, case.problems)))


def _read_case(tender: Tender, warnings: tuple[str, ...]) -> list[Process]:
    process = Process(releases=(msgspec.to_builtins(tender),), where=("",), warnings=warnings)
    return [process.with_compiled(tender)]


# Rows and their problems.


def _problem_rows(block: Block, bounds: Bounds) -> Iterator[Row]:
    problems = msgspec.json.decode(block.data, type=tuple[Problem, ...])
    yield Row(line=block.first, place="", process=None, problems=problems)


def _row(line: int, place: str, read: Callable[..., list[Process]], *arguments: Any) -> Row:
    try:
        process, *others = read(*arguments)
        if others:
            raise _several(place, 1 + len(others))
        process.compiled()
    except DataError as error:
        return _refused(line, place, error)
    except Exception as error:
        log.exception("line %d, %s", line, place)
        return _unexpected(line, place, error)
    return Row(line=line, place=place, process=process)


def _several(place: str, count: int) -> DataError:
    return DataError.at(
        place,
        f"{count} procurements of different buyers share the ocid",
        "Give each an ocid of its own, in its releases",
    )


def _refused(line: int, place: str, error: DataError) -> Row:
    return Row(line=line, place=place, process=None, problems=tuple(error.problems))


def _too_long(bounds: Bounds, what: str) -> DataError:
    return too_large(f"more than {bounds.line / MIB:.0f} MB in one {what}", "Split it")


def _unexpected(line: int, place: str, error: Exception) -> Row:
    problem = Problem(
        path=place, problem=f"an unexpected error, {type(error).__name__}", remedy="Tell who runs Tender Risk"
    )
    return Row(line=line, place=place, process=None, problems=(problem,))


_READERS: dict[str, Callable[[Block, Bounds], Iterator[Row]]] = {
    "documents": _document_rows,
    "cases": _case_rows,
    "problems": _problem_rows,
}
