"""The ledger: decayed counts under keys, as they stood on any day, for half a million rows or for one.

A ledger holds, for every key, how many cases it has seen and the sums of what they showed, each counted down by
half-lives of its own. Rows are walked in time order: a row reads the ledger on its day and is written into it on the
day on which its outcome became known, so nothing of that day or later is read. Reading one row of a
frozen ledger, and walking a register, are the same function.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Floats = NDArray[np.float64]
Days = NDArray[np.int64]

FOREVER = 0
"""The half-life that does not end."""


FURTHEST = 512.0
"""Half-lives from the origin beyond which a day is an error of the register: 42 years of months."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What rows read, `held` of shape (2 * half-lives + measures + 1, keys, rows): a number of a key lies in one piece.

    `count` and `total` (half-lives, keys, rows); `also` (measures, keys, rows), its sums at the last half-life; `last`
    (keys, rows), days since the key was last written, NaN if never.
    """

    half_lives: int
    held: NDArray[np.float32]

    @property
    def count(self) -> NDArray[np.float32]:
        """Cases under the key, by half-life."""
        return self.held[: self.half_lives]

    @property
    def total(self) -> NDArray[np.float32]:
        """The sum of what they showed first, by half-life."""
        return self.held[self.half_lives : 2 * self.half_lives]

    @property
    def also(self) -> NDArray[np.float32]:
        """The sums of what else they showed, by measure."""
        return self.held[2 * self.half_lives : -1]

    @property
    def last(self) -> NDArray[np.float32]:
        """Days since the key was last written."""
        last: NDArray[np.float32] = self.held[-1]
        return last


class Ledger(msgspec.Struct, kw_only=True):
    """Counts under sorted `keys`, all as of `origin`: a case of day d weighs 2 ** ((d - origin) / half-life).

    `held` has shape (keys, 2 * half-lives + measures + 1): what a row reads of a key lies side by side, for to fetch it
    costs more than to count it. `count`, `total`, `also` and `last` are views of it, in that order.
    """

    half_lives: tuple[int, ...]
    keys: Hashes
    held: Floats
    origin: int

    @classmethod
    def empty(cls, keys: Hashes, half_lives: Sequence[int], measures: int, origin: int) -> Ledger:
        """A ledger that can be written under these keys. `keys` need not be sorted or unique; 0 is no key."""
        known = np.unique(keys)
        known = known[known != 0]
        held = np.zeros((len(known), 2 * len(half_lives) + measures + 1))
        held[:, -1] = -np.inf
        return cls(half_lives=tuple(half_lives), keys=known, held=held, origin=origin)

    @property
    def count(self) -> Floats:
        """Cases under each key, shape (half-lives, keys)."""
        return self.held.T[: len(self.half_lives)]

    @property
    def total(self) -> Floats:
        """The sum of what they showed first, shape (half-lives, keys)."""
        return self.held.T[len(self.half_lives) : 2 * len(self.half_lives)]

    @property
    def also(self) -> Floats:
        """The sums of what else they showed, at the last half-life, shape (measures, keys)."""
        return self.held.T[2 * len(self.half_lives) : -1]

    @property
    def last(self) -> Floats:
        """The day on which each key was last written, counted from `origin`; -inf if never."""
        return self.held[:, -1]

    def places(self, keys: Hashes) -> NDArray[np.int64]:
        """Where keys of any shape stand, -1 for those that were never written."""
        if not len(self.keys):
            return np.full(keys.shape, -1, dtype=np.int64)
        at = np.searchsorted(self.keys, keys)
        at[at == len(self.keys)] = 0
        return np.where(self.keys[at] == keys, at, -1)

    def write(self, places: NDArray[np.int64], on: Days, shown: Floats, weight: Floats) -> None:
        """Takes in rows: places (keys, rows), days on which they became known, what they showed (1 + measures, rows),
        and what each counts."""
        columns, rows = np.nonzero(places >= 0)
        at = places[columns, rows]
        since = (on - self.origin).astype(np.float64)
        masses = [
            weight * (np.exp2(np.minimum(since / half_life, FURTHEST)) if half_life else 1.0)
            for half_life in self.half_lives
        ]
        each = np.array([*masses, *(mass * shown[0] for mass in masses), *(masses[-1] * shown[1:])]).T
        # In the order of the rows, one by one: of many at once the last bit would hang on how many they were.
        width = self.held.shape[1]
        cells = (at * width)[:, None] + np.arange(width - 1)
        np.add.at(self.held.reshape(-1), cells.reshape(-1), each[rows].reshape(-1))
        np.maximum.at(self.last, at, since[rows])

    def read(self, places: NDArray[np.int64], day: int, into: Seen, rows: NDArray[np.int64]) -> None:
        """Writes what these places (keys, rows) hold on a day into the given rows of `into`."""
        if not len(self.keys):
            into.last[:, rows] = np.nan
            return
        since = day - self.origin
        fades = [np.exp2(min(-since / half_life, FURTHEST)) if half_life else 1.0 for half_life in self.half_lives]
        held, unknown = self.held.take(places, axis=0), places < 0
        held[unknown, :-1], held[unknown, -1] = 0.0, -np.inf
        for number, fade in enumerate((*fades, *fades, *fades[-1:] * len(self.also))):
            into.held[number][:, rows] = held[..., number] * fade
        last = since - held[..., -1]
        into.last[:, rows] = np.where(np.isfinite(last), last, np.nan)

    def blank(self, keys: int, rows: int) -> Seen:
        """Room for what `rows` rows read under `keys` keys each."""
        held = np.zeros((self.held.shape[1], keys, rows), dtype=np.float32)
        held[-1] = np.nan
        return Seen(half_lives=len(self.half_lives), held=held)
