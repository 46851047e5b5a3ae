"""The cells of a table of forms by column, as the form reads them: each kind of cell once, and which rows are odd."""

from __future__ import annotations

from copy import copy
from functools import cache, reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.categorical import Categorical
from features.table import Floats, floats
from tenders import dates
from tenders.codelists import CURRENCIES
from tenders.columns import DAYS_A_YEAR, Column
from tenders.io import form
from tenders.io.form import LONGEST_UNKNOWN, MAX_COUNT, UNREADABLE, CellReader, clean_text
from tenders.io.ocds import MAX_LOTS
from tenders.io.tables import form_values
from tenders.tender import LARGEST

PLAIN = frozenset(field.name for field in form.FIELDS if field.kind != "list")
"""The keys that can be read by column: those that hold one value."""
_OF_AWARDS = [field.name for field in form.FIELDS if field.path.startswith("/awards/")]
"""The keys that fill an award."""
_UNREAD = frozenset({"description", "procurement_method_details", "risk_details", "no_lots_rationale"})
"""Texts that no column holds; any text will do."""
LONGEST = 200
"""Characters of a title or name that are kept."""


@cache
def _known(key: str, kind: pa.DataType) -> CellReader:
    """Kept from block to block, for the days and buyers of one are those of the next."""
    return CellReader(form.BY_KEY[key], _fine)


def _fine(field: Column, value: Any) -> bool:
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


class FormColumns:
    """The cells of a table by key, as the form reads them; None where a cell is empty or its column not there.

    `odd` marks the rows that are not to be read here, shape (rows,), those given and more; `keep` are the places of the
    others.
    """

    def __init__(self, table: pa.Table, odd: NDArray[np.bool_]) -> None:
        self._read: dict[str, Categorical[Any]] = {}
        self._numbers: dict[str, Floats] = {}
        self._titles: pa.Array | None = None
        self.odd = odd.copy()
        empty = np.ones(table.num_rows, dtype=bool)
        for name, column in zip(table.column_names, table.columns, strict=True):
            stated = _stated(column)
            empty &= ~stated
            if stated.any():
                if name not in PLAIN or not _is_plain(column.type):
                    self.odd |= stated
                elif name not in _UNREAD or not _is_utf_8(column):
                    self._take(form.BY_KEY[name], column.combine_chunks())
        # What a row without any cell is said to lack, `rows` says.
        self.odd |= empty
        self.keep = np.flatnonzero(~self.odd)

    def kept(self, name: str) -> Categorical[Any]:
        """The cells of the rows that are kept."""
        held = self._read.get(name)
        if held is None:
            return Categorical([None], np.zeros(len(self.keep), dtype=np.int32))
        return held if len(self.keep) == len(held) else Categorical(held.categories, held.codes[self.keep])

    def numbers(self, name: str) -> Floats:
        """The same cells as numbers."""
        held = self._numbers.get(name)
        if held is None:
            return self.kept(name).numbers(lambda value: value)
        return held if len(self.keep) == len(held) else held[self.keep]

    def days(self, name: str) -> Floats:
        """The same cells as `ordinals` tells days."""
        kept = self.kept(name)
        return floats(dates.ordinals(kept.categories))[kept.codes]

    def first_of(self, name: str, *others: str) -> Categorical[Any]:
        """Of each row the first of several cells that is not empty."""
        return reduce(either, map(self.kept, others), self.kept(name))

    def reached(self) -> NDArray[np.int64]:
        """The place in STAGES of the furthest of which a row holds a fact, as `latest_stage` tells it of a tender."""
        awarded = np.any([self._known(name) for name in _OF_AWARDS], axis=0)
        return np.where(awarded, 2, self._known("bidders").astype(np.int64))

    def only(self, rows: NDArray[np.bool_]) -> FormColumns:
        """The same for some of the rows that are kept."""
        found = copy(self)
        found.keep = self.keep[rows]
        return found

    def _known(self, name: str) -> NDArray[np.bool_]:
        return ~np.isnan(self.numbers(name)) if name in self._numbers else ~self.kept(name).where(is_none)

    def texts(self, name: str) -> pa.Array:
        """The same cells as texts, no longer than are shown."""
        if name == "title" and self._titles is not None:
            return self._titles if len(self.keep) == len(self._titles) else self._titles.take(pa.array(self.keep))
        kept = self.kept(name)
        texts = pa.array([text and text[:LONGEST] for text in kept.categories], pa.string())
        return texts.take(pa.array(kept.codes))

    def _take(self, field: Column, column: pa.Array) -> None:
        number = pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
        if number and field.kind in ("number", "count"):
            given = column.cast(pa.float64(), safe=False)
            numbers, (least, most) = given.to_numpy(zero_copy_only=False), _within(field)
            fine = (numbers >= least) & (numbers <= most) & ((field.kind == "number") | (numbers == np.floor(numbers)))
            self.odd |= ~fine & given.is_valid().to_numpy(zero_copy_only=False)
            self._numbers[field.name] = numbers
        elif field.name == "title" and _is_utf_8(column):
            self._titles = _titles(column)
        else:
            self._read[field.name] = self._values(field, _days(column) if field.kind == "date" else column)

    def _values(self, field: Column, column: pa.Array) -> Categorical[Any]:
        cells = column.dictionary_encode()
        read = _known(field.name, column.type)
        found = [*map(read.__getitem__, form_values(field.name, cells.dictionary)), None]
        place = cells.indices.fill_null(len(found) - 1).to_numpy()
        wrong = np.array([value is UNREADABLE for value in found])
        if wrong.any():
            self.odd |= wrong[place]
            found = [None if value is UNREADABLE else value for value in found]
        return Categorical(found, place)


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


def _titles(column: pa.Array) -> pa.Array:
    """Titles as `texted` gives them, no longer than are shown."""
    texts = column.cast(pa.string())
    bare = pc.equal(pc.utf8_trim_whitespace(texts), texts)
    if not pc.all(pc.and_(bare, pc.greater(pc.binary_length(texts), LONGEST_UNKNOWN))).as_py():
        texts = pa.array([clean_text(text) if text else None for text in texts.to_pylist()], pa.string())
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


def either(found: Categorical[Any], later: Categorical[Any]) -> Categorical[Any]:
    """What was found of each row, and where that is None the later."""
    empty = found.where(is_none)
    if not empty.any():
        return found
    place = np.where(empty, later.codes + len(found.categories), found.codes)
    return Categorical([*found.categories, *later.categories], place)


def is_none(cell: object) -> bool:
    """Whether a cell is empty."""
    return cell is None
