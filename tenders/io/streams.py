"""Bytes of a file as they come: unpacked on the way, within bounds, and cut into whole lines."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from tenders.errors import DataError, Problem, TooLargeError, UnreachableError
from tenders.io.bounds import Bounds
from tenders.io.files import ending

# A stream that breaks off loses what was unpacked of the piece in which it does.
PIECE = 2**18


def pieces(path: Path, bounds: Bounds) -> Iterator[bytes]:
    """The content of a file in pieces of up to PIECE bytes, unpacked if it is packed.

    Raises UnreachableError if it cannot be read, DataError where it is damaged, TooLargeError where it unpacks to more
    than `bounds.unpacked` and `bounds.ratio` times its size.
    """
    codec = ending(path)[1]
    try:
        with path.open("rb") as raw:
            most = max(bounds.unpacked, bounds.ratio * path.stat().st_size)
            stream: Any = pa.CompressedInputStream(raw, codec) if codec else raw
            read = 0
            while piece := _next(stream, codec):
                read += len(piece)
                if codec and read > most:
                    raise too_large(f"it unpacks to more than {most / 2**20:,.0f} MB", "Check what it is")
                yield piece
    except DataError:
        raise
    except OSError as error:
        raise UnreachableError(f"{path.name}: {error.strerror or error}. Check the name and the permissions") from None


def whole(path: Path, bounds: Bounds) -> bytes:
    """The content of a file, unpacked. Raises as `pieces` does, and TooLargeError above `bounds.document`."""
    parts, size = [], 0
    for piece in pieces(path, bounds):
        size += len(piece)
        if size > bounds.document:
            raise too_large(
                f"one JSON document of more than {bounds.document // 2**20} MB",
                "Convert it to JSON lines (.jsonl), one release or record a line",
            )
        parts.append(piece)
    return b"".join(parts)


def lines(path: Path, bounds: Bounds) -> Iterator[bytes]:
    """Each line of a file without its end. A line above `bounds.line` is cut one byte above it, by which it is told.

    Raises as `pieces` does, with the number of the line at which it broke off.
    """
    held, number, most = bytearray(), 0, bounds.line + 1
    try:
        for piece in pieces(path, bounds):
            *complete, rest = piece.split(b"\n")
            if complete:
                complete[0] = bytes(held + complete[0])[:most] if held else complete[0][:most]
                held.clear()
                yield from complete
                number += len(complete)
            held += rest[: most - len(held)]
    except DataError as error:
        raise type(error)([_placed(each, number + 1) for each in error.problems]) from None
    if held:
        yield bytes(held)


@contextmanager
def unpacked(path: Path, bounds: Bounds) -> Iterator[Path]:
    """A packed file as a plain one, in a temporary folder; a plain file as it is. Raises as `pieces` does."""
    if not ending(path)[1]:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / path.stem
        with plain.open("wb") as out:
            for piece in pieces(path, bounds):
                out.write(piece)
        yield plain


def too_large(problem: str, remedy: str) -> TooLargeError:
    """The refusal of a file that is larger than what is read."""
    return TooLargeError(Problem(path="", problem=problem, remedy=remedy))


def _next(stream: Any, codec: str | None) -> bytes:
    try:
        return bytes(stream.read(PIECE))
    except OSError as error:
        if codec is None or error.errno:
            raise
        raise DataError.at("", f"damaged: {error}", "Fetch the file again") from None


def _placed(problem: Problem, line: int) -> Problem:
    return Problem(path=f"line {line}", problem=problem.problem, remedy=problem.remedy)
