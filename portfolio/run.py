"""A portfolio run: workers score every block of the input, and the parts become the output in the input's order.

Each scored block is a part: a file of its own, written whole or not at all. A run that was killed uses its parts again
and scores only what is missing. How the input is cut into blocks does not depend on the number of workers, so the
output does not either.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import AbstractContextManager, closing
from functools import partial
from pathlib import Path
from typing import BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from portfolio import explain, levels, output, parts
from portfolio.columns import OUTPUT_SCHEMA
from portfolio.expectations import validation_metrics
from portfolio.explain import LineRange
from portfolio.manifest import CURRENCY, PartCounter, RunManifest, bundle_digest, utc_now, versions
from portfolio.parts import RunFingerprint
from portfolio.report import render_report
from portfolio.work import RunOptions, ScoredPart, cached_bundle, read_part, score_block
from portfolio.workers import completed, return_freed_memory
from portfolio.worklist import EARLIER_COLUMNS, WORKLIST_SCHEMA, Worklist, WorklistOptions, build_worklist
from tenders import files
from tenders.errors import DataError, UnreachableError, UsageError
from tenders.io.blocks import InputFile, blocks, describe_file, input_files, input_size, input_tags
from tenders.io.detection import split_suffix
from tenders.io.remote import AnyPath, RemotePath
from tenders.io.streams import BOUNDS, Block, Bounds

RESUME = "What was scored is kept: run again with --resume"


class PortfolioRun(msgspec.Struct, frozen=True, kw_only=True):
    """What to score, how, and where to write the results.

    `format` is one of `output.FORMATS`. `since` is an earlier run's output or worklist as Parquet. `outcomes` is a
    Parquet file with the columns `ocid` and `failed`, and `known_on` if the days are known, or a history of one's own:
    they move the level at which this run scores, and stand in the report. `report` is where the report goes; it needs
    `worklist`. `created` dates manifest and report, in place of the time at which they are written.

    With `to`, an address in a store, parts are kept beside it, and what is written at `out`, in an empty folder of this
    machine, is copied there at the end; with `report_to`, so is the report.
    """

    source: AnyPath
    out: Path
    to: RemotePath | None = None
    options: RunOptions
    format: str
    workers: int = 1
    bounds: Bounds = BOUNDS
    worklist: WorklistOptions | None = None
    explain_worklist: bool = True
    since: Path | None = None
    report: Path | None = None
    report_to: RemotePath | None = None
    outcomes: Path | None = None
    created: str = ""

    @property
    def parts_folder(self) -> Path:
        """The folder of the scored blocks, beside the output on this machine."""
        return self.out.with_name(f"{self.out.name}.parts")

    @property
    def parts(self) -> AnyPath:
        """Where the scored blocks are kept."""
        return self.to.with_name(f"{self.to.name}.parts") if self.to else self.parts_folder

    def published(self, path: Path) -> AnyPath:
        """Where the report, or a file that is written beside the output, is in the end."""
        if path == self.report:
            return self.report_to or path
        return self.to.with_name(path.name) if self.to else path

    @property
    def errors_file(self) -> Path:
        """The rows that could not be scored, as JSON lines."""
        return self.out.with_name(f"{self.out.name}.errors")

    @property
    def manifest_file(self) -> Path:
        """The record of what was run on what."""
        return self.out.with_name(f"{self.out.name}.manifest.json")

    @property
    def worklist_file(self) -> Path:
        """The worklist."""
        return self.out.with_name(f"{self.out.stem}.worklist.{self.format}")

    @property
    def gone_file(self) -> Path:
        """The tenders that an earlier run had and this one has not."""
        return self.out.with_name(f"{self.out.stem}.gone.{self.format}")


class Progress(msgspec.Struct, kw_only=True):
    """The tenders scored so far, and the bytes of the input that are done, of its `size`.

    The bytes of compressed files and tables count when their last block is done, because nobody knows before.
    """

    size: int
    rows: int = 0
    bytes: int = 0

    def add(self, block: Block, rows: int) -> None:
        """Counts a finished block."""
        self.rows += rows
        self.bytes += block.end - block.start


def run_portfolio(
    run: PortfolioRun,
    executor: Executor,
    resume: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> RunManifest:
    """Scores the input and writes the output, its errors, the worklist, the report and the manifest.

    Raises UsageError if a run into that output was begun and `resume` is false; UnreachableError if the input cannot be
    read or a worker dies.
    """
    _check_output(run)
    if run.outcomes:
        run = msgspec.structs.replace(run, options=_at_level(run, run.outcomes, executor))
    try:
        bundle = bundle_digest(Path(run.options.bundle))
        with (
            _open_parts(run, bundle, resume) as fingerprint,
            # When this is closed no worker writes a part any more, and the folder can be let go.
            closing(_score_blocks(run, executor, on_progress)) as scored_parts,
        ):
            return _write_outputs(run, fingerprint, scored_parts, executor)
    except UnreachableError:
        raise
    except BrokenExecutor:
        raise UnreachableError(f"a worker died. {RESUME}") from None
    except OSError as error:
        raise UnreachableError(f"{error}. {RESUME}") from error


def _open_parts(run: PortfolioRun, bundle: str, resume: bool) -> AbstractContextManager[Future[RunFingerprint]]:
    fingerprint = partial(_fingerprint, run, bundle)
    if isinstance(run.parts, RemotePath):
        return parts.open_remote_parts(run.parts, partial(fingerprint, described=input_tags), fingerprint, resume)
    return parts.open_parts(run.parts, fingerprint, resume)


def _at_level(run: PortfolioRun, outcomes: Path, executor: Executor) -> RunOptions:
    """The options with the levels that known outcomes have moved."""
    bundle = cached_bundle(run.options.bundle)
    if _is_table(outcomes):
        plain = msgspec.structs.replace(run.options, explain=False)
        calls = ((block, (score_block, plain, block)) for block in _blocks(run, ()))
        tables = (pa.ipc.open_file(content).read_all() for _, content in completed(executor, run.workers, calls))
        new_levels = levels.of_table(bundle, _outcomes_table(outcomes), tables)
    else:
        new_levels = levels.of_notices(bundle, outcomes)
    return msgspec.structs.replace(run.options, levels=tuple(new_levels))


def _check_output(run: PortfolioRun) -> None:
    """Refuses an output that would become input, or that could not be written at the end."""
    source, out = run.source.resolve(), (run.to or run.out).resolve()
    if out == source or f"{out}".startswith(f"{source}".rstrip("/") + "/"):
        raise UsageError(f"{run.to or run.out} is inside the input. Choose an output outside it")
    if out.is_dir():
        raise UsageError(f"{run.to or run.out} is a folder. Name a file")


def _fingerprint(
    run: PortfolioRun, bundle: str, described: Callable[[AnyPath], list[InputFile]] = input_files
) -> RunFingerprint:
    return RunFingerprint(
        inputs=described(run.source),
        options=run.options,
        bundle=bundle,
        bounds=run.bounds,
        versions=versions(),
    )


def _blocks(run: PortfolioRun, skip: Container[int]) -> Iterator[Block]:
    return blocks(run.source, run.options.register, skip, run.bounds, whole_files=True)


def _score_blocks(
    run: PortfolioRun, executor: Executor, on_progress: Callable[[Progress], None]
) -> Generator[tuple[int, ScoredPart]]:
    """The parts with their block numbers, in order, each as soon as it and all before it are there.

    Blocks that have a part already are not scored again.
    """
    before = parts.existing(run.parts)
    paths = dict(before)
    progress = Progress(size=input_size(run.source))

    def missing() -> Iterator[Block]:
        for block in _blocks(run, before):
            if block.number in before:
                progress.add(block, 0)
            else:
                yield block

    calls = (
        (block, (score_block, run.options, block, parts.part_path(run.parts, block.number))) for block in missing()
    )
    following = 0
    for block, _ in completed(executor, run.workers, calls):
        path = paths[block.number] = parts.part_path(run.parts, block.number)
        part = read_part(path)
        progress.add(block, part.table.num_rows)
        on_progress(progress)
        while following in paths:
            # The part that was just opened need not be read again.
            yield following, part if following == block.number else read_part(paths[following])
            following += 1
    while following in paths:
        yield following, read_part(paths[following])
        following += 1


def _write_outputs(
    run: PortfolioRun,
    fingerprint: Future[RunFingerprint],
    scored_parts: Iterable[tuple[int, ScoredPart]],
    executor: Executor,
) -> RunManifest:
    """Writes every output, each whole or not at all, and the manifest last.

    `scored_parts` come in order, each with its block number. The fingerprint is awaited only at the end.
    """
    counter = PartCounter()
    lines: list[LineRange] = []
    work = run.out.parent if run.to else run.parts_folder
    rows, refused = work / parts.ALL_ROWS, work / parts.REFUSED
    with refused.open("wb") as refusals:
        numbered = _with_file_lines(scored_parts, lines)
        output.write_tables(rows, "parquet", OUTPUT_SCHEMA, _tables(numbered, counter, refusals))
    refused.replace(run.errors_file)
    return_freed_memory(executor, run.workers)
    worklist = _write_worklist(run, run.worklist, ds.dataset(rows), executor, lines) if run.worklist else None
    if run.format == "parquet":
        rows.replace(run.out)
        rows = run.out
    else:
        output.convert_parquet(rows, run.out, run.format)
    known = fingerprint.result()
    manifest = RunManifest(
        created=run.created or utc_now(),
        inputs=known.inputs,
        bundle=run.options.bundle,
        bundle_sha256=known.bundle,
        options=run.options,
        counts=counter.total(),
        output=run.out.name,
        output_sha256=describe_file(run.out).sha256,
        currency=CURRENCY,
        versions=known.versions,
        worklist=worklist.summary if worklist else None,
        since=describe_file(run.since) if worklist and run.since else None,
    )
    return_freed_memory()
    if worklist and run.report:
        bundle, outcomes = cached_bundle(run.options.bundle, run.options.levels), _read_outcomes(run.outcomes)
        html = render_report(ds.dataset(rows), worklist, msgspec.to_builtins(manifest), bundle, outcomes)
        files.write_whole(run.report, html.encode())
    files.write_whole(run.manifest_file, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    _publish(run)
    return manifest


def _publish(run: PortfolioRun) -> None:
    """Copies outputs that belong in a store to it, each whole or not at all, and the manifest last."""
    written = [run.out, run.errors_file, run.worklist_file, run.gone_file, run.report, run.manifest_file]
    for path in written:
        if path and path.exists() and isinstance(to := run.published(path), RemotePath):
            to.upload(path)


def _with_file_lines(scored_parts: Iterable[tuple[int, ScoredPart]], lines: list[LineRange]) -> Iterator[ScoredPart]:
    """The parts with lines counted from the beginning of their file; which lines each block has goes into `lines`.

    The lines of a block that is a range of bytes were counted from its own first line.
    """
    before, file = 0, ""
    for number, part in scored_parts:
        before = before if part.file == file else 0
        file = part.file
        shift = before if part.unnumbered else 0
        shifted = _shift_lines(part, shift) if shift else part
        if shifted.table.num_rows:
            lines.append(explain.line_range(number, shifted, shift))
        yield shifted
        before += part.lines


def _shift_lines(part: ScoredPart, lines: int) -> ScoredPart:
    at = OUTPUT_SCHEMA.get_field_index("line")
    return msgspec.structs.replace(
        part,
        table=part.table.set_column(at, "line", pc.add(part.table["line"], lines)),
        refused=[msgspec.structs.replace(row, line=row.line + lines) for row in part.refused],
    )


def _tables(scored_parts: Iterable[ScoredPart], counter: PartCounter, refusals: BinaryIO) -> Iterator[pa.Table]:
    """The tables of the parts. On the way the parts are counted and their refused rows written."""
    for part in scored_parts:
        counter.add(part)
        refusals.writelines(msgspec.json.encode(row) + b"\n" for row in part.refused)
        yield part.table


def _write_worklist(
    run: PortfolioRun, options: WorklistOptions, scored_rows: ds.Dataset, executor: Executor, lines: list[LineRange]
) -> Worklist:
    """Writes the worklist with its reasons, and what is gone since the earlier run."""
    earlier = _read_parquet(run.since, "an earlier run's output", EARLIER_COLUMNS) if run.since else None
    manifest = cached_bundle(run.options.bundle, run.options.levels).manifest
    worklist = build_worklist(scored_rows, options, earlier, validation_metrics(manifest.register, manifest.metrics))
    return_freed_memory()
    if run.explain_worklist:
        places = list(zip(*(worklist.rows[name].to_pylist() for name in ("file", "line", "place")), strict=True))
        by_block = explain.places_by_block(lines, places)
        skip = {block.number for block in lines} - set(by_block)
        cut = _blocks(run, skip)
        reasons = explain.explain_rows(run.options, executor, run.workers, cut, lines, by_block)
        column = pa.array([reasons.get(place) for place in places], pa.string())
        at = WORKLIST_SCHEMA.get_field_index("reasons")
        worklist = msgspec.structs.replace(worklist, rows=worklist.rows.set_column(at, "reasons", column))
    output.write_tables(run.worklist_file, run.format, WORKLIST_SCHEMA, [worklist.rows])
    if worklist.gone is not None:
        output.write_tables(run.gone_file, run.format, worklist.gone.schema, [worklist.gone])
    return worklist


def _read_outcomes(path: Path | None) -> pa.Table | None:
    """How tenders are known to have ended."""
    if path is None:
        return None
    return _outcomes_table(path) if _is_table(path) else _outcomes_of_history(path)


def _is_table(path: Path) -> bool:
    return split_suffix(path)[0] in (".csv", ".parquet")


def _outcomes_table(path: Path) -> pa.Table:
    if split_suffix(path)[0] == ".csv":
        return _outcomes_of_verdicts(path)
    outcomes = _read_parquet(path, "a table of ocid and failed")
    if not {"ocid", "failed"} <= set(outcomes.column_names):
        raise DataError.at(path.name, "no columns ocid and failed", "Give one row a tender, failed true or false")
    return outcomes


def _outcomes_of_verdicts(path: Path) -> pa.Table:
    """A CSV of reviews as a job's page exports it: `ocid` and `failed`, true, false or empty. Raises DataError."""
    from tenders.registers.columns import read_columns

    known = {"true": True, "false": False, "": None}
    table = read_columns(path, ["ocid", "failed"])
    wrong = next((cell for cell in table["failed"] if str(cell).lower() not in known and cell is not None), None)
    if wrong is not None:
        raise DataError.at(path.name, f"{str(wrong)[:40]!r} under failed", "Give true, false, or nothing")
    failed = [None if cell is None else known[str(cell).lower()] for cell in table["failed"]]
    return pa.table({"ocid": pa.array(table["ocid"], pa.string()), "failed": pa.array(failed, pa.bool_())})


def _outcomes_of_history(path: Path) -> pa.Table:
    """How the tenders of a history of one's own ended, as `tenders.outcomes` reads it. Raises as `Register` says."""
    # Only with such a file: it is not needed otherwise.
    from tenders.registers import find_register

    cases = find_register("own").cases(path)
    rows = [{"ocid": case.tender.ocid, "failed": _failed(case.outcomes)} for case in cases]
    return pa.Table.from_pylist(rows, pa.schema([("ocid", pa.string()), ("failed", pa.bool_())]))


def _failed(outcomes: Mapping[str, bool | None]) -> bool | None:
    no_award, early_end = outcomes.get("no_award"), outcomes.get("early_end")
    if no_award or early_end:
        return True
    return False if no_award is False and early_end is False else None


def _read_parquet(path: Path, what: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A Parquet file, or those of some columns that it has. Raises UnreachableError or DataError."""
    try:
        names = pq.read_schema(path).names
        return pq.read_table(path, columns=[name for name in names if columns is None or name in columns])
    except pa.ArrowInvalid:
        raise DataError.at(path.name, "not a Parquet file", f"Give {what} as Parquet") from None
    except OSError as error:
        raise UnreachableError(f"{path}: {error.strerror or error}. Check the name") from None
