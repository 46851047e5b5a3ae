"""What a tender of a portfolio costs by how far it is: `python -m benchmarks.portfolio_stages`.

The same made-up tenders as drafts, with their bids counted, and awarded: as JSON lines, as flat Parquet, as CSV, and as
the Parquet with 1 % of rows whose date is none. One process scores what a worker would; the least of several turns.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import process_time

import pyarrow.parquet as pq
from pyarrow import csv

from benchmarks import made_tenders
from benchmarks.portfolio import flattened
from benchmarks.tables import ResultTable, Row, add_output_options, show, write
from models import bundle as bundles
from portfolio.work import RunOptions, cached_bundle, score_block
from tenders.facts import STAGES
from tenders.io.blocks import blocks
from tenders.io.streams import Block

ODD_EVERY = 100


def main() -> None:
    """Runs the benchmark, prints its table and writes what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=3)
    add_output_options(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = stages(Path(folder), options.size, options.repeats)
    show(table)
    write("portfolio_stages", [table], options)


def stages(home: Path, size: int, repeats: int) -> ResultTable:
    """A row a stage: microseconds a tender from each kind of file."""
    bundle = str(bundles.released())
    cached_bundle(bundle)
    rows: list[Row] = []
    for stage in STAGES:
        lines = home / f"{stage}.jsonl"
        made_tenders.write(lines, size, stage=stage)
        flat = flattened(lines, home / f"{stage}.parquet", days=False)
        odd, text = _odd(flat, home / f"{stage}-odd.parquet"), home / f"{stage}.csv"
        csv.write_csv(pq.read_table(flat), text)
        files = {"JSON lines": lines, "Parquet": flat, "Parquet, 1 % odd": odd, "CSV": text}
        taken = {name: _taken(list(blocks(file)), bundle, repeats) for name, file in files.items()}
        costs = {name: 1e6 * seconds / size for name, seconds in taken.items()}
        rows.append({"stage": stage, **costs, "JSON over Parquet": taken["JSON lines"] / taken["Parquet"]})
    return ResultTable(title=f"{size:,} tenders a stage, microseconds a tender, one process", rows=rows, notes=[])


def _taken(cut: Sequence[Block], bundle: str, repeats: int) -> float:
    """Seconds of the processor for all blocks, the least of several turns."""
    options = RunOptions(bundle=bundle)
    times = []
    for _ in range(repeats):
        began = process_time()
        for block in cut:
            score_block(options, block)
        times.append(process_time() - began)
    return min(times)


def _odd(flat: Path, to: Path) -> Path:
    """The same table with a date that is none in one row of ODD_EVERY."""
    table = pq.read_table(flat)
    at = table.column_names.index("published")
    days = ["soon" if n % ODD_EVERY == 7 else day for n, day in enumerate(table["published"].to_pylist())]
    pq.write_table(table.set_column(at, "published", [days]), to)
    return to


if __name__ == "__main__":
    main()
