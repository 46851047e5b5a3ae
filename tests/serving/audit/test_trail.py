"""What the trail's settings say, and what it does when its file is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from serving.audit import trail as trails
from serving.audit.checking import verify
from serving.audit.entry import AuditHead, read_entry
from serving.audit.trail import AuditSettings, AuditTrail, audit_settings, open_store
from tenders.errors import UnreachableError, UsageError
from tests.serving.audit.made import entry


@pytest.fixture
def chosen(tmp_path: Path) -> AuditSettings:
    """A trail in a file that is not synced."""
    return AuditSettings(file=tmp_path / "audit.sqlite", synced=False)


def test_the_trail_is_a_file_of_the_data_directory_unless_it_is_set() -> None:
    plain = audit_settings({"TENDER_RISK_DATA": "/data"})
    assert (plain.file, plain.url, plain.is_on, plain.inputs, plain.synced) == (
        Path("/data/audit.sqlite"), "", True, False, True,
    )  # fmt: skip
    url = "postgresql://auditor@db/trail"
    other = audit_settings(
        {"TENDER_RISK_AUDIT": url, "TENDER_RISK_AUDIT_INPUTS": "on", "TENDER_RISK_AUDIT_SYNC": "off"}
    )
    assert (other.url, other.inputs, other.synced) == (url, True, False)
    assert not audit_settings({"TENDER_RISK_AUDIT": "off"}).is_on


@pytest.mark.parametrize(
    ("name", "value"),
    [("TENDER_RISK_AUDIT", "mysql://secret"), ("TENDER_RISK_AUDIT_INPUTS", "yes"), ("TENDER_RISK_AUDIT_SYNC", "0")],
)
def test_a_setting_that_is_not_valid_is_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name) as error:
        audit_settings({name: value})
    assert "secret" not in str(error.value)


def test_entries_of_many_senders_are_durable_when_they_are_done(chosen: AuditSettings) -> None:
    trail = AuditTrail(chosen)
    waiting = [trail.append(entry(number)) for number in range(2_000)]
    heads = [future.result(60) for future in waiting]
    # Many share a transaction.
    assert heads[-1].seq == 2_001 and len(set(heads)) < 1_000
    report = verify(open_store(chosen, made=False))
    assert report.is_whole and report.entries == 2_001
    assert trails.SEQ._value.get() == 2_001
    assert trails.HEAD._value.get() == int(report.head.digest[:12], 16)


def test_inputs_are_kept_only_where_that_is_set(tmp_path: Path) -> None:
    for inputs in (False, True):
        chosen = AuditSettings(file=tmp_path / f"{inputs}.sqlite", inputs=inputs, synced=False)
        AuditTrail(chosen).append(entry(1), b"a confidential draft").result(60)
        assert len(open_store(chosen).input_digests()) == inputs
        kept = b"".join(path.read_bytes() for path in tmp_path.glob(f"{inputs}.sqlite*"))
        assert (b"a confidential draft" in kept) is inputs


def test_a_trail_that_is_lost_begins_again_and_names_the_end_of_the_lost_one(chosen: AuditSettings) -> None:
    trail = AuditTrail(chosen)
    head = trail.append(entry(1)).result(60)
    for path in chosen.file.parent.iterdir():
        path.unlink()
    assert trail.append(entry(2)).result(60).seq == 2
    store = open_store(chosen)
    [(_, text, _), _] = store.rows()
    assert read_entry(text).before == str(head)
    problem = verify(store, AuditHead(9, head.digest)).problem
    assert problem is not None and problem.seq == 3


def test_what_cannot_be_appended_is_an_error_and_later_entries_are_taken_again(chosen: AuditSettings) -> None:
    trail = AuditTrail(chosen)
    trail.append(entry(1)).result(60)
    with closing(sqlite3.connect(chosen.file)) as other:
        other.execute("ALTER TABLE audit_entries RENAME TO elsewhere")
    with pytest.raises(UnreachableError, match="audit trail"):
        trail.append(entry(2)).result(60)
    with closing(sqlite3.connect(chosen.file)) as other:
        other.execute("DROP TABLE IF EXISTS audit_entries")
        other.execute("ALTER TABLE elsewhere RENAME TO audit_entries")
    assert trail.append(entry(3)).result(60).seq == 3


def test_what_a_person_changes_by_a_command_is_noted_with_the_user(
    chosen: AuditSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENDER_RISK_DATA", str(chosen.file.parent))
    head = trails.note_command("bundle promoted", "2026.2.1", "2026.1.1")
    assert head is not None and head.seq == 2
    row = open_store(chosen).row(2)
    assert row is not None
    noted = read_entry(row.entry)
    assert (noted.action, noted.subject, noted.before, noted.user) == (
        "bundle promoted", "2026.2.1", "2026.1.1", trails.machine_user(),
    )  # fmt: skip
    monkeypatch.setenv("TENDER_RISK_AUDIT", "off")
    assert trails.note_command("bundle promoted", "2026.2.1") is None
