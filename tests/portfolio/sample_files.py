"""Small portfolios on disk, in every format, and what is read of them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl import Workbook

from tenders.io.blocks import blocks
from tenders.io.rows import Row, read_rows
from tenders.io.streams import BOUNDS, Bounds
from tenders.tender import Tender
from tests import samples
from tests.samples import Json

GOOD = samples.data(samples.draft())
FORMS: list[Json] = [
    {
        "title": f'Nursing, at "home" {i}',
        "buyer": "=Council",
        "value": 900_000 + i,
        "lots": 2,
        "published": "2024-03-01",
    }
    for i in range(7)
]


def releases(count: int = 7) -> list[Json]:
    """Releases that differ in ocid and title."""
    made = [samples.draft(ocid=f"ocds-h6vhtk-{i}") for i in range(count)]
    for i, release in enumerate(made):
        release["tender"]["title"] = f"Nursing {i}"
    return made


def lines(documents: Sequence[Any]) -> bytes:
    """JSON lines."""
    return b"".join(samples.data(document) + b"\n" for document in documents)


def packed(content: bytes, codec: str) -> bytes:
    """The content as gzip or zstd."""
    return gzip.compress(content) if codec == "gz" else pa.compress(content, codec="zstd", asbytes=True)


def as_csv(forms: Sequence[Json]) -> bytes:
    """Forms as a CSV."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(forms[0]))
    writer.writeheader()
    writer.writerows(forms)
    return out.getvalue().encode()


def as_parquet(forms: Sequence[Json]) -> bytes:
    """Forms as Parquet, the days as days."""
    typed = [{**form, "published": date.fromisoformat(form["published"])} for form in forms]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(typed), out)
    return out.getvalue()


def as_xlsx(forms: Sequence[Json], more: Sequence[Sequence[Any]] = ()) -> bytes:
    """Forms as the first sheet of a workbook, `more` rows below them."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(list(forms[0]))
    for form in forms:
        sheet.append([f"'{cell}" if str(cell).startswith("=") else cell for cell in form.values()])
    for row in more:
        sheet.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def written(folder: Path, name: str, content: bytes) -> Path:
    """A file with the content."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def read(path: Path, register: str | None = None, bounds: Bounds = BOUNDS) -> list[Row]:
    """All rows, their lines counted over the blocks of a file as the engine counts them."""
    from tenders.io.streams import count_lines

    rows, before = [], 0
    for block in blocks(path, register, bounds=bounds):
        before = 0 if block.start == 0 else before
        rows += [
            Row(line=row.line + before, place=row.place, process=row.process, problems=row.problems)
            for row in read_rows(block, bounds)
        ]
        before += count_lines(block) if block.kind == "range" else 0
    return rows


def tenders(rows: Sequence[Row]) -> list[Tender]:
    """The tenders of rows of which none is wrong."""
    assert [row.problems for row in rows if row.process is None] == []
    return [row.process.compiled() for row in rows if row.process]


def message(row: Row) -> str:
    """What is wrong with a row."""
    return "; ".join(map(str, row.problems))


def seen(rows: Sequence[Row]) -> str:
    """Everything about rows, for comparison."""
    return json.dumps([[r.line, r.place, message(r), r.process and [*map(repr, r.process.releases)]] for r in rows])
