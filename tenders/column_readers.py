"""How columns are read that take more than the value at a path (`tenders.columns`): of tenders, and of a form's cells.

A reader gets tenders that may know more than the stage, and leaves out what came later.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from tenders import dates, money
from tenders.advisers import find_advisers
from tenders.facts import STAGES, Stage
from tenders.tender import (
    Award,
    AwardCriteria,
    Contract,
    Lot,
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
    return lambda chunk, _: _each(chunk.values(path), convert) if convert else chunk.values(path)


def text_at(path: str) -> Read:
    """Ids, which may be numbers, as texts."""
    return value_at(path, str)


def is_stated(path: str) -> Read:
    """Yes where there is a value at a path; unknown where there is none."""

    def read(chunk: TenderChunk, stage: Stage) -> Values:
        values = chunk.values(path)
        return None if values is None else [None if value is None else True for value in values]

    return read


def _each(values: Values, convert: Callable[[Any], Any]) -> Values:
    return None if values is None else [None if value is None else convert(value) for value in values]


def gross_at(path: str) -> Read:
    """The gross amount of the value at a path, where no net one is stated."""

    def read(chunk: TenderChunk, stage: Stage) -> Values:
        net = chunk.values(f"{path}/amount")
        if net is not None and None not in net:
            return None
        gross = chunk.values(f"{path}/amountGross")
        if net is None or gross is None:
            return gross
        return [instead if amount is None else None for amount, instead in zip(net, gross, strict=True)]

    return read


def count_at(path: str) -> Read:
    """How many entries the list at a path has."""
    return lambda chunk, _: list(map(len, chunk.lists(path)))


def known_count_at(path: str) -> Read:
    """How many entries the list at a path has; unknown where it has none."""
    return lambda chunk, _: [len(entries) or None for entries in chunk.lists(path)]


def end_of(path: str) -> Read:
    """The last day of a period. How far it may be extended is not read, but it has to be a date."""

    def read(chunk: TenderChunk, stage: Stage) -> Values:
        dates.ordinals(chunk.values(f"{path}/maxExtentDate") or ())
        return chunk.values(f"{path}/endDate")

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
    codes_of_tenders: list[tuple[str, ...]] = []
    for tender in chunk.tenders:
        section = tender.tender
        codes = [item.classification for item in section.items]
        if section.classification is not None:
            codes.insert(0, section.classification)
        elif len(codes) == 1 and (only := codes[0]) is not None and only.scheme == "CPV" and type(only.id) is str:
            # So are nearly all tenders.
            codes_of_tenders.append((only.id,))
            continue
        codes_of_tenders.append(
            tuple(
                [
                    code.id if type(code.id) is str else str(code.id)
                    for code in codes
                    if code is not None and code.id is not None and (code.scheme == "CPV" or is_cpv(code))
                ]
            )
        )
    return codes_of_tenders


def bidder_counts(chunk: TenderChunk, stage: Stage) -> Values:
    """Bids counted for the whole tender, else the tenderers that are listed."""
    return list(map(bidders, chunk.tenders))


def tenderers(chunk: TenderChunk, stage: Stage) -> Values:
    """How many tenderers are listed, each once; unknown where none is."""
    return [len(distinct(listed)) or None for listed in chunk.lists("/tender/tenderers")]


def lot_bids(chunk: TenderChunk, stage: Stage) -> Values:
    """Bids counted for each lot."""
    return [bid_count(tender, lot.id) for tender in chunk.tenders for lot in tender.tender.lots]


def advisers(chunk: TenderChunk, stage: Stage) -> Values:
    """The names of the outside advisers who were known at a stage."""
    known = STAGES[: STAGES.index(stage) + 1]
    return [tuple(a.name for a in advisers if a.since in known) for advisers in chunk.lists("/tenderRisk/advisers")]


def changes(chunk: TenderChunk, stage: Stage) -> Values:
    """What each change touched that was known at a stage. A draft has none."""
    known = STAGES[: STAGES.index(stage) + 1] if stage != "draft" else ()
    listed = chunk.lists("/tenderRisk/structureChanges")
    return [tuple(change.touches for change in changes if change.stage in known) for changes in listed]


def late_changes(chunk: TenderChunk, stage: Stage) -> Values:
    """What each change touched that was known only by signing."""
    if stage != "awarded":
        return None
    listed = chunk.lists("/tenderRisk/structureChanges")
    return [tuple(change.touches for change in changes if change.stage == "awarded") for changes in listed]


def holds(chunk: TenderChunk, stage: Stage) -> Values:
    """Who put each hold that was known at a stage."""
    known = STAGES[: STAGES.index(stage) + 1]
    listed = chunk.lists("/tenderRisk/assuranceHolds")
    return [tuple(hold.by for hold in holds if hold.stage in known) for holds in listed]


def of_parties(tell: Callable[[Party, tuple[str, ...]], str | None]) -> Read:
    """What is told of each party and its roles, where that is something."""
    return lambda chunk, stage: [
        tuple(text for party, roles in parties if (text := tell(party, roles))) for parties in chunk.parties(stage)
    ]


def advising_parties(chunk: TenderChunk, stage: Stage) -> Values:
    """The names of the advisers that notices show (`tenders.advisers`)."""
    later = later_roles(stage)
    return [tuple(found.name for found in find_advisers(tender, later)) for tender in chunk.tenders]


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
    return [own if isinstance(own := tender.tender.award_criteria, str) else None for tender in chunk.tenders]


def criteria(chunk: TenderChunk, stage: Stage) -> Values:
    """The kinds of criteria of the tender and of each lot, where they list any."""
    kinds = []
    for tender in chunk.tenders:
        stated = (tender.tender.award_criteria, *(lot.award_criteria for lot in tender.tender.lots))
        listed = [own.criteria for own in stated if isinstance(own, AwardCriteria) and own.criteria]
        kinds.append(tuple(frozenset(criterion.type for criterion in criteria) for criteria in listed))
    return kinds


def extendable(chunk: TenderChunk, stage: Stage) -> Values:
    """Whether a lot may be renewed or has options; unknown where no lot says."""

    def may_be_extended(lots: Iterable[Lot]) -> bool | None:
        stated = [flag for lot in lots for flag in (lot.has_renewal, lot.has_options) if flag is not None]
        return any(stated) if stated else None

    return list(map(may_be_extended, chunk.lists("/tender/lots")))


def names_health_regime(text: str | None) -> bool:
    """Whether a text names the NHS Provider Selection Regime. Source: SI 2023/1348."""
    if not text or not ("elect" in text or "ELECT" in text or "1348" in text):
        return False
    lower = text.lower()
    return any(sign in lower for sign in HEALTH_REGIME)


def health_regime_named(chunk: TenderChunk, stage: Stage) -> Values:
    """True if the release or a lot names the Provider Selection Regime in its description; else unknown."""
    told = chunk.values("/description") or [None] * len(chunk)
    lots = chunk.lists("/tender/lots")
    return [
        names_health_regime(text) or any(names_health_regime(lot.description) for lot in inside) or None
        for text, inside in zip(told, lots, strict=True)
    ]


def _first_day(texts: Iterable[str | None]) -> str | None:
    """The earliest of the dates that name a day."""
    days = {day: text for text in texts if (day := dates.day(text))}
    return days[min(days)] if days else None


def first_meeting(chunk: TenderChunk, stage: Stage) -> Values:
    """The day of the first clarification meeting."""
    listed = chunk.lists("/tender/clarificationMeetings")
    return [_first_day(meeting.date for meeting in meetings) for meetings in listed]


def engagement(chunk: TenderChunk, stage: Stage) -> Values:
    """Yes where a milestone of market engagement is listed."""
    listed = chunk.lists("/planning/milestones")
    return [True if any(m.type == "engagement" for m in milestones) else None for milestones in listed]


def first_engagement(chunk: TenderChunk, stage: Stage) -> Values:
    """The first day on which the market was engaged."""
    return [
        _first_day(m.due_date if dates.day(m.due_date) else m.date_met for m in milestones if m.type == "engagement")
        for milestones in chunk.lists("/planning/milestones")
    ]


def no_result_before(chunk: TenderChunk, stage: Stage) -> Values:
    """Yes where a related process had no result."""
    listed = chunk.lists("/relatedProcesses")
    return [True if any("unsuccessfulProcess" in r.relationship for r in related) else None for related in listed]


def _earliest(texts: Sequence[str | None]) -> str | None:
    known = [text for text in texts if text]
    return known[0] if len(known) == 1 else min(known, key=dates.earliest, default=None)


def award_date(chunk: TenderChunk, stage: Stage) -> Values:
    """The date of the first award."""
    return [
        awards[0].date or None if len(awards) == 1 else _earliest([award.date for award in awards])
        for awards in chunk.lists("/awards")
    ]


def started(chunk: TenderChunk, stage: Stage) -> Values:
    """The first start of a contract, else that which an award states, else the planned one."""
    planned = chunk.values("/tender/contractPeriod/startDate") or [None] * len(chunk)
    listed = chunk.lists("/contracts")
    starts = [_earliest([c.period.start_date for c in contracts if c.period]) for contracts in listed]
    if None in starts:
        awards = chunk.lists("/awards")
        starts = [
            start or _earliest([a.contract_period.start_date for a in of_tender if a.contract_period])
            for start, of_tender in zip(starts, awards, strict=True)
        ]
    return [start or plan for start, plan in zip(starts, planned, strict=True)]


def days_at_award(chunk: TenderChunk, stage: Stage) -> Values:
    """Where neither the tender nor a lot states a term, the longest that a contract states, else an award."""
    ends, days = chunk.values("/tender/contractPeriod/endDate"), chunk.values("/tender/contractPeriod/durationInDays")
    found: list[float | None] = [None] * len(chunk)
    for row in _rows_without(chunk, ends, days):
        if not _states_term(tender := chunk.tenders[row]):
            found[row] = _longest(tender.contracts, chunk.lists("/awards")[row])
    return found


def _rows_without(chunk: TenderChunk, *columns: Values) -> list[int]:
    """The rows in which none of several columns has a value."""
    known = [values for values in columns if values is not None]
    return [row for row in range(len(chunk)) if all([values[row] is None for values in known])]  # noqa: C419


def _states_term(tender: Tender) -> bool:
    term = tender.tender.contract_period
    return (term is not None and (term.end_date is not None or term.duration_in_days is not None)) or any(
        lot.contract_period is not None for lot in tender.tender.lots
    )


def _longest(contracts: Sequence[Contract], awards: Sequence[Award]) -> float | None:
    for periods in ([contract.period for contract in contracts], [award.contract_period for award in awards]):
        days = [_length(period) for period in periods if period is not None]
        if longest := max((each for each in days if each is not None and each >= 1), default=None):
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

    def read(chunk: TenderChunk, stage: Stage) -> Values:
        net, gross = chunk.values("/tender/value/amount"), chunk.values("/tender/value/amountGross")
        found: list[Any] = [None] * len(chunk)
        for row in _rows_without(chunk, net, gross):
            if not _states_value(tender := chunk.tenders[row]):
                value = _agreed(chunk.lists("/awards")[row], tender.contracts)
                found[row] = value and get(value)
        return found

    return read


def _states_value(tender: Tender) -> bool:
    return any(
        value is not None and (value.amount is not None or value.amount_gross is not None)
        for value in (tender.tender.value, *(lot.value for lot in tender.tender.lots))
    )


def _agreed(awards: Sequence[Award], contracts: Sequence[Contract]) -> Value | None:
    for values in ([award.value for award in awards], [contract.value for contract in contracts]):
        stated = [(money.stated(value), value.currency) for value in values if value is not None]
        amounts = [(amount, currency) for amount, currency in stated if amount is not None]
        if amounts and len({currency for _, currency in amounts}) == 1:
            return Value(amount=math.fsum(amount for amount, _ in amounts), currency=amounts[0][1])
    return None


def signed_before_start(chunk: TenderChunk, stage: Stage) -> Values:
    """The fewest days from signature to start of the contracts that name both days; negative if signed after."""
    return [
        min(
            (
                days
                for contract in contracts
                if contract.period
                and (days := dates.days_between(contract.date_signed, contract.period.start_date)) is not None
            ),
            default=None,
        )
        for contracts in chunk.lists("/contracts")
    ]


def suppliers(chunk: TenderChunk, stage: Stage) -> Values:
    """The names of the suppliers of all awards."""
    return [
        tuple([supplier.name for award in awards for supplier in award.suppliers if supplier.name])
        for awards in chunk.lists("/awards")
    ]


def first_supplier(chunk: TenderChunk, stage: Stage) -> Values:
    """The name of the first supplier."""
    return [names[0] if names else None for names in suppliers(chunk, stage) or ()]


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
