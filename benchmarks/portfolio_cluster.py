"""What a cluster costs: one run on this machine and on Dask workers of this machine, with the same bytes out.

`python -m benchmarks.portfolio_cluster` makes releases, scores them with one process and with clusters of one and of
two workers, and prints seconds, rate and the most memory that each process took. The last table is arithmetic: what a
national register takes at the measured rate a worker, which holds while the scheduler passes the bytes on fast enough.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks import made_tenders
from benchmarks.tables import ResultTable, add_output_options, show, write

HERE = Path(sys.executable)
PORT = 18787
ADDRESS = f"tcp://127.0.0.1:{PORT}"
NATIONAL = 1_000_000


class Measured(NamedTuple):
    """One run: seconds, and the most memory in MB of the command, of a worker and of the scheduler."""

    name: str
    workers: int
    seconds: float
    command: float
    worker: float | None
    scheduler: float | None


def main() -> None:
    """Measures, compares the bytes and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    add_output_options(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "made.jsonl"
        size = made_tenders.write(source, options.rows)
        runs = [on_processes(source), *(on_cluster(source, count) for count in (1, 2))]
        same = len({(source.parent / f"{run.name}.parquet").read_bytes() for run in runs}) == 1
    tables = [measured(runs, options.rows, size, same), national(runs[-1], options.rows, size)]
    for table in tables:
        show(table)
    write("portfolio_cluster", tables, options)
    sys.exit(not same)


def measured(runs: list[Measured], rows: int, size: int, same: bool) -> ResultTable:
    """The runs as a table."""
    lines = [
        {
            "run": run.name,
            "seconds": run.seconds,
            "tenders a second": round(rows / run.seconds),
            "command, MB": run.command,
            "a worker, MB": run.worker,
            "scheduler, MB": run.scheduler,
        }
        for run in runs
    ]
    title = f"{rows:,} tenders of {size / rows:,.0f} bytes"
    return ResultTable(title=title, rows=lines, notes=[f"Outputs the same: {'yes' if same else 'NO'}."])


def national(last: Measured, rows: int, size: int) -> ResultTable:
    """What a register of NATIONAL tenders takes, by workers."""
    rate = rows / last.seconds / last.workers
    lines = []
    for workers in (2, 4, 8, 16):
        seconds = NATIONAL / rate / workers
        lines.append(
            {
                "workers": workers,
                "minutes": seconds / 60,
                "worker-hours": workers * seconds / 3600,
                "MB a second through the scheduler": rate * workers * size / rows / 1e6,
            }
        )
    title = f"{NATIONAL:,} tenders, {NATIONAL * size / rows / 1e9:.1f} GB, at {rate:,.0f} a second a worker"
    return ResultTable(title=title, rows=lines)


def on_processes(source: Path) -> Measured:
    """One worker process of the command."""
    seconds, memory = command(source, "process", "--workers", "1")
    return Measured("process", 1, seconds, memory, None, None)


def on_cluster(source: Path, count: int) -> Measured:
    """A scheduler and `count` workers, each a process."""
    name = f"cluster of {count}"
    with ExitStack() as stack:
        scheduler = stack.enter_context(dask("scheduler", "--host", "127.0.0.1", "--port", str(PORT), "--no-dashboard"))
        words = ("worker", ADDRESS, "--host", "127.0.0.1", "--no-nanny", "--nthreads", "1", "--no-dashboard")
        workers = [stack.enter_context(dask(*words)) for _ in range(count)]
        # Workers that are still importing would be measured as slow ones.
        time.sleep(15)
        seconds, memory = command(source, name, "--cluster", ADDRESS)
        return Measured(name, count, seconds, memory, max(map(peak, workers)), peak(scheduler))


@contextmanager
def dask(*words: str) -> Iterator[int]:
    """`dask …` as a process; its number."""
    running = subprocess.Popen([str(HERE.with_name("dask")), *words], stderr=subprocess.DEVNULL)
    try:
        yield running.pid
    finally:
        running.kill()
        running.wait()


def command(source: Path, name: str, *more: str) -> tuple[float, float]:
    """The seconds of a run, and the most memory of its own process in MB."""
    words = [
        str(HERE.with_name("tender-risk")),
        "portfolio",
        str(source),
        str(source.parent / f"{name}.parquet"),
        *more,
    ]
    begun = time.monotonic()
    running = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(running.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)}: exit {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - begun, used.ru_maxrss / 1024


def peak(process: int) -> float:
    """The most memory that a running process has had, in MB."""
    about = Path(f"/proc/{process}/status").read_text()
    return int(about.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
