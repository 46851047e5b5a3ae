"""Tables made of tenders: of one or a few, whose columns are read as they are asked for, or of a million as they come.

    builder = TableBuilder(columns_asked(functions, stage), stage)
    builder.add(chunk)            # reads exactly these columns, and lets the tenders go
    table = builder.table()

`columns_asked` runs the functions on an empty table that records which columns they read. So a feature has to read all
its columns before it looks at what they hold; a test checks that every feature does.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import cache, partial
from typing import Any

import numpy as np

from features.categorical import Categorical, CategoricalBuilder
from features.table import Floats, TenderTable, TrackRecords
from tenders import dates
from tenders.columns import COLUMNS, CURRENCY_CODES, Column
from tenders.facts import Stage
from tenders.tender import Lot, Procedure, Tender
from tenders.tender_chunk import TenderChunk, Values

CHECKED_BY: Mapping[tuple[type, str], tuple[str, ...]] = {
    (Procedure, "date_published"): ("published",),
    (Procedure, "value"): ("currency",),
    (Procedure, "tender_period"): ("tender_start", "tender_end"),
    (Procedure, "enquiry_period"): ("enquiry_start", "enquiry_end"),
    (Procedure, "contract_period"): ("contract_start", "contract_end"),
    (Lot, "value"): ("lot_currencies",),
    (Lot, "contract_period"): ("lot_start", "lot_end"),
}
"""Fields, by struct and name, of which reading these columns notices all that `tenders.io.ocds` would find wrong."""


def one_row(
    tender: Tender,
    stage: Stage = "awarded",
    published_on: date | None = None,
    records: TrackRecords | None = None,
) -> TenderTable:
    """A table of one tender as of a stage."""
    return TenderTable(stage, 1, _Tenders([tender], stage), Categorical.single(published_on), records)


def of_tenders(
    tenders: Sequence[Tender],
    stage: Stage = "awarded",
    published_on: Sequence[date | None] | None = None,
    records: TrackRecords | None = None,
) -> TenderTable:
    """A table of tenders that are held, as of a stage. They may know more than that."""
    days = None if published_on is None else Categorical.of(published_on)
    return TenderTable(stage, len(tenders), _Tenders(tenders, stage), days, records)


def columns_asked(functions: Iterable[Callable[[TenderTable], Any]], stage: Stage) -> frozenset[str]:
    """The columns that functions ask for of a table as of a stage."""
    trace = _Trace()
    table = TenderTable(stage, 0, trace)
    for function in functions:
        function(table)
    return frozenset(trace.names)


class TableBuilder:
    """Reads columns of tenders that come some at a time, and lets the tenders go.

    Tenders may know more than the stage. With `keep`, they are held besides, for what reads more of them than columns.
    """

    def __init__(self, columns: Iterable[str], stage: Stage, keep: bool = False) -> None:
        declared = [COLUMNS[name] for name in columns]
        self._counts = {column.per for column in declared if column.per}
        ordered = dict.fromkeys([*map(COLUMNS.__getitem__, sorted(self._counts)), *declared])
        self._growing = [_Growing(column) for column in ordered if column.known_at(stage)]
        self._stage = stage
        self._with_reader = [growing for growing in self._growing if growing.column.read]
        # The other columns are fields of an object: where no tender has it, all of them are unknown at once.
        self._of_object: dict[str, list[tuple[str, _Growing]]] = {}
        for growing in self._growing:
            if not growing.column.read:
                path, _, field = growing.column.path.rpartition("/")
                self._of_object.setdefault(path, []).append((field, growing))
        self._published = CategoricalBuilder[date | None]()
        self._kept: list[Tender] | None = [] if keep else None

    @property
    def checked(self) -> frozenset[tuple[type, str]]:
        """The fields, by struct and name, of which `add` notices what is wrong."""
        read = {growing.column.name for growing in self._growing}
        return frozenset(field for field, columns in CHECKED_BY.items() if read.issuperset(columns))

    def __len__(self) -> int:
        return len(self._published)

    def add(self, tenders: TenderChunk, published_on: Sequence[date | None] | None = None) -> None:
        """Reads more tenders, each with its day of publication.

        Raises ValueError if one of the fields that are `checked` holds a date or a currency that is none; then none of
        these is read.
        """
        read = [(growing, growing.read(tenders, self._stage)) for growing in self._with_reader]
        for path, columns in self._of_object.items():
            fields = tenders.fields(path)
            if fields is None:
                read += [(growing, None) for _, growing in columns]
            else:
                read += [(growing, growing.held(fields.known(field))) for field, growing in columns]
        # Counts have a reader and come first.
        sizes = {"": len(tenders)}
        for growing, values in read:
            if values is None:
                growing.unknown += sizes.get(growing.column.per, 0)
                continue
            growing.extend(values)
            if growing.column.name in self._counts:
                sizes[growing.column.name] = int(sum([count for count in values if not math.isnan(count)]))
        if published_on is None:
            self._published.repeat(None, len(tenders))
        else:
            self._published.extend(published_on)
        if self._kept is not None:
            self._kept += tenders.tenders

    def table(self) -> TenderTable:
        """The table of all of them."""
        columns = {growing.column.name: growing.whole() for growing in self._growing}
        source = _Built(columns, self._kept)
        return TenderTable(self._stage, len(self), source, self._published.categorical())


class _Tenders:
    """Columns of tenders that are held."""

    def __init__(self, tenders: Sequence[Tender], stage: Stage) -> None:
        self.tenders: Sequence[Tender] | None = tenders
        self._chunk, self._stage = TenderChunk(tenders), stage

    def column(self, column: Column) -> Floats | Categorical[Any] | None:
        values = column.values(self._chunk, self._stage)
        return None if values is None else _held_as(column.name)(values)


@cache
def _held_as(name: str) -> Callable[[Sequence[Any]], Floats | Categorical[Any]]:
    """How a column holds values of tenders."""
    column = COLUMNS[name]
    if column.kind == "date":
        return lambda texts: np.array(dates.ordinals(texts), dtype=np.float64)
    if column.is_number:
        return partial(np.array, dtype=np.float64)
    if column.categories:
        return lambda values: Categorical(_CURRENCY_LIST, np.array(_codes(values), dtype=np.int32))
    return lambda values: Categorical.single(values[0]) if len(values) == 1 else Categorical.of(values)


class _Built:
    """Columns that were read of tenders which may be gone."""

    def __init__(self, columns: Mapping[str, Any], tenders: Sequence[Tender] | None) -> None:
        self._columns, self.tenders = columns, tenders

    def column(self, column: Column) -> Floats | Categorical[Any] | None:
        if column.name not in self._columns:
            raise KeyError(f"{column.name} was not read: a feature has to ask for its columns whatever they hold")
        values: Floats | Categorical[Any] | None = self._columns[column.name]
        return values


class _Trace:
    """Columns of no tenders, with the names that were asked for."""

    tenders: Sequence[Tender] | None = ()

    def __init__(self) -> None:
        self.names: set[str] = set()

    def column(self, column: Column) -> None:
        self.names.add(column.name)


class _Growing:
    """One column as it is read. While all of it is unknown, only its length is held."""

    def __init__(self, column: Column) -> None:
        self.column, self._convert = column, _conversion(column)
        self._rows: array[float] | array[int] | CategoricalBuilder[Any]
        self._rows = array("d") if column.is_number else array("i") if column.categories else CategoricalBuilder()
        self.unknown = 0
        """How many unknown values came after those that are held."""

    def read(self, chunk: TenderChunk, stage: Stage) -> Any:
        """What it says of some tenders, as it is held; None if it is unknown of all."""
        return self.held(self.column.values(chunk, stage))

    def held(self, values: Values) -> Any:
        """Values as they are held; None if they are unknown."""
        return None if values is None else self._convert(values)

    def extend(self, values: Any) -> None:
        """Takes what was read."""
        if self.unknown:
            self._add_unknown()
        self._rows.extend(values)

    def whole(self) -> Floats | Categorical[Any] | None:
        """The whole column, None if it is unknown of all."""
        if not len(self._rows):
            return None
        self._add_unknown()
        if isinstance(self._rows, CategoricalBuilder):
            return self._rows.categorical()
        if self.column.is_number:
            return np.array(self._rows, dtype=np.float64)
        return Categorical(_CURRENCY_LIST, np.array(self._rows, dtype=np.int32))

    def _add_unknown(self) -> None:
        if isinstance(self._rows, CategoricalBuilder):
            self._rows.repeat(self.column.unknown, self.unknown)
        else:
            # NaN, or the code of no currency.
            unknown = math.nan if self.column.is_number else 0
            self._rows.extend(array(self._rows.typecode, [unknown]) * self.unknown)  # type: ignore[arg-type]
        self.unknown = 0


def _conversion(column: Column) -> Callable[[Sequence[Any]], Any]:
    """How values of a column are held."""
    if column.kind == "date":
        return _days
    if column.is_number:
        return _floats
    return _codes if column.categories else list


def _days(texts: Sequence[str | None]) -> array[float]:
    return array("d", dates.ordinals(texts))


def _floats(values: Sequence[float | None]) -> array[float]:
    try:
        return array("d", values)  # type: ignore[arg-type]
    except TypeError:
        return array("d", [math.nan if value is None else value for value in values])


def _codes(currencies: Sequence[str | None]) -> list[int]:
    try:
        return list(map(_CURRENCIES.__getitem__, currencies))
    except KeyError as error:
        raise ValueError(f"{error} is no currency") from None


_CURRENCY_LIST = list(CURRENCY_CODES)
_CURRENCIES = {currency: code for code, currency in enumerate(CURRENCY_CODES)}
