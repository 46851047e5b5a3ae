"""The folder of a run's parts, beside its output, from which a run that was killed goes on.

Each part is a scored block in a file of its own, written whole or not at all. The folder also holds the fingerprint of
the run, so that no part is used in a run that it does not belong to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import msgspec

from portfolio.columns import OUTPUT_SCHEMA
from portfolio.work import RunOptions
from tenders import files
from tenders.errors import UsageError
from tenders.io.blocks import InputFile
from tenders.io.remote import AnyPath, RemotePath
from tenders.io.streams import Bounds

FINGERPRINT = "run.json"
LOCK = "lock"
ALL_ROWS = "scored.parquet"
"""All scored rows: the other formats, the worklist and the report are made from it."""
REFUSED = "refused.jsonl"
"""The refused rows, while the run goes on."""
_PART = re.compile(r"\.?\d{9}\.(arrow|block)(\.[\w.-]+)?")
_OTHER_FILES = (LOCK, REFUSED, *(f".{name}.partial" for name in (FINGERPRINT, ALL_ROWS)))
"""What a run that was killed before its fingerprint was known can have left, besides parts."""


class RunFingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the parts of a run depend on. Parts with another fingerprint are not used."""

    inputs: list[InputFile]
    options: RunOptions
    bundle: str
    bounds: Bounds
    versions: dict[str, str]
    columns: tuple[str, ...] = tuple(OUTPUT_SCHEMA.names)


DIFFERENCES = {
    "inputs": "input",
    "options": "options",
    "bundle": "bundle",
    "bounds": "block sizes",
    "versions": "version of the program",
    "columns": "columns",
}
"""What to call a fingerprint's fields in a message."""


@contextmanager
def open_parts(
    folder: Path, fingerprint: Callable[[], RunFingerprint], resume: bool
) -> Iterator[Future[RunFingerprint]]:
    """The folder, locked for this run; it is removed when the run ends well, or without a part.

    The fingerprint is computed in a thread, because it needs a digest of the whole input, and written into the folder
    as soon as it is known. Parts without a fingerprint are deleted. Raises UsageError if a run was begun there and
    `resume` is false, if its fingerprint is not this, if another process is using the folder, or if the folder has
    files that no run wrote.
    """
    if not (folder / FINGERPRINT).exists():
        _check_only_ours(folder)
        folder.mkdir(parents=True, exist_ok=True)
    elif not resume:
        raise UsageError(f"a run into {folder.stem} was begun. Add --resume, or delete {folder.name}")
    with files.hold_lock(folder / LOCK, f"another process is running into {folder.stem}. Wait for it"):
        with ThreadPoolExecutor(1) as thread:
            if (folder / FINGERPRINT).exists():
                known = thread.submit(fingerprint)
                _check_same(folder, known.result())
            else:
                for part in existing(folder).values():
                    part.unlink()
                known = thread.submit(_write_fingerprint, folder, fingerprint)
            try:
                yield known
            except BaseException:
                wait([known])
                if not existing(folder):
                    files.remove_folder(folder, FINGERPRINT)
                raise
        files.remove_folder(folder, FINGERPRINT)


@contextmanager
def open_remote_parts(
    folder: RemotePath, identity: Callable[[], RunFingerprint], fingerprint: Callable[[], RunFingerprint], resume: bool
) -> Iterator[Future[RunFingerprint]]:
    """The folder in a store, where nothing can be locked; it is emptied when the run ends well, or without a part.

    `identity` is a fingerprint that is known at once, because it has tags of the input's files for digests. It is
    written before any part, if there is none: so two runs never begin in one folder, and two that go on in it write the
    same parts. The fingerprint with digests is computed in a thread. Raises as `open_parts` does.
    """
    run, known = folder / FINGERPRINT, identity()
    if not resume and run.exists():
        raise UsageError(f"a run into {folder.stem} was begun. Add --resume, or delete {folder}")
    if not run.exists():
        if folder.is_dir():
            raise UsageError(f"{folder} is in the way, and no run wrote it. Move it, or choose another output")
        if not run.write_new(msgspec.json.format(msgspec.json.encode(known))):
            raise UsageError(f"another process is running into {folder.stem}. Wait for it")
    _check_same(folder, known)
    with ThreadPoolExecutor(1) as thread:
        whole = thread.submit(fingerprint)
        try:
            yield whole
        except BaseException:
            wait([whole])
            if not existing(folder):
                _remove_remote(folder)
            raise
    _remove_remote(folder)


def _remove_remote(folder: RemotePath) -> None:
    """Deletes every file of the folder, the fingerprint at the end."""
    for name, file in folder.files():
        if name != FINGERPRINT:
            file.unlink()
    (folder / FINGERPRINT).unlink()


def existing(folder: AnyPath) -> dict[int, AnyPath]:
    """The parts in the folder, by the number of their block, in order."""
    if isinstance(folder, RemotePath):
        files_there = folder.files() if folder.is_dir() else []
        return {int(file.stem): file for name, file in files_there if name.endswith(".arrow")}
    return {int(path.stem): path for path in sorted(folder.glob("*.arrow"))}


def part_path(folder: AnyPath, number: int) -> AnyPath:
    """Where the part of a block is."""
    return folder / f"{number:09}.arrow"


def block_path(folder: AnyPath, number: int) -> AnyPath:
    """Where a block itself is kept, for a worker that has no other way to it."""
    return folder / f"{number:09}.block"


def _check_only_ours(folder: Path) -> None:
    """A folder without a fingerprint must hold only what a run leaves that was killed at its very beginning."""
    if folder.exists() and (not folder.is_dir() or any(not _is_ours(path.name) for path in folder.iterdir())):
        raise UsageError(f"{folder.name} is in the way, and no run wrote it. Move it, or choose another output")


def _is_ours(name: str) -> bool:
    return name in _OTHER_FILES or bool(_PART.fullmatch(name))


def _write_fingerprint(folder: Path, fingerprint: Callable[[], RunFingerprint]) -> RunFingerprint:
    known = fingerprint()
    files.write_whole(folder / FINGERPRINT, msgspec.json.format(msgspec.json.encode(known)))
    return known


def _check_same(folder: AnyPath, now: RunFingerprint) -> None:
    remedy = "Delete it, and run without --resume"
    try:
        before = msgspec.json.decode((folder / FINGERPRINT).read_bytes(), type=RunFingerprint)
    except (ValueError, RecursionError):
        raise UsageError(f"{folder.name} was begun by another version of the program. {remedy}") from None
    differences = [text for name, text in DIFFERENCES.items() if getattr(before, name) != getattr(now, name)]
    if differences:
        raise UsageError(f"{folder.name} was begun with different {', '.join(differences)}. {remedy}")
