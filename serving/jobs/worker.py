"""The thread of a service that takes jobs in order and starts a process for each."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import prometheus_client

from portfolio.manifest import RunManifest
from serving.audit import noting
from serving.audit.entry import AuditedPortfolio, sha256
from serving.jobs import durable, scoring
from serving.jobs.job import Job, is_id, now
from serving.jobs.limits import JobLimits
from serving.jobs.paths import UNKNOWN, DataDirectory, JobPaths
from serving.jobs.results import digests
from serving.jobs.scoring import ScoringProgress, ScoringTask
from serving.jobs.settings import Settings
from serving.jobs.store import Store
from serving.served import served
from tenders import files
from tenders.child_process import child_environment
from tenders.errors import TenderRiskError

POLL_SECONDS = 2.0
"""Seconds between two looks for jobs that other services took in."""
STEP_SECONDS = 0.5
SWEEP_SECONDS = 3600.0
ABANDONED_SECONDS = 86_400.0
"""After so long, an upload without a job was broken off."""
FULL_SECONDS = 30.0
"""Seconds until a job that found the disk full is tried again."""
TURN_SECONDS = 300.0
"""After so long a job gives way to one of another owner."""

WAITING = prometheus_client.Gauge(
    "tender_risk_jobs_waiting", "Jobs that wait or run.", multiprocess_mode="livemostrecent"
)
ENDED = prometheus_client.Counter("tender_risk_jobs_ended", "Jobs that ended.", ("state",))
log = logging.getLogger("tender_risk.jobs")


class Worker(threading.Thread):
    """Runs one job at a time. Of the services on a machine that share a data directory, one at a time does."""

    def __init__(self, settings: Settings, directory: DataDirectory, store: Store) -> None:
        super().__init__(name="jobs", daemon=True)
        self.settings, self.directory, self.store = settings, directory, store
        self.runner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._machine_lock: int | None = None
        self._swept = -SWEEP_SECONDS
        self._deleted: set[str] = set()
        self._clock = durable.Clock(directory.path)
        self._paused_until = -1.0
        self._turns: dict[str, int] = {}
        self.trouble = ""
        self.doubt = ""

    def wake(self) -> None:
        """Tells the thread that there is a new job."""
        self._woken.set()

    def stop(self) -> None:
        """Queues the running job again, and ends the thread."""
        self._stopping.set()
        self._woken.set()
        self.join(timeout=10)

    def run(self) -> None:
        """Works until `stop`."""
        while not self._stopping.is_set():
            try:
                worked = self._has_machine_lock() and self._step()
                WAITING.set(self.store.waiting(self.directory.name))
                self.trouble = ""
            except TenderRiskError as error:
                log.warning("the jobs: %s", error)
                worked, self.trouble = False, str(error)
            except Exception as error:
                log.exception("the jobs")
                worked, self.trouble = False, f"an unexpected error ({type(error).__name__}); the log has it"
            if not worked:
                self._woken.wait(POLL_SECONDS)
                self._woken.clear()

    def _has_machine_lock(self) -> bool:
        if self._machine_lock is None:
            self._machine_lock = files.try_lock(self.directory.path / f"runner-{socket.gethostname()}.lock")
        return self._machine_lock is not None

    def _step(self) -> bool:
        """Runs one job; whether there was one."""
        if time.monotonic() - self._swept >= SWEEP_SECONDS:
            self._swept = time.monotonic()
            self.sweep()
        # A killed process may take a moment to release its files.
        self._deleted = {name for name in self._deleted if not self.directory.remove(name)}
        self.revive()
        if time.monotonic() < self._paused_until:
            return False
        job = self._claim()
        if job is None:
            return False
        lock = self.directory.lock(job.id)
        if lock is None:
            self._without_lock(job)
            return False
        try:
            self._run(job, lock)
        finally:
            os.close(lock)
        current = self.store.get(job.id)
        if current is None:
            self._deleted.add(job.id)
        elif current.ended:
            ENDED.labels(current.state).inc()
            self._paths(job.id).drop_earlier()
        return True

    def revive(self) -> None:
        """Queues jobs again whose runner is gone: no process holds their lock any more."""
        for job in self.store.running(self.directory.name):
            lock = self.directory.lock(job.id)
            if lock is not None:
                self.store.requeue(job.id, job.runner)
                os.close(lock)
            elif not self.directory.folder(job.id).is_dir():
                self.store.end(job.id, job.runner, "failed", "its files are gone")

    def sweep(self) -> None:
        """Deletes jobs that have expired and what was left, and sets aside the files of jobs that nobody knows."""
        self.doubt = self._clock.doubt()
        if self.doubt:
            log.error("the jobs: %s", self.doubt)
        else:
            self._sweep_old()
        # The database that knows it has come back.
        for name in self.directory.unknown_ids():
            if self.store.get(name) is not None and not self.directory.folder(name).exists():
                self.directory.put_back(name)
        # A service may have been killed between the end of a job and this.
        for paths in map(self._paths, self.directory.ids()):
            if paths.since.is_dir() or paths.unpacked.is_dir():
                ended = self.store.get(paths.folder.name)
                if ended is not None and ended.ended:
                    paths.drop_earlier()
                    paths.drop_unpacked()

    def _sweep_old(self) -> None:
        """Deletes and sets aside what its age says."""
        for job in self.store.expired(self.directory.name, now() - self.settings.lifetime):
            if self.directory.remove(job.id):
                self.store.delete(job.id)
                noting.note_job_end("job expired", job.id, job.owner)
        for name in [*self.directory.untouched(ABANDONED_SECONDS)]:
            if self.store.get(name) is None:
                self._clear(name)

    def _clear(self, name: str) -> None:
        """Deletes a folder that was left, and sets aside one that may be missed: the database may be a lost one."""
        if not is_id(name) or self._paths(name).is_abandoned:
            self.directory.remove(name)
        elif self.directory.set_aside(name):
            log.error("the database knows no job of the files in %s: they are kept there", UNKNOWN)

    def _paths(self, id: str) -> JobPaths:
        return JobPaths(self.directory.folder(id))

    def _without_lock(self, job: Job) -> None:
        """The process that ran the job before has not ended yet, or the job's files are gone."""
        if self.directory.folder(job.id).is_dir():
            self.store.requeue(job.id, self.runner)
        else:
            self._fail(job, "its files are gone")

    def _run(self, job: Job, lock: int) -> None:
        paths = self._paths(job.id)
        if why := durable.begin(paths).hopeless:
            self._fail(job, why)
            return
        task = self._task(job, paths)
        files.write_whole(paths.task, msgspec.json.encode(task))
        paths.refusal.unlink(missing_ok=True)
        with paths.log.open("ab") as output:
            process = _start(paths.folder, output.fileno(), lock)
        try:
            if self._watch(job, paths, process):
                self._end(job, paths, process.wait())
        finally:
            _kill(process)
            paths.drop_unpacked()

    def _task(self, job: Job, paths: JobPaths) -> ScoringTask:
        """What to do: by the bundle with which work began if that is still there, else by the one that is served."""
        workers = self.settings.workers
        began = scoring.read_task(paths)
        if began is not None and began.has_bundle:
            return msgspec.structs.replace(began, options=job.options, workers=workers)
        current = served()
        return ScoringTask(
            bundle=str(current.directory),
            version=current.version,
            sha256=current.bundle.sha256,
            options=job.options,
            workers=workers,
        )

    def _fail(self, job: Job, why: str) -> None:
        noting.note_job_end("job failed", job.id, job.owner)
        self.store.end(job.id, self.runner, "failed", why)

    def _watch(self, job: Job, paths: JobPaths, process: subprocess.Popen[bytes]) -> bool:
        """Notes progress until the process ends; False if the job was stopped before."""
        limits, began, noted = JobLimits(self.settings, process.pid, paths.folder), time.monotonic(), -1.0
        done, progress = durable.work_done(paths), ScoringProgress()
        while True:
            try:
                process.wait(STEP_SECONDS)
                return True
            except subprocess.TimeoutExpired:
                pass
            if self._stopping.is_set():
                _kill(process)
                durable.forgive(paths)
                self.store.requeue(job.id, self.runner)
                return False
            if too_much := limits.exceeded(progress.rows):
                _kill(process)
                log.warning("a job was %s", too_much)
                self._fail(job, too_much)
                return False
            if time.monotonic() - noted >= scoring.PROGRESS_SECONDS:
                noted = time.monotonic()
                progress = _read_progress(paths.progress)
                if not self.store.progress(job.id, self.runner, progress.rows, progress.bytes):
                    return False
                if time.monotonic() - began >= TURN_SECONDS and self._give_way(job, paths, done):
                    _kill(process)
                    durable.forgive(paths)
                    self.store.requeue(job.id, self.runner, "others' turn: what is scored is kept, and it goes on")
                    return False

    def _give_way(self, job: Job, paths: JobPaths, done: int) -> bool:
        """Whether it is the turn of another owner's job: this one has got farther, and has not yet come to its end."""
        if paths.scored.exists() or durable.work_done(paths) <= done:
            return False
        return any(owner != job.owner for owner in self.store.waiting_owners(self.directory.name))

    def _claim(self) -> Job | None:
        """Takes the oldest job of the owner whose last turn is the longest ago."""
        owners = self.store.waiting_owners(self.directory.name)
        if not owners:
            return None
        owner = min(owners, key=lambda name: self._turns.get(name, 0))
        self._turns[owner] = max(self._turns.values(), default=0) + 1
        return self.store.claim(self.directory.name, self.runner, owner)

    def _end(self, job: Job, paths: JobPaths, code: int) -> None:
        if code == 0:
            manifest = msgspec.json.decode(paths.manifest.read_bytes(), type=RunManifest)
            # First: nothing is served of a job that the trail does not have.
            outputs = digests(paths)
            noting.note_job_end("job done", job.id, job.owner, **_audited(manifest, job), outputs=outputs)
            self.store.end(job.id, self.runner, "done", rows=manifest.counts.scored, outputs=outputs)
        elif code == scoring.REFUSED and paths.refusal.is_file():
            self._fail(job, paths.refusal.read_text(encoding="utf-8")[:2000])
        elif code == scoring.DISK_FULL:
            log.error("the disk is full: a job waits for room")
            self._paused_until = time.monotonic() + FULL_SECONDS
            durable.forgive(paths)
            self.store.requeue(job.id, self.runner, "the disk is full: the job goes on once there is room")
        elif code < 0 or code == scoring.WORKER_DIED:
            log.warning("a job was ended by %s", signal.Signals(-code).name if code < 0 else "the end of its worker")
            durable.blame(paths)
            self.store.requeue(job.id, self.runner)
        else:
            log.error("a job ended with %d: see log.txt in its folder", code)
            self._fail(job, "an unexpected error; the log of the service has it")


def _audited(manifest: RunManifest, job: Job) -> dict[str, Any]:
    """What the audit trail keeps of a job that is done."""
    return {
        "input": manifest.inputs[0].sha256 if manifest.inputs else "",
        "stage": manifest.options.stage,
        "bundle": manifest.options.bundle,
        "bundle_sha256": manifest.bundle_sha256,
        "rows": manifest.counts.scored,
        "portfolio": AuditedPortfolio(
            name=sha256(job.name.encode()),
            created=manifest.created,
            register=job.options.register,
            capacity=job.options.capacity,
            rank_by=job.options.rank_by,
            most_per_buyer=job.options.most_per_buyer,
            sample=job.options.sample,
            seed=job.options.seed,
            since=job.options.since is not None,
        ),
    }


def _start(folder: Path, output: int, lock: int) -> subprocess.Popen[bytes]:
    """Starts the scoring process, which holds the lock as well."""
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", scoring.__name__, str(folder)],
        env=child_environment(),
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        pass_fds=[lock],
        start_new_session=True,
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kills the process and those that it started, and waits for it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdin:
        process.stdin.close()


def _read_progress(path: Path) -> ScoringProgress:
    try:
        return msgspec.json.decode(path.read_bytes(), type=ScoringProgress)
    except (OSError, ValueError):
        return ScoringProgress()
