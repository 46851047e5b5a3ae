"""An API is asked patiently, and what it answers is read even where a number in it is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenders import apis
from tenders.apis.api import MAX_ANSWER, PAGE_TRIES, TRIES, PatientTransport, Window, decode_answer, fetch_page
from tenders.errors import UnreachableError

FINDER, CONTRACTS = apis.find_api("find-a-tender"), apis.find_api("contracts-finder")
DAY = Window.of(date(2026, 11, 2))
EMPTY = {"releases": []}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slept = 1000.0, list[float]()
        monkeypatch.setattr("tenders.apis.api.time.monotonic", lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += [seconds] if seconds else []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def patient_client(clock: Clock, answer: Callable[[int], httpx.Response], api: Any = FINDER, waits: list[Any] | None = None):
    """A client that is answered by the number of the request."""
    count = iter(range(1000))
    inner = httpx.MockTransport(lambda request: answer(next(count)))
    noted = [] if waits is None else waits
    return httpx.Client(transport=PatientTransport(inner, api, lambda *wait: noted.append(wait), clock.sleep))


def answers(*statuses: int, headers: dict[str, str] | None = None) -> Callable[[int], httpx.Response]:
    def answer(number: int) -> httpx.Response:
        status = statuses[min(number, len(statuses) - 1)]
        return httpx.Response(status, json=EMPTY, headers=headers if status != 200 else None)

    return answer


def test_between_two_requests_is_the_pause(clock: Clock) -> None:
    with patient_client(clock, answers(200)) as client:
        for _ in range(3):
            fetch_page(client, FINDER, FINDER.url, DAY, None)
    assert clock.slept == [FINDER.pause] * 2


@pytest.mark.parametrize(
    ("api", "status", "headers", "seconds"),
    [
        (FINDER, 429, {"Retry-After": "70"}, 70),
        (FINDER, 429, {}, 120),
        (FINDER, 503, {"Retry-After": "soon"}, 120),
        (CONTRACTS, 403, {}, 300),
        (FINDER, 502, {}, 2),
    ],
)
def test_what_says_later_is_waited_for(
    clock: Clock, api: Any, status: int, headers: dict[str, str], seconds: float
) -> None:
    waits: list[Any] = []
    with patient_client(clock, answers(status, 200, headers=headers), api, waits) as client:
        assert fetch_page(client, api, api.url, DAY, None)[0].releases == []
    assert waits == [(f"status {status}", seconds)]
    assert sum(clock.slept) == max(seconds, api.pause)


def test_a_date_says_later_too(clock: Clock) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=50), usegmt=True)
    with patient_client(clock, answers(429, 200, headers={"Retry-After": until})) as client:
        fetch_page(client, FINDER, FINDER.url, DAY, None)
    assert 40 < sum(clock.slept) <= 50


def test_an_answer_that_breaks_off_is_asked_for_again(clock: Clock) -> None:
    def answer(number: int) -> httpx.Response:
        if number == 0:
            raise httpx.ConnectError("refused")
        if number == 1:
            return httpx.Response(200, stream=Broken())
        return httpx.Response(200, json=EMPTY)

    with patient_client(clock, answer) as client:
        assert fetch_page(client, FINDER, FINDER.url, DAY, None)[0].releases == []


class Broken(httpx.SyncByteStream):
    """A body that breaks off."""

    def __iter__(self):
        yield b'{"rel'
        raise httpx.RemoteProtocolError("peer closed connection")


@pytest.mark.parametrize(
    ("answer", "count", "message"),
    [
        (answers(503), TRIES, "answers 503 for 2026-11-02"),
        (answers(400), 1, "answers 400"),
        (answers(403), 1, "answers 403"),
        (answers(429, headers={"Retry-After": "86400"}), 1, "answers 429"),
        (lambda _: httpx.Response(302, headers={"Location": "http://10.0.0.1/"}), 1, "answers 302"),
        (lambda _: httpx.Response(200, text="<html>down</html>"), PAGE_TRIES, "no page"),
        (lambda _: httpx.Response(200, json={"releases": {}}), PAGE_TRIES, "/releases: expected an array of objects, got object"),
        (lambda _: httpx.Response(200, json=[1]), PAGE_TRIES, "no page"),
        (lambda _: httpx.Response(200, json={"releases": [], "links": {"next": "x"}}), PAGE_TRIES, "no cursor"),
        (lambda _: httpx.Response(200, json={"releases": [], "links": {"next": "http://["}}), PAGE_TRIES, "no cursor"),
        (lambda _: httpx.Response(200, content=b"[" * 5_000), PAGE_TRIES, "nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_said(clock: Clock, answer: Any, count: int, message: str) -> None:
    asked_for = []

    def counted(number: int) -> httpx.Response:
        asked_for.append(number)
        return answer(number)

    with patient_client(clock, counted) as client, pytest.raises(UnreachableError, match=message):
        fetch_page(client, FINDER, FINDER.url, DAY, None)
    assert len(asked_for) == count


def test_no_more_is_read_than_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_ANSWER > 21.6e6, "the largest record seen"
    monkeypatch.setattr("tenders.apis.api.MAX_ANSWER", 1000)
    large = httpx.Response(200, json={"releases": ["x" * 2000]})
    with patient_client(clock, lambda _: large) as client, pytest.raises(UnreachableError, match="more than"):
        fetch_page(client, FINDER, FINDER.url, DAY, None)


@given(value=JSON)
def test_what_is_sound_is_read_as_it_is(value: Any) -> None:
    assert decode_answer(msgspec.json.encode(value)) == (value, 0)


@given(
    value=JSON, broken=st.lists(st.sampled_from(["1e9999", "-1e9999", " 000", "01", "NaN", "-Infinity"]), min_size=1)
)
def test_a_number_that_is_none_is_null_and_nothing_else_changes(value: Any, broken: list[str]) -> None:
    text = f'{{"value": {json.dumps(value)}, "broken": [{", ".join(broken)}]}}'
    assert decode_answer(text.encode()) == ({"value": value, "broken": [None] * len(broken)}, len(broken))


@pytest.mark.parametrize("links", [None, [], ["x"], "x", {}])
def test_without_a_link_it_is_the_last_page(clock: Clock, links: Any) -> None:
    answer = {"releases": [], "links": links}
    with patient_client(clock, lambda _: httpx.Response(200, json=answer)) as client:
        assert fetch_page(client, FINDER, FINDER.url, DAY, None)[0].following is None


def test_latin_1_is_read() -> None:
    assert decode_answer('{"title": "Café £5"}'.encode("iso-8859-1")) == ({"title": "Café £5"}, 0)
