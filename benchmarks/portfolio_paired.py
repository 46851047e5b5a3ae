"""How much longer a portfolio takes than at another commit: `python -m benchmarks.portfolio_paired DIR`.

DIR is a working tree of the other commit (`git worktree add DIR COMMIT`). A process of each tree scores the same made
tenders in turns, what a worker does and nothing else. Of each pair of turns the ratio of the processor's time is taken:
work beside them slows both.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from pyarrow import csv

from benchmarks import made_tenders
from benchmarks.portfolio import flattened
from benchmarks.tables import ResultTable, Row, add_output_options, show, write
from tenders.facts import STAGES, Stage

HERE = Path(__file__).resolve().parent.parent
SCORER = """
import sys, time
from pathlib import Path
from models import bundle as bundles
if Path("portfolio/work.py").exists():
    from portfolio.work import RunOptions as Options, score_block as score
    from tenders.io.blocks import blocks
else:  # Until November 2026.
    from serving.portfolio.work import Asked as Options, scored as score
    from serving.portfolio.blocks import blocks
options = Options(bundle=str(bundles.released()))
cut = {}
for line in sys.stdin:
    file = Path(line.strip())
    if file not in cut:
        cut[file] = list(blocks(file))
    began = time.process_time()
    for block in cut[file]:
        score(options, block)
    print(time.process_time() - began, flush=True)
"""
"""Asked for a file a line, it answers with seconds; run in a tree, it imports what is there."""
Scorer = subprocess.Popen[str]


def main() -> None:
    """Runs the benchmark, prints its table and writes what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, metavar="DIR")
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=15)
    add_output_options(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = paired(Path(folder), options.other.resolve(), options.size, options.repeats)
    show(table)
    write("portfolio_paired", [table], options)


def paired(home: Path, other: Path, size: int, repeats: int) -> ResultTable:
    """A row a stage and kind of file: microseconds a tender in each tree, and how often that of the other."""
    rows: list[Row] = []
    with ExitStack() as stack:
        scorers = [stack.enter_context(scorer(tree)) for tree in (other, HERE)]
        for stage in STAGES:
            for name, file in made_files(home, stage, size).items():
                taken = np.array([turn(scorers, file, reverse=bool(n % 2)) for n in range(repeats + 1)])[1:]
                least = 1e6 * taken.min(axis=0) / size
                ratios = taken[:, 1] / taken[:, 0]
                figures = {"other, µs": least[0], "here, µs": least[1], "median ratio": statistics.median(ratios)}
                rows.append(
                    {"stage": stage, "file": name, **figures, "middle half": tuple(np.quantile(ratios, (0.25, 0.75)))}
                )
    return ResultTable(title=f"{size:,} tenders, processor time, {repeats} pairs", rows=rows)


def made_files(home: Path, stage: Stage, size: int) -> dict[str, Path]:
    """The same tenders in three kinds of file."""
    lines, text = home / f"{stage}.jsonl", home / f"{stage}.csv"
    made_tenders.write(lines, size, stage=stage)
    flat = flattened(lines, home / f"{stage}.parquet", days=False)
    csv.write_csv(pq.read_table(flat), text)
    return {"JSON lines": lines, "Parquet": flat, "CSV": text}


@contextmanager
def scorer(tree: Path) -> Iterator[Scorer]:
    """A process of a tree that scores files."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCORER]
    with subprocess.Popen(
        command, cwd=tree, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        if process.stdin:
            process.stdin.close()


def turn(scorers: list[Scorer], file: Path, reverse: bool) -> list[float]:
    """Seconds that each takes for a file, one after the other; whoever comes first comes last in the next turn."""
    seconds = [0.0] * len(scorers)
    for place in reversed(range(len(scorers))) if reverse else range(len(scorers)):
        pipes = scorers[place]
        if pipes.stdin is None or pipes.stdout is None:
            raise ValueError("a scorer is asked and answers through pipes")
        pipes.stdin.write(f"{file}\n")
        pipes.stdin.flush()
        seconds[place] = float(pipes.stdout.readline())
    return seconds


if __name__ == "__main__":
    main()
