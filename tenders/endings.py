"""What a process states about how its procedure ended: which words, where, and since when.

A procedure has ended only where something states it: a status, an award without success, a notice of cancellation or
termination or, for the NHS Provider Selection Regime, a sentence that it was abandoned. That nothing more was published
states nothing. How contracts ended is in `tenders.contract_ends`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Literal

from msgspec import Struct

from tenders import dates
from tenders.codelists import NOTICE_DOCUMENTS, UK_NOTICES, UK_OCIDS, NoticeMeaning
from tenders.ending_words import is_marked_title, says_abandoned, says_correction
from tenders.io.ocds import parse_release
from tenders.process import Process
from tenders.tender import Award, Contract, Document, Lot, Procedure, Tender

EndingKind = Literal["unsuccessful", "cancelled", "withdrawn", "discontinued", "re_issued", "terminated", "part"]

_KINDS: dict[str | None, EndingKind] = {
    "unsuccessful": "unsuccessful",
    "cancelled": "cancelled",
    "withdrawn": "withdrawn",
}

PROCUREMENT_ACT = date(2025, 2, 24)
"""The day from which the Procurement Act 2023 applies."""
BRITISH_OCIDS = tuple(f"{prefix}-" for prefix in UK_OCIDS)
_PLANNING = frozenset({"planning", "planningUpdate"})
_CANCELLING = frozenset({"tenderCancellation", *_PLANNING})
_NOTICE = re.compile(r"\s*UK\s?0?(\d{1,2})\b", re.IGNORECASE)


class Ending(Struct, frozen=True, kw_only=True):
    """That a procedure, or one lot of it, ended without a contract: how, since when it is known, where, why."""

    kind: EndingKind
    on: str | None
    path: str
    reason: str | None = None


class DatedRelease(Struct, frozen=True, kw_only=True):
    """One release of a process: its place, its date, its tags, and what it states."""

    where: str
    date: str | None
    tags: frozenset[str]
    tender: Tender


def dated_releases(process: Process) -> list[DatedRelease]:
    """The releases of a process in time order. Raises DataError if one cannot be read."""
    if (typed := process.typed) is not None:
        return [DatedRelease(where="", date=typed.date, tags=frozenset(typed.tag), tender=typed)]
    history = []
    for release, where in zip(process.releases, process.where, strict=True):
        tender = parse_release(release, where)[1]
        history.append(DatedRelease(where=where, date=tender.date, tags=frozenset(tender.tag), tender=tender))
    return history


def first_stated(
    history: Sequence[DatedRelease], path: Callable[[Tender], str | None], own: str | None = None
) -> tuple[str | None, str]:
    """Since when a fact is known, and the JSON path that states it; `path` gives the place in one release, or None.

    With several releases it is known since the first that states it. A compiled release does not show that, so there
    `own`, the date that the fact itself carries, comes before the date of the release.
    """
    for release in history:
        place = path(release.tender)
        if place is not None:
            return (own or release.date if len(history) == 1 else release.date), release.where + place
    return own, ""


def _since_opening(history: Sequence[DatedRelease]) -> Sequence[DatedRelease]:
    """The releases from the last that (re-)opened the procedure on; all if none did."""
    opened = [i for i, release in enumerate(history) if "tender" in release.tags]
    return history[opened[-1] :] if opened else history


def status_of(part: Procedure | Lot) -> str | None:
    """The status of a tender or lot; OCDS 1.2's `finalStatus` takes the place of the statuses that are final."""
    return part.final_status or part.status


def award_status(award: Award) -> str | None:
    """The status of an award, in the words of OCDS 1.1."""
    return "active" if award.final_status == "complete" else award.final_status or award.status


def contract_status(contract: Contract) -> str | None:
    """The status of a contract, in the words of OCDS 1.1."""
    if contract.final_status in ("complete", "incomplete"):
        return "terminated"
    return "cancelled" if contract.final_status == "unsuccessful" else contract.final_status or contract.status


def status_field(part: Procedure | Lot | Award) -> str:
    """The name of the field that `status_of` reads."""
    return "finalStatus" if part.final_status else "status"


def status_ending(tender: Tender, history: Sequence[DatedRelease]) -> Ending | None:
    """The end that `tender.status` states for the whole procedure."""
    status = status_of(tender.tender)
    if status not in _KINDS:
        return None
    field = status_field(tender.tender)
    on, path = first_stated(
        _since_opening(history),
        lambda stated: f"/tender/{field}" if status_of(stated.tender) == status else None,
        tender.tender.final_status_date,
    )
    return Ending(kind=_KINDS[status], on=on, path=path, reason=tender.tender.status_details)


def lot_ending(tender: Tender, index: int, history: Sequence[DatedRelease]) -> Ending | None:
    """The end that the status of one lot states."""
    lot = tender.tender.lots[index]
    status, field = status_of(lot), status_field(lot)
    if status not in _KINDS:
        return None

    def place(stated: Tender) -> str | None:
        lots = enumerate(stated.tender.lots)
        i = next((i for i, other in lots if other.id == lot.id and status_of(other) == status), None)
        return None if i is None else f"/tender/lots/{i}/{field}"

    on, path = first_stated(_since_opening(history), place, tender.tender.final_status_date)
    return Ending(kind=_KINDS[status], on=on, path=path, reason=lot.status_details)


def notice_ending(history: Sequence[DatedRelease]) -> Ending | None:
    """The end that a tag or a notice states (tenderCancellation, UK12), unless the procedure was opened again after."""
    for release in _since_opening(history):
        if "tenderCancellation" in release.tags:
            return Ending(kind="cancelled", on=release.date, path=f"{release.where}/tag")
    for release in _since_opening(history):
        listed = list(notices(release.tender))
        for place, document, says in listed:
            if says == "procurement end" and not _opened_after(document, listed):
                on = document.date_published or release.date
                return Ending(kind="discontinued", on=on, path=release.where + place, reason=document.description)
    return None


def prose_ending(history: Sequence[DatedRelease]) -> Ending | None:
    """The end that only a sentence states: regulation 15 of SI 2023/1348 asks for a notice, not for a status."""
    return next(filter(None, map(_prose_of, _since_opening(history))), None)


def _prose_of(release: DatedRelease) -> Ending | None:
    opens = "tender" in release.tags
    for path, text, own, strict in _texts(release.tender):
        marked = path.endswith("/title") and is_marked_title(text)
        if marked or says_abandoned(text, of_this=strict and opens):
            return Ending(kind="discontinued", on=own or release.date, path=release.where + path, reason=text)
    return None


def last_cancellation(history: Sequence[DatedRelease]) -> tuple[int, Ending] | None:
    """The newest of several releases that calls the procedure off, by tag, notice, status or prose; None if none."""
    for i in range(len(history) - 1, 0, -1):
        one = history[i : i + 1]
        stated = one[0].tender
        ending = notice_ending(one) or status_ending(stated, one) or (None if _opens(one[0]) else prose_ending(one))
        if ending:
            return i, ending
    return None


def _opens(release: DatedRelease) -> bool:
    return "tender" in release.tags


# Notices.


def meaning(document: Document) -> NoticeMeaning | None:
    """What kind of notice a document is, by its `noticeType` (UK1 to UK17), else by its `documentType`."""
    if document.notice_type and (number := _NOTICE.match(document.notice_type)):
        return UK_NOTICES.get(f"UK{int(number[1])}")
    return NOTICE_DOCUMENTS.get(document.document_type or "")


def notices(tender: Tender) -> Iterator[tuple[str, Document, NoticeMeaning]]:
    """The notices that a release lists, wherever it lists them, each with its JSON path and its meaning."""
    places = [("/planning", tender.planning.documents if tender.planning else ()), ("/tender", tender.tender.documents)]
    places += [(f"/awards/{i}", award.documents) for i, award in enumerate(tender.awards)]
    places += [(f"/contracts/{i}", contract.documents) for i, contract in enumerate(tender.contracts)]
    for place, documents in places:
        for i, document in enumerate(documents):
            if says := meaning(document):
                yield f"{place}/documents/{i}", document, says


def is_market(history: Sequence[DatedRelease]) -> bool:
    """Whether a process is only a dynamic market, a list of suppliers: nothing is bought by its notices."""
    says = {says for release in history for _, _, says in notices(release.tender)}
    return "market" in says and says.isdisjoint({"call", "award", "contract", "contract end"})


def was_opened(history: Sequence[DatedRelease]) -> bool:
    """Whether anything was called for before it was called off: without it, a cancellation withdraws a mere plan.

    Procurement termination notices (UK12) follow a tender or transparency notice, also where that is not at hand.
    """
    alone = len(history) == 1
    return any(_shows_opening(release, alone) for release in history)


def _shows_opening(release: DatedRelease, alone: bool) -> bool:
    says = {says for _, _, says in notices(release.tender)}
    if not says.isdisjoint({"call", "award", "contract", "contract end"}) or (alone and "procurement end" in says):
        return True
    if not release.tags or not release.tags <= _CANCELLING:
        return True
    tender = release.tender.tender
    if release.tags <= _PLANNING and tender.status in (None, "planning", "planned", *_KINDS):
        return False
    period = tender.tender_period
    called = (period and period.end_date) or tender.expression_of_interest_deadline or tender.number_of_tenderers
    return bool(
        called or release.tender.awards or release.tender.bids or status_of(tender) in ("active", "unsuccessful")
    )


def before_procurement_act(tender: Tender, history: Sequence[DatedRelease]) -> bool:
    """Whether it is a British procurement under the law before the Procurement Act 2023."""
    basis = tender.tender.legal_basis
    if not _is_british(tender) or (basis and "2023/54" in str(basis.id)):
        return False
    if any(d.notice_type and _NOTICE.match(d.notice_type) for r in history for _, d, _ in notices(r.tender)):
        return False
    if basis and basis.id:
        return True
    dated = tender.tender.date_published or (history[0].date if history else None) or tender.date
    return bool(dated) and dates.latest(str(dated)) < PROCUREMENT_ACT


def _is_british(tender: Tender) -> bool:
    if (tender.ocid or "").startswith(BRITISH_OCIDS):
        return True
    ids = [tender.buyer.id if tender.buyer else None]
    ids += [text for p in tender.parties for text in (p.id, p.identifier.scheme if p.identifier else None)]
    return any(str(text).startswith("GB-") for text in ids if text)


def correction_words(tender: Tender) -> str | None:
    """The words that call the end a correction: in error, a duplicate, re-issued, a test. None if there are none."""
    documents = (d.description for _, d, says in notices(tender) if says == "procurement end")
    lots = (lot.status_details for lot in tender.tender.lots)
    texts = (tender.tender.status_details, *lots, *documents, tender.tender.title, tender.tender.description)
    return next((text for text in texts if text and says_correction(text)), None)


def _opened_after(closing: Document, listed: Sequence[tuple[str, Document, NoticeMeaning]]) -> bool:
    return any(
        closing.date_published
        and other.date_published
        and dates.earliest(other.date_published) > dates.latest(closing.date_published)
        for _, other, says in listed
        if says == "call"
    )


def _texts(tender: Tender) -> Iterator[tuple[str, str, str | None, bool]]:
    """The places where a notice explains itself: JSON path, text, the date that the text carries, and whether the text
    may also describe what is bought."""
    for path, text, own in _explanations(tender):
        yield path, text, own, False
    for path, description in _descriptions(tender):
        if description:
            yield path, description, None, True


def _descriptions(tender: Tender) -> Iterator[tuple[str, str | None]]:
    yield "/description", tender.description
    yield "/tender/title", tender.tender.title
    yield "/tender/description", tender.tender.description
    yield "/tender/procurementMethodRationale", tender.tender.procurement_method_rationale
    yield "/tender/procurementMethodDetails", tender.tender.procurement_method_details
    for i, lot in enumerate(tender.tender.lots):
        yield f"/tender/lots/{i}/title", lot.title
        yield f"/tender/lots/{i}/description", lot.description
    for i, award in enumerate(tender.awards):
        yield f"/awards/{i}/title", award.title
        yield f"/awards/{i}/description", award.description


def _explanations(tender: Tender) -> Iterator[tuple[str, str, str | None]]:
    lots, documents, amendments = tender.tender.lots, tender.tender.documents, tender.tender.amendments
    places: list[tuple[str, str | None, str | None]] = [("/tender/statusDetails", tender.tender.status_details, None)]
    places += [(f"/tender/lots/{i}/statusDetails", lot.status_details, None) for i, lot in enumerate(lots)]
    places += [(f"/tender/documents/{i}/description", d.description, d.date_published) for i, d in enumerate(documents)]
    places += [(f"/tender/amendments/{i}/rationale", a.rationale, a.date) for i, a in enumerate(amendments)]
    places += [(f"/tender/amendments/{i}/description", a.description, a.date) for i, a in enumerate(amendments)]
    for i, award in enumerate(tender.awards):
        places.append((f"/awards/{i}/statusDetails", award.status_details, award.date))
        for j, document in enumerate(award.documents):
            places.append((f"/awards/{i}/documents/{j}/description", document.description, document.date_published))
    return ((path, text, own) for path, text, own in places if text)
