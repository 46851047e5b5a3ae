"""One booster from one table of rows: of a register, or of the casebook.

A register has rows enough for the data to decide which way a feature works, and its facts are missing by rule. Where a
missing fact tells how a case ended (the register's `gaps_tell`), `hide_gaps` trains on rows that have the fact, with
and without it, so that a gap teaches nothing.

The casebook has a few hundred cases of some thirty programmes. What is known of factors from elsewhere is the base
margin of its trees (`training.uk`), and trees are grown beyond that only if they gain. *That* a fact is known says how
famous a case is, and so how it ended. So every unknown is drawn from the facts known of other cases, blind to the
outcome, in several copies of each row, and in each copy a share of all facts is hidden at random: what the booster
learns about unknowns comes from those alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from features.catalogue import catalogue
from features.matrix import Matrix
from models.bundle import FAILURE_OUTCOMES
from tenders.errors import UnreachableError, UsageError
from tenders.own_columns import PREFIX
from training.calibrate import intercept_for_rate
from training.datasets import CasebookDataset
from training.recipe import BoosterParams, Recipe

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

THREADS = 2
GAP_WEIGHT = 0.1
"""The weight of the copy of a row in which the facts are hidden whose gaps tell."""
HIDDEN = 0.1
"""The share of the cells of declared columns that are hidden in a fit."""


def fit_booster(
    x: Matrix,
    y: Floats,
    weight: Floats,
    names: Sequence[str],
    params: BoosterParams,
    seed: int,
    base_margin: Floats | None = None,
    monotone: bool = False,
) -> xgb.Booster:
    """A booster on the distinct columns of `x`, shape (rows, names); with `max_columns`, on the best of them.

    `base_margin` is what is known of each row beforehand, in log-odds. If `monotone`, a feature with a direction in the
    catalogue never works against it.
    """

    def fit_on(columns: Numbers) -> xgb.Booster:
        chosen = [names[column] for column in columns]
        return _fit(x[:, columns], y, weight, chosen, params, seed, base_margin, monotone, THREADS)

    columns = distinct_columns(x)
    booster = fit_on(columns)
    if not params.max_columns or len(columns) <= params.max_columns:
        return booster
    gain = booster.get_score(importance_type="total_gain")
    if not gain:
        return booster
    best = set(sorted(gain, key=lambda name: (-float(np.max(gain[name])), name))[: params.max_columns])
    return fit_on(np.array([column for column in columns if names[column] in best], dtype=np.int64))


def _fit(
    x: Matrix,
    y: Floats,
    weight: Floats,
    names: Sequence[str],
    params: BoosterParams,
    seed: int,
    base_margin: Floats | None,
    monotone: bool,
    threads: int,
) -> xgb.Booster:
    options = xgb_params(params, seed, base_margin is not None) | {"nthread": threads}
    if monotone:
        options["monotone_constraints"] = monotone_constraints(names)
    if params.cluster_workers:
        return _fit_on_cluster(x, y, weight, names, options, params, base_margin)
    data = xgb.QuantileDMatrix(
        x,
        y,
        weight=weight,
        base_margin=base_margin,
        feature_names=list(names),
        max_bin=params.bins,
        nthread=threads,
    )
    return xgb.train(options, data, params.trees)


def xgb_params(params: BoosterParams, seed: int, base_margin: bool = False) -> dict[str, object]:
    """The parameters under XGBoost's own names; with a base margin the model adds no level of its own."""
    options: dict[str, object] = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_bin": params.bins,
        "max_depth": params.depth,
        "eta": params.learning_rate,
        "reg_lambda": params.l2,
        "min_child_weight": params.smallest_leaf,
        "subsample": params.row_share,
        "num_parallel_tree": params.parallel_trees,
        "colsample_bytree": params.column_share,
        "seed": seed,
    }
    return options | ({"base_score": 0.5} if base_margin else {})


def booster_margin(booster: xgb.Booster, x: Matrix, names: Sequence[str]) -> Floats:
    """Log-odds of rows whose columns are `names`, shape (rows,)."""
    place = {name: column for column, name in enumerate(names)}
    columns = x[:, [place[name] for name in booster.feature_names or ()]]
    margin = booster.inplace_predict(columns, predict_type="margin", validate_features=False)
    return np.asarray(margin, dtype=np.float64)


def distinct_columns(x: Matrix) -> Numbers:
    """The columns whose known values differ; of equal columns the first."""
    seen: dict[bytes, int] = {}
    for column, values in enumerate(x.T):
        known = values[~np.isnan(values)]
        if len(known) and (known != known[0]).any():
            seen.setdefault(values.tobytes(), column)
    return np.array(list(seen.values()), dtype=np.int64)


def feature_directions(names: Sequence[str]) -> list[int]:
    """The catalogue's direction of each column: 1 (more is riskier), -1 or 0 for none."""
    known = catalogue()
    return [known[name].direction if name in known else 0 for name in names]


def monotone_constraints(names: Sequence[str]) -> str:
    """The directions of these columns as XGBoost reads them."""
    return f"({','.join(map(str, feature_directions(names)))})"


def hide_gaps(x: Matrix, names: Sequence[str], gaps: Sequence[str]) -> tuple[Matrix, Numbers, Floats]:
    """Rows to fit on, for each the row of `x` that it comes from, and its weight. `gaps` are OCDS paths.

    Rows of which at least one fact under `gaps` is known come twice: as they are, and at GAP_WEIGHT with all these
    facts hidden. So what is learnt of a gap is what the other facts say. Rows without any of these facts are left out.
    One of these columns alone may be empty for a good reason: no lot has its own bid count without lots.
    """
    if not gaps:
        return x, np.arange(len(x)), np.ones(len(x))
    known_features = catalogue()
    hidden_columns = [
        column
        for column, name in enumerate(names)
        if any(path.startswith(gap) for path in (known_features[name].path, *known_features[name].also) for gap in gaps)
    ]
    if not hidden_columns:
        return x, np.arange(len(x)), np.ones(len(x))
    known = np.flatnonzero(~np.isnan(x[:, hidden_columns]).all(axis=1))
    hidden = x[known]
    hidden[:, hidden_columns] = np.nan
    return np.concatenate([x[known], hidden]), np.tile(known, 2), np.repeat([1.0, GAP_WEIGHT], len(known))


def hide_some_cells(x: Matrix, names: Sequence[str]) -> Matrix:
    """The matrix with a share HIDDEN of the cells of declared columns hidden at random, blind to the outcome.

    So trees learn that an unknown cell means nothing, also where the history knows nearly all, and a category that was
    never seen is scored as an unknown one.
    """
    columns = [column for column, name in enumerate(names) if name.startswith(PREFIX)]
    if not columns:
        return x
    hidden = x.copy()
    for column, cells in zip(columns, np.random.default_rng(0).random((len(columns), len(x))), strict=True):
        hidden[cells < HIDDEN, column] = np.nan
    return hidden


def fit_casebook(data: CasebookDataset, recipe: Recipe, seed: int, offset: Floats | None = None) -> xgb.Booster:
    """A booster of labelled cases, whose margin comes on top of the log-odds of a case's kind.

    With an `offset`, what is known of each row beforehand in log-odds, it comes on top of that, moved to the rate of
    the kind. The same input and seed give the same booster.
    """
    rng = np.random.default_rng(seed)
    weight = data.weight * np.where(data.picked, recipe.picked_weight, 1.0)
    weight = weight / weight.mean()
    base_margin = kind_log_odds(data.y, data.picked, weight)
    if offset is not None:
        base_margin = offset_at_kind_rate(offset, data.y, data.picked, weight)
    copies = []
    for hidden in random_masks(data.x.shape, recipe, rng):
        copy = fill_unknown(data.x, weight, rng)
        copy[hidden] = np.nan
        copies.append(copy)
    return _fit(
        np.vstack(copies),
        np.tile(data.y, recipe.copies),
        np.tile(weight / recipe.copies, recipe.copies),
        data.names,
        recipe.casebook_params,
        seed,
        base_margin=np.tile(base_margin, recipe.copies),
        monotone=data.outcome in (*FAILURE_OUTCOMES, "failure"),
        threads=1,
    )


def offset_at_kind_rate(offset: Floats, y: Floats, picked: NDArray[np.bool_], weight: Floats) -> Floats:
    """The offset, moved so that its mean probability is the rate of each kind of row (picked or cohort)."""
    moved = offset.copy()
    for kind in (picked, ~picked):
        if kind.any():
            moved[kind] += intercept_for_rate(offset[kind], y[kind], weight[kind], 1.0)
    return moved


def kind_log_odds(y: Floats, picked: NDArray[np.bool_], weight: Floats) -> Floats:
    """Log-odds of the outcome among the rows of each row's kind (picked or cohort), shape (rows,)."""
    margin = np.zeros(len(y))
    for kind in (picked, ~picked):
        if kind.any():
            rate = np.clip(np.average(y[kind], weights=weight[kind]), 0.02, 0.98)
            margin[kind] = np.log(rate / (1 - rate))
    return margin


def fill_unknown(x: Matrix, weight: Floats, rng: np.random.Generator) -> Matrix:
    """A copy in which every unknown is drawn from the column's known values, by weight and blind to the outcome."""
    copy = x.copy()
    for column in copy.T:
        unknown = np.isnan(column)
        if unknown.any() and not unknown.all():
            odds = weight[~unknown] / weight[~unknown].sum()
            column[unknown] = rng.choice(column[~unknown], unknown.sum(), p=odds)
    return copy


def random_masks(shape: tuple[int, ...], recipe: Recipe, rng: np.random.Generator) -> NDArray[np.bool_]:
    """What to hide in each copy, shape (copies, *shape): every fact in the same number of its copies.

    So being hidden tells nothing of a row, not even by chance, and no split gains by parting unknown from known.
    """
    order = rng.random((recipe.copies, *shape)).argsort(axis=0)
    return np.asarray(order < round(recipe.hidden * recipe.copies))


def _fit_on_cluster(
    x: Matrix,
    y: Floats,
    weight: Floats,
    names: Sequence[str],
    options: dict[str, object],
    params: BoosterParams,
    base_margin: Floats | None,
) -> xgb.Booster:
    """A booster fitted by the workers of a Dask cluster, each on its share of the rows.

    The workers agree on every split, but bins come from summaries of each share and rows are drawn within it. So the
    model differs a little from one fitted in one process. On one machine it gains nothing.

    Raises UsageError if Dask is not installed, UnreachableError if its scheduler does not answer.
    """
    client = _dask_client(params.cluster_workers)
    import dask.array as da
    from xgboost import dask as xgb_dask

    rows = -(-len(y) // params.cluster_workers)
    from_array: Any = da.from_array  # Dask does not annotate it

    def shares(values: Matrix | Floats | None) -> Any:
        return None if values is None else from_array(values, chunks=(rows, *values.shape[1:]))

    data = xgb_dask.DaskQuantileDMatrix(
        client,
        shares(x),
        shares(y),
        weight=shares(weight),
        base_margin=shares(base_margin),
        feature_names=list(names),
        max_bin=params.bins,
    )
    booster: xgb.Booster = xgb_dask.train(client, {**options, "nthread": 1}, data, params.trees)["booster"]
    return booster


@cache
def _dask_client(workers: int) -> Any:
    """A client of the cluster at DASK_SCHEDULER_ADDRESS, else of one on this machine; kept until the process ends."""
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError:
        raise UsageError("cluster_workers needs Dask: install tender-risk[cluster]") from None
    address = dask.config.get("scheduler-address", None)
    if not address:
        return Client(LocalCluster(n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None))
    try:
        return Client(address, timeout=10)
    except OSError as error:
        raise UnreachableError(f"{address}: no cluster answers ({error})") from None
