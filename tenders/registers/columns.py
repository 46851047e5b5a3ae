"""The columns of a register's file as plain lists, and the small readings that registers have in common."""

from __future__ import annotations

import gc
import math
import re
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa

from tenders.dates import FIRST_YEAR, LAST_YEAR
from tenders.errors import DataError, Problem, UnreachableError
from tenders.io.parquet import parquet_batches
from tenders.io.streams import BOUNDS
from tenders.io.text import csv_rows
from tenders.tender import LARGEST, MOST_COUNTED, Value

Made = TypeVar("Made")
CellParser = Callable[[Any], Any]
"""Makes of a cell what its column should hold. Raises ValueError where that cannot be."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d(?:$|[T ])", re.ASCII)


class Interner:
    """Keeps one of each object: rows that state the same hold the same object, which saves memory and time."""

    def __init__(self) -> None:
        self._objects: dict[Hashable, Any] = {}

    def __call__(self, make: Callable[..., Made], *arguments: Hashable) -> Made:
        """`make(*arguments)`, made once for each set of arguments."""
        key = (make, *arguments)
        made: Made | None = self._objects.get(key)
        if made is None:
            made = self._objects[key] = make(*arguments)
        return made


class RegisterCells(msgspec.Struct, frozen=True):
    """Columns of parsed cells, one value a row, and what is wrong with which cell.

    `unread` are the places, as in a problem's path, of the cells that could not be parsed.
    """

    columns: dict[str, list[Any]]
    problems: list[Problem]
    unread: frozenset[str]

    def add_missing(self, row: int, column: str, problem: str) -> None:
        """Adds that a row lacks a cell that it needs, unless it is known already that this cell cannot be parsed."""
        missing = cell_problem(row, column, problem)
        if missing.path not in self.unread:
            self.problems.append(missing)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows, each with its cells by column."""
        names = tuple(self.columns)
        return (dict(zip(names, row, strict=True)) for row in zip(*self.columns.values(), strict=True))


def read_cells(path: Path, needed: Mapping[str, CellParser], wanted: Mapping[str, CellParser]) -> RegisterCells:
    """The columns of a Parquet or CSV file, whatever types they have in it; a `wanted` one that is missing is all None.

    A cell that cannot be parsed is None and a problem. Raises as `read_columns` does.
    """
    table = _read_table(path, needed, wanted)
    columns: dict[str, list[Any]] = {}
    problems: list[Problem] = []
    for name, parse in {**needed, **wanted}.items():
        if name in table.column_names:
            columns[name], column_problems = _parse_column(table[name], name, parse)
            problems += column_problems
        else:
            columns[name] = [None] * table.num_rows
    return RegisterCells(columns, problems, frozenset(problem.path for problem in problems))


def read_columns(path: Path, needed: Sequence[str]) -> dict[str, list[Any]]:
    """The columns of a Parquet or CSV file as they stand, one value a row.

    Time stamps come as dates; of a CSV everything comes as text, and an empty cell as None. Raises UnreachableError,
    or DataError that names what is missing.
    """
    table = _read_table(path, needed)
    return {name: _values(table[name]) for name in needed}


def read_csv(path: Path) -> tuple[list[str], list[list[str]]]:
    """The column names and the rows of a CSV in UTF-8, without blank lines.

    Raises UnreachableError if it cannot be read, DataError that names the row where it is not CSV.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv_rows(file))
    except FileNotFoundError:
        raise UnreachableError(f"{path}: no such file. Check the name") from None
    except OSError as error:
        raise UnreachableError(f"{path}: {error.strerror or error}. Check the permissions") from None
    except UnicodeDecodeError as error:
        raise DataError.at(path.name, f"not CSV in UTF-8: {error}", "Save it as UTF-8") from None
    table: list[list[str]] = []
    for number, row in enumerate(rows, start=1):
        if isinstance(row, str):
            raise DataError.at(f"{path.name}, row {number}", row)
        if table and row and len(row) != len(table[0]):
            problem = f"{len(row)} cells where there are {len(table[0])} columns"
            raise DataError.at(f"{path.name}, row {number}", problem, "Quote the cells that hold commas")
        if row:
            table.append(row)
    if not table:
        raise DataError.at(path.name, "the file is empty")
    return table[0], table[1:]


def _read_table(path: Path, needed: Collection[str], wanted: Collection[str] = ()) -> Any:
    """The needed and wanted columns of a Parquet file, or all of a CSV. Raises as `read_columns` does."""
    if path.suffix.lower() != ".csv":
        return _read_parquet(
            path, lambda names: [name for name in _checked(path, names, needed) if name in {*needed, *wanted}]
        )
    names, rows = read_csv(path)
    _checked(path, names, needed)
    return pa.table({name: pa.array([row[i] or None for row in rows], pa.string()) for i, name in enumerate(names)})


def _checked(path: Path, names: list[str], needed: Collection[str]) -> list[str]:
    if missing := [name for name in needed if name not in names]:
        raise DataError.at(path.name, f"no column {', '.join(missing)}", "Check that it is a file of this register")
    if repeated := [name for name in names if names.count(name) > 1]:
        raise DataError.at(path.name, f"two columns are called {repeated[0]}", "Leave one of them out")
    return names


def _read_parquet(path: Path, chosen: Callable[[list[str]], list[str]]) -> Any:
    kept: list[str] = []

    def choose(names: list[str]) -> list[str]:
        kept.extend(chosen(names))
        return kept

    try:
        batches = [*parquet_batches(path, path.stat().st_size, BOUNDS, choose)]
        return (
            pa.Table.from_batches(batches) if batches else pa.table({name: pa.array([], pa.string()) for name in kept})
        )
    except DataError:
        raise
    except FileNotFoundError:
        raise UnreachableError(f"{path}: no such file. Check the name") from None
    except OSError as error:
        raise UnreachableError(f"{path}: {error.strerror or error}. Check the permissions") from None
    except pa.ArrowInvalid as error:
        raise DataError.at(path.name, f"no parquet or CSV file: {str(error).splitlines()[0]}") from None


def _parse_column(column: Any, name: str, parse: CellParser) -> tuple[list[Any], list[Problem]]:
    """The parsed cells of one column. Each distinct cell is parsed once."""
    distinct, codes = _encode(column)
    parsed: list[Any] = [None] * (len(distinct) + 1)
    unread: dict[int, str] = {}
    for code, cell in enumerate(distinct):
        try:
            parsed[code] = parse(cell)
        except ValueError as error:
            unread[code] = str(error)
    if not unread:
        return [parsed[code] for code in codes], []
    rows = ((row, code) for row, code in enumerate(codes) if code in unread)
    problems = [cell_problem(row, name, unread[code], "Taken as not given") for row, code in rows]
    return [parsed[code] for code in codes], problems


def _values(column: Any) -> list[Any]:
    distinct, codes = _encode(column)
    values = [*distinct, None]
    return [values[code] for code in codes]


def _encode(column: Any) -> tuple[list[Any], list[int]]:
    """The distinct values of a column and the code of each row's value, -1 for none: equal rows share one object."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.date32(), safe=False)
    if pa.types.is_nested(kind):
        rows = column.to_pylist()
        return rows, list(range(len(rows)))
    encoded = column.combine_chunks().dictionary_encode()
    return _to_python(encoded.dictionary), encoded.indices.fill_null(-1).to_numpy().tolist()


def _to_python(distinct: Any) -> list[Any]:
    try:
        return list(distinct.to_pylist())
    except (ValueError, OverflowError):
        # A day beyond the calendar is not a date that Python knows.
        return [_scalar(value) for value in distinct]


def _scalar(value: Any) -> Any:
    try:
        return value.as_py()
    except (ValueError, OverflowError):
        return f"{value.cast(pa.int32()).as_py()} days after 1970"


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
        number = float(cell)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{str(cell)[:40]!r} is no number") from None
    return number if math.isfinite(number) else None


def as_day(cell: Any) -> date | None:
    """As `as_clock`, in a year in which a tender can have happened."""
    day = as_clock(cell)
    if day and not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"the year {day.year} is out of range")
    return day


def as_clock(cell: Any) -> date | None:
    """A cell as a day: of a date, or of a text that starts with one in ISO 8601. Raises ValueError.

    The day on which something became known may be far too late, which leaks nothing. Facts and publication use
    `as_day`.
    """
    if cell is None or cell == "":
        return None
    return cell if isinstance(cell, date) else _parse_day(str(cell).strip())


def _parse_day(text: str) -> date:
    try:
        if _DAY.match(text):
            return date.fromisoformat(text[:10])
    except ValueError:
        pass
    raise ValueError(f"{text[:40]!r} is no date, which is written as YYYY-MM-DD")


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pauses garbage collection, which would walk hundreds of thousands of lasting objects again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def codes_as(**codes: str) -> Callable[[Mapping[str, str]], dict[str, str]]:
    """Reads a register's codes as attributes: `codes_as(kind="contract_type")` gives the contract type as the kind."""
    return lambda stated: {name: stated[code] for name, code in codes.items() if code in stated}


def text(value: Any) -> str | None:
    """The text with single spaces, None if there is none in it."""
    return (" ".join(str(value).split()) or None) if value is not None else None


def money(amount: float | None, currency: str) -> Value | None:
    """An amount above 0; registers write 0 where none was given."""
    return Value(amount=amount, currency=currency) if amount and 0 < amount <= LARGEST else None


def count(number: Any) -> int | None:
    """A whole number from 0 to MOST_COUNTED, None for anything else."""
    try:
        whole = -1 if number is None else int(float(number))
    except (ValueError, OverflowError):
        return None
    return whole if whole == float(number or 0) and 0 <= whole <= MOST_COUNTED else None


def iso(day: date | None) -> str | None:
    """The day as OCDS writes it."""
    return None if day is None else day.isoformat()


def cell_problem(row: int, column: str, problem: str, taken_as: str = "") -> Problem:
    """What is wrong with one cell, and how it was taken. `row` counts from 0, the problem for people from 1."""
    return Problem(path=f"row {row + 1}, column {column}", problem=problem, remedy=taken_as)
