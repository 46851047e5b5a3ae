"""The process that scores one job, at a lower priority: `python -m serving.jobs.scoring FOLDER`.

It needs no connection to the service: its task is a file in the job's folder, and so is its progress. It ends when its
standard input ends, which happens when the service that started it ends, even if it was killed. Blocks that are
written stay for the next process.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import BrokenExecutor
from pathlib import Path

import msgspec

from portfolio import workers
from portfolio.manifest import bundle_digest
from portfolio.run import PortfolioRun, Progress, run_portfolio
from portfolio.work import RunOptions
from portfolio.worklist import WorklistOptions
from serving.jobs.durable import causes, is_full, sync_results
from serving.jobs.job import JobOptions
from serving.jobs.listing import write_ranked
from serving.jobs.paths import JobPaths
from serving.jobs.subprocess import lower_priority
from tenders import files
from tenders.errors import TenderRiskError, UnreachableError, UsageError

PROGRESS_SECONDS = 1.0
"""Seconds between two notes of progress."""
REFUSED, WORKER_DIED, DISK_FULL = 1, 71, 75
"""Exit codes: the upload cannot be scored; one of its processes was killed (EX_OSERR of sysexits.h); it goes on once
there is room (EX_TEMPFAIL)."""


class ScoringTask(msgspec.Struct, frozen=True, kw_only=True):
    """What to do: with which bundle (a directory, its version, the SHA-256 of its manifest) and options, and with how
    many processes. `created` dates the results of a job that is done again."""

    bundle: str
    version: str
    sha256: str
    options: JobOptions
    workers: int
    created: str = ""

    @property
    def has_bundle(self) -> bool:
        """Whether the bundle is still there as it was."""
        try:
            return bundle_digest(Path(self.bundle)) == self.sha256
        except UnreachableError:
            return False


class ScoringProgress(msgspec.Struct, frozen=True):
    """Tenders scored so far, and bytes of the upload read."""

    rows: int = 0
    bytes: int = 0


def read_task(paths: JobPaths) -> ScoringTask | None:
    """The task of a job whose work has begun."""
    try:
        return msgspec.json.decode(paths.task.read_bytes(), type=ScoringTask)
    except (OSError, ValueError):
        return None


class ProgressWriter:
    """Writes the progress of a run to a file, at most once in PROGRESS_SECONDS."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PROGRESS_SECONDS
            files.write_whole(self._path, msgspec.json.encode(ScoringProgress(progress.rows, progress.bytes)))


def score_job(paths: JobPaths, task: ScoringTask) -> None:
    """Scores and ranks the upload; continues what an earlier process began. Raises as `run_portfolio` does."""
    if paths.choices.exists():
        # The last process was killed after its work was done and before the service knew.
        return
    # The manifest names the bundle relative to this directory: it must not tell where the machine keeps its bundles.
    bundle = Path(task.bundle)
    if not task.has_bundle:
        raise UnreachableError(f"the files of bundle {task.version} have changed since the service read them")
    os.chdir(bundle.parent)
    options = task.options
    worklist = WorklistOptions(
        capacity=options.capacity,
        rank_by=options.rank_by,
        most_per_buyer=options.most_per_buyer,
        sample=options.sample,
        seed=options.seed,
    )
    portfolio_run = PortfolioRun(
        source=paths.upload,
        out=paths.scored,
        options=RunOptions(bundle=bundle.name, stage=options.stage, register=options.register),
        format="parquet",
        workers=task.workers,
        worklist=worklist,
        since=_earlier_rows(paths, options),
        report=paths.report,
        created=task.created,
    )
    if not portfolio_run.manifest_file.exists():
        _run(portfolio_run, ProgressWriter(paths.progress), paths)
    # The last process may have been killed between writing the manifest and deleting the parts.
    shutil.rmtree(portfolio_run.parts_folder, ignore_errors=True)
    workers.return_freed_memory()
    paths.unpacked.mkdir(mode=0o700, exist_ok=True)
    listed = portfolio_run.worklist_file
    choices = write_ranked(paths.scored, listed, worklist, paths.ranked, paths.unpacked, portfolio_run.since)
    files.write_whole(paths.choices, msgspec.json.encode(choices))


def _earlier_rows(paths: JobPaths, options: JobOptions) -> Path | None:
    """The rows to compare with. Raises UnreachableError if they should be there and are not."""
    try:
        return paths.earlier if options.since else None
    except FileNotFoundError:
        raise UnreachableError("the rows to compare with are gone. Upload the file again") from None


def _run(portfolio_run: PortfolioRun, progress: ProgressWriter, paths: JobPaths) -> None:
    with workers.local_workers(portfolio_run.workers, portfolio_run.options.bundle) as executor:
        # In the job's folder, so that it goes with the job. Now, because the workers' sockets need a short path.
        paths.drop_unpacked()
        paths.unpacked.mkdir(mode=0o700, exist_ok=True)
        tempfile.tempdir = str(paths.unpacked)
        try:
            run_portfolio(portfolio_run, executor, resume=True, on_progress=progress)
        except UsageError:
            # The service came back with another bundle or version: one job is scored by one.
            shutil.rmtree(portfolio_run.parts_folder, ignore_errors=True)
            run_portfolio(portfolio_run, executor, on_progress=progress)


def main(folder: Path) -> int:
    """Does the task in a job's folder; the exit code is 0, DISK_FULL, WORKER_DIED, or REFUSED with the reason in the
    folder."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    paths = JobPaths(folder)
    task = msgspec.json.decode(paths.task.read_bytes(), type=ScoringTask)
    lower_priority()
    try:
        score_job(paths, task)
        sync_results(paths)
    except Exception as error:
        if is_full(error, folder):
            logging.exception("the disk is full")
            return DISK_FULL
        if _is_death_of_worker(error):
            logging.exception("a worker died")
            return WORKER_DIED
        if not isinstance(error, TenderRiskError):
            raise
        files.write_whole(paths.refusal, str(error).encode("utf-8", "replace"))
        return REFUSED
    return 0


def _is_death_of_worker(error: BaseException) -> bool:
    """Whether an error comes of the end of a worker, or of the process that forks them. An upload is a file: reading it
    meets no connection that breaks."""
    return any(isinstance(cause, BrokenExecutor | EOFError | ConnectionError) for cause in causes(error))


def _end_with_input() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
