"""One block of the input, scored: what a worker does, whether it is a process of this machine or of a cluster."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import compress, islice
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from features.form_columns import FormTable, form_tables
from models import bundle as bundles
from models import score as scoring
from models.bundle import Bundle
from models.score import select_model
from portfolio.columns import JOINT, ScoredRows, score_forms
from tenders import files
from tenders.errors import DataError, Problem
from tenders.facts import STAGES, Stage
from tenders.io.ocds import decode_releases, only_valid
from tenders.io.rows import FORM_BLOCKS, LINE_BLOCKS, Row, reachable, read_rows, row_of_release, rows_of_line
from tenders.io.streams import BOUNDS, Block, Bounds, block_lines, count_lines
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


Lines = Sequence[tuple[int, bytes]]
"""Lines with their numbers."""


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


class Releases(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Releases that stood alone in their lines, with the numbers and texts of these, all scored at one `stage`; `last`
    is that of the last line read, whatever stood in it.

    They are sound, but for what reading their columns notices (`ScoredRows.checked`).
    """

    lines: list[int]
    texts: list[bytes]
    tenders: list[Tender]
    stage: Stage
    last: int


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
    """The scored rows of a block, read a chunk at a time, and the number of its last line, 0 if that is not told.

    A chunk of one is refused if it meets a fault of ours.
    """
    bundle = cached_bundle(options.bundle)
    parts: list[pa.Table] = []
    scored, last = ScoredRows(block.file), 0
    for some in _read(options, block, chunk):
        try:
            if isinstance(some, FormTable):
                parts.append(score_forms(block.file, bundle, some))
            elif isinstance(some, Releases):
                last = some.last
                _add_rows(scored, bundle, options, block, _add_releases(scored, bundle, some), refused)
            else:
                _add_rows(scored, bundle, options, block, some, refused)
            if chunk == 1 or len(scored) >= BATCH:
                parts.append(scored.table())
                scored = ScoredRows(block.file)
        except Exception:
            if chunk > 1 or not isinstance(some, list):
                raise
            log.exception("%s line %s %s", block.file, some[0].line, some[0].place)
            refused += _refused(block, some[0], [Problem(path="", problem=UNEXPECTED)])
            scored = ScoredRows(block.file)
        del some
    made = pa.concat_tables([*parts, scored.table()] if len(scored) or not parts else parts)
    # What was read one by one comes after what was read together.
    order = made["line"].to_numpy()
    return made.take(np.argsort(order, kind="stable")) if (np.diff(order) < 0).any() else made, last


def _read(options: RunOptions, block: Block, chunk: int) -> Iterator[FormTable | Releases | list[Row]]:
    """What is read of a block, some of it at a time: many together where that can be, but never in chunks of one."""
    stages, odd = _stages(options) if chunk > 1 else {}, None
    if block.kind in LINE_BLOCKS and stages:
        yield from _releases(options, block, chunk, stages)
        return
    if block.kind in FORM_BLOCKS and stages:
        odd = set[int]()
        for forms in form_tables(block, BATCH, lambda reached: stages.get(options.stage or reached)):
            odd |= forms.odd
            yield forms
    rows = read_rows(block, whole=options.explain, only=odd)
    while some := list(islice(rows, chunk)):
        yield some


def _stages(options: RunOptions) -> Mapping[Stage, Stage]:
    """The stages of a tender of no known register at which many are read together, each with that of its model.

    None if reasons are asked, for they need what each tender was read from.
    """
    bundle = cached_bundle(options.bundle)
    if options.explain or bundle.histories:
        return {}
    models = {stage: select_model(bundle, bundle, stage) for stage in STAGES}
    return {stage: at for stage, (_, at, limits) in models.items() if not limits}


def _releases(
    options: RunOptions, block: Block, most: int, stages: Mapping[Stage, Stage], bounds: Bounds = BOUNDS
) -> Iterator[Releases | list[Row]]:
    """The rows of a block of lines that nearly all are one sound release each, read up to `most` at a time.

    They are read straight into their types, in a third of the time: they can be scored and not explained, and what is
    no part of a score is not looked for. Those of one stage need not be rows. Raises UnreachableError as `read_rows`
    does, and passes on a mistake of ours.
    """
    bundle = cached_bundle(options.bundle)
    own = tuple(bundle.by_prefix)
    checked = frozenset.intersection(*(ScoredRows("").checked(bundle, stage) for stage in stages.values()))
    with reachable(block):
        lines = block_lines(block, bounds)
        while some := list(islice(lines, most)):
            found = decode_releases([line for _, line in some], checked)
            at = [
                None
                if release is None or (release.ocid or "").startswith(own)
                else stages.get(options.stage or latest_stage(release))
                for release in found
            ]
            for stage in [stage for stage in STAGES if stage in at] or STAGES[:1]:
                yield _kept(some, found, [each == stage for each in at], stage)
            if None in at:
                kept = [each is not None for each in at]
                # Nobody reads columns of the others, and would notice.
                others = only_valid([None if keep else each for each, keep in zip(found, kept, strict=True)])
                yield list(_others(some, others, kept, bounds))
            # The next are read into the memory that these leave, while it is in the cache.
            del some, found


def _add_releases(scored: ScoredRows, bundle: Bundle, some: Releases) -> list[Row]:
    """Takes releases, and answers the rows of those that are not sound."""
    try:
        scored.add_releases(bundle, some.stage, some.lines, some.tenders)
    except ValueError:
        found = only_valid(some.tenders)
        lines, kept = list(zip(some.lines, some.texts, strict=True)), [release is not None for release in found]
        sound = _kept(lines, found, kept, some.stage)
        scored.add_releases(bundle, sound.stage, sound.lines, sound.tenders)
        return list(_others(lines, found, kept, BOUNDS))
    return []


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


def _add_rows(
    scored: ScoredRows,
    bundle: Bundle,
    options: RunOptions,
    block: Block,
    some: Sequence[Row],
    refused: list[RefusedRow],
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
    reasons = [reasons_text(scoring.explained(case)) if options.explain else None for case in cases]
    scored.add_cases(places, cases, reasons)


def _refused(block: Block, row: Row, problems: Sequence[Problem]) -> Iterator[RefusedRow]:
    for each in problems:
        path = each.path if each.path.startswith(row.place) else row.place + each.path
        yield RefusedRow(
            file=block.file, line=row.line, place=row.place, path=path, problem=each.problem, remedy=each.remedy
        )
