"""The folder of a run's parts, beside its output: what a run that was killed finds again.

Each part is a scored block in a file of its own, written whole or not at all; beside them stands what they are of.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from serving.portfolio import writing
from serving.portfolio.blocks import InputFile
from serving.portfolio.bounds import Bounds
from serving.portfolio.table import SCHEMA
from serving.portfolio.work import Asked
from tenders.errors import UsageError

ABOUT = "run.json"
LOCK = "lock"


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What a part depends on. Parts of another input, bundle, question or program are not taken up again."""

    inputs: list[InputFile]
    asked: Asked
    bundle: str
    bounds: Bounds
    versions: dict[str, str]
    columns: tuple[str, ...] = tuple(SCHEMA.names)


WORDS = {"inputs": "input", "asked": "question", "bundle": "bundle", "versions": "version of the program"}


@contextmanager
def kept(folder: Path, begun: Begun, resume: bool) -> Iterator[None]:
    """The folder, for this run alone, with what was begun in it; it is cleared when the run ends well,
    or without a part.

    Raises UsageError if a run was begun there and `resume` is not said, if what was begun is not this, if another
    process is at it, or if the folder has what no run wrote.
    """
    if not (folder / ABOUT).exists():
        _check_ours(folder)
        folder.mkdir(parents=True, exist_ok=True)
    elif not resume:
        raise UsageError(f"a run into {folder.stem} was begun. Add --resume, or delete {folder.name}")
    with (folder / LOCK).open("w") as lock:
        try:
            # The system lets go of it however the process ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another process is running into {folder.stem}. Wait for it") from None
        _check_same(folder, begun)
        try:
            yield
        except BaseException:
            if not done(folder):
                _clear(folder)
            raise
        _clear(folder)


def done(folder: Path) -> dict[int, Path]:
    """The parts that are there, by the number of their block, in order."""
    return {int(path.stem): path for path in sorted(folder.glob("*.arrow"))}


def path(folder: Path, number: int) -> Path:
    """Where the part of a block is."""
    return folder / f"{number:09}.arrow"


def _check_ours(folder: Path) -> None:
    """A run that was killed at its very beginning has left a folder without a word in it; all else is not ours."""
    ours = {LOCK, writing.partial(folder / ABOUT).name}
    if folder.exists() and (not folder.is_dir() or {each.name for each in folder.iterdir()} - ours):
        raise UsageError(f"{folder.name} is in the way, and no run wrote it. Move it, or choose another output")


def _check_same(folder: Path, begun: Begun) -> None:
    about = folder / ABOUT
    if not about.exists():
        writing.whole(about, msgspec.json.format(msgspec.json.encode(begun)))
        return
    try:
        before: Begun | None = msgspec.json.decode(about.read_bytes(), type=Begun)
    except msgspec.DecodeError:
        before = None
    if before != begun:
        differs = [word for name, word in WORDS.items() if not before or getattr(before, name) != getattr(begun, name)]
        raise UsageError(
            f"{folder.name} is of another {', '.join(differs) or 'kind'}. Delete it, and run without --resume"
        )


def _clear(folder: Path) -> None:
    """Removes the parts first and what they are of last, so that a run killed here is still known."""
    for each in folder.iterdir():
        if each.name != ABOUT:
            each.unlink()
    (folder / ABOUT).unlink()
    folder.rmdir()
