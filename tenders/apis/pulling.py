"""Notices of some days, pulled from an API into a file of OCDS JSON lines: what was there once is not asked for again.

Days are asked for one after the other, page by page. Each page is kept in a folder beside the output, whole or not at
all, with what the next is asked for with; so a pull that was killed goes on with the page that is missing. When all are
there they are put together: a process a line, its releases in the order of their dates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tenders import files
from tenders.apis.api import Api
from tenders.apis.client import AGENT, Patient, page
from tenders.errors import UnreachableError, UsageError

ABOUT = "pull.json"
LOCK = "lock"
SPOOL = "releases.jsonl"
SECONDS = 60.0
"""Seconds that an API may be silent."""
KEPT = "What was pulled is kept: run the same again to go on"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is pulled: all from the first to the last day, both included, of the API at an address."""

    api: str
    url: str
    first: date
    last: date

    def days(self) -> Iterator[date]:
        """The days, in order."""
        for number in range((self.last - self.first).days + 1):
            yield self.first + timedelta(days=number)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A page as it is kept; `following` is None on the last of a day, `before` counts the day's releases before it."""

    releases: list[dict[str, Any]]
    before: int
    following: str | None
    unread: int


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """What a pull gave: releases by day, the processes that they are of, repeats that were left out, and numbers that
    were none."""

    asked: Asked
    days: dict[date, int]
    releases: int
    processes: int
    repeated: int
    unread: int
    output: str


Shown = Callable[[date, int], None]
"""Told of a day and of how many of its releases are there."""


def pull(
    api: Api,
    asked: Asked,
    to: Path,
    shown: Shown = lambda *_: None,
    waiting: Callable[[str, float], None] = lambda *_: None,
) -> Pulled:
    """Pulls what is missing and writes the output. `waiting` is told when the API has to be waited for.

    Raises UsageError if something else was begun into that output, UnreachableError if the API does not answer.
    """
    try:
        with _folder(to.with_name(f"{to.name}.pull"), asked) as folder:
            with _client(api, waiting) as client:
                for day in asked.days():
                    _pull_day(client, api, asked.url, day, folder, shown)
            return _joined(asked, folder, to)
    except UnreachableError as error:
        raise UnreachableError(f"{error}. {KEPT}") from error
    except OSError as error:
        raise UnreachableError(f"{to}: {error.strerror or error}. {KEPT}") from error


def _client(api: Api, waiting: Callable[[str, float], None]) -> httpx.Client:
    return httpx.Client(
        transport=Patient(httpx.HTTPTransport(), api, waiting),
        headers={"User-Agent": AGENT, "Accept": "application/json"},
        timeout=SECONDS,
    )


@contextmanager
def _folder(folder: Path, asked: Asked) -> Iterator[Path]:
    """The folder of the pages, for this pull alone; it is cleared when the pull ends well, or without a page."""
    folder.mkdir(parents=True, exist_ok=True)
    with files.locked(folder / LOCK, f"another process pulls into {folder.stem}. Wait for it"):
        about = folder / ABOUT
        if not about.exists():
            files.whole(about, msgspec.json.encode(asked))
        elif about.read_bytes() != msgspec.json.encode(asked):
            raise UsageError(f"{folder.name} is of another pull. Ask for the same days, or delete it")
        try:
            yield folder
        except BaseException:
            if not any(folder.glob("*.*.json")):
                files.clear(folder, ABOUT)
            raise
        files.clear(folder, ABOUT)


def _pull_day(client: httpx.Client, api: Api, url: str, day: date, folder: Path, shown: Shown) -> None:
    """Pulls the pages of a day that are not there."""
    there, cursor, asked = 0, None, set[str | None]()
    for last in _pages(folder, day):
        asked.add(cursor)
        there, cursor = last.before + len(last.releases), last.following
    shown(day, there)
    while cursor is not None or not asked:
        if cursor in asked:
            raise UnreachableError(f"{url} leads from a page of {day} back to one before")
        found, unread = page(client, api, url, day, cursor)
        asked.add(cursor)
        before, there = there, there + len(found.releases)
        cursor = None if found.count is not None and there >= found.count else found.following
        held = Held(releases=found.releases, before=before, following=cursor, unread=unread)
        files.whole(_path(folder, day, len(asked) - 1), msgspec.json.encode(held))
        shown(day, there)


def _joined(asked: Asked, folder: Path, to: Path) -> Pulled:
    """Writes the processes, each at the place of its first release, and tells what was pulled."""
    places: defaultdict[str, list[tuple[str, str, int, int]]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    days, repeated, unread = dict.fromkeys(asked.days(), 0), 0, 0
    with (folder / SPOOL).open("wb") as spool:
        for day in days:
            for held in _pages(folder, day):
                unread += held.unread
                days[day] += len(held.releases)
                for release in held.releases:
                    line = msgspec.json.encode(release)
                    ocid, name = str(release.get("ocid") or ""), str(release.get("id") or "")
                    if ocid and name and (ocid, name) in seen:
                        repeated += 1
                        continue
                    seen.add((ocid, name))
                    # What has no ocid is a process of its own.
                    process = ocid or f" {spool.tell()}"
                    places[process].append((str(release.get("date") or ""), name, spool.tell(), len(line)))
                    spool.write(line)
    with (folder / SPOOL).open("rb") as spool, files.partial(to).open("wb") as out:
        for process, releases in places.items():
            lines = []
            for _, _, at, size in sorted(releases):
                spool.seek(at)
                lines.append(spool.read(size))
            record = b'{"ocid":' + msgspec.json.encode(process) + b',"releases":[' + b",".join(lines) + b"]}"
            out.write((lines[0] if len(lines) == 1 else record) + b"\n")
    files.partial(to).replace(to)
    return Pulled(
        asked=asked,
        days=days,
        releases=sum(map(len, places.values())),
        processes=len(places),
        repeated=repeated,
        unread=unread,
        output=to.name,
    )


def _pages(folder: Path, day: date) -> Iterator[Held]:
    number = 0
    while (path := _path(folder, day, number)).exists():
        yield msgspec.json.decode(path.read_bytes(), type=Held)
        number += 1


def _path(folder: Path, day: date, number: int) -> Path:
    return folder / f"{day}.{number:04}.json"
