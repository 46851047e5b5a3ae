"""One block of the input, scored: what a worker does, whether it is a process of this machine or of a cluster."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec
import pyarrow as pa

from models import bundle as bundles
from models import scoring
from models.bundle import Bundle
from models.scoring import Case
from serving.portfolio import table
from serving.portfolio.blocks import Block
from serving.portfolio.lines import counted
from serving.portfolio.rows import Row, rows
from tenders.errors import DataError, Problem
from tenders.facts import Stage

BATCH = 2_000
"""Tenders that are predicted at once: enough that a booster's own cost is spread, few enough to stay in the cache."""
COLLECT = (100_000, 50, 100)
UNEXPECTED = "an unexpected error; the log of the run has it"
FEW_REASONS = 5

log = logging.getLogger("tender_risk")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How every block of a run is scored. `bundle` is a directory that the worker can read."""

    bundle: str
    stage: Stage | None = None
    register: str | None = None
    explain: bool = False


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A row that could not be scored and one reason why: as many as it has problems.

    `file`, `line` and `place` say which row, as in the table of the scored ones; `path` is what is wrong in it.
    """

    file: str
    line: int
    place: str
    path: str
    problem: str
    remedy: str = ""


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """A scored block of a file: its table, the rows that were refused, and how many lines it had.

    The lines of a range of bytes are counted from its own first line; `unnumbered` says that they still are.
    """

    file: str
    table: pa.Table
    refused: list[Refused]
    lines: int
    unnumbered: bool


def scored(asked: Asked, block: Block) -> bytes:
    """A block as an Arrow IPC file that `opened` reads."""
    bundle = held(asked.bundle)
    refused: list[Refused] = []
    found: list[table.Row] = []
    batch: list[tuple[Row, Case]] = []
    for row in rows(block, whole=asked.explain):
        case = _case(bundle, asked, block, row, refused)
        if case:
            batch.append((row, case))
        if len(batch) == BATCH:
            found += _told(block, batch, asked.explain, refused)
            batch = []
    found += _told(block, batch, asked.explain, refused)
    # Faults are found a batch later than what cannot be read.
    refused.sort(key=lambda each: each.line)
    about = {
        "file": block.file,
        "refused": msgspec.json.encode(refused).decode(),
        "lines": str(0 if block.first else counted(block)),
        "unnumbered": str(int(not block.first)),
    }
    made = table.table(found, about)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, made.schema) as writer:
        writer.write_table(made)
    return bytes(sink.getvalue())


def opened(part: Path) -> Scored:
    """What `scored` made, from its file."""
    with pa.memory_map(str(part)) as source:
        made = pa.ipc.open_file(source).read_all()
    about = made.schema.metadata
    return Scored(
        file=about[b"file"].decode(),
        table=made,
        refused=msgspec.json.decode(about[b"refused"], type=list[Refused]),
        lines=int(about[b"lines"]),
        unnumbered=about[b"unnumbered"] == b"1",
    )


@cache
def held(directory: str) -> Bundle:
    """A bundle, loaded once a process. What is loaded stays, so the garbage collector need not walk it again."""
    loaded = bundles.load(Path(directory))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)
    return loaded


def reasons_text(score: scoring.Score) -> str:
    """The first reasons of a score as one text."""
    return table.JOINT.join(f"{each.text} ({100 * each.effect:+.1f} points)" for each in score.reasons[:FEW_REASONS])


def _case(bundle: Bundle, asked: Asked, block: Block, row: Row, refused: list[Refused]) -> Case | None:
    problems: Sequence[Problem] = row.problems
    if row.process is not None:
        try:
            return scoring.case(bundle, row.process, asked.stage)
        except DataError as error:
            problems = error.problems
        except Exception:
            log.exception("%s line %s %s", block.file, row.line, row.place)
            problems = [Problem(path="", problem=UNEXPECTED)]
    refused += _refused(block, row, problems)
    return None


def _told(
    block: Block, batch: Sequence[tuple[Row, Case]], explain: bool, refused: list[Refused]
) -> Iterator[table.Row]:
    """The rows of a batch. If one of its tenders meets a fault of ours, each is scored alone and that one refused."""
    cases = [case for _, case in batch]
    try:
        told = scoring.numbers(cases)
        why = [_why(case) for case in cases] if explain else [None] * len(cases)
    except Exception:
        if len(batch) > 1:
            for each in batch:
                yield from _told(block, [each], explain, refused)
            return
        ((row, _),) = batch
        log.exception("%s line %s %s", block.file, row.line, row.place)
        refused += _refused(block, row, [Problem(path="", problem=UNEXPECTED)])
        return
    for (row, case), numbers, text in zip(batch, told, why, strict=True):
        yield table.row((block.file, row.line, row.place), case, numbers, text)


def _why(case: Case) -> str:
    return reasons_text(scoring.explained(case))


def _refused(block: Block, row: Row, problems: Sequence[Problem]) -> Iterator[Refused]:
    for each in problems:
        path = each.path if each.path.startswith(row.place) else row.place + each.path
        yield Refused(
            file=block.file, line=row.line, place=row.place, path=path, problem=each.problem, remedy=each.remedy
        )
