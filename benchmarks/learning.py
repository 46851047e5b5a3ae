"""What learning from a register costs beside the fit alone: `python -m benchmarks.learning`.

A register end to end (read, replay, features, fit of the served model) over the time of `xgb.train` alone on the same
matrix: the one that was made, every told row and every column of it. Beside it the same over `xgb.train` within the fit
of the served model, which takes the latest years and the columns that gain most. Then the rows replayed in a second,
the memory at its peak, and where the time of a table goes.
"""

from __future__ import annotations

import functools
import resource
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter
from typing import Any
from unittest.mock import patch

import xgboost as xgb

from benchmarks.histories import arguments, find_histories
from benchmarks.tables import ResultTable, show, write
from features.matrix import TableFeatures
from features.track_records import register_history as histories
from features.track_records.register_history import DecayedCounts
from features.track_records.text_model import TextModel
from tenders.history import LabelledTender, Register
from training import datasets, fit
from training.datasets import RegisterDataset
from training.recipe import Recipe
from training.registers import available_outcomes
from training.rolling import fit_final

LARGEST = "sicoes_bo"
BAR = 3.0
"""What is promised: end to end takes at most this many times `xgb.train` alone on the matrix that was made."""
REPLAYED = 60.0
"""What is promised: seconds that the whole of the largest register takes to replay, at most."""

# What is timed: where it is looked up when it is called, and how the part is called. Parts nest: the replay holds
# what stands indented under it.
PARTS: tuple[tuple[Any, str, str], ...] = (
    (LabelledTender, "as_of", "as_of"),
    (datasets, "hash_attributes", "attributes"),
    (datasets, "replay_cases", "cases (with attributes)"),
    (datasets, "buyer_numbers", "buyers"),
    (datasets, "empty_history", "an empty history"),
    (datasets, "subgroups", "groups"),
    (histories, "replay", "replay"),
    (histories, "start_reading", "  keys and tokens"),
    (DecayedCounts, "read", "  counts read"),
    (DecayedCounts, "add", "  counts added"),
    (TextModel, "log_odds", "  text models forecast"),
    (TextModel, "update", "  text models updated"),
    (datasets, "register_features", "register features"),
    (TableFeatures, "that_differ", "which features are told"),
    (TableFeatures, "table", "columns of tenders"),
    (TableFeatures, "matrix", "plain features"),
    # Not of the table but of the fit.
    (xgb, "QuantileDMatrix", "quantile matrix"),
    (xgb, "train", "xgb.train"),
)
Seconds = defaultdict[str, float]


@contextmanager
def clocked() -> Iterator[Seconds]:
    """Within it, every part adds the time of its calls under its name."""
    spent: Seconds = defaultdict(float)
    with ExitStack() as stack:
        for owner, name, part in PARTS:
            stack.enter_context(patch.object(owner, name, _timed(getattr(owner, name), part, spent)))
        yield spent


def _timed(call: Callable[..., Any], part: str, spent: Seconds) -> Callable[..., Any]:
    @functools.wraps(call, updated=())
    def timed(*args: Any, **kwargs: Any) -> Any:
        started = perf_counter()
        try:
            return call(*args, **kwargs)
        finally:
            spent[part] += perf_counter() - started

    return timed


def measured(source: Register, past: list[LabelledTender], read: float, recipe: Recipe) -> list[ResultTable]:
    """Times the first (outcome, stage) of a register, whose file took `read` seconds to read."""
    outcome, stage = next(iter(available_outcomes(source, past)))
    params = recipe.register_params(source.name, outcome)
    with clocked() as parts:
        started = perf_counter()
        table = datasets.register_dataset(source, past, outcome, stage)
        made = perf_counter() - started
        started = perf_counter()
        fit_final(table, params, recipe.seed)
        fitted = perf_counter() - started
    alone = parts["xgb.train"]
    whole = whole_matrix(table, recipe)
    replay = parts["replay"]
    shape = f"{table.x.shape[0]:,} rows x {table.x.shape[1]:,} columns"
    total = read + made + fitted
    steps = [
        {"step": "read the file", "seconds": read},
        {"step": "make the table (replay and features)", "seconds": made},
        {"step": "fit the served model, all told", "seconds": fitted},
        {"step": "end to end", "seconds": total},
        {"step": "xgb.train alone, on every told row and column", "seconds": whole},
        {"step": "xgb.train alone, within the fit of the served model", "seconds": alone},
        {"step": "binning, within that fit", "seconds": parts["quantile matrix"]},
    ]
    return [
        ResultTable(title=f"{source.name} {outcome} {stage}: {shape}", rows=steps, notes=_notes(total, whole, alone)),
        _profile(parts, made, len(past), replay),
    ]


def whole_matrix(table: RegisterDataset, recipe: Recipe) -> float:
    """Seconds that one `xgb.train` takes on every told row and every column."""
    rows = table.labelled
    params = recipe.register_params(table.register, table.outcome)
    data = xgb.QuantileDMatrix(table.x[rows], table.y[rows], max_bin=params.bins, nthread=fit.THREADS)
    started = perf_counter()
    xgb.train(fit.xgb_params(params, recipe.seed) | {"nthread": fit.THREADS}, data, params.trees)
    return perf_counter() - started


def _notes(total: float, whole: float, alone: float) -> list[str]:
    ratio = total / whole
    held = "held" if ratio <= BAR else "NOT HELD"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return [
        f"End to end over xgb.train alone on the same matrix: {ratio:.2f} (promised: at most {BAR:.0f}; {held}).",
        f"End to end over xgb.train within the fit of the served model: {total / alone:.2f}.",
        f"Peak memory {peak:.1f} GB.",
    ]


def _profile(parts: Seconds, made: float, rows: int, replay: float) -> ResultTable:
    names = [part for _, _, part in PARTS if parts[part]]
    figures = [{"part": n, "seconds": parts[n], "share of the table": f"{parts[n] / made:.0%}"} for n in names]
    figures = [row for row in figures if not row["part"].startswith(("xgb", "quantile"))]
    notes = []
    if replay:
        notes.append(f"Replayed {rows / replay:,.0f} rows a second, {rows:,} in {replay:.1f} s.")
        notes.append(f"{REPLAYED * rows / replay:,.0f} rows would replay in {REPLAYED:.0f} s.")
    return ResultTable(title=f"where the table's {made:.1f} s go", rows=figures, notes=notes)


def main() -> None:
    """Measures, prints, writes what was asked for."""
    chosen = arguments(__doc__, capped=False).parse_args()
    tables = []
    for source, file in find_histories(chosen.history, chosen.register or [LARGEST]):
        started = perf_counter()
        past = source.cases(file)
        tables += measured(source, past, perf_counter() - started, Recipe())
    for table in tables:
        show(table)
    write("learning", tables, chosen)


if __name__ == "__main__":
    main()
