"""Reasons for the rows that will be read: they are found again in the input, read whole, and explained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor

import msgspec
import pyarrow.compute as pc

from models import score as scoring
from portfolio.work import Asked, Scored, held, reasons_text
from portfolio.workers import answered
from tenders.io.rows import read_rows
from tenders.io.streams import Block

Place = tuple[str, int, str]
"""File, line and JSON path of a row."""


class Span(msgspec.Struct, frozen=True):
    """The lines of a file that a block holds a scored row of; `before` is what its own numbers lack."""

    number: int
    file: str
    first: int
    last: int
    before: int


def span(number: int, part: Scored, before: int) -> Span | None:
    """The span of a part, numbered from the beginning of its file; None if it has no row."""
    if not part.table.num_rows:
        return None
    found = pc.min_max(part.table["line"]).as_py()
    return Span(number, part.file, found["min"], found["max"], before)


def holding(spans: Iterable[Span], places: Iterable[Place]) -> dict[int, list[Place]]:
    """By the number of the block, the places that it may hold, numbered as the block itself numbers them."""
    by_file: dict[str, list[Span]] = defaultdict(list)
    for each in spans:
        by_file[each.file].append(each)
    found: dict[int, list[Place]] = defaultdict(list)
    for file, line, path in places:
        for each in by_file[file]:
            if each.first <= line <= each.last:
                found[each.number].append((file, line - each.before, path))
    return found


def reasons(
    asked: Asked,
    executor: Executor,
    workers: int,
    given: Iterable[Block],
    spans: Iterable[Span],
    wanted: Mapping[int, Sequence[Place]],
) -> dict[Place, str]:
    """The reasons of the places that `holding` found, as one text each. Those of the `given` blocks have their data."""
    before = {each.number: each.before for each in spans}
    calls = ((block, (explained, asked, block, wanted[block.number])) for block in given if block.number in wanted)
    return {
        (block.file, line + before[block.number], path): text
        for block, told in answered(executor, workers, calls)
        for (line, path), text in told
    }


def explained(asked: Asked, block: Block, places: Sequence[Place]) -> list[tuple[tuple[int, str], str]]:
    """The reasons of some rows of a block, by line and path."""
    wanted = {(line, path) for _, line, path in places}
    bundle = held(asked.bundle)
    return [
        ((row.line, row.place), reasons_text(scoring.explained(scoring.case(bundle, row.process, asked.stage))))
        for row in read_rows(block, only={line for line, _ in wanted})
        if row.process is not None and (row.line, row.place) in wanted
    ]
