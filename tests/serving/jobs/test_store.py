"""The store's promises, on SQLite and on a real PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from serving.jobs.job import Job, JobOptions, new_id, now
from serving.jobs.store import Database, PostgreSql, Sqlite, Store
from tenders.errors import UnreachableError

HOME, ELSEWHERE, US, THEM = "home", "elsewhere", "us", "them"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        yield Sqlite(tmp_path / "jobs.sqlite")
        return
    database = PostgreSql(request.getfixturevalue("postgresql"))
    yield database
    database.run("DROP TABLE IF EXISTS tender_risk_jobs")


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


def job(home: str = HOME, age: float = 0, **about: object) -> Job:
    made = now() - timedelta(days=age)
    return Job(**{"id": new_id(), "home": home, "created": made, "name": "a.csv", "size": 7, **about})


def added(store: Store, *jobs: Job) -> list[str]:
    for one in jobs:
        store.add(one)
    return [one.id for one in jobs]


def test_a_job_comes_back_as_it_was_put_in(store: Store) -> None:
    options = JobOptions(stage="draft", register="ted_de", capacity=3, rank_by="expected_loss", most_per_buyer=1)
    created = job(name="Ausgaben; DROP TABLE 'x' \u202e%s :id.csv", options=options, size=3 * 2**40)
    store.add(created)
    assert store.get(created.id) == created
    assert store.get(new_id()) is None


def test_jobs_are_taken_in_the_order_in_which_they_came(store: Store) -> None:
    late, early = added(store, job(age=1), job(age=2))
    assert [store.claim(HOME, US), store.claim(HOME, US), store.claim(HOME, US)] == [
        store.get(early),
        store.get(late),
        None,
    ]


def test_a_job_is_taken_where_its_files_are(store: Store) -> None:
    added(store, job(ELSEWHERE))
    assert store.claim(HOME, US) is None


def test_many_at_once_take_every_job_once(database: Database) -> None:
    ids = added(Store(database), *(job() for _ in range(24)))

    def taken(runner: str) -> list[str]:
        store, ids = Store(database), []
        while job := store.claim(HOME, runner):
            ids.append(job.id)
        return ids

    with ThreadPoolExecutor(6) as threads:
        claimed = [*threads.map(taken, (f"runner {number}" for number in range(6)))]
    assert sorted(name for names in claimed for name in names) == sorted(ids)


def test_the_table_is_made_by_many_at_once(database: Database) -> None:
    with ThreadPoolExecutor(6) as threads:
        assert [*threads.map(lambda _: Store(database).waiting(HOME), range(6))] == [0] * 6


def test_who_runs_a_job_notes_how_far_it_is_and_how_it_ended(store: Store) -> None:
    (name,) = added(store, job())
    store.claim(HOME, US)
    assert store.progress(name, US, 5, 6)
    assert store.end(name, US, "done", rows=9)
    stored = store.get(name)
    assert stored and (stored.state, stored.rows, stored.bytes, stored.attempts) == ("done", 9, 7, 1)
    assert not store.progress(name, US, 1, 1)


def test_nobody_else_notes_anything(store: Store) -> None:
    (name,) = added(store, job())
    store.claim(HOME, US)
    assert not store.progress(name, THEM, 5, 6)
    assert not store.end(name, THEM, "failed", "no")
    assert not store.requeue(name, THEM)
    assert store.get(name).state == "running"


def test_a_job_whose_runner_is_gone_waits_again_and_is_counted(store: Store) -> None:
    (name,) = added(store, job())
    store.claim(HOME, US)
    assert [entry.id for entry in store.running(HOME)] == [name]
    assert store.requeue(name, US)
    again = store.claim(HOME, THEM)
    assert again and (again.id, again.runner, again.attempts) == (name, THEM, 2)


@pytest.mark.parametrize("begun", [False, True], ids=["waiting", "running"])
def test_a_cancelled_job_stays_so(store: Store, begun: bool) -> None:
    (name,) = added(store, job())
    if begun:
        store.claim(HOME, US)
    assert store.cancel(name)
    assert not store.cancel(name)
    assert store.claim(HOME, US) is None
    assert not store.progress(name, US, 1, 1)
    assert store.get(name).state == "cancelled"


def test_a_deleted_job_is_gone_and_its_runner_told(store: Store) -> None:
    (name,) = added(store, job())
    store.claim(HOME, US)
    assert store.delete(name)
    assert not store.delete(name)
    assert not store.progress(name, US, 1, 1)


def test_what_waits_and_what_expires_is_told_by_directory(store: Store) -> None:
    old, ended = job(age=40), job(age=40, state="done")
    added(store, old, ended, job(state="done"), job(ELSEWHERE, age=40, state="done"))
    assert store.waiting(HOME) == 1
    assert [entry.id for entry in store.expired(HOME, now() - timedelta(days=30))] == [ended.id]
    assert len(store.newest(HOME, 2)) == 2
    assert store.newest(HOME, 9)[0].created == max(entry.created for entry in store.newest(HOME, 9))


def test_a_database_that_does_not_answer_is_said_without_its_address(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError):
        Store(Sqlite(tmp_path / "none" / "jobs.sqlite"))
    pytest.importorskip("psycopg")
    with pytest.raises(UnreachableError) as caught:
        Store(PostgreSql("postgresql://auditor:secret@127.0.0.1:1/postgres"))
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
