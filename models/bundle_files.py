"""The files of a bundle: nothing outside its directory is read, and nothing larger than a bundle's files are."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pyarrow as pa

from tenders.errors import BundleError

MANIFEST = "manifest.json"
UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, RecursionError)
"""What readers raise for a file that is not what a bundle has."""
MAX_MANIFEST_BYTES = 16 * 2**20
"""A released manifest has less than a hundredth of it."""
MAX_FILE_BYTES = 256 * 2**20
"""The largest released file has less than a tenth of it."""
_NAME = re.compile(r"(?:[a-z0-9_]+/)?[A-Za-z0-9_.-]+\.(?:json|ubj|parquet|md|svg)")
"""What a file of a bundle may be called: a name of a known kind, in the directory or in that of one register."""
MAX_VERSION = 100
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def is_name(name: str) -> bool:
    """Whether a file of a bundle may have this name."""
    return len(name) <= 200 and bool(_NAME.fullmatch(name)) and not PurePosixPath(name).name.startswith(".")


def own_bytes(directory: Path, name: str, most: int = MAX_FILE_BYTES) -> bytes | None:
    """The content of a file in a bundle's directory. Raises OSError if there is none.

    None if the name is none of a bundle's, or leads over a link, or for more than `most` bytes.
    """
    path = PurePosixPath(name)
    steps = [directory.joinpath(*path.parts[: count + 1]) for count in range(len(path.parts))]
    if any(step.is_symlink() for step in steps) or (steps[-1].exists() and not steps[-1].is_file()):
        return None
    with steps[-1].open("rb") as file:
        content = file.read(most + 1)
    return content if len(content) <= most else None


def pointed_version(pointer: Path) -> str | None:
    """The version that a pointer file names; None without the file. Raises BundleError if it names none."""
    try:
        version = pointer.read_bytes()[:MAX_VERSION].decode("utf-8", "replace").strip()
    except OSError:
        return None
    if not _VERSION.fullmatch(version):
        raise BundleError(f"{pointer} names no version: {version[:40]!r}")
    return version


def manifest_bytes(directory: Path) -> bytes:
    """The manifest of the bundle in a directory. Raises BundleError."""
    try:
        data = own_bytes(directory, MANIFEST, MAX_MANIFEST_BYTES)
    except OSError as error:
        raise BundleError(f"{directory}: no bundle there ({error.strerror})") from None
    if data is None:
        raise BundleError(f"{directory}: {MANIFEST} is a link, or larger than {MAX_MANIFEST_BYTES // 2**20} MB")
    return data


@contextmanager
def reading(what: str | Path) -> Iterator[None]:
    """Raises BundleError for what cannot be read as what a bundle has."""
    try:
        yield
    except BundleError:
        raise
    except UNREADABLE as error:
        reason = str(error).partition("\n")[0][:200] or type(error).__name__
        raise BundleError(f"{what} cannot be read: {reason}") from None


def sha256(content: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def file_digest(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
