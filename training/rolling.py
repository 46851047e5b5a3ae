"""A register's model of one outcome at one stage: validated by rolling windows, calibrated, fitted on everything.

A window is judged by a model fitted on what was known at its cut, the day before it begins. A snapshot, which time
cannot order, is judged on buyers that were held out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from scipy.special import expit

from features.track_records.register_history import RegisterHistory
from models.bundle import ModelPart
from models.calibration import Calibration
from models.predict import Matrix
from models.training_profile import FeatureQuantiles, feature_quantiles
from tenders.errors import DataError
from tenders.facts import Stage
from training import metrics
from training.calibrate import fit_calibration, intercept_for_rate, shrink_slope_to_one, widen_for_level_shift
from training.datasets import RegisterDataset
from training.fit import booster_margin, fit_booster, hide_gaps
from training.recipe import BoosterParams
from training.splits import grouped_folds

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

STEPS = 3
"""Windows that are forecast: the first is calibrated on only, the others are judged too."""
LONGEST, SHORTEST = 365, 30
"""Bounds of a window in days; between them it is a sixth of the register's span."""
MATURITY_DAYS = 120
"""Maximum of the days that a case must have had to end before a cut: cases that end late end otherwise, and would be
missing among those known at the cut."""
COLUMN_SHARES, PARTS = (0.3, 0.6, 1.0), 4
"""Shares of the columns that are tried in a snapshot, and the folds of buyers that decide."""
MOST_CALIBRATED = 20_000
"""Forecasts that a calibration is fitted on, spread evenly: more do not change two numbers."""
DRIFTS = (0.0, 0.5, 1.0)
MONTH = 30
YEAR = 365
"""Days before the last publication whose rows count in a profile: an older register is no measure of today's."""
FEWEST_OF_YEAR = 2000
"""Rows of a year below which a profile counts all rows: its outer quantiles rest on one row in twenty."""


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """One window: the day of its cut, the rows to fit on with their outcome as known then, and the rows to judge."""

    cut: int
    train: Numbers
    y: Floats
    test: Numbers


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
    drift = best_drift(data, tested)
    margin = tested.margin + drift * data.drift[tested.rows]
    line = calibrate_backtest(data, tested, margin, np.full(len(margin), True), seed, resamples)
    booster = fit_final(data, params, seed)
    part = ModelPart(
        outcome=data.outcome,
        stage=data.stage,
        features=tuple(booster.feature_names or ()),
        level=params.level,
        drift=drift,
    )
    labelled = np.flatnonzero(data.labelled)
    recent = labelled[latest_year(data.published[labelled])]
    newest = np.full(len(margin), True) if data.snapshot else tested.split == tested.split.max()
    return RegisterFit(
        part=part,
        booster=booster,
        calibration=line,
        forecasts=calibrated_forecasts(data, tested, margin, seed, resamples),
        quantiles=column_quantiles(data.x, data.names, part.features, recent),
        scores=line.probabilities(margin[newest]),
        history=data.history,
    )


def rolling_splits(data: RegisterDataset, steps: int) -> Iterator[Split]:
    """The last `steps` windows, oldest first; folds of buyers, if the register is a snapshot."""
    labelled = np.flatnonzero(data.labelled)
    last = int(data.published[labelled].max())
    if data.snapshot:
        for train, test in grouped_folds(data.buyer[labelled], steps + 2, 1):
            yield Split(cut=last, train=labelled[train], y=data.y[labelled[train]], test=labelled[test])
        return
    window = window_days(data)
    for step in range(steps, 0, -1):
        cut = last - step * window
        test = labelled[(data.published[labelled] > cut) & (data.published[labelled] <= cut + window)]
        train, y = known_rows(data, cut + 1)
        if len(test) and len(train) and 0 < y.sum() < len(y):
            yield Split(cut=cut + 1, train=train, y=y, test=test)


def window_days(data: RegisterDataset) -> int:
    """Length of a window in days."""
    published = data.published[data.labelled]
    span = int(np.quantile(published, 0.999) - np.quantile(published, 0.001))
    return int(np.clip(span // 6, SHORTEST, LONGEST))


def known_rows(data: RegisterDataset, cut: int) -> tuple[Numbers, Floats]:
    """Rows to fit on at a cut, and their outcome as known then.

    A case must have ended by then. Contracts (early_end) are the exception: they are taken as the history tells them in
    the end. Their outcome is known years later, and a model fitted on what had ended by the cut would differ from the
    one that is served, which knows more. So figures of early_end are those of a history that has had time
    (docs/registers.md).
    """
    labelled = data.labelled
    if data.outcome == "early_end":
        rows = np.flatnonzero(labelled & (data.published < cut))
        return rows, data.y[rows]
    lag = (data.known - data.published)[labelled]
    maturity = min(int(np.quantile(lag, 0.99)), MATURITY_DAYS, window_days(data) // 2)
    rows = np.flatnonzero(labelled & (data.known < cut) & (data.published < cut - maturity))
    return rows, data.y[rows]


def backtest(data: RegisterDataset, params: BoosterParams, steps: int, seed: int) -> Backtest:
    """Margins of every split's test rows, by a model fitted at its cut. Raises DataError if there is no split."""
    rows, margins, numbers = [], [], []
    for number, split in enumerate(rolling_splits(data, steps)):
        booster = fit_split(data, split, tune_column_share(data, split, params, seed), seed)
        rows.append(split.test)
        margins.append(predict_margin(data, booster, split.test, params))
        numbers.append(np.full(len(split.test), number))
    if not rows:
        raise DataError.at(data.register, f"too short a history to judge {data.outcome} on later cases", "Add years")
    return Backtest(rows=np.concatenate(rows), margin=np.concatenate(margins), split=np.concatenate(numbers))


def fit_split(data: RegisterDataset, split: Split, params: BoosterParams, seed: int) -> xgb.Booster:
    """The model of a split, fitted on those of its rows that are not too old."""
    chosen = recent_rows(data, split, params)
    matrix = training_matrix(data, split.train[chosen], split.y[chosen], split.cut, params)
    return fit_booster(matrix.x, matrix.y, matrix.weight, data.names, params, seed, matrix.base_margin)


def fit_final(data: RegisterDataset, params: BoosterParams, seed: int) -> xgb.Booster:
    """The model that is served: fitted on everything that is known."""
    cut = int(data.published[data.labelled].max()) + 1
    rows, y = known_rows(data, max(cut, int(data.known[data.labelled].max()) + 1))
    split = Split(cut=cut, train=rows, y=y, test=rows[:0])
    return fit_split(data, split, tune_column_share(data, split, params, seed), seed)


def training_matrix(data: RegisterDataset, rows: Numbers, y: Floats, cut: int, params: BoosterParams) -> TrainingMatrix:
    """What a model is fitted on: some rows of a dataset, with their outcomes `y` as known at the cut."""
    x, source, share = hide_gaps(data.x[rows], data.names, data.gaps)
    weight = share * sample_weight(data, rows, cut, params)[source]
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
        inner = Split(cut=split.cut, train=split.train[train], y=split.y[train], test=split.train[test])
        margin = predict_margin(data, fit_split(data, inner, params, seed), inner.test, params)
        losses.append(np.logaddexp(0, np.where(split.y[test] > 0, -margin, margin)))
    return float(np.mean(np.concatenate(losses)))


def best_drift(data: RegisterDataset, tested: Backtest) -> float:
    """How much of the register's drift to add: what has the lowest log loss in all windows together, by however little.

    On earlier windows following the drift gained in every register (docs/benchmarks.md). Each is judged at the level
    that suits it, because the calibration finds the level afterwards. None is added where outcomes take years: those
    known last quarter are those that ended soonest, and tell no level.
    """
    y = data.y[tested.rows]
    if data.snapshot or data.outcome == "early_end":
        return 0.0

    def log_loss(drift: float) -> float:
        margin = tested.margin + drift * data.drift[tested.rows]
        p = np.clip(expit(margin + intercept_for_rate(margin, y, np.ones(len(y)), 1.0)), 1e-6, 1 - 1e-6)
        return -float(np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))

    return min(DRIFTS, key=log_loss)


def calibrate_backtest(
    data: RegisterDataset, tested: Backtest, margin: Floats, chosen: NDArray[np.bool_], seed: int, resamples: int
) -> Calibration:
    """The line from margins to probabilities, fitted on the `chosen` forecasts.

    It is resampled by whole months (buyers in a snapshot), and its level moves as levels do between windows. A snapshot
    shows no windows, and moves as other registers do. It keeps the level of its forecasts: how often the other buyers
    failed beyond that is chance, and would rank buyers that are judged together by who was left out.
    """
    at = np.flatnonzero(chosen)
    at = at[np.unique(np.linspace(0, len(at) - 1, min(MOST_CALIBRATED, len(at))).astype(np.int64))]
    rows, y = tested.rows[at], data.y[tested.rows[at]]
    block = data.buyer[rows] if data.snapshot else data.published[rows] // MONTH
    line = fit_calibration(margin[at], y, np.ones(len(at)), block, seed, resamples)
    line = shrink_slope_to_one(line, margin[at], expit(margin[at]) if data.snapshot else y)
    return widen_for_level_shift(line, margin[at], y, np.zeros_like(at) if data.snapshot else tested.split[at], seed)


def calibrated_forecasts(
    data: RegisterDataset, tested: Backtest, margin: Floats, seed: int, resamples: int
) -> IntervalForecasts:
    """Probabilities of every window but the first, calibrated on earlier windows (in a snapshot, on the other folds).

    A history of one window is calibrated on itself, and its intervals have no width.
    """
    rows, p, low, high = [], [], [], []
    for number in np.unique(tested.split):
        test = tested.split == number
        earlier = ~test if data.snapshot else tested.split < number
        if not earlier.any():
            continue
        line = calibrate_backtest(data, tested, margin, earlier, seed, resamples)
        rows.append(tested.rows[test])
        drawn = np.array([expit(a + b * margin[test]) for a, b in line.resampled])
        p.append(expit(line.intercept + line.slope * margin[test]))
        low.append(np.percentile(drawn, 2.5, axis=0))
        high.append(np.percentile(drawn, 97.5, axis=0))
    if not rows:
        line = calibrate_backtest(data, tested, margin, np.full(len(margin), True), seed, resamples)
        whole = expit(line.intercept + line.slope * margin)
        rows, p, low, high = [tested.rows], [whole], [whole], [whole]
    chosen = np.concatenate(rows)
    return IntervalForecasts(
        register=data.register,
        outcome=data.outcome,
        stage=data.stage,
        key=data.key[chosen],
        p=np.concatenate(p),
        low=np.concatenate(low),
        high=np.concatenate(high),
        y=data.y[chosen],
        cluster=(data.buyer if data.snapshot else data.cluster)[chosen],
        groups={name: labels[chosen] for name, labels in data.subgroups.items()},
    )


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
