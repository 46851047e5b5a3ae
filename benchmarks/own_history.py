"""What it takes to learn a history of one's own: `python -m benchmarks.own_history [--calls 200000]`.

A made table of calls with its mapping is read and learnt as `tender-risk train --history` does it, beside the served
models. At each step the seconds that it took, the memory in use at its end, and the memory at the peak so far.
"""

from __future__ import annotations

import argparse
import os
import resource
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.load import resident_megabytes
from benchmarks.tables import ResultTable, Row, add_output_options, show, write
from models import bundle as bundles
from tests.training import short_history
from training.extend import extend
from training.recipe import Recipe

DAYS = 1500
"""The span of the made table."""


def measured(calls: int) -> list[Row]:
    """The steps of training, each with what it took."""
    rows: list[Row] = []
    with TemporaryDirectory() as scratch:
        history = short_history.write(Path(scratch), calls=calls, days=DAYS)
        served = bundles.load(bundles.released())
        began, step = perf_counter(), "before"

        def progress(text: str) -> None:
            nonlocal began, step
            rows.append(
                {
                    "step": step,
                    "seconds": round(perf_counter() - began, 1),
                    "MB at its end": round(resident_megabytes(os.getpid())),
                    "MB at the peak so far": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
                }
            )
            began, step = perf_counter(), text

        extend(served, history, Recipe(), progress)
        progress("")
    return rows


def main() -> None:
    """Prints the steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200_000)
    add_output_options(parser)
    options = parser.parse_args()
    table = ResultTable(title=f"Learning a history of {options.calls:,} calls", rows=measured(options.calls))
    show(table)
    write("own_history", [table], options)


if __name__ == "__main__":
    main()
