"""A trail that was changed in any way is not whole, and the first entry that shows it is named."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from serving.audit.checking import verify
from serving.audit.entry import GENESIS, AuditHead, chained, entry_text, parse_head, read_entry
from tenders.errors import UsageError
from tests.serving.audit.made import entry, trail

ENTRIES, CHANGES = 30, 2_000
HEXADECIMAL = "0123456789abcdef"


def test_a_trail_that_nobody_changed_is_whole(tmp_path: Path) -> None:
    store, _ = trail(tmp_path, 5)
    report = verify(store, store.head())
    assert (report.is_whole, report.entries, report.pruned, report.head.seq) == (True, 6, 0, 6)


def test_the_chain_is_what_the_docs_say(tmp_path: Path) -> None:
    # With nothing of ours: the digest before, then the text of the entry.
    store, database = trail(tmp_path, 3)
    digest = GENESIS
    for _, text, kept in database.run("SELECT seq, entry, digest FROM audit_entries ORDER BY seq"):
        digest = hashlib.sha256((digest + text).encode()).hexdigest()
        assert kept == digest
    assert store.head().digest == digest


def changed(random_state: random.Random, column: str, value: Any) -> Any:
    """Another value of a column."""
    if column == "seq":
        return random_state.choice([-value, value + ENTRIES + random_state.randrange(1, 9)])
    kind = random_state.randrange(4)
    if kind == 0:
        return value[: random_state.randrange(len(value))]
    if kind == 1:
        return value.encode()
    place = random_state.randrange(len(value))
    other = random_state.choice([letter for letter in f'{HEXADECIMAL}A \u00e9\x00{{}}":,' if letter != value[place]])
    return value[:place] + other + value[place + 1 :]


def test_any_change_of_any_column_of_any_entry_is_found_and_named(tmp_path: Path) -> None:
    store, database = trail(tmp_path, ENTRIES)
    random_state = random.Random(23)
    for _ in range(CHANGES):
        seq, column = random_state.randrange(1, ENTRIES + 2), random_state.choice(["seq", "entry", "digest"])
        [[before]] = database.run(f"SELECT {column} FROM audit_entries WHERE seq = ?", (seq,))
        after = changed(random_state, column, before)
        database.run("BEGIN")
        database.run(f"UPDATE audit_entries SET {column} = ? WHERE seq = ?", (after, seq))
        report = verify(store)
        database.run("ROLLBACK")
        assert report.problem is not None, (column, seq, before, after)
        assert report.problem.seq in ((seq, after) if column == "seq" else (seq,)), (column, seq, before, after)
    assert verify(store).is_whole


@pytest.mark.parametrize("seq", [1, 2, 17, ENTRIES])
def test_an_entry_that_was_removed_is_named(tmp_path: Path, seq: int) -> None:
    store, database = trail(tmp_path, ENTRIES)
    database.run("DELETE FROM audit_entries WHERE seq = ?", (seq,))
    problem = verify(store).problem
    assert problem is not None and problem.seq == seq and "is missing" in problem.problem


def test_one_that_was_removed_and_the_rest_counted_again_is_named(tmp_path: Path) -> None:
    store, database = trail(tmp_path, ENTRIES)
    database.run("DELETE FROM audit_entries WHERE seq = 9")
    database.run("UPDATE audit_entries SET seq = seq - 1 WHERE seq > 9")
    problem = verify(store).problem
    assert problem is not None and problem.seq == 9


def test_an_entry_that_was_re_dated_is_named(tmp_path: Path) -> None:
    store, database = trail(tmp_path, ENTRIES)
    row = store.row(12)
    assert row is not None
    dated = msgspec.structs.replace(read_entry(row.entry), time="2020-01-01T00:00:00.000000+00:00")
    database.run("UPDATE audit_entries SET entry = ? WHERE seq = 12", (entry_text(dated),))
    problem = verify(store).problem
    assert problem is not None and problem.seq == 12 and "time" in problem.problem


def test_a_cut_end_and_a_chain_that_was_written_again_are_found_by_a_head_that_was_kept(tmp_path: Path) -> None:
    store, database = trail(tmp_path, ENTRIES)
    kept = parse_head(str(store.head()))
    database.run("DELETE FROM audit_entries WHERE seq > 28")
    assert verify(store).is_whole
    problem = verify(store, kept).problem
    assert problem is not None and problem.seq == 29 and "up to 31" in problem.problem
    # Everything from 20 on by the rules, with another date.
    rows = [*store.rows(19)]
    row = store.row(19)
    assert row is not None
    digest = row.digest
    for seq, text, _ in rows:
        text = entry_text(msgspec.structs.replace(read_entry(text), time="2021-01-01T00:00:00.000000+00:00"))
        digest = chained(digest, text)
        database.run("UPDATE audit_entries SET entry = ?, digest = ? WHERE seq = ?", (text, digest, seq))
    assert verify(store).is_whole
    problem = verify(store, AuditHead(28, rows[-1][2])).problem
    assert problem is not None and problem.seq == 28 and "written again" in problem.problem


def test_an_empty_trail_is_not_whole(tmp_path: Path) -> None:
    store, database = trail(tmp_path, 2)
    database.run("DELETE FROM audit_entries")
    assert str(verify(store).problem) == "entry 1 is missing: the trail is empty"


def test_a_clock_that_was_set_back_is_counted_and_breaks_nothing(tmp_path: Path) -> None:
    store, _ = trail(tmp_path, 2)
    store.append([entry(3, (datetime.now(UTC) - timedelta(days=40)).isoformat(timespec="microseconds"))])
    report = verify(store)
    assert report.is_whole and report.clock_back == 1


def test_a_kept_input_that_was_changed_is_found(tmp_path: Path) -> None:
    store, database = trail(tmp_path)
    store.append([entry(1)], [b"what was sent"])
    assert verify(store).is_whole
    database.run("UPDATE audit_inputs SET content = ?", (b"something else",))
    assert not verify(store).is_whole


def test_what_was_pruned_leaves_a_chain_that_is_whole(tmp_path: Path) -> None:
    store, _ = trail(tmp_path)
    store.append([entry(number) for number in range(9)])
    kept = store.head()
    count = store.prune("2999-01-01", "auditor")
    assert count == 10
    report = verify(store, kept)
    assert (report.is_whole, report.entries, report.pruned) == (True, 1, 10)
    note = read_entry(store.row(11).entry)  # type: ignore[union-attr]
    assert (note.action, note.user, note.before) == ("trail pruned", "auditor", str(kept))
    store.append([entry(number) for number in range(3)])
    assert verify(store).is_whole


def test_only_the_old_end_is_pruned_and_inputs_go_with_it(tmp_path: Path) -> None:
    store, database = trail(tmp_path)
    store.append([entry(1)], [b"early"])
    store.append([entry(2, "2999-01-01T00:00:00.000000+00:00")], [b"late"])
    store.append([entry(3)])
    assert store.prune("2998-01-01", "auditor") == 2
    assert [row[0] for row in store.rows()] == [3, 4, 5]
    assert [bytes(row[0]) for row in database.run("SELECT content FROM audit_inputs")] == [b"late"]
    assert verify(store).is_whole
    assert store.prune("2998-01-01", "auditor") == 0


def test_what_is_missing_at_the_old_end_without_having_been_pruned_is_found(tmp_path: Path) -> None:
    store, database = trail(tmp_path, 9)
    database.run("DELETE FROM audit_entries WHERE seq <= 4")
    problem = verify(store).problem
    assert problem is not None and problem.seq == 1 and "is missing (4 in a row)" in problem.problem


def test_the_entry_that_notes_a_pruning_is_named_when_it_was_changed(tmp_path: Path) -> None:
    store, database = trail(tmp_path)
    store.append([entry(1)])
    store.append([entry(2, "2999-01-01T00:00:00.000000+00:00")])
    store.prune("2998-01-01", "auditor")
    row = store.row(4)
    assert row is not None
    before = read_entry(row.entry).before
    database.run("UPDATE audit_entries SET entry = ? WHERE seq = 4", (row.entry.replace(before, f"2:{'a' * 64}"),))
    problem = verify(store).problem
    assert problem is not None and problem.seq == 4


@pytest.mark.parametrize("text", ["", "7", "7:abc", "x:" + "0" * 64, "-1:" + "0" * 64])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="audit head"):
        parse_head(text)
