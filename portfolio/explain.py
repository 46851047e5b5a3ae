"""Reasons for the rows of the worklist: found again in the input, read in full, and explained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor

import msgspec
import pyarrow.compute as pc

from models import score as scoring
from portfolio.work import RunOptions, ScoredPart, cached_bundle, reasons_text
from portfolio.workers import completed
from tenders.io.blocks import opened
from tenders.io.rows import read_rows
from tenders.io.streams import Block

Place = tuple[str, int, str]
"""File, line and JSON path of a row."""


class LineRange(msgspec.Struct, frozen=True):
    """The first and last line of a file from which a block has scored rows.

    `before` is the number of lines before the block, which the block's own line numbers leave out.
    """

    number: int
    file: str
    first: int
    last: int
    before: int


def line_range(number: int, part: ScoredPart, before: int) -> LineRange:
    """The lines of a part that has rows, which are numbered from the beginning of its file."""
    lines = pc.min_max(part.table["line"]).as_py()
    return LineRange(number, part.file, lines["min"], lines["max"], before)


def places_by_block(lines: Iterable[LineRange], places: Iterable[Place]) -> dict[int, list[Place]]:
    """By block number, the places that the block may hold, with lines as the block itself numbers them."""
    by_file: dict[str, list[LineRange]] = defaultdict(list)
    for block in lines:
        by_file[block.file].append(block)
    by_block: dict[int, list[Place]] = defaultdict(list)
    for file, line, path in places:
        for block in by_file[file]:
            if block.first <= line <= block.last:
                by_block[block.number].append((file, line - block.before, path))
    return by_block


def explain_rows(
    options: RunOptions,
    executor: Executor,
    workers: int,
    blocks: Iterable[Block],
    lines: Iterable[LineRange],
    by_block: Mapping[int, Sequence[Place]],
) -> dict[Place, str]:
    """The reasons for the places in `by_block`, each as one text. `blocks` must carry the data of those blocks."""
    before = {block.number: block.before for block in lines}
    wanted = (block for block in blocks if block.number in by_block)
    calls = ((block, (explain_block, options, block, by_block[block.number])) for block in wanted)
    return {
        (block.file, line + before[block.number], path): text
        for block, reasons in completed(executor, workers, calls)
        for (line, path), text in reasons
    }


def explain_block(options: RunOptions, block: Block, places: Sequence[Place]) -> list[tuple[tuple[int, str], str]]:
    """The reasons for some rows of a block, by line and path."""
    wanted = {(line, path) for _, line, path in places}
    bundle = cached_bundle(options.bundle, options.levels)
    return [
        ((row.line, row.place), reasons_text(scoring.explained(scoring.case(bundle, row.process, options.stage))))
        for piece in opened(block)
        for row in read_rows(piece, only={line for line, _ in wanted})
        if row.process is not None and (row.line, row.place) in wanted
    ]
