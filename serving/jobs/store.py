"""The rows of the jobs. Every change is one statement that says in which state it applies, so none undoes another."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from serving.jobs.databases import Database, PostgreSql, Sqlite
from serving.jobs.home import Home
from serving.jobs.job import Job, Options, State
from serving.jobs.settings import Settings

_COLUMNS = "id, home, created, name, size, options, state, rows, bytes, message, runner, attempts"
_TABLE = """
    CREATE TABLE IF NOT EXISTS tender_risk_jobs (
        id TEXT PRIMARY KEY, home TEXT NOT NULL, created TEXT NOT NULL, name TEXT NOT NULL, size BIGINT NOT NULL,
        options TEXT NOT NULL, state TEXT NOT NULL, rows BIGINT NOT NULL, bytes BIGINT NOT NULL, message TEXT NOT NULL,
        runner TEXT NOT NULL, attempts BIGINT NOT NULL
    )
"""


class Store:
    """Jobs in a database; the table is made where there is none. Everything raises UnreachableError as it does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.run(database.alone + _TABLE)

    def add(self, job: Job) -> None:
        """Puts a new job at the end of the queue."""
        names = [name.strip() for name in _COLUMNS.split(",")]
        marks = ", ".join(f":{name}" for name in names)
        self._run(f"INSERT INTO tender_risk_jobs ({_COLUMNS}) VALUES ({marks})", _row(job))  # noqa: S608 - our own words

    def get(self, id: str) -> Job | None:
        """The job of that name."""
        return _first(self._jobs("WHERE id = :id", id=id))

    def claim(self, home: str, runner: str) -> Job | None:
        """Takes the oldest job that waits, for `runner`: no other gets it."""
        oldest = f"""
            SELECT id FROM tender_risk_jobs WHERE home = :home AND state = 'queued'
            ORDER BY created, id LIMIT 1 {self._database.skipping}
        """  # noqa: S608 - our own words
        taken = "state = 'running', runner = :runner, attempts = attempts + 1"
        return _first(self._changed(taken, f"id = ({oldest})", home=home, runner=runner))

    def requeue(self, id: str, runner: str) -> bool:
        """Lets a job wait again that `runner` had taken and does not run any more."""
        held = "id = :id AND runner = :runner AND state = 'running'"
        return bool(self._changed("state = 'queued', runner = ''", held, id=id, runner=runner))

    def progress(self, id: str, runner: str, rows: int, read: int) -> bool:
        """Notes how far `runner` is. False if it shall stop: the job was cancelled, deleted or given to another."""
        held = "id = :id AND runner = :runner AND state = 'running'"
        return bool(self._changed("rows = :rows, bytes = :read", held, id=id, runner=runner, rows=rows, read=read))

    def end(self, id: str, runner: str, state: State, message: str = "", rows: int | None = None) -> bool:
        """Notes how it ended for `runner`."""
        counted = ", rows = :rows, bytes = size" if rows is not None else ""
        return bool(
            self._changed(
                f"state = :state, message = :message{counted}",
                "id = :id AND runner = :runner AND state = 'running'",
                id=id,
                runner=runner,
                state=state,
                message=message,
                rows=rows or 0,
            )
        )

    def cancel(self, id: str) -> bool:
        """Ends a job that waits or runs; its runner finds out."""
        return bool(self._changed("state = 'cancelled'", "id = :id AND state IN ('queued', 'running')", id=id))

    def delete(self, id: str) -> bool:
        """Takes the row away, whatever its state."""
        return bool(self._run("DELETE FROM tender_risk_jobs WHERE id = :id RETURNING id", {"id": id}))

    def running(self, home: str) -> list[Job]:
        """The jobs of a data directory that somebody runs, or ran when it was killed."""
        return self._jobs("WHERE home = :home AND state = 'running' ORDER BY created, id", home=home)

    def waiting(self, home: str) -> int:
        """How many jobs of a data directory have not ended."""
        asked = "SELECT count(*) FROM tender_risk_jobs WHERE home = :home AND state IN ('queued', 'running')"
        return int(self._run(asked, {"home": home})[0][0])

    def newest(self, home: str, most: int) -> list[Job]:
        """The last jobs of a data directory, the newest first."""
        return self._jobs("WHERE home = :home ORDER BY created DESC, id LIMIT :most", home=home, most=most)

    def expired(self, home: str, before: datetime) -> list[Job]:
        """The jobs of a data directory that have ended and were made before an instant."""
        where = "WHERE home = :home AND created < :before AND state NOT IN ('queued', 'running')"
        return self._jobs(where, home=home, before=_text(before))

    def _jobs(self, where: str, **values: Any) -> list[Job]:
        sql = f"SELECT {_COLUMNS} FROM tender_risk_jobs {where}"  # noqa: S608 - our own words
        return [_job(row) for row in self._run(sql, values)]

    def _changed(self, change: str, where: str, **values: Any) -> list[Job]:
        sql = f"UPDATE tender_risk_jobs SET {change} WHERE {where} RETURNING {_COLUMNS}"  # noqa: S608 - our own words
        return [_job(row) for row in self._run(sql, values)]

    def _run(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self._database.run(sql, values)


def opened(settings: Settings, home: Home) -> Store:
    """The store that the settings name."""
    return Store(PostgreSql(settings.database) if settings.database else Sqlite(home.path / "jobs.sqlite"))


def _row(job: Job) -> dict[str, Any]:
    row = msgspec.structs.asdict(job)
    return {**row, "created": _text(job.created), "options": msgspec.json.encode(job.options).decode()}


def _job(row: tuple[Any, ...]) -> Job:
    given = dict(zip((name.strip() for name in _COLUMNS.split(",")), row, strict=True))
    given["options"] = msgspec.json.decode(given["options"], type=Options)
    return msgspec.convert(given, Job)


def _first(jobs: list[Job]) -> Job | None:
    return jobs[0] if jobs else None


def _text(instant: datetime) -> str:
    """An instant as text that sorts as instants do: both databases know text."""
    return instant.isoformat(timespec="microseconds")
