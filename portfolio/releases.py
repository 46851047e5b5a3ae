"""Lines that nearly all are one sound release each, read many at once to be measured by column and let go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import compress, islice

import msgspec

from features.table_builder import CHECKED
from tenders.facts import STAGES, Stage
from tenders.io.ocds import decode_releases, only_valid
from tenders.io.rows import Row, reachable, row_of_release, rows_of_line
from tenders.io.streams import BOUNDS, Block, Bounds, block_lines
from tenders.tender import Tender

Lines = Sequence[tuple[int, bytes]]
"""Lines with their numbers."""


class Releases(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Releases that stood alone in their lines, with the numbers and texts of these, all scored at one `stage`; `last`
    is that of the last line read, whatever stood in it.

    They are sound, but for what whoever reads their columns notices (`features.table_builder.CHECKED`).
    """

    lines: list[int]
    texts: list[bytes]
    tenders: list[Tender]
    stage: Stage
    last: int


def releases(
    block: Block, most: int, stage: Callable[[Tender], Stage | None], bounds: Bounds = BOUNDS
) -> Iterator[Releases | list[Row]]:
    """The rows of a block of lines that nearly all are one sound release each, read up to `most` at a time.

    They are read straight into their types, in a third of the time: they can be scored and not explained, and what is
    no part of a score is not looked for. Those of one `stage` need not be rows; None is no stage. Raises
    UnreachableError as `rows` does, and passes on a mistake of ours.
    """
    with reachable(block):
        given = block_lines(block, bounds)
        while some := list(islice(given, most)):
            found = decode_releases([line for _, line in some], CHECKED)
            stages = [None if release is None else stage(release) for release in found]
            for each in [each for each in STAGES if each in stages] or STAGES[:1]:
                yield _kept(some, found, [at == each for at in stages], each)
            if None in stages:
                kept = [at is not None for at in stages]
                # Whoever reads the columns of the others is not told, and would not notice.
                others = only_valid([None if keep else each for each, keep in zip(found, kept, strict=True)])
                yield list(_others(some, others, kept, bounds))
            # The next are read into the memory that these leave, while it is in the cache.
            del some, found


def sound_ones(given: Releases, bounds: Bounds = BOUNDS) -> tuple[Releases, list[Row]]:
    """Those of some releases that are sound through and through, and the rows of the others."""
    some = list(zip(given.lines, given.texts, strict=True))
    found = only_valid(given.tenders)
    kept = [release is not None for release in found]
    return _kept(some, found, kept, given.stage), list(_others(some, found, kept, bounds))


def _kept(some: Lines, found: Sequence[Tender | None], kept: Sequence[bool], stage: Stage) -> Releases:
    chosen = some if all(kept) else list(compress(some, kept))
    return Releases(
        lines=[number for number, _ in chosen],
        texts=[line for _, line in chosen],
        tenders=[release for release in compress(found, kept) if release is not None],
        stage=stage,
        last=some[-1][0],
    )


def _others(some: Lines, found: Sequence[Tender | None], kept: Sequence[bool], bounds: Bounds) -> Iterator[Row]:
    for (number, line), release, keep in zip(some, found, kept, strict=True):
        if not keep:
            yield from rows_of_line(number, line, bounds) if release is None else (row_of_release(number, release),)
