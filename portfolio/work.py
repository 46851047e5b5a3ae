"""One block of the input, scored: what a worker does, whether it is a process of this machine or of a cluster."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from models import bundle as bundles
from models import score as scoring
from models.bundle import Bundle
from models.cases import Case, read_by_column
from portfolio.flat import Flat, flat
from portfolio.releases import Releases, releases, sound_ones
from portfolio.table import JOINT, Lines, of_flat
from tenders import files
from tenders.errors import DataError, Problem
from tenders.facts import Stage
from tenders.io.rows import FORM_BLOCKS, LINE_BLOCKS, Row, read_rows
from tenders.io.streams import Block, count_lines
from tenders.stages import latest_stage
from tenders.tender import Tender

CHUNK = 64
"""Tenders that are read and measured at once: few enough to stay in the cache until they are let go."""
BATCH = 25_000
"""Tenders that are predicted at once: all of a block, that a booster's own cost and a table's are met once for it."""
COLLECT = (100_000, 50, 100)
UNEXPECTED = "an unexpected error; the log of the run has it"
FEW_REASONS = 5

log = logging.getLogger("tender_risk")


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How every block of a run is scored. `bundle` is a directory that the worker can read."""

    bundle: str
    stage: Stage | None = None
    register: str | None = None
    explain: bool = False


class RefusedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that could not be scored and one reason why: as many as it has problems.

    `file`, `line` and `place` say which row, as in the table of the scored ones; `path` is what is wrong in it.
    """

    file: str
    line: int
    place: str
    path: str
    problem: str
    remedy: str = ""


class ScoredPart(msgspec.Struct, frozen=True, kw_only=True):
    """A scored block of a file: its table, the rows that were refused, and how many lines it had.

    The lines of a range of bytes are counted from its own first line; `unnumbered` says that they still are.
    """

    file: str
    table: pa.Table
    refused: list[RefusedRow]
    lines: int
    unnumbered: bool


def score_block(options: RunOptions, block: Block, to: Path | None = None) -> bytes:
    """A block as an Arrow IPC file that `read_part` reads: written `to` a path, whole or not at all, or else answered.

    What is written by whoever made it need not pass from one process to another.
    """
    refused: list[RefusedRow] = []
    try:
        made, last = _table(options, block, refused, CHUNK)
    except Exception:
        # Some tender met a fault of ours: alone, it is refused alone.
        log.exception("%s, block %d: each tender is scored alone", block.file, block.number)
        refused = []
        made, last = _table(options, block, refused, 1)
    # Faults are found later than what cannot be read.
    refused.sort(key=lambda each: each.line)
    about = {
        "file": block.file,
        "refused": msgspec.json.encode(refused).decode(),
        "lines": str(0 if block.first else last or count_lines(block)),
        "unnumbered": str(int(not block.first)),
    }
    made = made.replace_schema_metadata(about)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, made.schema) as writer:
        writer.write_table(made)
    content = bytes(sink.getvalue())
    if to is None:
        return content
    files.write_whole(to, content)
    return b""


def read_part(part: Path) -> ScoredPart:
    """What `score_block` wrote."""
    with pa.memory_map(str(part)) as source:
        made = pa.ipc.open_file(source).read_all()
    about = made.schema.metadata
    return ScoredPart(
        file=about[b"file"].decode(),
        table=made,
        refused=msgspec.json.decode(about[b"refused"], type=list[RefusedRow]),
        lines=int(about[b"lines"]),
        unnumbered=about[b"unnumbered"] == b"1",
    )


@cache
def cached_bundle(directory: str) -> Bundle:
    """A bundle, loaded once a process. What is loaded stays, so the garbage collector need not walk it again."""
    loaded = bundles.load(Path(directory))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)
    return loaded


def reasons_text(score: scoring.Score) -> str:
    """The first reasons of a score as one text."""
    return JOINT.join(f"{each.text} ({100 * each.effect:+.1f} points)" for each in score.reasons[:FEW_REASONS])


def _table(options: RunOptions, block: Block, refused: list[RefusedRow], chunk: int) -> tuple[pa.Table, int]:
    """The scored rows of a block, measured a chunk at a time, and the number of its last line, 0 if that is not told.

    A chunk of one is refused if it meets a fault of ours.
    """
    bundle = cached_bundle(options.bundle)
    parts: list[pa.Table] = []
    lines, last = Lines(block.file), 0
    for some in _read(options, block, chunk):
        try:
            if isinstance(some, Flat):
                parts.append(of_flat(block.file, bundle, some))
            elif isinstance(some, Releases):
                last = some.last
                others = _add_releases(lines, bundle, some)
                _add(lines, bundle, options, block, others, refused)
            else:
                _add(lines, bundle, options, block, some, refused)
            if chunk == 1 or len(lines) >= BATCH:
                parts.append(lines.table())
                lines = Lines(block.file)
        except Exception:
            if chunk > 1 or not isinstance(some, list):
                raise
            log.exception("%s line %s %s", block.file, some[0].line, some[0].place)
            refused += _refused(block, some[0], [Problem(path="", problem=UNEXPECTED)])
            lines = Lines(block.file)
        del some
    made = pa.concat_tables([*parts, lines.table()] if len(lines) or not parts else parts)
    # What was read one by one comes after what was read together.
    order = made["line"].to_numpy()
    return made.take(np.argsort(order, kind="stable")) if (np.diff(order) < 0).any() else made, last


def _read(options: RunOptions, block: Block, chunk: int) -> Iterator[Flat | Releases | list[Row]]:
    """What is read of a block, some of it at a time: many together where that can be, but never in chunks of one."""
    able, odd = _by_column(options) if chunk > 1 else {}, None
    if block.kind in LINE_BLOCKS and able:
        yield from releases(block, chunk, _stages(options, able))
        return
    if block.kind in FORM_BLOCKS and able:
        odd = set[int]()
        for each in flat(block, BATCH, lambda reached: able.get(options.stage or reached)):
            odd |= each.odd
            yield each
    given = read_rows(block, whole=options.explain, only=odd)
    while some := list(islice(given, chunk)):
        yield some


def _stages(options: RunOptions, able: Mapping[Stage, Stage]) -> Callable[[Tender], Stage | None]:
    """The stage at which a release is scored by what is read of it by column; None for one of a known register."""
    own = tuple(cached_bundle(options.bundle).by_prefix)

    def stage(tender: Tender) -> Stage | None:
        return None if (tender.ocid or "").startswith(own) else able.get(options.stage or latest_stage(tender))

    return stage


def _by_column(options: RunOptions) -> Mapping[Stage, Stage]:
    """The stages at which tenders are scored by what is read of them by column, as `read_by_column` tells them."""
    return {} if options.explain else read_by_column(cached_bundle(options.bundle))


def _add_releases(lines: Lines, bundle: Bundle, some: Releases) -> list[Row]:
    """Takes releases, and answers the rows of those that are not sound."""
    try:
        lines.add_releases(bundle, some)
    except ValueError:
        sound, others = sound_ones(some)
        lines.add_releases(bundle, sound)
        return others
    return []


def _add(
    lines: Lines, bundle: Bundle, options: RunOptions, block: Block, some: Sequence[Row], refused: list[RefusedRow]
) -> None:
    places, cases = [], []
    for row in some:
        problems: Sequence[Problem] = row.problems
        if row.process is not None:
            try:
                cases.append(scoring.case(bundle, row.process, options.stage))
                places.append((row.line, row.place))
                continue
            except DataError as error:
                problems = error.problems
        refused += _refused(block, row, problems)
    lines.add(places, cases, [_why(case) for case in cases] if options.explain else [None] * len(cases))


def _why(case: Case) -> str:
    return reasons_text(scoring.explained(case))


def _refused(block: Block, row: Row, problems: Sequence[Problem]) -> Iterator[RefusedRow]:
    for each in problems:
        path = each.path if each.path.startswith(row.place) else row.place + each.path
        yield RefusedRow(
            file=block.file, line=row.line, place=row.place, path=path, problem=each.problem, remedy=each.remedy
        )
