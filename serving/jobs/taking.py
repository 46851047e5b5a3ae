"""The files that a visitor takes away, in the format asked for, each written once: `python -m serving.jobs.taking`."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from serving import spreadsheets
from serving.jobs.aside import aside, step_back
from serving.portfolio import writing
from tenders.errors import DataError, Problem, TooLargeError

KINDS = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "xlsx": spreadsheets.KIND,
    "jsonl": "application/jsonl",
}
MOST_IN_A_WORKBOOK = 100_000
"""Rows; a workbook with more takes minutes to write, and to open."""
BATCH = 10_000


async def taken(rows: Path, format: str, chosen: bool = False) -> Path:
    """The rows of a Parquet file in a format, those alone that are `chosen` if so wished.

    Raises DataError for a format that is not written, TooLargeError for a workbook of too many rows.
    """
    if format not in KINDS:
        raise DataError.at("/format", f"{format[:40]!r} is no format", f"Use {', '.join(KINDS)}")
    if format == "xlsx" and not chosen and pq.read_metadata(rows).num_rows > MOST_IN_A_WORKBOOK:
        problem = f"a workbook takes up to {MOST_IN_A_WORKBOOK:,} rows here"
        raise TooLargeError(Problem(path="/format", problem=problem, remedy="Take CSV, Parquet or JSON lines"))
    if format == "parquet" and not chosen:
        return rows
    made = rows.with_name(f"{'chosen' if chosen else rows.stem}.{format}")
    if not made.exists():
        await aside(__name__, str(rows), str(made), format, str(int(chosen)))
    return made


def write(rows: Path, out: Path, format: str, chosen: bool) -> None:
    """Writes them, whole or not at all, however many do at once."""
    partial = out.with_name(f".{secrets.token_hex(4)}.{out.name}")
    with pq.ParquetFile(rows, pre_buffer=False) as file:
        schema = file.schema_arrow.remove(file.schema_arrow.names.index("chosen")) if chosen else file.schema_arrow
        writing.write(partial, format, schema, _tables(file, schema, chosen))
    partial.replace(out)


def _tables(file: pq.ParquetFile, schema: pa.Schema, chosen: bool) -> Iterator[pa.Table]:
    for batch in file.iter_batches(BATCH):
        table = pa.Table.from_batches([batch])
        yield table.filter(pc.field("chosen")).select(schema.names) if chosen else table


if __name__ == "__main__":
    step_back()
    write(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4] == "1")
