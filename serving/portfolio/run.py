"""A portfolio run: every block of the input scored by some worker, and the parts put together in the input's order.

Each scored block is a part, a file of its own that is written whole or not at all; a run that was killed finds the
parts again and scores only what is missing. What a block is does not depend on the workers, so neither does the result.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from pathlib import Path
from typing import BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from serving.portfolio import writing
from serving.portfolio.blocks import Block, InputFile, blocks, inputs
from serving.portfolio.bounds import BOUNDS, Bounds
from serving.portfolio.manifest import CURRENCY, Counting, Manifest, bundle_digest, digest, now, versions
from serving.portfolio.table import SCHEMA
from serving.portfolio.work import Asked, Scored, opened, scored
from tenders.errors import UnreachableError, UsageError

AHEAD = 3
"""Blocks a worker that are read before they are asked for: they bound what is held at once."""
ABOUT = "run.json"


class Progress(msgspec.Struct, kw_only=True):
    """How far a run is: the tenders scored in it, and the bytes done of those of the input.

    The bytes of packed files and tables count when their last block is done with, for nobody knows before.
    """

    size: int
    rows: int = 0
    bytes: int = 0

    def add(self, block: Block, rows: int) -> None:
        """One more block is done."""
        self.rows += rows
        self.bytes += block.end - block.start


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What is scored, how, and where to. `format` is one of `writing.FORMATS`."""

    source: Path
    out: Path
    asked: Asked
    format: str
    workers: int = 1
    bounds: Bounds = BOUNDS

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
    bounds: Bounds
    columns: tuple[str, ...] = tuple(SCHEMA.names)


def run(
    given: Run, executor: Executor, resume: bool = False, shown: Callable[[Progress], None] = lambda _: None
) -> Manifest:
    """Scores the input and writes the output, its errors and its manifest.

    Raises UsageError if a run of that output was begun and `resume` is not said; UnreachableError if the input cannot
    be read or a worker dies.
    """
    begun = _begin(given, resume)
    _score(given, begun, executor, shown)
    manifest = _put_together(given, begun)
    shutil.rmtree(given.parts)
    return manifest


def _begin(given: Run, resume: bool) -> Begun:
    """Checks what was begun before, and says what is begun now."""
    begun = Begun(
        inputs=inputs(given.source),
        asked=given.asked,
        bundle=bundle_digest(Path(given.asked.bundle)),
        bounds=given.bounds,
    )
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
    """The parts that are there, by the number of their block, in order."""
    return {int(path.stem): path for path in sorted(parts.glob("*.arrow"))}


def _score(given: Run, begun: Begun, executor: Executor, shown: Callable[[Progress], None]) -> None:
    """Has every block scored of which there is no part."""
    done = _done(given.parts)
    progress = Progress(size=sum(each.size for each in begun.inputs))

    def todo() -> Iterator[Block]:
        for block in blocks(given.source, given.asked.register, done, given.bounds):
            if block.number in done:
                progress.add(block, 0)
            else:
                yield block

    try:
        for block, made in _made(given, executor, todo()):
            path = given.parts / f"{block.number:09}.arrow"
            writing.whole(path, made)
            progress.add(block, opened(path).table.num_rows)
            shown(progress)
    except BrokenExecutor:
        raise UnreachableError("a worker died. What was scored is kept: run again with --resume") from None


def _made(given: Run, executor: Executor, todo: Iterator[Block]) -> Iterator[tuple[Block, bytes]]:
    """Every block with what a worker made of it, as they come; at most AHEAD a worker are on their way."""
    waiting: dict[Future[bytes], Block] = {}
    try:
        for block in todo:
            waiting[executor.submit(scored, given.asked, block)] = block
            if len(waiting) >= AHEAD * given.workers:
                yield from _finished(waiting)
        while waiting:
            yield from _finished(waiting)
    finally:
        for future in waiting:
            future.cancel()


def _finished(waiting: dict[Future[bytes], Block]) -> Iterator[tuple[Block, bytes]]:
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        yield waiting.pop(future), future.result()


def _put_together(given: Run, begun: Begun) -> Manifest:
    """Writes the output and the errors from the parts, in the order of the input."""
    counting = Counting()
    partial = given.refused.with_name(f".{given.refused.name}.partial")
    with partial.open("wb") as refusals:
        parts = _passed(numbered(map(opened, _done(given.parts).values())), counting, refusals)
        writing.write(given.out, given.format, SCHEMA, parts)
    partial.replace(given.refused)
    manifest = Manifest(
        created=now(),
        inputs=begun.inputs,
        bundle=given.asked.bundle,
        bundle_sha256=begun.bundle,
        asked=given.asked,
        counts=counting.counted(),
        output=given.out.name,
        output_sha256=digest(given.out),
        currency=CURRENCY,
        versions=versions(),
    )
    writing.whole(given.manifest, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    return manifest


def _passed(parts: Iterable[Scored], counting: Counting, refusals: BinaryIO) -> Iterator[pa.Table]:
    """The tables of the parts; on the way they are counted, and their refusals written."""
    for part in parts:
        counting.add(part)
        refusals.writelines(msgspec.json.encode(each) + b"\n" for each in part.refused)
        yield part.table


def numbered(parts: Iterable[Scored]) -> Iterator[Scored]:
    """The parts with lines counted from the beginning of their file, where a range of bytes began at its own first."""
    before, file = 0, ""
    for part in parts:
        before = before if part.file == file else 0
        file = part.file
        if part.unnumbered and before:
            lines = pc.add(part.table["line"], before)
            at = part.table.schema.get_field_index("line")
            yield msgspec.structs.replace(
                part,
                table=part.table.set_column(at, "line", lines),
                refused=[msgspec.structs.replace(each, line=each.line + before) for each in part.refused],
            )
        else:
            yield part
        before += part.lines
