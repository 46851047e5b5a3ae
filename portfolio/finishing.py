"""What a run leaves behind, made from its parts: the output, the errors, the worklist, the report and the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from portfolio import changes, explaining, writing
from portfolio.explaining import Span
from portfolio.given import Run
from portfolio.manifest import CURRENCY, Counting, Manifest, digest, now
from portfolio.parts import REFUSED, WHOLE, Begun
from portfolio.report import report
from portfolio.table import SCHEMA
from portfolio.work import Scored, held
from portfolio.worklist import LISTED, Wish, Worklist, worklist
from tenders import files
from tenders.errors import DataError, UnreachableError
from tenders.io.blocks import blocks, describe_file


def finish(given: Run, begun: Future[Begun], found: Iterable[tuple[int, Scored]], executor: Executor) -> Manifest:
    """Writes everything that was asked for, each whole or not at all, and the manifest last.

    The parts are `found` in their order, each with its number; what was `begun` need be known in the end alone.
    """
    counting = Counting()
    spans: list[Span] = []
    whole = given.parts / WHOLE
    refused = given.parts / REFUSED
    with refused.open("wb") as refusals:
        writing.write(whole, "parquet", SCHEMA, _passed(numbered(found), counting, refusals, spans))
    refused.replace(given.refused)
    listed = _listed(given, given.wish, ds.dataset(whole), executor, spans) if given.wish else None
    if given.format == "parquet":
        whole.replace(given.out)
        whole = given.out
    else:
        writing.convert(whole, given.out, given.format)
    known = begun.result()
    manifest = Manifest(
        created=now(),
        inputs=known.inputs,
        bundle=given.asked.bundle,
        bundle_sha256=known.bundle,
        asked=given.asked,
        counts=counting.counted(),
        output=given.out.name,
        output_sha256=digest(given.out),
        currency=CURRENCY,
        versions=known.versions,
        worklist=listed.summary if listed else None,
        since=describe_file(given.since) if listed and given.since else None,
    )
    if listed and given.report:
        html = report(
            ds.dataset(whole), listed, msgspec.to_builtins(manifest), held(given.asked.bundle), _outcomes(given)
        )
        files.whole(given.report, html.encode())
    files.whole(given.manifest, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    return manifest


def _passed(
    found: Iterable[tuple[Scored, Span | None]], counting: Counting, refusals: BinaryIO, spans: list[Span]
) -> Iterator[pa.Table]:
    """The tables of the parts; on the way they are counted, their refusals written and their spans kept."""
    for part, span in found:
        counting.add(part)
        refusals.writelines(msgspec.json.encode(each) + b"\n" for each in part.refused)
        if span:
            spans.append(span)
        yield part.table


def numbered(found: Iterable[tuple[int, Scored]]) -> Iterator[tuple[Scored, Span | None]]:
    """The parts with lines counted from the beginning of their file, and the span of each.

    Where a block is a range of bytes, its lines were counted from its own first.
    """
    before, file = 0, ""
    for number, part in found:
        before = before if part.file == file else 0
        file = part.file
        shift = before if part.unnumbered else 0
        moved = _moved(part, shift) if shift else part
        yield moved, explaining.span(number, moved, shift)
        before += part.lines


def _moved(part: Scored, lines: int) -> Scored:
    at = SCHEMA.get_field_index("line")
    return msgspec.structs.replace(
        part,
        table=part.table.set_column(at, "line", pc.add(part.table["line"], lines)),
        refused=[msgspec.structs.replace(each, line=each.line + lines) for each in part.refused],
    )


def _listed(given: Run, wish: Wish, scored: ds.Dataset, executor: Executor, spans: list[Span]) -> Worklist:
    """The worklist with its reasons, written beside the output with what is gone since the run before."""
    found = worklist(scored, wish, _earlier(given), held(given.asked.bundle).manifest.metrics)
    if given.explains_worklist:
        places = list(zip(*(found.rows[name].to_pylist() for name in ("file", "line", "place")), strict=True))
        wanted = explaining.holding(spans, places)
        others = {each.number for each in spans} - set(wanted)
        cut = blocks(given.source, given.asked.register, others, given.bounds)
        explained = explaining.reasons(given.asked, executor, given.workers, cut, spans, wanted)
        told = [explained.get(place) for place in places]
        at = LISTED.get_field_index("reasons")
        found = msgspec.structs.replace(found, rows=found.rows.set_column(at, "reasons", pa.array(told, pa.string())))
    writing.write(given.listed, given.format, LISTED, [found.rows])
    if found.gone is not None:
        writing.write(given.gone, given.format, found.gone.schema, [found.gone])
    return found


def _earlier(given: Run) -> pa.Table | None:
    """The worklist or output of an earlier run."""
    return _read(given.since, "an earlier run's output", changes.READ) if given.since else None


def _outcomes(given: Run) -> pa.Table | None:
    """How tenders are known to have ended."""
    if given.outcomes is None:
        return None
    found = _read(given.outcomes, "a table of ocid and failed")
    if not {"ocid", "failed"} <= set(found.column_names):
        raise DataError.at(
            given.outcomes.name, "no columns ocid and failed", "Give one row a tender, failed true or false"
        )
    return found


def _read(path: Path, what: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A Parquet file, or those of some columns that it has. Raises UnreachableError or DataError."""
    try:
        held = pq.read_schema(path).names
        return pq.read_table(path, columns=[name for name in held if columns is None or name in columns])
    except pa.ArrowInvalid:
        raise DataError.at(path.name, "not a Parquet file", f"Give {what} as Parquet") from None
    except OSError as error:
        raise UnreachableError(f"{path}: {error.strerror or error}. Check the name") from None
