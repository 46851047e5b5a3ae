"""Columns of values that repeat: what is costly is computed once for each distinct value.

Not pandas' or Arrow's own type: categories here may be tuples and objects, and a table of one row has to be cheap. To
make one and map it takes 2 µs for one row (Arrow 27, pandas 390) and 0.10 s for a million names (0.07 and 0.14).
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import count
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Category = TypeVar("Category")
Key = TypeVar("Key", bound=Hashable)
Other = TypeVar("Other")

FIRST = np.zeros(1, dtype=np.int32)
"""The codes of one row. Not to be changed."""


class Categorical(msgspec.Struct, Generic[Category], frozen=True):
    """The distinct `categories` of a column, and for each row the index of its own, `codes` of shape (rows,).

    Categories are in the order of their first row, unless a column fixes them; then some may have no row.
    """

    categories: list[Category]
    codes: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def of(cls, rows: Iterable[Key]) -> Categorical[Key]:
        """The categories of hashable rows; equal rows share one."""
        builder = CategoricalBuilder[Key]()
        builder.extend(rows)
        return builder.categorical()

    @classmethod
    def single(cls, value: Other, rows: int = 1) -> Categorical[Other]:
        """A column that holds one value in every row."""
        return Categorical([value], FIRST if rows == 1 else np.zeros(rows, dtype=np.int32))

    @classmethod
    def by_identity(cls, rows: Sequence[Other]) -> Categorical[Other]:
        """The categories of rows that need not be hashable: rows share one where they are the same object."""
        objects = {id(row): row for row in rows}
        return Categorical(list(objects.values()), cls.of(map(id, rows)).codes)

    @classmethod
    def of_rows(cls, rows: NDArray[Any]) -> Categorical[int]:
        """The categories of the rows of an array, shape (rows, columns), that are equal to the byte.

        Each category is the index of its first row.
        """
        if len(rows) == 1:
            return Categorical([0], FIRST)
        whole = np.ascontiguousarray(rows)
        width = whole.itemsize * whole.shape[1]
        content = pa.Array.from_buffers(pa.binary(width), len(whole), [None, pa.py_buffer(whole)])
        codes = content.dictionary_encode().indices.to_numpy()
        return Categorical(np.unique(codes, return_index=True)[1].tolist(), codes)

    @classmethod
    def pairs(cls, first: Categorical[Category], second: Categorical[Other]) -> Categorical[tuple[Category, Other]]:
        """For each row the values of two columns."""
        if len(first) == 1:
            return Categorical.single((first.categories[first.codes[0]], second.categories[second.codes[0]]))
        if len(second.categories) == 1:
            (value,) = second.categories
            return Categorical([(category, value) for category in first.categories], first.codes)
        count = len(second.categories)
        coded = pa.array(first.codes.astype(np.int64) * count + second.codes).dictionary_encode()
        pairs = [divmod(pair, count) for pair in coded.dictionary.to_pylist()]
        values = [(first.categories[one], second.categories[other]) for one, other in pairs]
        return Categorical(values, coded.indices.to_numpy())

    def map(self, function: Callable[[Category], Other]) -> Categorical[Other]:
        """What a function makes of every row. Categories of which it makes the same stay apart."""
        return Categorical(list(map(function, self.categories)), self.codes)

    def numbers(self, function: Callable[[Category], float | None]) -> NDArray[np.float64]:
        """The number that a function makes of every row, NaN for None; shape (rows,)."""
        return np.array(list(map(function, self.categories)), dtype=np.float64)[self.codes]

    def where(self, test: Callable[[Category], bool]) -> NDArray[np.bool_]:
        """Which rows pass a test, shape (rows,)."""
        return np.array(list(map(test, self.categories)), dtype=bool)[self.codes]

    def rows(self) -> list[Category]:
        """The value of every row."""
        return list(map(self.categories.__getitem__, self.codes.tolist()))


class CategoricalBuilder(Generic[Key]):
    """A column of hashable values that come some at a time."""

    def __init__(self) -> None:
        # A value that is new gets the next number, without a call of ours.
        self._codes: defaultdict[Key, int] = defaultdict(count().__next__)
        self._rows = array("i")

    def __len__(self) -> int:
        return len(self._rows)

    def extend(self, rows: Iterable[Key]) -> None:
        """Takes more rows."""
        self._rows.extend(map(self._codes.__getitem__, rows))

    def repeat(self, value: Key, rows: int) -> None:
        """Takes more rows that all hold one value."""
        if rows:
            self._rows.extend(array("i", [self._codes[value]]) * rows)

    def categorical(self) -> Categorical[Key]:
        """The column of all rows."""
        return Categorical(list(self._codes), np.array(self._rows, dtype=np.int32))
