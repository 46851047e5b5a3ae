"""A job ends as if nothing had happened, whatever happens: killed, restarted, cancelled, shared, or grown old."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from portfolio import workers
from portfolio.run import PortfolioRun
from portfolio.work import RunOptions
from serving.jobs import scoring as scoring_process
from serving.jobs import worker as working
from serving.jobs.job import Job, new_id, now
from serving.jobs.paths import LOCK, DataDirectory, JobPaths
from serving.jobs.settings import Settings
from serving.jobs.store import PostgreSql, Sqlite, Store
from serving.jobs.worker import ABANDONED_SECONDS, Worker
from tenders import files
from tests.serving.conftest import Service, address, running
from tests.serving.jobs import made

BLOCKS = 5
NAME = "register.jsonl.gz"


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def parts(folder: Path) -> int:
    return len([*folder.glob("scored.parquet.parts/*.arrow")])


def test_a_service_that_is_killed_and_started_again_gives_the_same_bytes(tmp_path: Path) -> None:
    settings = {"TENDER_RISK_DATA": str(tmp_path / "data"), "TENDER_RISK_JOB_WORKERS": "1"}
    content = made.long(BLOCKS)
    with running(**settings) as service, client(service) as http:
        begun = made.upload(http, content, NAME)
        folder = tmp_path / "data" / "jobs" / begun["id"]
        until(lambda: parts(folder) >= 1)
        service.kill()
        service.wait()
        assert 1 <= parts(folder) < BLOCKS
    until(lambda: free(folder / LOCK))
    left = {part.name: part.stat().st_mtime_ns for part in folder.glob("scored.parquet.parts/*.arrow")}
    with running(**settings) as service, client(service) as http:
        # More of them, or none once all have become the output.
        until(lambda: parts(folder) not in (0, len(left)) or (folder / "scored.parquet").exists())
        for part in folder.glob("scored.parquet.parts/*.arrow"):
            assert left.get(part.name, part.stat().st_mtime_ns) == part.stat().st_mtime_ns
        done = made.ended(http, begun["id"])
        unbroken = made.ended(http, made.upload(http, content, NAME)["id"])
    assert (done["state"], done["rows"]) == ("done", unbroken["rows"])
    for name in ("scored.parquet", "worklist.parquet", "scored.parquet.errors"):
        assert (folder / name).read_bytes() == (folder.parent / unbroken["id"] / name).read_bytes()


def test_a_job_that_runs_stands_back_and_stops_when_it_is_deleted(tmp_path: Path) -> None:
    settings = {"TENDER_RISK_DATA": str(tmp_path / "data"), "TENDER_RISK_JOB_NICENESS": "7"}
    with running(**settings) as service, client(service) as http:
        begun = made.upload(http, made.long(BLOCKS), NAME)
        folder = tmp_path / "data" / "jobs" / begun["id"]
        until(lambda: bool(scoring(folder)))
        until(lambda: all(os.getpriority(os.PRIO_PROCESS, pid) == 7 for pid in scoring(folder)))
        assert os.getpriority(os.PRIO_PROCESS, service.pid) == os.getpriority(os.PRIO_PROCESS, 0)
        assert http.delete(f"/jobs/{begun['id']}").status_code == 204
        until(lambda: not folder.exists() and not scoring(folder))


@pytest.mark.parametrize("how", ["cancelled", "deleted"])
def test_what_was_unpacked_goes_with_the_job(worker: Worker, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    job = added(worker)
    folder = worker.directory.folder(job.id)
    unpacked = folder / "unpacked"

    def start(_: Path, output: int, lock: int) -> subprocess.Popen[bytes]:
        # A process that has unpacked, and would go on for ever; the job ends while it does.
        unpacked.mkdir()
        (unpacked / "register.jsonl").write_bytes(b"{}\n")
        (worker.store.cancel if how == "cancelled" else worker.store.delete)(job.id)
        return subprocess.Popen(
            ["sleep", "60"], stdin=subprocess.PIPE, stdout=output, pass_fds=[lock], start_new_session=True
        )

    monkeypatch.setattr(working, "_start", start)
    worker._step()
    assert not unpacked.exists()
    until(lambda: worker.directory.remove(job.id) if how == "deleted" else free(folder / LOCK))
    assert folder.exists() is (how == "cancelled")


def test_a_job_unpacks_in_its_own_folder(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = JobPaths(worker.directory.folder(added(worker).id))
    monkeypatch.setattr(tempfile, "tempdir", None)
    places: list[str] = []
    monkeypatch.setattr(scoring_process, "run_portfolio", lambda *_, **__: places.append(tempfile.gettempdir()))
    monkeypatch.setattr(workers, "local_workers", lambda *_: nullcontext())
    run = PortfolioRun(source=paths.folder, out=paths.scored, options=RunOptions(bundle="b"), format="parquet")
    scoring_process._run(run, scoring_process.ProgressWriter(paths.progress), paths)
    assert places == [str(paths.unpacked)]


def test_what_a_killed_service_left_unpacked_is_swept(worker: Worker) -> None:
    ended, waiting = added(worker, state="cancelled"), added(worker)
    for job in (ended, waiting):
        (worker.directory.folder(job.id) / "unpacked").mkdir()
    worker.sweep()
    assert [(worker.directory.folder(job.id) / "unpacked").exists() for job in (ended, waiting)] == [False, True]


def test_a_service_keeps_its_jobs_in_postgresql(postgresql: str, tmp_path: Path) -> None:
    with running(TENDER_RISK_DATA=str(tmp_path / "a"), TENDER_RISK_JOBS=postgresql) as one, client(one) as http:
        done = made.ended(http, made.upload(http, made.portfolio(20))["id"])
    assert (done["state"], done["rows"]) == ("done", 20)
    assert Store(PostgreSql(postgresql)).get(done["id"]).state == "done"
    assert not (tmp_path / "a" / "jobs.sqlite").exists()


def client(service: Service) -> httpx.Client:
    return httpx.Client(base_url=address(service), timeout=60)


def free(path: Path) -> bool:
    lock = files.try_lock(path)
    if lock is not None:
        os.close(lock)
    return lock is not None


def scoring(folder: Path) -> list[int]:
    """The processes that score the job of a folder."""
    pids = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command:
            pids.append(int(path.parent.name))
    return pids


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    """A worker that has not begun."""
    directory = DataDirectory(tmp_path)
    return Worker(Settings(data=tmp_path, days=30), directory, Store(Sqlite(tmp_path / "jobs.sqlite")))


def added(worker: Worker, age: float = 0, **about: object) -> Job:
    created = now() - timedelta(days=age)
    job = Job(
        **{"id": new_id(), "home": worker.directory.name, "created": created, "name": "a.csv", "size": 7, **about}
    )
    worker.store.add(job)
    worker.directory.create(job.id)
    return job


def test_jobs_and_their_files_go_when_they_are_old(worker: Worker) -> None:
    old, young, waiting = added(worker, 31, state="done"), added(worker, 29, state="done"), added(worker, 31)
    worker.sweep()
    assert [worker.store.get(job.id) is None for job in (old, young, waiting)] == [True, False, False]
    assert [worker.directory.folder(job.id).exists() for job in (old, young, waiting)] == [False, True, True]


def test_files_of_an_upload_that_broke_off_go_the_next_day(worker: Worker) -> None:
    orphan, job = worker.directory.create(new_id()), added(worker)
    for folder in (orphan, worker.directory.folder(job.id)):
        os.utime(folder, (time.time() - ABANDONED_SECONDS - 1,) * 2)
    worker.sweep()
    assert not orphan.exists()
    assert worker.directory.folder(job.id).exists()


def test_a_lost_database_costs_no_result_and_one_that_comes_back_finds_it(
    worker: Worker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done, waiting = added(worker, state="done"), added(worker)
    for job, name in ((done, "scored.parquet"), (waiting, "task.json")):
        folder = worker.directory.folder(job.id)
        (folder / "upload").mkdir()
        (folder / "upload" / "a.csv").write_text("title")
        (folder / name).write_text("content")
        os.utime(folder, (time.time() - ABANDONED_SECONDS - 1,) * 2)
    lost = Worker(worker.settings, worker.directory, Store(Sqlite(tmp_path / "jobs-lost.sqlite")))
    lost.sweep()
    kept = tmp_path / "unknown"
    assert (kept / done.id / "scored.parquet").read_text() == "content"
    assert (kept / waiting.id / "upload" / "a.csv").is_file()
    assert kept.stat().st_mode & 0o777 == 0o700
    assert "they are kept" in caplog.text and done.id not in caplog.text
    lost.sweep()
    assert {path.name for path in kept.iterdir()} == {done.id, waiting.id}
    worker.sweep()
    assert (worker.directory.folder(done.id) / "scored.parquet").read_text() == "content"
    assert not [*kept.iterdir()]


def test_files_of_a_job_that_was_deleted_go_even_if_the_service_was_killed(worker: Worker) -> None:
    job = added(worker, state="done")
    folder = worker.directory.folder(job.id)
    for name in ("task.json", "scored.parquet", "deleted"):
        (folder / name).touch()
    os.utime(folder, (time.time() - ABANDONED_SECONDS - 1,) * 2)
    worker.store.delete(job.id)
    worker.sweep()
    assert not folder.exists() and not worker.directory.unknown_ids()


def test_a_job_whose_runner_is_gone_waits_again_and_one_that_runs_does_not(worker: Worker) -> None:
    gone, alive = added(worker), added(worker)
    assert worker.store.claim(worker.directory.name, "gone")
    assert worker.store.claim(worker.directory.name, "alive")
    held = worker.directory.lock(alive.id)
    worker.revive()
    assert [worker.store.get(job.id).state for job in (gone, alive)] == ["queued", "running"]
    os.close(held)


def test_a_job_whose_files_are_gone_has_failed(worker: Worker) -> None:
    job = added(worker)
    worker.store.claim(worker.directory.name, "gone")
    worker.directory.remove(job.id)
    worker.revive()
    assert worker.store.get(job.id).state == "failed"


def test_an_input_that_cannot_be_read_fails_with_the_reason(service: httpx.Client) -> None:
    done = made.ended(service, made.upload(service, b"PK not a workbook", "a.xlsx")["id"])
    assert done["state"] == "failed"
    assert "not a workbook" in done["message"]
