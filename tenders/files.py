"""Files that are there whole or not at all, and locks that end with the process that holds them."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tenders.errors import UsageError
from tenders.io.remote import AnyPath, RemotePath


def write_whole(path: AnyPath, content: bytes, by: str = "") -> None:
    """Writes a file whole or not at all. Several who may write the same at once need a name each, `by`."""
    if isinstance(path, RemotePath):
        path.write_bytes(content)
        return
    partial = partial_path(path, by)
    partial.write_bytes(content)
    partial.replace(path)


def partial_path(path: Path, by: str = "") -> Path:
    """Where a file is while it is not finished: beside its place, so that one rename puts it there."""
    return path.with_name(f".{path.name}.{by}.partial" if by else f".{path.name}.partial")


def link_or_copy(source: Path, target: Path) -> None:
    """A second name for a file that nobody writes any more, or a copy where there can be none.

    Not every file system has links. Raises OSError, such as FileNotFoundError.
    """
    try:
        os.link(source.resolve(), target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def try_lock(path: Path) -> int | None:
    """Locks a file: its open descriptor, or None if another process holds the lock. Raises FileNotFoundError.

    The lock lasts until the last process that has the descriptor closes it or ends, however it ends.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def hold_lock(path: Path, message: str) -> Iterator[None]:
    """Holds the lock of a file. Raises UsageError with `message` if another process holds it."""
    descriptor = try_lock(path)
    if descriptor is None:
        raise UsageError(message)
    try:
        yield
    finally:
        os.close(descriptor)


def remove_folder(folder: Path, last: str) -> None:
    """Removes a folder of files, the file called `last` at the end: while it is there, the removal is not finished."""
    for file in folder.iterdir():
        if file.name != last:
            file.unlink()
    (folder / last).unlink(missing_ok=True)
    folder.rmdir()
