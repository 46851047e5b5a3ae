"""The data directory: one folder for each job, which no other user of the machine may read.

    home            the name of this directory in the database
    jobs.sqlite     the jobs, unless PostgreSQL has them
    jobs/ID/        the files of a job
    audit.sqlite    the audit trail, unless PostgreSQL has it
    unknown/ID/     files without a job in the database, which may be a lost or an older one

A service that works on a job holds the lock of its folder. The operating system releases the lock when the last
process that holds it ends, even if it was killed, so no clock decides whether work goes on.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import stat
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

from tenders import files
from tenders.errors import DataError, UnreachableError
from tenders.io.detection import BULK_SUFFIXES, CODECS

LOCK, UNKNOWN = "lock", "unknown"
OURS = ("home", ".home.", "jobs", "runner-", "clock", ".clock", UNKNOWN, "audit.sqlite", "keys.")
"""Beginnings of the names in the directory."""
MAX_NAME_BYTES = 150
"""Bytes of an upload's name that are kept: with what is added before and behind it fits the 255 that systems take."""
log = logging.getLogger("tender_risk.jobs")
_UNSAFE = re.compile(r"[^\w .,()+-]")


class DataDirectory:
    """A data directory, made if it is missing. Raises UnreachableError if it cannot be made or written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _close(path)
            self._jobs.mkdir(mode=0o700, exist_ok=True)
            self.name = self._read_name()
        except OSError as error:
            raise UnreachableError(f"{path}: {error.strerror}. Set TENDER_RISK_DATA to a folder of ours") from None

    @staticmethod
    def is_at(path: Path) -> bool:
        """Whether jobs were ever kept there."""
        return (path / "jobs").is_dir()

    @property
    def _jobs(self) -> Path:
        return self.path / "jobs"

    @property
    def _unknown(self) -> Path:
        return self.path / UNKNOWN

    def folder(self, id: str) -> Path:
        """The folder of a job."""
        return self._jobs / id

    def ids(self) -> list[str]:
        """The ids of the jobs that have a folder."""
        return [folder.name for folder in self._jobs.iterdir()]

    def create(self, id: str) -> Path:
        """A new folder for a job."""
        folder = self.folder(id)
        folder.mkdir(mode=0o700)
        return folder

    def lock(self, id: str) -> int | None:
        """The lock of a job's folder, as `files.try_lock`; None also if the folder is gone."""
        try:
            return files.try_lock(self.folder(id) / LOCK)
        except FileNotFoundError:
            return None

    def remove(self, id: str) -> bool:
        """Deletes a job's files. False if a process works on them."""
        folder = self.folder(id)
        if not folder.is_dir():
            return True
        lock = self.lock(id)
        if lock is None:
            return False
        try:
            # Renamed first: a reader finds all of it or nothing.
            removed = folder.with_name(f".{id}.{secrets.token_hex(4)}")
            folder.rename(removed)
            shutil.rmtree(removed, ignore_errors=True)
        finally:
            os.close(lock)
        return True

    def set_aside(self, id: str) -> bool:
        """Moves the folder of a job that the database does not know. False if a process works on it."""
        lock = self.lock(id)
        if lock is None:
            return False
        try:
            self._unknown.mkdir(mode=0o700, exist_ok=True)
            self.folder(id).rename(self._unknown / id)
        finally:
            os.close(lock)
        return True

    def put_back(self, id: str) -> None:
        """Moves a folder that was set aside back to the jobs."""
        (self._unknown / id).rename(self.folder(id))

    def unknown_ids(self) -> list[str]:
        """The ids of the folders that were set aside."""
        return [folder.name for folder in self._unknown.iterdir()] if self._unknown.is_dir() else []

    def untouched(self, seconds: float) -> Iterator[str]:
        """The ids of the folders that nothing has changed for so many seconds."""
        for folder in self._jobs.iterdir():
            if time.time() - folder.stat().st_mtime > seconds:
                yield folder.name

    def _read_name(self) -> str:
        """The name of this directory in a database, which services with another directory may share."""
        path = self.path / "home"
        if not path.exists():
            partial = path.with_name(f".home.{secrets.token_hex(4)}")
            partial.write_text(secrets.token_hex(8), encoding="ascii")
            try:
                # Two services may start at once: the first name counts, and is whole when it can be read.
                path.hardlink_to(partial)
            except FileExistsError:
                pass
            finally:
                partial.unlink()
        return path.read_text(encoding="ascii")


def _close(path: Path) -> None:
    """Takes a directory from other users, if it is ours and holds nothing but our files."""
    status = path.stat()
    if not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return
    if status.st_uid == os.geteuid() and all(entry.name.startswith(OURS) for entry in path.iterdir()):
        path.chmod(0o700)
    elif status.st_mode & stat.S_IRWXO:
        log.warning("every user of this machine can open %s. Run: chmod 700", path)


class JobPaths(msgspec.Struct, frozen=True):
    """The files in a job's folder."""

    folder: Path

    @property
    def uploads(self) -> Path:
        """The folder that holds only the upload, under its own name."""
        return self.folder / "upload"

    @property
    def upload(self) -> Path:
        """The uploaded file. Raises FileNotFoundError before it is complete."""
        path = next((path for path in self.uploads.iterdir() if not path.name.startswith(".")), None)
        if path is None:
            raise FileNotFoundError(self.uploads)
        return path

    @property
    def scored(self) -> Path:
        """Every scored row, in the order of the upload."""
        return self.folder / "scored.parquet"

    @property
    def errors(self) -> Path:
        """The rows that could not be scored."""
        return self.folder / "scored.parquet.errors"

    @property
    def manifest(self) -> Path:
        """What was run on what."""
        return self.folder / "scored.parquet.manifest.json"

    @property
    def ranked(self) -> Path:
        """Every scored row by rank, for the pages."""
        return self.folder / "worklist.parquet"

    @property
    def worklist(self) -> Path:
        """The rows to review."""
        return self.folder / "scored.worklist.parquet"

    @property
    def gone(self) -> Path:
        """The tenders of the earlier job that this one does not have."""
        return self.folder / "scored.gone.parquet"

    @property
    def since(self) -> Path:
        """The folder with the scored rows of the earlier job, under the name by which they are downloaded."""
        return self.folder / "since"

    @property
    def earlier(self) -> Path:
        """The scored rows of the earlier job. Raises FileNotFoundError before they are there and once dropped."""
        path = next(self.since.glob("*.parquet"), None)
        if path is None:
            raise FileNotFoundError(self.since)
        return path

    def drop_earlier(self) -> None:
        """Deletes the scored rows of the earlier job."""
        shutil.rmtree(self.since, ignore_errors=True)

    @property
    def deleted(self) -> Path:
        """A file that says that the job was deleted, and its folder is to go."""
        return self.folder / "deleted"

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody misses the folder if the database does not know it: deleted, or an upload that broke off."""
        if self.deleted.exists():
            return True
        return not self.task.exists() and not any(self.uploads.glob("[!.]*"))

    @property
    def unpacked(self) -> Path:
        """Where the scoring process unpacks the upload."""
        return self.folder / "unpacked"

    def drop_unpacked(self) -> None:
        """Deletes what a scoring process unpacked. A process that was killed did not."""
        shutil.rmtree(self.unpacked, ignore_errors=True)

    @property
    def choices(self) -> Path:
        """The values that the rows can be filtered by."""
        return self.folder / "choices.json"

    @property
    def reviews(self) -> Path:
        """What auditors made of its rows, a review a line."""
        return self.folder / "reviews.jsonl"

    @property
    def report(self) -> Path:
        """The report."""
        return self.folder / "report.html"

    @property
    def task(self) -> Path:
        """What the scoring process has to do."""
        return self.folder / "task.json"

    @property
    def progress(self) -> Path:
        """How far the scoring process is."""
        return self.folder / "progress.json"

    @property
    def refusal(self) -> Path:
        """Why the scoring process could not score the upload."""
        return self.folder / "why.txt"

    @property
    def log(self) -> Path:
        """The output of the scoring process."""
        return self.folder / "log.txt"


def safe_name(name: str) -> str:
    """The name under which an upload is stored: its last part, without characters that mean something to a system.

    Raises DataError if no reader knows its ending.
    """
    last = PurePosixPath(name.replace("\\", "/")).name
    text = unicodedata.normalize("NFC", last.encode("utf-8", "replace").decode())
    safe = _UNSAFE.sub("_", text).rstrip(" .")
    endings = (*(f"{kind}{packed}" for kind in BULK_SUFFIXES for packed in CODECS), *BULK_SUFFIXES)
    ending = next((safe[-len(ending) :] for ending in endings if safe.lower().endswith(ending)), "")
    if not ending:
        known = f"{', '.join(BULK_SUFFIXES)}, also with {' or '.join(CODECS)} behind"
        raise DataError.at("/file", f"no reader for {safe[-40:] or 'a file without a name'}", f"Use {known}")
    stem = safe[: -len(ending)].encode()[: MAX_NAME_BYTES - len(ending)].decode("utf-8", "ignore").strip(" .")
    return f"{stem or 'tenders'}{ending.lower()}"
