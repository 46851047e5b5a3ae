"""Notices of some days, pulled from an API into a file of OCDS JSON lines. What was pulled once is not asked for again.

Days are asked for one after the other, page by page. Each page is kept in a folder beside the output, whole or not at
all, with the cursor of the next; so a pull that was killed goes on with the first page that is missing. In the end the
pages are put together: a process a line, its releases in the order of their dates.

**When a window is complete.** It is, if its pages lead from one to the next, never give a release twice, and end with
one that is not full, or with as many releases as the API says there are. A page that is full and names no next one,
that leads back, or that repeats what was there is asked for again; if it still does, the window is asked for in halves,
and those in halves, until each fits on one page. So is a window whose pages gave a release twice: its order changed
between two requests, and what moved the other way would be missing. What cannot be divided is asked for again from its
first page on; if that does not help either, it is told as incomplete.

**A daily job** (`since_last`) goes on after the last day that was pulled into the same output, and adds what is new to
it: the bytes are those of one pull of all days. `OUT.pulled` says how far it is.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import msgspec
from msgspec.structs import replace

from tenders import files
from tenders.apis.api import (
    MAX_WAIT,
    Api,
    KeptPage,
    PageChain,
    ReleaseKey,
    Waiting,
    Window,
    fetch_page,
    open_client,
    release_key,
    today,
)
from tenders.errors import DataError, UnreachableError, UsageError

REQUEST_FILE = "pull.json"
LOCK_FILE = "lock"
WAIT_FILE = "wait"
SPOOL_FILE = "releases.jsonl"
KEPT = "What was pulled is kept: run the same again to go on"
MOST_DOUBTS = 500
"""Windows of a day that are divided or asked for again: more help nothing, so the service must be broken."""
RECOUNT_PARTS = 4
"""Windows of a day that is counted again."""

ASKED_AGAIN = 2
"""How often a page that cannot be right is asked for again before its window is divided."""

Progress = Callable[[date, int], None]
"""Is called with a day and how many of its releases are there."""


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is pulled: all from the first to the last day, both included, of the API at an address.

    With `recount` every day is asked for a second time, in parts, and what only these gave is taken too.
    """

    api: str
    url: str
    first: date
    last: date
    recount: bool = False

    def days(self) -> Iterator[date]:
        """The days, in order."""
        for number in range((self.last - self.first).days + 1):
            yield self.first + timedelta(days=number)


class PullResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a pull gave: releases by day, how many releases and processes were written, how many releases came again on
    a later day, and how many numbers were broken.

    `stated` is how many a day has, where the API says so; `recounted` how many more were there when a day was asked
    for in parts; `incomplete` names the windows that the API did not give whole.
    """

    request: PullRequest
    days: dict[date, int]
    releases: int
    processes: int
    repeated: int
    unread: int
    output: str
    stated: dict[date, int] = {}
    recounted: dict[date, int] = {}
    incomplete: list[str] = []


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """How far a daily job is: all days from the first to the last are in its output."""

    api: str
    url: str
    first: date
    last: date


def last_pull(to: Path) -> Pulled | None:
    """How far the daily job into an output is; None before its first run. Raises DataError if that cannot be read."""
    state = _state_path(to)
    try:
        return msgspec.json.decode(state.read_bytes(), type=Pulled)
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise DataError.at("", f"{state.name} is not what a pull writes: {error}", "Delete it to begin anew") from error


def _state_path(to: Path) -> Path:
    return to.with_name(f"{to.name}.pulled")


def pull(
    api: Api,
    request: PullRequest,
    to: Path,
    progress: Progress = lambda *_: None,
    waiting: Waiting = lambda *_: None,
    since_last: bool = False,
) -> PullResult:
    """Pulls what is missing and writes the output. `waiting` is called when the API has to be waited for.

    With `since_last` the days are added to the output, and `OUT.pulled` is written. Raises UsageError if something else
    was begun into that output, UnreachableError if the API does not answer.
    """
    before = last_pull(to) if since_last else None
    if before and not to.exists():
        raise UsageError(
            f"{to.name} is not there, though {_state_path(to).name} says that it was pulled. Delete that too"
        )
    try:
        with _folder(to.with_name(f"{to.name}.pull"), request, since_last) as (folder, begun):
            rest = max(api.pause, _rest(folder / WAIT_FILE)) if begun else 0.0
            with open_client(api, waiting, rest, _hold(folder)) as client:
                days = _Days(client, api, request, folder)
                for day in request.days():
                    days.pull(day, progress)
            result = _join(api, request, folder, to, to if before else None)
            if since_last:
                first = before.first if before else request.first
                state = Pulled(api=request.api, url=request.url, first=first, last=request.last)
                files.write_whole(_state_path(to), msgspec.json.encode(state))
            return result
    except UnreachableError as error:
        raise UnreachableError(f"{error}. {KEPT}") from error
    except OSError as error:
        raise UnreachableError(f"{to}: {error.strerror or error}. {KEPT}") from error


@contextmanager
def _folder(folder: Path, request: PullRequest, extend: bool) -> Iterator[tuple[Path, bool]]:
    """The folder of the pages, for this pull alone, and whether it was begun before.

    It is removed when the pull ends well, or without a page. With `extend` one that ends earlier is taken up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with files.hold_lock(folder / LOCK_FILE, f"another process pulls into {folder.stem}. Wait for it"):
        begun, wanted = folder / REQUEST_FILE, msgspec.json.encode(request)
        former = begun.read_bytes() if begun.exists() else None
        if former and former != wanted and (not extend or _extended(former, request) != wanted):
            raise UsageError(f"{folder.name} is of another pull. Ask for the same days, or delete it")
        if former != wanted:
            files.write_whole(begun, wanted)
        try:
            yield folder, former is not None
        except BaseException:
            if not any(folder.glob("*.*.json")):
                files.remove_folder(folder, last=REQUEST_FILE)
            raise
        files.remove_folder(folder, last=REQUEST_FILE)


def _extended(begun: bytes, request: PullRequest) -> bytes:
    """The request that was begun, up to the last day of another one, if that is later."""
    former = msgspec.json.decode(begun, type=PullRequest)
    return msgspec.json.encode(replace(former, last=max(former.last, request.last)))


def _hold(folder: Path) -> Callable[[float], None]:
    """Keeps until when the API must not be asked, for a pull that is killed and run again."""

    def hold(seconds: float) -> None:
        files.write_whole(folder / WAIT_FILE, repr(time.time() + seconds).encode())

    return hold


def _rest(kept: Path) -> float:
    """Seconds that are left of a wait."""
    try:
        return min(max(0.0, float(kept.read_text()) - time.time()), MAX_WAIT)
    except (FileNotFoundError, ValueError):
        return 0.0


class _DayDone(msgspec.Struct, frozen=True):
    """A day whose pages are all there: the day on which the first was asked for in this run, and its releases."""

    asked_on: date
    releases: int


class _Days:
    """Pulls the pages that are not there."""

    def __init__(self, client: httpx.Client, api: Api, request: PullRequest, folder: Path) -> None:
        self._client, self._api, self._request, self._folder = client, api, request, folder
        self._doubts = 0
        latest = max(folder.glob("*.*.json"), key=lambda path: path.stat().st_mtime_ns, default=None)
        self._former = _read_page(latest) if latest else None

    def pull(self, day: date, progress: Progress) -> None:
        """Pulls a day. One that was not over when it was asked for before is asked for anew."""
        done, keys, asked_on = self._folder / f"{day}.done", set[ReleaseKey](), today()

        def report(more: set[ReleaseKey]) -> None:
            keys.update(more)
            progress(day, len(keys))

        if done.exists():
            former = msgspec.json.decode(done.read_bytes(), type=_DayDone)
            if former.asked_on > day or asked_on <= day:
                progress(day, former.releases)
                return
            done.unlink()
        if asked_on > day:
            for path in self._folder.glob(f"{day}T*.json"):
                if _read_page(path).asked_on <= day:
                    path.unlink()
        report(set())
        self._doubts = 0
        for window in day_windows(self._api, self._request, day):
            self._pull(window, report)
        files.write_whole(done, msgspec.json.encode(_DayDone(asked_on=asked_on, releases=len(keys))))

    def _pull(self, window: Window, report: Callable[[set[ReleaseKey]], None]) -> None:
        chain = PageChain(self._api, window, self._former)
        for kept in _pages(self._folder, window):
            chain.take(kept)
        report(chain.keys)
        while not chain.end:
            kept = self._request_page(window, chain)
            files.write_whole(_page_path(self._folder, window, chain.pages), msgspec.json.encode(kept))
            chain.take(kept)
            self._former = kept
            report(chain.keys)
        if chain.end == "in doubt" and self._doubts < MOST_DOUBTS:
            self._doubts += 1
            for part in self._api.instead(window):
                self._pull(part, report)

    def _request_page(self, window: Window, chain: PageChain) -> KeptPage:
        """The next page, asked for again while it cannot be right."""
        for _ in range(1 + ASKED_AGAIN):
            page, unread = fetch_page(self._client, self._api, self._request.url, window, chain.cursor)
            doubtful = chain.doubt(page)
            if not doubtful:
                break
        return chain.kept(page, unread, doubtful)


def day_windows(api: Api, request: PullRequest, day: date) -> list[Window]:
    """The windows of a day that are asked for: the whole, and to count it again its parts."""
    whole = Window.of(day)
    return [whole, *whole.parts(RECOUNT_PARTS)] if request.recount and api.by_time else [whole]


Place = tuple[str, str, int, int]
"""Date and id of a release, and where it stands in the spool: offset and size."""


class _Spool:
    """The releases of all pages in one file, each once, and where those of each process stand."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._seen, self._of_day = set[ReleaseKey](), set[ReleaseKey]()
        self.places: defaultdict[str, list[Place]] = defaultdict(list)
        self.repeated = 0

    def begin_day(self) -> None:
        """What comes now is of another day."""
        self._of_day = set()

    def put(self, release: dict[str, Any]) -> bool:
        """Takes up a release, and says whether the day did not have it yet."""
        key = release_key(release)
        if key and key in self._of_day:
            return False
        if key:
            self._of_day.add(key)
        if key in self._seen:
            self.repeated += 1
            return True
        if key:
            self._seen.add(key)
        line, at = msgspec.json.encode(release), self._file.tell()
        # A release without an ocid is a process of its own.
        process = str(release.get("ocid") or "") or f" {at}"
        self.places[process].append((str(release.get("date") or ""), str(release.get("id") or ""), at, len(line)))
        self._file.write(line)
        return True


def _join(api: Api, request: PullRequest, folder: Path, to: Path, before: Path | None) -> PullResult:
    """Writes the processes, each at the place of its first release; behind those of an output that is added to."""
    days, stated, recounted, incomplete = dict[date, int](), dict[date, int](), dict[date, int](), list[str]()
    unread = 0
    with (folder / SPOOL_FILE).open("wb") as file:
        spool = _Spool(file)
        for day in request.days():
            spool.begin_day()
            whole, *parts = (list(_pages_within(api, folder, window)) for window in day_windows(api, request, day))
            days[day] = sum(spool.put(release) for kept in whole for release in kept.page.releases)
            more = sum(spool.put(release) for part in parts for kept in part for release in kept.page.releases)
            if more:
                recounted[day], days[day] = more, days[day] + more
            unread += sum(kept.page.unread for part in (whole, *parts) for kept in part)
            stated.update((day, kept.page.stated) for kept in whole if kept.page.stated is not None)
            incomplete += _gaps(api, day, whole, days[day], stated.get(day))
    releases, processes = _write(spool.places, folder / SPOOL_FILE, to, before)
    return PullResult(
        request=request,
        days=days,
        releases=releases,
        processes=processes,
        repeated=spool.repeated,
        unread=unread,
        output=to.name,
        stated=stated,
        recounted=recounted,
        incomplete=incomplete,
    )


def _gaps(api: Api, day: date, whole: Sequence[_WindowPage], count: int, stated: int | None) -> list[str]:
    """The windows of a day that the API did not give whole, or the day, if it has another count than the API says."""
    if stated is not None:
        return [str(day)] if count != stated else []
    return [str(kept.window) if api.by_time else str(day) for kept in whole if kept.gap]


class _Line(msgspec.Struct):
    """A line of an output: a release, or a record of several."""

    ocid: str | int | None = None
    id: str | int | None = None
    date: str | None = None
    releases: list[msgspec.Raw] | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Date and id."""
        return str(self.date or ""), str(self.id or "")


def _write(places: Mapping[str, Sequence[Place]], spooled: Path, to: Path, before: Path | None) -> tuple[int, int]:
    """Writes the output: the lines of the former one with what is new in them, then new processes. How many releases
    and how many processes it has."""
    releases = processes = 0
    left, partial = dict(places), files.partial_path(to)
    with spooled.open("rb") as spool, partial.open("wb") as out:

        def new(process: str) -> list[tuple[tuple[str, str], bytes]]:
            lines = []
            for day, name, at, size in left.pop(process, ()):
                spool.seek(at)
                lines.append(((day, name), spool.read(size)))
            return lines

        def put(process: str, lines: list[tuple[tuple[str, str], bytes]]) -> None:
            nonlocal releases, processes
            releases, processes = releases + len(lines), processes + 1
            ordered = [line for _, line in sorted(lines, key=lambda pair: pair[0])]
            record = b'{"ocid":' + msgspec.json.encode(process) + b',"releases":[' + b",".join(ordered) + b"]}"
            out.write((ordered[0] if len(ordered) == 1 else record) + b"\n")

        nameless = set[bytes]()
        for number, line in enumerate(_lines(before), start=1):
            process, old = _parsed(line, number, to)
            if not process:
                nameless.add(line.rstrip(b"\n"))
            if process in left:
                known = {key for key, _ in old}
                put(process, [*old, *(pair for pair in new(process) if pair[0] not in known)])
            else:
                releases, processes = releases + len(old), processes + 1
                out.write(line)
        for process in places:
            if process in left:
                fresh = new(process)
                if fresh[0][1] not in nameless:
                    put(process, fresh)
    partial.replace(to)
    return releases, processes


def _lines(path: Path | None) -> Iterable[bytes]:
    if path is not None:
        with path.open("rb") as file:
            yield from file


def _parsed(line: bytes, number: int, path: Path) -> tuple[str, list[tuple[tuple[str, str], bytes]]]:
    """The process of a line of an output and its releases. Raises DataError if it is no line that a pull wrote."""
    try:
        parsed = msgspec.json.decode(line, type=_Line)
        if parsed.releases is None:
            return str(parsed.ocid or ""), [(parsed.key, line.rstrip(b"\n"))]
        inner = [(msgspec.json.decode(raw, type=_Line).key, bytes(raw)) for raw in parsed.releases]
        return str(parsed.ocid or ""), inner
    except (ValueError, RecursionError) as error:
        remedy = "Write to another file, or delete it to begin anew"
        raise DataError.at("", f"{path.name}, line {number} is not what a pull writes: {error}", remedy) from error


class _WindowPage(msgspec.Struct, frozen=True):
    """A page and its window, and whether more of that window is missing than was asked for instead."""

    window: Window
    page: KeptPage
    gap: bool


def _pages_within(api: Api, folder: Path, window: Window) -> Iterator[_WindowPage]:
    """The pages of a window, and of what was asked for instead."""
    instead: tuple[Window, ...] = ()
    for page in _pages(folder, window):
        doubtful = page.end == "in doubt"
        instead = api.instead(window) if doubtful else ()
        fetched = bool(instead) and all(_page_path(folder, part, 0).exists() for part in instead)
        yield _WindowPage(window, page, doubtful and not fetched)
    for part in instead:
        yield from _pages_within(api, folder, part)


def _pages(folder: Path, window: Window) -> Iterator[KeptPage]:
    number = 0
    while (path := _page_path(folder, window, number)).exists():
        yield _read_page(path)
        number += 1


def _read_page(path: Path) -> KeptPage:
    return msgspec.json.decode(path.read_bytes(), type=KeptPage)


def _page_path(folder: Path, window: Window, number: int) -> Path:
    return folder / f"{window.first:%Y-%m-%dT%H%M%S}-{window.seconds}-{window.again}.{number:04}.json"
