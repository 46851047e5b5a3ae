"""A function of one value that remembers what it returned."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")

MAX_SIZE = 65_536


class Memo(dict[Key, Result]):
    """The results of a function by its argument. It is emptied at `max_size` results, so that it cannot grow for ever.

    It is a dictionary, which is faster than `lru_cache` because it need not note what was used last: a portfolio asks
    for a few names and codes of every tender. An argument for which the function raises is not remembered.
    """

    def __init__(self, function: Callable[[Key], Result], max_size: int = MAX_SIZE) -> None:
        self._function, self._max_size = function, max_size

    def __missing__(self, key: Key) -> Result:
        result = self._function(key)
        if len(self) >= self._max_size:
            self.clear()
        self[key] = result
        return result

    def map(self, keys: Iterable[Key]) -> list[Result]:
        """The results for many arguments, in their order."""
        return list(map(self.__getitem__, keys))
