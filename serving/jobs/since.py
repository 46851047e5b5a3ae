"""The earlier job that a new one is compared with: named by whoever knows it, and its scored rows taken along.

They are put into the folder of the new job when it is taken in: so it gives the same bytes whenever it runs, also when
the earlier job has gone by then. When it has ended they are let go: what was deleted stays nowhere for longer.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from portfolio.manifest import RunManifest
from serving.jobs.job import Job, Since, is_id
from serving.jobs.places import Places
from tenders.errors import DataError

PATH = "/since"
NAMES = "Give the id of an earlier job, or the address of its page"
ELSE = "Upload the earlier file again, or leave this empty"
_ADDRESS = re.compile(r"(?:.*/)?(?:portfolio|jobs)/([A-Za-z0-9_-]{32})(?:[/?#].*)?", re.S)


def job(text: str, find: Callable[[str], Job | None]) -> Job | None:
    """The job that an id or an address names; None of a blank. Raises DataError unless there is one and it is done."""
    if not text.strip():
        return None
    found = find(_id(text.strip()))
    if found is None:
        raise DataError.at(PATH, "there is no such job: it was deleted, or has expired, or some of it is missing", ELSE)
    if found.state != "done":
        what = "It has no result" if found.ended else "Wait until it is done"
        raise DataError.at(PATH, f"the job of {found.name} is {found.state}, not done", what)
    return found


def taken_along(earlier: Job, its: Places, ours: Places) -> Since:
    """What is kept of a job, its scored rows put into the folder of another. Raises DataError if they are gone."""
    to = ours.since / f"{earlier.stem}-scored.parquet"
    try:
        ours.since.mkdir(mode=0o700, exist_ok=True)
        _linked(its.scored, to)
        bundle = msgspec.json.decode(its.manifest.read_bytes(), type=RunManifest).options.bundle
    except FileNotFoundError:
        raise DataError.at(PATH, f"the files of the job of {earlier.name} are gone", ELSE) from None
    return Since(
        name=earlier.name,
        created=earlier.created.replace(microsecond=0),
        rows=earlier.rows,
        stage=earlier.options.stage,
        bundle=bundle,
    )


def let_go(places: Places) -> None:
    """Takes the earlier rows away."""
    shutil.rmtree(places.since, ignore_errors=True)


def _id(text: str) -> str:
    named = _ADDRESS.fullmatch(text)
    found = named[1] if named else text
    if not is_id(found):
        raise DataError.at(PATH, f"{text[:40]!r} names no job", NAMES)
    return found


def _linked(source: Path, to: Path) -> None:
    """The file under a second name: nobody writes it any more, and each name goes by itself."""
    try:
        os.link(source, to)
    except FileNotFoundError:
        raise
    except OSError:
        # Not every network's file system has links.
        shutil.copyfile(source, to)
