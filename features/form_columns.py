"""Tables of forms (Parquet, CSV, XLSX) as tables of tenders: many rows at once, and none as a tender.

A cell of a form is the column of its name (`tenders.columns`). A row with an unusual cell, or with a cell that makes
sense only beside another, is left to `tenders.io.rows`, which reads it alone or says what is wrong with it. Tests check
that every row read here is what it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from copy import copy
from datetime import date
from functools import cache, reduce
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.categorical import Categorical
from features.table import Floats, TenderTable
from tenders import dates
from tenders.codelists import CURRENCIES
from tenders.columns import COLUMNS, DAYS_A_YEAR, Column
from tenders.defaults import (
    LONG_COUNT,
    LONG_DURATION,
    NAMED_SUPPLIER,
    are_no_amounts,
    days_to_examine,
    zero_count,
)
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.io.checks import MAX_LOTS
from tenders.io.form import LONGEST_UNKNOWN, MAX_COUNT, UNREADABLE, CellReader, clean_text
from tenders.io.read import unread_warnings
from tenders.io.streams import Block
from tenders.io.tables import FormRows, form_values, read_arrow
from tenders.process import AWARD_LAG
from tenders.stages import last_day
from tenders.tender import LARGEST, Tender

PLAIN = frozenset(field.name for field in form.FIELDS if field.kind != "list")
"""The keys that can be read by column: those that hold one value."""
OF_AWARDS = [field.name for field in form.FIELDS if field.path.startswith("/awards/")]
"""The keys that fill an award."""
DAY_KEYS = ("published", "tender_start", "tender_end", "contract_start", "contract_end", "award_date")
DURATIONS = {"tender_period_days": (1.0, 10.0), "enquiry_period_days": (1.0, 10.0), "term_years": (DAYS_A_YEAR, 100.0)}
"""Keys of durations: the days in one of their unit, and the years beyond which one is a default."""
LONGEST = 200
"""Characters of a title or name that are shown."""
NOWHERE = -1


class FormTable(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table of forms that are scored at one stage: their numbers, their cells, and the table of them.

    `odd` are the numbers of the rows that were left out.
    """

    numbers: NDArray[np.int64]
    cells: FormCells
    table: TenderTable
    warnings: tuple[str, ...]
    odd: frozenset[int]


def form_tables(
    block: Block, most: int, stage: Callable[[Stage], Stage | None], reached: Stage | None = None
) -> Iterator[FormTable]:
    """The rows of a block of FORM_BLOCKS, of up to `most` at a time those of each stage.

    `stage` tells at which one what has reached a stage is scored, or None if it is not to be read here. Rows that have
    not reached the stage `reached` are left out.
    """
    table, unread, odd = _arrow_table(block)
    warnings = tuple(unread_warnings([f"/{name}" for name in unread]))
    for at in range(0, table.num_rows, most):
        cells = FormCells(table.slice(at, most), odd[at : at + most])
        first = block.first + at
        scored = np.array([NOWHERE if at is None else STAGES.index(at) for at in map(stage, STAGES)])
        scored = scored[cells.latest_stage()]
        if reached:
            scored[~cells.has_reached(reached)] = NOWHERE
        cells.odd[cells.keep[scored == NOWHERE]] = True
        left_out = frozenset((np.flatnonzero(cells.odd) + first).tolist())
        for place in sorted({*scored.tolist()} - {NOWHERE}) or [0]:
            some = cells.only(scored == place)
            yield FormTable(
                numbers=first + some.keep,
                cells=some,
                table=TenderTable(STAGES[place], len(some.keep), some, some.published_on()),
                warnings=warnings,
                odd=left_out,
            )


class FormCells:
    """The cells of a table by key, as the form reads them; None where a cell is empty or its column not there.

    `odd` marks the rows that cannot be read here, shape (rows,); `keep` are the indices of the others.
    """

    tenders: Sequence[Tender] | None = None

    def __init__(self, table: pa.Table, odd: NDArray[np.bool_]) -> None:
        self._cells: dict[str, Categorical[Any]] = {}
        self._numbers: dict[str, Floats] = {}
        self._texts: dict[str, pa.Array] = {}
        self._days: dict[str, Floats] = {}
        self._titles: list[pa.Array] = []
        self.odd = odd.copy()
        empty = np.ones(table.num_rows, dtype=bool)
        for name, column in zip(table.column_names, table.columns, strict=True):
            stated = _stated(column)
            empty &= ~stated
            if stated.any():
                if name not in PLAIN or not _is_plain(column.type):
                    self.odd |= stated
                else:
                    self._take(form.BY_KEY[name], column.combine_chunks())
        # `tenders.io.rows` says what a row without any cell lacks.
        self.odd |= empty
        self.keep = np.arange(table.num_rows)
        self.no_count = np.zeros(table.num_rows, dtype=bool)
        self._take_out_defaults()
        self.keep = np.flatnonzero(~self.odd)

    def _take_out_defaults(self) -> None:
        """Marks rows that could hold what `tenders.defaults` takes out: they are read one by one.

        Only a count of 0 is taken out here, because it is frequent: `no_count` marks these rows.
        """
        known = {*self._numbers, *self._cells}
        unknown = np.full(len(self.keep), np.nan)
        if not known.isdisjoint(DAY_KEYS):
            published, start, end, first, last, awarded = (
                self.days(name) if name in known else unknown for name in DAY_KEYS
            )
            self.odd |= days_to_examine(published, (start, end), (first, last), awarded)
        for name in known & {"value", "award_value"}:
            self.odd |= are_no_amounts(self.number(name))
        for name in known & DURATIONS.keys():
            days, (unit, most_years) = self.number(name), DURATIONS[name]
            self.odd |= (days * unit <= 0) | (days * unit > most_years * DAYS_A_YEAR) | (days * unit >= LONG_DURATION)
        if "bidders" in known:
            bidders = self.number("bidders")
            self.odd |= bidders >= LONG_COUNT
            self.no_count = (bidders == 0) & self.is_known("supplier")
            if self.no_count.any():
                self._numbers["bidders"] = np.where(self.no_count, np.nan, bidders)

    def warnings(self) -> list[tuple[str, ...]]:
        """What has to be said of the cells of each row."""
        warning = (str(zero_count("/bidders", NAMED_SUPPLIER)),)
        return [warning if no_count else () for no_count in self.no_count[self.keep].tolist()]

    def column(self, column: Column) -> Floats | Categorical[Any] | None:
        """A column of the rows that are kept; None if no key fills it."""
        if column.of_form:
            values: Floats | Categorical[Any] | None = column.of_form(self)
            return values
        if column.name not in PLAIN:
            return None
        if column.kind == "date":
            return self.days(column.name)
        return self.number(column.name) if column.is_number else self.text(column.name)

    def text(self, name: str) -> Categorical[Any]:
        """The cells of a key."""
        if name in self._texts and name not in self._cells:
            cells = self._texts[name].dictionary_encode()
            texts = [*_clean(cells.dictionary.cast(pa.string())).to_pylist(), None]
            self._cells[name] = Categorical(texts, cells.indices.fill_null(len(texts) - 1).to_numpy())
        cells = self._cells.get(name)
        if cells is None:
            return Categorical.single(None, len(self.keep))
        return cells if len(self.keep) == len(cells) else Categorical(cells.categories, cells.codes[self.keep])

    def number(self, name: str) -> Floats:
        """The same cells as numbers."""
        numbers = self._numbers.get(name)
        if numbers is None:
            return self.text(name).numbers(lambda value: value)
        return numbers if len(self.keep) == len(numbers) else numbers[self.keep]

    def days(self, name: str) -> Floats:
        """The same cells as days (`tenders.dates.ordinals`)."""
        if name not in self._days:
            cells = self._cells.get(name)
            if cells is None:
                return np.full(len(self.keep), np.nan)
            self._days[name] = np.array(dates.ordinals(cells.categories), dtype=np.float64)[cells.codes]
        days = self._days[name]
        return days if len(self.keep) == len(days) else days[self.keep]

    def first(self, name: str, *others: str) -> Categorical[Any]:
        """Of each row the first of several cells that is not empty."""
        return reduce(_either, map(self.text, others), self.text(name))

    def is_known(self, name: str) -> NDArray[np.bool_]:
        """Which rows have the cell."""
        return ~np.isnan(self.number(name)) if name in self._numbers else ~self.text(name).where(_is_none)

    def with_default(self, name: str, default: str, where: str) -> Categorical[Any]:
        """The cells, and where they are empty and those of `where` are not, a default."""
        cells, known = self.text(name), self.is_known(where)
        instead = Categorical([None, default], known.astype(np.int32))
        return _either(cells, instead)

    def in_codes(self, name: str, cells: Categorical[Any]) -> Categorical[Any]:
        """Cells with the codes of a column whose categories are given beforehand."""
        categories = COLUMNS[name].categories
        codes = np.array([categories.index(value) for value in cells.categories], dtype=np.int32)
        return Categorical(list(categories), codes[cells.codes])

    def where_known(self, name: str, cells: Categorical[Any]) -> Categorical[Any]:
        """The cells where those of another key are not empty, else None."""
        return _either(Categorical([None], np.zeros(len(cells), dtype=np.int32)), cells, self.is_known(name))

    def spread(self, count: str, values: Any) -> Any:
        """Values of rows as the values of their entries, of which the column `count` tells how many each has."""
        counts = np.nan_to_num(np.asarray(self.column(COLUMNS[count]), dtype=np.float64)).astype(np.int64)
        if isinstance(values, Categorical):
            return Categorical(values.categories, np.repeat(values.codes, counts))
        return np.repeat(values, counts)

    def published_on(self) -> Categorical[date | None]:
        """The day of each row, as `tenders.process.published_on` tells it of a tender."""
        stated = self.first("published", "tender_start").map(_first_day)
        return _either(stated, self.text("award_date").map(_first_day).map(lambda day: day and day - AWARD_LAG))

    def latest_stage(self) -> NDArray[np.int64]:
        """The index in STAGES of the furthest of which a row holds a fact, as `tenders.stages` tells it of a tender."""
        today = str(dates.today())
        planned = self.text("award_date").where(lambda day: day is not None and day[:10] > today)
        awarded = np.any([self.is_known(name) for name in OF_AWARDS], axis=0) & ~planned
        return np.where(awarded, 2, self.is_known("bidders").astype(np.int64))

    def has_reached(self, stage: Stage) -> NDArray[np.bool_]:
        """Which rows have reached a stage, as `tenders.stages.has_reached` tells it of a tender."""
        latest = self.latest_stage()
        if stage == "bids_in":
            end = self.text("tender_end").numbers(_last_day)
            start = self.first("tender_start", "published").numbers(_last_day)
            due = np.where(np.isnan(end), start + self.number("tender_period_days"), end)
            latest = np.where(due <= dates.today().toordinal(), np.maximum(latest, 1), latest)
        reached: NDArray[np.bool_] = latest >= STAGES.index(stage)
        return reached

    def only(self, rows: NDArray[np.bool_]) -> FormCells:
        """The same for some of the rows that are kept."""
        selected = copy(self)
        selected.keep = self.keep[rows]
        return selected

    def shown(self, name: str) -> pa.Array:
        """The cells as texts, no longer than are shown."""
        if name == "title" and name in self._texts:
            # Shared with all stages of these rows.
            self._titles[:] = self._titles or [_cut(_clean(self._texts[name].cast(pa.string())))]
            (titles,) = self._titles
            return titles if len(self.keep) == len(titles) else titles.take(pa.array(self.keep))
        cells = self.text(name)
        return _cut(pa.array(cells.categories, pa.string())).take(pa.array(cells.codes))

    def _take(self, field: Column, column: pa.Array) -> None:
        number = pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
        if number and field.kind in ("number", "count"):
            floats = column.cast(pa.float64(), safe=False)
            numbers, (least, most) = floats.to_numpy(zero_copy_only=False), _within(field)
            fine = (numbers >= least) & (numbers <= most) & ((field.kind == "number") | (numbers == np.floor(numbers)))
            self.odd |= ~fine & floats.is_valid().to_numpy(zero_copy_only=False)
            self._numbers[field.name] = numbers
        elif field.kind == "text" and field.name != "currency" and _is_utf_8(column):
            # Every text is valid, so it need not be read before a feature needs it.
            self._texts[field.name] = column
        else:
            self._cells[field.name] = self._values(field, _days(column) if field.kind == "date" else column)

    def _values(self, field: Column, column: pa.Array) -> Categorical[Any]:
        if pa.types.is_float16(column.type):
            # Arrow has no dictionaries of these.
            column = column.cast(pa.float32())
        cells = column.dictionary_encode()
        read = _reader(field.name, column.type)
        values = [*map(read.__getitem__, form_values(field.name, cells.dictionary)), None]
        codes = cells.indices.fill_null(len(values) - 1).to_numpy()
        wrong = np.array([value is UNREADABLE for value in values])
        if wrong.any():
            self.odd |= wrong[codes]
            values = [None if value is UNREADABLE else value for value in values]
        return Categorical(values, codes)


class _KeyTrace(FormCells):
    """Cells without a row, which keep the keys that columns ask for."""

    def __init__(self) -> None:
        super().__init__(pa.table({}), np.zeros(0, dtype=bool))
        self.keys = set[str]()

    def text(self, name: str) -> Categorical[Any]:
        self.keys.add(name)
        return super().text(name)

    def days(self, name: str) -> Floats:
        self.keys.add(name)
        return super().days(name)


def keys_read(columns: Collection[str]) -> frozenset[str]:
    """The keys of the form from which columns of tenders are computed."""
    trace = _KeyTrace()
    for name in columns:
        trace.column(COLUMNS[name])
    # A table of cells has no lists: these are read one tender at a time.
    return frozenset(trace.keys | {field.name for field in form.FIELDS if field.name in columns})


def _either(
    first: Categorical[Any], second: Categorical[Any], second_where: NDArray[np.bool_] | None = None
) -> Categorical[Any]:
    """The value of the first column in each row, and where that is None (or where it is said) that of the second."""
    take = first.where(_is_none) if second_where is None else second_where
    if not take.any():
        return first
    codes = np.where(take, second.codes + len(first.categories), first.codes)
    return Categorical([*first.categories, *second.categories], codes)


def _is_none(cell: object) -> bool:
    return cell is None


def _last_day(text: str | None) -> float | None:
    return last_day(text, None, None)


def _first_day(text: str | None) -> date | None:
    return dates.earliest(text) if text else None


def _arrow_table(block: Block) -> tuple[pa.Table, list[str], NDArray[np.bool_]]:
    """The rows of a block, the names of the columns that are not read, and which rows are no rows of cells."""
    if block.kind == "arrow":
        table, unread = read_arrow(block.data)
        return table, unread, np.zeros(table.num_rows, dtype=bool)
    cells = msgspec.msgpack.decode(block.data, type=FormRows)
    nothing = [""] * len(cells.columns)
    # A row of text says why it is none; one that is short lacks its last cells.
    rows = [nothing if isinstance(row, str) else [*row, *nothing[len(row) :]] for row in cells.rows]
    texts = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    odd = np.array([isinstance(row, str) for row in cells.rows])
    return pa.table(dict(zip(cells.columns, texts, strict=True))), cells.unread, odd


@cache
def _reader(key: str, kind: pa.DataType) -> CellReader:
    """Kept from block to block, for the days and buyers of one are those of the next."""
    return CellReader(form.BY_KEY[key], _is_valid)


def _is_valid(field: Column, value: Any) -> bool:
    """Whether a release may hold what the form reads."""
    if field.kind == "date":
        return dates.problem(value) is None
    if field.kind in ("number", "count"):
        least, most = _within(field)
        return bool(least <= value <= most)
    return field.name != "currency" or value in CURRENCIES


def _within(field: Column) -> tuple[float, float]:
    """The least and the most that a release may hold of a number, whole where it is a count."""
    return _WITHIN.get(field.name, (0, MAX_COUNT if field.kind == "count" else LARGEST))


_WITHIN = {"lots": (0, MAX_LOTS), "service_lines": (1, MAX_COUNT), "term_years": (0, LARGEST / DAYS_A_YEAR)}


def _days(column: pa.Array) -> pa.Array:
    """Instants as the days that they name, of which a register has few; what names no instant stays as it is."""
    if pa.types.is_timestamp(column.type) and column.type.tz in (None, "UTC"):
        return column.cast(pa.date32(), safe=False)
    if not _is_utf_8(column):
        return column
    if _are_instants(column):
        return pc.utf8_slice_codeunits(column, 0, 10)
    longer = pc.match_like(column, "____-__-___%").fill_null(False)
    texts = column.filter(longer).to_pylist()
    try:
        dates.ordinals(texts)
    except ValueError:
        places = np.flatnonzero(longer.to_numpy(zero_copy_only=False))
        fine = np.zeros(len(column), dtype=bool)
        fine[places] = [dates.problem(text) is None for text in texts]
        longer = pa.array(fine)
    return pc.if_else(longer, pc.utf8_slice_codeunits(column, 0, 10), column) if texts else column


def _are_instants(column: pa.Array) -> bool:
    """Whether Arrow reads every text as a day or an instant, all with a zone or all without: ISO 8601, as ours are."""
    for kind in (pa.timestamp("ns", "UTC"), pa.timestamp("ns")):
        try:
            column.cast(kind)
        except pa.ArrowInvalid:
            continue
        return True
    return False


def _clean(texts: pa.Array) -> pa.Array:
    """Texts as `clean_text` gives them. Most of most columns are clean, which Arrow sees faster."""
    bare = pc.equal(pc.utf8_trim_whitespace(texts), texts)
    if pc.all(pc.and_(bare, pc.greater(pc.binary_length(texts), LONGEST_UNKNOWN))).as_py():
        return texts
    return pa.array([clean_text(text) if text else None for text in texts.to_pylist()], pa.string())


def _cut(texts: pa.Array) -> pa.Array:
    """Texts no longer than are shown."""
    long = pc.greater(pc.binary_length(texts), LONGEST)
    return pc.utf8_slice_codeunits(texts, 0, LONGEST) if pc.any(long).as_py() else texts


def _stated(column: Any) -> NDArray[np.bool_]:
    """Where a column is not empty."""
    known: NDArray[np.bool_] = column.is_valid().to_numpy()
    return known & pc.not_equal(column, "").fill_null(False).to_numpy() if _is_text(column) else known


def _is_text(column: Any) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _is_utf_8(column: Any) -> bool:
    """Whether it is a column of texts that are texts."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return _is_text(column)


def _is_plain(kind: pa.DataType) -> bool:
    """Whether cells are of a type that the form's tests know; rows of any other are read one by one."""
    return any(test(kind) for test in _PLAIN_TYPES)


_PLAIN_TYPES = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_boolean,
    pa.types.is_date,
    pa.types.is_timestamp,
)
