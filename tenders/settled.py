"""A release as it is read: defaults and codes that are none taken out, facts taken from their other standard places.

What is taken out is unknown, and is named in a warning with its JSON path. What stands in another place that OCDS, the
UK extension or OCDS for eForms names for it is put where every reader looks first, if nothing stands there:

| fact | is taken from |
|---|---|
| `tender.datePublished` | the date of the release tagged `tender`, else of the tender notice in `tender.documents` |
| `durationInDays` of a period | its `durationInMonths` |
| `classification` of the tender and its items, in the CPV | the first CPV code of its `additionalClassifications` |
| `tenderPeriod`, `enquiryPeriod`, `techniques`, `submissionTerms` | those of the lots |

All of these are known as soon as the tender is published. What only an award or a contract states is read at that stage
(`tenders.column_readers`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec.structs import force_setattr, replace

from tenders import dates
from tenders.codelists import AWARD_TAGS, CONTRACT_TAGS, PROCUREMENT_METHODS
from tenders.defaults import find_counts, find_defaults, is_credible
from tenders.errors import Problem
from tenders.many import Doubts
from tenders.tender import (
    Classification,
    Document,
    Item,
    Lot,
    OrganizationReference,
    Period,
    Procedure,
    SubmissionTerms,
    Techniques,
    Tender,
    is_cpv,
)

Part = TypeVar("Part")
DAYS_A_MONTH = 365.25 / 12
_OPENING_NOTICES = frozenset({"UK4", "tenderNotice", "contractNotice"})


class Settled(msgspec.Struct, frozen=True):
    """A tender that is settled, and what has to be said of it: paths in the release, each with a sentence."""

    tender: Tender
    notes: tuple[Problem, ...] = ()


def settle(tender: Tender, left_out: Iterable[Problem] = ()) -> Settled:
    """One release, or all releases compiled, as it is read. `left_out` was found in it before, and left out."""
    taken_out = [*find_defaults(tender), *_codes(tender)]
    clean = without(tender, [problem.path for problem in taken_out])
    # A start that is stated, if only by a default, is not the day of publication.
    is_open = not _states_start(tender) and not start_is_left_out(left_out)
    return Settled(filled(clean, is_open), (*taken_out, *_remarks(clean)))


def settle_many(tenders: Sequence[Tender], doubts: Doubts) -> dict[int, tuple[Problem, ...]]:
    """`settle` of many tenders, as far as it is in `doubts` (`tenders.many.find_doubts`) that it changes them.

    They are changed in place, so nobody else may hold them. Returns what has to be said of each row: of most nothing.
    """
    notes: dict[int, tuple[Problem, ...]] = {}
    for row in doubts.to_count:
        for problem in find_counts(tenders[row]):
            _take_out(tenders[row], problem.path)
            notes[row] = (*notes.get(row, ()), problem)
    for row in doubts.to_settle:
        tender = tenders[row]
        is_open = not _states_start(tender)
        taken_out = (*find_defaults(tender), *_codes(tender))
        for problem in taken_out:
            _take_out(tender, problem.path)
        if row_notes := (*taken_out, *_remarks(tender)):
            notes[row] = row_notes
        other = filled(tender, is_open)
        if other is not tender:
            for name in ("tender", "awards", "contracts", "buyer"):
                force_setattr(tender, name, getattr(other, name))
    return notes


def _take_out(tender: Tender, path: str) -> None:
    """Takes out in place what stands at a JSON path."""
    *steps, last = path.strip("/").split("/")
    part: Any = tender
    for step in steps:
        part = part[int(step)] if isinstance(part, tuple) else getattr(part, _field(type(part), step).name)
    field = _field(type(part), last)
    force_setattr(part, field.name, field.default)


def _field(part: type, name: str) -> msgspec.structs.FieldInfo:
    if part not in _FIELDS:
        _FIELDS[part] = {field.encode_name: field for field in msgspec.structs.fields(part)}
    return _FIELDS[part][name]


_FIELDS: dict[type, dict[str, msgspec.structs.FieldInfo]] = {}


def as_warnings(notes: Iterable[Problem]) -> Iterator[str]:
    """Notes as warnings: what is said of many entries of a list is said once, of the first, with their number."""
    notes = list(notes)
    if len(notes) == 1:
        yield str(notes[0])
        return
    alike: dict[tuple[str, str], list[Problem]] = {}
    for note in notes:
        place = "/".join("*" if step.isdigit() else step for step in note.path.split("/"))
        alike.setdefault((place, note.problem), []).append(note)
    for first, *others in alike.values():
        yield f"{first} (and {len(others)} more like it)" if others else str(first)


# Taken out.


def without(tender: Tender, paths: Iterable[str]) -> Tender:
    """The tender without what stands at JSON paths."""
    for path in paths:
        tender = _without(tender, path.strip("/").split("/"))
    return tender


def _without(part: Any, steps: Sequence[str]) -> Any:
    first, *rest = steps
    if isinstance(part, tuple):
        place = int(first)
        return (*part[:place], _without(part[place], rest), *part[place + 1 :])
    field = _field(type(part), first)
    return replace(part, **{field.name: _without(getattr(part, field.name), rest) if rest else field.default})


def _codes(tender: Tender) -> Iterator[Problem]:
    """Codes that are none of their list."""
    method = tender.tender.procurement_method
    if method is not None and method not in PROCUREMENT_METHODS:
        yield Problem(
            path="/tender/procurementMethod",
            problem=f"{method[:40]!r} is no code of OCDS, so the route is unknown",
            remedy=f"Use {', '.join(PROCUREMENT_METHODS)}",
        )


# Said of what stays.


def _remarks(tender: Tender) -> Iterator[Problem]:
    buyers = [(i, party) for i, party in enumerate(tender.parties) if "buyer" in party.roles]
    if len(buyers) > 1 and len({str(party.id) for _, party in buyers}) > 1:
        lead = (tender.buyer and tender.buyer.name) or buyers[0][1].name or "the first"
        yield Problem(
            path=f"/parties/{buyers[1][0]}/roles",
            problem=f"{len(buyers)} bodies buy together: the lead is taken to be {lead[:100]}",
        )
    for i, award in enumerate(tender.awards):
        if award.status == "active" and not award.suppliers:
            yield Problem(path=f"/awards/{i}/suppliers", problem="the award in force names no supplier")


# Other standard places.


def filled(tender: Tender, is_open: bool = True) -> Tender:
    """The tender with facts taken from their other places.

    `is_open` says that no start of the tender period is stated, so that the day of the notice stands for it.
    """
    section = tender.tender
    facts: dict[str, Any] = {}
    if is_open and section.date_published is None and (day := _day_of_notice(tender)):
        facts["date_published"] = day
    if section.lots:
        facts |= _of_lots(section)
    if section.items:
        facts["items"] = _mapped(_item, section.items)
    for name in ("tender_period", "enquiry_period", "contract_period"):
        facts[name] = _in_days(facts.get(name) or getattr(section, name))
    facts["classification"] = _main_code(section.classification, section.additional_classifications)
    tender = _changed(tender, tender=_changed(section, **facts))
    if tender.awards or tender.contracts:
        awards = _mapped(lambda award: _changed(award, contract_period=_in_days(award.contract_period)), tender.awards)
        contracts = _mapped(lambda contract: _changed(contract, period=_in_days(contract.period)), tender.contracts)
        tender = _changed(tender, awards=awards, contracts=contracts)
    if tender.buyer is None and tender.parties:
        lead = next((party for party in tender.parties if "buyer" in party.roles), None)
        if lead is not None:
            tender = replace(tender, buyer=OrganizationReference(id=lead.id, name=lead.name))
    return tender


def day_of_notice(tags: Iterable[str], written: str | None) -> str | None:
    """The date of a release if it is the notice that opens the procedure."""
    stated = frozenset(tags)
    return written if "tender" in stated and stated.isdisjoint(AWARD_TAGS | CONTRACT_TAGS) else None


def _day_of_notice(tender: Tender) -> str | None:
    return day_of_notice(tender.tag, tender.date) or _first_notice(tender.tender.documents)


def _first_notice(documents: Sequence[Document]) -> str | None:
    """The day of the first tender notice among the documents."""
    opening = (d.date_published for d in documents if not _OPENING_NOTICES.isdisjoint((d.notice_type, d.document_type)))
    known = (text for text in opening if text and dates.problem(text) is None and is_credible(text))
    return min(known, key=dates.earliest, default=None)


def start_is_left_out(left_out: Iterable[Problem]) -> bool:
    """Whether the start of the tender period was stated by what was left out."""
    return any(problem.path.endswith("/tender/tenderPeriod/startDate") for problem in left_out)


def _states_start(tender: Tender) -> bool:
    period = tender.tender.tender_period
    return period is not None and period.start_date is not None


def _of_lots(section: Procedure) -> dict[str, Any]:
    """What the lots state and the tender does not."""
    lots = _mapped(_lot, section.lots)
    facts: dict[str, Any] = {"lots": lots}
    if section.tender_period is None:
        facts["tender_period"] = _widest([lot.tender_period for lot in lots])
    if section.enquiry_period is None:
        facts["enquiry_period"] = _widest([lot.enquiry_period for lot in lots])
    frameworks = [lot.techniques.has_framework_agreement for lot in lots if lot.techniques]
    if section.techniques is None and any(stated is not None for stated in frameworks):
        facts["techniques"] = Techniques(has_framework_agreement=any(frameworks))
    terms = [lot.submission_terms.bid_validity_period for lot in lots if lot.submission_terms]
    if section.submission_terms is None and (longest := _widest(terms)):
        facts["submission_terms"] = SubmissionTerms(bid_validity_period=longest)
    return facts


def _lot(lot: Lot) -> Lot:
    return _changed(lot, contract_period=_in_days(lot.contract_period))


def _widest(periods: Sequence[Period | None]) -> Period | None:
    """From the first start to the last end of several periods; None if none is stated."""
    known = [_in_days(period) for period in periods if period is not None]
    if not known:
        return None
    return Period(
        start_date=min((p.start_date for p in known if p and p.start_date), key=_sortable, default=None),
        end_date=max((p.end_date for p in known if p and p.end_date), key=_sortable, default=None),
        duration_in_days=max((p.duration_in_days for p in known if p and p.duration_in_days), default=None),
    )


def _sortable(text: str) -> str:
    return dates.earliest(text).isoformat() if dates.problem(text) is None else text


def _in_days(period: Period | None) -> Period | None:
    if period is None or period.duration_in_months is None or period.duration_in_days is not None:
        return period
    return replace(period, duration_in_days=round(period.duration_in_months * DAYS_A_MONTH))


def _item(item: Item) -> Item:
    return _changed(item, classification=_main_code(item.classification, item.additional_classifications))


def _main_code(own: Classification | None, others: Sequence[Classification]) -> Classification | None:
    """The main code, unless it is none of the CPV and another is."""
    if not others or (own is not None and is_cpv(own)):
        return own
    return next(filter(is_cpv, others), own)


def _mapped(change: Any, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    changed = tuple(map(change, parts))
    return parts if all(one is other for one, other in zip(changed, parts, strict=True)) else changed


def _changed(part: Part, **facts: Any) -> Part:
    if all(getattr(part, name) is fact for name, fact in facts.items()):
        return part
    return replace(part, **facts)  # type: ignore[type-var]
