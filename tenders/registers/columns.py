"""The columns of a register's file as plain lists, and the small readings that registers have in common."""

from __future__ import annotations

import gc
import math
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tenders.dates import FIRST_YEAR, LAST_YEAR
from tenders.errors import DataError, Problem, UnreachableError
from tenders.tender import LARGEST, Value

Made = TypeVar("Made")
_DAY = re.compile(r"\d{4}-\d\d-\d\d(?:$|[T ])", re.ASCII)
CellReader = Callable[[Any], Any]
"""What a column's cells should be: makes it of a cell as it stands, and raises ValueError where that cannot be."""


class Interner:
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


class RegisterCells(msgspec.Struct, frozen=True):
    """Columns with their cells as what they should be, one value a row, and what is wrong with which cell."""

    columns: dict[str, list[Any]]
    problems: list[Problem]
    unread: frozenset[str]

    def lacks(self, row: int, column: str, problem: str) -> None:
        """Says of a row that it cannot do without a cell, unless it is said already that this cell cannot be read."""
        lacking = cell_problem(row, column, problem)
        if lacking.path not in self.unread:
            self.problems.append(lacking)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows, each with its cells by column."""
        names = tuple(self.columns)
        return (dict(zip(names, row, strict=True)) for row in zip(*self.columns.values(), strict=True))


def read_cells(path: Path, needed: Mapping[str, CellReader], wanted: Mapping[str, CellReader]) -> RegisterCells:
    """Columns of a parquet or CSV file, whatever types it has them in; a `wanted` one that is not there is all None.

    A cell that cannot be what its column should be is None and a problem. Raises as `columns` does.
    """
    table = _table(path, needed)
    found: dict[str, list[Any]] = {}
    problems: list[Problem] = []
    for name, kind in {**needed, **wanted}.items():
        if name in table.column_names:
            found[name], wrong_here = _read(table[name], name, kind)
            problems += wrong_here
        else:
            found[name] = [None] * table.num_rows
    return RegisterCells(found, problems, frozenset(each.path for each in problems))


def read_columns(path: Path, needed: Sequence[str]) -> dict[str, list[Any]]:
    """Columns of a parquet or CSV file as they stand, one value a row.

    Time stamps come as dates; of a CSV everything comes as text, and an empty cell as None. Raises UnreachableError,
    or DataError that names what is missing.
    """
    table = _table(path, needed)
    return {name: _values(table[name]) for name in needed}


def as_text(cell: Any) -> str | None:
    """A cell as text; a whole number without a point."""
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, float):
        return None if math.isnan(cell) else f"{cell:.0f}" if cell.is_integer() else repr(cell)
    return str(cell)


def as_number(cell: Any) -> float | None:
    """A cell as a number, true as 1. Raises ValueError if it is none."""
    if cell is None or cell == "":
        return None
    try:
        found = float(cell)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{str(cell)[:40]!r} is no number") from None
    return found if math.isfinite(found) else None


def as_day(cell: Any) -> date | None:
    """As `as_clock`, in a year in which a tender can have happened."""
    found = as_clock(cell)
    if found and not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ValueError(f"the year {found.year} is out of range")
    return found


def as_clock(cell: Any) -> date | None:
    """A cell as a day: of a date, or of a text that begins with one as ISO 8601 has it. Raises ValueError.

    When something became known may be far too late, which leaks nothing; for facts and publication there is `as_day`.
    """
    if cell is None or cell == "":
        return None
    return cell if isinstance(cell, date) else _written(str(cell).strip())


def _written(said: str) -> date:
    try:
        if _DAY.match(said):
            return date.fromisoformat(said[:10])
    except ValueError:
        pass
    raise ValueError(f"{said[:40]!r} is no date, which is written as YYYY-MM-DD")


def _table(path: Path, needed: Iterable[str]) -> Any:
    table = _opened(path)
    told = table.column_names
    if missing := [name for name in needed if name not in told]:
        raise DataError.at(path.name, f"no column {', '.join(missing)}", "Check that it is a file of this register")
    if len(set(told)) < len(told):
        twice = next(name for name in told if told.count(name) > 1)
        raise DataError.at(path.name, f"the column {twice} stands there twice", "Leave one of them out")
    return table


def _opened(path: Path) -> Any:
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


def _read(column: Any, name: str, kind: CellReader) -> tuple[list[Any], list[Problem]]:
    """The cells of one column as what they should be. Each distinct one is read once."""
    distinct, places = _coded(column)
    made: list[Any] = [None] * (len(distinct) + 1)
    unread: dict[int, str] = {}
    for at, cell in enumerate(distinct):
        try:
            made[at] = kind(cell)
        except ValueError as error:
            unread[at] = str(error)
    problems = [
        cell_problem(row, name, unread[at], "Taken as not given") for row, at in enumerate(places) if at in unread
    ]
    return [made[at] for at in places], problems if unread else []


def _values(column: Any) -> list[Any]:
    distinct, places = _coded(column)
    said = [*distinct, None]
    return [said[at] for at in places]


def _coded(column: Any) -> tuple[list[Any], list[int]]:
    """The distinct values of a column and for each row the place of its own, -1 for none: rows share one object."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.date32(), safe=False)
    if pa.types.is_nested(kind):
        rows = column.to_pylist()
        return rows, list(range(len(rows)))
    coded = column.combine_chunks().dictionary_encode()
    return _plain(coded.dictionary), coded.indices.fill_null(-1).to_numpy().tolist()


def _plain(distinct: Any) -> list[Any]:
    try:
        return list(distinct.to_pylist())
    except (ValueError, OverflowError):
        # A day beyond the calendar is no date that Python knows.
        return [_spelt(each) for each in distinct]


def _spelt(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return str(scalar.cast(pa.int32()).as_py()) + " days after 1970"


@contextmanager
def gc_paused() -> Iterator[None]:
    """Without garbage collection, which would walk hundreds of thousands of lasting objects again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def codes_as(**codes: str) -> Callable[[Mapping[str, str]], dict[str, str]]:
    """Reads a register's codes as attributes: `codes_as(kind="contract_type")` gives the contract type as the kind."""
    return lambda given: {name: given[code] for name, code in codes.items() if code in given}


def text(value: Any) -> str | None:
    """The text with single spaces, None if there is none in it."""
    return (" ".join(str(value).split()) or None) if value is not None else None


def money(amount: float | None, currency: str) -> Value | None:
    """An amount above 0; registers write 0 where none was given."""
    return Value(amount=amount, currency=currency) if amount and 0 < amount <= LARGEST else None


def count(number: Any) -> int | None:
    """A whole number of at least 0, None for anything else."""
    try:
        return int(number) if number is not None and float(number) == int(float(number)) >= 0 else None
    except (ValueError, OverflowError):
        return None


def iso(day: date | None) -> str | None:
    """The day as OCDS writes it."""
    return None if day is None else day.isoformat()


def cell_problem(row: int, column: str, problem: str, taken: str = "") -> Problem:
    """What is wrong with one cell (rows are counted from 1 for people), and how it was taken."""
    return Problem(path=f"row {row + 1}, column {column}", problem=problem, remedy=taken)
