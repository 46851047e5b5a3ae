"""The files that a visitor takes away, in the format asked for, each written once: `python -m serving.jobs.taking`."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import pyarrow.parquet as pq

from portfolio.output import convert_parquet
from serving.jobs.aside import aside, step_back
from tenders.errors import DataError, Problem, TooLargeError
from tenders.io.xlsx import MEDIA_TYPE

KINDS = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "xlsx": MEDIA_TYPE,
    "jsonl": "application/jsonl",
}
MOST_IN_A_WORKBOOK = 100_000
"""Rows; a workbook with more takes minutes to write, and to open."""


async def taken(rows: Path, format: str) -> Path:
    """The rows of a Parquet file in a format.

    Raises DataError for a format that is not written, TooLargeError for a workbook of too many rows.
    """
    if format not in KINDS:
        raise DataError.at("/format", f"{format[:40]!r} is no format", f"Use {', '.join(KINDS)}")
    if format == "xlsx" and pq.read_metadata(rows).num_rows > MOST_IN_A_WORKBOOK:
        problem = f"a workbook takes up to {MOST_IN_A_WORKBOOK:,} rows here"
        raise TooLargeError(Problem(path="/format", problem=problem, remedy="Take CSV, Parquet or JSON lines"))
    if format == "parquet":
        return rows
    made = rows.with_suffix(f".{format}")
    if not made.exists():
        await aside(__name__, str(rows), str(made), format)
    return made


def write(rows: Path, out: Path, format: str) -> None:
    """Writes them, whole or not at all, however many do at once."""
    partial = out.with_name(f".{secrets.token_hex(4)}.{out.name}")
    convert_parquet(rows, partial, format)
    partial.replace(out)


if __name__ == "__main__":
    step_back()
    write(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
