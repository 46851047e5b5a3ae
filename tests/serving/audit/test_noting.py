"""A real service: what is told stands in the trail before it is told, and can be computed again."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from models import bundle as bundles
from serving.audit import noting
from serving.audit.checking import verify
from serving.audit.entry import AuditedPortfolio, AuditEntry, job_label, read_entry, sha256
from serving.audit.replaying import comparable_files, job_differences, replay
from serving.audit.store import AuditStore, PostgresTrail, SqliteTrail
from serving.audit.trail import AuditSettings, AuditTrail
from serving.jobs.again import RepeatedJob
from tenders.errors import BundleError, DataError, UsageError
from tests.serving.conftest import Service, address, running
from tests.serving.jobs import made
from tests.serving.made import MANCHESTER

FORM = {"title": "Community nursing for Ashford", "lots": 1, "tender_period_days": 35}
KEY = "key-of-the-commissioner"
BODIES: dict[str, Any] = {
    "/score": {"tender": FORM, "stage": "draft"},
    "/score_many": {"tenders": [MANCHESTER, {"lots": -1}, FORM], "explain": False},
    "/what_if": {"tender": FORM, "set": {"lots": 4}},
    "/suggest": {"tender": FORM},
}


class Audited(msgspec.Struct, frozen=True):
    """A service with a trail."""

    http: httpx.Client
    data: Path

    def opened(self) -> AuditStore:
        """Its trail, for reading."""
        return AuditStore(SqliteTrail(self.data / "audit.sqlite", made=False), made=False)

    def entries(self) -> list[AuditEntry]:
        """All that the trail has."""
        return [read_entry(text) for _, text, _ in self.opened().rows()]


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    """A service with a key, whose trail keeps no inputs."""
    data = tmp_path_factory.mktemp("audited")
    with running(TENDER_RISK_DATA=str(data), TENDER_RISK_KEYS=KEY) as process, client(process) as http:
        yield Audited(http, data)


def raw(data: Path) -> bytes:
    """The bytes of the trail's files, read by another process: to close one here would end SQLite's locks on it."""
    return subprocess.run(["cat", *data.glob("audit.sqlite*")], check=True, capture_output=True, timeout=60).stdout


def client(process: Service) -> httpx.Client:
    return httpx.Client(base_url=address(process), timeout=60, headers={"Authorization": f"Bearer {KEY}"})


@pytest.mark.parametrize("path", BODIES)
def test_an_answer_with_a_probability_stands_in_the_trail_when_it_comes(audited: Audited, path: str) -> None:
    body = json.dumps(BODIES[path]).encode()
    answer = audited.http.post(path, content=body)
    assert answer.status_code == 200
    entry = audited.entries()[-1]
    assert (entry.action, entry.input, entry.output) == (path[1:], sha256(body), sha256(answer.content))
    assert entry.key.startswith("key-") and KEY not in entry.key
    served = bundles.load(bundles.released())
    assert (entry.bundle, entry.bundle_sha256) == (served.manifest.version, served.sha256)
    scored = answer.json()[0] if path == "/score_many" else answer.json().get("base", answer.json())
    assert entry.results[0].failure == scored["failure"] and entry.results[0].stage == scored["stage"]
    if path == "/score_many":
        assert [result.refused for result in entry.results] == [False, True, False]


def test_what_comes_and_leaves_in_pieces_is_noted_whole(tmp_path: Path) -> None:
    trail = AuditTrail(AuditSettings(file=tmp_path / "audit.sqlite", inputs=True))
    request = noting.RequestTrail(trail, "")
    token = noting._request.set(request)
    noting.note_answer("score", [b"se", b"nt"], [], [b"o", b"ut"], ("1", "2"))
    noting._request.reset(token)
    head = request.pending[0].result(60)
    store = AuditStore(SqliteTrail(tmp_path / "audit.sqlite", made=False), made=False)
    row = store.row(head.seq)
    assert row is not None
    entry = read_entry(row.entry)
    assert (entry.input, entry.output) == (sha256(b"sent"), sha256(b"out"))
    assert store.kept_input(entry.input) == b"sent"


def test_who_was_told_nothing_leaves_no_entry(audited: Audited) -> None:
    before = len(audited.entries())
    assert audited.http.post("/score", json={"lots": -1}).status_code == 400
    assert audited.http.post("/comparables", json={"tender": FORM}).status_code == 200
    assert httpx.post(audited.http.base_url.join("/score"), json=FORM).status_code == 401
    assert len(audited.entries()) == before


@pytest.mark.parametrize("path", ["/answer", "/desk/stages", "/desk/suggestions", "/desk/unknown", "/desk/report"])
def test_a_page_that_shows_a_score_stands_in_the_trail(audited: Audited, path: str) -> None:
    fields = {"title": "Nursing", "lots": "1", "stage": "draft"}
    assert audited.http.post(path, data=fields).status_code == 200
    entry = audited.entries()[-1]
    saved = audited.http.post("/desk/save.json", data=fields).content
    assert (entry.action, entry.input, entry.stage) == ("page", sha256(saved), "draft")
    again = replay(audited.opened(), audited.opened().head().seq, saved)
    assert (again.differences, again.same_bytes) == ((), None)


def test_the_trail_holds_nothing_of_what_was_sent(audited: Audited) -> None:
    assert audited.http.post("/score", json=FORM).status_code == 200
    kept = raw(audited.data)
    assert b"Ashford" not in kept and KEY.encode() not in kept


def test_a_portfolio_is_one_entry_with_the_digests_of_all_that_is_served(audited: Audited, tmp_path: Path) -> None:
    content = made.portfolio(20)
    job = made.ended(audited.http, made.upload(audited.http, content, stage="draft")["id"])
    created, done = audited.entries()[-2:]
    assert (created.action, done.action) == ("job created", "job done")
    assert created.input == done.input == sha256(content)
    assert created.job == done.job == job_label(job["id"])
    for name, link in (("scored.parquet", "output"), ("report.html", "report"), ("scored.parquet.errors", "errors")):
        assert done.outputs[name] == sha256(audited.http.get(job["links"][link]).content)
    assert done.rows == job["rows"] and done.bundle_sha256
    sent = tmp_path / "register.jsonl"
    sent.write_bytes(content)
    seq = audited.opened().head().seq - 3
    again = replay(audited.opened(), seq, sent)
    assert (again.action, again.same_bytes, again.differences) == ("job done", True, ())
    assert again.compared == tuple(sorted(done.outputs))
    with pytest.raises(UsageError, match=f"computed again as entry {seq}"):
        replay(audited.opened(), seq + 1, sent)
    with pytest.raises(DataError, match="uploaded under another name than other"):
        replay(audited.opened(), seq, sent.rename(tmp_path / "other.jsonl"))
    (tmp_path / "other.jsonl").write_bytes(content + b"\n")
    with pytest.raises(DataError, match="input: its SHA-256 is"):
        replay(audited.opened(), seq, tmp_path / "other.jsonl")
    assert [entry.page for entry in audited.entries() if entry.action == "job served"] == ["output", "report", "errors"]
    assert job["id"].encode() not in raw(audited.data)
    audited.http.delete(f"/jobs/{job['id']}")
    assert (audited.entries()[-1].action, audited.entries()[-1].job) == ("job deleted", job_label(job["id"]))


@pytest.mark.parametrize("path", BODIES)
def test_an_entry_is_computed_again_to_the_same_bytes(audited: Audited, path: str) -> None:
    body = json.dumps(BODIES[path]).encode()
    audited.http.post(path, content=body)
    store = audited.opened()
    again = replay(store, store.head().seq, body)
    assert (again.same_bytes, again.differences) == (True, ())
    with pytest.raises(UsageError, match=sha256(body)):
        replay(store, store.head().seq)
    with pytest.raises(DataError, match=r"SHA-256 is .*, and the entry's"):
        replay(store, store.head().seq, body + b" ")


def test_what_was_told_otherwise_is_listed(audited: Audited) -> None:
    body = json.dumps({"tender": FORM}).encode()
    audited.http.post("/score", content=body)
    store = audited.opened()
    entry = audited.entries()[-1]
    other = msgspec.structs.replace(entry, results=(msgspec.structs.replace(entry.results[0], failure=0.9999),))
    seq = store.append([msgspec.structs.replace(other, output="0" * 64)]).seq
    again = replay(store, seq, body)
    assert again.same_bytes is False
    assert again.differences == (f"result 0: failure was 0.9999, and is {entry.results[0].failure}",)
    seq = store.append([msgspec.structs.replace(entry, bundle_sha256="0" * 64)]).seq
    with pytest.raises(BundleError, match="--bundle"):
        replay(store, seq, body)
    with pytest.raises(UsageError, match="no entry"):
        replay(store, seq + 1, body)
    with pytest.raises(UsageError, match="trail begun"):
        replay(store, 1, body)


def test_of_a_portfolio_that_was_compared_with_another_its_rows_alone_come_out_again() -> None:
    names = ("report.html", "scored.parquet", "scored.parquet.errors")
    ranked = AuditedPortfolio(name="", created="", capacity=5, rank_by="failure")
    entry = AuditEntry(time="", action="job done", product="1", outputs=dict.fromkeys(names, ""), portfolio=ranked)
    compared = msgspec.structs.replace(entry, portfolio=msgspec.structs.replace(ranked, since=True))
    of_before = msgspec.structs.replace(entry, portfolio=None)
    assert [len(comparable_files(record)) for record in (entry, compared, of_before)] == [3, 2, 2]


def test_files_of_a_portfolio_that_come_out_otherwise_are_named() -> None:
    entry = AuditEntry(time="", action="job done", product="1", rows=3, outputs={"a": "1", "b": "2", "c": "3"})
    again = RepeatedJob(rows=4, outputs={"a": "1", "b": "0"})
    assert job_differences(entry, again, ["a", "b", "c"]) == [
        "3 rows were scored, and 4 are",
        "b is not the same bytes",
        "c is not made again",
    ]


def test_what_is_served_stands_in_the_trail_from_the_start(audited: Audited) -> None:
    entries = audited.entries()
    served = next(entry for entry in entries if entry.action == "bundle served")
    bundle = bundles.load(bundles.released())
    assert (entries[0].action, served.subject) == ("trail begun", bundle.manifest.version)
    assert (served.before, served.bundle_sha256, served.note) == ("", bundle.sha256, f"signed by {bundle.signer}")
    keys = next(entry for entry in entries if entry.action == "keys in force")
    assert served.user == keys.user and keys.subject.startswith("key-") and "(score, portfolio)" in keys.subject


def test_nobody_is_told_what_the_trail_cannot_have_and_it_goes_on_afterwards(audited: Audited) -> None:
    with closing(sqlite3.connect(audited.data / "audit.sqlite")) as other:
        other.execute("ALTER TABLE audit_entries RENAME TO elsewhere")
        answer = audited.http.post("/score", json=FORM)
        assert answer.status_code == 503 and "audit trail" in answer.json()["error"]
        assert "failure" not in answer.json()
        other.execute("DROP TABLE IF EXISTS audit_entries")
        other.execute("ALTER TABLE elsewhere RENAME TO audit_entries")
    assert audited.http.post("/score", json=FORM).status_code == 200
    assert verify(audited.opened()).is_whole


def test_a_service_that_is_killed_loses_no_entry_of_what_was_answered(tmp_path: Path) -> None:
    with running(TENDER_RISK_DATA=str(tmp_path)) as process:
        url = address(process)
        end = time.monotonic() + 60

        def ask(number: int) -> list[str]:
            answered = []
            with httpx.Client(base_url=url, timeout=10) as http:
                for turn in range(10_000):
                    body = json.dumps({"title": f"Tender {number} {turn}", "lots": 1}).encode()
                    try:
                        assert http.post("/score", content=body).status_code == 200
                    except httpx.TransportError:
                        break
                    answered.append(sha256(body))
                    if time.monotonic() > end:
                        break
            return answered

        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(ask, number) for number in range(4)]
            time.sleep(1.5)
            process.kill()
            answered = {digest for future in futures for digest in future.result(70)}
    store = AuditStore(SqliteTrail(tmp_path / "audit.sqlite", made=False), made=False)
    assert verify(store).is_whole
    assert answered and answered <= {read_entry(text).input for _, text, _ in store.rows()}


def test_a_service_keeps_its_trail_in_postgresql_with_what_was_sent(postgresql: str, tmp_path: Path) -> None:
    settings = {"TENDER_RISK_AUDIT": postgresql, "TENDER_RISK_AUDIT_INPUTS": "on"}
    body = json.dumps({"tender": FORM}).encode()
    with running(TENDER_RISK_DATA=str(tmp_path), **settings) as process:
        assert httpx.post(f"{address(process)}score", content=body, timeout=60).status_code == 200
    store = AuditStore(PostgresTrail(postgresql), made=False)
    head = store.head()
    assert verify(store, head).is_whole and store.kept_input(sha256(body)) == body
    # Inputs are kept, so that nobody has to bring one.
    assert replay(store, head.seq).same_bytes
    store.close()
    assert not (tmp_path / "audit.sqlite").exists()
