"""A job takes its share of the machine and no more, and one owner's jobs do not keep another's waiting."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from serving.jobs import limits, worker
from serving.jobs.limits import JobLimits, folder_bytes, private_bytes
from serving.jobs.paths import DataDirectory, JobPaths
from serving.jobs.settings import Settings
from serving.jobs.store import Sqlite, Store
from serving.jobs.worker import Worker
from tests.serving.conftest import address, running
from tests.serving.jobs import made
from tests.serving.jobs.test_worker import added

NO_SESSION = -1
"""A session without a process. The kernel's and a container's outer processes are in session 0, whatever they hold."""
HOG = "held = bytearray(150_000_000); import subprocess, sys; sys.stdin.read()"


@pytest.fixture
def idle(tmp_path: Path) -> Worker:
    """A worker that has not begun."""
    directory = DataDirectory(tmp_path)
    return Worker(Settings(data=tmp_path), directory, Store(Sqlite(tmp_path / "jobs.sqlite")))


def test_a_job_that_takes_too_much_memory_is_stopped_once_and_says_why() -> None:
    with running(TENDER_RISK_JOB_MB="30") as process, httpx.Client(base_url=address(process), timeout=60) as http:
        ended = made.ended(http, made.upload(http, made.portfolio(20))["id"], 60)
        assert ended["state"] == "failed"
        assert ended["message"] == (
            "stopped: it took more than 30 MB of memory. Split the file, or raise TENDER_RISK_JOB_MB"
        )
        assert http.get("/readyz").json()["warnings"] == []


def test_memory_is_that_of_all_processes_of_a_session() -> None:
    hog = subprocess.Popen([sys.executable, "-c", HOG], stdin=subprocess.PIPE, start_new_session=True)
    try:
        until = time.monotonic() + 20
        while (held := private_bytes(hog.pid)) < 150_000_000:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert held < 250_000_000
    finally:
        hog.kill()
        hog.communicate(timeout=20)
    assert private_bytes(hog.pid) == 0


@pytest.mark.parametrize(
    ("settings", "rows", "says"),
    [
        ({"job_hours": 1}, 0, "1 hours. Split the file, or raise TENDER_RISK_JOB_HOURS"),
        ({"job_rows": 9}, 10, "9 rows. Split the file, or raise TENDER_RISK_JOB_ROWS"),
        ({"job_disk": 2**20}, 0, "1 MB on the disk. Split the file, or raise TENDER_RISK_JOB_DISK_MB"),
        ({}, 10, ""),
    ],
)
def test_time_rows_and_disk_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, int], rows: int, says: str
) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "0.arrow").write_bytes(b"x" * 3 * 2**20)
    assert 3 * 2**20 <= folder_bytes(tmp_path) < 4 * 2**20
    bounds = JobLimits(Settings(data=tmp_path, **settings), NO_SESSION, tmp_path)
    assert bounds.exceeded(0) == ""
    later = time.monotonic() + 3601
    monkeypatch.setattr(limits.time, "monotonic", lambda: later)
    assert bounds.exceeded(rows).endswith(says)
    assert bool(bounds.exceeded(rows)) is bool(says) or "disk" in says


def test_owners_take_turns(idle: Worker) -> None:
    ages = {"a1": 9, "a2": 8, "a3": 7, "b1": 6, "b2": 5, "c1": 1}
    names = {added(idle, age, owner=name[0]).id: name for name, age in ages.items()}
    order = []
    while (job := idle._claim()) is not None:
        order.append(names[job.id])
        idle.store.end(job.id, idle.runner, "done")
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_jobs_of_one_owner_go_in_the_order_in_which_they_came(idle: Worker) -> None:
    jobs = [added(idle, age).id for age in (3, 2, 1)]
    assert [claimed.id for _ in jobs if (claimed := idle._claim())] == jobs


def test_a_long_job_gives_way_only_once_it_got_farther_and_to_others(idle: Worker) -> None:
    added(idle, 2, owner="a")
    job = idle._claim()
    assert job and not idle._give_way(job, JobPaths(idle.directory.folder(job.id)), 0)
    paths = JobPaths(idle.directory.folder(job.id))
    parts = paths.folder / "scored.parquet.parts"
    parts.mkdir()
    (parts / "0.arrow").touch()
    added(idle, 1, owner="a")
    assert not idle._give_way(job, paths, 0)
    added(idle, 0, owner="b")
    assert idle._give_way(job, paths, 0)
    assert not idle._give_way(job, paths, 1)
    paths.scored.touch()
    assert not idle._give_way(job, paths, 0)


def test_a_job_that_gives_way_is_stopped_and_queued_again(idle: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(worker, "STEP_SECONDS", 0.01)
    monkeypatch.setattr(idle, "_give_way", lambda *_: True)
    added(idle, owner="a")
    job = idle._claim()
    assert job
    paths = JobPaths(idle.directory.folder(job.id))
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    process = subprocess.Popen(command, start_new_session=True)
    assert not idle._watch(job, paths, process)
    assert process.poll() is not None
    waiting = idle.store.get(job.id)
    assert waiting and (waiting.state, waiting.message[:12]) == ("queued", "others' turn")
