"""A portfolio's files cut into blocks: what one worker scores at once, the same whatever the number of workers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from tenders.errors import DataError, TenderRiskError, UnreachableError
from tenders.history import Source
from tenders.io import documents, registers, streams, tables, workbooks
from tenders.io.bounds import BOUNDS, Bounds
from tenders.io.cuts import Cut, gathered, refused
from tenders.io.files import ENDINGS, LINES, InputFile, ending, found, inputs
from tenders.registers import source as source_of

__all__ = ["Block", "InputFile", "blocks", "inputs"]

log = logging.getLogger(__name__)


class Block(Cut, frozen=True, kw_only=True):
    """A piece of the input: see `Cut`. `number` counts from 0 in the order of the input; `file` is relative to it."""

    number: int
    file: str


def blocks(
    source: Path, register: str | None = None, skip: Container[int] = (), bounds: Bounds = BOUNDS
) -> Iterator[Block]:
    """The blocks of a file, or of every file below a folder in order of its relative path.

    With a `register`, tables have that register's own columns. Blocks whose numbers are in `skip` come without their
    data, numbered as ever. What cannot be read of a folder, or not to its end, is a block of problems. Raises
    UnreachableError, DataError or TooLargeError where the input is one file of which nothing is read; UsageError for a
    register that there is not.
    """
    columns = source_of(register) if register else None
    number = 0
    for file, path in found(source):
        for cut in _cuts(path, columns, bounds, alone=path == source):
            data = b"" if number in skip else cut.data
            yield Block(number=number, file=file, **(msgspec.structs.asdict(cut) | {"data": data}))
            number += 1


def _cuts(path: Path, register: Source | None, bounds: Bounds, alone: bool) -> Iterator[Cut]:
    any_yet = False
    try:
        for cut in _reader(path, register)(path, bounds):
            yield cut
            any_yet = True
    except (DataError, OSError) as error:
        if alone and not any_yet:
            raise _named(error, path) from error
        yield refused(error if isinstance(error, DataError) else DataError.at("", str(error)))
    except Exception as error:
        log.exception("%s", path)
        yield refused(DataError.at("", f"an unexpected error, {type(error).__name__}", "Tell who runs Tender Risk"))


def _named(error: DataError | OSError, path: Path) -> TenderRiskError:
    """The error of a file that is read alone: no column `file` says which it was."""
    if isinstance(error, DataError):
        return type(error)([msgspec.structs.replace(each, path=each.path or path.name) for each in error.problems])
    return error if isinstance(error, TenderRiskError) else UnreachableError(str(error))


def _reader(path: Path, register: Source | None) -> Callable[[Path, Bounds], Iterator[Cut]]:
    """What cuts a file of this name. Raises DataError if nothing does, UnreachableError if it is no file."""
    kind, codec = ending(path)
    if not path.is_file():
        raise UnreachableError(f"{path.name}: not a file that can be read")
    if register and registers.reads(register, kind):
        return lambda file, bounds: registers.cases(file, register, bounds)
    if kind in LINES:
        return _packed_lines if codec else _ranges
    readers = {".parquet": tables.parquet, ".csv": tables.comma_separated, ".xlsx": workbooks.workbook}
    if kind == ".json":
        return _json
    if kind not in readers:
        raise DataError.at("", f"no reader for {kind or 'files without an ending'}", f"Use one of {', '.join(ENDINGS)}")
    return readers[kind]


def _ranges(path: Path, bounds: Bounds) -> Iterator[Cut]:
    size = path.stat().st_size
    for start in range(0, size, bounds.block):
        end = min(start + bounds.block, size)
        yield Cut(kind="range", first=0, start=start, end=end, path=str(path.resolve()))


def _packed_lines(path: Path, bounds: Bounds) -> Iterator[Cut]:
    for first, held in gathered(streams.lines(path, bounds), len, bounds.block):
        yield Cut(kind="lines", first=first, data=b"\n".join(held) + b"\n")


def _json(path: Path, bounds: Bounds) -> Iterator[Cut]:
    """One JSON document, or JSON lines that are called .json."""
    as_lines = _packed_lines if ending(path)[1] else _ranges
    begin = list(islice((line for line in streams.lines(path, bounds) if line.strip()), 2))
    if not begin:
        raise DataError.at("", "the file is empty", "Give releases, records or packages")
    if documents.begin_lines(begin):
        yield from as_lines(path, bounds)
        return
    whole = streams.whole(path, bounds)
    if documents.are_lines(whole):
        yield from as_lines(path, bounds)
        return
    for first, held in gathered(documents.pieces(whole), documents.size, bounds.block, bounds.documents):
        yield Cut(kind="documents", first=first, data=msgspec.msgpack.encode(held))
