"""The data directory: a folder a job, which nobody else on the machine may read, and locks that end with their process.

    home            the name of this directory in the database
    jobs.sqlite     the jobs, unless PostgreSQL has them
    jobs/ID/        the files of a job

Who runs a job holds its folder's lock. The operating system lets go of it when the last process that holds it ends,
however it ends, so that no clock has to say whether somebody is still alive.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from tenders.errors import UnreachableError

LOCK = "lock"


class Home:
    """A data directory. Raises UnreachableError if it cannot be made or written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._jobs.mkdir(mode=0o700, exist_ok=True)
            self.name = self._named()
        except OSError as error:
            raise UnreachableError(f"{path}: {error.strerror}. Set TENDER_RISK_DATA to a folder of ours") from None

    @property
    def _jobs(self) -> Path:
        return self.path / "jobs"

    def folder(self, id: str) -> Path:
        """Where the files of a job are."""
        return self._jobs / id

    def ids(self) -> list[str]:
        """The jobs that have a folder."""
        return [each.name for each in self._jobs.iterdir()]

    def made(self, id: str) -> Path:
        """A new folder for a job."""
        folder = self.folder(id)
        folder.mkdir(mode=0o700)
        return folder

    def remove(self, id: str) -> bool:
        """Takes a job's files away. False if somebody is at work on them."""
        folder = self.folder(id)
        if not folder.is_dir():
            return True
        lock = locked(folder / LOCK)
        if lock is None:
            return False
        try:
            # Out of the way first: a reader finds all of it or nothing.
            gone = folder.with_name(f".{id}.{secrets.token_hex(4)}")
            folder.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
        finally:
            os.close(lock)
        return True

    def left(self, older: float) -> Iterator[str]:
        """Folders that have not been touched for so many seconds."""
        for each in self._jobs.iterdir():
            if time.time() - each.stat().st_mtime > older:
                yield each.name

    def _named(self) -> str:
        """What stands for this directory in a database that others use too: two machines may share it or not."""
        held = self.path / "home"
        if not held.exists():
            partial = held.with_name(f".home.{secrets.token_hex(4)}")
            partial.write_text(secrets.token_hex(8), encoding="ascii")
            try:
                # Another service may be as far: the first name counts, and is whole when it can be read.
                held.hardlink_to(partial)
            except FileExistsError:
                pass
            finally:
                partial.unlink()
        return held.read_text(encoding="ascii")


def locked(path: Path) -> int | None:
    """The descriptor of a file that nobody else has locked, locked; None if somebody has, or its folder is gone."""
    try:
        held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return None
    return held
