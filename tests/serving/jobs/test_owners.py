"""A job belongs to the name of the key that it came with: others do not see it, and admin sees all."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import msgspec
import pytest

from serving import key_file
from serving.audit.entry import read_entry
from serving.audit.store import AuditStore, SqliteTrail
from serving.jobs.job import Job, new_id, now
from serving.jobs.paths import DataDirectory
from serving.jobs.store import Sqlite, Store
from tests.serving.conftest import address, running
from tests.serving.jobs import made

Clients = dict[str, httpx.Client]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory where another process has the turn, so that jobs wait."""
    return tmp_path_factory.mktemp("owned")


@pytest.fixture(scope="module")
def clients(data: Path) -> Iterator[Clients]:
    """Two users of one service and its admin; `ann` has two keys."""
    from tenders import files

    DataDirectory(data)
    assert files.try_lock(data / f"runner-{socket.gethostname()}.lock") is not None
    file = data / key_file.NAME
    texts = {user: key_file.add_key(file, user.partition("'")[0], ["portfolio"])[0] for user in ("ann", "ann'", "ben")}
    texts["admin"] = key_file.add_key(file, "admin", ["admin"])[0]
    with running(TENDER_RISK_DATA=str(data)) as process:
        url = address(process)
        opened = {
            user: httpx.Client(base_url=url, timeout=60, headers={"Authorization": f"Bearer {text}"})
            for user, text in texts.items()
        }
        yield opened
        for client in opened.values():
            client.close()


def test_who_made_a_job_sees_it_with_every_key_of_the_name_and_admin_does(clients: Clients) -> None:
    job = made.upload(clients["ann"], made.portfolio(3))
    for path in (f"/jobs/{job['id']}", f"/portfolio/{job['id']}"):
        statuses = {user: client.get(path).status_code for user, client in clients.items()}
        assert statuses == {"ann": 200, "ann'": 200, "ben": 404, "admin": 200}
    for user, client in clients.items():
        assert (job["id"] in [entry["id"] for entry in client.get("/jobs").json()]) is (user != "ben")


def test_another_key_neither_cancels_nor_deletes_nor_compares_with_it(clients: Clients) -> None:
    job = made.upload(clients["ann"], made.portfolio(3))
    assert clients["ben"].post(f"/jobs/{job['id']}/cancel").status_code == 404
    assert clients["ben"].delete(f"/jobs/{job['id']}").status_code == 404
    assert clients["ben"].post(f"/portfolio/{job['id']}/delete").status_code == 404
    refused = clients["ben"].post("/jobs", files={"file": ("a.jsonl", made.portfolio(3))}, data={"since": job["id"]})
    assert refused.status_code == 400 and refused.json()["problems"][0]["path"] == "/since"
    assert clients["ann"].get(f"/jobs/{job['id']}").json()["state"] == "queued"
    assert clients["ann"].delete(f"/jobs/{job['id']}").status_code == 204


def test_the_trail_says_whose_job_it_was_and_who_deleted_it(clients: Clients, data: Path) -> None:
    job = made.upload(clients["ann"], made.portfolio(3))
    assert clients["admin"].delete(f"/jobs/{job['id']}").status_code == 204
    store = AuditStore(SqliteTrail(data / "audit.sqlite", made=False), made=False)
    created, deleted = [read_entry(text) for _, text, _ in store.rows()][-2:]
    assert [(entry.action, entry.key) for entry in (created, deleted)] == [
        ("job created", "ann"),
        ("job deleted", "admin"),
    ]


def test_a_database_of_before_gets_the_owner_and_keeps_its_jobs(tmp_path: Path) -> None:
    job = Job(id=new_id(), home="h", created=now(), name="a.csv", size=7)
    Store(Sqlite(tmp_path / "jobs.sqlite")).add(job)
    with closing(sqlite3.connect(tmp_path / "jobs.sqlite")) as old:
        old.execute("ALTER TABLE tender_risk_jobs DROP COLUMN owner")
    store = Store(Sqlite(tmp_path / "jobs.sqlite"))
    assert store.get(job.id) == job
    store.add(msgspec.structs.replace(job, id=new_id(), owner="ann"))
    assert [job.owner for job in store.newest("h", 9, "ann")] == ["ann"]
    assert len(store.newest("h", 9)) == 2
