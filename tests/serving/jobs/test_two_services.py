"""Two services of one PostgreSQL and one data directory do the jobs between them, each once, and show them all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from serving.jobs.job import Job
from serving.jobs.store import PostgreSql, Store
from tests.serving.conftest import Service, address, running
from tests.serving.jobs import made
from tests.serving.jobs.test_worker import NAME, until

Reached = tuple[Service, httpx.Client]
HERE, THERE = "here", "there"


@pytest.fixture
def store(postgresql: str) -> Store:
    return Store(PostgreSql(postgresql))


@contextmanager
def services(postgresql: str, data: Path, *machines: str) -> Iterator[list[Reached]]:
    """Services, each on a machine of its own or not."""
    settings = {"TENDER_RISK_DATA": str(data), "TENDER_RISK_JOBS": postgresql, "TENDER_RISK_JOB_WORKERS": "1"}
    with ExitStack() as stack:
        begun = [stack.enter_context(running(machine=machine, **settings)) for machine in machines]
        yield [(process, stack.enter_context(httpx.Client(base_url=address(process), timeout=60))) for process in begun]


def held(store: Store, id: str) -> Job:
    stored = store.get(id)
    assert stored
    return stored


def test_each_job_is_done_once_and_either_shows_and_deletes_it(postgresql: str, store: Store, tmp_path: Path) -> None:
    with services(postgresql, tmp_path / "data", HERE, THERE) as ((_, one), (_, other)):
        pairs = [(one, other), (other, one)] * 2
        ids = [made.upload(by, made.portfolio(20), f"{n}.jsonl")["id"] for n, (by, _) in enumerate(pairs)]
        for number, (name, (by, else_)) in enumerate(zip(ids, pairs, strict=True)):
            done = made.ended(else_, name)
            assert (done["state"], done["rows"], done["name"]) == ("done", 20, f"{number}.jsonl")
            assert by.get(f"/jobs/{name}").json() == done
            assert held(store, name).attempts == 1
            page, output = f"/portfolio/{name}", f"/jobs/{name}/output"
            assert by.get(page).text == else_.get(page).text
            assert by.get(output).content == else_.get(output).content
        # What one has done can be what the other compares with.
        newer = made.upload(other, made.newer(), "newer.jsonl", since=ids[0])["id"]
        assert made.ended(one, newer)["links"].keys() >= {"gone"}
        for name, (_, else_) in zip(ids, pairs, strict=True):
            assert else_.delete(f"/jobs/{name}").status_code == 204
            assert [client.get(f"/jobs/{name}").status_code for client in (one, other)] == [404, 404]
            assert not (tmp_path / "data" / "jobs" / name).exists()


def test_two_machines_are_at_work_at_once(postgresql: str, store: Store, tmp_path: Path) -> None:
    with services(postgresql, tmp_path / "data", HERE, THERE) as ((_, one), (_, other)):
        # A service takes part from when it is first asked about jobs.
        assert other.get(f"/jobs/{'A' * 32}").status_code == 404
        ids = [made.upload(one, made.long(5), NAME)["id"] for _ in range(2)]
        until(lambda: {held(store, name).runner.partition("-")[0] for name in ids} == {HERE, THERE})
        # The one that does not run it calls it off and throws it away all the same.
        foreign = next(name for name in ids if held(store, name).runner.startswith(HERE))
        assert other.delete(f"/jobs/{foreign}").status_code == 204
        until(lambda: not (tmp_path / "data" / "jobs" / foreign).exists())
        (left,) = {*ids} - {foreign}
        assert made.ended(one, left)["state"] == "done"
        assert held(store, left).attempts == 1


def test_when_the_one_at_work_is_killed_the_other_goes_on(postgresql: str, store: Store, tmp_path: Path) -> None:
    with services(postgresql, tmp_path / "data", HERE, HERE) as both:
        name = made.upload(both[0][1], made.long(5), NAME)["id"]
        until(lambda: held(store, name).state == "running")
        runner = held(store, name).runner
        ((killed, _),) = (service for service in both if str(service[0].pid) in runner.split("-"))
        ((_, left),) = (service for service in both if service[0] is not killed)
        killed.kill()
        killed.wait()
        done = made.ended(left, name)
        assert (done["state"], held(store, name).attempts) == ("done", 2)
        assert held(store, name).runner != runner
