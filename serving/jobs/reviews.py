"""What auditors made of the rows of a job: reviewer, verdict, reason and day, kept in the job's folder.

A review is a line that is added to `reviews.jsonl`; of several of one row the last counts. The exported table has the
columns `ocid` and `failed`, which `portfolio --outcomes` reads, and `verdict`, which a history of one's own reads.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from serving.jobs.paths import JobPaths
from tenders import files
from tenders.errors import DataError, Problem
from tenders.registers.own import VERDICTS

LABELS = {
    "no_award": "Ended without a contract",
    "early_end": "Contract ended early",
    "held": "Did not fail",
    "open": "Not known yet",
}
"""Words for the verdicts, in the order of the page."""
MAX_REVIEWER, MAX_REASON = 80, 500
VERDICTS_SCHEMA = pa.schema(
    [
        ("ocid", pa.string()),
        ("failed", pa.bool_()),
        ("verdict", pa.string()),
        ("reviewer", pa.string()),
        ("reason", pa.string()),
        ("date", pa.string()),
        ("rank", pa.int64()),
        ("failure", pa.float64()),
        ("title", pa.string()),
        ("buyer", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("place", pa.string()),
    ]
)
"""The export: a row for each reviewed row of the job, by rank. `failed` is null where the verdict is `open`."""
OF_ROW = ("rank", "ocid", "failure", "title", "buyer", "file", "line", "place")


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """One review. `row` has OF_ROW of the row that it is about."""

    verdict: str
    reviewer: str
    reason: str
    date: str
    row: dict[str, Any]


def read_review(fields: Mapping[str, str], row: Mapping[str, Any]) -> Review:
    """The review in a form about a row. Raises DataError with every field that is wrong."""
    verdict, reviewer, reason = (" ".join(fields.get(name, "").split()) for name in ("verdict", "reviewer", "reason"))
    problems = []
    if verdict not in LABELS:
        problems.append(Problem(path="/verdict", problem="no verdict was chosen", remedy="Choose how it ended"))
    if not reviewer or len(reviewer) > MAX_REVIEWER:
        problems.append(
            Problem(path="/reviewer", problem="nobody signs it", remedy=f"Give a name of up to {MAX_REVIEWER} letters")
        )
    if len(reason) > MAX_REASON:
        problems.append(Problem(path="/reason", problem=f"more than {MAX_REASON} letters", remedy="Say it in fewer"))
    if problems:
        raise DataError(problems)
    today = datetime.now(UTC).date().isoformat()
    return Review(
        verdict=verdict, reviewer=reviewer, reason=reason, date=today, row={name: row[name] for name in OF_ROW}
    )


def add_review(paths: JobPaths, review: Review) -> None:
    """Adds a review to those of a job. Raises FileNotFoundError when the job's folder is gone."""
    # One write of one line, which other services of the same directory do not tear apart.
    descriptor = os.open(paths.reviews, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, msgspec.json.encode(review) + b"\n")
    finally:
        os.close(descriptor)


def read_reviews(paths: JobPaths) -> dict[int, Review]:
    """The last review of each row of a job, by rank."""
    if not paths.reviews.exists():
        return {}
    lines = msgspec.json.decode(b"[" + b",".join(paths.reviews.read_bytes().splitlines()) + b"]", type=list[Review])
    return dict(sorted({review.row["rank"]: review for review in lines}.items()))


def write_verdicts(paths: JobPaths) -> Path:
    """The reviews of a job as a Parquet file of VERDICTS_SCHEMA, written once for each state of them."""
    size = paths.reviews.stat().st_size if paths.reviews.exists() else 0
    # Reviews are only added, so that their size names their state.
    out = paths.folder / f"verdicts-{size}.parquet"
    if not out.exists():
        rows = [
            {**review.row, **msgspec.structs.asdict(review), "failed": VERDICTS[review.verdict][0]}
            for review in read_reviews(paths).values()
        ]
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(rows, VERDICTS_SCHEMA), sink)
        files.write_whole(out, sink.getvalue().to_pybytes())
    return out
