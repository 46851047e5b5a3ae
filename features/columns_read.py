"""Columns read of tenders as they come: lists that grow, settled once as arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from features.columns import Columns, Periods, Values, floats
from features.keys import BUYERS, MARKETS, cpv_codes
from features.kinds import Kinds
from features.track_records import TrackRecord
from tenders import dates
from tenders.codelists import CURRENCIES
from tenders.memo import Memo
from tenders.tender import Lot, Period, Planning, Procedure, Tender, Value

CHECKED = frozenset(
    {
        *((Procedure, name) for name in ("date_published", "value")),
        *((Procedure, f"{name}_period") for name in ("tender", "enquiry", "contract")),
        *((Lot, name) for name in ("value", "contract_period")),
    }
)
"""The fields, by struct and name, of which `Reader.add` notices what `tenders.checks` would find wrong."""


class Reader:
    """What is read of tenders so far; see `Columns` for what each list says."""

    def __init__(self) -> None:
        self._records: list[TrackRecord] = []
        self._published: list[float] = []
        self._dated: list[str | None] = []
        self._unopened: list[bool] = []
        self._tender_period, self._enquiry_period, self._contract_period = _Periods(), _Periods(), _Periods()
        self._value, self._budget = _Values(), _Values()
        self._lots: list[int] = []
        self._lot_values, self._lot_periods = _Values(), _Periods()
        self._single_block: list[bool | None] = []
        self._service_lines: list[int | None] = []
        self._first_of_its_kind: list[bool | None] = []
        self._incumbent_kind: list[str | None] = []
        self._buyers: list[tuple[str | None, ...]] = []
        self._markets: list[tuple[str, ...]] = []
        own = list(vars(self).values())
        parts = [held for each in own if not isinstance(each, list) for held in vars(each).values()]
        self._lists: list[list[Any]] = [each for each in (*own, *parts) if isinstance(each, list)]

    def add(self, tenders: Sequence[Tender], records: Sequence[TrackRecord]) -> None:
        """Reads more tenders, each with its track record.

        Raises ValueError if a field of CHECKED holds a date or currency that is none; then none of these is read.
        """
        before = [len(each) for each in self._lists]
        try:
            self._read(tenders)
        except ValueError:
            for each, length in zip(self._lists, before, strict=True):
                del each[length:]
            raise
        self._records += records

    def _read(self, tenders: Sequence[Tender]) -> None:
        sections = [tender.tender for tender in tenders]
        periods = [section.tender_period for section in sections]
        published = [section.date_published for section in sections]
        divided = [section.lots for section in sections]
        lots = list(chain.from_iterable(divided))
        self._published += dates.ordinals(published)
        self._dated += [
            text or (period and (period.start_date or period.end_date)) or tender.date
            for text, period, tender in zip(published, periods, tenders, strict=True)
        ]
        self._unopened += [period is None or period.start_date is None for period in periods]
        self._tender_period.add(periods)
        self._enquiry_period.add([section.enquiry_period for section in sections])
        self._contract_period.add([section.contract_period for section in sections])
        self._value.add([section.value for section in sections])
        self._budget.add([_budget(tender.planning) for tender in tenders])
        self._lots += map(len, divided)
        self._lot_values.add([lot.value for lot in lots])
        self._lot_periods.add([lot.contract_period for lot in lots])
        facts = [tender.tender_risk for tender in tenders]
        self._single_block += [each.single_block for each in facts]
        self._service_lines += [each.service_lines for each in facts]
        self._first_of_its_kind += [each.first_of_its_kind for each in facts]
        self._incumbent_kind += [each.incumbent_kind for each in facts]
        entities = [section.procuring_entity for section in sections]
        self._buyers += (
            (tender.buyer.name if tender.buyer else None, entity.name if entity else None)
            for tender, entity in zip(tenders, entities, strict=True)
        )
        self._markets += map(tuple, map(cpv_codes, tenders))

    def columns(self) -> Columns:
        """What was read, settled."""
        return Columns(
            records=Kinds.of_things(self._records),
            published=floats(self._published),
            dated=self._dated,
            unopened=np.array(self._unopened, dtype=bool),
            tender_period=self._tender_period.settled(),
            enquiry_period=self._enquiry_period.settled(),
            contract_period=self._contract_period.settled(),
            value=self._value.settled(),
            budget=self._budget.settled(),
            lots=floats(self._lots),
            lot_values=self._lot_values.settled(),
            lot_periods=self._lot_periods.settled(),
            single_block=floats(self._single_block),
            service_lines=floats(self._service_lines),
            first_of_its_kind=floats(self._first_of_its_kind),
            incumbent_kind=Kinds.of(self._incumbent_kind),
            buyers=Kinds.of(self._buyers).each(BUYERS.__getitem__),
            markets=Kinds.of(self._markets).each(MARKETS.__getitem__),
        )


class _Values:
    def __init__(self) -> None:
        self.amount: list[float | None] = []
        self.currency: list[int] = []

    def add(self, values: Sequence[Value | None]) -> None:
        if not any(values):
            self.amount += [math.nan] * len(values)
            self.currency += [0] * len(values)
            return
        stated = [_NO_VALUE if value is None else value for value in values]
        self.amount += [value.amount_gross if value.amount is None else value.amount for value in stated]
        self.currency += _CODES.each([value.currency for value in stated])

    def settled(self) -> Values:
        return Values(amount=floats(self.amount), currency=Kinds(_KNOWN, np.array(self.currency, dtype=np.int32)))


class _Periods:
    def __init__(self) -> None:
        self.stated: list[float | None] = []
        self.start: list[float] = []
        self.end: list[float] = []

    def add(self, periods: Sequence[Period | None]) -> None:
        if not any(periods):
            unknown = [math.nan] * len(periods)
            self.stated += unknown
            self.start += unknown
            self.end += unknown
            return
        stated = [_NO_PERIOD if period is None else period for period in periods]
        self.stated += [period.duration_in_days for period in stated]
        self.start += dates.ordinals([period.start_date for period in stated])
        self.end += dates.ordinals([period.end_date for period in stated])
        # Not read, but it has to be a date.
        dates.ordinals({period.max_extent_date for period in stated})

    def settled(self) -> Periods:
        return Periods(stated=floats(self.stated), start=floats(self.start), end=floats(self.end))


def read(tenders: Sequence[Tender], records: Sequence[TrackRecord] = ()) -> Columns:
    """The columns of tenders, each with its track record if that is to be asked."""
    reader = Reader()
    reader.add(tenders, records)
    return reader.columns()


def periods(given: Sequence[Period | None]) -> Periods:
    """Periods in an array a fact."""
    reader = _Periods()
    reader.add(given)
    return reader.settled()


def alone(tender: Tender, track_record: TrackRecord) -> Columns:
    """The columns of one tender, made once for its features and signs, which are read one after the other."""
    global _last
    held = _last
    if held is None or held[0] is not tender or held[1] is not track_record:
        _last = held = (tender, track_record, read([tender], [track_record]))
    return held[2]


def _budget(planning: Planning | None) -> Value | None:
    return planning.budget.amount if planning and planning.budget else None


def _code(currency: str | None) -> int:
    return _KNOWN.index(currency)


_last: tuple[Tender, TrackRecord, Columns] | None = None
_NO_VALUE, _NO_PERIOD = Value(), Period()
_KNOWN: list[str | None] = [None, *sorted(CURRENCIES)]
_CODES = Memo(_code)
"""The places of currencies in _KNOWN; ValueError for one that is none."""
