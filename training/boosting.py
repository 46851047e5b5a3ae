"""Boosted trees on a register's table: which rows and columns, with what weight, and the fit.

Unlike the casebook, a register has rows enough for the data to decide directions, and what is missing is missing by
rule rather than by fame. Where a gap does tell how a case ended (`Source.gaps_tell`), what is learnt of it is learnt
from rows that have the fact, with it hidden, so that a gap says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from features.catalogue import catalogue
from features.matrix import Matrix
from training import shares
from training.fit import constraints
from training.frames import Frame
from training.recipe import Boost

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

THREADS = 2
HIDDEN = 0.1
"""What a row counts once more with the columns hidden whose gaps tell."""


def weights(frame: Frame, rows: Numbers, cut: int, boost: Boost) -> Floats:
    """What rows count, shape (rows,): by age at the cut, in a snapshot less where many share a fate."""
    weight = np.ones(len(rows))
    if boost.half_life_days:
        weight = 0.5 ** ((cut - frame.published[rows]) / boost.half_life_days)
    if frame.snapshot:
        weight = weight * np.bincount(frame.fate)[frame.fate[rows]] ** -0.5
    return weight


def usable(x: Matrix, names: Sequence[str]) -> Numbers:
    """Columns that differ, each once: the first of those that are equal."""
    seen: dict[bytes, int] = {}
    for column in range(len(names)):
        values = x[:, column]
        known = values[~np.isnan(values)]
        if len(known) and (known != known[0]).any():
            seen.setdefault(values.tobytes(), column)
    return np.array(list(seen.values()), dtype=np.int64)


def columns_that_tell(names: Sequence[str], gaps: Sequence[str]) -> list[int]:
    """The columns whose fact stands under one of these paths: that they are empty tells the outcome."""
    known = catalogue()
    return [
        column
        for column, name in enumerate(names)
        if any(path.startswith(gap) for path in (known[name].path, *known[name].also) for gap in gaps)
    ]


def without_gaps(x: Matrix, names: Sequence[str], gaps: Sequence[str]) -> tuple[Matrix, Numbers, Floats]:
    """Rows to fit on, which of those given each is, and how much of that it counts.

    They are those of which something that tells is known, and each once more with all of it hidden, at HIDDEN: what is
    learnt of a gap is so what the other facts say. One such column alone may be empty for a reason: no lot has its own
    bid count without lots.
    """
    telling = columns_that_tell(names, gaps)
    if not telling:
        return x, np.arange(len(x)), np.ones(len(x))
    known = np.flatnonzero(~np.isnan(x[:, telling]).all(axis=1))
    hidden = x[known]
    hidden[:, telling] = np.nan
    return np.concatenate([x[known], hidden]), np.tile(known, 2), np.repeat([1.0, HIDDEN], len(known))


def fit(
    x: Matrix,
    y: Floats,
    weight: Floats,
    names: Sequence[str],
    boost: Boost,
    seed: int,
    offset: Floats | None = None,
    directed: bool = False,
) -> xgb.Booster:
    """A booster on columns of these names; `offset` is what is known of each row beforehand, in log-odds. If
    `directed`, a feature whose direction was set beforehand never works against it."""

    def grown(kept: Numbers) -> xgb.Booster:
        chosen, columns = [names[column] for column in kept], x[:, kept]
        told = parameters(boost, seed, offset is not None)
        if directed:
            told["monotone_constraints"] = constraints(chosen)
        if boost.shares:
            return shares.fit(columns, y, weight, chosen, told, boost.trees, boost.shares, offset)
        data = xgb.QuantileDMatrix(
            columns,
            y,
            weight=weight,
            base_margin=offset,
            feature_names=chosen,
            max_bin=boost.bins,
            nthread=THREADS,
        )
        return xgb.train(told, data, boost.trees)

    kept = usable(x, names)
    booster = grown(kept)
    if not boost.widest or len(kept) <= boost.widest:
        return booster
    gain = booster.get_score(importance_type="total_gain")
    if not gain:
        return booster
    best = set(sorted(gain, key=lambda name: (-float(np.max(gain[name])), name))[: boost.widest])
    return grown(np.array([column for column in kept if names[column] in best], dtype=np.int64))


def parameters(boost: Boost, seed: int, offset: bool = False) -> dict[str, object]:
    """XGBoost's own names for a `Boost`."""
    given: dict[str, object] = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_bin": boost.bins,
        "max_depth": boost.depth,
        "eta": boost.learning_rate,
        "reg_lambda": boost.l2,
        "min_child_weight": boost.smallest_leaf,
        "subsample": boost.row_share,
        "num_parallel_tree": boost.side_by_side,
        "colsample_bytree": boost.column_share,
        "seed": seed,
        "nthread": THREADS,
    }
    return given | ({"base_score": 0.5} if offset else {})


def margins(booster: xgb.Booster, x: Matrix, names: Sequence[str]) -> Floats:
    """Log-odds of rows whose columns are `names`, shape (rows,)."""
    place = {name: column for column, name in enumerate(names)}
    chosen = x[:, [place[name] for name in booster.feature_names or ()]]
    found = booster.inplace_predict(chosen, predict_type="margin", validate_features=False)
    return np.asarray(found, dtype=np.float64)
