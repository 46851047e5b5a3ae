"""The level of a model's probabilities: how far a register has moved since its model was fitted.

The shift of the log-odds is a random walk from month to month, around which each month lies by itself (its season, a
budget). What a month's publications ended with, against what was forecast of them, shows a little of it. A Kalman
filter follows it (a local level model; Harvey 1989, Forecasting, Structural Time Series Models and the Kalman Filter)
and says how far the next month may lie away. Outcomes count as `features.track_records.delays` says, so that what is
told first does not move the level.

Nothing is refitted: order and reasons stay as they are. With a new fit the level starts anew, since the fit has learnt
from the outcomes that had moved it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.track_records.delays import Days, Floats, Teaching, teaching
from models.bundle import ANY, Bundle
from models.calibration import sigmoid
from models.effects import Z95

Rule = Callable[[Days, Days, Floats, int], Teaching]
"""What of (published, known, y) may teach as of a day."""

MONTH = 30
"""Days of publications that show one level."""
START, STEP, NOISE = 0.15, 0.05, 0.15
"""Spreads in log-odds: of a level when its model is fitted, of its move in a month, and of a single month around it.
Judged on all months of all registers (`benchmarks.prequential`), and not fitted to any."""
START_OF_OTHERS = 0.5
"""That of a level where tenders are of others than the models were fitted on, as of one office."""
HORIZON_MONTHS = 6
"""How far ahead a served interval looks."""
FOLLOWED = ("no_award", "single_bid")
"""Outcomes whose level is followed. That contracts end early is known years later."""
ROUNDS = 5
"""Newton's steps to the level of one month."""


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """Where the level stands: its `shift` in log-odds with its `variance`, the day (ordinal) of the publications that
    it was last seen on, and how many outcomes were counted. `day` begins as that of the fit."""

    day: int
    shift: float = 0.0
    variance: float = START**2
    cases: int = 0

    def variance_on(self, day: int) -> float:
        """The variance of what the publications of one month show, on a later day."""
        return self.variance + NOISE**2 + STEP**2 * max(day - self.day, 0) / MONTH

    @property
    def stale(self) -> bool:
        """Whether it has moved farther than the intervals of a model that was not moved allow for."""
        return bool(abs(self.shift) > Z95 * np.sqrt(served_variance()))


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """All that a register has published, with what was forecast and what is known of it, shapes (rows,).

    `logit` are calibrated log-odds, NaN where nothing was forecast: such a row shows only how fast outcomes are known.
    `published` and `known` are ordinals, `y` is 1, 0 or NaN, rows of one `cluster` share their fate.
    """

    logit: Floats
    published: Days
    known: Days
    y: Floats
    cluster: Days


def level_day(bundle: Bundle) -> int | None:
    """The day (ordinal) after the last publication that a bundle's own models learnt from; None where they are for more
    than one register."""
    if bundle.manifest.register == ANY:
        return None
    own = [source for source in bundle.manifest.data if source.name not in bundle.registers]
    return max((date.fromisoformat(source.last).toordinal() for source in own), default=-1) + 1 or None


def moved_bundle(bundle: Bundle, shifts_of: Mapping[tuple[str, str], float]) -> Bundle:
    """The bundle with the levels of its registers moved, by (register, outcome), in log-odds: the same models."""
    register = bundle.manifest.register
    return msgspec.structs.replace(
        bundle,
        calibration={
            (outcome, stage): line.moved(shifts_of.get((register, outcome), 0.0))
            for (outcome, stage), line in bundle.calibration.items()
        },
        registers={name: moved_bundle(other, shifts_of) for name, other in bundle.registers.items()},
    )


def served_variance() -> float:
    """The variance of the level, on average over the time that a served interval has to hold."""
    return START**2 + STEP**2 * HORIZON_MONTHS / 2


def follow(seen: Known, day: int, start: Level, rule: Rule = teaching) -> Level:
    """The level as of a day: `start`, moved by what was known before that day of publications since that of `start`.

    What is known teaches by the `rule`; others than the default are for comparison (`benchmarks.prequential`).
    """
    taught = rule(seen.published, seen.known, seen.y, day)
    new = (seen.published[taught.rows] >= start.day) & ~np.isnan(seen.logit[taught.rows])
    rows, weight = taught.rows[new], taught.weight[new]
    shared = _shared_fate(seen, rows, weight) if len(rows) else 1.0
    level = start
    for first, of in _by_month(seen.published[rows], start.day):
        level = _moved(level, first, seen.logit[rows[of]], seen.y[rows[of]], weight[of] / shared)
    return level


def shifts(seen: Known, days: Days, start: Level, rule: Rule = teaching) -> Floats:
    """The shift of the level on each of these days (ordinals), as it stood at the beginning of the day's month, shape
    (days,). Before the day of `start` it is 0."""
    months = np.where(days >= start.day, (days - start.day) // MONTH, -1)
    by_month = {
        month: follow(seen, start.day + MONTH * int(month), start).shift for month in np.unique(months) if month >= 0
    }
    return np.array([by_month.get(month, 0.0) for month in months])


def _by_month(published: Days, first: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The rows of each month of publications, counted from a day, with the month's first day."""
    number = (published - first) // MONTH
    for month in np.unique(number):
        yield first + MONTH * int(month), np.flatnonzero(number == month)


def _shared_fate(seen: Known, rows: NDArray[np.int64], weight: Floats) -> float:
    """How much more the outcomes of clusters vary than those of single cases would; at least 1."""
    p = sigmoid(seen.logit[rows].copy())
    clusters = np.unique(seen.cluster[rows], return_inverse=True)[1]
    together = np.bincount(clusters, weight * (seen.y[rows] - p)) ** 2
    return max(1.0, float(together.sum() / np.sum(weight * p * (1 - p))))


def _moved(level: Level, first: int, logit: Floats, y: Floats, weight: Floats) -> Level:
    """The level after the publications of the month that begins on a day."""
    before, variance = level.shift, level.variance + STEP**2 * (first - level.day) / MONTH
    shift = before
    for _ in range(ROUNDS):
        p = sigmoid(logit + shift)
        information = float(weight @ (p * (1 - p)))
        # What the month shows of the level is blurred by where the month itself lies.
        blurred = 1 / (1 + information * NOISE**2)
        score = float(weight @ (y - p)) * blurred
        shift += (score - (shift - before) / variance) / (information * blurred + 1 / variance)
    left = 1 / (1 / variance + information * blurred)
    return Level(day=first, shift=shift, variance=left, cases=level.cases + len(y))
