"""Entries that were appended are there, in one chain, whoever appends at the same time."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from serving.audit.checking import verify
from serving.audit.entry import GENESIS, AuditHead, read_entry
from serving.audit.replaying import replay
from serving.audit.store import AuditStore, BusyError, PostgresTrail, SqliteTrail
from serving.audit.trail import AuditSettings, AuditTrail
from tenders.errors import DataError, UnreachableError
from tests.serving.audit.made import entry, trail

WRITERS, EACH = 4, 20
Opened = Callable[[], AuditStore]


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """Opens one trail again and again, each time with a connection of its own, as another process would."""
    stores: list[AuditStore] = []
    url = request.getfixturevalue("postgresql") if request.param == "PostgreSQL" else ""

    def open_store() -> AuditStore:
        database = PostgresTrail(url) if url else SqliteTrail(tmp_path / "audit.sqlite", synced=False)
        stores.append(AuditStore(database))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


def test_many_writers_make_one_chain_and_lose_nothing(opened: Opened) -> None:
    store = opened()
    before = store.head().seq

    def write(number: int) -> None:
        mine = opened()
        for turn in range(EACH):
            mine.append([entry(number * EACH + turn), entry(number * EACH + turn)])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert store.head().seq - before == 2 * WRITERS * EACH
    assert verify(store).is_whole
    written = [read_entry(text).input for _, text, _ in store.rows(before)]
    assert sorted(written) == sorted(2 * [f"{number:064x}" for number in range(WRITERS * EACH)])


def test_what_is_kept_pruned_and_verified_is_the_same_in_both_databases(opened: Opened) -> None:
    store = opened()
    head = store.append([entry(1, "2001-01-01T00:00:00.000000+00:00")], [b"\x00what was sent"])
    digest = store.input_digests()[-1][1]
    assert store.kept_input(digest) == b"\x00what was sent"
    assert store.prune("2999-01-01", "auditor") == head.seq
    assert store.kept_input(digest) is None
    assert verify(store, head).is_whole


def test_a_trail_is_open_to_its_owner_alone_and_begins_with_its_beginning(tmp_path: Path) -> None:
    store, database = trail(tmp_path / "new")
    assert database.path.stat().st_mode & 0o777 == 0o600
    assert database.path.parent.stat().st_mode & 0o777 == 0o700
    [(seq, text, _)] = store.rows()
    assert (seq, read_entry(text).action) == (1, "trail begun")


def test_each_commit_is_synced_to_disk(tmp_path: Path) -> None:
    database = SqliteTrail(tmp_path / "audit.sqlite")
    assert database.run("PRAGMA journal_mode") == [("wal",)]
    assert database.run("PRAGMA synchronous") == [(2,)]  # FULL


def test_a_reader_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match=r"audit\.sqlite"):
        SqliteTrail(tmp_path / "audit.sqlite", made=False)
    assert not [*tmp_path.iterdir()]


def test_a_file_that_is_no_trail_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "audit.sqlite").write_bytes(b"no database at all" * 1000)
    with pytest.raises(UnreachableError, match=r"audit\.sqlite"):
        trail(tmp_path)


def test_a_server_that_is_not_there_is_unreachable_and_its_password_is_not_shown() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(UnreachableError) as error:
        PostgresTrail("postgresql://auditor:secret-word@127.0.0.1:9/trail")
    assert "secret-word" not in str(error.value)


def test_an_empty_trail_ends_at_the_beginning(tmp_path: Path) -> None:
    store, database = trail(tmp_path)
    database.run("DELETE FROM audit_entries")
    assert store.head() == AuditHead(0, GENESIS)


def test_a_damaged_database_is_said_and_not_read_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, database = trail(tmp_path, 3)
    for row in ((None, "", ""), (1, "", "")):
        monkeypatch.setattr(database, "run", lambda *_, row=row: [row])
        with pytest.raises(UnreachableError, match="damaged: restore it"):
            list(store.rows(1))


def test_an_entry_that_was_changed_is_not_replayed(tmp_path: Path) -> None:
    store, database = trail(tmp_path, 1)
    database.run("UPDATE audit_entries SET entry = '{' WHERE seq = 2")
    with pytest.raises(DataError, match="entry 2 is not as it was written"):
        replay(store, 2, b"{}")


def test_another_process_that_writes_is_waited_for_by_a_thread_and_not_by_who_asks(tmp_path: Path) -> None:
    kept = AuditTrail(AuditSettings(file=tmp_path / "audit.sqlite", synced=False))
    with closing(sqlite3.connect(tmp_path / "audit.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store = AuditStore(SqliteTrail(tmp_path / "audit.sqlite"), made=False)
        with closing(store), pytest.raises(BusyError):
            store.append([entry(1)], wait=False)
        begun = time.monotonic()
        appended = kept.append(entry(2))
        assert time.monotonic() - begun < 5
        assert not appended.done()
        other.execute("ROLLBACK")
        assert appended.result(30).seq == 2
    assert kept.append(entry(3)).result(30).seq == 3
