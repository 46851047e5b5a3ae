"""Tenders counted against a reference as they come, so that a million cost no more memory than a hundred."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.training_profile import CODES, LEVELS, Reference, codes_of
from tenders.tender import Tender

Floats = NDArray[np.float64]

ROUNDED = 1e-5
"""How far, of itself, a quantile may lie from the value it was rounded from: a value that many rows share, such as a
third, must not fall on the other side of it."""


class Counted(msgspec.Struct):
    """A column against its quantiles: the values seen, how many unknown, below each quantile, and not above it."""

    quantiles: Floats
    known: int = 0
    unknown: int = 0
    below: Floats = msgspec.field(default_factory=lambda: np.zeros(len(LEVELS)))
    up_to: Floats = msgspec.field(default_factory=lambda: np.zeros(len(LEVELS)))

    def add(self, values: NDArray[np.floating]) -> None:
        """Counts more values, shape (rows,), NaN for unknown."""
        known = np.sort(values[~np.isnan(values)].astype(np.float64))
        self.known += len(known)
        self.unknown += len(values) - len(known)
        if len(self.quantiles):
            slack = ROUNDED * np.abs(self.quantiles)
            self.below += np.searchsorted(known, self.quantiles - slack, side="left")
            self.up_to += np.searchsorted(known, self.quantiles + slack, side="right")

    def farthest(self) -> tuple[float, float, float, float]:
        """The distance, with the quantile where it lies, the share below it then and the share now."""
        levels = np.asarray(LEVELS)
        more, fewer = self.below / self.known - levels, levels - self.up_to / self.known
        at = int(np.argmax(np.maximum(more, fewer)))
        now = (self.below if more[at] >= fewer[at] else self.up_to)[at] / self.known
        return max(float(more[at]), float(fewer[at]), 0.0), float(self.quantiles[at]), LEVELS[at], float(now)


class Tally:
    """What is counted of tenders of one model's stage as they come, for comparing with its reference."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self.rows = 0
        self.features: dict[str, dict[str, Counted]] = {}
        self.scores: dict[str, Counted] = {}
        self.codes: dict[str, Counter[str]] = {name: Counter() for name in CODES}

    def add(self, tenders: Sequence[Tender]) -> None:
        """Counts tenders and their codes."""
        self.rows += len(tenders)
        for tender in tenders:
            for name, code in codes_of(tender).items():
                if code is not None:
                    self.codes[name][code] += 1

    def measured(self, part: str, names: Sequence[str], matrix: NDArray[np.floating]) -> None:
        """Counts what a part (`outcome-stage`) reads of tenders, shape (tenders, names), NaN for unknown."""
        spreads = self.reference.features.get(part, {})
        own = self.features.setdefault(
            part, {name: Counted(np.asarray(spreads[name].quantiles)) for name in names if name in spreads}
        )
        for place, name in enumerate(names):
            if name in own:
                own[name].add(matrix[:, place])

    def scored(self, part: str, p: Floats) -> None:
        """Counts the probabilities that a part gives, shape (tenders,)."""
        if part in self.reference.scores:
            own = self.scores.setdefault(part, Counted(np.asarray(self.reference.scores[part])))
            own.add(p)
