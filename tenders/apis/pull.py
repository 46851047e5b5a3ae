"""Notices of some days, pulled from an API into a file of OCDS JSON lines. What was pulled once is not asked for again.

Days are asked for one after the other, page by page. Each page is kept in a folder beside the output, whole or not at
all, with the cursor of the next; so a pull that was killed goes on with the first page that is missing. In the end the
pages are put together: a process a line, its releases in the order of their dates.
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
from tenders.apis.api import Api, Waiting, fetch_page, open_client
from tenders.errors import UnreachableError, UsageError

REQUEST_FILE = "pull.json"
LOCK_FILE = "lock"
SPOOL_FILE = "releases.jsonl"
KEPT = "What was pulled is kept: run the same again to go on"

Progress = Callable[[date, int], None]
"""Is called with a day and how many of its releases are there."""


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is pulled: all from the first to the last day, both included, of the API at an address."""

    api: str
    url: str
    first: date
    last: date

    def days(self) -> Iterator[date]:
        """The days, in order."""
        for number in range((self.last - self.first).days + 1):
            yield self.first + timedelta(days=number)


class KeptPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page as it is kept. `following` is None on the last of a day; `before` counts the day's releases before it."""

    releases: list[dict[str, Any]]
    before: int
    following: str | None
    unread: int


class PullResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a pull gave: releases by day, how many releases and processes were written, how many repeated releases were
    left out, and how many numbers were broken."""

    request: PullRequest
    days: dict[date, int]
    releases: int
    processes: int
    repeated: int
    unread: int
    output: str


def pull(
    api: Api,
    request: PullRequest,
    to: Path,
    progress: Progress = lambda *_: None,
    waiting: Waiting = lambda *_: None,
) -> PullResult:
    """Pulls what is missing and writes the output. `waiting` is called when the API has to be waited for.

    Raises UsageError if something else was begun into that output, UnreachableError if the API does not answer.
    """
    try:
        with _folder(to.with_name(f"{to.name}.pull"), request) as folder:
            with open_client(api, waiting) as client:
                for day in request.days():
                    _pull_day(client, api, request.url, day, folder, progress)
            return _join(request, folder, to)
    except UnreachableError as error:
        raise UnreachableError(f"{error}. {KEPT}") from error
    except OSError as error:
        raise UnreachableError(f"{to}: {error.strerror or error}. {KEPT}") from error


@contextmanager
def _folder(folder: Path, request: PullRequest) -> Iterator[Path]:
    """The folder of the pages, for this pull alone. It is removed when the pull ends well, or without a page."""
    folder.mkdir(parents=True, exist_ok=True)
    with files.hold_lock(folder / LOCK_FILE, f"another process pulls into {folder.stem}. Wait for it"):
        begun = folder / REQUEST_FILE
        if not begun.exists():
            files.write_whole(begun, msgspec.json.encode(request))
        elif begun.read_bytes() != msgspec.json.encode(request):
            raise UsageError(f"{folder.name} is of another pull. Ask for the same days, or delete it")
        try:
            yield folder
        except BaseException:
            if not any(folder.glob("*.*.json")):
                files.remove_folder(folder, last=REQUEST_FILE)
            raise
        files.remove_folder(folder, last=REQUEST_FILE)


def _pull_day(client: httpx.Client, api: Api, url: str, day: date, folder: Path, progress: Progress) -> None:
    """Pulls the pages of a day that are not there."""
    count, cursor, done = 0, None, set[str | None]()
    for kept in _pages(folder, day):
        done.add(cursor)
        count, cursor = kept.before + len(kept.releases), kept.following
    progress(day, count)
    while cursor is not None or not done:
        if cursor in done:
            raise UnreachableError(f"{url} leads from a page of {day} back to one before")
        page, unread = fetch_page(client, api, url, day, cursor)
        done.add(cursor)
        before, count = count, count + len(page.releases)
        cursor = None if page.count is not None and count >= page.count else page.following
        kept = KeptPage(releases=page.releases, before=before, following=cursor, unread=unread)
        files.write_whole(_page_path(folder, day, len(done) - 1), msgspec.json.encode(kept))
        progress(day, count)


def _join(request: PullRequest, folder: Path, to: Path) -> PullResult:
    """Writes the processes, each at the place of its first release."""
    places: defaultdict[str, list[tuple[str, str, int, int]]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    days, repeated, unread = dict.fromkeys(request.days(), 0), 0, 0
    with (folder / SPOOL_FILE).open("wb") as spool:
        for day in days:
            for page in _pages(folder, day):
                unread += page.unread
                days[day] += len(page.releases)
                for release in page.releases:
                    line = msgspec.json.encode(release)
                    ocid, name = str(release.get("ocid") or ""), str(release.get("id") or "")
                    if ocid and name and (ocid, name) in seen:
                        repeated += 1
                        continue
                    seen.add((ocid, name))
                    # A release without an ocid is a process of its own.
                    process = ocid or f" {spool.tell()}"
                    places[process].append((str(release.get("date") or ""), name, spool.tell(), len(line)))
                    spool.write(line)
    partial = files.partial_path(to)
    with (folder / SPOOL_FILE).open("rb") as spool, partial.open("wb") as out:
        for process, releases in places.items():
            lines = []
            for _, _, at, size in sorted(releases):
                spool.seek(at)
                lines.append(spool.read(size))
            record = b'{"ocid":' + msgspec.json.encode(process) + b',"releases":[' + b",".join(lines) + b"]}"
            out.write((lines[0] if len(lines) == 1 else record) + b"\n")
    partial.replace(to)
    return PullResult(
        request=request,
        days=days,
        releases=sum(map(len, places.values())),
        processes=len(places),
        repeated=repeated,
        unread=unread,
        output=to.name,
    )


def _pages(folder: Path, day: date) -> Iterator[KeptPage]:
    number = 0
    while (path := _page_path(folder, day, number)).exists():
        yield msgspec.json.decode(path.read_bytes(), type=KeptPage)
        number += 1


def _page_path(folder: Path, day: date, number: int) -> Path:
    return folder / f"{day}.{number:04}.json"
