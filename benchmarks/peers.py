"""The peers: other learners at a capacity like the served model's, and three rules that fit nothing.

Every learner gets the same rows, weights and columns, and gives log-odds of the test rows, shape (test rows,).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.matrix import Matrix
from training.fit import THREADS, booster_margin, distinct_columns, feature_directions, fit_booster
from training.recipe import BoosterParams
from training.validate import RED_FLAGS

Floats = NDArray[np.float64]
SERVED = "XGBoost, as served"
RATES = ("rate_buyer_year", "rate_unit_year")
SMALLEST_FOREST_LEAF = 5


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a learner is given: rows to fit on with outcome and weight, rows to judge, and the columns' names.

    `start` and `test_start` are the log-odds that rows have beforehand, by the register's level on their day; None if
    the recipe leaves the level to the learner.
    """

    x: Matrix
    y: Floats
    weight: Floats
    start: Floats | None
    test_x: Matrix
    test_start: Floats | None
    names: Sequence[str]
    params: BoosterParams
    seed: int


Peer = Callable[[Task], Floats]


def xgboost(task: Task) -> Floats:
    """The served model's own fit."""
    booster = fit_booster(task.x, task.y, task.weight, task.names, task.params, task.seed, task.start)
    margin = booster_margin(booster, task.test_x, task.names)
    return margin if task.test_start is None else margin + task.test_start


def lightgbm(task: Task) -> Floats:
    """LightGBM: as many leaves as a full tree of the served depth."""
    params = task.params
    model = LGBMClassifier(
        n_estimators=params.trees,
        learning_rate=params.learning_rate,
        num_leaves=2**params.depth,
        max_depth=params.depth,
        min_child_weight=params.smallest_leaf,
        min_child_samples=1,
        subsample=params.row_share,
        subsample_freq=1,
        colsample_bytree=params.column_share,
        reg_lambda=params.l2,
        max_bin=params.bins,
        n_jobs=THREADS,
        random_state=task.seed,
        verbose=-1,
    )
    return _fitted(model, task)


def catboost(task: Task) -> Floats:
    """CatBoost: oblivious trees of the served depth."""
    params = task.params
    model = CatBoostClassifier(
        iterations=params.trees,
        learning_rate=params.learning_rate,
        depth=params.depth,
        l2_leaf_reg=params.l2,
        rsm=params.column_share,
        bootstrap_type="Bernoulli",
        subsample=params.row_share,
        border_count=params.bins,
        thread_count=THREADS,
        random_seed=task.seed,
        verbose=False,
        allow_writing_files=False,
    )
    return _fitted(model, task)


def histograms(task: Task) -> Floats:
    """scikit-learn's histogram gradient boosting; columns are drawn anew at every split."""
    params = task.params
    model = HistGradientBoostingClassifier(
        max_iter=params.trees,
        learning_rate=params.learning_rate,
        max_depth=params.depth,
        max_leaf_nodes=None,
        min_samples_leaf=max(1, round(params.smallest_leaf)),
        l2_regularization=params.l2,
        max_features=params.column_share,
        max_bins=params.bins,
        early_stopping=False,
        random_state=task.seed,
    )
    return _fitted(model, task)


def forest(task: Task) -> Floats:
    """A random forest of as many trees, grown deep, as forests are."""
    model = RandomForestClassifier(
        n_estimators=task.params.trees,
        min_samples_leaf=max(SMALLEST_FOREST_LEAF, round(task.params.smallest_leaf / 4)),
        max_features="sqrt",
        n_jobs=THREADS,
        random_state=task.seed,
    )
    return _fitted(model, task)


def logistic(task: Task) -> Floats:
    """Logistic regression on standardised columns, unknown at the median."""
    model = make_pipeline(
        SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(C=0.01, max_iter=200, tol=1e-3)
    )
    return _fitted(model, task, "logisticregression__")


def red_flags(task: Task) -> Floats:
    """How many of the field's red flags a case shows, of those whose fact the register tells; unknown shows none."""
    place = {name: column for column, name in enumerate(task.names)}
    shown = [test(task.test_x[:, place[name]].astype(float)) for name, test in RED_FLAGS.items() if name in place]
    return np.asarray(np.sum(shown, axis=0) if shown else np.zeros(len(task.test_x)), dtype=np.float64)


def weighed_alike(task: Task) -> Floats:
    """What the directions of the facts let expect, each weighed alike: how the UK's models order tenders."""
    known = (~np.isnan(task.x)).any(axis=0)
    spread = np.nanstd(task.x[:, known], axis=0)
    steps = (task.test_x[:, known] - np.nanmean(task.x[:, known], axis=0)) / np.where(spread > 0, spread, np.inf)
    signs = np.array(feature_directions(task.names), dtype=np.float64)[known]
    return np.asarray(np.nan_to_num(steps) @ signs, dtype=np.float64)


def past_rate(task: Task) -> Floats:
    """The buyer's decayed and shrunk rate of the year before, over the register's own; unknown is the register's."""
    name = next((name for name in RATES if name in task.names), None)
    if name is None:
        return np.zeros(len(task.test_x))
    return np.nan_to_num(task.test_x[:, list(task.names).index(name)].astype(np.float64))


PEERS: Mapping[str, Peer] = {
    SERVED: xgboost,
    "LightGBM": lightgbm,
    "CatBoost": catboost,
    "histogram boosting": histograms,
    "random forest": forest,
    "logistic regression": logistic,
    "red flags, counted": red_flags,
    "directions, weighed alike": weighed_alike,
    "buyer's past rate": past_rate,
}
RULES = (red_flags, weighed_alike, past_rate)
"""Peers that learn nothing, not even how many fail."""


def _fitted(model: Any, task: Task, prefix: str = "") -> Floats:
    kept = distinct_columns(task.x)
    model.fit(task.x[:, kept], task.y, **{f"{prefix}sample_weight": task.weight})
    p = model.predict_proba(task.test_x[:, kept])[:, 1]
    margin = np.asarray(logit(np.clip(p, 1e-6, 1 - 1e-6)), dtype=np.float64)
    if task.start is None or task.test_start is None:
        return margin
    # Not every learner can start from a level: what it learnt is of its rows' own, and moves with the day's.
    return np.asarray(margin + task.test_start - np.average(task.start, weights=task.weight), dtype=np.float64)
