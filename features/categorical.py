"""Rows of which many are alike: what is costly is worked out once for each kind of them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Kind = TypeVar("Kind")
Same = TypeVar("Same", bound=Hashable)


class Kinds(msgspec.Struct, Generic[Kind], frozen=True):
    """Each `distinct` row, in order of the first of its kind, and the `place` there of every row, shape (rows,)."""

    distinct: list[Kind]
    place: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.place)

    @classmethod
    def of(cls, rows: Iterable[Same]) -> Kinds[Same]:
        """The kinds of rows that can be keys."""
        growing = Growing[Same]()
        growing.extend(rows)
        return growing.kinds()

    @classmethod
    def of_things(cls, rows: Sequence[Kind]) -> Kinds[Kind]:
        """The kinds of rows that are alike where they are one and the same thing."""
        things = {id(row): row for row in rows}
        return Kinds(list(things.values()), cls.of(map(id, rows)).place)

    @classmethod
    def of_bytes(cls, rows: NDArray[Any]) -> Kinds[int]:
        """The kinds of rows of an array, shape (rows, columns), that are alike to the byte; each is told by the first
        row of it."""
        whole = np.ascontiguousarray(rows)
        width = whole.itemsize * whole.shape[1]
        texts = pa.Array.from_buffers(pa.binary(width), len(whole), [None, pa.py_buffer(whole)])
        place = texts.dictionary_encode().indices.to_numpy()
        return Kinds(np.unique(place, return_index=True)[1].tolist(), place)

    @classmethod
    def joined(cls, parts: Sequence[Kinds[Kind]]) -> Kinds[Kind]:
        """The rows of several, one below the other."""
        every = [each for part in parts for each in part.distinct]
        try:
            whole = cls.of(every)
        except TypeError:
            whole = cls.of_things(every)
        counts = [len(part.distinct) for part in parts]
        before = np.cumsum([0, *counts[:-1]])
        place = [whole.place[part.place + at] for part, at in zip(parts, before, strict=True)]
        return Kinds(whole.distinct, np.concatenate(place))

    def each(self, find: Callable[[Kind], Any]) -> Kinds[Any]:
        """What is found of every row; kinds of which the same is found stay apart."""
        return Kinds(list(map(find, self.distinct)), self.place)

    def numbers(self, find: Callable[[Kind], float | None]) -> NDArray[np.float64]:
        """The number that is found of every row, NaN for None; shape (rows,)."""
        return np.array(list(map(find, self.distinct)), dtype=np.float64)[self.place]

    def where(self, test: Callable[[Kind], bool]) -> NDArray[np.bool_]:
        """Which rows pass a test, shape (rows,)."""
        return np.array(list(map(test, self.distinct)), dtype=bool)[self.place]

    def rows(self) -> list[Kind]:
        """Every row."""
        return list(map(self.distinct.__getitem__, self.place.tolist()))


class Growing(Generic[Same]):
    """The kinds of rows that can be keys and come some at a time."""

    def __init__(self) -> None:
        self._places = _Places[Same]()
        self._place = array("i")

    def extend(self, rows: Iterable[Same]) -> None:
        """Takes more rows."""
        self._place.extend(map(self._places.__getitem__, rows))

    def kinds(self) -> Kinds[Same]:
        """The kinds of all of them."""
        return Kinds(list(self._places), np.array(self._place, dtype=np.int32))


class _Places(dict[Same, int]):
    """The place of each kind, in the order in which they were asked for."""

    def __missing__(self, row: Same) -> int:
        place = self[row] = len(self)
        return place
