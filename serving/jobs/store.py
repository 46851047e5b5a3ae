"""The rows of the jobs, in SQLite or PostgreSQL.

Every change is one statement that says in which state it applies, so that two services never undo each other's work.
A connection lasts for one statement: nothing has to be reconnected after a database restarts, and threads share none.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

import msgspec

from serving.jobs.job import Job, JobOptions, State
from serving.jobs.paths import DataDirectory
from serving.jobs.settings import Settings
from tenders.errors import UnreachableError, UsageError

TIMEOUT_SECONDS = 30
"""How long a statement waits for another service's write."""
Rows = list[tuple[Any, ...]]
_PARAMETER = re.compile(r":(\w+)")
_COLUMNS = Job.__struct_fields__
_ALL = ", ".join(_COLUMNS)
_TABLE = """
    CREATE TABLE IF NOT EXISTS tender_risk_jobs (
        id TEXT PRIMARY KEY, home TEXT NOT NULL, created TEXT NOT NULL, name TEXT NOT NULL, size BIGINT NOT NULL,
        options TEXT NOT NULL, state TEXT NOT NULL, rows BIGINT NOT NULL, bytes BIGINT NOT NULL, message TEXT NOT NULL,
        runner TEXT NOT NULL, attempts BIGINT NOT NULL, owner TEXT NOT NULL DEFAULT '',
        outputs TEXT NOT NULL DEFAULT '{}'
    )
"""
_ADDED = {"owner": "TEXT NOT NULL DEFAULT ''", "outputs": "TEXT NOT NULL DEFAULT '{}'"}
"""Columns that tables of earlier versions lack."""


class Database(Protocol):
    """A database. `skip_locked` ends a subquery for a row that no two services may take; `lock` goes before the
    creation of a table, which no two may do at once."""

    skip_locked: ClassVar[str]
    lock: ClassVar[str]

    def columns(self) -> set[str]:
        """The columns of the table of jobs. Raises UnreachableError."""
        ...

    def run(self, sql: str, values: Mapping[str, Any] | None = None) -> Rows:
        """The rows of one statement with `:name` in place of values. Raises UnreachableError."""
        ...


class Sqlite:
    """A database in a file. SQLite runs one statement that writes at a time, so no job is taken twice."""

    skip_locked: ClassVar[str] = ""
    lock: ClassVar[str] = ""

    def __init__(self, path: Path) -> None:
        self.path = path

    def columns(self) -> set[str]:
        """See Database."""
        return {str(row[1]) for row in self.run("PRAGMA table_info(tender_risk_jobs)")}

    def run(self, sql: str, values: Mapping[str, Any] | None = None) -> Rows:
        """See Database."""
        try:
            with closing(sqlite3.connect(self.path, timeout=TIMEOUT_SECONDS, isolation_level=None)) as connection:
                return connection.execute(sql, values or {}).fetchall()
        except sqlite3.OperationalError as error:
            raise UnreachableError(f"the jobs in {self.path.name} cannot be reached: {error}") from None
        except sqlite3.DatabaseError as error:
            raise UnreachableError(f"{self.path.name} is damaged ({error}). Restore it, or move it away") from None

    def check(self) -> None:
        """Raises UnreachableError if the file is damaged."""
        rows = self.run("PRAGMA quick_check(1)")
        if rows != [("ok",)]:
            raise UnreachableError(f"{self.path.name} is damaged ({rows[0][0]}). Restore it, or move it away")


class PostgreSql:
    """A database on a server, by its URL."""

    skip_locked: ClassVar[str] = "FOR UPDATE SKIP LOCKED"
    # Any number, as long as all services take the same.
    lock: ClassVar[str] = "SELECT pg_advisory_xact_lock(7274); "

    def __init__(self, url: str) -> None:
        self.url = url

    def columns(self) -> set[str]:
        """See Database."""
        rows = self.run("SELECT column_name FROM information_schema.columns WHERE table_name = 'tender_risk_jobs'")
        return {str(row[0]) for row in rows}

    def run(self, sql: str, values: Mapping[str, Any] | None = None) -> Rows:
        """See Database."""
        try:
            import psycopg
        except ImportError:
            raise UsageError("jobs in PostgreSQL need its driver: install tender-risk[postgresql]") from None
        try:
            with psycopg.connect(
                self.url, autocommit=True, connect_timeout=TIMEOUT_SECONDS, client_encoding="utf8"
            ) as connection:
                cursor = connection.execute(_PARAMETER.sub(r"%(\1)s", sql).encode(), values)
                return cursor.fetchall() if cursor.description else []
        except psycopg.OperationalError:
            # The driver's own message may hold the address.
            raise UnreachableError("the database of the jobs does not answer") from None


class Store:
    """The jobs in a database; creates the table if it is missing. Every method raises UnreachableError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.run(database.lock + _TABLE)
        for name in _ADDED.keys() - database.columns():
            try:
                database.run(f"ALTER TABLE tender_risk_jobs ADD COLUMN {name} {_ADDED[name]}")
            except UnreachableError:
                # Another service added it at the same time.
                if name not in database.columns():
                    raise

    def add(self, job: Job) -> None:
        """Puts a new job at the end of the queue."""
        marks = ", ".join(f":{name}" for name in _COLUMNS)
        self._database.run(f"INSERT INTO tender_risk_jobs ({_ALL}) VALUES ({marks})", _row(job))  # noqa: S608 - ours

    def get(self, id: str) -> Job | None:
        """The job with this id."""
        return _first(self._select("WHERE id = :id", id=id))

    def waiting_owners(self, home: str) -> list[str]:
        """The owners of queued jobs, that of the oldest first."""
        sql = """
            SELECT owner FROM tender_risk_jobs WHERE home = :home AND state = 'queued'
            GROUP BY owner ORDER BY min(created), owner
        """
        return [str(row[0]) for row in self._database.run(sql, {"home": home})]

    def claim(self, home: str, runner: str, owner: str | None = None) -> Job | None:
        """Takes the oldest queued job, of an owner if one is named, for `runner`; no other service gets it."""
        whose, named = ("", {}) if owner is None else ("AND owner = :owner", {"owner": owner})
        oldest = f"""
            SELECT id FROM tender_risk_jobs WHERE home = :home AND state = 'queued' {whose}
            ORDER BY created, id LIMIT 1 {self._database.skip_locked}
        """  # noqa: S608 - our own words
        change = "state = 'running', runner = :runner, message = '', attempts = attempts + 1"
        return _first(self._update(change, f"id = ({oldest})", home=home, runner=runner, **named))

    def requeue(self, id: str, runner: str, message: str = "") -> bool:
        """Queues a job again that `runner` had taken and does not run any more; `message` says why."""
        where, change = "id = :id AND runner = :runner AND state = 'running'", "runner = '', message = :message"
        return bool(self._update(f"state = 'queued', {change}", where, id=id, runner=runner, message=message))

    def progress(self, id: str, runner: str, rows: int, read: int) -> bool:
        """Notes the rows and bytes done. False if `runner` must stop: the job was cancelled, deleted or reassigned."""
        where = "id = :id AND runner = :runner AND state = 'running'"
        return bool(self._update("rows = :rows, bytes = :read", where, id=id, runner=runner, rows=rows, read=read))

    def end(
        self,
        id: str,
        runner: str,
        state: State,
        message: str = "",
        rows: int | None = None,
        outputs: Mapping[str, str] | None = None,
    ) -> bool:
        """Notes how the job ended for `runner`, and the digests of its files."""
        counts = ", rows = :rows, bytes = size, outputs = :outputs" if rows is not None else ""
        return bool(
            self._update(
                f"state = :state, message = :message{counts}",
                "id = :id AND runner = :runner AND state = 'running'",
                id=id,
                runner=runner,
                state=state,
                message=message,
                rows=rows or 0,
                outputs=msgspec.json.encode(outputs or {}).decode(),
            )
        )

    def cancel(self, id: str) -> bool:
        """Ends a job that is queued or running; its runner finds out at its next note of progress."""
        return bool(self._update("state = 'cancelled'", "id = :id AND state IN ('queued', 'running')", id=id))

    def delete(self, id: str) -> bool:
        """Deletes the row, whatever its state."""
        return bool(self._database.run("DELETE FROM tender_risk_jobs WHERE id = :id RETURNING id", {"id": id}))

    def running(self, home: str) -> list[Job]:
        """The jobs of a data directory that a service runs, or ran when it was killed."""
        return self._select("WHERE home = :home AND state = 'running' ORDER BY created, id", home=home)

    def waiting(self, home: str) -> int:
        """How many jobs of a data directory have not ended."""
        sql = "SELECT count(*) FROM tender_risk_jobs WHERE home = :home AND state IN ('queued', 'running')"
        return int(self._database.run(sql, {"home": home})[0][0])

    def newest(self, home: str, count: int, owner: str | None = None) -> list[Job]:
        """The last jobs of a data directory, newest first; with `owner`, those that came with its key."""
        mine = "AND owner = :owner" if owner is not None else ""
        where = f"WHERE home = :home {mine} ORDER BY created DESC, id LIMIT :count"
        return self._select(where, home=home, count=count, **({} if owner is None else {"owner": owner}))

    def expired(self, home: str, before: datetime) -> list[Job]:
        """The jobs of a data directory that have ended and were created before a time."""
        where = "WHERE home = :home AND created < :before AND state NOT IN ('queued', 'running')"
        return self._select(where, home=home, before=_text(before))

    def _select(self, where: str, **values: Any) -> list[Job]:
        sql = f"SELECT {_ALL} FROM tender_risk_jobs {where}"  # noqa: S608 - our own words
        return [_job(row) for row in self._database.run(sql, values)]

    def _update(self, change: str, where: str, **values: Any) -> list[Job]:
        sql = f"UPDATE tender_risk_jobs SET {change} WHERE {where} RETURNING {_ALL}"  # noqa: S608 - our own words
        return [_job(row) for row in self._database.run(sql, values)]


def open_store(settings: Settings, directory: DataDirectory) -> Store:
    """The store that the settings name."""
    if settings.database:
        return Store(PostgreSql(settings.database))
    database = Sqlite(directory.path / "jobs.sqlite")
    database.check()
    return Store(database)


def _row(job: Job) -> dict[str, Any]:
    row = msgspec.structs.asdict(job)
    texts = {name: msgspec.json.encode(getattr(job, name)).decode() for name in ("options", "outputs")}
    return {**row, "created": _text(job.created), **texts}


def _job(row: tuple[Any, ...]) -> Job:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["options"] = msgspec.json.decode(values["options"], type=JobOptions)
    values["outputs"] = msgspec.json.decode(values["outputs"], type=dict[str, str])
    return msgspec.convert(values, Job)


def _first(jobs: list[Job]) -> Job | None:
    return jobs[0] if jobs else None


def _text(time: datetime) -> str:
    """A time as text, which both databases know and which sorts in order of time."""
    return time.isoformat(timespec="microseconds")
