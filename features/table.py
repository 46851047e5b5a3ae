"""Columns: what features read of many tenders at once, an array a fact, so that a million are measured by arithmetic.

A fact here is known from some stage on, and neither that stage nor a later one takes it away (`tenders.stages`): it is
the same, read of a tender as of that stage or with all that came later. They are read by `features.table_builder`; once
they are, the tenders need not be held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.categorical import Categorical
from features.once import once
from features.track_records.case_records import Record, TrackRecord, recorded
from tenders.tender import Tender

Floats = NDArray[np.float64]
"""A number a tender, NaN for unknown; shape (tenders,)."""
Measure = Callable[[Tender, TrackRecord], float | None]
Column = Callable[["Columns"], Floats]
Held = TypeVar("Held", bound=msgspec.Struct)


class Values(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts, NaN where none is stated, each in the currency beside it."""

    amount: Floats
    currency: Categorical[str | None]


class Periods(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Periods: their length in days as stated, NaN where it is not; their first and last day, as `ordinals` tells."""

    stated: Floats
    start: Floats
    end: Floats

    @cached_property
    def between(self) -> Floats:
        """Days from the first to the last day, negative if reversed; NaN if either is unknown."""
        return self.end - self.start

    @cached_property
    def days(self) -> Floats:
        """Length in days, as stated or else between the two days; NaN if unknown or reversed."""
        return np.where(np.isnan(self.stated) & (self.between >= 0), self.between, self.stated)


class Columns(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Facts of tenders and what track records say of them, in the order of the tenders; NaN or None if not stated.

    `lots` counts lots; `lot_values` and `lot_periods` are those of the first tender's lots, then of the second's, and
    so on. `published` is a day as `tenders.dates.ordinals` tells it, and `dated` the text that tells the year.
    `unopened` says that the tender period has no first day. `buyers` and `markets` are the keys of track records.

    `competed`, whether suppliers compete, and `bidders`, how many there were, are read once bids are in. `awarded` and
    `started`, the days of the first award and of the first start of a contract, else of the planned one, and
    `suppliers`, the keys of their track records, once it is awarded. Before, they are unknown.
    """

    records: Categorical[TrackRecord]
    published: Floats
    dated: list[str | None]
    unopened: NDArray[np.bool_]
    tender_period: Periods
    enquiry_period: Periods
    contract_period: Periods
    value: Values
    budget: Values
    lots: Floats
    lot_values: Values
    lot_periods: Periods
    single_block: Floats
    service_lines: Floats
    first_of_its_kind: Floats
    incumbent_kind: Categorical[str | None]
    buyers: Categorical[tuple[str, ...]]
    markets: Categorical[tuple[str, ...]]
    competed: Floats
    bidders: Floats
    awarded: Floats
    started: Floats
    suppliers: Categorical[tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.lots)

    @cached_property
    def measured(self) -> dict[str, Floats]:
        """Features of them that were asked for, by name."""
        return {}


def joined(parts: Sequence[Held]) -> Held:
    """Parts of one type, one below the other."""
    first = parts[0]
    if len(parts) == 1:
        return first
    return type(first)(**{name: _below([getattr(part, name) for part in parts]) for name in first.__struct_fields__})


def _below(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    if isinstance(parts[0], list):
        return list(chain.from_iterable(parts))
    return Categorical.stacked(parts) if isinstance(parts[0], Categorical) else joined(parts)


def floats(values: Any) -> Floats:
    """Numbers and yes/no as floats, None as NaN, in an array of their own."""
    return np.array(values, dtype=np.float64)


def of_lots(columns: Columns) -> NDArray[np.int64]:
    """The place of each lot's tender, shape (lots,)."""
    return np.repeat(np.arange(len(columns)), columns.lots.astype(np.int64))


@once
def records_of_market(columns: Columns) -> Categorical[Record | None]:
    """The resolved cases of each tender's market; None if it has none."""
    return recorded(columns.records, columns.markets)
