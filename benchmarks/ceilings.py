"""What the data can give at most: `python -m benchmarks.ceilings`

Per register, on its last window (in a snapshot, one fold of buyers): what the model reaches, fitted at the cut; what an
oracle would that is told how often each unit's cases of one kind ended so in that very year; the noise in the labels,
by identical tenders that ended differently; how the model learns from more rows; and, where time orders the register,
what the forecasts leave over and calls of one unit share, and the figures by month and by kind of ending.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from benchmarks import noise
from benchmarks.histories import Case, arguments, cases, clusters, latest
from benchmarks.tables import ResultTable, Row, show, write
from benchmarks.ties import ties
from features.track_records.attributes import hash_attributes
from features.track_records.register_history import keys_of
from training import metrics
from training.fit import fit_booster
from training.recipe import Recipe
from training.rolling import STEPS, Split, predict_margin, rolling_splits, training_matrix, tune_column_share
from training.splits import bootstrap

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

SHARES = (1 / 8, 1 / 4, 1 / 2, 1)
DRAWS = 200
FEWEST = 30
"""Cases of either kind below which a month or an ending is not judged."""


def ceilings(case: Case, recipe: Recipe, rows: int) -> list[ResultTable]:
    """All tables of one (register, outcome, stage)."""
    *_, last = rolling_splits(case.data, STEPS)
    chosen = latest(case.data, last, recipe.register_params(case.data.register, case.data.outcome), rows)
    curve, margin = learning_curve(case, last, chosen, recipe)
    name = " ".join(case.name.values())
    tables = [
        ResultTable(title=f"{name}: last window, {len(last.test):,} cases", rows=bounds(case, last, margin)),
        ResultTable(title=f"{name}: learning curve, rows drawn at random from the latest {len(chosen):,}", rows=curve),
    ]
    if not case.data.snapshot:
        tables += [*_ties(case, last, margin, name), *_broken_down(case, last, margin, name)]
    return tables


def _ties(case: Case, last: Split, margin: Floats, name: str) -> Iterator[ResultTable]:
    """What the forecasts leave over and calls of one unit share."""
    table, attributes = case.data, hash_attributes(case.past[row].tender for row in last.test)
    for names in (("unit",), ("buyer",)):
        keys = keys_of(attributes, (names,))
        if keys.kinds and len(np.unique(keys.place[1])) > 1:
            residual = table.y[last.test] - expit(margin)
            shared = ties(residual, keys.place[1].astype(np.int64), table.published[last.test], table.known[last.test])
            yield ResultTable(title=f"{name}: what is left over, between two calls of a {names[0]}", rows=shared)
            return


def bounds(case: Case, last: Split, margin: Floats) -> list[Row]:
    """The model beside the oracles and the noise of the labels."""
    y, cluster = case.data.y[last.test], clusters(case.data, last.test)
    return [
        {"what": "the model", **_auc(y, margin, cluster)},
        *oracles(case, last),
        _noise(noise.repeats(case.past, case.data.outcome)),
    ]


def _noise(repeats: noise.Repeats) -> Row:
    failed_again = "too few to tell"
    if repeats.failed is not None:
        failed_again = f"{repeats.failed:.0%} then failed (of all {repeats.base_rate:.0%})"
    what = f"bound by noise: {repeats.pairs:,} called again after a success, {failed_again}"
    return {"what": what, "AUC": repeats.bound, "95 %": repeats.bound_ci}


def oracles(case: Case, last: Split) -> list[Row]:
    """What knowing each (unit, kind, year)'s rate would give; nothing where the register names no buyer.

    Rates of the others, those of the case's own fate left out, are those of few: with their noise the figure falls
    short. Rates with the case in them have seen the answer: the figure is too high. Between them stands what the
    groups' true rates would give, reckoned from how often two cases of one group differ (`noise.bound`, which takes
    the rates to spread like a beta distribution).
    """
    table, y = case.data, case.data.y[last.test]
    keyed = unit_and_kind(case, last.test)
    if keyed is None:
        return []
    words, group = keyed
    fate, cluster = table.cluster[last.test], clusters(table, last.test)
    rate, known = noise.rate_of_others(group, fate, y)
    others = np.where(known > 0, rate, y.mean())
    draws = [left_out(y[r], others[r], group[r]) for r in bootstrap(cluster, DRAWS, 0)]
    low, high = np.percentile(draws, [2.5, 97.5])
    differ = noise.discordance(group, fate, y)
    several = ~np.isnan(differ)
    true = noise.bound(float(y[several].mean()), float(differ[several].mean())) if several.any() else None
    seen = (np.bincount(group, y) / np.bincount(group))[group]
    return [
        {"what": f"oracle: rate of the others of {words}", "AUC": left_out(y, others, group), "95 %": (low, high)},
        {"what": f"oracle: true rate of {words}", "AUC": true, "95 %": None},
        {"what": f"oracle: rate of {words}, case included", **_auc(y, seen, cluster)},
    ]


def unit_and_kind(case: Case, rows: Numbers) -> tuple[str, Numbers] | None:
    """What the oracle knows in words, and the group of every row: unit, kind and year, as far as the register tells."""
    attributes = hash_attributes(case.past[row].tender for row in rows)
    years = np.array([case.past[row].published.year for row in rows], dtype=np.int64)
    for names in (("unit", "kind"), ("buyer", "kind"), ("unit",), ("buyer",)):
        keys = keys_of(attributes, (names,))
        if keys.kinds and len(np.unique(keys.place[1])) > 1:
            group = np.unique(np.stack([keys.place[1], years]), axis=1, return_inverse=True)[1].ravel()
            return ", ".join((*names, "year")), group
    return None


def left_out(y: Floats, rate: Floats, group: Numbers) -> float:
    """AUC of rates that leave out the case itself, two cases of one group counting as a tie.

    Without that every failure would stand below every success of its own group, just for being left out.
    """
    pairs = np.bincount(group, y) * np.bincount(group, 1 - y)
    return metrics.auc(y, rate, np.ones(len(y))) + 0.5 * float(pairs.sum() / (y.sum() * (1 - y).sum()))


def learning_curve(case: Case, last: Split, chosen: Numbers, recipe: Recipe) -> tuple[list[Row], Floats]:
    """AUC on the last window by share of the training rows, drawn at random; and the margins with all of them.

    The rows' records are those of the whole history: what is learnt here is how to read them.
    """
    table = case.data
    params = tune_column_share(table, last, recipe.register_params(table.register, table.outcome), recipe.seed)
    y, cluster = table.y[last.test], clusters(table, last.test)
    order = np.random.default_rng(recipe.seed).permutation(chosen)
    curve: list[Row] = []
    margin = np.zeros(len(last.test))
    for share in SHARES:
        some = np.sort(order[: round(share * len(order))])
        train = last.train[some]
        if not 0 < last.y[some].sum() < len(some):
            continue
        matrix = training_matrix(table, train, last.y[some], last.cut, params, last.weight[some])
        booster = fit_booster(matrix.x, matrix.y, matrix.weight, table.names, params, recipe.seed, matrix.base_margin)
        margin = predict_margin(table, booster, last.test, params)
        curve.append({"rows": len(some), "positives": int(last.y[some].sum()), **_auc(y, margin, cluster)})
    return curve, margin


def _broken_down(case: Case, last: Split, margin: Floats, name: str) -> Iterator[ResultTable]:
    """By month of publication, and by kind of ending against all that did not end so."""
    y = case.data.y[last.test]
    months = np.array([f"{case.past[row].published:%Y-%m}" for row in last.test])
    by_month = [
        {"month": month, "cases": int((months == month).sum()), "base rate": float(y[months == month].mean())}
        | _either(y[months == month], margin[months == month])
        for month in np.unique(months)
    ]
    if 2 * sum(row["AUC"] is not None for row in by_month) >= len(by_month):
        yield ResultTable(title=f"{name}: by month", rows=by_month)
    endings = case.data.subgroups["ending"][last.test]
    failed = [kind for kind in np.unique(endings[y == 1]) if (endings == kind).sum() >= FEWEST]
    if len(failed) < 2:
        return
    by_ending = []
    for kind in failed:
        rows = (y == 0) | ((endings == kind) & (y == 1))
        share = float((endings == kind)[y == 1].mean())
        ending = {"ending": str(kind), "cases": int(y[rows].sum()), "share of failures": share}
        by_ending.append(ending | _either(y[rows], margin[rows]))
    yield ResultTable(title=f"{name}: each kind of failure against all successes", rows=by_ending)


def _either(y: Floats, score: Floats) -> Mapping[str, float | None]:
    enough = min(y.sum(), (1 - y).sum()) >= FEWEST
    return {"AUC": metrics.auc(y, score, np.ones(len(y))) if enough else None}


def _auc(y: Floats, score: Floats, cluster: Numbers) -> Row:
    ones = np.ones(len(y))
    around = metrics.bootstrap_interval(metrics.auc, y, score, ones, cluster, draws=DRAWS)
    return {"AUC": metrics.auc(y, score, ones), "95 %": around}


def main() -> None:
    """Measures, prints, writes what was asked for."""
    chosen = arguments(__doc__).parse_args()
    tables = []
    for case in cases(chosen.history, chosen.register):
        for table in ceilings(case, Recipe(), chosen.rows):
            tables.append(table)
            show(table)
    write("ceilings", tables, chosen)


if __name__ == "__main__":
    main()
