"""The lines of a block of JSON lines: a piece of a plain file, or whole lines that were unpacked before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from serving.portfolio.blocks import Block
from serving.portfolio.bounds import BOUNDS, Bounds

_STEP = 2**20


def lines(block: Block, bounds: Bounds = BOUNDS) -> Iterator[tuple[int, bytes]]:
    """Each line with its number, from `block.first`, or from 1 where that is not known; blank lines too.

    A line above `bounds.line` comes cut one byte above it, by which it is told; no more of it is held. Of a range, the
    lines that begin in it. Raises OSError if the file cannot be read.
    """
    most = bounds.line
    for number, line in enumerate(_all(block, bounds), start=block.first or 1):
        yield number, line if len(line) <= most else line[: most + 1]


def counted(block: Block, bounds: Bounds = BOUNDS) -> int:
    """How many lines `lines` gives. Raises OSError if the file cannot be read."""
    if block.kind == "range":
        return len(_all(block, bounds))
    return block.data.count(b"\n") + (not block.data.endswith(b"\n") and bool(block.data))


def _all(block: Block, bounds: Bounds) -> Sequence[bytes]:
    if block.kind == "range":
        state = Path(block.path).stat()
        return _in_range(block.path, block.start, block.end, bounds.line, (state.st_ino, state.st_mtime_ns))
    found = block.data.split(b"\n")
    return found if found[-1] else found[:-1]


@lru_cache(maxsize=1)
def _in_range(path: str, start: int, end: int, most: int, of: tuple[int, int]) -> Sequence[bytes]:
    """The lines that begin in a range of bytes: held until the next is read, for they are counted too. `of` is which
    state of the file they are of."""
    with Path(path).open("rb") as file:
        file.seek(max(start - 1, 0))
        # Split at once, for every other copy of eight megabytes is felt.
        found = file.read(end - file.tell()).split(b"\n")
        if start:
            # What stands before the first line end began before the range.
            del found[0]
        if found and found[-1]:
            found[-1] += _rest(file, most + 1 - len(found[-1]))
        elif found:
            del found[-1]
        return found


def _rest(file: BinaryIO, most: int) -> bytes:
    """The rest of the line at which the file stands, up to `most` bytes of it."""
    found = b""
    while len(found) < most and (piece := file.read(min(_STEP, most - len(found)))):
        line, end, _ = piece.partition(b"\n")
        found += line
        if end:
            break
    return found
