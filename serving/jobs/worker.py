"""The thread of a service that takes jobs in order and has each scored by a process of its own."""

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

import msgspec

from models import bundle as bundles
from portfolio.manifest import RunManifest
from serving.jobs import scoring, since
from serving.jobs.aside import environment
from serving.jobs.home import LOCK, Home, locked
from serving.jobs.job import Job, now
from serving.jobs.places import Places
from serving.jobs.scoring import Noted, Order
from serving.jobs.settings import Settings
from serving.jobs.store import Store
from tenders import files
from tenders.errors import TenderRiskError

PAUSE = 2.0
"""Seconds between two looks for jobs that other processes took in."""
STEP = 0.5
SWEEP = 3600.0
ABANDONED = 86_400.0
"""Seconds after which files without a job were left by a service that was killed."""
MOST_ATTEMPTS = 10
"""A job that takes down the machine each time is not tried for ever."""

log = logging.getLogger("tender_risk.jobs")


class Worker(threading.Thread):
    """Runs one job at a time, and of all the services of a machine that share a data directory only one does."""

    def __init__(self, settings: Settings, home: Home, store: Store) -> None:
        super().__init__(name="jobs", daemon=True)
        self.settings, self.home, self.store = settings, home, store
        self.runner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._ending = threading.Event()
        self._woken = threading.Event()
        self._turn: int | None = None
        self._swept = -SWEEP
        self._deleted: set[str] = set()

    def wake(self) -> None:
        """There is a new job."""
        self._woken.set()

    def end(self) -> None:
        """Lets the job that runs wait again, and ends."""
        self._ending.set()
        self._woken.set()
        self.join(timeout=10)

    def run(self) -> None:
        """Until `end`."""
        while not self._ending.is_set():
            try:
                again = self._on_turn() and self._step()
            except TenderRiskError as error:
                log.warning("the jobs: %s", error)
                again = False
            except Exception:
                log.exception("the jobs")
                again = False
            if not again:
                self._woken.wait(PAUSE)
                self._woken.clear()

    def _on_turn(self) -> bool:
        if self._turn is None:
            self._turn = locked(self.home.path / f"runner-{socket.gethostname()}.lock")
        return self._turn is not None

    def _step(self) -> bool:
        """One job; whether there was one."""
        if time.monotonic() - self._swept >= SWEEP:
            self._swept = time.monotonic()
            self.sweep()
        # What was killed may take a moment to let go of its files.
        self._deleted = {name for name in self._deleted if not self.home.remove(name)}
        self.revive()
        job = self.store.claim(self.home.name, self.runner)
        if job is None:
            return False
        lock = locked(self.home.folder(job.id) / LOCK)
        if lock is None:
            self._without_lock(job)
            return False
        try:
            self._run(job, lock)
        finally:
            os.close(lock)
        after = self.store.get(job.id)
        if after is None:
            self._deleted.add(job.id)
        elif after.ended:
            since.let_go(Places(self.home.folder(job.id)))
        return True

    def revive(self) -> None:
        """Lets jobs wait again whose runner is gone: nobody holds their lock any more."""
        for job in self.store.running(self.home.name):
            lock = locked(self.home.folder(job.id) / LOCK)
            if lock is not None:
                self.store.requeue(job.id, job.runner)
                os.close(lock)
            elif not self.home.folder(job.id).is_dir():
                self.store.end(job.id, job.runner, "failed", "its files are gone")

    def sweep(self) -> None:
        """Takes away jobs that are as old as they get, and files that belong to none."""
        for job in self.store.expired(self.home.name, now() - self.settings.kept):
            if self.home.remove(job.id):
                self.store.delete(job.id)
        for name in [*self.home.left(ABANDONED)]:
            if self.store.get(name) is None:
                self.home.remove(name)
        self._let_go()

    def _let_go(self) -> None:
        """Takes earlier rows away that were left when a service was killed the moment that a job had ended."""
        for places in [Places(self.home.folder(name)) for name in self.home.ids()]:
            if places.since.is_dir():
                job = self.store.get(places.folder.name)
                if job is not None and job.ended:
                    since.let_go(places)

    def _without_lock(self, job: Job) -> None:
        """The one that ran it before has not ended yet, or its files are gone."""
        if self.home.folder(job.id).is_dir():
            self.store.requeue(job.id, self.runner)
        else:
            self.store.end(job.id, self.runner, "failed", "its files are gone")

    def _run(self, job: Job, lock: int) -> None:
        if job.attempts > MOST_ATTEMPTS:
            self.store.end(job.id, self.runner, "failed", f"given up after {MOST_ATTEMPTS} attempts")
            return
        places = Places(self.home.folder(job.id))
        order = Order(
            bundle=str(bundles.released().resolve()),
            options=job.options,
            workers=self.settings.workers,
        )
        files.whole(places.order, msgspec.json.encode(order))
        places.why.unlink(missing_ok=True)
        with places.log.open("ab") as said:
            process = _begun(places.folder, said.fileno(), lock)
        try:
            if self._watched(job, places, process):
                self._ended(job, places, process.wait())
        finally:
            _killed(process)

    def _watched(self, job: Job, places: Places, process: subprocess.Popen[bytes]) -> bool:
        """Notes how far it is until it ends; False if it was called off before."""
        noted = -1.0
        while True:
            try:
                process.wait(STEP)
                return True
            except subprocess.TimeoutExpired:
                pass
            if self._ending.is_set():
                _killed(process)
                self.store.requeue(job.id, self.runner)
                return False
            if time.monotonic() - noted >= scoring.EVERY:
                noted = time.monotonic()
                at = _noted(places.progress)
                if not self.store.progress(job.id, self.runner, at.rows, at.bytes):
                    return False

    def _ended(self, job: Job, places: Places, code: int) -> None:
        if code == 0:
            counts = msgspec.json.decode(places.manifest.read_bytes(), type=RunManifest).counts
            self.store.end(job.id, self.runner, "done", rows=counts.scored)
        elif code == scoring.REFUSED and places.why.is_file():
            self.store.end(job.id, self.runner, "failed", places.why.read_text(encoding="utf-8")[:2000])
        elif code < 0:
            log.warning("a job was ended by %s", signal.Signals(-code).name)
            self.store.requeue(job.id, self.runner)
        else:
            log.error("a job ended with %d: see log.txt in its folder", code)
            self.store.end(job.id, self.runner, "failed", "an unexpected error; the log of the service has it")


def _begun(folder: Path, said: int, lock: int) -> subprocess.Popen[bytes]:
    """The process; it holds the lock as well."""
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", scoring.__name__, str(folder)],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=said,
        stderr=said,
        pass_fds=[lock],
        start_new_session=True,
    )


def _killed(process: subprocess.Popen[bytes]) -> None:
    """Ends it and the processes that it began, and waits for it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdin:
        process.stdin.close()


def _noted(path: Path) -> Noted:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Noted)
    except (OSError, msgspec.DecodeError):
        return Noted()
