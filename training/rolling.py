"""A register's model of one outcome at one stage: validated by rolling windows, calibrated, fitted on everything.

A window is judged by a model fitted on what was known at its cut, the day before it begins. A snapshot, which time
cannot order, is judged on buyers that were held out, and a history of less than a year on its last month
(`training.short`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from scipy.special import expit

from features.matrix import Matrix
from features.track_records import delays
from features.track_records.delays import Teaching
from features.track_records.register_history import RegisterHistory
from models.bundle import ModelPart
from models.calibration import Calibration
from models.level import START, Known, Level, Rule, served_variance, shifts
from models.training_profile import FeatureQuantiles, feature_quantiles
from tenders.errors import DataError
from tenders.facts import Stage
from training import metrics
from training.calibrate import fit_calibration, shrink_slope_to_one, widen_for_level
from training.datasets import RegisterDataset
from training.fit import booster_margin, fit_booster, hide_gaps, hide_some_cells
from training.recipe import BoosterParams
from training.short import LastMonth, is_short, last_month, month_splits
from training.splits import Split, grouped_folds

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

STEPS = 3
"""Windows that are forecast: the first is calibrated on only, the others are judged too."""
LONGEST, SHORTEST = 365, 30
"""Bounds of a window in days; between them it is a sixth of the register's span."""
COLUMN_SHARES, PARTS = (0.3, 0.6, 1.0), 4
"""Shares of the columns that are tried in a snapshot, and the folds of buyers that decide."""
MOST_CALIBRATED = 20_000
"""Forecasts that a calibration is fitted on, spread evenly: more do not change two numbers."""
MONTH = 30
YEAR = 365
"""Days before the last publication whose rows count in a profile: an older register is no measure of today's."""
FEWEST_OF_YEAR = 2000
"""Rows of a year below which a profile counts all rows: its outer quantiles rest on one row in twenty."""


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """Margins of rows that their model had not seen: row numbers, margins, and the number of each row's split."""

    rows: Numbers
    margin: Floats
    split: Numbers


class TrainingMatrix(msgspec.Struct, frozen=True, kw_only=True):
    """Rows to fit on: columns, outcomes, weights, and the log-odds they start from, if any."""

    x: Matrix
    y: Floats
    weight: Floats
    base_margin: Floats | None


class Forecasts(msgspec.Struct, frozen=True, kw_only=True):
    """Forecasts of one outcome at one stage of cases that the model had not seen, shapes (rows,).

    `key` identifies a case in every run; rows of one `cluster` share their fate; `groups` name the kind of each case.
    """

    register: str
    outcome: str
    stage: Stage
    key: NDArray[np.uint64]
    y: Floats
    p: Floats
    cluster: Numbers
    groups: Mapping[str, NDArray[np.str_]]

    @property
    def name(self) -> str:
        """register/outcome/stage."""
        return f"{self.register}/{self.outcome}/{self.stage}"


class IntervalForecasts(Forecasts, frozen=True, kw_only=True):
    """A register's forecasts with 95 % intervals, each calibrated on earlier windows (in a snapshot: other buyers)."""

    low: Floats
    high: Floats


class RegisterFit(msgspec.Struct, frozen=True, kw_only=True):
    """The model of one outcome and stage of a register, and what judges it.

    `quantiles` describe the columns that the booster reads, `scores` are the probabilities of the latest unseen cases.
    """

    part: ModelPart
    booster: xgb.Booster
    calibration: Calibration
    forecasts: IntervalForecasts
    quantiles: dict[str, FeatureQuantiles]
    scores: Floats
    history: RegisterHistory


def fit_register(data: RegisterDataset, params: BoosterParams, seed: int, resamples: int) -> RegisterFit:
    """Validates, calibrates and fits the model of one dataset."""
    tested = backtest(data, params, STEPS, seed)
    line = calibrate_backtest(data, tested, np.full(len(tested.margin), True), seed, resamples)
    booster = fit_final(data, params, seed)
    part = ModelPart(
        outcome=data.outcome,
        stage=data.stage,
        features=tuple(booster.feature_names or ()),
        level=params.level,
    )
    labelled = np.flatnonzero(data.labelled)
    recent = labelled[latest_year(data.published[labelled])]
    newest = np.full(len(tested.margin), True) if data.snapshot else tested.split == tested.split.max()
    return RegisterFit(
        part=part,
        booster=booster,
        calibration=line,
        forecasts=calibrated_forecasts(data, tested, seed, resamples),
        quantiles=column_quantiles(data.x, data.names, part.features, recent),
        scores=line.probabilities(tested.margin[newest]),
        history=data.history,
    )


def rolling_splits(data: RegisterDataset, steps: int) -> Iterator[Split]:
    """The last `steps` windows, oldest first; folds of buyers, if the register is a snapshot.

    Of publications so recent that their outcomes are hardly known none is judged: those that are known are the quick
    ones.
    """
    judged = judged_rows(data)
    last = int(data.published[judged].max())
    if data.snapshot:
        for train, test in grouped_folds(data.buyer[judged], steps + 2, 1):
            rows = judged[train]
            yield Split(cut=last, train=rows, y=data.y[rows], weight=np.ones(len(rows)), test=judged[test])
        return
    # A short history is cut on its own days: a window of a sixth of it would judge next to nothing.
    windows = [] if is_short(data.published[judged]) else list(window_splits(data, steps))
    month = None if windows else month_of(data)
    yield from month_splits(month, data.y, data.buyer, data.cluster) if month else windows


def window_splits(data: RegisterDataset, steps: int) -> Iterator[Split]:
    """The last `steps` windows of a history, however short, oldest first."""
    judged, window = judged_rows(data), window_days(data)
    last = int(data.published[judged].max())
    for step in range(steps, 0, -1):
        cut = last - step * window
        test = judged[(data.published[judged] > cut) & (data.published[judged] <= cut + window)]
        known = known_rows(data, cut + 1)
        y = data.y[known.rows]
        if len(test) and len(y) and 0 < y.sum() < len(y):
            yield Split(cut=cut + 1, train=known.rows, y=y, weight=known.weight, test=test)


def month_of(data: RegisterDataset) -> LastMonth | None:
    """The last month of a dataset, which judges it if it is short; None if time cannot judge it."""
    return last_month(data.published, data.y, judged_rows(data), lambda cut: known_rows(data, cut))


def judged_rows(data: RegisterDataset) -> Numbers:
    """The rows that a forecast can be judged on: their outcome is known, and so are most outcomes of their age."""
    labelled = np.flatnonzero(data.labelled)
    if not tells_delay(data):
        return labelled
    end = int(max(data.known[labelled].max(), data.published[labelled].max())) + 1
    mature = delays.teaching(data.published, data.known, data.y, end, delays.MATURE).rows
    return mature if len(mature) else labelled


def tells_delay(data: RegisterDataset) -> bool:
    """Whether the register shows how fast outcomes become known: time orders it, and outcomes do not take years."""
    return not data.snapshot and data.outcome != "early_end"


def window_days(data: RegisterDataset) -> int:
    """Length of a window in days."""
    published = data.published[data.labelled]
    span = int(np.quantile(published, 0.999) - np.quantile(published, 0.001))
    return int(np.clip(span // 6, SHORTEST, LONGEST))


def known_rows(data: RegisterDataset, cut: int) -> Teaching:
    """Rows to fit on at a cut, with their weight (`features.track_records.delays`).

    A case must have ended by then. Contracts (early_end) are the exception: they are taken as the history tells them in
    the end. Their outcome is known years later, and a model fitted on what had ended by the cut would differ from the
    one that is served, which knows more. So figures of early_end are those of a history that has had time
    (docs/registers.md). A snapshot is taken whole.
    """
    if tells_delay(data):
        return delays.teaching(data.published, data.known, data.y, cut)
    rows = np.flatnonzero(data.labelled & ((data.published < cut) | data.snapshot))
    return Teaching(rows, np.ones(len(rows)))


def backtest(data: RegisterDataset, params: BoosterParams, steps: int, seed: int) -> Backtest:
    """Margins of every split's test rows, by a model fitted at its cut. Raises DataError if there is no split."""
    rows, margins, numbers = [], [], []
    for number, split in enumerate(rolling_splits(data, steps)):
        booster = fit_split(data, split, tune_column_share(data, split, params, seed), seed)
        rows.append(split.test)
        margins.append(predict_margin(data, booster, split.test, params))
        numbers.append(np.full(len(split.test), number if split.window is None else split.window))
    if not rows:
        raise DataError.at(data.register, f"too short a history to judge {data.outcome} on later cases", "Add years")
    return Backtest(rows=np.concatenate(rows), margin=np.concatenate(margins), split=np.concatenate(numbers))


def fit_split(data: RegisterDataset, split: Split, params: BoosterParams, seed: int) -> xgb.Booster:
    """The model of a split, fitted on those of its rows that are not too old."""
    chosen = recent_rows(data, split, params)
    matrix = training_matrix(data, split.train[chosen], split.y[chosen], split.cut, params, split.weight[chosen])
    return fit_booster(matrix.x, matrix.y, matrix.weight, data.names, params, seed, matrix.base_margin)


def fit_final(data: RegisterDataset, params: BoosterParams, seed: int) -> xgb.Booster:
    """The model that is served: fitted on everything that is known."""
    cut = int(data.published[data.labelled].max()) + 1
    known = known_rows(data, max(cut, int(data.known[data.labelled].max()) + 1))
    split = Split(cut=cut, train=known.rows, y=data.y[known.rows], weight=known.weight, test=known.rows[:0])
    return fit_split(data, split, tune_column_share(data, split, params, seed), seed)


def training_matrix(
    data: RegisterDataset, rows: Numbers, y: Floats, cut: int, params: BoosterParams, known_weight: Floats
) -> TrainingMatrix:
    """What a model is fitted on: some rows of a dataset, with their outcomes `y` as known at the cut and the weight
    that this gives them."""
    x, source, share = hide_gaps(data.x[rows], data.names, data.gaps)
    x = hide_some_cells(x, data.names)
    weight = share * (known_weight * sample_weight(data, rows, cut, params))[source]
    return TrainingMatrix(x=x, y=y[source], weight=weight, base_margin=base_margin(data, rows[source], params))


def sample_weight(data: RegisterDataset, rows: Numbers, cut: int, params: BoosterParams) -> Floats:
    """Weights of rows, shape (rows,): by age at the cut; in a snapshot lower where many share their fate."""
    weight = np.ones(len(rows))
    if params.half_life_days:
        weight = 0.5 ** ((cut - data.published[rows]) / params.half_life_days)
    if data.snapshot:
        weight = weight * np.bincount(data.cluster)[data.cluster[rows]] ** -0.5
    return weight


def base_margin(data: RegisterDataset, rows: Numbers, params: BoosterParams) -> Floats | None:
    """The log-odds of rows before any tree, by the register's rate on their day; None if the trees learn the level."""
    return params.level * data.level[rows] if params.level else None


def predict_margin(data: RegisterDataset, booster: xgb.Booster, rows: Numbers, params: BoosterParams) -> Floats:
    """Log-odds of rows: their base margin, if any, and the trees."""
    margin, start = booster_margin(booster, data.x[rows], data.names), base_margin(data, rows, params)
    return margin if start is None else margin + start


def recent_rows(data: RegisterDataset, split: Split, params: BoosterParams) -> Numbers:
    """The places in `split.train` of the rows that are not too old."""
    oldest = split.cut - params.years * 366 if params.years else -1
    return np.flatnonzero(data.published[split.train] >= oldest)


def tune_column_share(data: RegisterDataset, split: Split, params: BoosterParams, seed: int) -> BoosterParams:
    """The parameters with the column share that suits the split, if the register is a snapshot.

    A snapshot has no earlier windows to search on, and the best share depends on the stage: when bids are in, two
    columns decide, and trees that miss both learn noise. The share that forecasts other buyers best wins, by log loss,
    on folds of the rows to fit on: the rows to judge have no say.
    """
    if not data.snapshot:
        return params
    tried = [
        msgspec.structs.replace(params, column_share=share) for share in sorted({params.column_share, *COLUMN_SHARES})
    ]
    return min(tried, key=lambda candidate: _cross_validated_log_loss(data, split, candidate, seed))


def _cross_validated_log_loss(data: RegisterDataset, split: Split, params: BoosterParams, seed: int) -> float:
    losses = []
    for train, test in grouped_folds(data.buyer[split.train], PARTS, seed):
        inner = Split(
            cut=split.cut,
            train=split.train[train],
            y=split.y[train],
            weight=split.weight[train],
            test=split.train[test],
        )
        margin = predict_margin(data, fit_split(data, inner, params, seed), inner.test, params)
        losses.append(np.logaddexp(0, np.where(split.y[test] > 0, -margin, margin)))
    return float(np.mean(np.concatenate(losses)))


def calibrate_backtest(
    data: RegisterDataset,
    tested: Backtest,
    chosen: NDArray[np.bool_],
    seed: int,
    resamples: int,
    day: int | None = None,
) -> Calibration:
    """The line from margins to probabilities, fitted on the `chosen` forecasts, of which with a day only what was known
    before it counts.

    Its slope is drawn to 1, and it keeps the level of its forecasts: the fit has that of all that it learnt from, and
    how far a register moves from there is followed afterwards (`models.level`). It is resampled by whole months (buyers
    in a snapshot), and its level moves as levels do in the months ahead.
    """
    at, weight = _known_forecasts(data, tested, np.flatnonzero(chosen), day)
    some = np.unique(np.linspace(0, len(at) - 1, min(MOST_CALIBRATED, len(at))).astype(np.int64))
    at, weight = at[some], weight[some]
    rows, margin = tested.rows[at], tested.margin[at]
    block = data.buyer[rows] if data.snapshot else data.published[rows] // MONTH
    line = fit_calibration(margin, data.y[rows], weight, block, seed, resamples)
    line = shrink_slope_to_one(line, margin, expit(margin))
    return widen_for_level(line, START**2 if data.snapshot else served_variance(), seed)


def _known_forecasts(data: RegisterDataset, tested: Backtest, at: Numbers, day: int | None) -> tuple[Numbers, Floats]:
    """Those of the forecasts `at` whose outcome may teach before a day, and their weights; all, if that leaves none."""
    if day is None or not tells_delay(data):
        return at, np.ones(len(at))
    known = known_rows(data, day)
    weight = np.zeros(len(data.y))
    weight[known.rows] = known.weight
    of = weight[tested.rows[at]]
    return (at[of > 0], of[of > 0]) if of.any() else (at, np.ones(len(at)))


def calibrated_forecasts(
    data: RegisterDataset, tested: Backtest, seed: int, resamples: int, rule: Rule = delays.teaching
) -> IntervalForecasts:
    """Probabilities of every window but the first, calibrated on earlier windows (in a snapshot, on the other folds).

    The level of a window is followed from month to month, by what was known then and may teach by the `rule`. A history
    of one window is calibrated on itself.
    """
    parts: list[tuple[Numbers, Floats, Floats, Floats]] = []
    numbers = np.unique(tested.split)
    for number in numbers[1:] if len(numbers) > 1 and not data.snapshot else numbers:
        test = np.flatnonzero(tested.split == number)
        cut = int(data.published[tested.rows[test]].min())
        earlier = tested.split != number if data.snapshot else tested.split < number
        chosen = earlier if earlier.any() else tested.split == number
        line = calibrate_backtest(data, tested, chosen, seed, resamples, None if data.snapshot else cut)
        logit = line.intercept + line.slope * tested.margin[test]
        moved = level_shifts(data, tested.rows[test], logit, cut, rule)
        drawn = np.array([expit(a + b * tested.margin[test] + moved) for a, b in line.resampled])
        low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
        parts.append((tested.rows[test], expit(logit + moved), low, high))
    chosen_rows, p, low, high = (np.concatenate(column) for column in zip(*parts, strict=True))
    return IntervalForecasts(
        register=data.register,
        outcome=data.outcome,
        stage=data.stage,
        key=data.key[chosen_rows],
        p=p,
        low=low,
        high=high,
        y=data.y[chosen_rows],
        cluster=(data.buyer if data.snapshot else data.cluster)[chosen_rows],
        groups={name: labels[chosen_rows] for name, labels in data.subgroups.items()},
    )


def level_shifts(data: RegisterDataset, rows: Numbers, logit: Floats, cut: int, rule: Rule) -> Floats:
    """How far the level had moved from that of a model fitted at a cut, on the day of each of its forecasts, by what
    was known then. Shape (rows,)."""
    if not tells_delay(data):
        return np.zeros(len(rows))
    logits = np.full(len(data.y), np.nan)
    logits[rows] = logit
    seen = Known(logit=logits, published=data.published, known=data.known, y=data.y, cluster=data.cluster)
    return shifts(seen, data.published[rows], Level(day=cut), rule)


def interval_coverage(forecasts: IntervalForecasts) -> float:
    """The share of groups of equal size, by probability, whose observed rate lies in their mean interval."""
    return metrics.coverage(forecasts.y, forecasts.p, forecasts.low, forecasts.high)


def latest_year(published: Numbers) -> Numbers:
    """The rows of the last year, or all where those are few. `published` are days as ordinals, shape (rows,)."""
    recent = np.flatnonzero(published > published.max(initial=0) - YEAR)
    return recent if len(recent) >= FEWEST_OF_YEAR else np.arange(len(published))


def column_quantiles(
    x: Matrix, names: Sequence[str], wanted: Sequence[str], rows: Numbers
) -> dict[str, FeatureQuantiles]:
    """The quantiles of the wanted columns over some rows. `x` has shape (all rows, names)."""
    place = {name: column for column, name in enumerate(names)}
    return {name: feature_quantiles(x[rows, place[name]]) for name in wanted}
