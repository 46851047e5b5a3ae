"""What is known so far of how tenders ended, and what it may teach: the one rule on delay.

Outcomes become known late and at different speeds: where failures are told in two weeks and awards in eight, most of
what is known of recent publications are failures, and their share is no rate. So a known outcome counts by the inverse
of the probability that an outcome of its kind is known by the age of its publication (Horvitz and Thompson 1952; for
delayed reports Lawless 1994), and publications so young that less than `LEAST_KNOWN` of either kind would be known
teach nothing.

The probability is estimated as of the day itself, from what was published and known by then: the cumulative incidence
of each kind (Aalen and Johansen 1978), of which what is still open counts as under way. What the oldest ages have not
seen yet is continued at the pace, and with the share of either kind, of the oldest third of the ages. So a register
that is a few months old does not take its quickest outcomes for all of them.

The same rule chooses and weighs the rows to fit and to calibrate on, the register's level, and what forecasts are
judged on.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Days = NDArray[np.int64]
Rows = NDArray[np.int64]

LEAST_KNOWN = 0.2
"""The share of either kind of outcome that must be known of publications that teach: a weight is at most 5."""
MATURE = 0.8
"""That of publications on which forecasts are judged."""
LONGEST = 730
"""Days after publication beyond which everything that will ever be known is taken to be known."""
RECENT = 1095
"""Days back from which the delay is estimated: how fast outcomes are told changes."""
AHEAD = 365
"""Days for which the pace of the oldest ages is continued."""
STRAYS = 0.001
"""The share of the known publications that may lie before a register's first ones: the rest of that time is not
recorded, and nothing of it is under way."""
WEEK, QUARTER, YEAR = 7, 90, 365
GUESS = 0.2
"""The rate before any outcome is known; it counts as one case."""


class Delays(msgspec.Struct, frozen=True):
    """How fast outcomes become known, as of a day: `known[k, a]` is the share of the cases of kind k (0 without the
    outcome, 1 with it) that are known a days after publication, shape (2, LONGEST + 2)."""

    known: Floats

    def share(self, age: Days, y: Floats) -> Floats:
        """The share of cases like each that are known by its age; `y` has no NaN. Shape (rows,)."""
        return np.asarray(self.known[y.astype(np.int64), _within(age)], dtype=np.float64)

    def least(self, age: Days) -> Floats:
        """The share that is known by an age of that kind of outcome of which less is known, shape (rows,)."""
        return np.asarray(self.known.min(axis=0)[_within(age)], dtype=np.float64)


class Teaching(msgspec.Struct, frozen=True):
    """Rows whose outcome may teach as of a day, and the weight of each, shapes (rows,)."""

    rows: Rows
    weight: Floats


def delays_as_of(published: Days, known: Days, y: Floats, day: int) -> Delays:
    """How fast outcomes became known, as far as that could be seen before a day.

    `published` and `known` are ordinals, `y` is 1, 0 or NaN for what was never known, shapes (rows,).
    """
    resolved = ~np.isnan(y) & (known < day) & (published < day)
    if not resolved.any():
        return Delays(np.ones((2, LONGEST + 2)))
    first = max(int(np.quantile(published[resolved], STRAYS)), day - RECENT)
    rows = np.flatnonzero((published < day) & (published >= first))
    resolved = resolved[rows]
    age = np.clip(np.where(resolved, known[rows] - published[rows], day - 1 - published[rows]), 0, LONGEST)
    at_risk = np.bincount(age, minlength=LONGEST + 1)[::-1].cumsum()[::-1]
    ends = np.array([np.bincount(age[resolved & (y[rows] == kind)], minlength=LONGEST + 1) for kind in (0, 1)])
    hazard = ends / np.maximum(at_risk, 1)
    open_share = np.concatenate([[1.0], np.cumprod(1 - hazard.sum(axis=0))])
    incidence = np.cumsum(open_share[:-1] * hazard, axis=1)
    oldest = int(age.max(initial=0))
    lately = slice(2 * oldest // 3, oldest + 1)
    pace = ends[:, lately].sum(axis=1) / max(at_risk[lately].sum(), 1)
    to_come = open_share[oldest + 1] * -np.expm1(-pace.sum() * AHEAD) * pace / max(pace.sum(), 1e-12)
    whole = incidence[:, -1] + to_come
    # Of a kind that was never seen nothing is known of its delay, and no row of it needs a weight.
    share = np.where(whole[:, None] > 0, incidence / np.maximum(whole[:, None], 1e-12), 1.0)
    return Delays(np.concatenate([np.zeros((2, 1)), np.minimum(share, 1.0)], axis=1))


def teaching(published: Days, known: Days, y: Floats, day: int, least: float = LEAST_KNOWN) -> Teaching:
    """What was known before a day and may teach then, with its weight: 1 over the share of its kind that is known."""
    delays = delays_as_of(published, known, y, day)
    rows = np.flatnonzero(~np.isnan(y) & (known < day) & (published < day))
    rows = rows[delays.least(day - published[rows]) >= least]
    return Teaching(rows, 1 / delays.share(day - published[rows], y[rows]))


def levels(published: Days, known: Days, y: Floats, weight: Floats, days: Days) -> Floats:
    """The rate of the outcome of the last year in log-odds, and how far that of the last quarter is from it, as of the
    beginning of the week of each of `days`: shape (2, days). `weight` is what a case counts, shape (rows,)."""
    weeks, place = np.unique(days // WEEK, return_inverse=True)
    by_week = np.array([level_as_of(published, known, y, weight, int(week) * WEEK) for week in weeks]).reshape(-1, 2)
    return np.ascontiguousarray(by_week[place].T)


def level_as_of(published: Days, known: Days, y: Floats, weight: Floats, day: int) -> tuple[float, float]:
    """The same as of one day."""
    recent = np.flatnonzero((published < day) & (published >= day - RECENT))
    taught = teaching(published[recent], known[recent], y[recent], day)
    rows = recent[taught.rows]
    ages, counts = day - published[rows], taught.weight * weight[rows]
    logits = []
    for half_life in (YEAR, QUARTER):
        fading = counts * np.exp2(-ages / half_life)
        rate = (float(fading @ y[rows]) + GUESS) / (float(fading.sum()) + 1)
        logits.append(float(np.log(rate / (1 - rate))))
    return logits[0], logits[1] - logits[0]


def _within(age: Days) -> Days:
    return np.clip(age, 0, LONGEST + 1)
