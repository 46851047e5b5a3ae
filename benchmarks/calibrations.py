"""Which calibration holds in the next window? `python -m benchmarks.calibrations`

The recipe's model forecasts as many windows as a register has, up to WINDOWS (in a snapshot the folds of buyers), and
each but the first is calibrated as it would have been then, on the windows before it (the other folds):

- as it stands: the model's own probabilities;
- as found: a line whose level and slope are those of the windows before;
- served: the same line, its slope drawn to 1 (in a snapshot with the level of the margins themselves).

Each with as much of the register's drift added to the margins as is served, none, half of it or all. The figures are
means over windows, all of them and those before the ones that the cards judge: choices belong on the latter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from benchmarks.histories import Case, arguments, cases
from benchmarks.intervals import Bounds, Method, by_step, lines
from benchmarks.tables import ResultTable, Row, show, write
from training import metrics
from training.calibrate import fit_calibration
from training.datasets import RegisterDataset
from training.recipe import Recipe
from training.rolling import DRIFTS, STEPS, Backtest, backtest

Floats = NDArray[np.float64]
WINDOWS = 9


def methods(table: RegisterDataset, recipe: Recipe) -> Mapping[str, Method]:
    """The ways from margins to probabilities that are compared."""

    def found(margin: Floats, y: Floats, block: NDArray[np.int64], test: Floats) -> Bounds:
        line = fit_calibration(margin, y, np.ones(len(y)), block, recipe.seed, recipe.resamples)
        p = expit(line.intercept + line.slope * test)
        return p, p, p

    def stands(*given: Any) -> Bounds:
        p = expit(given[-1])
        return p, p, p

    return {
        "as it stands": stands,
        "as found": found,
        "served": lambda margin, y, block, test: lines(table, margin, y, block, test, recipe),
    }


def compared(case: Case, recipe: Recipe) -> ResultTable:
    """The table of one (register, outcome, stage)."""
    table = case.data
    plain = backtest(
        table, recipe.register_params(table.register, table.outcome), STEPS if table.snapshot else WINDOWS, recipe.seed
    )
    rows: list[Row] = []
    for drift in (0.0,) if table.snapshot else DRIFTS:
        margin = plain.margin + drift * table.drift[plain.rows]
        forecasts = msgspec.structs.replace(plain, margin=margin)
        for name, method in methods(table, recipe).items():
            rows.append({"calibration": name, "drift": drift, **figures(table, forecasts, method)})
    return ResultTable(title=f"{' '.join(case.name.values())}: {len(np.unique(plain.split))} windows", rows=rows)


def figures(table: RegisterDataset, found: Backtest, method: Method) -> Row:
    """Mean log loss, Brier score and calibration error over all windows, and over those before the judged ones."""
    each = []
    for test, (p, _, _) in by_step(table, found, method):
        y, ones = table.y[found.rows[test]], np.ones(int(test.sum()))
        sure = np.clip(p, 1e-6, 1 - 1e-6)
        loss = -float(np.mean(y * np.log(sure) + (1 - y) * np.log(1 - sure)))
        each.append((loss, metrics.brier(y, p, ones), metrics.ece(y, p, ones)))
    names = ("log loss", "Brier", "ECE")
    before = each if table.snapshot else each[: -(STEPS - 1)]
    made = dict(zip(names, map(float, np.mean(each, axis=0)), strict=True))
    if not before:
        return made | {f"{name}, before": None for name in names}
    return made | dict(zip((f"{name}, before" for name in names), map(float, np.mean(before, axis=0)), strict=True))


def main() -> None:
    """Measures, prints, writes what was asked for."""
    chosen = arguments(__doc__, capped=False).parse_args()
    tables = []
    for case in cases(chosen.history, chosen.register):
        tables.append(compared(case, Recipe()))
        show(tables[-1])
    write("calibrations", tables, chosen)


if __name__ == "__main__":
    main()
