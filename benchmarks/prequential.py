"""Do probabilities hold in the next period? `python -m benchmarks.prequential`

Every register is forecast over its whole history as it would have been at the time: from the first day on which FEWEST
outcomes of either kind may teach, the model is fitted once a window (a year, less in a short history) on what was known
then, its calibration on the windows before, and its level is followed from month to month (from quarter to quarter
where the register tells no more). All forecasts together are judged once. Of publications so recent that their outcomes
are hardly known none is judged.

- ECE of all forecasts together beside its floor: that of perfectly calibrated forecasts of the same probabilities, by
  simulation. The aim is that of the register, or 1.5 times the floor where that is larger. The mean of single windows,
  where errors of several do not cancel, has a higher floor and no aim.
- Bins: 15 of equal mass, all together and the mean of single windows; a bin holds if its observed rate lies in its mean
  interval, widened by what counting alone would move it.

`--rules` compares what may teach, each rule with its own fits: by the inverse probability of being known (served), all
that is known so far, and mature publications alone. A snapshot is forecast on folds of buyers, beside plain XGBoost on
the same columns, which reads gaps; on cases without a gap too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from scipy.special import expit

from benchmarks.histories import Case, arguments, cases, latest
from benchmarks.tables import ResultTable, Row, show, write
from features.catalogue import catalogue
from features.track_records import delays
from features.track_records.delays import Days, Teaching
from models.level import Rule
from training import metrics
from training.datasets import RegisterDataset
from training.fit import fit_booster
from training.recipe import BoosterParams, Recipe
from training.registers import FEWEST
from training.rolling import (
    STEPS,
    Backtest,
    IntervalForecasts,
    Split,
    calibrated_forecasts,
    predict_margin,
    rolling_splits,
    tells_delay,
    training_matrix,
    tune_column_share,
    window_splits,
)

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

WINDOWS = 60
"""More than any history has. A snapshot has as many folds of buyers as are served."""
AIMS = {"sicoes_bo": 0.025, "dncp_py": 0.02, "nicgep_in": 0.006, "fpds_dod_us": 0.006, "ted_de": 0.012}
"""The calibration error that is aimed at, by register; without one, that many times the floor alone."""
MOST_OF_FLOOR = 1.5
BINS_HELD = 13
DRAWS = 20
PLAIN = {"objective": "binary:logistic", "max_depth": 4, "eta": 0.05, "subsample": 0.8, "colsample_bytree": 0.5}
PLAIN_TREES = 200
SERVED = "served"
COLUMNS = ("forecasts", "cases", "rate", "mean", "ECE", "of windows", "floor", "aim", "AUC", "log loss", "bins of 15",
           "of single windows", "mean width")  # fmt: skip
"""What a row shows, in its order."""


def all_known(published: Days, known: Days, y: Floats, day: int) -> Teaching:
    """Everything that is known, as if it were how tenders end."""
    rows = np.flatnonzero(~np.isnan(y) & (known < day) & (published < day))
    return Teaching(rows, np.ones(len(rows)))


def mature_alone(published: Days, known: Days, y: Floats, day: int) -> Teaching:
    """Publications of which nearly all outcomes are known, each counted once."""
    teaching = delays.teaching(published, known, y, day, 0.95)
    return Teaching(teaching.rows, np.ones(len(teaching.rows)))


RULES: Mapping[str, Rule] = {
    SERVED: delays.teaching,
    "all known so far": all_known,
    "mature publications alone": mature_alone,
}


def windows(table: RegisterDataset, rule: Rule) -> list[Split]:
    """Every window before which enough may teach, with what may by the rule."""
    windowed = []
    # A short history has windows too: the folds that its model is calibrated on forecast no next period.
    for part in rolling_splits(table, STEPS) if table.snapshot else window_splits(table, WINDOWS):
        if not tells_delay(table):
            by_rule = part
        else:
            may = rule(table.published, table.known, table.y, part.cut)
            by_rule = msgspec.structs.replace(part, train=may.rows, y=table.y[may.rows], weight=may.weight)
        if min(part.y.sum(), len(part.y) - part.y.sum(), by_rule.y.sum(), len(by_rule.y) - by_rule.y.sum()) >= FEWEST:
            windowed.append(by_rule)
    return windowed


def forecast(table: RegisterDataset, parts: Sequence[Split], recipe: Recipe, rows: int) -> Backtest:
    """The margins of every window, each by a model fitted on at most `rows` rows, the latest."""
    params, tested_parts = recipe.register_params(table.register, table.outcome), []
    for number, part in enumerate(parts):
        chosen = latest(table, part, params, rows)
        own = tune_column_share(table, part, params, recipe.seed)
        booster = _fit(table, part, chosen, own, recipe.seed)
        margin = predict_margin(table, booster, part.test, own)
        tested_parts.append((part.test, margin, np.full(len(part.test), number)))
    tested, margin, number = (np.concatenate(pieces) for pieces in zip(*tested_parts, strict=True))
    return Backtest(rows=tested, margin=margin, split=number)


def _fit(table: RegisterDataset, part: Split, chosen: Numbers, params: BoosterParams, seed: int) -> xgb.Booster:
    matrix = training_matrix(table, part.train[chosen], part.y[chosen], part.cut, params, part.weight[chosen])
    return fit_booster(matrix.x, matrix.y, matrix.weight, table.names, params, seed, matrix.base_margin)


def floor(p: Floats) -> float:
    """The mean calibration error of outcomes drawn from the probabilities themselves."""
    rng, ones = np.random.default_rng(0), np.ones(len(p))
    return float(np.mean([metrics.ece((rng.random(len(p)) < p).astype(float), p, ones) for _ in range(DRAWS)]))


def figures(name: str, forecasts: IntervalForecasts, windows_of: Numbers) -> Row:
    """The figures of forecasts; `windows_of` numbers the window of each."""
    y, p, ones = forecasts.y, forecasts.p, np.ones(len(forecasts.y))
    least = floor(p)
    by_window = [held(forecasts, np.flatnonzero(windows_of == number)) for number in np.unique(windows_of)]
    sure = np.clip(p, 1e-6, 1 - 1e-6)
    return {
        "forecasts": name,
        "cases": len(y),
        "rate": float(y.mean()),
        "mean": float(p.mean()),
        "ECE": metrics.ece(y, p, ones),
        "of windows": ece_of_windows(forecasts, windows_of),
        "floor": least,
        "aim": max(AIMS.get(forecasts.register, 0.0), MOST_OF_FLOOR * least),
        "AUC": metrics.auc(y, p, ones),
        "log loss": -float(np.mean(y * np.log(sure) + (1 - y) * np.log(1 - sure))),
        "bins of 15": round(held(forecasts, np.arange(len(y))) * metrics.BINS),
        "of single windows": float(np.mean(by_window)),
        "mean width": float((forecasts.high - forecasts.low).mean()),
    }


def ece_of_windows(forecasts: IntervalForecasts, windows_of: Numbers) -> float:
    """The mean calibration error of single windows, by their cases: what errs up in one and down in the next shows."""
    total = 0.0
    for number in np.unique(windows_of):
        rows = np.flatnonzero(windows_of == number)
        total += len(rows) * metrics.ece(forecasts.y[rows], forecasts.p[rows], np.ones(len(rows)))
    return total / len(windows_of)


def held(forecasts: IntervalForecasts, rows: Numbers) -> float:
    """The share of bins of some forecasts that their intervals hold."""
    inside = []
    for bin_ in np.array_split(rows[np.argsort(forecasts.p[rows], kind="stable")], metrics.BINS):
        if len(bin_):
            rate, p = forecasts.y[bin_].mean(), forecasts.p[bin_].mean()
            slack = 1.96 * np.sqrt(max(p * (1 - p), 1e-9) / len(bin_))
            inside.append(forecasts.low[bin_].mean() - slack <= rate <= forecasts.high[bin_].mean() + slack)
    return float(np.mean(inside))


def judged(case: Case, recipe: Recipe, rows: int, rules: Mapping[str, Rule]) -> ResultTable:
    """The table of one (register, outcome, stage)."""
    table, result_rows = case.data, []
    for name, rule in rules.items():
        parts = windows(table, rule)
        if not parts:
            continue
        tested = forecast(table, parts, recipe, rows)
        served = calibrated_forecasts(table, tested, recipe.seed, recipe.resamples, rule)
        scored = tested.split > 0 if not table.snapshot and len(parts) > 1 else np.ones(len(tested.split), dtype=bool)
        result_rows.append(figures(name, served, tested.split[scored]))
        if name == SERVED:
            plain = expit(tested.margin[scored])
            still = msgspec.structs.replace(served, p=plain, low=plain, high=plain)
            result_rows.append(figures("level not followed", still, tested.split[scored]))
    if table.snapshot:
        result_rows += beside_plain(table, recipe, rows)
    return ResultTable(title=" ".join(case.name.values()), rows=result_rows)


def beside_plain(table: RegisterDataset, recipe: Recipe, rows: int) -> list[Row]:
    """The served model and plain XGBoost on the same folds of buyers, and on those cases alone that have no gap."""
    parts = list(rolling_splits(table, STEPS))
    served = forecast(table, parts, recipe, rows)
    plain = np.concatenate([_plain_margin(table, part, recipe.seed) for part in parts])
    gaps = [
        column
        for column, name in enumerate(table.names)
        if any(catalogue()[name].path.startswith(gap) for gap in table.gaps)
    ]
    known = ~np.isnan(table.x[:, gaps]).all(axis=1) if gaps else np.ones(len(table.y), dtype=bool)
    y = table.y[served.rows]
    return [
        dict.fromkeys(COLUMNS)
        | {
            "forecasts": f"{name}, {which}",
            "cases": int(of.sum()),
            "rate": float(y[of].mean()),
            "AUC": metrics.auc(y[of], margin[of], np.ones(int(of.sum()))),
        }
        for which, of in (("all cases", np.ones(len(y), dtype=bool)), ("no gap", known[served.rows]))
        for name, margin in ((SERVED, served.margin), ("plain XGBoost", plain))
    ]


def _plain_margin(table: RegisterDataset, part: Split, seed: int) -> Floats:
    """Every column but the month of publication, no weights, gaps as they are."""
    columns = [column for column, name in enumerate(table.names) if "month" not in name]
    data = xgb.DMatrix(table.x[part.train][:, columns], part.y, nthread=1)
    booster = xgb.train({**PLAIN, "seed": seed, "nthread": 1}, data, PLAIN_TREES)
    margin = booster.predict(xgb.DMatrix(table.x[part.test][:, columns]), output_margin=True)
    return np.asarray(margin, dtype=np.float64)


def verdict(tables: Sequence[ResultTable]) -> list[str]:
    """What holds of what is asked for, in sentences."""
    served = {table.title: table.rows[0] for table in tables if table.rows}
    timed = {title: row for title, row in served.items() if row["aim"] is not None}
    missed = [title for title, row in timed.items() if row["ECE"] > row["aim"]]
    few = [title for title, row in timed.items() if row["bins of 15"] < BINS_HELD]
    share = float(np.mean([row["bins of 15"] / metrics.BINS for row in timed.values()]))
    return [
        f"Calibration error above its aim: {', '.join(missed) or 'nowhere'}.",
        f"Fewer than {BINS_HELD} of {metrics.BINS} bins held: {', '.join(few) or 'nowhere'}.",
        f"Of all bins {share:.0%} are held.",
    ]


def main() -> None:
    """Measures, prints, writes what was asked for."""
    parser = arguments(__doc__)
    parser.add_argument("--rules", action="store_true", help="compare what may teach")
    chosen = parser.parse_args()
    rules = RULES if chosen.rules else {SERVED: RULES[SERVED]}
    judge = partial(judged, recipe=Recipe(), rows=chosen.rows, rules=rules)
    tables = []
    for case in cases(chosen.history, chosen.register):
        tables.append(judge(case))
        show(tables[-1])
    if tables:
        tables.append(ResultTable(title="what holds", rows=[], notes=verdict(tables)))
        show(tables[-1])
    write("prequential_rules" if chosen.rules else "prequential", tables, chosen)


if __name__ == "__main__":
    main()
