"""The process that scores one job, after everything else on the machine: `python -m serving.jobs.scoring FOLDER`.

It talks to nobody: what to do stands in the folder, and so does how far it is. It ends when its standard input does,
which is when the service that began it has ended, however that was. What it had done is there for the next one.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
import time
from pathlib import Path

import msgspec

from portfolio import workers
from portfolio.run import PortfolioRun, Progress, run_portfolio
from portfolio.work import Asked
from portfolio.worklist import WorklistOptions
from serving.jobs.aside import step_back
from serving.jobs.job import Options
from serving.jobs.places import Places
from serving.jobs.ranking import ranked
from tenders import files
from tenders.errors import TenderRiskError, UnreachableError, UsageError

EVERY = 1.0
"""Seconds between two notes of how far it is."""
REFUSED = 1


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done: with which bundle, how, and by how many processes."""

    bundle: str
    options: Options
    workers: int


class Noted(msgspec.Struct, frozen=True):
    """How far it is: tenders scored, and bytes read of the upload's."""

    rows: int = 0
    bytes: int = 0


class Noting:
    """Writes down how far a run is, at most once in EVERY seconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY
            files.whole(self._path, msgspec.json.encode(Noted(progress.rows, progress.bytes)))


def score(places: Places, order: Order) -> None:
    """Scores and ranks, going on with what is there. Raises as `run_portfolio` does."""
    if places.choices.exists():
        # Killed when all was done and nobody had been told.
        return
    # Told to stay out of the manifest: where this machine keeps its bundles is nobody's business.
    bundle = Path(order.bundle)
    os.chdir(bundle.parent)
    options = order.options
    wish = WorklistOptions(
        capacity=options.capacity,
        rank_by=options.rank_by,
        most_per_buyer=options.most_per_buyer,
        sample=options.sample,
        seed=options.seed,
    )
    given = PortfolioRun(
        source=places.upload,
        out=places.scored,
        options=Asked(bundle=bundle.name, stage=options.stage, register=options.register),
        format="parquet",
        workers=order.workers,
        worklist=wish,
        since=_earlier(places, options),
        report=places.report,
    )
    if not given.manifest_file.exists():
        _run(given, Noting(places.progress))
    # Killed after the manifest was written, before what it was made of was taken away.
    shutil.rmtree(given.parts_folder, ignore_errors=True)
    found = ranked(places.scored, given.worklist_file, wish, places.worklist, given.since)
    files.whole(places.choices, msgspec.json.encode(found))


def _earlier(places: Places, options: Options) -> Path | None:
    """The rows that it is compared with. Raises UnreachableError rather than compare with nothing."""
    try:
        return places.earlier if options.since else None
    except FileNotFoundError:
        raise UnreachableError("what it is to be compared with is gone. Upload it again") from None


def _run(given: PortfolioRun, noting: Noting) -> None:
    with workers.local_workers(given.workers, given.options.bundle) as executor:
        try:
            run_portfolio(given, executor, resume=True, on_progress=noting)
        except UsageError:
            # The service came back with another bundle or version: one job is scored by one.
            shutil.rmtree(given.parts_folder, ignore_errors=True)
            run_portfolio(given, executor, on_progress=noting)


def main(folder: Path) -> int:
    """Does what the folder's order says; the exit code is 0, or REFUSED with the reason in the folder."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    places = Places(folder)
    order = msgspec.json.decode(places.order.read_bytes(), type=Order)
    step_back()
    try:
        score(places, order)
    except TenderRiskError as error:
        files.whole(places.why, str(error).encode("utf-8", "replace"))
        return REFUSED
    return 0


def _end_with_input() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
