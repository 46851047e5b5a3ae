"""Files that are there whole or not at all, and folders that one process has for itself."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tenders.errors import UsageError


def whole(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    unfinished = partial(path)
    unfinished.write_bytes(content)
    unfinished.replace(path)


def partial(path: Path) -> Path:
    """Where a file is while it is not finished: beside its place, so that it can be put there at once."""
    return path.with_name(f".{path.name}.partial")


@contextmanager
def locked(path: Path, taken: str) -> Iterator[None]:
    """Holds a lock file. Raises UsageError that says `taken` if another process holds it."""
    with path.open("w") as lock:
        try:
            # The system lets go of it however the process ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(taken) from None
        yield


def clear(folder: Path, about: str) -> None:
    """Removes a folder: what it is `about` last, so that one that is killed here is still known."""
    for each in folder.iterdir():
        if each.name != about:
            each.unlink()
    (folder / about).unlink(missing_ok=True)
    folder.rmdir()
