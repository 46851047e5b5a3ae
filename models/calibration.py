"""Calibration: from a booster's margin to a probability with an interval, by a few numbers.

`p = 1 / (1 + exp(-(intercept + slope * margin)))`. The slope is never negative, so that calibration keeps the booster's
order (more lots never raise the risk). The interval comes from the same two numbers, fitted on resampled groups of
cases: the fewer the groups, the wider the interval. By hand, because the fit has priors and the resamples must be
applied to millions of rows (`training.calibrate` has the fit).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.table import Floats

Precision = TypeVar("Precision", np.float32, np.float64)
Draws = NDArray[np.float32]
"""In single precision: a bound is shown to 4 places, and a portfolio makes hundreds of millions of draws."""

INTERVAL = (2.5, 97.5)
"""Percentiles of the resampled probabilities that the interval spans: 95 %."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The calibration of one register, outcome and stage: the fitted line, its resamples, and what it was fitted on.

    `base_rate` is the share of positives among the `cases`; `groups` is the number of clusters of cases that share
    their outcome. `resampled` holds (intercept, slope) pairs.
    """

    intercept: float
    slope: float
    resampled: tuple[tuple[float, float], ...]
    base_rate: float
    cases: int
    positives: int
    groups: int

    def logit(self, margin: float) -> float:
        """The calibrated log-odds of a margin."""
        return self.intercept + self.slope * margin

    def moved(self, shift: float) -> Calibration:
        """The calibration at a level that lies so far away, in log-odds; its base rate moves with it."""
        if not shift:
            return self
        return msgspec.structs.replace(
            self,
            intercept=self.intercept + shift,
            resampled=tuple((intercept + shift, slope) for intercept, slope in self.resampled),
            base_rate=1 / (1 + math.exp(-_log_odds(self.base_rate) - shift)),
        )

    def at_unknown_level(self, rates: Sequence[float]) -> Calibration:
        """The same for margins that say how far a tender lies from the level of a register that nobody knows.

        The level is the base rate. The interval spans what it was in other registers, whose base rates are `rates`.
        """
        levels = [_log_odds(rate) + self.intercept for rate in rates] or [_log_odds(self.base_rate)]
        return msgspec.structs.replace(
            self,
            intercept=_log_odds(self.base_rate),
            resampled=tuple((level, slope) for level in levels for _, slope in self.resampled),
        )

    def draws(self, margins: Floats) -> Draws:
        """The probability of each margin under each resample, shape (margins, resamples)."""
        logits = np.multiply.outer(margins.astype(np.float32), self._lines[:, 1])
        logits += self._lines[:, 0]
        return sigmoid(logits)

    def probability(self, margin: float) -> float:
        """The calibrated probability of a margin."""
        return 1 / (1 + math.exp(-min(max(self.logit(margin), -50.0), 50.0)))

    def probabilities(self, margins: Floats) -> Floats:
        """The calibrated probability of each margin, shape (margins,)."""
        return sigmoid(np.clip(self.intercept + self.slope * margins, -50.0, 50.0))

    @cached_property
    def _lines(self) -> Draws:
        return np.asarray(self.resampled, dtype=np.float32)


def _log_odds(rate: float) -> float:
    rate = min(max(rate, 1e-6), 1 - 1e-6)
    return math.log(rate / (1 - rate))


def sigmoid(logit: NDArray[Precision]) -> NDArray[Precision]:
    """Log-odds to probabilities, in place. Values that overflow become 0."""
    with np.errstate(over="ignore"):
        np.exp(np.negative(logit, out=logit), out=logit)
        logit += 1
        return np.divide(1, logit, out=logit)


def failure_probability(no_award: float, early_end: float) -> float:
    """The probability of failure: no award, or an award that ends early (`early_end` is conditional on an award)."""
    return 1 - (1 - no_award) * (1 - early_end)
