"""What an API is: how a window of time is asked for page by page, and the client that asks it patiently.

One request at a time: the pause is kept between an answer and the next request, so that the service never sees two
requests closer together, however long one is on its way. What breaks off, is no page or says *later* is asked for
again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec

from tenders.errors import DataError, UnreachableError
from tenders.io.ocds import json_type
from tenders.io.text import too_deep

PAGE_SIZE = 100
"""Releases of a package that are asked for: the most that is answered."""
TRIES = 6
"""Requests for one page until it is given up."""
PAGE_TRIES = 3
"""Requests for one page that is answered with something else, until it is given up."""
MOST_IDLE = 3
"""Pages in a row that bring nothing new, until no more of them is asked for."""
PASSES = 3
"""How often a window that cannot be divided is asked for from its first page on."""
MAX_WAIT = 900.0
"""Seconds that are waited at most because an API says so."""
MAX_ANSWER = 256 * 2**20
"""Bytes of an answer that are read."""
TIMEOUT = 60.0
"""Seconds that an API may be silent."""
USER_AGENT = "tender-risk"

_RETRIED = frozenset({408, 500, 502, 503, 504})
_KEPT_HEADERS = frozenset({"retry-after"})
_STRING_OR_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*"|[-+]?[0-9][0-9a-zA-Z+.-]*|-?(?:NaN|Infinity)')

Waiting = Callable[[str, float], None]
"""Is called with the reason for a wait and its seconds."""


def today() -> date:
    """The day it is."""
    return datetime.now(UTC).date()


class Window(msgspec.Struct, frozen=True):
    """From a first to a last second, both included, in the API's own time, asked for the `again`th time."""

    first: datetime
    last: datetime
    again: int = 0

    @classmethod
    def of(cls, day: date) -> Window:
        """A whole day."""
        return cls(datetime.combine(day, time_of_day.min), datetime.combine(day, time_of_day(23, 59, 59)))

    @property
    def seconds(self) -> int:
        """How many seconds it has."""
        return int((self.last - self.first).total_seconds()) + 1

    def parts(self, count: int) -> tuple[Window, ...]:
        """Windows of about the same length that make this one up; fewer if it has not so many seconds."""
        count = min(count, self.seconds)
        starts = [self.first + timedelta(seconds=self.seconds * number // count) for number in range(count)]
        ends = [start - timedelta(seconds=1) for start in starts[1:]]
        return tuple(map(Window, starts, [*ends, self.last]))

    def overlaps(self, other: Window) -> bool:
        """Whether two windows have a second in common."""
        return self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        return f"{self.first:%Y-%m-%d %H:%M:%S} to {self.last:%H:%M:%S}"


class PageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for one page: the parameters of its address, and its body if it has one."""

    params: Mapping[str, str] = {}
    json: Any = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The releases of a page, the cursor of the next page, None after the last, and how many the day has, if stated."""

    releases: list[dict[str, Any]]
    following: str | None = None
    count: int | None = None


class KeptPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page as it is kept: its window, its releases, the cursor of the next, how the window ends with it, if it does,
    how many the API says the window has, how many numbers were broken, and the day on which it was asked for."""

    window: Window
    releases: list[dict[str, Any]]
    following: str | None
    end: Literal["", "complete", "in doubt"]
    stated: int | None
    unread: int
    asked_on: date


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """An API that publishes notices.

    `pause` is the seconds between two requests, `backoff` those after an answer that broke off, doubled each time.
    `later` has the statuses that mean too many requests, each with the seconds to wait where the answer does not say.
    `request` makes the request for a window, and the cursor that the page before gave; `page` reads the decoded answer
    and raises DataError if it is not a page. `full` is the size of a full page, which is no end. `by_time` says whether
    less than a day can be asked for.
    """

    name: str
    url: str
    pause: float
    later: Mapping[int, float]
    request: Callable[[Window, str | None], PageRequest]
    page: Callable[[Any], Page]
    backoff: float = 2.0
    full: int = PAGE_SIZE
    by_time: bool = True

    def instead(self, window: Window) -> tuple[Window, ...]:
        """What is asked for where a window was not given whole: its halves; if it has none the same again, PASSES times
        in all."""
        if self.by_time and window.seconds > 1:
            return window.parts(2)
        return (msgspec.structs.replace(window, again=window.again + 1),) if window.again + 1 < PASSES else ()


def time_window(first: str, last: str) -> Callable[[Window, str | None], PageRequest]:
    """Requests for the release packages of a window, by the parameters of its first and its last second."""

    def request(window: Window, cursor: str | None) -> PageRequest:
        times = {first: f"{window.first:%Y-%m-%dT%H:%M:%S}", last: f"{window.last:%Y-%m-%dT%H:%M:%S}"}
        params = {"limit": str(PAGE_SIZE), **times}
        return PageRequest(params=params if cursor is None else {**params, "cursor": cursor})

    return request


def package_page(document: Any) -> Page:
    """A release package as a page. The cursor in its link names the next one, whatever address the link has."""
    releases, links = object_array(document, "releases"), document.get("links")
    link = links.get("next") if isinstance(links, dict) else None
    if not link:
        return Page(releases=releases)
    try:
        cursor = parse_qs(urlsplit(str(link)).query).get("cursor")
    except ValueError:
        cursor = None
    if not cursor:
        raise DataError.at("/links/next", "the link to the next page has no cursor", "Has the API changed?")
    return Page(releases=releases, following=cursor[0])


def object_array(document: Any, name: str) -> list[dict[str, Any]]:
    """The objects of an array in an answer. Raises DataError if there is no such array."""
    items = document.get(name) if isinstance(document, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise DataError.at(f"/{name}", f"expected an array of objects, got {json_type(items)}", "Has the API changed?")
    return items


ReleaseKey = tuple[str, str, str]
"""ocid, id and date: releases that agree in these are one."""


def release_key(release: dict[str, Any]) -> ReleaseKey | None:
    """What a release is known by; None for one without ocid or id, which is always one of its own."""
    ocid, name = str(release.get("ocid") or ""), str(release.get("id") or "")
    return (ocid, name, str(release.get("date") or "")) if ocid and name else None


def keys_of(page: Page | KeptPage) -> frozenset[ReleaseKey]:
    """What the releases of a page are known by."""
    return frozenset(key for release in page.releases if (key := release_key(release)))


class PageChain:
    """The pages of a window so far: what was asked for, and what is there. `former` is the page answered before the
    first, of whatever window."""

    def __init__(self, api: Api, window: Window, former: KeptPage | None) -> None:
        self._api, self._window = api, window
        self._strange = keys_of(former) if former and not window.overlaps(former.window) else frozenset()
        self.pages, self.largest = 0, 0
        self.cursor: str | None = None
        self.cursors = set[str | None]()
        self.keys = set[ReleaseKey]()
        self.repeated, self.idle = False, 0
        self.end = ""

    def take(self, kept: KeptPage) -> None:
        """Takes up the next page."""
        keys = list(map(release_key, kept.releases))
        known = {key for key in keys if key}
        self.repeated |= not self.keys.isdisjoint(known)
        self.idle = self.idle + 1 if self.keys.issuperset(keys) else 0
        self.keys |= known
        self.largest = max(self.largest, len(keys))
        self.pages += 1
        self.cursors.add(self.cursor)
        self.cursor, self.end = kept.following, kept.end

    def doubt(self, page: Page) -> bool:
        """Whether a page cannot be right, or cannot be the last one that it says it is."""
        if self._strange and not self.pages and self._strange == keys_of(page):
            return True
        if self._is_counted(page):
            return False
        if page.following is not None:
            nothing_new = self.keys.issuperset(map(release_key, page.releases))
            return nothing_new or page.following in self.cursors or page.following == self.cursor
        full = bool(page.releases) and len(page.releases) >= min(self._api.full, self.largest or self._api.full)
        return full or (page.count or 0) > self._distinct(page)

    def kept(self, page: Page, unread: int, doubtful: bool) -> KeptPage:
        """The page as it is kept. One that leads to a new one is followed even where it may be wrong, if there is no
        other way."""
        following, end = page.following, ""
        astray = following is None or following in {*self.cursors, self.cursor} or self.idle >= MOST_IDLE
        if self._is_counted(page) and not doubtful:
            following, end = None, "complete"
        elif doubtful and (self._api.by_time or astray):
            following, end = None, "in doubt"
        elif following is None:
            repeated = self.repeated or any(release_key(release) in self.keys for release in page.releases)
            end = "in doubt" if repeated and self._api.by_time else "complete"
        return KeptPage(
            window=self._window,
            releases=page.releases,
            following=following,
            end=end,  # type: ignore[arg-type]
            stated=page.count,
            unread=unread,
            asked_on=today(),
        )

    def _distinct(self, page: Page) -> int:
        return len(self.keys | set(map(release_key, page.releases)) - {None})

    def _is_counted(self, page: Page) -> bool:
        """Whether all that the API says there are, are there."""
        return page.count is not None and self._distinct(page) >= page.count


class PatientTransport(httpx.BaseTransport):
    """A transport that keeps `pause` seconds between requests, and retries when the API says later or breaks off.

    `waiting` is called before it waits for more than the pause. The first request is held back for `rest` seconds.
    `hold` is called with the seconds for which nobody may ask if this process ends now: while an answer is on its way
    it may say *later*, and nobody would have read it.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport,
        api: Api,
        waiting: Waiting = lambda *_: None,
        sleep: Callable[[float], None] | None = None,
        rest: float = 0,
        hold: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._inner, self._api = inner, api
        self._waiting, self._sleep, self._hold = waiting, sleep or time.sleep, hold
        self._next_request, self._rest = time.monotonic() + rest, rest

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer with its content, or the last one of TRIES. Raises httpx.TransportError if there was none."""
        for attempt in range(1, TRIES + 1):
            self._take_turn()
            self._hold(max(self._api.later.values(), default=self._api.pause))
            try:
                response = self._answer(request)
            except httpx.TransportError as error:
                if attempt == TRIES:
                    raise
                self._wait(str(error) or type(error).__name__, self._api.backoff * 2 ** (attempt - 1))
                continue
            finally:
                self._next_request = time.monotonic() + self._api.pause
            seconds = self._retry_after(response, attempt)
            if seconds is None or attempt == TRIES:
                self._hold(self._api.pause if seconds is None else seconds)
                break
            self._wait(f"status {response.status_code}", seconds)
        return response

    def _answer(self, request: httpx.Request) -> httpx.Response:
        """One answer, read here so that one that breaks off is asked for again."""
        with closing(self._inner.handle_request(request)) as response:
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER:
                    raise UnreachableError(f"{request.url.host} answers with more than {MAX_ANSWER // 2**20} MB")
        headers = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}
        return httpx.Response(response.status_code, headers=headers, content=bytes(content))

    def close(self) -> None:
        """Closes the connections."""
        self._inner.close()

    def _take_turn(self) -> None:
        if self._rest > self._api.pause:
            self._waiting("the pull before this one ended while it had to wait, or was not answered", self._rest)
        self._rest = 0.0
        self._sleep(max(0.0, self._next_request - time.monotonic()))

    def _wait(self, why: str, seconds: float) -> None:
        self._hold(seconds)
        self._waiting(why, seconds)
        self._sleep(seconds)

    def _retry_after(self, response: httpx.Response, attempt: int) -> float | None:
        """The seconds to wait before the same is asked again; None if that is of no use."""
        status = response.status_code
        if status not in self._api.later and status not in _RETRIED:
            return None
        stated = _header_seconds(response.headers.get("Retry-After"))
        seconds = self._api.later.get(status, self._api.backoff * 2 ** (attempt - 1)) if stated is None else stated
        return seconds if seconds <= MAX_WAIT else None


def _header_seconds(header: str | None) -> float | None:
    """The seconds of a Retry-After header, which is a number of them or a date."""
    if not header:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def open_client(
    api: Api, waiting: Waiting, rest: float = 0, hold: Callable[[float], None] = lambda _: None
) -> httpx.Client:
    """A client that asks an API patiently, first after `rest` seconds. `hold` is as in PatientTransport."""
    return httpx.Client(
        transport=PatientTransport(httpx.HTTPTransport(), api, waiting, rest=rest, hold=hold),
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        timeout=TIMEOUT,
    )


def fetch_page(client: httpx.Client, api: Api, url: str, window: Window, cursor: str | None) -> tuple[Page, int]:
    """A page of a window, and how many of its numbers were broken and are null now.

    An answer that is no page, because it was cut short or says something else, is asked for again, PAGE_TRIES times in
    all. Raises UnreachableError if the API does not answer with a page.
    """
    request = api.request(window, cursor)
    for attempt in range(1, PAGE_TRIES + 1):
        try:
            response = client.request("POST" if request.json else "GET", url, params=request.params, json=request.json)
        except httpx.HTTPError as error:
            raise UnreachableError(f"{url}: {error or type(error).__name__}") from error
        if response.status_code != httpx.codes.OK:
            text = " ".join(response.content[:300].decode(errors="replace").split())
            raise UnreachableError(f"{url} answers {response.status_code} for {window.first.date()}: {text}")
        try:
            document, unread = decode_answer(response.content)
            return api.page(document), unread
        except ValueError as error:
            if attempt == PAGE_TRIES:
                message = f"{url} answers for {window.first.date()} with what is no page: {error}"
                raise UnreachableError(message) from error
    raise AssertionError("a try returns or raises")


def decode_answer(content: bytes) -> tuple[Any, int]:
    """The JSON of an answer, with null for broken numbers such as 1e9999 or 000, and how many these are.

    What is not UTF-8 is ISO-8859-1. Raises DataError if it is not JSON.
    """
    try:
        content.decode()
    except UnicodeDecodeError:
        content = content.decode("iso-8859-1").encode()
    try:
        return msgspec.json.decode(content), 0
    except msgspec.DecodeError:
        unread = 0
    except RecursionError:
        raise too_deep() from None

    def null_if_broken(token: re.Match[bytes]) -> bytes:
        nonlocal unread
        if token[0].startswith(b'"') or _is_number(token[0]):
            return token[0]
        unread += 1
        return b"null"

    try:
        return msgspec.json.decode(_STRING_OR_NUMBER.sub(null_if_broken, content)), unread
    except msgspec.DecodeError as error:
        raise DataError.at("", f"not JSON: {error}") from None
    except RecursionError:
        raise too_deep() from None


def _is_number(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=float)
    except msgspec.DecodeError:
        return False
    return True
