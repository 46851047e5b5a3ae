"""What a cluster costs and gains: the same portfolio on this machine and on Dask workers of this machine.

`python -m benchmarks.portfolio_cluster` makes releases and scores them with one process, with clusters of one and of
two workers that share the files, and with two of which one is killed on the way. It prints seconds, rate, the most
memory of each process, and what passed the scheduler beside the bytes of the input.

It fails if outputs differ, if as much as 1 % of the input passes the scheduler, or if two workers take more than 0.7 of
the time of one; the last takes a machine of at least two cores on which nothing else runs. Workers have loaded their
bundle before the seconds count.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from distributed import Client

from benchmarks import made_tenders, scheduler_traffic
from benchmarks.tables import ResultTable, add_output_options, show, write

HERE = Path(sys.executable)
ROOT = Path(__file__).parents[1]
PORT = 18787
ADDRESS = f"tcp://127.0.0.1:{PORT}"
NATIONAL = 1_000_000
DISTINCT = 50_000
"""Made tenders that differ; more are copies of these, because to make one takes longer than to score it."""
MOST_TRAFFIC, MOST_TIME = 0.01, 0.7


class Measured(NamedTuple):
    """One run: seconds, the processor time of the command itself, the most memory in MB of the command, of a worker and
    of the scheduler, and the bytes that passed the scheduler."""

    name: str
    workers: int
    seconds: float
    processor: float
    command: float
    worker: float | None = None
    scheduler: float | None = None
    traffic: int | None = None


def main() -> None:
    """Measures, compares the bytes and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    add_output_options(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, small = Path(folder) / "made.jsonl", Path(folder) / "small.jsonl"
        size = write_copies(source, options.rows)
        made_tenders.write(small, 100)
        runs = [on_processes(source)]
        runs += on_cluster(source, small, 1)
        runs += on_cluster(source, small, 2)
        same = len({output_of(source, run.name).read_bytes() for run in runs}) == 1
    tables = [measured(runs, options.rows, size), verdicts(runs, size, same), national(runs[2], options.rows, size)]
    for table in tables:
        show(table)
    write("portfolio_cluster", tables, options)
    sys.exit(any(row["held"] == "NO" for row in tables[1].rows))


def write_copies(path: Path, rows: int) -> int:
    """Writes made tenders, the first DISTINCT of them again and again, and returns their bytes."""
    made_tenders.write(path, min(rows, DISTINCT))
    lines = path.read_bytes().splitlines(keepends=True)
    with path.open("ab") as file:
        for first in range(len(lines), rows, len(lines)):
            file.writelines(lines[: rows - first])
    return path.stat().st_size


def measured(runs: list[Measured], rows: int, size: int) -> ResultTable:
    """The runs as a table."""
    lines = [
        {
            "run": run.name,
            "seconds": run.seconds,
            "tenders a second": round(rows / run.seconds),
            "command, processor s": run.processor,
            "command, MB": run.command,
            "a worker, MB": run.worker,
            "scheduler, MB": run.scheduler,
            "scheduler passed, MB": run.traffic and run.traffic / 1e6,
            "of the input, %": run.traffic and 100 * run.traffic / size,
        }
        for run in runs
    ]
    return ResultTable(title=f"{rows:,} tenders of {size / rows:,.0f} bytes", rows=lines)


def verdicts(runs: list[Measured], size: int, same: bool) -> ResultTable:
    """What must hold, and whether it does."""
    by_name = {run.name: run for run in runs}
    ratio = by_name["two workers"].seconds / by_name["one worker"].seconds
    most = max(run.traffic / size for run in runs if run.traffic is not None)
    wanted = [
        ("outputs are the same bytes, also with a worker killed", "yes" if same else "no", same),
        (f"less than {MOST_TRAFFIC:.0%} of the input passes the scheduler", f"{most:.3%}", most < MOST_TRAFFIC),
        (f"two workers take at most {MOST_TIME} of the time of one", f"{ratio:.2f}", ratio <= MOST_TIME),
    ]
    lines = [{"must hold": text, "found": figure, "held": "yes" if held else "NO"} for text, figure, held in wanted]
    return ResultTable(title="Shared files", rows=lines)


def national(run: Measured, rows: int, size: int) -> ResultTable:
    """What a register of NATIONAL tenders takes, by workers: arithmetic, from the rate of two."""
    rate = rows / run.seconds / run.workers
    lines = []
    for workers in (2, 4, 8, 16):
        seconds = NATIONAL / rate / workers
        lines.append(
            {
                "workers": workers,
                "minutes": seconds / 60,
                "worker-hours": workers * seconds / 3600,
                "read from the shared files, MB a second": rate * workers * size / rows / 1e6,
            }
        )
    title = f"{NATIONAL:,} tenders, {NATIONAL * size / rows / 1e9:.1f} GB, at {rate:,.0f} a second a worker"
    return ResultTable(title=title, rows=lines)


def on_processes(source: Path) -> Measured:
    """One worker process of the command."""
    return Measured("process", 1, *command(source, "process", "--workers", "1"))


def on_cluster(source: Path, small: Path, count: int) -> Iterator[Measured]:
    """A scheduler and `count` workers, each a process: whole runs, and for two one in which a worker is killed."""
    preload = str(ROOT / "benchmarks/scheduler_traffic.py")
    words = ("--host", "127.0.0.1", "--port", str(PORT), "--no-dashboard", "--preload", preload)
    with ExitStack() as stack:
        scheduler = stack.enter_context(dask("scheduler", *words))
        words = ("worker", ADDRESS, "--host", "127.0.0.1", "--no-nanny", "--nthreads", "1", "--no-dashboard")
        wait_for_port()
        workers = [stack.enter_context(dask(*words)) for _ in range(count)]
        client = stack.enter_context(Client(ADDRESS, timeout=60, set_as_default=False))
        client.wait_for_workers(count, timeout=60)
        client.run(load_bundle)
        command(small, f"small {count}", "--cluster", ADDRESS)

        def run(name: str) -> Measured:
            before = scheduler_traffic.counted(client)
            used = command(source, name, "--cluster", ADDRESS)
            traffic = scheduler_traffic.counted(client) - before
            alive = [worker.pid for worker in workers if worker.poll() is None]
            return Measured(name, count, *used, max(map(peak, alive)), peak(scheduler.pid), traffic)

        if count == 1:
            yield run("one worker")
            return
        yield run("two workers")
        with killing(workers[0], source, "two workers, one killed"):
            yield run("two workers, one killed")


def wait_for_port() -> None:
    """Waits until the scheduler listens."""
    for _ in range(600):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", PORT)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the scheduler does not start")


@contextmanager
def killing(worker: subprocess.Popen[bytes], source: Path, name: str) -> Iterator[None]:
    """Kills a worker when the run of this name has scored its second block, and ends the program if it could not."""
    out = output_of(source, name)
    parts = out.with_name(f"{out.name}.parts")
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            if len(list(parts.glob("*.arrow"))) >= 2:
                os.kill(worker.pid, signal.SIGKILL)
                return

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()
    if worker.wait(10) != -signal.SIGKILL:
        raise SystemExit("the run was over before a worker could be killed: give more --rows")


def output_of(source: Path, name: str) -> Path:
    """Where the run of this name writes."""
    return source.with_name(f"{name}.parquet")


@contextmanager
def dask(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """`dask …` as a process."""
    running = subprocess.Popen([str(HERE.with_name("dask")), *words], stderr=subprocess.DEVNULL, cwd=ROOT)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def command(source: Path, name: str, *more: str) -> tuple[float, float, float]:
    """The seconds of a run, and the processor time and the most memory in MB of its own process."""
    words = [str(HERE.with_name("tender-risk")), "portfolio", str(source), str(output_of(source, name)), *more]
    begun = time.monotonic()
    running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(running.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)}: exit {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def peak(process: int) -> float:
    """The most memory that a running process has had, in MB."""
    about = Path(f"/proc/{process}/status").read_text()
    return int(about.split("VmHWM:")[1].split()[0]) / 1024


def load_bundle() -> None:
    """On a worker: loads the released bundle, as its first block would."""
    from models import bundle as bundles
    from portfolio.work import cached_bundle

    cached_bundle(str(bundles.released().resolve()))


if __name__ == "__main__":
    main()
