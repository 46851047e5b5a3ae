"""The columns of a register's file as plain lists, and the small readings that registers have in common."""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tenders.errors import DataError, Problem, UnreachableError
from tenders.tender import LARGEST, Value

Made = TypeVar("Made")


class Shared:
    """Keeps one of each: rows that say the same thing hold the same object, which saves memory and time."""

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}

    def __call__(self, make: Callable[..., Made], *about: Hashable) -> Made:
        """`make(*about)`, made once for each `about`."""
        key = (make, *about)
        made: Made | None = self._made.get(key)
        if made is None:
            made = self._made[key] = make(*about)
        return made


def columns(path: Path, needed: Sequence[str], wanted: Sequence[str] = ()) -> dict[str, list[Any]]:
    """Columns of a parquet or CSV file, one value a row; a `wanted` column that is not there is all None.

    Time stamps come as dates; of a CSV everything comes as text, and an empty cell as None. Raises UnreachableError,
    or DataError that names what is missing.
    """
    table = _table(path)
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        raise DataError.at(
            f"{path.name}", f"no column {', '.join(missing)}", "Check that it is a file of this register"
        )
    rows = table.num_rows
    return {name: _values(table[name]) if name in table.column_names else [None] * rows for name in (*needed, *wanted)}


def _table(path: Path) -> Any:
    try:
        return _csv(path) if path.suffix.lower() == ".csv" else pq.read_table(path)
    except FileNotFoundError:
        raise UnreachableError(f"{path}: no such file. Check the name") from None
    except OSError as error:
        raise UnreachableError(f"{path}: {error.strerror or error}. Check the permissions") from None
    except pa.ArrowInvalid as error:
        raise DataError.at(path.name, f"no parquet or CSV file: {str(error).splitlines()[0]}") from None


def _csv(path: Path) -> Any:
    with pa_csv.open_csv(path) as reader:
        types = dict.fromkeys(reader.schema.names, pa.string())
    options = pa_csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
    return pa_csv.read_csv(path, parse_options=pa_csv.ParseOptions(newlines_in_values=True), convert_options=options)


def _values(column: Any) -> list[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.date32(), safe=False)
    elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return list(column.to_pylist())
    # Texts and days repeat a great deal: each once, and the rows point at it.
    coded = column.combine_chunks().dictionary_encode()
    said = [*coded.dictionary.to_pylist(), None]
    return [said[at] for at in coded.indices.fill_null(-1).to_numpy().tolist()]


@contextmanager
def uncollected() -> Iterator[None]:
    """Without garbage collection, which would walk hundreds of thousands of lasting objects again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def text(value: Any) -> str | None:
    """The text with single spaces, None if there is none in it."""
    return (" ".join(str(value).split()) or None) if value is not None else None


def money(amount: Any, currency: str) -> Value | None:
    """An amount above 0; registers write 0 where none was given."""
    return Value(amount=float(amount), currency=currency) if amount and 0 < amount <= LARGEST else None


def count(number: Any) -> int | None:
    """A whole number of at least 0, None for anything else."""
    try:
        return int(number) if number is not None and float(number) == int(float(number)) >= 0 else None
    except (ValueError, OverflowError):
        return None


def iso(day: date | None) -> str | None:
    """The day as OCDS writes it."""
    return None if day is None else day.isoformat()


def wrong(row: int, column: str, problem: str, taken: str = "") -> Problem:
    """What is wrong with one cell (rows are counted from 1 for people), and how it was taken."""
    return Problem(path=f"row {row + 1}, column {column}", problem=problem, remedy=taken)
