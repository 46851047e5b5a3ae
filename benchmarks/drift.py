"""How often `tender-risk drift` cries wolf, and what it finds: portfolios drawn from the past itself, and shifted ones.

    python -m benchmarks.drift

60 features of three shapes (continuous, counts, yes or no), each unknown in up to half of the rows, and scores
(`tests/models/drifted.py`). Each portfolio is drawn anew, the past ten times. *Alike* are tenders that share all their
values, as those of one buyer do in part: a portfolio of few buyers does differ from the past, and is found to.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from benchmarks.tables import ResultTable, add_output_options, show, write
from models.drift import Drift, smallest_visible_shift
from models.training_profile import TrainingProfile
from tests.models.drifted import FEATURES, NAMES, Table, compared, scores, table, training_profile

SIGMA = 1.5
"""Of the logarithm of the continuous features."""
RUNS = {100: 200, 1_000: 100, 100_000: 3}
"""Tenders of a portfolio, and how many portfolios are drawn."""
PAST = (460, 20_000)
PASTS = 10
ALIKE = (1, 5, 20)
SHIFTS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
POWER = {100: 50, 1_000: 20}
WHAT = ("a feature", "unknown", "scores")


class Alarms(NamedTuple):
    """Of portfolios without drift, the shares with any finding, and with the answer no."""

    finding: float
    answered_no: float


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_output_options(parser)
    options = parser.parse_args()
    tables = [false_alarms(), detections()]
    for result in tables:
        show(result)
    write("drift", tables, options)


def false_alarms() -> ResultTable:
    """How often portfolios without drift are reported to have some."""
    rows = []
    for past in PAST:
        for size, runs in RUNS.items():
            for alike in ALIKE:
                rates = alarms(past, size, runs, alike)
                least = min(smallest_visible_shift(size, past, 2 * FEATURES), 1.0)
                rows.append(
                    {
                        "learnt from": past,
                        "tenders": size,
                        "alike": alike,
                        "portfolios": runs,
                        "a finding": f"{rates.finding:.1%}",
                        "answer no": f"{rates.answered_no:.1%}",
                        "seen from": f"{least:.0%}",
                    }
                )
    return ResultTable(title="Portfolios without drift", rows=rows)


def detections() -> ResultTable:
    """How often a shift of one thing by a share of all tenders is detected."""
    rows = []
    for past in PAST:
        for size, runs in POWER.items():
            for what in WHAT:
                shares = {f"{shift:.0%}": f"{power(past, size, runs, shift, what):.0%}" for shift in SHIFTS}
                rows.append({"learnt from": past, "tenders": size, "what moved": what, **shares})
    return ResultTable(title="Portfolios that shifted by a share of all tenders", rows=rows)


def alarms(past: int, rows: int, runs: int, alike: int) -> Alarms:
    """Portfolios of so many rows from the past's own law, `alike` rows at a time the same."""
    drifts: list[Drift] = []
    for run in range(runs):
        made = np.random.default_rng([past, rows, alike, run])
        few = math.ceil(rows / alike)
        matrix, p = table(few, made), scores(few, made)
        repeated = np.repeat(matrix, alike, axis=0)[:rows], np.repeat(p, alike)[:rows]
        drifts.append(compared(known(past, run % PASTS), *repeated))
    return Alarms(
        float(np.mean([bool(drift.shifts) for drift in drifts])),
        float(np.mean([drift.same is False for drift in drifts])),
    )


@cache
def known(past: int, number: int) -> TrainingProfile:
    """One of the pasts, of so many rows."""
    return training_profile(past, np.random.default_rng([past, number]))


def power(past: int, rows: int, runs: int, size: float, what: str) -> float:
    """The share of portfolios in which a shift of one thing by `size` of all tenders is found."""
    return float(np.mean(list(_hits(past, rows, runs, size, what))))


def _hits(past: int, rows: int, runs: int, size: float, what: str) -> Iterator[bool]:
    name = "no_award" if what == "scores" else NAMES[0]
    for run in range(runs):
        made = np.random.default_rng([past, rows, round(size * 100), run])
        matrix, p = table(rows, made), scores(rows, made)
        if what == "scores":
            p[made.random(rows) < size] = 0.99
        else:
            _move(matrix, size, what, made)
        yield any(shift.name == name for shift in compared(known(past, run % PASTS), matrix, p).shifts)


def _move(matrix: Table, size: float, what: str, made: np.random.Generator) -> None:
    if what == "unknown":
        matrix[made.random(len(matrix)) < size, 0] = np.nan
    else:
        # Of two normal laws this far apart, the shares below the point between them differ by `size`.
        matrix[:, 0] *= math.exp(SIGMA * 2 * NormalDist().inv_cdf((1 + size) / 2))


if __name__ == "__main__":
    main()
