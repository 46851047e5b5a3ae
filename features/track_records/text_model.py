"""An online logistic regression on the words of tenders, and on words together with who buys what and how.

Tokens (words, pairs of words, either with the buyer or the kind of contract, and pairs of attributes) are hashed into
slots, and each slot has a weight. The model forecasts a tender on its day and is updated when the outcome becomes
known, so that it never forecasts a row that it was fitted on. Steps are AdaGrad's, with squared gradients that fade
with a half-life of a year, so that the model follows changes.

It is written by hand because scikit-learn's SGDClassifier has no steps of their own for each weight. Source: McMahan et
al. 2013, Ad click prediction; Weinberger et al. 2009, feature hashing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.track_records.attributes import HashedAttributes, Hashes, mixed

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Slots = NDArray[np.int64]

BITS = 20
"""The model has 2 ** BITS weights. Four times as many gain 0.001 in AUC on half a million calls and weigh 16 MB."""
RATE = 0.3
MEMORY = 365
"""Half-life in days of the squared gradients that shorten the steps."""
BATCH = 64
"""Rows that take one step together. One step for a whole day would overshoot."""
BIAS_RATE = 0.002
MOST_PHRASES = 3
"""Phrases that a reason shows on either side."""

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
"""Attributes that are a token together. Their order salts the hashes that a bundle holds: add at the end."""


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """The slots of the tokens of rows: row i has `slots[start[i]:start[i + 1]]`."""

    slots: Slots
    start: NDArray[np.int64]

    def take(self, rows: Rows) -> tuple[Slots, NDArray[np.int64], NDArray[np.int64]]:
        """The slots of some rows one after the other, how many each row has, and where each row begins."""
        sizes = self.start[rows + 1] - self.start[rows]
        begins = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        return self.slots[np.arange(sizes.sum()) + np.repeat(self.start[rows] - begins, sizes)], sizes, begins


class Phrases(msgspec.Struct, frozen=True):
    """The words of a tender that count most for and against the outcome, each with its log-odds."""

    counted: tuple[tuple[str, float], ...] = ()

    @property
    def summary(self) -> str:
        """The phrases in their order, as text."""
        return ", ".join(f"“{phrase}” {count:+.2f}" for phrase, count in self.counted) or "no word that is known"


class TextModel(msgspec.Struct, kw_only=True):
    """The weight of every slot, its squared gradients (`damping`) as of the day `origin`, and the log-odds of a row
    without a token (`bias`)."""

    weight: NDArray[np.float32]
    damping: Floats
    bias: float
    origin: int

    @classmethod
    def empty(cls, rate: float, origin: int) -> TextModel:
        """A model that forecasts the probability `rate` for every row."""
        size = 1 << BITS
        bias = float(np.log(rate / (1 - rate)))
        return cls(weight=np.zeros(size, dtype=np.float32), damping=np.zeros(size), bias=bias, origin=origin)

    def log_odds(self, tokens: Tokens, rows: Rows) -> Floats:
        """The forecast of rows in log-odds, shape (rows,)."""
        return self._margin(*tokens.take(rows))

    def update(self, tokens: Tokens, rows: Rows, y: Floats, days: NDArray[np.int64], weight: Floats) -> None:
        """Takes steps for the outcomes `y` (1 or 0) of rows, in the order given; `days` are those on which they became
        known, `weight` what each counts."""
        for at in range(0, len(rows), BATCH):
            part = slice(at, at + BATCH)
            self._step(tokens, rows[part], y[part], int(days[at]), weight[part])

    def phrases(self, words: Sequence[str], slots: Slots) -> Phrases:
        """The words and pairs of words of one row that count most, each way. `slots` are those of its words, then of
        its pairs."""
        texts = [*words, *(" ".join(pair) for pair in pairwise(words))]
        if not texts:
            return Phrases()
        counts = self.weight[slots] / np.sqrt(len(slots) + 1)
        by_text = dict(zip(texts, map(float, counts), strict=True))
        ordered = sorted(by_text.items(), key=lambda item: -item[1])
        up = [item for item in ordered[:MOST_PHRASES] if item[1] > 0]
        down = [item for item in ordered[::-1][:MOST_PHRASES] if item[1] < 0]
        return Phrases(counted=tuple((text, round(count, 3)) for text, count in up + down))

    def _margin(self, slots: Slots, sizes: NDArray[np.int64], begins: NDArray[np.int64]) -> Floats:
        if not len(slots):
            return np.full(len(sizes), self.bias)
        sums = np.add.reduceat(self.weight[slots], np.minimum(begins, len(slots) - 1))
        return np.asarray(self.bias + np.where(sizes > 0, sums, 0.0) / np.sqrt(sizes + 1), dtype=np.float64)

    def _step(self, tokens: Tokens, rows: Rows, y: Floats, day: int, weight: Floats) -> None:
        slots, sizes, begins = tokens.take(rows)
        slope = weight * (1 / (1 + np.exp(-self._margin(slots, sizes, begins))) - y)
        self.bias -= BIAS_RATE * float(slope.sum())
        gradient = np.repeat(slope / np.sqrt(sizes + 1), sizes)
        fade = np.exp2((day - self.origin) / MEMORY)
        np.add.at(self.damping, slots, 4 * gradient**2 * fade)
        step = RATE * gradient / np.sqrt(1 + self.damping[slots] / fade)
        np.subtract.at(self.weight, slots, step.astype(np.float32))


def tokens(attributes: HashedAttributes, crossed: bool) -> Tokens:
    """The words and pairs of words of rows; if `crossed`, also words with the buyer and the kind, and CROSSES."""
    words, sizes = attributes.words, np.diff(attributes.start)
    row = np.repeat(np.arange(attributes.rows), sizes)
    pairs = np.zeros_like(words)
    inside = row[1:] == row[:-1]
    pairs[1:][inside] = mixed(words[:-1], words[1:])[inside]
    parts: list[tuple[Rows, Hashes]] = [(row, words), (row[pairs != 0], pairs[pairs != 0])]
    if crossed:
        known = attributes.hashes
        parts += [(row, mixed(known[name][row], words)) for name in ("buyer", "kind") if name in known]
        every_row = np.arange(attributes.rows)
        for number, names in enumerate(CROSSES, start=1):
            if all(name in known for name in names):
                key = mixed(*(known[name] for name in names))
                salted = mixed(np.full_like(key, number), key)
                parts.append((every_row[key != 0], salted[key != 0]))
    return _by_row(parts, attributes.rows)


def _by_row(parts: Sequence[tuple[Rows, Hashes]], rows: int) -> Tokens:
    """The tokens of all parts row by row. Rows ascend within a part, so the place of each token can be counted."""
    sizes = [np.bincount(row, minlength=rows) for row, _ in parts]
    start = np.concatenate([[0], np.cumsum(np.sum(sizes, axis=0))]).astype(np.int64)
    slots = np.zeros(start[-1], dtype=np.int64)
    free = start[:-1].copy()
    for (row, key), size in zip(parts, sizes, strict=True):
        begins = np.concatenate([[0], np.cumsum(size)[:-1]])
        slots[free[row] + np.arange(len(row)) - begins[row]] = key >> np.uint64(64 - BITS)
        free += size
    return Tokens(slots=slots, start=start)
