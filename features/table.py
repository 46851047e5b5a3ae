"""The table of tenders: the only thing that is scored, whether it holds one tender or a million.

Its columns are declared in `tenders.columns` and are read when a feature first needs them. Every feature is a function
of the table and is computed once. The track records of the tenders stand beside the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from datetime import date
from functools import cached_property, wraps
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.categorical import Categorical
from features.track_records.case_records import (
    NO_RECORDS,
    CaseRecord,
    CaseRecords,
    longest_records,
)
from tenders.columns import COLUMNS, Column
from tenders.facts import Stage
from tenders.tender import Tender

Floats = NDArray[np.float64]
"""A number a tender, NaN for unknown; shape (tenders,)."""
Result = TypeVar("Result")


class ColumnSource(Protocol):
    """Where a table takes its columns from; `tenders` are held if they were read from tenders that are held."""

    tenders: Sequence[Tender] | None

    def column(self, column: Column) -> Floats | Categorical[Any] | None:
        """A column of all tenders, of the type that `Column.is_number` tells; None if it is unknown of all.

        Raises KeyError if it was not read.
        """


class TrackRecords(msgspec.Struct, frozen=True, kw_only=True):
    """What track records say of the tenders of a table, each as of its day of publication.

    `cases` are the case records of that day. For tenders of a register, `register` holds what its records say, by
    feature, shape (tenders,), and `outcomes` the same for the outcomes that have records of their own. `phrases` tells
    which words speak for and against the first outcome.
    """

    cases: Categorical[CaseRecords]
    register: Mapping[str, NDArray[np.floating]] = {}
    outcomes: Mapping[str, Mapping[str, NDArray[np.floating]]] = {}
    phrases: Callable[[TenderTable], Categorical[Any]] | None = None


class TenderTable:
    """Tenders as of a stage, a row each, with columns by name.

    `published_on` is the first day on which a tender can have been published, None if unknown (`tenders.process`).
    """

    def __init__(
        self,
        stage: Stage,
        rows: int,
        source: ColumnSource,
        published_on: Categorical[date | None] | None = None,
        records: TrackRecords | None = None,
    ) -> None:
        self.stage, self.source, self.records = stage, source, records
        self.published_on = Categorical.single(None, rows) if published_on is None else published_on
        self._rows = rows
        self._columns: dict[str, Any] = {}
        self._computed: dict[Callable[[TenderTable], Any], Any] = {}

    def __len__(self) -> int:
        return self._rows

    def number(self, name: str) -> Floats:
        """A column of numbers, counts or yes/no, NaN for unknown. Not to be changed.

        Shape (tenders,); of a column with `per`, the values of the first tender, then those of the second, and so on.
        """
        values: Floats = self._columns[name] if name in self._columns else self._read(name)
        return values

    def days(self, name: str) -> Floats:
        """A column of dates as days (`tenders.dates.ordinals`), NaN for unknown and partial ones."""
        return self.number(name)

    def text(self, name: str) -> Categorical[Any]:
        """A column of texts, choices or tuples; unknown is None, and an empty tuple."""
        values: Categorical[Any] = self._columns[name] if name in self._columns else self._read(name)
        return values

    def owner(self, count: str) -> NDArray[np.int64]:
        """The row of each value of the columns that are `per` this count, such as lots."""
        name = f"owner of {count}"
        if name not in self._columns:
            counts = np.fmax(self.number(count), 0).astype(np.int64)
            self._columns[name] = np.repeat(np.arange(len(self)), counts)
        rows: NDArray[np.int64] = self._columns[name]
        return rows

    def computed(self, function: Callable[[TenderTable], Result]) -> Result:
        """What a function makes of this table: computed once. Not to be changed."""
        if function not in self._computed:
            self._computed[function] = function(self)
        result: Result = self._computed[function]
        return result

    @cached_property
    def unknown(self) -> Floats:
        """Numbers of which nothing is known: NaN for every tender, in one array that cannot be changed."""
        numbers = np.full(len(self), np.nan)
        numbers.flags.writeable = False
        return numbers

    def case_records(self, keys: Categorical[tuple[str, ...]]) -> Categorical[CaseRecord | None]:
        """The resolved cases under the keys of each tender, before its day; None if it has none."""
        none: Categorical[CaseRecords] = Categorical.single(NO_RECORDS, len(self))
        return longest_records(self.records.cases if self.records else none, keys)

    def register_feature(self, name: str) -> Floats:
        """What the records of a register say of each tender, by the name of the feature; NaN where they say nothing."""
        values = self.records.register.get(name) if self.records else None
        return self.unknown if values is None else np.asarray(values, dtype=np.float64)

    def with_records(self, records: TrackRecords) -> TenderTable:
        """The same tenders with other track records."""
        table = copy(self)
        table.records, table._computed = records, {}
        return table

    def about(self, outcome: str) -> TenderTable:
        """The same tenders with the records that speak of an outcome, where it has records of its own."""
        records = self.records
        if records is None or outcome not in records.outcomes:
            return self
        return self.with_records(msgspec.structs.replace(records, register=records.outcomes[outcome]))

    def _read(self, name: str) -> Any:
        column = COLUMNS[name]
        values = self.source.column(column) if column.known_at(self.stage) else None
        if values is None and column.is_number and not column.per:
            values = self.unknown
        elif values is None:
            size = len(self.owner(column.per)) if column.per else len(self)
            values = np.full(size, np.nan) if column.is_number else Categorical.single(column.unknown, size)
        self._columns[name] = values
        return values


def cached(function: Callable[[TenderTable], Result]) -> Callable[[TenderTable], Result]:
    """Lets a function of a table be computed once for each table, however many features use it."""

    @wraps(function)
    def computed(table: TenderTable) -> Result:
        return table.computed(function)

    return computed


def yes_no(condition: NDArray[np.bool_], *facts: Floats) -> Floats:
    """1 where a condition holds and 0 where it does not; NaN where one of the facts that it is about is unknown."""
    answers = condition.astype(np.float64)
    for values in facts:
        answers[np.isnan(values)] = np.nan
    return answers


def map_numbers(values: Floats, function: Callable[[float], float]) -> Floats:
    """What a function makes of each known number: computed once for each distinct one."""
    results = np.full(len(values), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    distinct, codes = np.unique(values[known], return_inverse=True)
    results[known] = np.array(list(map(function, distinct.tolist())), dtype=np.float64)[codes]
    return results


def period_days(stated: Floats, start: Floats, end: Floats) -> Floats:
    """Length of periods in days, as stated or else between the two days; NaN if unknown or reversed."""
    between = end - start
    return np.where(np.isnan(stated) & (between >= 0), between, stated)
