"""The folder of a run's parts, beside its output: what a run that was killed finds again.

Each part is a scored block in a file of its own, written whole or not at all; beside them stands what they are of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import msgspec

from portfolio.table import SCHEMA
from portfolio.work import Asked
from tenders import files
from tenders.errors import UsageError
from tenders.io.blocks import InputFile
from tenders.io.streams import Bounds

ABOUT = "run.json"
LOCK = "lock"
WHOLE = "scored.parquet"
"""All rows: what the other formats, the worklist and the report are made from."""
REFUSED = "refused.jsonl"
"""The refused rows, until all are there."""
_PART = re.compile(r"\.?\d{9}\.arrow(\.partial)?")
_BESIDE = (LOCK, REFUSED, *(f".{name}.partial" for name in (ABOUT, WHOLE)))
"""What a run can have left that was killed before it was known what it was of, its parts apart."""


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
def kept(folder: Path, begun: Callable[[], Begun], resume: bool) -> Iterator[Future[Begun]]:
    """The folder, for this run alone, with what is begun in it; it is cleared when the run ends well, or without a
    part.

    What is begun is made out aside, for that takes a digest of the whole input, and is written into the folder as soon
    as it is known. Parts without it are not taken up again. Raises UsageError if a run was begun there and `resume` is
    not said, if what was begun is not this, if another process is at it, or if the folder has what no run wrote.
    """
    if not (folder / ABOUT).exists():
        _check_ours(folder)
        folder.mkdir(parents=True, exist_ok=True)
    elif not resume:
        raise UsageError(f"a run into {folder.stem} was begun. Add --resume, or delete {folder.name}")
    with files.locked(folder / LOCK, f"another process is running into {folder.stem}. Wait for it"):
        with ThreadPoolExecutor(1) as aside:
            if (folder / ABOUT).exists():
                known = aside.submit(begun)
                _check_same(folder, known.result())
            else:
                for part in done(folder).values():
                    part.unlink()
                known = aside.submit(_told, folder, begun)
            try:
                yield known
            except BaseException:
                wait([known])
                if not done(folder):
                    files.clear(folder, ABOUT)
                raise
        files.clear(folder, ABOUT)


def done(folder: Path) -> dict[int, Path]:
    """The parts that are there, by the number of their block, in order."""
    return {int(path.stem): path for path in sorted(folder.glob("*.arrow"))}


def path(folder: Path, number: int) -> Path:
    """Where the part of a block is."""
    return folder / f"{number:09}.arrow"


def _check_ours(folder: Path) -> None:
    """A run that was killed at its very beginning has left a folder without a word in it; all else is not ours."""
    if folder.exists() and (not folder.is_dir() or any(not _is_ours(each.name) for each in folder.iterdir())):
        raise UsageError(f"{folder.name} is in the way, and no run wrote it. Move it, or choose another output")


def _is_ours(name: str) -> bool:
    return name in _BESIDE or bool(_PART.fullmatch(name))


def _told(folder: Path, begun: Callable[[], Begun]) -> Begun:
    """What is begun, once it is written down."""
    found = begun()
    files.whole(folder / ABOUT, msgspec.json.format(msgspec.json.encode(found)))
    return found


def _check_same(folder: Path, begun: Begun) -> None:
    about = folder / ABOUT
    try:
        before: Begun | None = msgspec.json.decode(about.read_bytes(), type=Begun)
    except msgspec.DecodeError:
        before = None
    if before != begun:
        differs = [word for name, word in WORDS.items() if not before or getattr(before, name) != getattr(begun, name)]
        raise UsageError(
            f"{folder.name} is of another {', '.join(differs) or 'kind'}. Delete it, and run without --resume"
        )
