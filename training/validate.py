"""How good the casebook's models are on cases they have not seen: out of fold, whole groups held out.

Only cohort rows tell anything about rates and about ordinary contracts. Picked rows stand beside them, because that the
two disagree is the most important thing to know about the casebook.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.predict import Matrix
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


class CasebookMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics on one kind of rows. Probabilities are judged on cohort rows only; on picked ones they are None.

    What ended by one decision counts as one case in all but `n` and `positives`, which count rows. `auc_ci` is 95 %, by
    bootstrap of clusters.
    """

    n: int
    positives: int
    base_rate: float
    auc: float
    auc_ci: tuple[float, float]
    average_precision: float
    brier: float | None = None
    brier_of_base_rate: float | None = None
    ece: float | None = None


class CasebookFit(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the casebook as validated: metrics and baselines by kind of row, margins, cohort probabilities."""

    data: CasebookDataset
    metrics: dict[str, CasebookMetrics]
    baselines: dict[str, dict[str, CasebookMetrics]]
    margin: Floats
    p: Floats


def out_of_fold_margin(data: CasebookDataset, recipe: Recipe, fitter: Fitter) -> Floats:
    """A margin for every row from models that saw nothing of its group: the mean over repeated folds."""
    margin = np.zeros(len(data.y))
    for repeat in range(recipe.repeats):
        for train, test in stratified_group_folds(data.y, data.group, recipe.folds, recipe.seed + repeat):
            labelled = train[data.labelled[train]]
            predict = fitter(data.take(labelled), recipe, recipe.seed + repeat)
            margin[test] += predict(data.x[test]) / recipe.repeats
    return margin


def unseen_margin(data: CasebookDataset, booster: xgb.Booster, recipe: Recipe) -> Floats:
    """A margin for every row that owes nothing to how its group ended.

    It is the served booster's own if that was fitted on no outcome, else out of fold.
    """
    if data.label_weight == 0:
        return booster_margin(booster, data.x, data.names)
    return out_of_fold_margin(data, recipe, fit_served)


def fit_served(data: CasebookDataset, recipe: Recipe, seed: int) -> Predict:
    """The served model."""
    booster = fit_casebook(data, recipe, seed)
    return lambda x: booster_margin(booster, x, data.names)


def fit_on_labels(data: CasebookDataset, recipe: Recipe, seed: int) -> Predict:
    """Baseline: the same trees fitted on the outcomes alone."""
    return fit_served(msgspec.structs.replace(data, label_weight=1.0), recipe, seed)


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


def casebook_baselines(book: Casebook, data: CasebookDataset, recipe: Recipe) -> dict[str, dict[str, CasebookMetrics]]:
    """Metrics of the same trees fitted on the outcomes, of logistic regression, a count of red flags, and the base
    rate alone."""
    margins = {
        "logistic_regression": out_of_fold_margin(data, recipe, fit_logistic),
        "red_flags": count_red_flags(book.x[data.stage], book.features[data.stage]),
        "base_rate": np.zeros(len(data.y)),
    }
    return label_baseline(data, recipe) | {
        name: metrics_by_kind(data, margin, calibrate_out_of_fold(data, margin, recipe))
        for name, margin in margins.items()
    }


def label_baseline(data: CasebookDataset, recipe: Recipe) -> dict[str, dict[str, CasebookMetrics]]:
    """Metrics of the same trees fitted on the outcomes alone, if the served ones are not."""
    if data.label_weight == 1:
        return {}
    margin = out_of_fold_margin(data, recipe, fit_on_labels)
    return {"XGBoost_on_outcomes": metrics_by_kind(data, margin, calibrate_out_of_fold(data, margin, recipe))}


def calibrate_out_of_fold(data: CasebookDataset, margin: Floats, recipe: Recipe) -> Floats:
    """Probabilities of the cohort rows, each from a line fitted without its group. Shape (cohort rows,)."""
    rows = data.cohort
    p = np.full(len(rows), float(np.average(data.y[rows], weights=data.case_weight[rows])))
    for train, test in stratified_group_folds(data.y[rows], data.group[rows], recipe.folds, recipe.seed):
        known = rows[train]
        a, b = fit_line(margin[known], data.y[known], data.case_weight[known], float(margin[rows].std()))
        p[test] = expit(a + b * margin[rows[test]])
    return p


def metrics_by_kind(data: CasebookDataset, margin: Floats, p: Floats) -> dict[str, CasebookMetrics]:
    """Metrics of cohort rows and of picked rows, apart; `p` are the calibrated probabilities of the cohort rows."""
    picked = np.flatnonzero(data.labelled & data.picked)
    return {"cohort": casebook_metrics(data, margin, data.cohort, p), "picked": casebook_metrics(data, margin, picked)}


def casebook_metrics(
    data: CasebookDataset, margin: Floats, rows: NDArray[np.int64], p: Floats | None = None
) -> CasebookMetrics:
    """Metrics of margins on some labelled rows, and of their probabilities `p`, if these are to be judged."""
    y, weight = data.y[rows], data.case_weight[rows]
    rate = float(np.average(y, weights=weight))
    low, high = metrics.bootstrap_interval(metrics.auc, y, margin[rows], weight, data.cluster[rows])
    return CasebookMetrics(
        n=len(rows),
        positives=int(y.sum()),
        base_rate=round(rate, 4),
        auc=round(metrics.auc(y, margin[rows], weight), 3),
        auc_ci=(round(low, 3), round(high, 3)),
        average_precision=round(metrics.average_precision(y, margin[rows], weight), 3),
        brier=None if p is None else round(metrics.brier(y, p, weight), 4),
        brier_of_base_rate=None if p is None else round(metrics.brier(y, np.full(len(y), rate), weight), 4),
        ece=None if p is None else round(metrics.ece(y, p, weight), 4),
    )
