"""Rolling in time: fit on what was known at a cut, judge on what was published in the window after it, move on.

A snapshot, which time cannot order, is judged on buyers that were held out instead.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from features.matrix import Matrix
from tenders.errors import DataError
from training.boosting import fit, margins, weights, without_gaps
from training.frames import Frame
from training.recipe import Boost
from training.splits import grouped_folds

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

LONGEST, SHORTEST = 365, 30
"""A window in days: a sixth of the register's span between these."""
RIPE = 120
"""Days that cases near the cut must have had to end, at most: what ends late ends otherwise, and would be missing."""
SHARES, PARTS = (0.3, 0.6, 1.0), 4
"""Shares of the columns that are tried in a snapshot, and the parts of buyers that decide."""


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """One step: the day of the cut, the rows to fit on with their outcome as known then, and the rows to judge on."""

    cut: int
    train: Numbers
    y: Floats
    test: Numbers


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What models said of rows that they had not seen: row numbers, margins, and the slice of each."""

    rows: Numbers
    margin: Floats
    slice: Numbers


def slices(frame: Frame, steps: int) -> Iterator[Slice]:
    """The last `steps` windows, oldest first; or folds of buyers, if the register is a snapshot."""
    told = np.flatnonzero(frame.told)
    last = int(frame.published[told].max())
    if frame.snapshot:
        for train, test in grouped_folds(frame.buyer[told], steps + 2, 1):
            yield Slice(cut=last, train=told[train], y=frame.y[told[train]], test=told[test])
        return
    window = window_of(frame)
    for step in range(steps, 0, -1):
        cut = last - step * window
        test = told[(frame.published[told] > cut) & (frame.published[told] <= cut + window)]
        train, y = known_at(frame, cut + 1)
        if len(test) and len(train) and 0 < y.sum() < len(y):
            yield Slice(cut=cut + 1, train=train, y=y, test=test)


def window_of(frame: Frame) -> int:
    """Length of a window in days."""
    published = frame.published[frame.told]
    span = int(np.quantile(published, 0.999) - np.quantile(published, 0.001))
    return int(np.clip(span // 6, SHORTEST, LONGEST))


def known_at(frame: Frame, cut: int) -> tuple[Numbers, Floats]:
    """Rows to fit on at a cut and their outcome as known then.

    A case must have ended by then. Contracts are taken as the history tells them in the end: theirs are known years
    later, and a model that is fitted on what had ended by the cut would have to be told apart from the one that is
    served, which knows more. So figures of early_end are those of a history that has had time (docs/registers.md).
    """
    told = frame.told
    if frame.outcome == "early_end":
        rows = np.flatnonzero(told & (frame.published < cut))
        return rows, frame.y[rows]
    lag = (frame.known - frame.published)[told]
    ripe = min(int(np.quantile(lag, 0.99)), RIPE, window_of(frame) // 2)
    rows = np.flatnonzero(told & (frame.known < cut) & (frame.published < cut - ripe))
    return rows, frame.y[rows]


def forecast(frame: Frame, boost: Boost, steps: int, seed: int) -> Forecast:
    """Margins of every slice's test rows by a model fitted at its cut."""
    rows, found, number = [], [], []
    for index, part in enumerate(slices(frame, steps)):
        booster = fitted(frame, part, settled(frame, part, boost, seed), seed)
        rows.append(part.test)
        found.append(said(frame, booster, part.test, boost))
        number.append(np.full(len(part.test), index))
    if not rows:
        raise DataError.at(frame.register, f"too short a history to judge {frame.outcome} on later cases", "Add years")
    return Forecast(rows=np.concatenate(rows), margin=np.concatenate(found), slice=np.concatenate(number))


def fitted(frame: Frame, part: Slice, boost: Boost, seed: int) -> xgb.Booster:
    """The model of a slice, fitted on those of its rows that are not too old."""
    chosen = recent(frame, part, boost)
    told = lesson(frame, part.train[chosen], part.y[chosen], part.cut, boost)
    return fit(told.x, told.y, told.weight, frame.names, boost, seed, told.start)


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """Rows to fit on: columns, outcomes, what each counts, and the log-odds it starts from, if any."""

    x: Matrix
    y: Floats
    weight: Floats
    start: Floats | None


def lesson(frame: Frame, rows: Numbers, y: Floats, cut: int, boost: Boost) -> Lesson:
    """What is learnt from rows of a table and their outcomes, as known at the cut."""
    x, of, share = without_gaps(frame.x[rows], frame.names, frame.gaps)
    weight = share * weights(frame, rows, cut, boost)[of]
    return Lesson(x=x, y=y[of], weight=weight, start=start(frame, rows[of], boost))


def start(frame: Frame, rows: Numbers, boost: Boost) -> Floats | None:
    """The log-odds that rows have before any tree, by the register's own rate on their day; None if the trees are to
    find the level themselves."""
    return boost.level * frame.level[rows] if boost.level else None


def said(frame: Frame, booster: xgb.Booster, rows: Numbers, boost: Boost) -> Floats:
    """Log-odds of rows: where they start, and what the trees of such a `boost` make of it."""
    margin, begun = margins(booster, frame.x[rows], frame.names), start(frame, rows, boost)
    return margin if begun is None else margin + begun


def settled(frame: Frame, part: Slice, boost: Boost, seed: int) -> Boost:
    """How a slice's model is fitted, once its own rows have decided what the recipe could not be searched for.

    A snapshot has no earlier windows, and how many columns a tree should see depends on the stage: when bids are in,
    two columns decide, and trees that miss both learn noise. That share is taken which forecasts other buyers best, by
    log loss, all of them within the rows to fit on: the rows to judge on have no say.
    """
    if not frame.snapshot:
        return boost
    tried = [msgspec.structs.replace(boost, column_share=share) for share in sorted({boost.column_share, *SHARES})]
    return min(tried, key=lambda each: _lost(frame, part, each, seed))


def _lost(frame: Frame, part: Slice, boost: Boost, seed: int) -> float:
    lost = []
    for train, test in grouped_folds(frame.buyer[part.train], PARTS, seed):
        within = Slice(cut=part.cut, train=part.train[train], y=part.y[train], test=part.train[test])
        margin = said(frame, fitted(frame, within, boost, seed), within.test, boost)
        lost.append(np.logaddexp(0, np.where(part.y[test] > 0, -margin, margin)))
    return float(np.mean(np.concatenate(lost)))


def recent(frame: Frame, part: Slice, boost: Boost) -> Numbers:
    """Which of a slice's training rows are not too old, as places in it."""
    oldest = part.cut - boost.years * 366 if boost.years else -1
    return np.flatnonzero(frame.published[part.train] >= oldest)
