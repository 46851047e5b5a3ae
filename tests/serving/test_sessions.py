"""A person signs in with a key once, is known by a cookie for a while, and signs out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from serving import key_file, keys, sessions
from serving.callers import current_caller
from serving.keys import KeyGuard
from serving.pages.rendering import HEADERS, page, static
from serving.sessions import COOKIE, IDLE_SECONDS, MOST_SECONDS, SessionGate, Sessions

PAGE = {"Accept": "text/html,application/xhtml+xml"}


async def who(_: Request) -> Response:
    """Who asks."""
    return Response(current_caller.get().name, headers=HEADERS)


async def some_page(_: Request) -> Response:
    return page("missing.html", 200, here="", what="page")


class Clock:
    """The time that passes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(sessions.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A key file, which the environment names."""
    path = tmp_path / "keys.jsonl"
    monkeypatch.setenv(key_file.KEYS_FILE, str(path))
    monkeypatch.setattr(keys, "WRONG_DELAY", 0.0)
    return path


@pytest.fixture
def key(file: Path) -> str:
    return key_file.add_key(file, "desk", ["score"])[0]


@pytest.fixture
def browser(key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A browser before a service with keys, over TLS."""
    routes = [
        Route("/", who), Route("/jobs", who), Route("/page", some_page),
        Route("/page.js", static("text/javascript", "page.js")), Route("/style.css", static("text/css", "style.css")),
    ]  # fmt: skip
    monkeypatch.setattr(SessionGate, "is_on", True)
    gate = SessionGate(KeyGuard(Starlette(routes=routes)))
    with TestClient(gate, base_url="https://localhost", headers=PAGE, follow_redirects=False) as client:
        yield client


def signed_in(browser: TestClient, key: str) -> str:
    """The cookie's token."""
    answer = browser.post("/sign-in", data={"key": key})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    return browser.cookies[COOKIE]


def test_a_person_without_a_session_is_asked_for_a_key_and_a_program_is_refused(browser: TestClient) -> None:
    answer = browser.get("/page")
    assert answer.status_code == 401
    assert 'type="password"' in answer.text
    assert "Basic" not in answer.headers["WWW-Authenticate"]
    assert browser.get("/style.css").status_code == 200
    program = browser.get("/page", headers={"Accept": "*/*"})
    assert program.json()["error"] == "no valid key"


def test_who_signs_in_is_known_by_a_cookie_that_no_script_and_no_other_site_has(browser: TestClient, key: str) -> None:
    cookie = browser.post("/sign-in", data={"key": key}).headers["Set-Cookie"]
    assert {part.strip() for part in cookie.split(";")[1:]} == {
        "Path=/", "Secure", "HttpOnly", "SameSite=Strict", f"Max-Age={MOST_SECONDS}"
    }  # fmt: skip
    assert cookie.startswith("__Host-")
    assert key not in cookie
    token = browser.cookies[COOKIE]
    assert len(token) >= 43
    assert browser.get("/").text == "desk"
    # Its scopes are those of the key.
    assert browser.get("/jobs").status_code == 403
    assert "Sign out" in browser.get("/page").text


def test_each_sign_in_has_a_token_of_its_own_and_ends_the_one_before(browser: TestClient, key: str) -> None:
    first = signed_in(browser, key)
    second = signed_in(browser, key)
    assert first != second
    assert browser.get("/", headers={"Cookie": f"{COOKIE}={first}"}).status_code == 401


def test_who_signs_out_is_known_no_more_and_leaves_nothing_in_the_browser(browser: TestClient, key: str) -> None:
    token = signed_in(browser, key)
    assert browser.get("/page").headers["Cache-Control"] == "no-store"
    gone = browser.post("/sign-out")
    assert gone.headers["Location"] == "/sign-in"
    assert gone.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert "Max-Age=0" in gone.headers["Set-Cookie"]
    assert browser.get("/", headers={"Cookie": f"{COOKIE}={token}"}).status_code == 401
    assert browser.get("/sign-out").status_code == 401


@pytest.mark.parametrize(("step", "steps"), [(IDLE_SECONDS, 1), (IDLE_SECONDS - 1, MOST_SECONDS // IDLE_SECONDS + 1)])
def test_a_session_ends_without_requests_and_after_a_day_of_work_in_any_case(
    browser: TestClient, key: str, clock: Clock, step: float, steps: int
) -> None:
    signed_in(browser, key)
    statuses = []
    for _ in range(steps):
        clock.now += step
        statuses.append(browser.get("/").status_code)
    assert statuses == [200] * (steps - 1) + [401]


def test_a_key_that_is_revoked_ends_its_sessions(browser: TestClient, key: str, file: Path) -> None:
    signed_in(browser, key)
    key_file.add_key(file, "other", ["score"])
    assert browser.get("/").status_code == 200
    key_file.revoke_key(file, "desk")
    assert browser.get("/").status_code == 401


def test_a_wrong_key_signs_nobody_in_and_many_are_not_looked_at(browser: TestClient, key: str) -> None:
    for wrong in ("", "wrong", key[:-1], f"{key}x", "x" * 10_000):
        answer = browser.post("/sign-in", data={"key": wrong})
        assert answer.status_code == 401
        assert "does not open" in answer.text
        assert "Set-Cookie" not in answer.headers
    statuses = [browser.post("/sign-in", data={"key": f"guess {n}"}).status_code for n in range(keys.MAX_WRONG + 2)]
    assert statuses[-1] == 429
    assert browser.post("/sign-in", data={"key": key}).status_code == 429


@pytest.mark.parametrize("cookie", [f"{COOKIE}=", f"{COOKIE}=none", f'{COOKIE}="', "=;=;", f"{COOKIE}={'x' * 9_000}"])
def test_a_cookie_that_is_none_of_ours_opens_nothing(browser: TestClient, cookie: str) -> None:
    assert browser.get("/", headers={"Cookie": cookie}).status_code == 401


def test_where_a_browser_would_not_keep_the_cookie_it_asks_by_itself(browser: TestClient) -> None:
    plain = TestClient(browser.app, base_url="http://tenders.example.org", headers=PAGE)
    answer = plain.get("/page")
    assert answer.status_code == 401
    assert "Basic" in answer.headers["WWW-Authenticate"]


def test_sessions_are_bounded_and_hold_digests_of_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 3)
    kept = Sessions()
    tokens = [kept.begin(f"key {number}") for number in range(5)]
    assert [kept.key(token) for token in tokens] == ["", "", "key 2", "key 3", "key 4"]
    assert not any(token.encode() in kept._sessions for token in tokens)


def test_nor_has_one_of_several_processes_whose_log_says_so(
    browser: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sessions.note_absence()
    assert not caplog.records
    monkeypatch.setattr(SessionGate, "is_on", False)
    sessions.note_absence()
    assert "people get no sessions" in caplog.text and "tender-risk serve" in caplog.text
    assert "Basic" in browser.get("/page").headers["WWW-Authenticate"]


def test_a_service_without_keys_has_no_sessions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(SessionGate, "is_on", True)
    for name in (key_file.KEYS, key_file.KEYS_FILE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TENDER_RISK_DATA", str(tmp_path))
    with TestClient(SessionGate(Starlette()), base_url="https://localhost") as client:
        assert client.get("/sign-in").status_code == 404
