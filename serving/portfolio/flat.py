"""Rows of a table of forms as columns, many at once and none as a tender: what most rows of most tables hold.

A row of which a cell is out of the ordinary, or can be told only by what stands beside it, is left to `rows`, which
says what is wrong with it or reads it one by one. The tests hold every row that is read here to what is read there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.columns import Columns, Floats, Periods, Values, floats
from features.keys import BUYERS, MARKETS
from serving.portfolio import arrow
from serving.portfolio.blocks import Block
from tenders import dates, form
from tenders.checks import MAX_LOTS, date_problem
from tenders.codelists import CURRENCIES
from tenders.fields import MAX_COUNT, WRONG, Column, Field, texted
from tenders.reading import unread_warning
from tenders.tender import LARGEST

PLAIN = frozenset(field.key for field in form.FIELDS if field.stage == "draft" and field.kind != "list")
"""The keys that can be read by column: those of a draft that hold one value."""
_UNREAD = frozenset({"description", "procurement_method_details", "risk_details", "no_lots_rationale"})
"""Texts that no column holds; any text will do."""


class Flat(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table: their numbers, what is read of them, and what a table of scores says of each.

    The columns are without track records, which a bundle has. `odd` are the numbers of the rows that were left out.
    """

    numbers: list[int]
    columns: Columns
    published: list[date | None]
    about: dict[str, list[str | None]]
    warnings: tuple[str, ...]
    odd: frozenset[int]


def flat(block: Block, most: int) -> Iterator[Flat]:
    """The rows of a block of kind `arrow`, up to `most` at a time."""
    table, unread = arrow.table(block.data)
    warnings = tuple(unread_warning([f"/{name}" for name in unread]))
    for at in range(0, table.num_rows, most):
        cells = _Cells(table.slice(at, most))
        first, keep = block.first + at, np.flatnonzero(~cells.odd).tolist()
        published = cells.first_of(("published", "tender_start"), keep)
        yield Flat(
            numbers=[first + place for place in keep],
            columns=_columns(cells, keep),
            published=dates.first_days(published),
            about={name: cells.kept(name, keep) for name in ("title", "buyer", "region", "category")},
            warnings=warnings,
            odd=frozenset((np.flatnonzero(cells.odd) + first).tolist()),
        )


@cache
def _known(key: str, kind: pa.DataType) -> Column:
    """Kept from block to block, for the days and buyers of one are those of the next."""
    return Column(form.BY_KEY[key], _fine)


def _fine(field: Field, value: Any) -> bool:
    """Whether a release may hold what the form reads."""
    if field.kind == "date":
        return date_problem(value) is None
    if field.kind in ("number", "count"):
        least, most = _within(field)
        return bool(least <= value <= most)
    return field.key != "currency" or value in CURRENCIES


def _within(field: Field) -> tuple[float, float]:
    """The least and the most that a release may hold of a number, whole where it is a count."""
    return _WITHIN.get(field.key, (0, MAX_COUNT if field.kind == "count" else LARGEST))


_WITHIN = {"lots": (0, MAX_LOTS), "service_lines": (1, MAX_COUNT), "term_years": (0, LARGEST / form.DAYS_A_YEAR)}


class _Cells:
    """The cells of a table by key, as the form reads them; None where a cell is empty or its column not there.

    `odd` marks the rows that are not to be read here, shape (rows,).
    """

    def __init__(self, table: pa.Table) -> None:
        self._read: dict[str, list[Any]] = {}
        self._numbers: dict[str, Floats] = {}
        self.odd = np.zeros(table.num_rows, dtype=bool)
        empty = np.ones(table.num_rows, dtype=bool)
        for name, column in zip(table.column_names, table.columns, strict=True):
            stated = _stated(column)
            empty &= ~stated
            if stated.any():
                if name not in PLAIN or not _is_plain(column.type):
                    self.odd |= stated
                elif name not in _UNREAD or not _is_utf_8(column):
                    self._take(form.BY_KEY[name], column)
        # What a row without any cell is said to lack, `rows` says.
        self.odd |= empty

    def kept(self, name: str, keep: Sequence[int]) -> list[Any]:
        """The cells of some rows."""
        held = self._read.get(name)
        if held is None:
            return [None] * len(keep)
        return held if len(keep) == len(held) else [held[place] for place in keep]

    def numbers(self, name: str, keep: Sequence[int]) -> Floats:
        """The cells of some rows as numbers."""
        held = self._numbers.get(name)
        if held is not None:
            return held if len(keep) == len(held) else held[keep]
        return floats(self.kept(name, keep)) if name in self._read else np.full(len(keep), math.nan)

    def first_of(self, names: Sequence[str], keep: Sequence[int]) -> list[Any]:
        """Of each row the first of several cells that is not empty."""
        found = self.kept(names[0], keep)
        for name in names[1:]:
            later = self.kept(name, keep)
            found = [other if value is None else value for value, other in zip(found, later, strict=True)]
        return found

    def _take(self, field: Field, column: Any) -> None:
        number = pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
        if number and field.kind in ("number", "count"):
            given = column.cast(pa.float64(), safe=False)
            numbers, (least, most) = given.to_numpy(), _within(field)
            fine = (numbers >= least) & (numbers <= most) & ((field.kind == "number") | (numbers == np.floor(numbers)))
            self.odd |= ~fine & given.is_valid().to_numpy()
            self._numbers[field.key] = numbers
        else:
            self._read[field.key] = self._values(field, column)

    def _values(self, field: Field, column: Any) -> list[Any]:
        given = arrow.values(field.key, column)
        if field.key == "title" and {*map(type, given)} <= {str, type(None)}:
            return [None if text is None else texted(text) for text in given]
        found = list(map(_known(field.key, column.type).__getitem__, given))
        if WRONG in found:
            self.odd |= np.array([value is WRONG for value in found])
        return found


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


def _columns(cells: _Cells, keep: Sequence[int]) -> Columns:
    def kept(name: str) -> list[Any]:
        return cells.kept(name, keep)

    def numbers(name: str) -> Floats:
        return cells.numbers(name, keep)

    def days(name: str) -> Floats:
        return floats(dates.ordinals(kept(name)))

    none = np.full(len(keep), math.nan)
    amounts, lots = numbers("value"), np.nan_to_num(numbers("lots"))
    currency = [
        given or (None if math.isnan(amount) else form.CURRENCY)
        for given, amount in zip(kept("currency"), amounts.tolist(), strict=True)
    ]
    of_lots = np.full(int(lots.sum()), math.nan)
    return Columns(
        records=[],
        published=days("published"),
        dated=cells.first_of(("published", "tender_start", "tender_end"), keep),
        unopened=[text is None for text in kept("tender_start")],
        tender_period=Periods(stated=numbers("tender_period_days"), start=days("tender_start"), end=days("tender_end")),
        enquiry_period=Periods(stated=numbers("enquiry_period_days"), start=none, end=none),
        contract_period=Periods(
            stated=numbers("term_years") * form.DAYS_A_YEAR,
            start=days("contract_start"),
            end=days("contract_end"),
        ),
        value=Values(amount=amounts, currency=currency),
        budget=Values(amount=none, currency=[None] * len(none)),
        lots=lots,
        lot_values=Values(amount=of_lots, currency=[None] * len(of_lots)),
        lot_periods=Periods(stated=of_lots, start=of_lots, end=of_lots),
        single_block=numbers("single_block"),
        service_lines=numbers("service_lines"),
        first_of_its_kind=numbers("first_of_its_kind"),
        incumbent_kind=kept("incumbent_kind"),
        buyers=BUYERS.each(zip(kept("buyer"), kept("procuring_entity"), strict=True)),
        markets=[() if code is None else MARKETS[code,] for code in kept("cpv")],
    )
