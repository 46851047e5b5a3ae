"""Language: an online linear model of words, and of words together with who buys what and how.

Tokens (words, pairs of words, and either with the buyer or the kind of contract) fall by hash into slots; each has a
weight in a logistic regression that learns in time order: it says what it thinks of a tender on its day, and
learns from it when its outcome is known. So it is never fitted on what it judges. Steps are AdaGrad's, whose memory
fades with a half-life of a year, so that what changes is learnt again.

Source: McMahan et al. 2013, Ad click prediction; Weinberger et al. 2009, feature hashing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.track_records.attributes import Described, Hashes, mixed

Floats = NDArray[np.float64]
Slots = NDArray[np.int64]

BITS = 20
"""Weights: a million. Four times as many gain 0.001 in AUC on half a million calls and weigh 16 MB."""
RATE = 0.3
MEMORY = 365
"""Half-life in days of the squared gradients that damp the steps."""
BATCH = 64
"""Rows that take one step together: a whole day at once would overshoot."""

# Who buys what and how, as tokens of their own.
CROSSES: tuple[tuple[str, ...], ...] = (
    ("buyer",), ("unit",), ("name",), ("unit", "kind"), ("unit", "kind", "method"), ("buyer", "again"),
    ("again", "method"), ("window", "method"), ("buyer", "window"), ("buyer", "month"), ("buyer", "weekday"),
    ("kind", "place"), ("kind", "place", "method"), ("month",), ("market",), ("group",), ("branch",), ("sector",),
    ("sector", "method"), ("sector", "place"), ("market", "place"), ("unit", "market"), ("locality",),
    ("unit", "locality"), ("band", "method"), ("band", "sector"), ("unit", "band"), ("term", "buyer"), ("form", "kind"),
    ("fee",), ("authority", "sector"), ("criteria", "kind"), ("criteria", "market"), ("topic",), ("topic", "market"),
    ("pricing",), ("system",), ("vehicle",), ("service", "band"), ("instrument", "service"), ("order", "service"),
    ("urgency",),
)  # fmt: skip


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """The slots of rows: row i has `slots[start[i]:start[i + 1]]`."""

    slots: Slots
    start: NDArray[np.int64]

    def of(self, rows: NDArray[np.int64]) -> tuple[Slots, NDArray[np.int64], NDArray[np.int64]]:
        """Slots of some rows one after the other, how many each has, and where each begins."""
        sizes = self.start[rows + 1] - self.start[rows]
        begins = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        return self.slots[np.arange(sizes.sum()) + np.repeat(self.start[rows] - begins, sizes)], sizes, begins


def tokens(described: Described, crossed: bool) -> Tokens:
    """Words and pairs of words; if `crossed`, also with the buyer and the kind, and the crosses of attributes."""
    words, sizes = described.words, np.diff(described.start)
    row = np.repeat(np.arange(described.rows), sizes)
    pairs = np.zeros_like(words)
    inside = row[1:] == row[:-1]
    pairs[1:][inside] = mixed(words[:-1], words[1:])[inside]
    parts: list[tuple[NDArray[np.int64], Hashes]] = [(row, words), (row[pairs != 0], pairs[pairs != 0])]
    if crossed:
        known = described.hashes
        parts += [(row, mixed(known[name][row], words)) for name in ("buyer", "kind") if name in known]
        everyone = np.arange(described.rows)
        for place, names in enumerate(CROSSES):
            if all(name in known for name in names):
                key = mixed(*(known[name] for name in names))
                salted = mixed(np.full_like(key, place + 1), key)
                parts.append((everyone[key != 0], salted[key != 0]))
    return _by_row(parts, described.rows)


def _by_row(parts: Sequence[tuple[NDArray[np.int64], Hashes]], rows: int) -> Tokens:
    """Tokens of all parts laid out row by row. Within a part rows ascend, so each token's place can be counted."""
    sizes = [np.bincount(row, minlength=rows) for row, _ in parts]
    start = np.concatenate([[0], np.cumsum(np.sum(sizes, axis=0))]).astype(np.int64)
    slots = np.zeros(start[-1], dtype=np.int64)
    free = start[:-1].copy()
    for (row, key), size in zip(parts, sizes, strict=True):
        begins = np.concatenate([[0], np.cumsum(size)[:-1]])
        slots[free[row] + np.arange(len(row)) - begins[row]] = key >> np.uint64(64 - BITS)
        free += size
    return Tokens(slots=slots, start=start)


class Language(msgspec.Struct, kw_only=True):
    """The weights, one a slot; `damping` their squared gradients as of `origin`; `bias` the log-odds of no token."""

    weight: NDArray[np.float32]
    damping: Floats
    bias: float
    origin: int

    @classmethod
    def untaught(cls, rate: float, origin: int) -> Language:
        """A model that thinks everything as likely as `rate`."""
        size = 1 << BITS
        bias = float(np.log(rate / (1 - rate)))
        return cls(weight=np.zeros(size, dtype=np.float32), damping=np.zeros(size), bias=bias, origin=origin)

    def think(self, tokens: Tokens, rows: NDArray[np.int64]) -> Floats:
        """Log-odds of rows, shape (rows,)."""
        return self._thought(*tokens.of(rows))

    def _thought(self, slots: Slots, sizes: NDArray[np.int64], begins: NDArray[np.int64]) -> Floats:
        if not len(slots):
            return np.full(len(sizes), self.bias)
        sums = np.add.reduceat(self.weight[slots], np.minimum(begins, len(slots) - 1))
        return np.asarray(self.bias + np.where(sizes > 0, sums, 0.0) / np.sqrt(sizes + 1), dtype=np.float64)

    def learn(self, tokens: Tokens, rows: NDArray[np.int64], y: Floats, on: NDArray[np.int64], weight: Floats) -> None:
        """Takes steps from outcomes `y` (1 or 0) of rows that became known on days `on`, in the order given."""
        for at in range(0, len(rows), BATCH):
            part = slice(at, at + BATCH)
            self._step(tokens, rows[part], y[part], int(on[at]), weight[part])

    def _step(self, tokens: Tokens, rows: NDArray[np.int64], y: Floats, on: int, weight: Floats) -> None:
        slots, sizes, begins = tokens.of(rows)
        slope = weight * (1 / (1 + np.exp(-self._thought(slots, sizes, begins))) - y)
        self.bias -= 0.002 * float(slope.sum())
        each = np.repeat(slope / np.sqrt(sizes + 1), sizes)
        fade = np.exp2((on - self.origin) / MEMORY)
        np.add.at(self.damping, slots, 4 * each**2 * fade)
        step = RATE * each / np.sqrt(1 + self.damping[slots] / fade)
        np.subtract.at(self.weight, slots, step.astype(np.float32))
