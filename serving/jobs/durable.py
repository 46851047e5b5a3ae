"""What lets a job outlive a crash, a full disk and a wrong clock: files synced, work and time measured."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import msgspec

from serving.jobs.job import now
from serving.jobs.paths import JobPaths
from serving.jobs.results import digest
from tenders import files
from tenders.errors import UnreachableError

ATTEMPTS, CLOCK = "attempts.json", "clock"
MOST_KILLED, MOST_BEGUN = 10, 100
"""A job is given up whose own process is killed so often, or that begins so often because the service ends (it may be
the job that takes the machine down), and gets no farther."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
LEAST_FREE = 16 * 2**20
"""Bytes; with fewer free a disk is full."""
JUMP, AWAY, CALM = timedelta(hours=1), timedelta(days=2), timedelta(hours=24)
"""A clock that moves so much beside the time that has passed has jumped; so it may have where no service saw it for
so long (AWAY). Nothing is deleted until it has run evenly for so long (CALM)."""


class DiskFullError(UnreachableError):
    """The disk has no room."""

    http_status = HTTPStatus.INSUFFICIENT_STORAGE


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it comes of, what that comes of, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def is_full(error: BaseException | None, folder: Path) -> bool:
    """Whether an error comes of a full disk."""
    if any(isinstance(cause, OSError) and cause.errno in FULL for cause in causes(error)):
        return True
    return shutil.disk_usage(folder).free < LEAST_FREE


def sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def served_files(paths: JobPaths) -> Iterator[Path]:
    """The files of a finished job that are there."""
    every = (paths.scored, paths.errors, paths.manifest, paths.ranked, paths.worklist, paths.gone, paths.choices)
    return (file for file in (*every, paths.report) if file.is_file())


def sync_results(paths: JobPaths) -> None:
    """Waits until the results of a job are on the disk."""
    for file in served_files(paths):
        sync(file)
    sync(paths.folder)


def is_sealed(file: Path) -> bool:
    """Whether a file made of a job's results is as it was when it was made (`seal_copy`)."""
    try:
        return _seal_of(file).read_text(encoding="ascii") == digest(file)
    except (OSError, ValueError):
        return False


def seal_copy(file: Path) -> None:
    """Keeps the digest of a file that was made of a job's results beside it."""
    files.write_whole(_seal_of(file), digest(file).encode())


def _seal_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.sha256")


class Attempts(msgspec.Struct, frozen=True, kw_only=True):
    """How far the work was when it last began, how often it has begun since without getting farther, and how often of
    these its own process was killed while the service lived."""

    done: int = -1
    begun: int = 0
    killed: int = 0

    @property
    def hopeless(self) -> str:
        """Why the job must be given up; blank if it may go on."""
        if self.killed >= MOST_KILLED:
            return f"given up: its process was killed {self.killed} times and got no farther"
        if self.begun > MOST_BEGUN:
            return f"given up: work on it began {MOST_BEGUN} times, got no farther, and the service ended each time"
        return ""


def begin(paths: JobPaths) -> Attempts:
    """Notes that work begins, and says how often it did without getting farther."""
    last, done = _attempts(paths), work_done(paths)
    if done > last.done:
        last = Attempts(done=done)
    return _keep(paths, msgspec.structs.replace(last, begun=last.begun + 1))


def forgive(paths: JobPaths) -> None:
    """Takes back the note of `begin`: the work was stopped in order, or for a reason that is not the job's."""
    last = _attempts(paths)
    _keep(paths, msgspec.structs.replace(last, begun=last.begun - 1))


def blame(paths: JobPaths) -> None:
    """Notes that the job's own process was killed, and the service was not."""
    last = _attempts(paths)
    _keep(paths, msgspec.structs.replace(last, killed=last.killed + 1))


def _keep(paths: JobPaths, attempts: Attempts) -> Attempts:
    files.write_whole(paths.folder / ATTEMPTS, msgspec.json.encode(attempts))
    return attempts


def _attempts(paths: JobPaths) -> Attempts:
    try:
        return msgspec.json.decode((paths.folder / ATTEMPTS).read_bytes(), type=Attempts)
    except (OSError, ValueError):
        return Attempts()


def work_done(paths: JobPaths) -> int:
    """Blocks that are written; more than any number of blocks once all are put together."""
    if paths.scored.exists():
        return 10**9
    return sum(1 for _ in paths.folder.glob(f"{paths.scored.name}.parts/*.arrow"))


class Clock:
    """Whether the machine's clock can be believed, by the time that passed and by when a service last saw it."""

    def __init__(self, folder: Path) -> None:
        self._mark = folder / CLOCK
        self._seen: tuple[datetime, float] | None = None
        self._doubted: float | None = None

    def doubt(self) -> str:
        """Why nothing must be deleted for its age; blank if it may. Called now and then."""
        wall, passed = now(), time.monotonic()
        moved = self._moved(wall, passed)
        if moved:
            self._doubted = passed
        if self._doubted is not None and passed - self._doubted >= CALM.total_seconds():
            self._doubted = None
        self._seen = wall, passed
        files.write_whole(self._mark, wall.isoformat().encode())
        if self._doubted is None:
            return ""
        hours = CALM.total_seconds() / 3600
        return f"the clock may have jumped: nothing is deleted for its age until it has run evenly for {hours:g} hours"

    def _moved(self, wall: datetime, passed: float) -> bool:
        if self._seen is not None:
            beside = (wall - self._seen[0]) - timedelta(seconds=passed - self._seen[1])
            return abs(beside) > JUMP
        try:
            last = datetime.fromisoformat(self._mark.read_text(encoding="ascii"))
            return not -JUMP < wall - last < AWAY
        except FileNotFoundError:
            return False
        except (OSError, ValueError, TypeError):
            return True
