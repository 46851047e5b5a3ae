"""One booster from one table, without learning from what is missing, nor from how a case was picked.

What a case's trees are grown on is its outcome, or what the directions of its facts, set beforehand, let expect of it:
a few hundred cases of some thirty programmes tell worse than the field how much each fact weighs (docs/training.md).

In the casebook *that* a fact is known says how famous the case is, and so how it ended. So every unknown is drawn from
the facts known of other cases, blind to the outcome, in several copies of the row; and in each copy a share of
all facts, known or drawn, is hidden at random. What the booster learns to do with an unknown comes from
those hidden at random alone. The offset of a case's kind (picked, cohort) goes in as the base margin.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from scipy.special import expit

from features.catalogue import catalogue
from features.matrix import Matrix
from training.recipe import Recipe

Floats = NDArray[np.float64]

STRENGTH = 0.55
"""How far what is expected of cases spreads, in log-odds: as if it ranked them at an AUC of about 0.65. Calibration
finds the true spread."""


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is fitted on: `x` of shape (rows, names), and for every row its outcome, kind and weight.

    `learnt` is the share of the outcomes in what the trees are grown on; the rest is what the directions let expect.
    """

    names: tuple[str, ...]
    x: Matrix
    y: Floats
    picked: NDArray[np.bool_]
    weight: Floats
    learnt: float


def eligible(x: Matrix, names: Sequence[str], recipe: Recipe) -> list[int]:
    """Columns with a direction set beforehand and enough known values that differ. Blind to the outcome.

    A few hundred cases cannot tell a direction from noise: what is not in doubt beforehand stays out.
    """
    known_features = catalogue()
    chosen = []
    for column, name in enumerate(names):
        if not known_features[name].direction:
            continue
        known = x[:, column][~np.isnan(x[:, column])]
        commonest = np.unique(known, return_counts=True)[1].max(initial=0)
        if len(known) >= recipe.known_cases and len(known) - commonest >= recipe.other_cases:
            chosen.append(column)
    return chosen


def offsets(y: Floats, picked: NDArray[np.bool_], weight: Floats) -> Floats:
    """Log-odds of each row's kind, shape (rows,): what is known of a case by how it was selected."""
    margin = np.zeros(len(y))
    for kind in (picked, ~picked):
        if kind.any():
            rate = np.clip(np.average(y[kind], weights=weight[kind]), 0.02, 0.98)
            margin[kind] = np.log(rate / (1 - rate))
    return margin


def expected(x: Matrix, names: Sequence[str], offset: Floats) -> Floats:
    """The chance of a failure by the directions of the facts alone, each weighed alike, shape (rows,).

    `x` has no unknowns but columns that are all unknown. Nothing is read of any outcome but the level of each row's
    kind, `offset` in log-odds. Weights of one size predict better than fitted ones where cases are few (Dawes 1979,
    The robust beauty of improper linear models).
    """
    spread = x.std(axis=0)
    steps = np.nan_to_num((x - x.mean(axis=0)) / np.where(spread > 0, spread, 1))
    score = steps @ np.array(directions(names), dtype=np.float64)
    found: Floats = expit(offset + STRENGTH * score / (score.std() or 1.0))
    return found


def filled(x: Matrix, weight: Floats, rng: np.random.Generator) -> Matrix:
    """A copy in which every unknown is drawn from the column's known values, by weight and blind to the outcome."""
    copy = x.copy()
    for column in copy.T:
        unknown = np.isnan(column)
        if unknown.any() and not unknown.all():
            odds = weight[~unknown] / weight[~unknown].sum()
            column[unknown] = rng.choice(column[~unknown], unknown.sum(), p=odds)
    return copy


def hiding(shape: tuple[int, ...], recipe: Recipe, rng: np.random.Generator) -> NDArray[np.bool_]:
    """What is hidden in each copy, shape (copies, *shape): every fact in as many of its copies as every other.

    So being hidden tells nothing of a row, not even by chance, and no split pays that only parts unknown from known.
    """
    order = rng.random((recipe.copies, *shape)).argsort(axis=0)
    return np.asarray(order < round(recipe.hidden * recipe.copies))


def fit(rows: Rows, recipe: Recipe, seed: int) -> xgb.Booster:
    """A booster whose margin is log-odds beside the kind's offset. Same input and seed, same booster."""
    rng = np.random.default_rng(seed)
    weight = rows.weight * np.where(rows.picked, recipe.picked_weight, 1.0)
    weight = weight / weight.mean()
    offset = offsets(rows.y, rows.picked, weight)
    copies, grown_on = [], []
    for hidden in hiding(rows.x.shape, recipe, rng):
        copy = filled(rows.x, weight, rng)
        grown_on.append(rows.learnt * rows.y + (1 - rows.learnt) * expected(copy, rows.names, offset))
        copy[hidden] = np.nan
        copies.append(copy)
    data = xgb.DMatrix(
        np.vstack(copies),
        np.concatenate(grown_on),
        weight=np.tile(weight / recipe.copies, recipe.copies),
        base_margin=np.tile(offset, recipe.copies),
        feature_names=list(rows.names),
        nthread=1,
    )
    return xgb.train(parameters(rows.names, recipe, seed), data, recipe.trees)


def parameters(names: Sequence[str], recipe: Recipe, seed: int) -> dict[str, object]:
    """XGBoost's parameters, the directions that are not in doubt as monotone constraints among them."""
    return {
        "objective": "binary:logistic",
        "base_score": 0.5,
        "tree_method": "hist",
        "max_bin": 32,
        "max_depth": recipe.depth,
        "eta": recipe.learning_rate,
        "reg_lambda": recipe.l2,
        "min_child_weight": recipe.smallest_leaf,
        "subsample": recipe.row_share,
        "colsample_bytree": recipe.column_share,
        "monotone_constraints": constraints(names),
        "seed": seed,
        "nthread": 1,
    }


def directions(names: Sequence[str]) -> list[int]:
    """The directions of these columns that were set beforehand: 1, -1, or 0 for none."""
    known = catalogue()
    return [known[name].direction if name in known else 0 for name in names]


def constraints(names: Sequence[str]) -> str:
    """The directions of these columns, in XGBoost's words."""
    return f"({','.join(map(str, directions(names)))})"


def margins(booster: xgb.Booster, x: Matrix) -> Floats:
    """Log-odds of rows, shape (rows,), as serving reads them."""
    return np.asarray(booster.inplace_predict(x, predict_type="margin", validate_features=False), dtype=np.float64)
