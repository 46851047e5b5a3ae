"""A portfolio run: every block of the input scored by some worker, and the parts put together in the input's order.

Each scored block is a part, a file of its own that is written whole or not at all; a run that was killed finds the
parts again and scores only what is missing. What a block is does not depend on the workers, so neither does the result.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from pathlib import Path

import msgspec

from serving.portfolio import writing
from serving.portfolio.blocks import Block, blocks, inputs
from serving.portfolio.finishing import finish
from serving.portfolio.given import Begun, Run
from serving.portfolio.manifest import Manifest, bundle_digest
from serving.portfolio.work import opened, scored
from serving.portfolio.workers import answered
from tenders.errors import UnreachableError, UsageError

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


def run(
    given: Run, executor: Executor, resume: bool = False, shown: Callable[[Progress], None] = lambda _: None
) -> Manifest:
    """Scores the input and writes the output, its errors and its manifest.

    Raises UsageError if a run of that output was begun and `resume` is not said; UnreachableError if the input cannot
    be read or a worker dies.
    """
    begun = _begin(given, resume)
    _score(given, begun, executor, shown)
    manifest = finish(given, begun, _done(given.parts), executor)
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
        calls = ((block, (scored, given.asked, block)) for block in todo())
        for block, made in answered(executor, given.workers, calls):
            path = given.parts / f"{block.number:09}.arrow"
            writing.whole(path, made)
            progress.add(block, opened(path).table.num_rows)
            shown(progress)
    except BrokenExecutor:
        raise UnreachableError("a worker died. What was scored is kept: run again with --resume") from None
