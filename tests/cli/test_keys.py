"""`tender-risk keys`: a key is shown once, listed by name, and revoked; each leaves an entry of the trail."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving import key_file
from tests.cli.conftest import Run


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory that the commands find."""
    monkeypatch.setenv("TENDER_RISK_DATA", str(tmp_path))
    monkeypatch.delenv(key_file.KEYS_FILE, raising=False)
    return tmp_path


def test_a_key_is_added_listed_and_revoked(run: Run, data: Path) -> None:
    added = run("keys", "add", "audit-office", "--scope", "portfolio", "--expires", "90", "--per-minute", "600")
    text = added.out.strip()
    assert added.code == 0 and len(text) >= 43
    [key] = key_file.read_keys(data / key_file.NAME)
    assert key.sha256 == key_file.digest(text.encode())
    listed = run("keys", "list")
    assert f"{key.id}  audit-office  portfolio  600 a minute" in listed.out and text not in listed.out
    assert run("keys", "list", "--json").lines[0]["name"] == "audit-office"
    again = run("keys", "add", "audit-office", "--json").lines[0]
    assert again["scopes"] == ["score", "portfolio"] and len(again["key"]) >= 43
    assert f"Revoked {key.id}" in run("keys", "revoke", key.id).out
    assert run("keys", "revoke", "audit-office", "--json").lines == [{"id": again["id"], "name": "audit-office"}]
    assert run("keys", "revoke", "audit-office").code == 2
    trail = [line["entry"] for line in run("audit", "export").lines]
    assert [entry["action"] for entry in trail[1:]] == ["key added", "key added", "key revoked", "key revoked"]
    assert trail[1]["subject"] == f"audit-office {key.id}" and trail[1]["user"]
    assert text not in str(trail)


@pytest.mark.parametrize(
    "arguments", [["A B"], ["desk", "--scope", "root"], ["desk", "--expires", "soon"], ["desk", "--per-minute", "0"]]
)
def test_what_is_not_valid_is_wrong_usage_and_makes_nothing(run: Run, data: Path, arguments: list[str]) -> None:
    assert run("keys", "add", *arguments).code == 2
    assert not (data / key_file.NAME).exists()


def test_without_a_key_file_nothing_is_listed(run: Run, data: Path) -> None:
    assert run("keys", "list").code == 3
