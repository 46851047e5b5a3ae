"""The two databases that keep jobs: SQLite in a file, PostgreSQL by URL. One statement a transaction, in plain SQL.

A connection lasts for one statement: there is nothing to reconnect when a database was restarted, and no thread
shares one with another.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Protocol

from tenders.errors import UnreachableError, UsageError

SECONDS = 30
"""How long another's write is waited for."""
Rows = list[tuple[Any, ...]]
_NAMED = re.compile(r":(\w+)")


class Database(Protocol):
    """What the store needs. `skipping` ends a subquery for a row that no two may take; `alone` goes before the making
    of a table, which no two may do at once."""

    skipping: ClassVar[str]
    alone: ClassVar[str]

    def run(self, sql: str, values: Mapping[str, Any] | None = None) -> Rows:
        """The rows of one statement, whose values stand in it as `:name`. Raises UnreachableError."""
        ...


class Sqlite:
    """A file; one statement that writes runs at a time, so that none is taken twice."""

    skipping: ClassVar[str] = ""
    alone: ClassVar[str] = ""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, sql: str, values: Mapping[str, Any] | None = None) -> Rows:
        """See Database."""
        try:
            with closing(sqlite3.connect(self.path, timeout=SECONDS, isolation_level=None)) as connection:
                return connection.execute(sql, values or {}).fetchall()
        except sqlite3.OperationalError as error:
            raise UnreachableError(f"the jobs in {self.path.name} cannot be reached: {error}") from None


class PostgreSql:
    """A server, by its URL."""

    skipping: ClassVar[str] = "FOR UPDATE SKIP LOCKED"
    # Any number, as long as all services take the same.
    alone: ClassVar[str] = "SELECT pg_advisory_xact_lock(7274); "

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, sql: str, values: Mapping[str, Any] | None = None) -> Rows:
        """See Database."""
        try:
            import psycopg
        except ImportError:
            raise UsageError("jobs in PostgreSQL need its driver: install tender-risk[postgresql]") from None
        try:
            with psycopg.connect(
                self.url, autocommit=True, connect_timeout=SECONDS, client_encoding="utf8"
            ) as connection:
                found = connection.execute(_NAMED.sub(r"%(\1)s", sql).encode(), values)
                return found.fetchall() if found.description else []
        except psycopg.OperationalError:
            # Its own words may hold the address.
            raise UnreachableError("the database of the jobs does not answer") from None
