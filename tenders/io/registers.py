"""A register's own columns, read through its source (`tenders.registers`).

A source reads a whole file: a row may replace another, share its fate, or say what another means. So the file is read
in one go by who cuts it into blocks, and is bounded by rows rather than streamed.
"""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tenders.errors import DataError, Problem
from tenders.history import Source
from tenders.io import streams, workbooks
from tenders.io.bounds import Bounds
from tenders.io.cuts import Cut
from tenders.registers import own
from tenders.tender import Tender

_ROW = re.compile(r"row (\d+)")


class Case(msgspec.Struct, frozen=True, array_like=True):
    """One row of a register's file, numbered from 1: its tender and remarks on it, or what is wrong with it."""

    row: int
    tender: Tender | None
    lot: str | None
    problems: list[Problem]


def reads(source: Source, kind: str) -> bool:
    """Whether a file of this ending has the register's own columns; everything else is OCDS or forms."""
    return kind == ".toml" if source.name == own.NAME else kind in (".parquet", ".csv", ".xlsx")


def cases(path: Path, source: Source, bounds: Bounds) -> Iterator[Cut]:
    """The cases of a register's file in the order of its rows, with the rows that could not be read among them.

    Raises as the source does, and TooLargeError above `bounds.register_rows`.
    """
    with streams.unpacked(path, bounds) as plain, _tabular(plain, bounds) as tabular:
        rows = _counted(tabular, bounds)
        if rows > bounds.register_rows:
            raise streams.too_large(f"{rows:,} rows; at most {bounds.register_rows:,} are read", "Split it by year")
        read = source.read(tabular)
    remarks: dict[int, list[Problem]] = {}
    for problem in read.problems:
        named = _ROW.match(problem.path)
        remarks.setdefault(int(named[1]) if named else 0, []).append(problem)
    found = [Case(case.row + 1, case.tender, case.lot, remarks.pop(case.row + 1, [])) for case in read.cases]
    found += [Case(row, None, None, problems) for row, problems in remarks.items()]
    found.sort(key=lambda case: case.row)
    for at in range(0, len(found), bounds.documents):
        piece = found[at : at + bounds.documents]
        yield Cut(kind="cases", first=piece[0].row, data=msgspec.msgpack.encode(piece))


@contextmanager
def _tabular(path: Path, bounds: Bounds) -> Iterator[Path]:
    """A workbook's first sheet as CSV in a temporary folder, for sources know no workbooks; any other file as it is."""
    if path.suffix.lower() != ".xlsx":
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / f"{path.stem}.csv"
        # The workbook is open for as long as its sheets are held.
        sheets = workbooks.read(path, bounds)
        with plain.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows(next(sheets)[1])
        yield plain


def _counted(path: Path, bounds: Bounds) -> int:
    """The rows of a Parquet file, or the lines of any other, which are no fewer than its rows."""
    if path.suffix.lower() != ".parquet":
        return sum(piece.count(b"\n") for piece in streams.pieces(path, bounds))
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise DataError.at("", f"not Parquet, or damaged: {str(error).splitlines()[0][:200]}") from None
