"""XGBoost as served beside its peers, on the same features and splits: `python -m benchmarks.quality`.

All learners get the same rows (the latest `--rows` known at each cut), weights and columns. Each one's forecasts are
calibrated like the served model's, on earlier windows (in a snapshot on other buyers), and judged on the same cases.
What ranks (AUC, average precision, lift) is judged on the raw forecast, what is a probability on the calibrated one.
The intervals tell the luck of the cases, not that of the fits: `--seed` makes every fit again with other draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.histories import Case, arguments, cases, clusters, latest
from benchmarks.peers import PEERS, RULES, SERVED, Peer, Task
from benchmarks.tables import CONSOLE, ResultTable, show, write
from training import metrics
from training.calibrate import intercept_for_rate
from training.datasets import RegisterDataset
from training.recipe import BoosterParams, Recipe
from training.rolling import (
    STEPS,
    Backtest,
    base_margin,
    calibrated_forecasts,
    rolling_splits,
    training_matrix,
    tune_column_share,
)
from training.splits import bootstrap

Floats = NDArray[np.float64]
WHOLE = f"{SERVED}, all rows"
DRAWS = 200


class PeerForecasts(msgspec.Struct, frozen=True, kw_only=True):
    """What one peer forecast: outcome, raw forecast and probability of the judged rows; seconds that its fits took."""

    y: Floats
    rank: Floats
    p: Floats
    cluster: NDArray[np.int64]
    seconds: float


def compared(case: Case, recipe: Recipe, rows: int) -> ResultTable:
    """The table of one (register, outcome, stage)."""
    table, params = case.data, recipe.register_params(case.data.register, case.data.outcome)
    most = max(len(latest(table, part, params, len(table.y))) for part in rolling_splits(table, STEPS))
    own = [tune_column_share(table, part, params, recipe.seed) for part in rolling_splits(table, STEPS)]
    results = {}
    for name, peer in PEERS.items():
        CONSOLE.print(f"  {name}", style="dim")
        results[name] = forecasts(table, own, peer, recipe, rows)
    if most > rows:
        results[WHOLE] = forecasts(table, own, PEERS[SERVED], recipe, most)
    draws = paired(list(results.values()))
    figures = [
        row(name, result, results[SERVED], draws[:, [at, 0]]) for at, (name, result) in enumerate(results.items())
    ]
    title = " ".join(case.name.values()) + f": {len(results[SERVED].y):,} cases, fitted on up to {min(rows, most):,}"
    return ResultTable(title=title, rows=figures, notes=[verdict(figures)])


def forecasts(
    table: RegisterDataset, own: Sequence[BoosterParams], peer: Peer, recipe: Recipe, rows: int
) -> PeerForecasts:
    """One peer fitted at every cut, as `own` says for each, forecast, calibrated and put beside what happened."""
    started = perf_counter()
    parts = []
    for number, (part, params) in enumerate(zip(rolling_splits(table, STEPS), own, strict=True)):
        chosen = latest(table, part, params, rows)
        train = part.train[chosen]
        matrix = training_matrix(table, train, part.y[chosen], part.cut, params, part.weight[chosen])
        task = Task(
            x=matrix.x,
            y=matrix.y,
            weight=matrix.weight,
            start=matrix.base_margin,
            test_x=table.x[part.test],
            test_start=base_margin(table, part.test, params),
            names=table.names,
            params=params,
            seed=recipe.seed,
        )
        parts.append((part.test, peer(task), np.full(len(part.test), number)))
    seconds = perf_counter() - started
    tested, margin, number = (np.concatenate(pieces) for pieces in zip(*parts, strict=True))
    if peer in RULES:
        # A snapshot's forecasts keep their level, and a rule has none: it gets one, which moves no case past another.
        margin = margin + intercept_for_rate(margin, table.y[tested], np.ones(len(tested)), 1.0)
    backtest = Backtest(rows=tested, margin=margin, split=number)
    return _judged(table, backtest, recipe, seconds)


def _judged(table: RegisterDataset, backtest: Backtest, recipe: Recipe, seconds: float) -> PeerForecasts:
    result = calibrated_forecasts(table, backtest, recipe.seed, recipe.resamples)
    later = not table.snapshot and backtest.split.max() > 0
    scored = backtest.split > 0 if later else np.ones(len(backtest.margin), dtype=bool)
    return PeerForecasts(
        y=result.y,
        rank=backtest.margin[scored],
        p=result.p,
        cluster=clusters(table, backtest.rows[scored]),
        seconds=seconds,
    )


def paired(models: Sequence[PeerForecasts]) -> Floats:
    """AUC of every peer on the same bootstrap samples of whole clusters: shape (draws, peers)."""
    first = models[0]
    assert all(len(model.y) == len(first.y) for model in models)
    return np.array([list(_aucs(models, rows)) for rows in bootstrap(first.cluster, DRAWS, 0)])


def _aucs(models: Sequence[PeerForecasts], rows: NDArray[np.int64]) -> Iterator[float]:
    ones = np.ones(len(rows))
    return (metrics.auc(model.y[rows], model.rank[rows], ones) for model in models)


def row(name: str, peer: PeerForecasts, served: PeerForecasts, draws: Floats) -> dict[str, object]:
    """The figures of one peer; `draws` are its AUC and the served model's on the same bootstrap samples, (draws, 2)."""
    ones = np.ones(len(peer.y))
    auc = metrics.auc(peer.y, peer.rank, ones)
    other = name != SERVED
    return {
        "model": name,
        "AUC": auc,
        "95 %": _interval(draws[:, 0]),
        "to XGBoost": auc - metrics.auc(served.y, served.rank, ones) if other else None,
        "of difference": _interval(draws[:, 0] - draws[:, 1]) if other else None,
        "AP": metrics.average_precision(peer.y, peer.rank, ones),
        "Brier": metrics.brier(peer.y, peer.p, ones),
        "ECE": metrics.ece(peer.y, peer.p, ones),
        "lift 5 %": metrics.lift(peer.y, peer.rank, 0.05),
        "seconds": round(peer.seconds, 1),
    }


def _interval(draws: Floats) -> tuple[float, float]:
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return float(low), float(high)


def ahead(figures: Sequence[dict[str, object]]) -> list[str]:
    """Peers whose difference to XGBoost lies above 0 with its whole interval."""
    return [
        str(figure["model"]) for figure in figures if _low(figure["of difference"]) > 0 and figure["model"] != WHOLE
    ]


def _low(around: object) -> float:
    return float(around[0]) if isinstance(around, tuple) else -np.inf


def verdict(figures: Sequence[dict[str, object]]) -> str:
    """Who is ahead, in a sentence."""
    leading = ahead(figures)
    if leading:
        return f"AHEAD of XGBoost by more than the interval of the difference: {', '.join(leading)}."
    return "No peer is ahead of XGBoost by more than the interval of the difference."


def main() -> None:
    """Measures, prints, writes what was asked for."""
    parser, recipe = arguments(__doc__), Recipe()
    parser.add_argument("--seed", type=int, default=recipe.seed, help="of all draws; by default the recipe's")
    chosen = parser.parse_args()
    recipe = msgspec.structs.replace(recipe, seed=chosen.seed)
    tables = []
    for case in cases(chosen.history, chosen.register):
        tables.append(compared(case, recipe, chosen.rows))
        show(tables[-1])
    write("quality", tables, chosen)


if __name__ == "__main__":
    main()
