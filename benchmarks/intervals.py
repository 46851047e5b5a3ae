"""Do the intervals hold what they promise? `python -m benchmarks.intervals`

The same forecasts get intervals in four ways, each from earlier windows only (in a snapshot, other buyers):

- served: lines from margin to probability, drawn again from whole months (buyers in a snapshot), whose level is
  followed from month to month and may move as levels do until tenders have ended;
- level held: the same without either;
- single cases: the same lines, drawn again from single cases, as if none shared its fate with another;
- Venn-Abers: the inductive Venn-Abers predictor on the same forecasts (Vovk and Petej 2014).

Judged in 15 bins of equal mass: a bin is covered if its observed rate lies in its mean interval, widened by what
counting alone would move it; it is covered strictly if it lies in the interval itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from benchmarks.histories import Case, arguments, cases, latest
from benchmarks.tables import ResultTable, show, write
from benchmarks.venn_abers import venn_abers
from training import metrics
from training.calibrate import fit_calibration, shrink_slope_to_one
from training.datasets import RegisterDataset
from training.fit import fit_booster
from training.recipe import Recipe
from training.rolling import (
    MONTH,
    MOST_CALIBRATED,
    STEPS,
    Backtest,
    IntervalForecasts,
    calibrated_forecasts,
    interval_coverage,
    predict_margin,
    rolling_splits,
    training_matrix,
    tune_column_share,
)

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Bounds = tuple[Floats, Floats, Floats]
"""Probability, low and high of each case."""
Method = Callable[[Floats, Floats, Numbers, Floats], Bounds]
"""Bounds from margins, outcomes and blocks of known cases and the margins of others."""

SERVED, HELD, SINGLE, VENN_ABERS = "served", "level held", "single cases", "Venn-Abers"
PROMISED = 0.95


def forecast(table: RegisterDataset, recipe: Recipe, rows: int) -> Backtest:
    """The served model's margins of every slice, fitted on at most `rows` rows."""
    params, parts = recipe.register_params(table.register, table.outcome), []
    for number, part in enumerate(rolling_splits(table, STEPS)):
        chosen = latest(table, part, params, rows)
        train = part.train[chosen]
        own = tune_column_share(table, part, params, recipe.seed)
        matrix = training_matrix(table, train, part.y[chosen], part.cut, params, part.weight[chosen])
        booster = fit_booster(matrix.x, matrix.y, matrix.weight, table.names, own, recipe.seed, matrix.base_margin)
        margin = predict_margin(table, booster, part.test, own)
        parts.append((part.test, margin, np.full(len(part.test), number)))
    tested, margin, number = (np.concatenate(pieces) for pieces in zip(*parts, strict=True))
    return Backtest(rows=tested, margin=margin, split=number)


def by_method(table: RegisterDataset, backtest: Backtest, recipe: Recipe) -> Mapping[str, IntervalForecasts]:
    """The same forecasts with the intervals of each method."""
    served = calibrated_forecasts(table, backtest, recipe.seed, recipe.resamples)
    methods: dict[str, Method] = {
        HELD: lambda margin, y, block, test: lines(table, margin, y, block, test, recipe),
        SINGLE: lambda margin, y, _, test: lines(table, margin, y, np.arange(len(y)), test, recipe),
        VENN_ABERS: lambda margin, y, _, test: _merged(margin, y, test),
    }
    others = {}
    for name, method in methods.items():
        bounds = [made for _, made in by_step(table, backtest, method)]
        p, low, high = (np.concatenate(pieces) for pieces in zip(*bounds, strict=True))
        others[name] = msgspec.structs.replace(served, p=p, low=low, high=high)
    return {SERVED: served, **others}


def by_step(table: RegisterDataset, backtest: Backtest, method: Method) -> Iterator[tuple[NDArray[np.bool_], Bounds]]:
    """The forecasts of every slice that others calibrate, as training does it, and what a method makes of them."""
    block = (table.buyer if table.snapshot else table.published // MONTH)[backtest.rows]
    for step in np.unique(backtest.split):
        test = backtest.split == step
        known = np.flatnonzero(~test if table.snapshot else (backtest.split < step) & (backtest.split > step - STEPS))
        if not len(known):
            continue
        spread = known[np.unique(np.linspace(0, len(known) - 1, min(MOST_CALIBRATED, len(known))).astype(np.int64))]
        y = table.y[backtest.rows[spread]]
        yield test, method(backtest.margin[spread], y, block[spread], backtest.margin[test])


def lines(table: RegisterDataset, margin: Floats, y: Floats, block: Numbers, test: Floats, recipe: Recipe) -> Bounds:
    """The served line, its intervals those of its resamples alone."""
    line = fit_calibration(margin, y, np.ones(len(y)), block, recipe.seed, recipe.resamples)
    line = shrink_slope_to_one(line, margin, expit(margin))
    drawn = np.array([expit(a + b * test) for a, b in line.resampled])
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    return expit(line.intercept + line.slope * test), low, high


def _merged(margin: Floats, y: Floats, test: Floats) -> Bounds:
    low, high = venn_abers(margin, y, test)
    return high / (1 - low + high), low, high


def strictly(forecasts: IntervalForecasts) -> float:
    """The share of bins whose observed rate lies in their mean interval, without allowance."""
    parts = np.array_split(np.argsort(forecasts.p, kind="stable"), metrics.BINS)
    return float(np.mean([forecasts.low[p].mean() <= forecasts.y[p].mean() <= forecasts.high[p].mean() for p in parts]))


def compared(case: Case, recipe: Recipe, rows: int) -> ResultTable:
    """The table of one (register, outcome, stage)."""
    table = case.data
    figures = []
    for name, forecasts in by_method(table, forecast(table, recipe, rows), recipe).items():
        ones = np.ones(len(forecasts.y))
        figures.append(
            {
                "intervals": name,
                "covered": interval_coverage(forecasts),
                "strictly": strictly(forecasts),
                "mean width": float((forecasts.high - forecasts.low).mean()),
                "ECE": metrics.ece(forecasts.y, forecasts.p, ones),
                "Brier": metrics.brier(forecasts.y, forecasts.p, ones),
                "cases": len(forecasts.y),
            }
        )
    return ResultTable(title=" ".join(case.name.values()), rows=figures)


def overall(tables: Sequence[ResultTable]) -> ResultTable:
    """The mean over all tables, and which method is better."""
    figures = []
    for at, method in enumerate((SERVED, HELD, SINGLE, VENN_ABERS)):
        rows = [table.rows[at] for table in tables]
        means = {
            key: float(np.mean([row[key] for row in rows])) for key in ("covered", "strictly", "mean width", "ECE")
        }
        figures.append({"intervals": method, **means})
    best = max(figures, key=lambda row: (min(row["covered"], PROMISED), -row["mean width"]))
    note = (
        f"Better: {best['intervals']} (nearest to {PROMISED:.0%} of bins covered, allowing for counting; of equals the "
        "narrower)."
    )
    return ResultTable(title=f"all {len(tables)}, mean", rows=figures, notes=[note])


def main() -> None:
    """Measures, prints, writes what was asked for."""
    chosen = arguments(__doc__).parse_args()
    tables = []
    for case in cases(chosen.history, chosen.register):
        tables.append(compared(case, Recipe(), chosen.rows))
        show(tables[-1])
    if tables:
        tables.append(overall(tables))
        show(tables[-1])
    write("intervals", tables, chosen)


if __name__ == "__main__":
    main()
