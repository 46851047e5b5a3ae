"""`tender-risk audit`: what it prints, and how it ends, for whole trails and broken ones."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from models.bundle import Bundle
from serving.answers import ANSWERS, json_bytes
from serving.audit.entry import entry_now, sha256
from serving.audit.store import AuditStore, SqliteTrail
from tests.cli.conftest import Run

BODY = b'{"title": "Community nursing", "lots": 1}'


@pytest.fixture
def trail(tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> SqliteTrail:
    """The trail of the settings: its first entry, and a score."""
    monkeypatch.setenv("TENDER_RISK_DATA", str(tmp_path))
    database = SqliteTrail(tmp_path / "audit.sqlite", synced=False)
    answer, scores = ANSWERS["score"](BODY, bundle)
    entry = entry_now(
        "score",
        input=sha256(BODY),
        output=sha256(json_bytes(answer)),
        stage="draft",
        bundle=bundle.manifest.version,
        bundle_sha256=bundle.sha256,
        results=tuple(scores),
    )
    AuditStore(database).append([entry])
    return database


def test_verify_head_and_export(run: Run, trail: SqliteTrail) -> None:
    head = run("audit", "head").out.strip()
    assert run("audit", "head", "--json").lines == [{"seq": 2, "digest": head.partition(":")[2]}]
    verified = run("audit", "verify", "--head", head, "--json")
    assert verified.code == 0 and verified.lines[0]["whole"]
    assert "2 entries are as they were written" in run("audit", "verify").out
    digest = "0" * 64
    exported = run("audit", "export")
    assert exported.err.strip() == f"Head {head}"
    for line in exported.out.splitlines():
        entry = json.loads(line)
        # The entry's own text stands in the line as it is, so that the chain can be checked without the database.
        text = line[line.index('"entry":') + len('"entry":') : -1]
        digest = hashlib.sha256((digest + text).encode()).hexdigest()
        assert entry["digest"] == digest
    trail.run("UPDATE audit_entries SET entry = replace(entry, 'draft', 'awarded') WHERE seq = 2")
    broken = run("audit", "verify")
    assert broken.code == 1 and "entry 2 is not as it was written" in broken.err
    assert run("audit", "verify", "--json").lines[0]["problem"]["seq"] == 2


def test_replay(run: Run, trail: SqliteTrail, tmp_path: Path) -> None:
    (tmp_path / "sent.json").write_bytes(BODY)
    again = run("audit", "replay", 2, "--input", tmp_path / "sent.json", "--json")
    assert again.code == 0 and again.lines[0]["same_bytes"] and not again.lines[0]["differences"]
    assert "The same bytes" in run("audit", "replay", 2, "--input", tmp_path / "sent.json").out
    assert run("audit", "replay", 2).code == 2
    (tmp_path / "sent.json").write_bytes(BODY + b"\n")
    assert run("audit", "replay", 2, "--input", tmp_path / "sent.json").code == 1
    assert run("audit", "replay", 2, "--input", tmp_path / "missing.json").code == 3


def test_prune(run: Run, trail: SqliteTrail) -> None:
    assert run("audit", "prune", "--before", "2001-01-01", "--json").lines[0]["pruned"] == 0
    assert run("audit", "prune", "--before", "yesterday").code == 2
    assert "2 entries before 2999-01-01 are gone" in run("audit", "prune", "--before", "2999-01-01").out
    assert "2 before them were pruned" in run("audit", "verify").out
    trail.run("UPDATE audit_entries SET digest = 'x'")
    refused = run("audit", "prune", "--before", "2999-01-01")
    assert refused.code == 1 and "Nothing is pruned" in refused.err


def test_without_a_trail(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENDER_RISK_DATA", str(tmp_path / "none"))
    assert run("audit", "verify").code == 3
    monkeypatch.setenv("TENDER_RISK_AUDIT", "off")
    assert run("audit", "verify").code == 2
    assert not (tmp_path / "none").exists()
