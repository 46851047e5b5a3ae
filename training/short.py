"""Histories of less than a year, and those whose outcomes come too late for several windows.

Such a history is judged on its last month, by a model fitted on what was known when that month began. What the model
forecasts is calibrated on folds of buyers within those earlier cases: there are no earlier windows to take.

If hardly anything had ended by then, the earlier publications teach as the history tells them in the end. If even these
are too few, time cannot judge the history: it is taken as a snapshot, and judged on buyers that were held out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.track_records.delays import Teaching
from training.splits import Split, grouped_folds

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

FEWEST = 50
"""Cases of either kind below which no model of an outcome is fitted."""
FEW = 10
"""Cases of either kind below which a last month judges nothing."""
YEAR, MONTH, WEEK = 365, 30, 7
FOLDS = 5
"""Folds of buyers that calibrate."""
FEWEST_BUYERS = 20
"""Buyers below which the folds are of cases that share their fate: a few buyers make no folds."""


class LastMonth(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that judge a short history, published from the day `cut` on, and those to fit on.

    `in_the_end` says that the rows to fit on have their outcomes as the history tells them in the end.
    """

    cut: int
    train: Teaching
    test: Numbers
    in_the_end: bool

    def words(self, published: Numbers) -> str:
        """How it judges, in a sentence. `published` are the days of all rows, as ordinals."""
        first, last = (date.fromordinal(int(day)) for day in (self.cut, published[self.test].max()))
        known = (
            "as the history tells them in the end, because too few had ended by then"
            if self.in_the_end
            else "as known on the first of these days"
        )
        return (
            f"out of time on what was published from {first} to {last} ({len(self.test):,} cases), by a model fitted "
            f"on {len(self.train.rows):,} earlier cases with their outcomes {known}, and calibrated on folds of these"
        )


def is_short(published: Numbers) -> bool:
    """Whether publications (ordinals) span less than a year, strays at either end left out."""
    return len(published) > 0 and _span(published) < YEAR


def last_month(
    published: Numbers, y: Floats, judged: Numbers, known_rows: Callable[[int], Teaching]
) -> LastMonth | None:
    """The last month of a history, or the last quarter of one of less than four months; None if time cannot judge it.

    `published` are days as ordinals, `y` is NaN for censored rows, shapes (rows,); `judged` are the rows that can
    judge, `known_rows` gives those that may teach at a cut.
    """
    if not len(judged):
        return None
    length = int(np.clip(_span(published[judged]) // 4, WEEK, MONTH))
    cut = int(published[judged].max()) - length + 1
    test = judged[published[judged] >= cut]
    if not _enough(y[test], FEW):
        return None
    known = known_rows(cut)
    if _enough(y[known.rows], FEWEST):
        return LastMonth(cut=cut, train=known, test=test, in_the_end=False)
    earlier = np.flatnonzero(~np.isnan(y) & (published < cut))
    if _enough(y[earlier], FEWEST):
        return LastMonth(cut=cut, train=Teaching(earlier, np.ones(len(earlier))), test=test, in_the_end=True)
    return None


def month_splits(month: LastMonth, y: Floats, buyer: Numbers, cluster: Numbers) -> Iterator[Split]:
    """Folds of the rows to fit on, which calibrate, as window 0; then the last month as window 1.

    `buyer` and `cluster` number all rows, shape (rows,).
    """
    rows = month.train.rows
    group = buyer if len(np.unique(buyer[rows])) >= FEWEST_BUYERS else cluster
    for train, test in grouped_folds(group[rows], FOLDS, 1):
        if _enough(y[rows[train]], 1):
            weight = month.train.weight[train]
            yield Split(cut=month.cut, train=rows[train], y=y[rows[train]], weight=weight, test=rows[test], window=0)
    yield Split(cut=month.cut, train=rows, y=y[rows], weight=month.train.weight, test=month.test, window=1)


def _enough(y: Floats, of_either: int) -> bool:
    """Whether there are so many cases of either kind."""
    return min(int(y.sum()), int(len(y) - y.sum())) >= of_either


def _span(published: Numbers) -> int:
    return int(np.quantile(published, 0.999) - np.quantile(published, 0.001))
