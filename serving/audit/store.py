"""The rows of the audit trail, in SQLite or PostgreSQL: appended, never changed, deleted from the old end alone.

Several processes append to one trail. Each append is one transaction that locks the trail before it reads its end. It
is on disk when it returns: SQLite's write-ahead log is synced at each commit, and so is PostgreSQL's.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Protocol

from serving.audit.entry import (
    GENESIS,
    AuditEntry,
    AuditHead,
    AuditRow,
    chained,
    entry_now,
    entry_text,
    read_entry,
    sha256,
)
from tenders.errors import UnreachableError, UsageError

TIMEOUT_SECONDS = 30
"""How long an append waits for another process's."""
PAGE = 1_000
"""Rows that are read at once."""
LOCK_NOT_AVAILABLE = "55P03"
"""PostgreSQL's code for a lock that another has."""
DAMAGED = "the audit trail's database is damaged: restore it, or move it away"
BEFORE_ALL = -(2**63)
"""Less than the number of any row, also of one that was changed."""
Values = Sequence[Any]


class BusyError(UnreachableError):
    """Another process writes the trail."""


class TrailDatabase(Protocol):
    """A connection that one thread uses. `tables` makes the tables, `mark` stands for a value in a statement."""

    tables: ClassVar[tuple[str, ...]]
    mark: ClassVar[str]

    def run(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """The rows of one statement. Raises UnreachableError."""
        ...

    def writing(self, wait: bool = True) -> AbstractContextManager[None]:
        """A transaction during which nobody else writes. Raises UnreachableError.

        Where another process writes it waits, or raises BusyError.
        """
        ...

    def is_lost(self) -> bool:
        """Whether the connection leads to a database that is gone."""
        ...

    def close(self) -> None:
        """Ends the connection."""
        ...


class SqliteTrail:
    """A trail in a file, which is made for its owner alone. `synced` syncs it to disk at each commit."""

    tables: ClassVar[tuple[str, ...]] = (
        "CREATE TABLE IF NOT EXISTS audit_entries (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL, digest TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS audit_inputs (digest TEXT PRIMARY KEY, seq INTEGER NOT NULL, content BLOB)",
    )
    mark: ClassVar[str] = "?"

    def __init__(self, path: Path, synced: bool = True, made: bool = True) -> None:
        self.path = path
        try:
            if made:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _create(path)
            self._file = path.stat().st_ino
            self._connection = sqlite3.connect(
                path, timeout=TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise _unreachable(path, error) from None
        # Bytes that are no text come as they are, so that it is found out which entry was changed.
        self._connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        try:
            self.run("PRAGMA journal_mode = WAL")
            self.run(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
        except UnreachableError:
            self.close()
            raise

    def run(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """See TrailDatabase."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except (sqlite3.Error, UnicodeError) as error:
            raise _unreachable(self.path, error) from None

    @contextmanager
    def writing(self, wait: bool = True) -> Iterator[None]:
        """See TrailDatabase."""
        if wait:
            self.run("BEGIN IMMEDIATE")
        else:
            self._begin_at_once()
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.rollback()
            raise

    def _begin_at_once(self) -> None:
        self.run("PRAGMA busy_timeout = 0")
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise BusyError("another process writes the audit trail") from None
            raise _unreachable(self.path, error) from None
        except sqlite3.Error as error:
            raise _unreachable(self.path, error) from None
        finally:
            self.run(f"PRAGMA busy_timeout = {TIMEOUT_SECONDS * 1000}")

    def is_lost(self) -> bool:
        """See TrailDatabase."""
        try:
            return self.path.stat().st_ino != self._file
        except OSError:
            return True

    def close(self) -> None:
        """See TrailDatabase."""
        self._connection.close()


def _create(path: Path) -> None:
    """Makes a file for its owner alone. One that is there is not opened: closing it would end SQLite's locks on it."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _unreachable(path: Path, error: Exception) -> UnreachableError:
    why = error.strerror if isinstance(error, OSError) else str(error)
    return UnreachableError(f"the audit trail in {path.name} cannot be used: {why}")


class PostgresTrail:
    """A trail on a server, by its URL."""

    tables: ClassVar[tuple[str, ...]] = (
        # Any number, as long as all take the same: no two may make a table at once.
        "SELECT pg_advisory_lock(7275)",
        "CREATE TABLE IF NOT EXISTS audit_entries (seq BIGINT PRIMARY KEY, entry TEXT NOT NULL, digest TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS audit_inputs (digest TEXT PRIMARY KEY, seq BIGINT NOT NULL, content BYTEA)",
        "SELECT pg_advisory_unlock(7275)",
    )
    mark: ClassVar[str] = "%s"

    def __init__(self, url: str) -> None:
        try:
            import psycopg
        except ImportError:
            raise UsageError("a trail in PostgreSQL needs its driver: install tender-risk[postgresql]") from None
        self._errors = psycopg.Error
        try:
            self._connection = psycopg.connect(
                url, autocommit=True, connect_timeout=TIMEOUT_SECONDS, client_encoding="utf8"
            )
        except psycopg.Error:
            raise _server_is_silent() from None

    def run(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """See TrailDatabase."""
        try:
            cursor = self._connection.execute(sql.encode(), values or None)
            return cursor.fetchall() if cursor.description else []
        except self._errors:
            raise _server_is_silent() from None

    @contextmanager
    def writing(self, wait: bool = True) -> Iterator[None]:
        """See TrailDatabase."""
        try:
            with self._connection.transaction():
                if wait:
                    self.run("LOCK TABLE audit_entries IN EXCLUSIVE MODE")
                else:
                    self._lock_at_once()
                yield
        except self._errors:
            raise _server_is_silent() from None

    def _lock_at_once(self) -> None:
        try:
            self._connection.execute(b"LOCK TABLE audit_entries IN EXCLUSIVE MODE NOWAIT")
        except self._errors as error:
            if getattr(error, "sqlstate", "") == LOCK_NOT_AVAILABLE:
                raise BusyError("another process writes the audit trail") from None
            raise

    def is_lost(self) -> bool:
        """See TrailDatabase."""
        return bool(self._connection.closed)

    def close(self) -> None:
        """See TrailDatabase."""
        self._connection.close()


def _server_is_silent() -> UnreachableError:
    # The driver's own message may hold the address, and that a password.
    return UnreachableError("the database of the audit trail does not answer")


def _number(value: Any) -> int:
    """The number of an entry. Raises UnreachableError for what only a damaged database has in its place."""
    if not isinstance(value, int):
        raise UnreachableError(DAMAGED)
    return value


class AuditStore:
    """The trail in a database. Every method raises UnreachableError.

    With `made`, its tables and its first entry are made if they are missing; that entry names the `last` of a trail
    that was in its place.
    """

    def __init__(self, database: TrailDatabase, made: bool = True, last: AuditHead | None = None) -> None:
        self._database = database
        if made:
            self._make(last)

    def _make(self, last: AuditHead | None) -> None:
        database = self._database
        for sql in database.tables:
            database.run(sql)
        if self.head().seq == 0:
            begun = entry_now("trail begun", before=str(last or ""))
            with database.writing():
                if self.head().seq == 0:
                    self._insert([entry_text(begun)])

    def close(self) -> None:
        """Ends the connection."""
        self._database.close()

    def is_lost(self) -> bool:
        """Whether the trail is no longer where it was."""
        return self._database.is_lost()

    def append(
        self, entries: Sequence[AuditEntry], inputs: Sequence[bytes | None] = (), wait: bool = True
    ) -> AuditHead:
        """Appends entries in one transaction, with the inputs that are kept. They are durable when this returns.

        Where another process writes it waits, or raises BusyError.
        """
        texts = [entry_text(entry) for entry in entries]
        with self._database.writing(wait):
            head = self._insert(texts)
            for seq, content in enumerate(inputs, head.seq - len(texts) + 1):
                if content is not None:
                    self._keep(seq, content)
        return head

    def _insert(self, texts: Sequence[str]) -> AuditHead:
        head = self.head()
        seq, digest = head.seq, head.digest
        for text in texts:
            seq, digest = seq + 1, chained(digest, text)
            self._run("INSERT INTO audit_entries (seq, entry, digest) VALUES (?, ?, ?)", seq, text, digest)
        return AuditHead(seq, digest)

    def _keep(self, seq: int, content: bytes) -> None:
        sql = (
            "INSERT INTO audit_inputs (digest, seq, content) VALUES (?, ?, ?) "
            "ON CONFLICT (digest) DO UPDATE SET seq = excluded.seq"
        )
        self._run(sql, sha256(content), seq, content)

    def head(self) -> AuditHead:
        """The end of the trail; `AuditHead(0, GENESIS)` if it is empty."""
        rows = self._run("SELECT seq, digest FROM audit_entries ORDER BY seq DESC LIMIT 1")
        return AuditHead(_number(rows[0][0]), str(rows[0][1])) if rows else AuditHead(0, GENESIS)

    def rows(self, after: int = BEFORE_ALL) -> Iterator[tuple[Any, Any, Any]]:
        """The number, text and digest of every entry behind one, in the order of numbers, as the database has them."""
        sql = f"SELECT seq, entry, digest FROM audit_entries WHERE seq > ? ORDER BY seq LIMIT {PAGE}"  # noqa: S608 - ours
        while rows := self._run(sql, after):
            yield from ((_number(row[0]), row[1], row[2]) for row in rows)
            if rows[-1][0] <= after:
                raise UnreachableError(DAMAGED)
            after = rows[-1][0]

    def row(self, seq: int) -> AuditRow | None:
        """One entry by its number."""
        rows = self._run("SELECT seq, entry, digest FROM audit_entries WHERE seq = ?", seq)
        return AuditRow(_number(rows[0][0]), str(rows[0][1]), str(rows[0][2])) if rows else None

    def kept_input(self, digest: str) -> bytes | None:
        """The input with this digest, if inputs are kept."""
        rows = self._run("SELECT content FROM audit_inputs WHERE digest = ?", digest)
        content = rows[0][0] if rows else None
        return bytes(content) if isinstance(content, bytes | memoryview) else None

    def input_digests(self) -> list[tuple[int, str]]:
        """The inputs that are kept: the number of the last entry of each, and its digest."""
        return [
            (_number(row[0]), str(row[1])) for row in self._run("SELECT seq, digest FROM audit_inputs ORDER BY seq")
        ]

    def prune(self, before: str, user: str) -> int:
        """Deletes the oldest entries, up to the first that is not older than a time; returns how many.

        An entry of the trail itself notes the last that went and its digest, where the chain now begins.
        """
        with self._database.writing():
            first = last = None
            for seq, text, digest in self.rows():
                if read_entry(text).time >= before:
                    break
                first = seq if first is None else first
                last = AuditHead(seq, digest)
            if first is None or last is None:
                return 0
            note = f"{last.seq - first + 1} entries before {before}"
            pruned = entry_now("trail pruned", user=user, before=str(last), note=note)
            self._insert([entry_text(pruned)])
            self._run("DELETE FROM audit_entries WHERE seq <= ?", last.seq)
            self._run("DELETE FROM audit_inputs WHERE seq <= ?", last.seq)
            return int(last.seq - first + 1)

    def _run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._database.run(sql.replace("?", self._database.mark), values)
