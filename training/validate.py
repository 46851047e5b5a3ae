"""How good the casebook's models are on cases they have not seen: out of fold, whole groups held out.

Only cohort rows tell anything about rates and about ordinary contracts. Picked rows stand beside them, because that the
two disagree is the most important thing to know about the casebook.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.matrix import Matrix
from training import metrics
from training.calibrate import fit_line
from training.datasets import Casebook, CasebookDataset
from training.fit import booster_margin, fit_casebook, kind_log_odds
from training.recipe import Recipe
from training.splits import stratified_group_folds

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Predict = Callable[[Matrix], Floats]
Fitter = Callable[[CasebookDataset, Recipe, int], Predict]
"""A function (labelled rows, recipe, seed) → a function from rows to log-odds."""


FEWEST_TO_GROW = 10
"""Cohort cases of either outcome below which no trees are grown beyond the pooled effects."""


class CasebookMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics on one kind of rows. Probabilities are judged on cohort rows only; on picked ones they are None.

    What ended by one decision counts as one case in all but `n` and `positives`, which count rows. `auc_ci` is 95 %, by
    bootstrap of clusters. `auc_without_largest` leaves out the two programmes with most rows. `brier_skill` is 1 less
    the Brier score over that of the class rate, which saw as little of a row as the forecast did; `mean` is the mean
    forecast.
    """

    n: int
    positives: int
    base_rate: float
    auc: float
    auc_ci: tuple[float, float]
    average_precision: float
    auc_without_largest: float | None = None
    brier: float | None = None
    brier_of_base_rate: float | None = None
    brier_skill: float | None = None
    ece: float | None = None
    mean: float | None = None


class Beyond(msgspec.Struct, frozen=True, kw_only=True):
    """What trees beyond the pooled effects gain on groups held out: log loss a case, and its standard error.

    They are grown if the best gain is more than its standard error.
    """

    trees: int
    gain: float
    error: float

    @property
    def kept(self) -> bool:
        """Whether the trees are part of the model."""
        return self.gain > self.error


class CasebookFit(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the casebook as validated: metrics and baselines by kind of row, margins, cohort probabilities.

    `level` is the log-odds of the class of each row, out of fold as the margins are. `beyond` is what trees would add.
    """

    data: CasebookDataset
    metrics: dict[str, CasebookMetrics]
    baselines: dict[str, dict[str, CasebookMetrics]]
    margin: Floats
    p: Floats
    level: Floats
    beyond: Beyond | None = None


def out_of_fold_margin(data: CasebookDataset, recipe: Recipe, fitter: Fitter) -> Floats:
    """A margin for every row from models that saw nothing of its group: the mean over repeated folds."""
    margin = np.zeros(len(data.y))
    for repeat in range(recipe.repeats):
        for train, test in stratified_group_folds(data.y, data.group, recipe.folds, recipe.seed + repeat):
            labelled = train[data.labelled[train]]
            predict = fitter(data.take(labelled), recipe, recipe.seed + repeat)
            margin[test] += predict(data.x[test]) / recipe.repeats
    return margin


def fit_on_labels(data: CasebookDataset, recipe: Recipe, seed: int) -> Predict:
    """Baseline: trees fitted on the outcomes alone."""
    booster = fit_casebook(data, recipe, seed)
    return lambda x: booster_margin(booster, x, data.names)


def trees_beyond(data: CasebookDataset, margin: Floats, recipe: Recipe) -> Beyond | None:
    """What the best number of trees would gain over margins of rows that their models had not seen.

    None with too few cases of either outcome: any gain would be chance.
    """
    rows = data.cohort
    if min(data.y[rows].sum(), (1 - data.y[rows]).sum()) < FEWEST_TO_GROW:
        return None
    before = log_loss(data.y[rows], expit(margin[rows]))
    gains = []
    for trees in recipe.beyond:
        settings = msgspec.structs.replace(recipe, trees=trees)
        added = np.zeros(len(data.y))
        for train, test in stratified_group_folds(data.y, data.group, recipe.folds, recipe.seed):
            labelled = train[data.labelled[train]]
            booster = fit_casebook(data.take(labelled), settings, recipe.seed, margin[labelled])
            added[test] = booster_margin(booster, data.x[test], data.names)
        gain = before - log_loss(data.y[rows], expit(margin[rows] + added[rows]))
        mean, error = clustered_mean(gain, data.case_weight[rows], data.cluster[rows])
        gains.append(Beyond(trees=trees, gain=round(mean, 5), error=round(error, 5)))
    return max(gains, key=lambda beyond: beyond.gain)


def log_loss(y: Floats, p: Floats) -> Floats:
    """The log loss of each forecast."""
    return np.asarray(-(y * np.log(p) + (1 - y) * np.log1p(-p)), dtype=np.float64)


def clustered_mean(values: Floats, weight: Floats, cluster: NDArray[np.int64]) -> tuple[float, float]:
    """A weighted mean and its standard error, with rows of one cluster as one draw."""
    mean = float(np.average(values, weights=weight))
    sums = np.bincount(np.unique(cluster, return_inverse=True)[1], weight * (values - mean))
    return mean, float(np.sqrt((sums**2).sum()) / weight.sum())


def fit_logistic(data: CasebookDataset, recipe: Recipe, seed: int) -> Predict:
    """Baseline: logistic regression on standardised features, unknown at the median, kind taken out as a column."""
    scale = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    kind = kind_log_odds(data.y, data.picked, data.weight)
    weight = data.weight * np.where(data.picked, recipe.picked_weight, 1.0)
    model = LogisticRegression(C=0.05, max_iter=1000)
    model.fit(np.column_stack([scale.fit_transform(data.x), kind]), data.y, sample_weight=weight)
    coefficients: Floats = model.coef_[0][:-1]
    return lambda x: np.asarray(scale.transform(x) @ coefficients, dtype=np.float64)


RED_FLAGS: Mapping[str, Callable[[Floats], Flags]] = {
    "single_block": lambda v: v == 1,
    "largest_contract": lambda v: v >= 500e6,
    "term_years": lambda v: v >= 8,
    "tender_period_days": lambda v: v < 35,
    "market_engagement": lambda v: v == 0,
    "service_lines": lambda v: v >= 3,
    "outcome_based_payment": lambda v: v == 1,
    "joint_buyers": lambda v: v == 1,
    "new_legal_vehicle_required": lambda v: v == 1,
    "single_bidder_in_competition": lambda v: v == 1,
    "structure_changes": lambda v: v >= 1,
    "assurance_holds": lambda v: v >= 1,
}
"""Red flags that the field names, with the thresholds that it names: a baseline that fits nothing."""


def count_red_flags(x: Matrix, names: tuple[str, ...]) -> Floats:
    """How many red flags each row shows, shape (rows,). An unknown fact shows none."""
    shown = [test(x[:, names.index(name)].astype(float)) for name, test in RED_FLAGS.items() if name in names]
    return np.asarray(np.sum(shown, axis=0) if shown else np.zeros(len(x)), dtype=np.float64)


def casebook_baselines(
    book: Casebook, data: CasebookDataset, level: Floats, recipe: Recipe
) -> dict[str, dict[str, CasebookMetrics]]:
    """Metrics of trees fitted on the outcomes, of logistic regression and a count of red flags, each calibrated."""
    margins = {
        "XGBoost_on_outcomes": out_of_fold_margin(data, recipe, fit_on_labels),
        "logistic_regression": out_of_fold_margin(data, recipe, fit_logistic),
        "red_flags": count_red_flags(book.x[data.stage], book.features[data.stage]),
    }
    return {
        name: metrics_by_kind(data, margin, calibrate_out_of_fold(data, margin, recipe), level)
        for name, margin in margins.items()
    }


def calibrate_out_of_fold(data: CasebookDataset, margin: Floats, recipe: Recipe) -> Floats:
    """Probabilities of the cohort rows, each from a line fitted without its group. Shape (cohort rows,)."""
    rows = data.cohort
    p = np.full(len(rows), float(np.average(data.y[rows], weights=data.case_weight[rows])))
    for train, test in stratified_group_folds(data.y[rows], data.group[rows], recipe.folds, recipe.seed):
        known = rows[train]
        a, b = fit_line(margin[known], data.y[known], data.case_weight[known], float(margin[rows].std()))
        p[test] = expit(a + b * margin[rows[test]])
    return p


def metrics_by_kind(data: CasebookDataset, margin: Floats, p: Floats, level: Floats) -> dict[str, CasebookMetrics]:
    """Metrics of cohort rows and of picked rows, apart; `p` are the probabilities of the cohort rows.

    `level` is the log-odds of each row's class, shape (rows,), which the Brier score is compared with.
    """
    picked = np.flatnonzero(data.labelled & data.picked)
    cohort = casebook_metrics(data, margin, data.cohort, p, expit(level[data.cohort]))
    return {"cohort": cohort, "picked": casebook_metrics(data, margin, picked)}


def casebook_metrics(
    data: CasebookDataset,
    margin: Floats,
    rows: NDArray[np.int64],
    p: Floats | None = None,
    class_rate: Floats | None = None,
) -> CasebookMetrics:
    """Metrics of margins on some labelled rows, and of their probabilities `p`, if these are to be judged."""
    y, weight = data.y[rows], data.case_weight[rows]
    low, high = metrics.bootstrap_interval(metrics.auc, y, margin[rows], weight, data.cluster[rows])
    judged = CasebookMetrics(
        n=len(rows),
        positives=int(y.sum()),
        base_rate=round(float(np.average(y, weights=weight)), 4),
        auc=round(metrics.auc(y, margin[rows], weight), 3),
        auc_ci=(round(low, 3), round(high, 3)),
        average_precision=round(metrics.average_precision(y, margin[rows], weight), 3),
    )
    if p is None or class_rate is None:
        return judged
    others = rows[~np.isin(data.programme[rows], largest_programmes(data.programme[rows]))]
    brier, of_base = (metrics.brier(y, forecast, weight) for forecast in (p, class_rate))
    return msgspec.structs.replace(
        judged,
        auc_without_largest=round(metrics.auc(data.y[others], margin[others], data.case_weight[others]), 3),
        brier=round(brier, 4),
        brier_of_base_rate=round(of_base, 4),
        brier_skill=round(1 - brier / of_base, 3),
        ece=round(metrics.ece(y, p, weight), 4),
        mean=round(float(np.average(p, weights=weight)), 4),
    )


def largest_programmes(programme: NDArray[np.int64], most: int = 2) -> NDArray[np.int64]:
    """The numbers of the programmes with most rows."""
    numbers, rows = np.unique(programme, return_counts=True)
    return numbers[np.argsort(-rows, kind="stable")[:most]]
