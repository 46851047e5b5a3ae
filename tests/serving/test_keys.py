"""Keys: required beyond loopback; once configured, required everywhere but for health checks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from serving import keys
from serving.running import serve
from tenders.errors import UnreachableError, UsageError
from tests.serving.conftest import address, running

BODY = {"tender": {"title": "x"}}
KEY = "correct horse battery staple"


@pytest.fixture(scope="module")
def locked() -> Iterator[httpx.Client]:
    """A client without a key of a service with two."""
    environment = {keys.KEYS: f"first-key, {KEY}", "TENDER_RISK_LOG": "DEBUG"}
    with running(**environment) as process, httpx.Client(base_url=address(process)) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/docs.json", "/metrics", "/style.css", "/nowhere"])
def test_nothing_is_shown_without_a_key(locked: httpx.Client, path: str) -> None:
    answer = locked.get(path)
    assert answer.status_code == 401
    assert "Basic" in answer.headers["www-authenticate"]
    assert answer.json() == {"error": "no valid key", "problems": []}


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health_checks_need_no_key(locked: httpx.Client, path: str) -> None:
    assert locked.get(path).status_code == 200


@pytest.mark.parametrize(
    "sent",
    ["", "Bearer", "Bearer wrong", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", KEY, "Basic %%%", "Basic eA=="],
)
def test_a_wrong_key_is_401(locked: httpx.Client, sent: str) -> None:
    assert locked.post("/score", json=BODY, headers={"Authorization": sent}).status_code == 401


@pytest.mark.parametrize("key", ["first-key", KEY])
def test_every_key_opens(locked: httpx.Client, key: str) -> None:
    assert locked.post("/score", json=BODY, headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_a_browser_sends_the_key_as_password(locked: httpx.Client) -> None:
    assert locked.get("/", auth=("anyone", KEY)).status_code == 200
    assert locked.get("/", auth=(KEY, "anyone")).status_code == 401


def test_keys_are_not_logged() -> None:
    with running(**{keys.KEYS: KEY, "TENDER_RISK_LOG": "DEBUG"}) as process:
        url = address(process)
        httpx.post(f"{url}score", json=BODY, headers={"Authorization": f"Bearer {KEY}"})
        httpx.get(url, auth=("x", KEY))
        process.terminate()
        message = process.communicate()[1]
    assert "/score" in message
    assert KEY not in message


def test_beyond_loopback_it_does_not_start_without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(keys.KEYS, raising=False)
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org", ""):
        with pytest.raises(UsageError, match="keys are required"):
            serve(host, 0)


@pytest.mark.parametrize(("arrived_at", "status"), [("127.0.0.1", 200), ("::1", 200), (None, 200), ("192.0.2.1", 401)])
def test_however_it_was_started_only_loopback_is_served_without_keys(
    arrived_at: str | None, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(keys.KEYS, raising=False)
    assert _status(keys.KeyGuard(_accept), (arrived_at, 3000)) == status


def test_keys_come_from_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# for the dashboard\none\n\n two \n")
    assert keys.configured({keys.KEYS: "three,,", keys.KEYS_FILE: str(file)}) == {b"one", b"two", b"three"}


def test_a_key_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="cannot be read"):
        keys.configured({keys.KEYS_FILE: str(tmp_path / "none")})


@pytest.mark.parametrize("text", ["", ",", " , "])
def test_no_key_is_no_key(text: str) -> None:
    assert keys.configured({keys.KEYS: text}) == frozenset()


async def _accept(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


def _status(guard: keys.KeyGuard, server: tuple[str | None, int]) -> int:
    sent: list[int] = []

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            sent.append(int(str(message["status"])))

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "POST", "path": "/score", "headers": [], "server": server}
    asyncio.run(guard(scope, receive, send))  # type: ignore[arg-type]
    return sent[0]
