"""Tables made of tenders: of one or a few, whose columns are read as they are asked for, or of a million as they come.

    builder = TableBuilder(columns_asked(functions, stage), stage)
    builder.add(tenders)          # reads exactly these columns, and lets the tenders go
    table = builder.table()

Which columns are needed is found by running the functions on an empty table that records what they ask for. So a
feature must ask for all its columns, whatever they hold: then a test can hold it to that.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np

from features.categorical import Categorical, CategoricalBuilder
from features.procedure import competed
from features.table import Columns, Floats, Periods, TenderTable, TrackRecords, Values
from features.track_records.case_records import BUYERS, MARKETS, SUPPLIERS, TrackRecord, cpv_codes, supplier_names
from tenders import dates
from tenders.codelists import CURRENCIES
from tenders.column_readers import TenderChunk, stands
from tenders.columns import COLUMNS, CURRENCY_CODES, Column
from tenders.facts import Facts, Stage
from tenders.memo import Memo
from tenders.tender import Award, Lot, Period, Planning, Procedure, Tender, Value, bidders

CHECKED_BY: Mapping[tuple[type, str], tuple[str, ...]] = {
    (Procedure, "date_published"): ("published",),
    (Procedure, "value"): ("currency",),
    (Procedure, "tender_period"): ("tender_start", "tender_end"),
    (Procedure, "enquiry_period"): ("enquiry_start", "enquiry_end"),
    (Procedure, "contract_period"): ("contract_start", "contract_end"),
    (Lot, "value"): ("lot_currencies",),
    (Lot, "contract_period"): ("lot_starts", "lot_ends"),
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
        self._published = CategoricalBuilder[date | None]()
        self._kept: list[Tender] | None = [] if keep else None

    @property
    def checked(self) -> frozenset[tuple[type, str]]:
        """The fields, by struct and name, of which `add` notices what is wrong."""
        read = {growing.column.name for growing in self._growing}
        return frozenset(field for field, columns in CHECKED_BY.items() if read.issuperset(columns))

    def __len__(self) -> int:
        return len(self._published)

    def add(self, tenders: Sequence[Tender], published_on: Sequence[date | None] | None = None) -> None:
        """Reads more tenders, each with its day of publication.

        Raises ValueError if one of the fields that are `checked` holds a date or a currency that is none; then none of
        these is read.
        """
        chunk = TenderChunk(tenders)
        read = [growing.read(chunk, self._stage) for growing in self._growing]
        sizes = {"": len(tenders)}
        for growing, values in zip(self._growing, read, strict=True):
            growing.extend(values, sizes.get(growing.column.per, 0))
            if values is not None and growing.column.name in self._counts:
                sizes[growing.column.name] = int(np.nansum(values))
        if published_on is None:
            self._published.repeat(None, len(tenders))
        else:
            self._published.extend(published_on)
        if self._kept is not None:
            self._kept += tenders

    def table(self) -> TenderTable:
        """The table of all of them."""
        columns = {growing.column.name: growing.settled() for growing in self._growing}
        source = _Built(columns, self._kept)
        return TenderTable(self._stage, len(self), source, self._published.categorical())


class _Tenders:
    """Columns of tenders that are held."""

    def __init__(self, tenders: Sequence[Tender], stage: Stage) -> None:
        self.tenders: Sequence[Tender] | None = tenders
        self._chunk, self._stage = TenderChunk(tenders), stage

    def column(self, column: Column) -> Floats | Categorical[Any] | None:
        values = column.values(self._chunk, self._stage)
        if values is None:
            return None
        if column.kind == "date":
            return np.array(dates.ordinals(values), dtype=np.float64)
        if column.is_number:
            return np.array(values, dtype=np.float64)
        if column.categories:
            return Categorical(_CURRENCY_LIST, np.array(_codes(values), dtype=np.int32))
        return Categorical.single(values[0]) if len(values) == 1 else Categorical.of(values)


class _Built:
    """Columns that were read of tenders which may be gone."""

    def __init__(self, columns: Mapping[str, Any], tenders: Sequence[Tender] | None) -> None:
        self._columns, self.tenders = columns, tenders

    def column(self, column: Column) -> Floats | Categorical[Any] | None:
        if column.name not in self._columns:
            raise KeyError(f"{column.name} was not read: a feature has to ask for its columns whatever they hold")
        found: Floats | Categorical[Any] | None = self._columns[column.name]
        return found


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
        self.column = column
        self._numbers, self._codes = array("d"), array("i")
        self._categories = CategoricalBuilder[Any]()
        self._unknown = 0

    def read(self, chunk: TenderChunk, stage: Stage) -> Sequence[Any] | None:
        """What it says of some tenders, as it is held: floats, codes or values; None if it is unknown of all."""
        values = self.column.values(chunk, stage)
        if values is None:
            return None
        if self.column.kind == "date":
            return dates.ordinals(values)
        if self.column.is_number:
            return [math.nan if value is None else value for value in values]
        return _codes(values) if self.column.categories else values

    def extend(self, values: Sequence[Any] | None, size: int) -> None:
        """Takes what was read; without it, so many unknown ones."""
        if values is None:
            self._unknown += size
            return
        if self._unknown:
            self._settle_unknown()
        if self.column.is_number:
            self._numbers.extend(values)
        elif self.column.categories:
            self._codes.extend(values)
        else:
            self._categories.extend(values)

    def settled(self) -> Floats | Categorical[Any] | None:
        """The whole column, None if it is unknown of all."""
        if not (self._numbers or self._codes or len(self._categories)):
            return None
        self._settle_unknown()
        if self.column.is_number:
            return np.array(self._numbers)
        if self.column.categories:
            return Categorical(_CURRENCY_LIST, np.array(self._codes, dtype=np.int32))
        return self._categories.categorical()

    def _settle_unknown(self) -> None:
        if self.column.is_number:
            self._numbers.extend(array("d", [math.nan]) * self._unknown)
        elif self.column.categories:
            self._codes.extend(array("i", [0]) * self._unknown)
        elif self._unknown:
            self._categories.repeat(self.column.unknown, self._unknown)
        self._unknown = 0


def _codes(currencies: Sequence[str | None]) -> list[int]:
    try:
        return list(map(_CURRENCIES.__getitem__, currencies))
    except KeyError as error:
        raise ValueError(f"{error} is no currency") from None


_CURRENCY_LIST = list(CURRENCY_CODES)
_CURRENCIES = {currency: code for code, currency in enumerate(CURRENCY_CODES)}


# What is below goes as soon as all features are functions of the table.

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
    yield f"{name}.currency", _CODES.map([value.currency for value in stated])


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
