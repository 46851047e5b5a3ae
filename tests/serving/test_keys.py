"""Keys: required beyond loopback; once configured, required everywhere but for health checks."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from serving import key_file, keys
from serving.audit.entry import read_entry
from serving.audit.store import AuditStore, SqliteTrail
from serving.pages.drafts import draft_place
from serving.running import serve
from tenders.errors import UnreachableError, UsageError
from tests.serving.conftest import address, running
from tests.serving.made import Page

BODY = {"tender": {"title": "x"}}
REMEDY = "tender-risk keys add NAME"
KEY, FIRST_KEY = "correct horse battery staple", "key-of-the-first-desk"


@pytest.fixture(scope="module")
def locked() -> Iterator[httpx.Client]:
    """A client without a key of a service with two."""
    environment = {key_file.KEYS: f"{FIRST_KEY}, {KEY}", "TENDER_RISK_LOG": "DEBUG"}
    with running(**environment) as process, httpx.Client(base_url=address(process)) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/docs.json", "/metrics", "/page.js", "/nowhere"])
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


def test_with_keys_no_draft_stands_in_an_address(locked: httpx.Client) -> None:
    auth = ("anyone", KEY)
    facts = {"title": "Closure of the Northgate ward", "lots": "3"}
    answer = locked.post("/", data=facts, auth=auth)
    assert answer.status_code == 200
    assert not answer.history
    shown = Page(answer.text)
    assert shown.values["title"] == facts["title"]
    assert {form["method"] for form in shown.of("form")} == {"post"}
    assert not any("Northgate" in str(link.get("href")) for link in shown.of("a"))
    assert answer.headers["Referrer-Policy"] == "same-origin"
    # The form to change it comes back with what was entered, not with the answer again.
    sent = {name: value for name, value in shown.values.items() if name in (*facts, "last", "edit")}
    assert sent["edit"] == "1"
    again = Page(locked.post("/", data=sent, auth=auth).text)
    assert again.values["title"] == facts["title"]
    fields = again.of("input") + again.of("textarea")
    assert any(field.get("name") == "title" and field.get("type") != "hidden" for field in fields)
    assert locked.post("/answer", data=sent, auth=auth).status_code == 200


def test_a_person_signs_in_to_the_service_and_out(locked: httpx.Client) -> None:
    person = {"Accept": "text/html"}
    assert 'action="/sign-in"' in locked.get("/", headers=person).text
    signed_in = locked.post("/sign-in", data={"key": KEY}, headers=person)
    assert signed_in.status_code == 303
    # The client keeps no secure cookie of a connection without TLS, so the test carries it.
    known = {**person, "Cookie": signed_in.headers["Set-Cookie"].partition(";")[0]}
    page = locked.get("/", headers=known)
    assert page.status_code == 200
    assert "Sign out" in page.text
    assert locked.post("/sign-out", headers={**known, "Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert locked.get("/", headers=known).status_code == 200
    assert locked.post("/sign-out", headers=known).status_code == 303
    assert locked.get("/", headers=known).status_code == 401


def test_drafts_stand_in_addresses_where_that_is_set_or_nobody_has_a_key(tmp_path: Path) -> None:
    alone = {"TENDER_RISK_DATA": str(tmp_path)}
    assert draft_place(alone) == "address"
    assert draft_place({**alone, "TENDER_RISK_DRAFTS": "body"}) == "body"
    assert draft_place({**alone, key_file.KEYS: KEY}) == "body"
    assert draft_place({**alone, key_file.KEYS: KEY, "TENDER_RISK_DRAFTS": "address"}) == "address"
    (tmp_path / "keys.jsonl").touch()
    assert draft_place(alone) == "body"
    with pytest.raises(UsageError, match="TENDER_RISK_DRAFTS: expected address or body, got 'both'"):
        draft_place({**alone, "TENDER_RISK_DRAFTS": "both"})


def test_keys_are_not_logged() -> None:
    with running(**{key_file.KEYS: KEY, "TENDER_RISK_LOG": "DEBUG"}) as process:
        url = address(process)
        httpx.post(f"{url}score", json=BODY, headers={"Authorization": f"Bearer {KEY}"})
        httpx.get(url, auth=("x", KEY))
        httpx.get(f"{url}answer?title=Closure+of+the+Northgate+ward", auth=("x", KEY))
        process.terminate()
        message = process.communicate()[1]
    assert re.search(r"POST '/score' 200 [\d.]+ ms, key 'key-\w{8}'", message)
    assert KEY not in message
    assert "/answer" in message
    # Nor what an address holds beside its path.
    assert "Northgate" not in message


def test_beyond_loopback_it_does_not_start_without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(key_file.KEYS, raising=False)
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org", ""):
        with pytest.raises(UsageError, match="keys are required"):
            serve(host, 0)


@pytest.mark.parametrize(("arrived_at", "status"), [("127.0.0.1", 200), ("::1", 200), (None, 200), ("192.0.2.1", 401)])
def test_however_it_was_started_only_loopback_is_served_without_keys(
    arrived_at: str | None, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(key_file.KEYS, raising=False)
    assert _status(keys.KeyGuard(_accept), (arrived_at, 3000)) == status


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A key file that only its owner can open."""
    path = tmp_path / "keys"
    path.touch(0o600)
    return path


def test_keys_come_from_a_file_too(file: Path) -> None:
    file.write_text(f"# for the dashboard\n{FIRST_KEY}\n\n {KEY} \n")
    configured = keys.configured({key_file.KEYS: "key-of-a-third-desk,,", key_file.KEYS_FILE: str(file)})
    assert configured.keys() == {
        key_file.digest(key) for key in (FIRST_KEY.encode(), KEY.encode(), b"key-of-a-third-desk")
    }


def test_a_key_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="cannot be read"):
        keys.configured({key_file.KEYS_FILE: str(tmp_path / "none")})


def test_no_setting_is_no_key(tmp_path: Path) -> None:
    assert not keys.configured({key_file.KEYS: "", key_file.KEYS_FILE: "", "TENDER_RISK_DATA": str(tmp_path)})


@pytest.mark.parametrize("text", ["", "\n \n", "# one\n"])
def test_a_key_file_without_a_key_does_not_start(file: Path, text: str) -> None:
    file.write_text(text)
    with running(**{key_file.KEYS_FILE: str(file)}) as process:
        _, message = process.communicate(timeout=60)
    assert process.returncode
    assert f"{file} holds no key. Make one with: {REMEDY}" in message


@pytest.mark.parametrize("text", [",", " , ", " "])
def test_a_setting_without_a_key_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="holds no key") as refused:
        keys.configured({key_file.KEYS: text})
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("key", ["k", "x" * 15])
def test_a_short_key_is_refused_and_not_quoted(file: Path, key: str) -> None:
    file.write_text(f"{KEY}\n{key}\n")
    for environment in ({key_file.KEYS: key}, {key_file.KEYS_FILE: str(file)}):
        with pytest.raises(UsageError, match="fewer than 16 characters") as refused:
            keys.configured(environment)
        assert f" {key} " not in str(refused.value)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666, 0o620])
def test_a_key_file_that_others_can_open_or_change_is_refused(file: Path, mode: int) -> None:
    file.write_text(KEY)
    file.chmod(mode)
    with pytest.raises(UsageError, match=f"chmod 600 {file}"):
        keys.configured({key_file.KEYS_FILE: str(file)})


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(UsageError, match="no plain file"):
            keys.configured({key_file.KEYS_FILE: str(path)})


def test_keys_are_added_and_removed_without_a_restart(file: Path) -> None:
    file.write_text(f"{FIRST_KEY}\n{KEY}\n")
    with running(**{key_file.KEYS_FILE: str(file)}) as process, httpx.Client(base_url=address(process)) as client:
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
    with running(**{key_file.KEYS: f"{FIRST_KEY},{KEY}"}) as process, httpx.Client(base_url=address(process)) as client:
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
        wrong.note("192.0.2.1", f"guess {number}", is_right=False)
    assert wrong.seconds_left("192.0.2.1") == keys.WRONG_SECONDS
    assert not wrong.seconds_left("192.0.2.2")
    clock[0] += keys.WRONG_SECONDS
    assert not wrong.seconds_left("192.0.2.1")
    wrong.note("192.0.2.1", "guess", is_right=False)
    assert not wrong.seconds_left("192.0.2.1")


def test_the_addresses_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MAX_CLIENTS", 3)
    wrong = keys.WrongKeys()
    for number in range(10):
        wrong.note(str(number), "guess", is_right=False)
    assert len(wrong._clients) == 3


def test_the_addresses_of_one_ipv6_network_count_as_one() -> None:
    networks = {keys._network({"client": (host, 1)}) for host in ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1")}
    assert len(networks) == 2


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_named_key_opens_what_its_scopes_say(file: Path) -> None:
    score, _ = key_file.add_key(file, "desk", ["score"])
    portfolio, _ = key_file.add_key(file, "office", ["portfolio"])
    admin, _ = key_file.add_key(file, "officer", ["admin"])
    with (
        running(**{key_file.KEYS_FILE: str(file)}) as process,
        httpx.Client(base_url=address(process), timeout=60) as http,
    ):
        expected = {score: (200, 403), portfolio: (403, 200), admin: (200, 200)}
        for key, (scores, lists) in expected.items():
            assert http.post("/score", json=BODY, headers=bearer(key)).status_code == scores
            assert http.post("/answer", data={"title": "x"}, headers=bearer(key)).status_code == scores
            assert http.get("/jobs", headers=bearer(key)).status_code == lists
            assert http.get("/portfolio", headers=bearer(key)).status_code == lists
            assert http.get("/about", headers=bearer(key)).status_code == 200
        refused = http.get("/jobs", headers=bearer(score))
        assert refused.json() == {"error": "this key has not the scope portfolio", "problems": []}


def test_every_address_of_the_service_needs_the_scope_that_is_written_down() -> None:
    from serving.service import TenderRisk, pages

    free = {"/cpv", "/template.xlsx", "/template.csv", "/casebook", "/casebook/{case_id}", "/about", "/about/{name}",
            "/style.css", "/page.js", "/metrics", "/docs", "/docs.json", "/about/transparency-record"}  # fmt: skip
    paths = {api.route for api in TenderRisk.apis.values()} | {route.path for route in pages.routes}  # type: ignore[attr-defined]
    assert {path for path in paths if not keys.scope_of(path)} <= free
    assert {keys.scope_of(path) for path in paths if path.startswith(("/jobs", "/portfolio"))} == {"portfolio"}
    assert keys.scope_of("/jobsx") == "" and keys.scope_of("/desk/anything") == "score"


def test_keys_are_added_and_revoked_while_it_runs_also_the_first(tmp_path: Path) -> None:
    file = tmp_path / key_file.NAME
    with running(TENDER_RISK_DATA=str(tmp_path)) as process, httpx.Client(base_url=address(process)) as http:
        assert http.get("/about").status_code == 200
        old, added = key_file.add_key(file, "desk", ["score"])
        assert _opening(http, "no key at all", old) == [401, 200]
        new, _ = key_file.add_key(file, "desk", ["score"])
        assert _opening(http, old, new) == [200, 200]
        assert [key.id for key in key_file.revoke_key(file, added.id)] == [added.id]
        assert _opening(http, old, new) == [401, 200]
        key_file.revoke_key(file, "desk")
        assert _opening(http, new) == [401]
        file.unlink()
        assert _opening(http, new) == [401] and http.get("/about").status_code == 401
    store = AuditStore(SqliteTrail(tmp_path / "audit.sqlite", made=False), made=False)
    entries = [read_entry(text) for _, text, _ in store.rows()]
    # Nobody ran a command: the service says what opens, each time that the file has changed.
    first, second = (f"desk {name} (score)" for name in (added.id, key_file.digest(new.encode())[:8]))
    noted = [(entry.subject, entry.note) for entry in entries if entry.action == "keys in force"]
    both = ", ".join(sorted([first, second]))
    assert noted[:3] == [(first, f"new: {first}"), (both, f"new: {second}"), (second, f"gone: {first}")]
    assert noted[3] == ("", f"gone: {second}")


def test_a_key_is_kept_as_a_digest_in_a_file_of_its_owner(file: Path) -> None:
    file.unlink()
    text, key = key_file.add_key(file, "audit-office", ["portfolio", "score"], per_minute=5)
    assert len(text) >= 43 and text not in file.read_text() and text not in repr(key)
    assert file.stat().st_mode & 0o777 == 0o600
    [line] = map(json.loads, file.read_text().splitlines())
    assert line["sha256"] == key_file.digest(text.encode())
    assert key_file.read_keys(file) == [key] and key.scopes == ("score", "portfolio")


def test_lines_of_before_and_comments_stay_when_a_key_is_added_and_revoked(file: Path) -> None:
    file.write_text(f"# for the dashboard\n{FIRST_KEY}\n")
    key_file.add_key(file, "desk", ["score"])
    plain, named = key_file.read_keys(file)
    assert (plain.name, plain.scopes) == (f"key-{plain.id}", ("score", "portfolio"))
    assert key_file.revoke_key(file, "desk") == [named]
    assert file.read_text() == f"# for the dashboard\n{FIRST_KEY}\n"
    assert key_file.revoke_key(file, plain.id) == [plain]
    with pytest.raises(UsageError, match="no key 'desk'"):
        key_file.revoke_key(file, "desk")


@pytest.mark.parametrize(
    "change",
    [{"sha256": "short"}, {"scopes": ["root"]}, {"scopes": []}, {"name": "A B"}, {"expires": "soon"}, {"at_once": 0},
     {"unknown": 1}],
)  # fmt: skip
def test_a_line_that_is_not_valid_lets_nobody_in(file: Path, change: dict[str, object]) -> None:
    key_file.add_key(file, "desk", ["score"])
    line = json.loads(file.read_text())
    file.write_text(json.dumps({**line, **change}))
    with pytest.raises(UsageError, match=f"{key_file.KEYS_FILE}: {file}, line 1"):
        keys.configured({key_file.KEYS_FILE: str(file)})


@pytest.mark.parametrize("text", ["yesterday", "0", "2020-01-01", "99999999999"])
def test_a_key_cannot_end_before_it_begins(text: str) -> None:
    with pytest.raises(UsageError, match="--expires"):
        key_file.expiry(text)


def test_an_expired_key_opens_nothing_and_its_user_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, key = key_file.add_key(file, "desk", ["score"], key_file.expiry("30"))
    assert key.expires is not None
    assert not key.has_expired(key_file.today())
    monkeypatch.setenv(key_file.KEYS_FILE, str(file))
    guard = keys.KeyGuard(_accept)
    assert _status(guard, ("127.0.0.1", 3000), text) == 200
    expires = key.expires
    monkeypatch.setattr(keys, "today", lambda: expires)
    assert _status(guard, ("127.0.0.1", 3000), text) == 401


def test_a_key_has_a_quota_and_a_number_of_requests_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [630.0]
    monkeypatch.setattr(keys.time, "monotonic", lambda: clock[0])
    key = key_file.ApiKey(name="desk", sha256="0" * 64, scopes=("score",), per_minute=3, at_once=2)
    other = key_file.ApiKey(name="desk", sha256="1" * 64, scopes=("score",))
    use = keys.KeyUse()
    assert [use.begin(key), use.begin(key), use.begin(key)] == [0, 0, 1]
    use.end(key)
    assert [use.begin(key), use.begin(other)] == [0, 0]
    use.end(key)
    assert use.begin(key) == 30
    clock[0] += 30
    assert use.begin(key) == 0


def test_a_key_over_its_quota_is_told_when_to_try_again(file: Path) -> None:
    few, _ = key_file.add_key(file, "desk", ["score"], per_minute=2)
    many, _ = key_file.add_key(file, "other", ["score"])
    with running(**{key_file.KEYS_FILE: str(file)}) as process, httpx.Client(base_url=address(process)) as http:
        statuses = _opening(http, few, few, few, few)
        # A minute may end in between.
        assert 429 in statuses and statuses.count(200) >= 2
        refused = http.get("/about", headers=bearer(few))
        assert refused.status_code == 429 and 0 < int(refused.headers["Retry-After"]) <= 60
        assert _opening(http, many) == [200]


def _opening(client: httpx.Client, *sent: str) -> list[int]:
    """The status that each key gets."""
    return [client.get("/about", headers={"Authorization": f"Bearer {key}"}).status_code for key in sent]


async def _accept(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


def _status(guard: keys.KeyGuard, server: tuple[str | None, int], key: str = "") -> int:
    sent: list[int] = []

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            sent.append(int(str(message["status"])))

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    sent_headers = [(b"authorization", f"Bearer {key}".encode())] if key else []
    scope = {"type": "http", "method": "POST", "path": "/score", "headers": sent_headers, "server": server}
    asyncio.run(guard(scope, receive, send))  # type: ignore[arg-type]
    return sent[0]
