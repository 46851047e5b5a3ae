"""A portfolio run: every block of the input scored by some worker, and the parts put together in the order of the input.

Each scored block is a part, a file of its own that is written whole or not at all; a run that was killed finds the parts
again and scores only what is missing. What a block is does not depend on the workers, so neither does the result.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import msgspec

from serving.portfolio import writing
from serving.portfolio.blocks import Block, InputFile, blocks, inputs
from serving.portfolio.manifest import Counts, Manifest, described
from serving.portfolio.table import SCHEMA
from serving.portfolio.work import Asked, Refused, Scored, opened, scored
from tenders.errors import TenderRiskError, UnreachableError, UsageError

AHEAD = 3
"""Blocks a worker that are read before they are asked for: they bound what is held at once."""
ABOUT = "run.json"


class Progress(msgspec.Struct, frozen=True):
    """How far a run is: blocks and tenders that are done; bytes done and in all, where the input tells."""

    blocks: int
    rows: int
    done: int
    size: int


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What is scored, how, and where to. `format` is one of `writing.FORMATS`."""

    source: Path
    out: Path
    asked: Asked
    format: str
    workers: int = 1

    @property
    def parts(self) -> Path:
        """The folder of the scored blocks, beside the output."""
        return self.out.with_name(f"{self.out.name}.parts")

    @property
    def refused(self) -> Path:
        """The file of the rows that could not be scored, as JSON lines."""
        return self.out.with_name(f"{self.out.name}.errors")

    @property
    def manifest(self) -> Path:
        """The file that says what was run on what."""
        return self.out.with_name(f"{self.out.name}.manifest.json")


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What a part depends on. Parts of another input, bundle or question are not taken up again."""

    inputs: list[InputFile]
    asked: Asked
    bundle: str
    columns: list[str] = SCHEMA.names


def run(given: Run, executor: Executor, resume: bool = False, shown: Callable[[Progress], None] = lambda _: None) -> Manifest:
    """Scores the input and writes the output, its errors and its manifest.

    Raises UsageError if a run of that output was begun and `resume` is not said, and if the output cannot be written in
    its format; UnreachableError if the input cannot be read or a worker dies.
    """
    begun = _begin(given, resume)
    done = _done(given.parts)
    _score(given, begun, executor, done, shown)
    manifest = _put_together(given, begun)
    shutil.rmtree(given.parts)
    return manifest


def _begin(given: Run, resume: bool) -> Begun:
    """Checks what was begun before, and says what is begun now."""
    begun = Begun(inputs=inputs(given.source), asked=given.asked, bundle=described(Path(given.asked.bundle)))
    told = msgspec.json.format(msgspec.json.encode(begun))
    about = given.parts / ABOUT
    if given.parts.is_dir():
        if not resume:
            raise UsageError(f"a run of {given.out.name} was begun. Add --resume, or delete {given.parts.name}")
        if not about.is_file() or about.read_bytes() != told:
            raise UsageError(
                f"{given.parts.name} is of another input, bundle or question. Delete it, and run without --resume"
            )
        return begun
    given.parts.mkdir(parents=True)
    writing.whole(about, told)
    return begun


def _done(parts: Path) -> dict[int, Path]:
    return {int(path.stem): path for path in parts.glob("*.arrow")}


def _score(
    given: Run, begun: Begun, executor: Executor, done: dict[int, Path], shown: Callable[[Progress], None]
) -> None:
    """Has every block scored that is not done, at most AHEAD a worker on their way."""
    size = sum(each.size for each in begun.inputs)
    rows = finished = bytes_done = 0
    waiting: dict[Future[bytes], Block] = {}
    cut = blocks(given.source, given.asked.register, skip=done)
    ahead = AHEAD * given.workers
    try:
        for block in cut:
            if block.number in done:
                finished, bytes_done = finished + 1, bytes_done + block.end - block.start
                continue
            waiting[executor.submit(scored, given.asked, block)] = block
            while len(waiting) >= ahead:
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    of = waiting.pop(future)
                    rows += _kept(given.parts, of, future.result())
                    finished, bytes_done = finished + 1, bytes_done + of.end - of.start
                shown(Progress(finished, rows, bytes_done, size))
        for future in list(waiting):
            of = waiting.pop(future)
            rows += _kept(given.parts, of, future.result())
            finished, bytes_done = finished + 1, bytes_done + of.end - of.start
            shown(Progress(finished, rows, bytes_done, size))
    except BrokenProcessPool:
        raise UnreachableError("a worker died. What was scored is kept: run again with --resume") from None
    finally:
        for future in waiting:
            future.cancel()


def _kept(parts: Path, block: Block, made: bytes) -> int:
    """Writes a part, and answers how many rows it has."""
    path = parts / f"{block.number:09}.arrow"
    writing.whole(path, made)
    return opened(path).table.num_rows


def _put_together(given: Run, begun: Begun) -> Manifest:
    counts = Counts()
    partial = given.refused.with_name(f".{given.refused.name}.partial")
    with partial.open("wb") as refusals:

        def tables() -> Iterator[Scored]:
            for part in numbered(map(opened, sorted(_done(given.parts).values()))):
                counts.add(part)
                for each in part.refused:
                    refusals.write(msgspec.json.encode(each) + b"\n")
                yield part

        writing.write(given.out, given.format, (part.table for part in tables()))
    partial.replace(given.refused)
    manifest = Manifest.of(begun.inputs, given.asked, begun.bundle, counts, given.out)
    writing.whole(given.manifest, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    return manifest
