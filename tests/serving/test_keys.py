"""Keys: required beyond loopback; once configured, required everywhere but for health checks."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
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
KEY, FIRST_KEY = "correct horse battery staple", "key-of-the-first-desk"


@pytest.fixture(scope="module")
def locked() -> Iterator[httpx.Client]:
    """A client without a key of a service with two."""
    environment = {keys.KEYS: f"{FIRST_KEY}, {KEY}", "TENDER_RISK_LOG": "DEBUG"}
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


@pytest.mark.parametrize("key", [FIRST_KEY, KEY])
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


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A key file that only its owner can open."""
    path = tmp_path / "keys"
    path.touch(0o600)
    return path


def test_keys_come_from_a_file_too(file: Path) -> None:
    file.write_text(f"# for the dashboard\n{FIRST_KEY}\n\n {KEY} \n")
    configured = keys.configured({keys.KEYS: "key-of-a-third-desk,,", keys.KEYS_FILE: str(file)})
    assert configured == {FIRST_KEY.encode(), KEY.encode(), b"key-of-a-third-desk"}


def test_a_key_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="cannot be read"):
        keys.configured({keys.KEYS_FILE: str(tmp_path / "none")})


def test_no_setting_is_no_key() -> None:
    assert keys.configured({keys.KEYS: "", keys.KEYS_FILE: ""}) == frozenset()


@pytest.mark.parametrize("text", ["", "\n \n", "# one\n"])
def test_a_key_file_without_a_key_does_not_start(file: Path, text: str) -> None:
    file.write_text(text)
    with running(**{keys.KEYS_FILE: str(file)}) as process:
        _, message = process.communicate(timeout=60)
    assert process.returncode
    assert f"{file} holds no key. Make one with: python3 -c" in message


@pytest.mark.parametrize("text", [",", " , ", " "])
def test_a_setting_without_a_key_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="holds no key") as refused:
        keys.configured({keys.KEYS: text})
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("key", ["k", "x" * 15])
def test_a_short_key_is_refused_and_not_quoted(file: Path, key: str) -> None:
    file.write_text(f"{KEY}\n{key}\n")
    for environment in ({keys.KEYS: key}, {keys.KEYS_FILE: str(file)}):
        with pytest.raises(UsageError, match="fewer than 16 characters") as refused:
            keys.configured(environment)
        assert f" {key} " not in str(refused.value)


def test_the_remedy_makes_a_key_that_is_long_enough() -> None:
    command = shlex.split(keys.REMEDY.partition(": ")[2])
    made = subprocess.run([sys.executable, *command[1:]], capture_output=True, text=True, check=True).stdout
    assert len(keys.configured({keys.KEYS: made})) == 1


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666])
def test_a_key_file_that_every_user_can_open_is_refused(file: Path, mode: int) -> None:
    file.write_text(KEY)
    file.chmod(mode)
    with pytest.raises(UsageError, match=f"chmod 600 {file}"):
        keys.configured({keys.KEYS_FILE: str(file)})


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(UsageError, match="no plain file"):
            keys.configured({keys.KEYS_FILE: str(path)})


def test_keys_are_added_and_removed_without_a_restart(file: Path) -> None:
    file.write_text(f"{FIRST_KEY}\n{KEY}\n")
    with running(**{keys.KEYS_FILE: str(file)}) as process, httpx.Client(base_url=address(process)) as client:
        assert _opening(client, FIRST_KEY, KEY) == [200, 200]
        file.write_text(f"{KEY}\nkey-of-a-third-desk\n")
        assert _opening(client, FIRST_KEY, KEY, "key-of-a-third-desk") == [401, 200, 200]
        # Without a valid file nobody is let in, and everybody is again once it is mended.
        for spoil in (lambda: file.write_text(""), lambda: file.write_text("short"), lambda: file.chmod(0o644)):
            spoil()
            assert _opening(client, KEY) == [401]
            file.chmod(0o600)
            file.write_text(KEY)
            assert _opening(client, KEY) == [200]
        file.unlink()
        assert _opening(client, KEY) == [401]
        assert client.get("/readyz").status_code == 200


def test_many_wrong_keys_of_one_address_are_not_looked_at() -> None:
    with running(**{keys.KEYS: f"{FIRST_KEY},{KEY}"}) as process, httpx.Client(base_url=address(process)) as client:
        assert _opening(client, KEY) == [200]
        guesses = [f"wrong key number {number}" for number in range(200)]
        assert _opening(client, *guesses) == [401] * keys.MAX_WRONG + [429] * (200 - keys.MAX_WRONG)
        refused = client.get("/about", headers={"Authorization": f"Bearer {FIRST_KEY}"})
        assert refused.status_code == 429, "a right guess is not told from a wrong one"
        assert 0 < int(refused.headers["Retry-After"]) <= keys.WRONG_SECONDS + 1
        assert _opening(client, KEY) == [200], "who had a key before is not locked out"
        assert client.get("/about").status_code == 401
        assert client.get("/readyz").status_code == 200


def test_after_a_while_keys_are_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(keys.time, "monotonic", lambda: clock[0])
    wrong = keys.WrongKeys()
    for number in range(keys.MAX_WRONG):
        assert not wrong.seconds_left("192.0.2.1")
        wrong.note("192.0.2.1", b"guess %d" % number, is_right=False)
    assert wrong.seconds_left("192.0.2.1") == keys.WRONG_SECONDS
    assert not wrong.seconds_left("192.0.2.2")
    clock[0] += keys.WRONG_SECONDS
    assert not wrong.seconds_left("192.0.2.1")
    wrong.note("192.0.2.1", b"guess", is_right=False)
    assert not wrong.seconds_left("192.0.2.1")


def test_the_addresses_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MAX_CLIENTS", 3)
    wrong = keys.WrongKeys()
    for number in range(10):
        wrong.note(str(number), b"guess", is_right=False)
    assert len(wrong._clients) == 3


def test_the_addresses_of_one_ipv6_network_count_as_one() -> None:
    networks = {keys._network({"client": (host, 1)}) for host in ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1")}
    assert len(networks) == 2


def _opening(client: httpx.Client, *sent: str) -> list[int]:
    """The status that each key gets."""
    return [client.get("/about", headers={"Authorization": f"Bearer {key}"}).status_code for key in sent]


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
