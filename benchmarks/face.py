"""What a tender costs in a frame, beside a portfolio: `python -m benchmarks.face`.

The same made-up tenders as drafts and awarded, scored by `tender_risk.load().predict_proba`: as a frame of forms, as a
list and a frame of releases, as what `pandas.json_normalize` makes of them, and as `tender_risk.read` reads them.
Beside it what a portfolio's worker takes for the same table in Parquet, and the same releases in JSON lines.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pandas as pd

import tender_risk
from benchmarks import made_tenders
from benchmarks.portfolio import flattened
from benchmarks.tables import ResultTable, Row, add_output_options, show, write
from models import bundle as bundles
from portfolio.work import RunOptions, cached_bundle, score_block
from tenders.facts import Stage
from tenders.io.blocks import blocks

COMPARED: tuple[Stage, ...] = ("draft", "awarded")


def main() -> None:
    """Runs the benchmark, prints its table and writes what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    add_output_options(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = face(Path(folder), options.size, options.repeats)
    show(table)
    write("face", [table], options)


def face(home: Path, size: int, repeats: int) -> ResultTable:
    """A row a stage and kind of frame: microseconds a tender, those of a portfolio, and how often that."""
    model, bundle = tender_risk.load(), str(bundles.released())
    cached_bundle(bundle)
    rows: list[Row] = []
    for stage in COMPARED:
        lines = home / f"{stage}.jsonl"
        made_tenders.write(lines, size, stage=stage)
        flat = flattened(lines, home / f"{stage}.parquet", days=False)
        releases = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
        frames = {
            "forms": (flat, pd.read_parquet(flat)),
            "list of releases": (lines, releases),
            "frame of releases": (lines, pd.DataFrame(releases)),
            "json_normalize": (lines, pd.json_normalize(releases)),
            "tender_risk.read": (lines, tender_risk.read(lines)),
        }
        portfolio = {file: _taken(lambda file=file: _scored(file, bundle), repeats) for file in (flat, lines)}
        for name, (file, frame) in frames.items():
            taken = _taken(lambda frame=frame: model.predict_proba(frame), repeats)
            cost, other = 1e6 * taken / size, 1e6 * portfolio[file] / size
            figures = {"frame, µs": cost, "portfolio, µs": other, "times": cost / other}
            rows.append({"stage": stage, "frame": name, **figures})
    return ResultTable(title=f"{size:,} tenders, processor time of one process", rows=rows, notes=[])


def _scored(file: Path, bundle: str) -> None:
    for block in blocks(file):
        score_block(RunOptions(bundle=bundle), block)


def _taken(call: Callable[[], object], repeats: int) -> float:
    """Seconds of the processor, the least of several turns."""
    times = []
    for _ in range(repeats):
        began = process_time()
        call()
        times.append(process_time() - began)
    return min(times)


if __name__ == "__main__":
    main()
