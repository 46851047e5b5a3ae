"""The lines of a block of JSON lines: a piece of a plain file, or whole lines that were unpacked before."""

from __future__ import annotations

from collections.abc import Iterator
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
    found = _in_range(block, bounds) if block.kind == "range" else block.data.split(b"\n")
    if found and not found[-1]:
        found.pop()
    most = bounds.line
    for number, line in enumerate(found, start=block.first or 1):
        yield number, line if len(line) <= most else line[: most + 1]


def counted(block: Block) -> int:
    """How many lines `lines` gives, without keeping them. Raises OSError if the file cannot be read."""
    if block.kind != "range":
        return block.data.count(b"\n") + (not block.data.endswith(b"\n") and bool(block.data))
    if block.end <= block.start:
        return 0
    with Path(block.path).open("rb") as file:
        # A line begins after each line end from one byte before the range to one byte before its end.
        file.seek(max(block.start - 1, 0))
        found = int(block.start == 0)
        left = block.end - 1 - file.tell()
        while left > 0 and (piece := file.read(min(_STEP, left))):
            found += piece.count(b"\n")
            left -= len(piece)
        return found


def _in_range(block: Block, bounds: Bounds) -> list[bytes]:
    """The lines that begin in a range of bytes, and an empty one if the last is ended in it."""
    with Path(block.path).open("rb") as file:
        file.seek(max(block.start - 1, 0))
        # Split at once, for every other copy of eight megabytes is felt.
        found = file.read(block.end - file.tell()).split(b"\n")
        if block.start:
            # What stands before the first line end began before the range.
            del found[0]
        if found and found[-1]:
            found[-1] += _rest(file, bounds.line + 1 - len(found[-1]))
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
