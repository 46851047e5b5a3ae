"""The files of a portfolio: which there are, what each is, and its digest for the manifest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tenders.errors import UnreachableError

PACKED = {".gz": "gzip", ".zst": "zstd"}
"""The endings of compressed files, and what pyarrow calls the codec."""
LINES = (".jsonl", ".ndjson")
ENDINGS = (*LINES, ".json", ".parquet", ".csv", ".xlsx")
"""What is read, each also compressed."""


class InputFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the input: its path relative to the input, its size in bytes, and its SHA-256 in hexadecimal."""

    file: str
    size: int
    sha256: str


def inputs(source: Path) -> list[InputFile]:
    """Every file of the input in the order in which it is read, those that no reader knows included.

    Raises UnreachableError if the input, or a file that is the whole of it, cannot be read. A file of a folder that
    cannot be read has no digest, and `blocks` reports it.
    """
    return [_described(name, path, path == source) for name, path in found(source)]


def size(source: Path) -> int:
    """Bytes of the input, without those of files that cannot be read."""
    return sum(path.stat().st_size for _, path in found(source) if path.is_file())


def described(path: Path) -> InputFile:
    """One file under its own name. Raises UnreachableError if it cannot be read."""
    return _described(path.name, path, alone=True)


def found(source: Path) -> Iterator[tuple[str, Path]]:
    """Each file's name and path: the input itself, or every file below it in order of its relative path.

    Links to folders are not followed, so that no folder is read twice. Raises UnreachableError if there is nothing.
    """
    if not source.is_dir():
        if not source.exists():
            raise UnreachableError(f"{source}: no such file. Check the name")
        yield source.name, source
        return
    below = (Path(folder, name) for folder, _, names in os.walk(source) for name in names)
    yield from sorted((path.relative_to(source).as_posix(), path) for path in below)


def ending(path: Path) -> tuple[str, str | None]:
    """What a file's name says that it is, such as `.csv`, and the codec that packs it, if one does."""
    codec = PACKED.get(path.suffix.lower())
    return (Path(path.stem) if codec else path).suffix.lower(), codec


def _described(name: str, path: Path, alone: bool) -> InputFile:
    try:
        if not path.is_file():
            raise OSError(0, "not a file")
        with path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
            return InputFile(file=name, size=opened.tell(), sha256=digest)
    except OSError as error:
        if alone:
            raise UnreachableError(f"{path}: {error.strerror}. Check the name and the permissions") from None
        return InputFile(file=name, size=0, sha256="")
