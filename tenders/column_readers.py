"""How columns are read that take more than the value at a path (`tenders.columns`): of tenders, and of a form's cells.

A reader gets tenders that may know more than the stage, and leaves out what came later.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from operator import add, attrgetter
from typing import Any

import msgspec
import numpy as np

from tenders import dates, money
from tenders.advisers import find_advisers, may_show_advisers
from tenders.codelists import BID_COUNT_MEASURES
from tenders.facts import STAGES, Stage
from tenders.tender import (
    Award,
    AwardCriteria,
    BidStatistic,
    Contract,
    Party,
    Period,
    Tender,
    Value,
    bid_count,
    bidders,
    distinct,
    is_cpv,
)
from tenders.tender_chunk import TenderChunk, Values, later_roles

Read = Callable[[TenderChunk, Stage], Values]
DEFAULT_CURRENCY = "GBP"
"""The currency of a form that gives an amount and no currency: it is a form for UK tenders."""
HEALTH_REGIME = ("provider selection regime", "2023/1348")


def value_at(path: str, convert: Callable[[Any], Any] | None = None) -> Read:
    """The value at a path, converted where it is known."""
    return lambda chunk, _: _converted(chunk.values(path), convert) if convert else chunk.values(path)


def text_at(path: str) -> Read:
    """Ids, which may be numbers, as texts."""
    return value_at(path, str)


def is_stated(path: str) -> Read:
    """Yes where there is a value at a path; unknown where there is none."""

    def read(chunk: TenderChunk, stage: Stage) -> Values:
        values = chunk.values(path)
        return None if values is None else [None if value is None else True for value in values]

    return read


def _converted(values: Values, convert: Callable[[Any], Any]) -> Values:
    return None if values is None else [None if value is None else convert(value) for value in values]


def gross_at(path: str) -> Read:
    """The gross amount of the value at a path, where no net one is stated."""

    def read(chunk: TenderChunk, stage: Stage) -> Values:
        fields = chunk.fields(path)
        gross = fields.known("amountGross") if fields else None
        net = fields.known("amount") if fields and gross else None
        if net is None or gross is None:
            return gross
        return [instead if amount is None else None for amount, instead in zip(net, gross, strict=True)]

    return read


def count_at(path: str) -> Read:
    """How many entries the list at a path has."""
    return lambda chunk, _: chunk.sizes(path)


def known_count_at(path: str) -> Read:
    """How many entries the list at a path has; unknown where it has none."""
    return lambda chunk, _: None if chunk.objects(path) is None else [size or None for size in chunk.sizes(path)]


def of_list(path: str, tell: Callable[[Sequence[Any], Stage], Any]) -> Read:
    """What is told of the list at a path as of a stage. It is asked only if some tender of the chunk has one."""

    def read(chunk: TenderChunk, stage: Stage) -> Values:
        lists = chunk.objects(path)
        return None if lists is None else [tell(entries, stage) for entries in lists]

    return read


def end_of(path: str) -> Read:
    """The last day of a period. How far it may be extended is not read, but it has to be a date."""

    def read(chunk: TenderChunk, stage: Stage) -> Values:
        if fields := chunk.fields(path):
            dates.ordinals(fields.known("maxExtentDate") or ())
        return fields.known("endDate") if fields else None

    return read


def years_without_day(chunk: TenderChunk, stage: Stage) -> Values:
    """Where no day of publication is known, the year of it, else of the tender period, else of the release."""
    published = chunk.values("/tender/datePublished")
    if published is not None and None not in published and min(map(len, published)) >= len("2024-01-01"):
        return None
    texts = [
        tender.tender.date_published
        or ((period := tender.tender.tender_period) and (period.start_date or period.end_date))
        or tender.date
        for tender in chunk.tenders
    ]
    days = published or [None] * len(chunk)
    return [None if dates.day(day) else dates.year(text) for day, text in zip(days, texts, strict=True)]


def first_cpv(chunk: TenderChunk, stage: Stage) -> Values:
    """The CPV code of the first item."""
    codes = [items[0].classification if items else None for items in chunk.lists("/tender/items")]
    return [str(code.id) if code and is_cpv(code) else None for code in codes]


def own_cpv(chunk: TenderChunk, stage: Stage) -> Values:
    """The CPV code of the whole tender."""
    codes = [tender.tender.classification for tender in chunk.tenders]
    return [str(code.id) if code and is_cpv(code) else None for code in codes]


def all_cpv(chunk: TenderChunk, stage: Stage) -> Values:
    """The codes of the tender and its items, main ones only."""
    if chunk.objects("/tender/classification") is None and (codes := chunk.fields("/tender/items/*/classification")):
        ids = codes["id"]
        # So are nearly all.
        if set(codes["scheme"]) == {"CPV"} and set(map(type, ids)) == {str}:
            return chunk.grouped("/tender/items", ids)
    return [
        tuple(
            [
                code.id if type(code.id) is str else str(code.id)
                for code in (tender.tender.classification, *[item.classification for item in tender.tender.items])
                if code is not None and code.id is not None and (code.scheme == "CPV" or is_cpv(code))
            ]
        )
        for tender in chunk.tenders
    ]


def bidder_counts(chunk: TenderChunk, stage: Stage) -> Values:
    """Bids counted for the whole tender, else the tenderers that are listed."""
    counted = chunk.lists("/bids/statistics")
    return [_only_count(counts) or bidders(tender) for counts, tender in zip(counted, chunk.tenders, strict=True)]


def _only_count(counts: Sequence[BidStatistic]) -> float | None:
    """The count of bids for the whole tender where nothing else was counted; None or 0 if it has to be looked for."""
    if len(counts) != 1 or (only := counts[0]).measure not in BID_COUNT_MEASURES or only.related_lot is not None:
        return None
    value = only.value
    return float(value) if value is not None and value > 0 and value == int(value) else None


def tenderers(chunk: TenderChunk, stage: Stage) -> Values:
    """How many tenderers are listed, each once; unknown where none is."""
    lists = chunk.objects("/tender/tenderers")
    return None if lists is None else [len(distinct(listed)) or None for listed in lists]


def lot_bids(chunk: TenderChunk, stage: Stage) -> Values:
    """Bids counted for each lot."""
    return [bid_count(tender, lot.id) for tender in chunk.tenders for lot in tender.tender.lots]


def _known_by(stage: Stage) -> tuple[Stage, ...]:
    return STAGES[: STAGES.index(stage) + 1]


def of_staged(path: str, since: str, name: str, known: Callable[[Stage], Sequence[Stage]] = _known_by) -> Read:
    """A field of the entries of the list at a path that were known at a stage: each says since when it is."""
    get = attrgetter(since, name)
    return of_list(path, lambda entries, stage: tuple(value for at, value in map(get, entries) if at in known(stage)))


advisers = of_staged("/tenderRisk/advisers", "since", "name")
"""The names of the outside advisers who were known at a stage."""
changes = of_staged(
    "/tenderRisk/structureChanges", "stage", "touches", lambda stage: _known_by(stage) if stage != "draft" else ()
)
"""What each change touched that was known at a stage. A draft has none."""
late_changes = of_staged(
    "/tenderRisk/structureChanges", "stage", "touches", lambda stage: ("awarded",) if stage == "awarded" else ()
)
"""What each change touched that was known only by signing."""
holds = of_staged("/tenderRisk/assuranceHolds", "stage", "by")
"""Who put each hold that was known at a stage."""


def of_parties(tell: Callable[[Party, tuple[str, ...]], str | None]) -> Read:
    """What is told of each party and its roles, where that is something."""
    return lambda chunk, stage: [
        tuple(text for party, roles in parties if (text := tell(party, roles))) for parties in chunk.parties(stage)
    ]


def advising_parties(chunk: TenderChunk, stage: Stage) -> Values:
    """The names of the advisers that notices show (`tenders.advisers`)."""
    parties, entities = chunk.fields("/parties/*"), chunk.objects("/tender/procuringEntity")
    if entities is None and (parties is None or not may_show_advisers(parties["roles"], parties["roleDetails"])):
        return None
    later = later_roles(stage)
    return [tuple([adviser.name for adviser in find_advisers(tender, later)]) for tender in chunk.tenders]


def mail_domains(role: str) -> Read:
    """Mail domains of the parties in a role, by their last three labels: `x.nhs.uk` is a body, `nhs.uk` is not."""

    def domain(party: Party, roles: tuple[str, ...]) -> str | None:
        mail = party.contact_point.email if role in roles and party.contact_point else None
        return ".".join(mail.lower().rsplit("@", 1)[1].split(".")[-3:]) if mail and "@" in mail else None

    return of_parties(domain)


def central_purchasing(chunk: TenderChunk, stage: Stage) -> Values:
    """Yes where a central purchasing body takes part."""
    return [
        True if any("centralPurchasingBody" in roles for _, roles in parties) else None
        for parties in chunk.parties(stage)
    ]


def organisation(get: Callable[[Tender], Any]) -> Read:
    """The id and name of an organisation."""
    return lambda chunk, _: [() if body is None else (body.id, body.name) for body in map(get, chunk.tenders)]


def criteria_code(chunk: TenderChunk, stage: Stage) -> Values:
    """The award criteria, where they are one code."""
    values = chunk.values("/tender/awardCriteria")
    return values and [own if isinstance(own, str) else None for own in values]


def criteria(chunk: TenderChunk, stage: Stage) -> Values:
    """The kinds of criteria of the tender and of each lot, where they list any."""
    of_tenders, of_lots = chunk.values("/tender/awardCriteria"), chunk.values("/tender/lots/*/awardCriteria")
    if of_lots is None and (of_tenders is None or AwardCriteria not in map(type, of_tenders)):
        return None
    kinds = []
    for tender in chunk.tenders:
        stated = (tender.tender.award_criteria, *(lot.award_criteria for lot in tender.tender.lots))
        listed = [own.criteria for own in stated if isinstance(own, AwardCriteria) and own.criteria]
        kinds.append(tuple(frozenset(criterion.type for criterion in criteria) for criteria in listed))
    return kinds


def extendable(chunk: TenderChunk, stage: Stage) -> Values:
    """Whether a lot may be renewed or has options; unknown where no lot says."""
    lots = chunk.fields("/tender/lots/*")
    if lots is None:
        return None
    stated = map(add, *(chunk.grouped("/tender/lots", lots[name]) for name in ("hasRenewal", "hasOptions")))
    return [True if True in answers else False if False in answers else None for answers in stated]


def names_health_regime(text: str | None) -> bool:
    """Whether a text names the NHS Provider Selection Regime. Source: SI 2023/1348."""
    if not text or not ("elect" in text or "ELECT" in text or "1348" in text):
        return False
    lower = text.lower()
    return any(sign in lower for sign in HEALTH_REGIME)


def health_regime_named(chunk: TenderChunk, stage: Stage) -> Values:
    """True if the release or a lot names the Provider Selection Regime in its description; else unknown."""
    descriptions = chunk.values("/description") or [None] * len(chunk)
    lots = chunk.lists("/tender/lots")
    return [
        names_health_regime(text) or any(names_health_regime(lot.description) for lot in inside) or None
        for text, inside in zip(descriptions, lots, strict=True)
    ]


def _first_day(texts: Iterable[str | None]) -> str | None:
    """The earliest of the dates that name a day."""
    days = {day: text for text in texts if (day := dates.day(text))}
    return days[min(days)] if days else None


first_meeting = of_list(
    "/tender/clarificationMeetings", lambda meetings, _: _first_day(meeting.date for meeting in meetings)
)
"""The day of the first clarification meeting."""
engagement = of_list(
    "/planning/milestones", lambda milestones, _: any(m.type == "engagement" for m in milestones) or None
)
"""Yes where a milestone of market engagement is listed."""
first_engagement = of_list(
    "/planning/milestones",
    lambda milestones, _: _first_day(
        m.due_date if dates.day(m.due_date) else m.date_met for m in milestones if m.type == "engagement"
    ),
)
"""The first day on which the market was engaged."""
no_result_before = of_list(
    "/relatedProcesses", lambda related, _: any("unsuccessfulProcess" in link.relationship for link in related) or None
)
"""Yes where a related process had no result."""


def _earliest(texts: Sequence[str | None]) -> str | None:
    known = [text for text in texts if text]
    return known[0] if len(known) == 1 else min(known, key=dates.earliest, default=None)


def award_date(chunk: TenderChunk, stage: Stage) -> Values:
    """The date of the first award."""
    return _earliest_of_each(chunk, "/awards", chunk.values("/awards/*/date"))


def _earliest_of_each(chunk: TenderChunk, path: str, texts: Values) -> Values:
    """The earliest of the dates of each tender, given those of all entries of the list at a path."""
    if texts and chunk.have_one(path):
        return [text or None for text in texts]
    return texts and list(map(_earliest, chunk.grouped(path, texts)))


def started(chunk: TenderChunk, stage: Stage) -> Values:
    """The first start of a contract, else that which an award states, else the planned one."""
    starts = _earliest_of_each(chunk, "/contracts", chunk.values("/contracts/*/period/startDate"))
    if starts is None or None in starts:
        awarded = _earliest_of_each(chunk, "/awards", chunk.values("/awards/*/contractPeriod/startDate"))
        starts = _first_known(_first_known(starts, awarded), chunk.values("/tender/contractPeriod/startDate"))
    return starts


def _first_known(values: Values, others: Values) -> Values:
    """The values, and the others where they are unknown."""
    if values is None or others is None:
        return others if values is None else values
    return [value or other for value, other in zip(values, others, strict=True)]


def days_at_award(chunk: TenderChunk, stage: Stage) -> Values:
    """Where neither the tender nor a lot states a term, the longest that a contract states, else an award."""
    days: list[float | None] = [None] * len(chunk)
    for row in _rows_without(chunk, "/tender/contractPeriod/endDate", "/tender/contractPeriod/durationInDays"):
        tender = chunk.tenders[row]
        if all([lot.contract_period is None for lot in tender.tender.lots]):  # noqa: C419
            days[row] = _longest(tender.contracts, chunk.lists("/awards")[row])
    return days


def _rows_without(chunk: TenderChunk, *paths: str) -> Sequence[int]:
    """The rows in which there is no value at any of several paths."""
    rows: Sequence[int] = range(len(chunk))
    for values in map(chunk.values, paths):
        if values is not None:
            rows = [row for row in rows if values[row] is None]
    return rows


def _longest(contracts: Sequence[Contract], awards: Sequence[Award]) -> float | None:
    for periods in ([contract.period for contract in contracts], [award.contract_period for award in awards]):
        days = [_length(period) for period in periods if period is not None]
        if longest := max((day for day in days if day is not None and day >= 1), default=None):
            return longest
    return None


def _length(period: Period) -> float | None:
    if period.duration_in_days is not None:
        return period.duration_in_days
    return dates.days_between(period.start_date, period.end_date)


def at_award(get: Callable[[Value], Any]) -> Read:
    """Where neither the tender nor a lot states a value, what is told of that of the awards, else of the contracts.

    It is the sum, if all are in one currency.
    """
    return lambda chunk, _: [value and get(value) for value in chunk.once(_values_at_award)]


def _values_at_award(chunk: TenderChunk) -> Sequence[Value | None]:
    values: list[Value | None] = [None] * len(chunk)
    for row in _rows_without(chunk, "/tender/value/amount", "/tender/value/amountGross"):
        tender = chunk.tenders[row]
        if all([lot.value is None or money.stated(lot.value) is None for lot in tender.tender.lots]):  # noqa: C419
            values[row] = _agreed(chunk.lists("/awards")[row], tender.contracts)
    return values


def _agreed(awards: Sequence[Award], contracts: Sequence[Contract]) -> Value | None:
    for values in ([award.value for award in awards], [contract.value for contract in contracts]):
        stated = [(money.stated(value), value.currency) for value in values if value is not None]
        amounts = [(amount, currency) for amount, currency in stated if amount is not None]
        if amounts and len({currency for _, currency in amounts}) == 1:
            return Value(amount=math.fsum(amount for amount, _ in amounts), currency=amounts[0][1])
    return None


def signed_before_start(chunk: TenderChunk, stage: Stage) -> Values:
    """The fewest days from signature to start of the contracts that name both days; negative if signed after."""
    signed, starts = chunk.values("/contracts/*/dateSigned"), chunk.values("/contracts/*/period/startDate")
    if signed is None or starts is None:
        return None
    days = chunk.grouped("/contracts", list(map(dates.days_between, signed, starts)))
    return [min([day for day in of_tender if day is not None], default=None) for of_tender in days]


def suppliers(chunk: TenderChunk, stage: Stage) -> Values:
    """The names of the suppliers of all awards."""
    lists = chunk.objects("/awards")
    return lists and [
        tuple([supplier.name for award in awards for supplier in award.suppliers if supplier.name]) for awards in lists
    ]


def first_supplier(chunk: TenderChunk, stage: Stage) -> Values:
    """The name of the first supplier."""
    listed = suppliers(chunk, stage)
    return listed and [names[0] if names else None for names in listed]


def fees(kind: str, get: Callable[[Value], Any]) -> Read:
    """What is told of the value of each fee of a kind."""
    return lambda chunk, _: [
        fee.value and get(fee.value) for fee in chunk.entries("/tender/participationFees") if kind in fee.type
    ]


def fee_count(kind: str) -> Read:
    """How many fees of a kind there are; unknown where there is none."""
    return lambda chunk, _: [
        sum(kind in fee.type for fee in fees) or None for fees in chunk.lists("/tender/participationFees")
    ]


# What a table of forms says where that is not the cell of the column's name.


def form_bids_of_each_lot(cells: Any) -> Any:
    """A count of the whole is that of a lot where there is one."""
    return cells.spread("lots", np.where(cells.number("lots") == 1, cells.number("bidders"), np.nan))


def form_awards(cells: Any) -> Any:
    """An award is there as soon as one of its facts is."""
    known = [cells.is_known(name) for name in ("award_value", "award_date", "supplier")]
    return np.where(np.any(known, axis=0), 1.0, np.nan)


def form_currency(cells: Any) -> Any:
    """The currency of the value, DEFAULT_CURRENCY where an amount has none."""
    return cells.in_codes("currency", cells.with_default("currency", DEFAULT_CURRENCY, "value"))


def form_award_currencies(cells: Any) -> Any:
    """The currency of each award that has a value."""
    return cells.spread("awards", _form_award_currency(cells))


def _form_award_currency(cells: Any) -> Any:
    stated = cells.with_default("currency", DEFAULT_CURRENCY, "award_value")
    return cells.in_codes("award_currencies", cells.where_known("award_value", stated))


def form_value_at_award(cells: Any) -> Any:
    """The price, where no value is stated."""
    return np.where(cells.is_known("value"), np.nan, cells.number("award_value"))


def form_currency_at_award(cells: Any) -> Any:
    """The currency of the price, where no value is stated."""
    currency = _form_award_currency(cells)
    return msgspec.structs.replace(currency, codes=np.where(cells.is_known("value"), 0, currency.codes))


def form_year_without_day(cells: Any) -> Any:
    """As `years_without_day` of tenders."""
    years = cells.first("published", "tender_start", "tender_end").numbers(dates.year)
    return np.where(np.isnan(cells.days("published")), years, np.nan)


def form_listed(name: str) -> Callable[[Any], Any]:
    """The cell of a key as a list of one."""
    return lambda cells: cells.text(name).map(lambda text: () if text is None else (text,))


def form_named(name: str) -> Callable[[Any], Any]:
    """The organisation of which a form states the name."""
    return lambda cells: cells.text(name).map(lambda text: () if text is None else (None, text))
