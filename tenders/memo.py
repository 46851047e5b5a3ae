"""What comes again and again is worked out once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Given = TypeVar("Given", bound=Hashable)
Found = TypeVar("Found")

MOST = 65_536


class Memo(dict[Given, Found]):
    """What is found of a value, by the value: forgotten when it is `most` of them, so that it cannot grow without end.

    It is a dictionary, which need not note what was used last, as `lru_cache` does: for a portfolio, which asks for a
    few names and codes a tender. What cannot be found of a value is not held.
    """

    def __init__(self, find: Callable[[Given], Found], most: int = MOST) -> None:
        self._find, self._most = find, most

    def __missing__(self, given: Given) -> Found:
        found = self._find(given)
        if len(self) >= self._most:
            self.clear()
        self[given] = found
        return found

    def each(self, given: Iterable[Given]) -> list[Found]:
        """What is found of each of many."""
        return list(map(self.__getitem__, given))
