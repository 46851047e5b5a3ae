"""Columns: what features read of many tenders at once, a list a fact, so that a million are measured by arithmetic.

All facts here are known from the draft on and no stage takes them away (`tenders.stages`): they are the same, read of a
tender as it was published or as of any stage. Once they are read, the tenders need not be held.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property, update_wrapper
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from features.once import once
from features.track_records import Record, TrackRecord, buyer_keys, market_keys
from tenders import dates
from tenders.tender import Period, Planning, Tender, Value

Floats = NDArray[np.float64]
"""A number a tender, NaN for unknown; shape (tenders,)."""
Numbers = Any
"""The same as a list, None for unknown too, or as an array."""
Measure = Callable[[Tender, TrackRecord], float | None]
Column = Callable[["Columns"], Floats]
Held = TypeVar("Held")


class Values:
    """Amounts, None where none is stated, each in the currency beside it."""

    def __init__(self) -> None:
        self.amount: Numbers = []
        self.currency: list[str | None] = []

    def add(self, values: Sequence[Value | None]) -> None:
        """Reads more values."""
        if not any(values):
            self.amount += [math.nan] * len(values)
            self.currency += [None] * len(values)
            return
        stated = [_NO_VALUE if value is None else value for value in values]
        self.amount += [value.amount_gross if value.amount is None else value.amount for value in stated]
        self.currency += [value.currency for value in stated]


class Periods:
    """Periods: their length in days as stated, None where it is not; their first and last day, as `ordinals` tells."""

    def __init__(self) -> None:
        self.stated: Numbers = []
        self.start: Numbers = []
        self.end: Numbers = []

    def add(self, periods: Sequence[Period | None]) -> None:
        """Reads more periods."""
        if not any(periods):
            for held in (self.stated, self.start, self.end):
                held.extend([math.nan] * len(periods))
            return
        stated = [_NO_PERIOD if period is None else period for period in periods]
        self.stated += [period.duration_in_days for period in stated]
        self.start += dates.ordinals([period.start_date for period in stated])
        self.end += dates.ordinals([period.end_date for period in stated])

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
        self.measured: dict[str, Floats] = {}
        self.records: list[TrackRecord] = []
        self.published: Numbers = []
        self.dated: list[str | None] = []
        self.unopened: list[bool] = []
        self.tender_period, self.enquiry_period, self.contract_period = Periods(), Periods(), Periods()
        self.value, self.budget = Values(), Values()
        self.lots: Numbers = []
        self.lot_values, self.lot_periods = Values(), Periods()
        self.single_block: Numbers = []
        self.service_lines: Numbers = []
        self.first_of_its_kind: Numbers = []
        self.incumbent_kind: list[str | None] = []
        self.buyers: list[tuple[str, ...]] = []
        self.markets: list[tuple[str, ...]] = []
        self.add(tenders, records)

    def add(self, tenders: Sequence[Tender], records: Sequence[TrackRecord]) -> None:
        """Reads more tenders, each with its track record, before anything is measured."""
        sections = [tender.tender for tender in tenders]
        periods = [section.tender_period for section in sections]
        published = [section.date_published for section in sections]
        divided = [section.lots for section in sections]
        lots = list(chain.from_iterable(divided))
        self.records += records
        self.published += dates.ordinals(published)
        self.dated += [
            text or (period and (period.start_date or period.end_date)) or tender.date
            for text, period, tender in zip(published, periods, tenders, strict=True)
        ]
        self.unopened += [period is None or period.start_date is None for period in periods]
        self.tender_period.add(periods)
        self.enquiry_period.add([section.enquiry_period for section in sections])
        self.contract_period.add([section.contract_period for section in sections])
        self.value.add([section.value for section in sections])
        self.budget.add([_budget(tender.planning) for tender in tenders])
        self.lots += map(len, divided)
        self.lot_values.add([lot.value for lot in lots])
        self.lot_periods.add([lot.contract_period for lot in lots])
        facts = [tender.tender_risk for tender in tenders]
        self.single_block += [each.single_block for each in facts]
        self.service_lines += [each.service_lines for each in facts]
        self.first_of_its_kind += [each.first_of_its_kind for each in facts]
        self.incumbent_kind += [each.incumbent_kind for each in facts]
        self.buyers += map(buyer_keys, tenders)
        self.markets += map(market_keys, tenders)

    def __len__(self) -> int:
        return len(self.lots)

    def settled(self) -> Columns:
        """These, now that all is read: their numbers are arrays, which every feature would make anew of lists."""
        values, periods = (self.value, self.budget, self.lot_values), (self.tender_period, self.enquiry_period)
        for held, names in (
            *((each, ("amount",)) for each in values),
            *((each, ("stated", "start", "end")) for each in (*periods, self.contract_period, self.lot_periods)),
            (self, ("published", "lots", "single_block", "service_lines", "first_of_its_kind")),
        ):
            for name in names:
                setattr(held, name, floats(getattr(held, name)))
        return self


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
        _last = held = (tender, track_record, Columns([tender], [track_record]).settled())
    return held[2]


@once
def records_of_market(columns: Columns) -> list[Record | None]:
    """The resolved cases of each tender's market; None if it has none."""
    return [record.of(keys) for record, keys in zip(columns.records, columns.markets, strict=True)]


def _budget(planning: Planning | None) -> Value | None:
    return planning.budget.amount if planning and planning.budget else None


_last: tuple[Tender, TrackRecord, Columns] | None = None
_NO_VALUE, _NO_PERIOD = Value(), Period()
