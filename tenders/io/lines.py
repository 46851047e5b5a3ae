"""The lines of a block of JSON lines: a piece of a plain file, or whole lines that were unpacked before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from tenders.io.blocks import Block
from tenders.io.bounds import BOUNDS, Bounds

_AHEAD = 2**18
"""Bytes that are read at a time: few enough that lines are still in the cache when they are decoded."""


def lines(block: Block, bounds: Bounds = BOUNDS) -> Iterator[tuple[int, bytes]]:
    """Each line with its end and its number, from `block.first`, or from 1 where that is not known; blank lines too.

    A line above `bounds.line` comes cut one byte above it, by which it is told; no more of it is held. Of a range, the
    lines that begin in it. Raises OSError if the file cannot be read.
    """
    most = bounds.line
    for number, line in enumerate(_all(block, bounds), start=block.first or 1):
        # Its end does not count, but to take it away is to copy the line.
        yield number, line if len(line) <= most else line.rstrip(b"\n")[: most + 1] + b"\n"


def counted(block: Block) -> int:
    """How many lines `lines` gives. Raises OSError if the file cannot be read."""
    if block.kind == "range":
        return _begun(block)
    return block.data.count(b"\n") + (not block.data.endswith(b"\n") and bool(block.data))


def _all(block: Block, bounds: Bounds) -> Iterable[bytes]:
    if block.kind == "range":
        return _in_range(block, bounds.line)
    return BytesIO(block.data)


def _in_range(block: Block, most: int) -> Iterator[bytes]:
    """The lines that begin in a range of bytes."""
    with Path(block.path).open("rb", _AHEAD) as file:
        at = block.start
        if at:
            # What stands before the first line end began before the range.
            file.seek(at - 1)
            at += _passed(file) - 1
        while at < block.end and (line := file.readline(most + 1)):
            at += len(line)
            if not line.endswith(b"\n"):
                at += _passed(file)
            yield line


def _begun(block: Block) -> int:
    """How many lines begin in a range of bytes: one after each line end that stands before its last byte."""
    with Path(block.path).open("rb", buffering=0) as file:
        at = file.seek(max(block.start - 1, 0))
        count = int(not block.start and block.end > 0)
        while at < block.end - 1 and (piece := file.read(min(_AHEAD, block.end - 1 - at))):
            at += len(piece)
            count += piece.count(b"\n")
    return count


def _passed(file: BinaryIO) -> int:
    """Bytes up to the end of the line at which a file stands, which are passed over and not held."""
    passed = 0
    while piece := file.readline(_AHEAD):
        passed += len(piece)
        if piece.endswith(b"\n"):
            break
    return passed
