"""What is done stays done: no clock, disk or database takes a job away, and no copy that was changed is served."""

from __future__ import annotations

import errno
import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from serving.jobs import durable, scoring
from serving.jobs.durable import MOST_BEGUN, MOST_KILLED, Attempts, Clock, begin, blame, forgive
from serving.jobs.job import new_id, now
from serving.jobs.job_service import JobService
from serving.jobs.paths import DataDirectory, JobPaths
from serving.jobs.settings import Settings
from serving.jobs.store import Sqlite, Store
from serving.jobs.worker import Worker
from tenders.errors import UnreachableError
from tests.serving.conftest import address, running
from tests.serving.jobs import made
from tests.serving.jobs.test_worker import added


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    """A worker that has not begun."""
    directory = DataDirectory(tmp_path)
    return Worker(Settings(data=tmp_path, days=30), directory, Store(Sqlite(tmp_path / "jobs.sqlite")))


def test_a_changed_copy_in_another_format_is_made_anew(service: httpx.Client, job: dict[str, Any], data: Path) -> None:
    address_of = f"{job['links']['worklist']}?format=csv"
    before = service.get(address_of).content
    converted = JobPaths(data / "jobs" / job["id"]).worklist.with_suffix(".csv")
    converted.write_bytes(before.replace(b"0", b"1"))
    assert service.get(address_of).content == before


def test_attempts_count_while_they_get_no_farther(tmp_path: Path) -> None:
    paths = JobPaths(tmp_path)
    assert [begin(paths).begun for _ in range(4)] == [1, 2, 3, 4]
    blame(paths)
    assert begin(paths) == Attempts(done=0, begun=5, killed=1)
    (tmp_path / "scored.parquet.parts").mkdir()
    (tmp_path / "scored.parquet.parts" / "0.arrow").touch()
    assert [begin(paths) for _ in range(2)] == [Attempts(done=1, begun=1), Attempts(done=1, begun=2)]
    forgive(paths)
    assert begin(paths).begun == 2


def test_a_job_is_given_up_whose_process_is_killed_again_and_again(worker: Worker) -> None:
    job = added(worker)
    ends = [ended_with(worker, -signal.SIGKILL) for _ in range(MOST_KILLED)]
    assert {state for state, _ in ends} == {"queued"}
    claimed = worker.store.claim(worker.directory.name, worker.runner)
    assert claimed
    worker._run(claimed, 0)
    ended = worker.store.get(job.id)
    assert ended and (ended.state, ended.message) == (
        "failed",
        "given up: its process was killed 10 times and got no farther",
    )


def test_a_job_waits_out_a_service_that_is_killed_often_and_not_for_ever(worker: Worker) -> None:
    job = added(worker)
    paths = JobPaths(worker.directory.folder(job.id))
    for _ in range(3 * MOST_BEGUN):
        begin(paths)
        forgive(paths)
    counts = [begin(paths) for _ in range(MOST_BEGUN)]
    assert not any(count.hopeless for count in counts)
    claimed = worker.store.claim(worker.directory.name, worker.runner)
    assert claimed
    worker._run(claimed, 0)
    ended = worker.store.get(job.id)
    assert ended and ended.state == "failed" and ended.message.startswith("given up: work on it began 100 times")


def ended_with(worker: Worker, code: int) -> tuple[str, int]:
    """The state of the job, and how often its work began, after its process ended with a code."""
    job = worker.store.claim(worker.directory.name, worker.runner)
    assert job
    paths = JobPaths(worker.directory.folder(job.id))
    begun = begin(paths).begun
    worker._end(job, paths, code)
    stored = worker.store.get(job.id)
    assert stored
    return stored.state, begun


@pytest.mark.parametrize("how", ["raised", "within", "no room"])
def test_a_full_disk_is_told_from_a_job_that_cannot_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    paths = JobPaths(tmp_path)
    task = scoring.ScoringTask(bundle="b", version="v", sha256="", options=scoring.JobOptions(), workers=1)
    paths.task.write_bytes(msgspec.json.encode(task))

    def full(*_: object) -> None:
        if how == "raised":
            raise OSError(errno.ENOSPC, "No space left on device")
        try:
            raise OSError(errno.EDQUOT if how == "within" else errno.EIO, "quota")
        except OSError:
            raise UnreachableError("the output cannot be written. Run again with --resume") from None

    monkeypatch.setattr(scoring, "score_job", full)
    monkeypatch.setattr(scoring, "lower_priority", lambda: None)
    monkeypatch.setattr(scoring.threading, "Thread", lambda **_: type("Idle", (), {"start": lambda self: None})())
    if how == "no room":
        assert scoring.main(tmp_path) == scoring.REFUSED
        monkeypatch.setattr(durable, "LEAST_FREE", 2**62)
    assert scoring.main(tmp_path) == scoring.DISK_FULL


@pytest.mark.parametrize("death", [BrokenProcessPool("a process died"), EOFError("unexpected EOF"), BrokenPipeError()])
def test_the_end_of_a_worker_is_told_from_a_job_that_cannot_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, death: Exception
) -> None:
    task = scoring.ScoringTask(bundle="b", version="v", sha256="", options=scoring.JobOptions(), workers=1)
    JobPaths(tmp_path).task.write_bytes(msgspec.json.encode(task))

    def broken(*_: object) -> None:
        try:
            raise death
        except (BrokenProcessPool, EOFError, BrokenPipeError):
            raise UnreachableError("a worker died") from None

    monkeypatch.setattr(scoring, "score_job", broken)
    monkeypatch.setattr(scoring, "lower_priority", lambda: None)
    monkeypatch.setattr(scoring.threading, "Thread", lambda **_: type("Idle", (), {"start": lambda self: None})())
    assert scoring.main(tmp_path) == scoring.WORKER_DIED


def test_a_job_whose_worker_died_is_queued_again(worker: Worker) -> None:
    added(worker)
    assert ended_with(worker, scoring.WORKER_DIED) == ("queued", 1)
    assert ended_with(worker, scoring.WORKER_DIED) == ("queued", 2)


def test_a_job_waits_for_room_and_says_so(worker: Worker) -> None:
    added(worker)
    job = worker.store.claim(worker.directory.name, worker.runner)
    assert job
    worker._end(job, JobPaths(worker.directory.folder(job.id)), scoring.DISK_FULL)
    waiting = worker.store.get(job.id)
    assert waiting and (waiting.state, waiting.message.split(":")[0]) == ("queued", "the disk is full")
    assert not worker._step()
    worker._paused_until = -1.0
    again = worker.store.claim(worker.directory.name, worker.runner)
    assert again and again.message == ""


class Times:
    """A clock on the wall, and the time that passes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.passed = now(), 1_000.0
        monkeypatch.setattr(durable, "now", lambda: self.wall)
        monkeypatch.setattr(durable.time, "monotonic", lambda: self.passed)

    def go(self, jump: timedelta = timedelta(0), **passes: float) -> None:
        """Lets time pass, and the clock jump besides."""
        passed = timedelta(**passes)
        self.passed += passed.total_seconds()
        self.wall += passed + jump


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Iterator[Times]:
    yield Times(monkeypatch)
    monkeypatch.undo()


@pytest.mark.parametrize("days", [-40, -1, 1, 32, 40])
def test_a_clock_that_jumps_is_doubted_for_a_day(times: Times, tmp_path: Path, days: float) -> None:
    clock = Clock(tmp_path)
    assert not clock.doubt()
    times.go(hours=1)
    assert not clock.doubt()
    times.go(jump=timedelta(days=days), hours=1)
    assert "may have jumped" in clock.doubt()
    times.go(hours=23)
    assert clock.doubt()
    times.go(hours=2)
    assert not clock.doubt()


@pytest.mark.parametrize(("days", "doubted"), [(-40, True), (0.5, False), (1.9, False), (32, True)])
def test_so_is_one_that_no_service_saw_for_long(times: Times, tmp_path: Path, days: float, doubted: bool) -> None:
    Clock(tmp_path).doubt()
    times.go(days=days)
    assert bool(Clock(tmp_path).doubt()) is doubted


def test_a_clock_a_month_ahead_costs_no_job(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    job = added(worker, 1, state="done")
    worker.sweep()
    ahead = now() + timedelta(days=32)
    monkeypatch.setattr(durable, "now", lambda: ahead)
    monkeypatch.setattr("serving.jobs.worker.now", lambda: ahead)
    worker.sweep()
    assert worker.doubt and worker.store.get(job.id) and worker.directory.folder(job.id).exists()
    later = Worker(worker.settings, worker.directory, worker.store)
    monkeypatch.setattr(durable, "now", lambda: ahead + timedelta(days=32))
    later.sweep()
    assert later.doubt and later.store.get(job.id)


def test_a_damaged_database_stops_the_jobs_and_not_the_scores(tmp_path: Path) -> None:
    data = tmp_path / "data"
    DataDirectory(data)
    database = data / "jobs.sqlite"
    job_id = new_id()
    Store(Sqlite(database))
    good = database.read_bytes()
    database.write_bytes(b"This is no database. " * 500)
    with running(TENDER_RISK_DATA=str(data)) as process, httpx.Client(base_url=address(process), timeout=60) as http:
        assert http.post("/score", json={"tender": {"title": "x"}}).status_code == 200
        state = http.get("/readyz")
        assert (state.status_code, state.json()["ready"]) == (503, False)
        assert state.json()["warnings"][0].startswith("no jobs: jobs.sqlite is damaged")
        assert http.get("/readyz?of=scoring").status_code == http.get("/livez").status_code == 200
        for answer in (http.get(f"/jobs/{job_id}"), http.post("/jobs", files={"file": ("a.jsonl", b"{}\n")})):
            assert answer.status_code == 503
            assert "Restore it, or move it away" in answer.json()["error"]
        database.write_bytes(good)
        done = made.ended(http, made.upload(http, made.portfolio(5))["id"])
        assert done["state"] == "done"
        assert http.get("/readyz").json()["warnings"] == []


def test_a_database_whose_pages_are_damaged_is_not_used(tmp_path: Path) -> None:
    store = JobService(Settings(data=tmp_path))
    store.worker.stop()
    with sqlite3.connect(tmp_path / "jobs.sqlite") as connection:
        connection.executemany(
            "INSERT INTO tender_risk_jobs"
            " (id, home, created, name, size, options, state, rows, bytes, message, runner, attempts)"
            " VALUES (?, '', '', '', 0, '{}', 'done', 0, 0, '', '', 0)",
            [(f"{number:032}",) for number in range(2_000)],
        )
    content = bytearray((tmp_path / "jobs.sqlite").read_bytes())
    content[8_192:40_960] = bytes(32_768)
    (tmp_path / "jobs.sqlite").write_bytes(content)
    with pytest.raises(UnreachableError, match="damaged"):
        JobService(Settings(data=tmp_path))


def test_a_time_that_is_none_is_doubted(tmp_path: Path) -> None:
    (tmp_path / durable.CLOCK).write_text("soon")
    assert Clock(tmp_path).doubt()
    assert datetime.fromisoformat((tmp_path / durable.CLOCK).read_text()) <= now()
    assert time.monotonic() > 0
