"""What a worker does with one block of the input, on this machine or in a cluster: it reads and scores its tenders."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import compress, islice, repeat
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from features.form_columns import FormTable, form_tables
from models import bundle as bundles
from models import score as scoring
from models.bundle import Bundle
from models.level import moved_bundle
from models.score import model_of_ocid, select_model
from portfolio.columns import JOINT, ScoredRows, score_forms
from portfolio.levels import LevelMove
from tenders import dates, files
from tenders.ended import remarks
from tenders.errors import DataError, Problem
from tenders.facts import STAGES, Stage
from tenders.history import ocid_prefixes
from tenders.io.blocks import opened
from tenders.io.checks import NO_FIELDS
from tenders.io.ocds import Releases, decode_releases, only_valid
from tenders.io.remote import AnyPath, RemotePath
from tenders.io.rows import (
    FORM_BLOCKS,
    LINE_BLOCKS,
    Row,
    SettledRows,
    reachable,
    read_rows,
    row_of_release,
    rows_of_line,
    settle_releases,
)
from tenders.io.streams import BOUNDS, Block, Bounds, block_lines, count_lines
from tenders.process import Process
from tenders.stages import has_reached, latest_stages
from tenders.tender import Tender
from tenders.tender_chunk import TenderChunk

CHUNK = 64
"""Tenders that are read at once: few enough to stay in the processor's cache until their columns are read."""
BATCH = 25_000
"""Tenders that are predicted at once: a whole block, because a booster and a table each have a fixed cost."""
GC_THRESHOLDS = (100_000, 50, 100)
UNEXPECTED = "an unexpected error; the log of the run has it"
MOST_REASONS = 5
MOST_REMEMBERED = 10_000
"""Beginnings of ocids whose models are remembered: a file may hold anything."""

log = logging.getLogger("tender_risk")

NumberedLines = Sequence[tuple[int, bytes]]
Model = tuple[Bundle, Stage, tuple[str, ...]]
"""A bundle, the stage at which it scores, and what has to be said of that (`models.score.model_of_ocid`)."""
Watch = Callable[[Sequence[int], Releases], None]
"""Is shown the numbers of lines and the valid, settled releases in them, which it may not change."""


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How every block of a run is scored. `bundle` is a directory that the worker can read; `levels` are what known
    outcomes have moved in it."""

    bundle: str
    stage: Stage | None = None
    register: str | None = None
    explain: bool = False
    levels: tuple[LevelMove, ...] = ()


class RefusedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One problem of a row that could not be scored.

    `file`, `line` and `place` say which row it is, as in the output; `path` is where in it the problem is.
    """

    file: str
    line: int
    place: str
    path: str
    problem: str
    remedy: str = ""


class ScoredPart(msgspec.Struct, frozen=True, kw_only=True):
    """A scored block of a file: its table, its refused rows, and its number of lines.

    `unnumbered` says that lines are counted from the first line of the block, not of its file.
    """

    file: str
    table: pa.Table
    refused: list[RefusedRow]
    lines: int
    unnumbered: bool


class ReleaseChunk(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Releases that are alone in their lines, with the numbers and texts of these lines, to be scored by one model.

    `warnings` are those of each release; `may_have_ended` are rows that have to be looked at for that. `last` is the
    number of the last line that was read, whatever is in it. The releases are settled and valid, except for the fields
    that are checked when their columns are read (`ScoredRows.checked`).
    """

    lines: list[int]
    texts: list[bytes]
    tenders: TenderChunk
    warnings: list[tuple[str, ...]]
    may_have_ended: list[int]
    model: Model
    last: int


def score_block(options: RunOptions, block: Block, to: AnyPath | None = None) -> bytes:
    """Scores a block. The result is an Arrow IPC file, which `read_part` reads.

    With a path `to`, the file is written there, whole or not at all, and the result is empty: then it need not pass
    from one process to another.
    """
    refused: list[RefusedRow] = []
    bundle = cached_bundle(options.bundle, options.levels)
    try:
        table, last = score_rows(bundle, options, block, refused, CHUNK)
    except Exception:
        # An error of ours, met by some tender. Scored one by one, only that tender is refused.
        log.exception("%s, block %d: each tender is scored alone", block.file, block.number)
        refused = []
        table, last = score_rows(bundle, options, block, refused, 1)
    # Tenders that cannot be scored are noticed later than lines that cannot be read.
    refused.sort(key=lambda row: row.line)
    metadata = {
        "file": block.file,
        "refused": msgspec.json.encode(refused).decode(),
        "lines": str(0 if block.first else last or count_lines(block)),
        "unnumbered": str(int(not block.first)),
    }
    table = table.replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    content = bytes(sink.getvalue())
    if to is None:
        return content
    files.write_whole(to, content)
    return b""


def read_part(part: AnyPath) -> ScoredPart:
    """Reads what `score_block` wrote."""
    with pa.BufferReader(part.read_bytes()) if isinstance(part, RemotePath) else pa.memory_map(str(part)) as source:
        table = pa.ipc.open_file(source).read_all()
    metadata = table.schema.metadata
    return ScoredPart(
        file=metadata[b"file"].decode(),
        table=table,
        refused=msgspec.json.decode(metadata[b"refused"], type=list[RefusedRow]),
        lines=int(metadata[b"lines"]),
        unnumbered=metadata[b"unnumbered"] == b"1",
    )


@cache
def cached_bundle(directory: str, levels: tuple[LevelMove, ...] = ()) -> Bundle:
    """A bundle with its levels moved, loaded once per process. It stays in memory, so the garbage collector is told to
    skip it."""
    if levels:
        return moved_bundle(cached_bundle(directory), {(move.register, move.outcome): move.shift for move in levels})
    bundle = bundles.load(Path(directory))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    return bundle


def reasons_text(score: scoring.Score) -> str:
    """The first reasons of a score as one text."""
    reasons = score.reasons[:MOST_REASONS]
    return JOINT.join(f"{reason.text} ({100 * reason.effect:+.1f} points)" for reason in reasons)


def score_rows(
    bundle: Bundle,
    options: RunOptions,
    block: Block,
    refused: list[RefusedRow],
    chunk: int = CHUNK,
    watch: Watch | None = None,
) -> tuple[pa.Table, int]:
    """The scored rows of a block, read a chunk at a time, and the number of its last line, 0 if it is not known.

    Rows that cannot be scored go into `refused`; with a chunk of one, so does a row that meets an error of ours.
    `watch` is shown releases that are read together: those of lines, unless the bundle has histories.
    """
    tables: list[pa.Table] = []
    scored, last = ScoredRows(block.file), 0
    for rows in _read_opened(bundle, options, block, chunk, watch):
        try:
            if isinstance(rows, FormTable):
                tables.append(score_forms(block.file, bundle, rows))
            elif isinstance(rows, ReleaseChunk):
                last = rows.last
                _add_rows(scored, bundle, options, block, _add_releases(scored, rows), refused)
            else:
                _add_rows(scored, bundle, options, block, rows, refused)
            if chunk == 1 or len(scored) >= BATCH:
                tables.append(scored.table())
                scored = ScoredRows(block.file)
        except Exception:
            if chunk > 1 or not isinstance(rows, list):
                raise
            log.exception("%s line %s %s", block.file, rows[0].line, rows[0].place)
            refused += _refused_rows(block, rows[0], [Problem(path="", problem=UNEXPECTED)])
            scored = ScoredRows(block.file)
        # The next chunk is read into the memory that this one leaves.
        del rows
    table = pa.concat_tables([*tables, scored.table()] if len(scored) or not tables else tables)
    # Rows that were read one by one come after those that were read together.
    lines = table["line"].to_numpy()
    return table.take(np.argsort(lines, kind="stable")) if (np.diff(lines) < 0).any() else table, last


def _read_opened(
    bundle: Bundle, options: RunOptions, block: Block, chunk: int, watch: Watch | None
) -> Iterator[FormTable | ReleaseChunk | list[Row]]:
    with reachable(block):
        for piece in opened(block):
            yield from _read(bundle, options, piece, chunk, watch)


def _read(
    bundle: Bundle, options: RunOptions, block: Block, chunk: int, watch: Watch | None
) -> Iterator[FormTable | ReleaseChunk | list[Row]]:
    """The rows of a block, a chunk at a time: many together where possible, one by one with a chunk of one."""
    stages, left_out = _stages(bundle, options) if chunk > 1 else {}, None
    if block.kind in LINE_BLOCKS and stages:
        yield from _read_releases(bundle, options, block, chunk, watch)
        return
    if block.kind in FORM_BLOCKS and stages:
        left_out = set[int]()
        for forms in form_tables(block, BATCH, lambda latest: stages.get(options.stage or latest), options.stage):
            left_out |= forms.odd
            yield forms
    rows = read_rows(block, whole=options.explain, only=left_out)
    while read := list(islice(rows, chunk)):
        yield read


def _stages(bundle: Bundle, options: RunOptions) -> Mapping[Stage, Stage]:
    """The stages at which rows of forms are read together, each with the stage of its model.

    Empty if reasons are requested: they need the document of each tender.
    """
    if options.explain or bundle.histories:
        return {}
    models = {stage: select_model(bundle, bundle, stage) for stage in STAGES}
    return {stage: at for stage, (_, at, limits) in models.items() if not limits}


class _Models:
    """The model of each release, by its ocid and stage, with a number by which it is known; None for one read alone."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._models: list[Model] = []
        self._known: dict[tuple[str, Stage], int | None] = {}
        self._prefix = ""

    def number_of(self, ocid: str | None, stage: Stage) -> int | None:
        """The number of the model of a release; None where its register has a history, which reads whole tenders."""
        # Nearly all ocids of a file begin alike.
        if not (ocid and self._prefix and ocid.startswith(f"{self._prefix}-")):
            self._prefix = ocid_prefixes(ocid)[1] if ocid else ""
        key = self._prefix, stage
        try:
            return self._known[key]
        except KeyError:
            if len(self._known) > MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = number = self._number(model_of_ocid(self._bundle, ocid, stage))
            return number

    def __getitem__(self, number: int) -> Model:
        return self._models[number]

    def _number(self, model: Model) -> int | None:
        if model[0].histories:
            return None
        for number, (bundle, *rest) in enumerate(self._models):
            if bundle is model[0] and rest == [*model[1:]]:
                return number
        self._models.append(model)
        return len(self._models) - 1


def _read_releases(
    bundle: Bundle,
    options: RunOptions,
    block: Block,
    most: int,
    watch: Watch | None = None,
    bounds: Bounds = BOUNDS,
) -> Iterator[ReleaseChunk | list[Row]]:
    """The rows of a block of lines, up to `most` at a time: valid releases by model, all other lines as rows.

    Releases are decoded straight into their types, which takes a third of the time. They can be scored but not
    explained, and fields that no score needs are not checked. Raises UnreachableError as `read_rows` does.
    """
    models, scored = _Models(bundle), ScoredRows("")
    known = [
        (member, stage) for member in _without_history(bundle) for stage in STAGES if member.failure_outcomes(stage)
    ]
    checked = frozenset.intersection(*(scored.checked(member, stage) for member, stage in known))
    if watch:
        checked = NO_FIELDS  # Whoever watches gets valid releases.
    today = dates.today()
    with reachable(block):
        lines = block_lines(block, bounds)
        while read := list(islice(lines, most)):
            decoded = decode_releases([line for _, line in read], checked)
            releases, settled = decoded.rows, settle_releases(decoded)
            warnings = settled.warnings
            if watch:
                watch([number for number, _ in read], decoded)
            stages = repeat(options.stage) if options.stage else iter(latest_stages(decoded.chunk, today))
            numbers = [
                models.number_of(release.ocid, next(stages))
                if release and (options.stage in (None, "draft") or has_reached(release, options.stage, today))
                else None
                for release in releases
            ]
            for number in dict.fromkeys(number for number in numbers if number is not None):
                selected = [of_row == number for of_row in numbers]
                yield _release_chunk(read, decoded, settled, selected, models[number])
            if None in numbers:
                together = [number is not None for number in numbers]
                # Nobody reads columns of the others, so what a column would notice is checked here.
                others = only_valid(
                    [None if is_read else release for release, is_read in zip(releases, together, strict=True)]
                ).rows
                yield list(_other_rows(read, others, warnings, together, bounds))
            # The next lines are read into the memory that these leave, while it is in the cache.
            del read, decoded, releases


def _without_history(bundle: Bundle) -> list[Bundle]:
    """The bundles of which tenders need not be held."""
    return [member for member in (bundle, *bundle.registers.values()) if not member.histories]


def _add_releases(scored: ScoredRows, chunk: ReleaseChunk) -> list[Row]:
    """Adds releases to be scored. Returns the rows of those that are not valid."""
    try:
        _add_chunk(scored, chunk)
    except ValueError:
        releases = only_valid(chunk.tenders.tenders)
        lines = list(zip(chunk.lines, chunk.texts, strict=True))
        is_valid = [release is not None for release in releases.rows]
        settled = SettledRows(chunk.warnings, frozenset(chunk.may_have_ended))
        _add_chunk(scored, _release_chunk(lines, releases, settled, is_valid, chunk.model))
        return list(_other_rows(lines, releases.rows, chunk.warnings, is_valid, BOUNDS))
    return []


def _add_chunk(scored: ScoredRows, chunk: ReleaseChunk) -> None:
    bundle, stage, limits = chunk.model
    warnings = [(*own, *limits) for own in chunk.warnings] if limits else list(chunk.warnings)
    for row in chunk.may_have_ended:
        warnings[row] = (*chunk.warnings[row], *remarks(Process.of_tender(chunk.tenders.tenders[row])), *limits)
    scored.add_releases(bundle, stage, chunk.lines, chunk.tenders, warnings)


def _release_chunk(
    lines: NumberedLines,
    releases: Releases,
    settled: SettledRows,
    selected: Sequence[bool],
    model: Model,
) -> ReleaseChunk:
    """The selected ones of some lines and their releases."""
    chosen, tenders = lines, releases.chunk
    if not all(selected):
        chosen = list(compress(lines, selected))
        tenders = TenderChunk([release for release in compress(releases.rows, selected) if release is not None])
    return ReleaseChunk(
        lines=[number for number, _ in chosen],
        texts=[line for _, line in chosen],
        tenders=tenders,
        warnings=list(compress(settled.warnings, selected)),
        may_have_ended=_places(settled.may_have_ended, selected),
        model=model,
        last=lines[-1][0],
    )


def _places(rows: frozenset[int], selected: Sequence[bool]) -> list[int]:
    """Where rows stand among the selected ones; those that are not selected are left out."""
    if not rows:
        return []
    return [place for place, row in enumerate(compress(range(len(selected)), selected)) if row in rows]


def _other_rows(
    lines: NumberedLines,
    releases: Sequence[Tender | None],
    warnings: Sequence[tuple[str, ...]],
    selected: Sequence[bool],
    bounds: Bounds,
) -> Iterator[Row]:
    """The rows of the lines that are not selected."""
    for (number, line), release, notes, is_selected in zip(lines, releases, warnings, selected, strict=True):
        if not is_selected:
            alone = () if release is None else (row_of_release(number, release, notes),)
            yield from alone or rows_of_line(number, line, bounds)


def _add_rows(
    scored: ScoredRows,
    bundle: Bundle,
    options: RunOptions,
    block: Block,
    rows: Sequence[Row],
    refused: list[RefusedRow],
) -> None:
    """Adds rows to be scored, or to the refused."""
    places, cases = [], []
    for row in rows:
        problems: Sequence[Problem] = row.problems
        if row.process is not None:
            try:
                cases.append(scoring.case(bundle, row.process, options.stage))
                places.append((row.line, row.place))
                continue
            except DataError as error:
                problems = error.problems
        refused += _refused_rows(block, row, problems)
    reasons = [reasons_text(scoring.explained(case)) if options.explain else None for case in cases]
    scored.add_cases(places, cases, reasons)


def _refused_rows(block: Block, row: Row, problems: Sequence[Problem]) -> Iterator[RefusedRow]:
    for problem in problems:
        yield RefusedRow(
            file=block.file,
            line=row.line,
            place=row.place,
            path=problem.path if problem.path.startswith(row.place) else row.place + problem.path,
            problem=problem.problem,
            remedy=problem.remedy,
        )
