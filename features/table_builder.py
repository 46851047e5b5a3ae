"""Columns read of tenders as they come: what grows with them is settled once as arrays."""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np

from features.categorical import Categorical, CategoricalBuilder
from features.procedure import competed
from features.table import Columns, Periods, Values
from features.track_records.case_records import BUYERS, MARKETS, SUPPLIERS, TrackRecord, cpv_codes, supplier_names
from tenders import dates
from tenders.bid_counts import bidders
from tenders.codelists import CURRENCIES
from tenders.facts import Facts, Stage
from tenders.memo import Memo
from tenders.stages import stands
from tenders.tender import Award, Lot, Period, Planning, Procedure, Tender, Value

CHECKED = frozenset(
    {
        *((Procedure, name) for name in ("date_published", "value")),
        *((Procedure, f"{name}_period") for name in ("tender", "enquiry", "contract")),
        *((Lot, name) for name in ("value", "contract_period")),
    }
)
"""The fields, by struct and name, of which `Reader.add` notices what `tenders.io.ocds` would find wrong."""


class Reader:
    """What is read of tenders so far, as of a stage; see `Columns` for what it says.

    Tenders may tell more than that stage knows. By default all is read that they tell.
    """

    def __init__(self, stage: Stage = "awarded") -> None:
        self._bids_in, self._awarded = stage != "draft", stage == "awarded"
        self._numbers: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        self._records: list[TrackRecord] = []
        self._dated: list[str | None] = []
        self._facts: list[Facts] = []
        self._buyers, self._markets = (
            CategoricalBuilder[tuple[str | None, ...]](),
            CategoricalBuilder[tuple[str, ...]](),
        )
        self._competed, self._suppliers = (
            CategoricalBuilder[tuple[str | None, bool | None]](),
            CategoricalBuilder[tuple[str, ...]](),
        )

    def add(self, tenders: Sequence[Tender], records: Sequence[TrackRecord]) -> None:
        """Reads more tenders, each with its track record.

        Raises ValueError if a field of CHECKED holds a date or currency that is none; then none of these is read.
        """
        sections = [tender.tender for tender in tenders]
        awards = [_standing(tender.awards) for tender in tenders] if self._awarded else []
        read = [_numbers(tenders, sections)]
        if self._bids_in:
            read.append(_of_bids(tenders))
        if self._awarded:
            read.append(_of_awards(tenders, awards))
        for name, numbers in list(chain.from_iterable(read)):
            self._numbers[name].extend(numbers)
        self._records += records
        self._dated += [
            section.date_published
            or ((period := section.tender_period) and (period.start_date or period.end_date))
            or tender.date
            for section, tender in zip(sections, tenders, strict=True)
        ]
        self._facts += [tender.tender_risk for tender in tenders]
        buyers = [tender.buyer.name if tender.buyer else None for tender in tenders]
        entities = [entity.name if (entity := section.procuring_entity) else None for section in sections]
        self._buyers.extend(zip(buyers, entities, strict=True))
        self._markets.extend(map(tuple, map(cpv_codes, tenders)))
        if self._bids_in:
            self._competed.extend(
                (section.procurement_method, tender.tender_risk.competition)
                for section, tender in zip(sections, tenders, strict=True)
            )
        self._suppliers.extend(map(supplier_names, awards))

    def columns(self) -> Columns:
        """What was read, settled."""
        numbers, facts = self._numbers, Categorical.by_identity(self._facts)
        unknown = np.full(len(facts), math.nan)
        return Columns(
            records=Categorical.by_identity(self._records),
            published=np.array(numbers["published"]),
            dated=self._dated,
            unopened=np.array(numbers["unopened"]) != 0,
            tender_period=_periods(numbers, "tender_period"),
            enquiry_period=_periods(numbers, "enquiry_period"),
            contract_period=_periods(numbers, "contract_period"),
            value=_values(numbers, "value"),
            budget=_values(numbers, "budget"),
            lots=np.array(numbers["lots"]),
            lot_values=_values(numbers, "lot_values"),
            lot_periods=_periods(numbers, "lot_periods"),
            single_block=facts.numbers(attrgetter("single_block")),
            service_lines=facts.numbers(attrgetter("service_lines")),
            first_of_its_kind=facts.numbers(attrgetter("first_of_its_kind")),
            incumbent_kind=facts.map(attrgetter("incumbent_kind")),
            buyers=self._buyers.categorical().map(BUYERS.__getitem__),
            markets=self._markets.categorical().map(MARKETS.__getitem__),
            competed=self._competed.categorical().numbers(_is_competed) if self._bids_in else unknown,
            bidders=np.array(numbers["bidders"]) if self._bids_in else unknown,
            awarded=np.array(numbers["awarded"]) if self._awarded else unknown,
            started=np.array(numbers["started"]) if self._awarded else unknown,
            suppliers=self._suppliers.categorical().map(SUPPLIERS.__getitem__) if self._awarded else nobody(len(facts)),
        )


Numbers = Iterator[tuple[str, Iterable[float]]]
"""Numbers by the name of their column, NaN for unknown."""


def _numbers(tenders: Sequence[Tender], sections: Sequence[Procedure]) -> Numbers:
    """What is read of tenders as a number."""
    opened = [section.tender_period for section in sections]
    lots = list(chain.from_iterable([section.lots for section in sections]))
    yield "published", dates.ordinals([section.date_published for section in sections])
    yield "unopened", [period is None or period.start_date is None for period in opened]
    yield "lots", [len(section.lots) for section in sections]
    yield from _of_periods("tender_period", opened)
    yield from _of_periods("enquiry_period", [section.enquiry_period for section in sections])
    yield from _of_periods("contract_period", [section.contract_period for section in sections])
    yield from _of_values("value", [section.value for section in sections])
    yield from _of_values("budget", [_budget(tender.planning) for tender in tenders])
    yield from _of_values("lot_values", [lot.value for lot in lots])
    yield from _of_periods("lot_periods", [lot.contract_period for lot in lots])


def _of_bids(tenders: Sequence[Tender]) -> Numbers:
    yield "bidders", _known([bidders(tender) for tender in tenders])


def _of_awards(tenders: Sequence[Tender], awards: Sequence[Sequence[Award]]) -> Numbers:
    """The first days of the awards given with each tender, and of its contracts."""
    yield "awarded", dates.ordinals([_earliest([award.date for award in each]) for each in awards])
    starts = [
        _earliest([contract.period.start_date for contract in tender.contracts if contract.period]) or _planned(tender)
        for tender in tenders
    ]
    yield "started", dates.ordinals(starts)


def _standing(awards: Sequence[Award]) -> Sequence[Award]:
    return awards if all(map(stands, awards)) else [award for award in awards if stands(award)]


def _earliest(texts: Sequence[str | None]) -> str | None:
    known = [text for text in texts if text]
    return known[0] if len(known) == 1 else min(known, key=dates.earliest, default=None)


def _planned(tender: Tender) -> str | None:
    return tender.tender.contract_period.start_date if tender.tender.contract_period else None


def _is_competed(told: tuple[str | None, bool | None]) -> bool | None:
    return competed(*told)


def nobody(count: int) -> Categorical[tuple[str, ...]]:
    """The keys of nobody, for so many tenders."""
    return Categorical[tuple[str, ...]]([()], np.zeros(count, dtype=np.int32))


def _of_values(name: str, values: Sequence[Value | None]) -> Numbers:
    """Amounts, and the places of their currencies in _KNOWN."""
    if not any(values):
        yield f"{name}.amount", _nothing(values)
        yield f"{name}.currency", array("d", bytes(8 * len(values)))
        return
    stated = [_NO_VALUE if value is None else value for value in values]
    yield f"{name}.amount", _known([value.amount_gross if value.amount is None else value.amount for value in stated])
    yield f"{name}.currency", _CODES.each([value.currency for value in stated])


def _of_periods(name: str, periods: Sequence[Period | None]) -> Numbers:
    """Lengths as stated, first days and last days."""
    if not any(periods):
        for fact in ("stated", "start", "end"):
            yield f"{name}.{fact}", _nothing(periods)
        return
    stated = [_NO_PERIOD if period is None else period for period in periods]
    yield f"{name}.stated", _known([period.duration_in_days for period in stated])
    yield f"{name}.start", dates.ordinals([period.start_date for period in stated])
    yield f"{name}.end", dates.ordinals([period.end_date for period in stated])
    # Not read, but it has to be a date.
    dates.ordinals([period.max_extent_date for period in stated])


def _known(values: list[float | None]) -> Iterable[float]:
    if values.count(None) == len(values):
        return _nothing(values)
    return [math.nan if value is None else value for value in values]


def _nothing(values: Sequence[Any]) -> array[float]:
    return _UNKNOWN * len(values)


def _values(numbers: Mapping[str, array[float]], name: str) -> Values:
    currency = np.array(numbers[f"{name}.currency"]).astype(np.int32)
    return Values(amount=np.array(numbers[f"{name}.amount"]), currency=Categorical(_KNOWN, currency))


def _periods(numbers: Mapping[str, array[float]], name: str) -> Periods:
    return Periods(**{fact: np.array(numbers[f"{name}.{fact}"]) for fact in ("stated", "start", "end")})


def read(tenders: Sequence[Tender], records: Sequence[TrackRecord] = (), stage: Stage = "awarded") -> Columns:
    """The columns of tenders as `Reader` reads them, each with its track record if that is to be asked."""
    reader = Reader(stage)
    reader.add(tenders, records)
    return reader.columns()


def periods(given: Sequence[Period | None]) -> Periods:
    """Periods in an array a fact."""
    return _periods({name: array("d", each) for name, each in _of_periods("given", given)}, "given")


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
_UNKNOWN = array("d", [math.nan])
_KNOWN: list[str | None] = [None, *sorted(CURRENCIES)]
_CODES = Memo(_code)
"""The places of currencies in _KNOWN; ValueError for one that is none."""
