"""A portfolio run: every block of the input scored by some worker, and the parts put together in the input's order.

Each scored block is a part, a file of its own that is written whole or not at all; a run that was killed finds the
parts again and scores only what is missing. What a block is does not depend on the workers, so neither does the result.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec

from portfolio import parts
from portfolio.finishing import finish
from portfolio.given import Run
from portfolio.manifest import Manifest, bundle_digest, versions
from portfolio.parts import Begun
from portfolio.work import Scored, opened, scored
from portfolio.workers import answered
from tenders.errors import UnreachableError, UsageError
from tenders.io.blocks import blocks, input_files, input_size
from tenders.io.streams import Block

RESUME = "What was scored is kept: run again with --resume"


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
    _check(given)
    try:
        bundle = bundle_digest(Path(given.asked.bundle))
        with (
            parts.kept(given.parts, partial(_begun, given, bundle), resume) as begun,
            # Whoever still writes a part is waited for while the folder is this run's.
            closing(_parts(given, executor, shown)) as found,
        ):
            return finish(given, begun, found, executor)
    except UnreachableError:
        raise
    except BrokenExecutor:
        raise UnreachableError(f"a worker died. {RESUME}") from None
    except OSError as error:
        raise UnreachableError(f"{error}. {RESUME}") from error


def _check(given: Run) -> None:
    """Refuses an output that would become input, or that cannot be written when all is scored."""
    source, out = given.source.resolve(), given.out.resolve()
    if out == source or source in out.parents:
        raise UsageError(f"{given.out} lies in the input. Choose an output outside it")
    if out.is_dir():
        raise UsageError(f"{given.out} is a folder. Name a file")


def _begun(given: Run, bundle: str) -> Begun:
    return Begun(
        inputs=input_files(given.source),
        asked=given.asked,
        bundle=bundle,
        bounds=given.bounds,
        versions=versions(),
    )


def _parts(given: Run, executor: Executor, shown: Callable[[Progress], None]) -> Generator[tuple[int, Scored]]:
    """The parts with their numbers, in order, as soon as they are there: what is made of them is made meanwhile.

    Every block is scored of which there is no part; nobody is at it any more when this is closed.
    """
    before = parts.done(given.parts)
    there = dict(before)
    progress = Progress(size=input_size(given.source))

    def todo() -> Iterator[Block]:
        for block in blocks(given.source, given.asked.register, before, given.bounds):
            if block.number in before:
                progress.add(block, 0)
            else:
                yield block

    number = 0
    calls = ((block, (scored, given.asked, block, parts.path(given.parts, block.number))) for block in todo())
    for block, _ in answered(executor, given.workers, calls):
        path = there[block.number] = parts.path(given.parts, block.number)
        part = opened(path)
        progress.add(block, part.table.num_rows)
        shown(progress)
        while number in there:
            # What is in its turn need not be read again from its file.
            yield number, part if number == block.number else opened(there[number])
            number += 1
    while number in there:
        yield number, opened(there[number])
        number += 1
