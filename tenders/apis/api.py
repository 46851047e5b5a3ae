"""What an API is: how a day is asked for page by page, and the client that asks it patiently, one request at a time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec

from tenders.errors import DataError, UnreachableError
from tenders.io.ocds import json_type

PAGE_SIZE = "100"
"""Releases of a package that are asked for: the most that is answered."""
TRIES = 6
"""Requests for one page until it is given up."""
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


class PageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for one page: the parameters of its address, and its body if it has one."""

    params: Mapping[str, str] = {}
    json: Any = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The releases of a page, the cursor of the next page, None after the last, and how many the day has, if stated."""

    releases: list[dict[str, Any]]
    following: str | None = None
    count: int | None = None


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """An API that publishes notices.

    `pause` is the seconds between two requests. `later` has the statuses that mean too many requests, each with the
    seconds to wait where the answer does not say. `request` makes the request for a day, and the cursor that the page
    before gave; `page` reads the decoded answer and raises DataError if it is not a page.
    """

    name: str
    url: str
    pause: float
    later: Mapping[int, float]
    request: Callable[[date, str | None], PageRequest]
    page: Callable[[Any], Page]


def day_window(first: str, last: str) -> Callable[[date, str | None], PageRequest]:
    """Requests for the release packages of a day, by the parameters of its first and its last second."""

    def request(day: date, cursor: str | None) -> PageRequest:
        params = {"limit": PAGE_SIZE, first: f"{day}T00:00:00", last: f"{day}T23:59:59"}
        return PageRequest(params=params if cursor is None else {**params, "cursor": cursor})

    return request


def package_page(document: Any) -> Page:
    """A release package as a page. The cursor in its link names the next one, whatever address the link has."""
    releases, link = object_array(document, "releases"), (document.get("links") or {}).get("next")
    if not link:
        return Page(releases=releases)
    cursor = parse_qs(urlsplit(str(link)).query).get("cursor")
    if not cursor:
        raise DataError.at("/links/next", "the link to the next page has no cursor", "Has the API changed?")
    return Page(releases=releases, following=cursor[0])


def object_array(document: Any, name: str) -> list[dict[str, Any]]:
    """The objects of an array in an answer. Raises DataError if there is no such array."""
    items = document.get(name) if isinstance(document, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise DataError.at(f"/{name}", f"expected an array of objects, got {json_type(items)}", "Has the API changed?")
    return items


class PatientTransport(httpx.BaseTransport):
    """A transport that keeps `pause` seconds between requests, and retries when the API says later or breaks off.

    `waiting` is called whenever it waits for more than the pause.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport,
        api: Api,
        waiting: Waiting = lambda *_: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._inner, self._api = inner, api
        self._waiting, self._sleep = waiting, sleep
        self._last_request: float | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer with its content, or the last one of TRIES. Raises httpx.TransportError if there was none."""
        for attempt in range(1, TRIES + 1):
            self._take_turn()
            try:
                response = self._answer(request)
            except httpx.TransportError as error:
                if attempt == TRIES:
                    raise
                self._wait(str(error) or type(error).__name__, 2.0**attempt)
                continue
            seconds = self._retry_after(response, attempt)
            if seconds is None or attempt == TRIES:
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
        if self._last_request is not None:
            self._sleep(max(0.0, self._last_request + self._api.pause - time.monotonic()))
        self._last_request = time.monotonic()

    def _wait(self, why: str, seconds: float) -> None:
        self._waiting(why, seconds)
        self._sleep(seconds)

    def _retry_after(self, response: httpx.Response, attempt: int) -> float | None:
        """The seconds to wait before the same is asked again; None if that is of no use."""
        status = response.status_code
        if status not in self._api.later and status not in _RETRIED:
            return None
        stated = _header_seconds(response.headers.get("Retry-After"))
        seconds = self._api.later.get(status, 2.0**attempt) if stated is None else stated
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


def open_client(api: Api, waiting: Waiting) -> httpx.Client:
    """A client that asks an API patiently."""
    return httpx.Client(
        transport=PatientTransport(httpx.HTTPTransport(), api, waiting),
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        timeout=TIMEOUT,
    )


def fetch_page(client: httpx.Client, api: Api, url: str, day: date, cursor: str | None) -> tuple[Page, int]:
    """A page of a day, and how many of its numbers were broken and are null now.

    Raises UnreachableError if the API does not answer with a page.
    """
    request = api.request(day, cursor)
    try:
        response = client.request("POST" if request.json else "GET", url, params=request.params, json=request.json)
    except httpx.HTTPError as error:
        raise UnreachableError(f"{url}: {error or type(error).__name__}") from error
    if response.status_code != httpx.codes.OK:
        text = " ".join(response.content[:300].decode(errors="replace").split())
        raise UnreachableError(f"{url} answers {response.status_code} for {day}: {text}")
    try:
        document, unread = decode_answer(response.content)
        return api.page(document), unread
    except (DataError, msgspec.DecodeError) as error:
        raise UnreachableError(f"{url} answers for {day} with what is no page: {error}") from error


def decode_answer(content: bytes) -> tuple[Any, int]:
    """The JSON of an answer, with null for broken numbers such as 1e9999 or 000, and how many these are.

    What is not UTF-8 is ISO-8859-1. Raises msgspec.DecodeError if it is not JSON.
    """
    try:
        content.decode()
    except UnicodeDecodeError:
        content = content.decode("iso-8859-1").encode()
    try:
        return msgspec.json.decode(content), 0
    except msgspec.DecodeError:
        unread = 0

    def null_if_broken(token: re.Match[bytes]) -> bytes:
        nonlocal unread
        if token[0].startswith(b'"') or _is_number(token[0]):
            return token[0]
        unread += 1
        return b"null"

    return msgspec.json.decode(_STRING_OR_NUMBER.sub(null_if_broken, content)), unread


def _is_number(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=float)
    except msgspec.DecodeError:
        return False
    return True
