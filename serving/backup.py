"""Back-up and restore of a service's data directory: jobs with their files, the audit trail, and the keys.

A back-up is a directory of the same shape with `backup.json`, which has the SHA-256 of every file. It may be made while
the service runs: databases are copied by SQLite's own back-up, the jobs' before their files and the trail after them,
so that a job is at most done again. What a job unpacked, locks and half-written files are left out.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from serving.audit import trail
from serving.jobs.durable import sync
from serving.jobs.paths import LOCK
from serving.jobs.settings import settings
from tenders import files
from tenders.errors import DataError, Problem, UnreachableError, UsageError
from tenders.io.blocks import describe_file

LIST, JOBS = "backup.json", "jobs.sqlite"
LEFT_OUT = ("unpacked",)
FORMAT = 1


class BackupList(msgspec.Struct, frozen=True, kw_only=True):
    """What a back-up holds: the SHA-256 of every file by its path."""

    files: dict[str, str]
    format: int = FORMAT


class BackupResult(msgspec.Struct, frozen=True, kw_only=True):
    """Where a back-up lies, how much it holds, and what it does not: databases on a server have their own."""

    directory: str
    files: int
    bytes: int
    without: tuple[str, ...] = ()


def back_up(to: Path) -> BackupResult:
    """Copies the data directory to a new or empty directory.

    Raises UsageError if that holds something, UnreachableError if there is no data or it cannot be copied.
    """
    chosen = settings()
    if not chosen.data.is_dir():
        raise UnreachableError(f"there is no data at {chosen.data}")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} holds something. Name a new or empty directory")
    try:
        to.mkdir(mode=0o700, parents=True, exist_ok=True)
        every_file = [*_files(chosen.data)]
        ordered = sorted(every_file, key=lambda path: (path.name == trail.NAME, path.name != JOBS))
        copies = ((_name(file, chosen.data), _copy(file, chosen.data, to)) for file in ordered)
        copied = {name: digest for name, digest in copies if digest}
        files.write_whole(to / LIST, msgspec.json.format(msgspec.json.encode(BackupList(files=copied)), indent=1))
        sync(to)
    except (OSError, sqlite3.Error) as error:
        raise UnreachableError(f"the back-up in {to} is not complete: {error}") from None
    return _result(to, copied)


def restore(source: Path) -> BackupResult:
    """Copies a back-up into the data directory, which holds no jobs and no trail yet, once all of it has been checked.

    Raises DataError that names every file that is not as it was, UsageError if the directory holds something.
    """
    chosen = settings()
    try:
        listed = msgspec.json.decode((source / LIST).read_bytes(), type=BackupList)
    except OSError as error:
        raise UnreachableError(f"{source}: no back-up there ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise DataError.at(f"/{LIST}", f"no list of a back-up: {error}") from None
    if chosen.data.is_dir() and any(chosen.data.iterdir()):
        raise UsageError(f"{chosen.data} holds something. Move it away first, or set TENDER_RISK_DATA")
    problems = [
        Problem(path=f"/{name}", problem="it is missing, or not as it was when it was backed up")
        for name, digest in listed.files.items()
        if not _is_inside(source, name) or _sha256(source / name) != digest
    ]
    if problems:
        raise DataError(problems)
    partial = chosen.data.with_name(f".{chosen.data.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700, parents=True)
        for name in listed.files:
            _put(source / name, partial / name)
        if chosen.data.is_dir():
            chosen.data.rmdir()
        partial.rename(chosen.data)
        sync(chosen.data.parent)
    except OSError as error:
        raise UnreachableError(f"{chosen.data}: {error.strerror}") from None
    return _result(chosen.data, listed.files)


def _files(data: Path) -> Iterator[Path]:
    for directory, folders, names in os.walk(data):
        folders[:] = [name for name in folders if name not in LEFT_OUT and not name.startswith(".")]
        for name in names:
            is_passing = (
                name.startswith((".", "runner-")) or name == LOCK or name.endswith(("-wal", "-shm", "-journal"))
            )
            file = Path(directory) / name
            if not is_passing and file.is_file() and not file.is_symlink():
                yield file


def _name(file: Path, data: Path) -> str:
    return file.relative_to(data).as_posix()


def _copy(file: Path, data: Path, to: Path) -> str:
    """Copies a file; its digest, or blank if it has gone meanwhile."""
    target = to / _name(file, data)
    if file.suffix == ".sqlite" and file.parent == data:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
        target.chmod(0o600)
        sync(target)
    else:
        try:
            _put(file, target)
        except FileNotFoundError:
            return ""
    return _sha256(target)


def _put(file: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    target.chmod(0o600)
    sync(target)


def _is_inside(folder: Path, name: str) -> bool:
    path = folder / name
    return ".." not in Path(name).parts and not Path(name).is_absolute() and path.is_file() and not path.is_symlink()


def _sha256(file: Path) -> str:
    return describe_file(file).sha256


def _result(directory: Path, held: dict[str, str]) -> BackupResult:
    audit = trail.audit_settings()
    elsewhere = [("the jobs' database", settings().database), ("the audit trail", audit.url)]
    return BackupResult(
        directory=str(directory),
        files=len(held),
        bytes=sum((directory / name).stat().st_size for name in held),
        without=tuple(f"{what}, which is in PostgreSQL: use pg_dump" for what, url in elsewhere if url),
    )
