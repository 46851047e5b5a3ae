"""A register's table in any format that tables come in, as the CSV or Parquet file that the registers read."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tenders.errors import DataError, UnreachableError
from tenders.io.detection import JSON_LINES, path_kind
from tenders.io.streams import BOUNDS, Bounds, file_lines, unpacked
from tenders.io.xlsx import first_sheet

JSON_WORDS: Mapping[Any, str] = {True: "true", False: "false"}


@contextmanager
def plain_table(path: Path, bounds: Bounds = BOUNDS) -> Iterator[Path]:
    """A table as CSV or Parquet: unpacked if it is compressed, a workbook's first sheet or JSON lines as CSV in a
    temporary folder; a plain CSV or Parquet file as it is.

    Raises UnreachableError if it cannot be read, DataError or TooLargeError for what is no such table.
    """
    try:
        with unpacked(path, bounds) as plain, as_csv(plain, bounds) as table:
            yield table
    except FileNotFoundError:
        raise UnreachableError(f"{path}: no such file. Check the name") from None
    except OSError as error:
        raise UnreachableError(f"{path}: {error.strerror or error}. Check the permissions") from None


@contextmanager
def as_csv(path: Path, bounds: Bounds) -> Iterator[Path]:
    """A workbook's first sheet, or JSON lines, as CSV in a temporary folder; other files stay."""
    suffix = path_kind(path)[0]
    if suffix != ".xlsx" and suffix not in JSON_LINES:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / f"{path.stem}.csv"
        with plain.open("w", encoding="utf-8", newline="") as out:
            if suffix == ".xlsx":
                csv.writer(out).writerows(first_sheet(path, bounds))
            else:
                rows = [_row(line, number) for number, line in enumerate(file_lines(path, bounds), 1) if line.strip()]
                names = dict.fromkeys(name for row in rows for name in row)
                writer = csv.DictWriter(out, list(names))
                writer.writeheader()
                writer.writerows(rows)
        yield plain


def _row(line: bytes, number: int) -> dict[str, str]:
    """The cells of one line, as text."""
    try:
        cells = msgspec.json.decode(line, type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise DataError.at(f"line {number}", f"no JSON object: {error}", "Give one object a row") from None
    return {name: _text(cell) for name, cell in cells.items() if cell is not None}


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return JSON_WORDS[cell]
    if isinstance(cell, float) and cell.is_integer():
        return f"{cell:.0f}"
    return str(cell) if isinstance(cell, int | float) else msgspec.json.encode(cell).decode()
