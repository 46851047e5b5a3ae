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
    """What rows read: `count` and `total` of shape (half-lives, rows, keys); `also` (measures, rows, keys), its sums at
    the last half-life; `last` (rows, keys), days since the key was last written, NaN if never."""

    count: NDArray[np.float32]
    total: NDArray[np.float32]
    also: NDArray[np.float32]
    last: NDArray[np.float32]


class Ledger(msgspec.Struct, kw_only=True):
    """Counts under sorted `keys`, all as of `origin`: a case of day d weighs 2 ** ((d - origin) / half-life).

    `count` and `total` have shape (half-lives, keys), `also` (measures, keys), `last` (keys,) as days.
    """

    half_lives: tuple[int, ...]
    keys: Hashes
    count: Floats
    total: Floats
    also: Floats
    last: Floats
    origin: int

    @classmethod
    def empty(cls, keys: Hashes, half_lives: Sequence[int], measures: int, origin: int) -> Ledger:
        """A ledger that can be written under these keys. `keys` need not be sorted or unique; 0 is no key."""
        known = np.unique(keys)
        known = known[known != 0]
        shape = (len(half_lives), len(known))
        return cls(
            half_lives=tuple(half_lives),
            keys=known,
            count=np.zeros(shape),
            total=np.zeros(shape),
            also=np.zeros((measures, len(known))),
            last=np.full(len(known), -np.inf),
            origin=origin,
        )

    def places(self, keys: Hashes) -> NDArray[np.int64]:
        """Where keys of any shape stand, -1 for those that were never written."""
        if not len(self.keys):
            return np.full(keys.shape, -1, dtype=np.int64)
        at = np.searchsorted(self.keys, keys)
        at[at == len(self.keys)] = 0
        return np.where(self.keys[at] == keys, at, -1)

    def write(self, places: NDArray[np.int64], on: Days, shown: Floats, weight: Floats) -> None:
        """Takes in rows: places (rows, keys), days on which they became known, what they showed (1 + measures, rows),
        and what each counts."""
        rows, columns = np.nonzero(places >= 0)
        at = places[rows, columns]
        since = (on - self.origin)[rows].astype(np.float64)
        for h, half_life in enumerate(self.half_lives):
            mass = weight[rows] * (np.exp2(np.minimum(since / half_life, FURTHEST)) if half_life else 1.0)
            np.add.at(self.count[h], at, mass)
            np.add.at(self.total[h], at, mass * shown[0, rows])
            if h == len(self.half_lives) - 1:
                for m in range(len(self.also)):
                    np.add.at(self.also[m], at, mass * shown[1 + m, rows])
        np.maximum.at(self.last, at, since)

    def read(self, places: NDArray[np.int64], day: int, into: Seen, rows: NDArray[np.int64]) -> None:
        """Writes what these places hold on a day into the given rows of `into`."""
        known = places >= 0
        at = np.where(known, places, 0)
        since = day - self.origin
        if not len(self.keys):
            into.last[rows] = np.nan
            return
        for h, half_life in enumerate(self.half_lives):
            fade = np.exp2(-since / half_life) if half_life else 1.0
            into.count[h, rows] = np.where(known, self.count[h][at] * fade, 0.0)
            into.total[h, rows] = np.where(known, self.total[h][at] * fade, 0.0)
            if h == len(self.half_lives) - 1:
                for m in range(len(self.also)):
                    into.also[m, rows] = np.where(known, self.also[m][at] * fade, 0.0)
        into.last[rows] = np.where(known & np.isfinite(self.last[at]), since - self.last[at], np.nan)

    def blank(self, rows: int, keys: int) -> Seen:
        """Room for what `rows` rows read under `keys` keys each."""
        shape = (len(self.half_lives), rows, keys)
        return Seen(
            count=np.zeros(shape, dtype=np.float32),
            total=np.zeros(shape, dtype=np.float32),
            also=np.zeros((len(self.also), rows, keys), dtype=np.float32),
            last=np.full((rows, keys), np.nan, dtype=np.float32),
        )
