"""Columns: what features read of many tenders at once, a list a fact, so that a million are measured by arithmetic.

All facts here are known from the draft on and no stage takes them away (`tenders.stages`): they are the same, read of a
tender as it was published or as of any stage. Once they are read, the tenders need not be held.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, update_wrapper
from itertools import chain
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from features.once import once
from features.track_records import Record, TrackRecord, buyer_keys, market_keys
from tenders import dates
from tenders.tender import Lot, Period, Tender, Value

Floats = NDArray[np.float64]
"""A number a tender, NaN for unknown; shape (tenders,)."""
Numbers = Sequence[float | None] | Floats
"""The same as a list, None for unknown, or as an array."""
Measure = Callable[[Tender, TrackRecord], float | None]
Column = Callable[["Columns"], Floats]
Held = TypeVar("Held")


class Values:
    """Amounts, None where none is stated, each in the currency beside it."""

    def __init__(self, values: Iterable[Value | None] = ()) -> None:
        stated = [_NO_VALUE if value is None else value for value in values]
        self.amount: Numbers = [value.amount_gross if value.amount is None else value.amount for value in stated]
        self.currency = [value.currency for value in stated]


class Periods:
    """Periods: their length in days as stated, None where it is not; their first and last day, as `ordinals` tells."""

    def __init__(self, periods: Iterable[Period | None] = ()) -> None:
        stated = [_NO_PERIOD if period is None else period for period in periods]
        self.stated: Numbers = [period.duration_in_days for period in stated]
        self.start: Numbers = dates.ordinals([period.start_date for period in stated])
        self.end: Numbers = dates.ordinals([period.end_date for period in stated])

    @cached_property
    def between(self) -> Floats:
        """Days from the first to the last day, negative if reversed; NaN if either is unknown."""
        return floats(self.end) - floats(self.start)

    @cached_property
    def days(self) -> Floats:
        """Length in days, as stated or else between the two days; NaN if unknown or reversed."""
        found, between = floats(self.stated), self.between
        return np.where(np.isnan(found) & (between >= 0), between, found)


class Columns:
    """Facts of tenders and what track records say of them, in the order of the tenders; None where it is not stated.

    `lots` counts lots; `lot_values` and `lot_periods` are those of the first tender's lots, then of the second's, and
    so on. `published` is a day as `tenders.dates.ordinals` tells it, and `dated` the text that tells the year.
    `unopened` says that the tender period has no first day. `buyers` and `markets` are the keys of track records.
    `measured` are features of them that were asked for, by name.
    """

    def __init__(self, tenders: Sequence[Tender] = (), records: Sequence[TrackRecord] = ()) -> None:
        sections = [tender.tender for tender in tenders]
        facts = [tender.tender_risk for tender in tenders]
        divided = [section.lots for section in sections]
        lots: list[Lot] = list(chain.from_iterable(divided))
        self.measured: dict[str, Floats] = {}
        self.records = list(records)
        self.published = dates.ordinals([section.date_published for section in sections])
        self.dated = [
            section.date_published
            or (section.tender_period and (section.tender_period.start_date or section.tender_period.end_date))
            or tender.date
            for tender, section in zip(tenders, sections, strict=True)
        ]
        self.unopened = [
            section.tender_period is None or section.tender_period.start_date is None for section in sections
        ]
        self.tender_period = Periods([section.tender_period for section in sections])
        self.enquiry_period = Periods([section.enquiry_period for section in sections])
        self.contract_period = Periods([section.contract_period for section in sections])
        self.value = Values([section.value for section in sections])
        self.budget = Values([_budget(tender) for tender in tenders])
        self.lots: Numbers = [len(each) for each in divided]
        self.lot_values = Values([lot.value for lot in lots])
        self.lot_periods = Periods([lot.contract_period for lot in lots])
        self.single_block = [each.single_block for each in facts]
        self.service_lines = [each.service_lines for each in facts]
        self.first_of_its_kind = [each.first_of_its_kind for each in facts]
        self.incumbent_kind = [each.incumbent_kind for each in facts]
        self.buyers = [buyer_keys(tender) for tender in tenders]
        self.markets = [market_keys(tender) for tender in tenders]

    def __len__(self) -> int:
        return len(self.lots)


def joined(parts: Sequence[Held], kind: type[Held]) -> Held:
    """Parts one below the other."""
    if len(parts) == 1:
        return parts[0]
    whole = kind()
    for name, empty in vars(whole).items():
        if isinstance(empty, dict):
            continue
        below = [getattr(part, name) for part in parts]
        setattr(whole, name, list(chain(*below)) if isinstance(empty, list) else joined(below, type(empty)))
    return whole


class by_column:  # noqa: N801 (a decorator)
    """A feature of many tenders as one of a single tender; `column` measures it of many.

    So a feature that is arithmetic is written once and costs a portfolio next to nothing.
    """

    def __init__(self, column: Column) -> None:
        self._column = column
        self.__name__ = column.__name__
        update_wrapper(self, column)

    def column(self, columns: Columns) -> Floats:
        """The feature of many tenders: measured once, however many ask for it. Not to be changed."""
        found = columns.measured.get(self.__name__)
        if found is None:
            found = columns.measured[self.__name__] = self._column(columns)
        return found

    def __call__(self, tender: Tender, track_record: TrackRecord) -> float | None:
        value = float(self.column(alone(tender, track_record))[0])
        return None if math.isnan(value) else value


def floats(values: Numbers) -> Floats:
    """Numbers and yes/no as floats, in an array of their own."""
    return np.array(values, dtype=np.float64)


def of_lots(columns: Columns) -> NDArray[np.int64]:
    """The place of each lot's tender, shape (lots,)."""
    return np.repeat(np.arange(len(columns)), np.array(columns.lots, dtype=np.int64))


def alone(tender: Tender, track_record: TrackRecord) -> Columns:
    """The columns of one tender, made once for its features and signs, which are read one after the other."""
    global _last
    held = _last
    if held is None or held[0] is not tender or held[1] is not track_record:
        _last = held = (tender, track_record, Columns([tender], [track_record]))
    return held[2]


@once
def records_of_market(columns: Columns) -> list[Record | None]:
    """The resolved cases of each tender's market; None if it has none."""
    return [record.of(keys) for record, keys in zip(columns.records, columns.markets, strict=True)]


def _budget(tender: Tender) -> Value | None:
    return tender.planning.budget.amount if tender.planning and tender.planning.budget else None


_last: tuple[Tender, TrackRecord, Columns] | None = None
_NO_VALUE, _NO_PERIOD = Value(), Period()
