"""What the readers of files cut: pieces of a file before they have their number in the whole input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeVar

import msgspec

from tenders.errors import DataError, Problem

Item = TypeVar("Item")

Kind = Literal["range", "lines", "documents", "arrow", "cells", "cases", "problems"]
"""How a block is read: lines of a plain file by range; lines; pieces of JSON documents (`documents.Piece`); rows as an
Arrow IPC stream, as lists of cells (`tables.Cells`), or of a register (`registers.Case`); or what is wrong with a file.
"""


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a file. `first` is the number of its first line, row or record from 1, 0 if that is not known.

    A `range` is the lines that begin in the bytes from `start` up to `end` of the file at `path`; every other kind has
    its content in `data`.
    """

    kind: Kind
    first: int
    start: int = 0
    end: int = 0
    path: str = ""
    data: bytes = b""


def refused(error: DataError, first: int = 0) -> Cut:
    """A file, or what is left of it, that cannot be read, and why."""
    return wrong(error.problems, first)


def wrong(problems: list[Problem], first: int = 0) -> Cut:
    """Problems in the place of what they are about: the row `first`, or the file as a whole."""
    return Cut(kind="problems", first=first, data=msgspec.json.encode(problems))


def gathered(
    items: Iterable[Item], size: Callable[[Item], int], most: int, count: int | None = None, first: int = 1
) -> Iterator[tuple[int, list[Item]]]:
    """Items in lists that end with the item that makes them `most` bytes or `count` items, each with its first number.

    Passes on a DataError of `items` after what came before it.
    """
    held: list[Item] = []
    left = most
    try:
        for item in items:
            held.append(item)
            left -= size(item)
            if left <= 0 or len(held) == count:
                yield first, held
                first += len(held)
                held, left = [], most
    except DataError:
        if held:
            yield first, held
        raise
    if held:
        yield first, held
