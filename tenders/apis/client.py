"""Asking an API for one page: patiently, one request at a time, and reading what it answers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec

from tenders.apis.api import Api, Page
from tenders.errors import DataError, UnreachableError

TRIES = 6
"""Requests for one page until it is given up."""
LONGEST_WAIT = 900.0
"""Seconds that are waited at most because an API says so."""
LARGEST = 256 * 2**20
"""Bytes of an answer that are read."""
AGENT = "tender-risk"
_LATER = frozenset({408, 500, 502, 503, 504})
_KEPT = frozenset({"retry-after"})
_STRING_OR_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*"|[-+]?[0-9][0-9a-zA-Z+.-]*|-?(?:NaN|Infinity)')


class Patient(httpx.BaseTransport):
    """A transport that keeps `pause` seconds between requests, and asks again when the API says later or breaks off.

    `waiting` is told why and for how many seconds, whenever it is more than the pause.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport,
        api: Api,
        waiting: Callable[[str, float], None] = lambda *_: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._inner, self._api = inner, api
        self._waiting, self._sleep = waiting, sleep
        self._asked: float | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer with its content, or the last one of TRIES. Raises httpx.TransportError if there was none."""
        for tried in range(1, TRIES + 1):
            self._take_turn()
            try:
                response = self._answer(request)
            except httpx.TransportError as error:
                if tried == TRIES:
                    raise
                self._wait(str(error) or type(error).__name__, 2.0**tried)
                continue
            seconds = self._seconds(response, tried)
            if seconds is None or tried == TRIES:
                break
            self._wait(f"status {response.status_code}", seconds)
        return response

    def _answer(self, request: httpx.Request) -> httpx.Response:
        """One answer, read here so that one that breaks off is asked for again."""
        with closing(self._inner.handle_request(request)) as response:
            content = bytearray()
            for piece in response.iter_bytes():
                content += piece
                if len(content) > LARGEST:
                    raise UnreachableError(f"{request.url.host} answers with more than {LARGEST // 2**20} MB")
        headers = {name: value for name, value in response.headers.items() if name in _KEPT}
        return httpx.Response(response.status_code, headers=headers, content=bytes(content))

    def close(self) -> None:
        """Ends the connections."""
        self._inner.close()

    def _take_turn(self) -> None:
        if self._asked is not None:
            self._sleep(max(0.0, self._asked + self._api.pause - time.monotonic()))
        self._asked = time.monotonic()

    def _wait(self, why: str, seconds: float) -> None:
        self._waiting(why, seconds)
        self._sleep(seconds)

    def _seconds(self, response: httpx.Response, tried: int) -> float | None:
        """How long to wait before the same is asked again; None if that is of no use."""
        status = response.status_code
        if status not in self._api.later and status not in _LATER:
            return None
        told = _told(response.headers.get("Retry-After"))
        seconds = self._api.later.get(status, 2.0**tried) if told is None else told
        return seconds if seconds <= LONGEST_WAIT else None


def _told(header: str | None) -> float | None:
    """The seconds of a Retry-After, which is a number of them or a date."""
    if not header:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def page(client: httpx.Client, api: Api, url: str, day: date, following: str | None) -> tuple[Page, int]:
    """A page of a day, and how many of its numbers are none, for which null stands now.

    Raises UnreachableError if the API does not answer with a page.
    """
    ask = api.ask(day, following)
    try:
        response = client.request("POST" if ask.json else "GET", url, params=ask.params, json=ask.json)
    except httpx.HTTPError as error:
        raise UnreachableError(f"{url}: {error or type(error).__name__}") from error
    if response.status_code != httpx.codes.OK:
        said = " ".join(response.content[:300].decode(errors="replace").split())
        raise UnreachableError(f"{url} answers {response.status_code} for {day}: {said}")
    try:
        document, unread = decoded(response.content)
        return api.page(document), unread
    except (DataError, msgspec.DecodeError) as error:
        raise UnreachableError(f"{url} answers for {day} with what is no page: {error}") from error


def decoded(content: bytes) -> tuple[Any, int]:
    """The JSON of an answer, with null for numbers that are none, such as 1e9999 or 000, and how many these are.

    What is no UTF-8 is ISO-8859-1. Raises msgspec.DecodeError if it is no JSON.
    """
    try:
        content.decode()
    except UnicodeDecodeError:
        content = content.decode("iso-8859-1").encode()
    try:
        return msgspec.json.decode(content), 0
    except msgspec.DecodeError:
        unread = 0

    def mended(found: re.Match[bytes]) -> bytes:
        nonlocal unread
        if found[0].startswith(b'"') or _is_number(found[0]):
            return found[0]
        unread += 1
        return b"null"

    return msgspec.json.decode(_STRING_OR_NUMBER.sub(mended, content)), unread


def _is_number(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=float)
    except msgspec.DecodeError:
        return False
    return True
