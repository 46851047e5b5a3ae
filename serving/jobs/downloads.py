"""A job's result files in the format that is asked for, each converted once: `python -m serving.jobs.downloads`."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import anyio.to_thread
import pyarrow.parquet as pq

from portfolio.output import convert_parquet
from serving.jobs.durable import is_sealed, seal_copy
from serving.jobs.subprocess import lower_priority, run_module
from tenders.errors import DataError, Problem, TooLargeError
from tenders.io import xlsx

MEDIA_TYPES = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "xlsx": xlsx.MEDIA_TYPE,
    "jsonl": "application/jsonl",
}
MAX_WORKBOOK_ROWS = 100_000
"""A workbook with more rows takes minutes to write and to open."""


async def download(rows: Path, format: str) -> Path:
    """The rows of a Parquet file in another format.

    Raises DataError for an unknown format, TooLargeError for a workbook of too many rows.
    """
    if format not in MEDIA_TYPES:
        raise DataError.at("/format", f"{format[:40]!r} is no format", f"Use {', '.join(MEDIA_TYPES)}")
    if format == "xlsx" and pq.read_metadata(rows).num_rows > MAX_WORKBOOK_ROWS:
        problem = f"a workbook takes up to {MAX_WORKBOOK_ROWS:,} rows here"
        raise TooLargeError(Problem(path="/format", problem=problem, remedy="Take CSV, Parquet or JSON lines"))
    if format == "parquet":
        return rows
    converted = rows.with_suffix(f".{format}")
    if not await anyio.to_thread.run_sync(is_sealed, converted):
        await run_module(__name__, str(rows), str(converted), format)
    return converted


def convert(rows: Path, out: Path, format: str) -> None:
    """Writes the rows, whole or not at all, also if several processes do so at once."""
    partial = out.with_name(f".{secrets.token_hex(4)}.{out.name}")
    convert_parquet(rows, partial, format)
    partial.replace(out)
    seal_copy(out)


if __name__ == "__main__":
    lower_priority()
    convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
