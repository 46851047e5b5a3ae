"""What a process states about how its procedure and its contracts ended: which words, where, and since when.

A procedure has ended only where something states it: a status, an award without success, a notice of cancellation or
termination or, for the NHS Provider Selection Regime, a sentence that it was abandoned. That nothing more was published
states nothing.

A contract ended early if it was terminated before the end that was planned at signature. The planned end is read from
the tender as it stood at the award, because a later notice may move the end date to the day of the termination. A
contract about which nothing more was published is not known to have run its term.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Literal

from msgspec import Struct

from tenders import dates
from tenders.codelists import CLOSING_DOCUMENTS
from tenders.io.ocds import parse_release
from tenders.process import Process
from tenders.tender import Classification, Contract, Document, Period, Tender

EndingKind = Literal["unsuccessful", "cancelled", "withdrawn", "discontinued", "re_issued", "terminated"]

_KINDS: dict[str, EndingKind] = {"unsuccessful": "unsuccessful", "cancelled": "cancelled", "withdrawn": "withdrawn"}

_PROCEDURE_NOTICES = CLOSING_DOCUMENTS - {"UK11", "contractTerminationNotice"}
_OPENING_NOTICES = frozenset({"UK4", "tenderNotice"})

# Abandoned vehicles, abandoned calls, what a buyer *may* do, and what became of an earlier procedure are not the end
# of this one: so one sentence must hold the word, a procedure, a completed act, and none of the doubtful words.
_SENTENCE = re.compile(r"[.;!?\n]+(?:\s|$)")
_ABANDONED = re.compile(
    r"\b(?:has|have|had|is|was|were|been|being|decided|decision|hereby|notice)\b.*\babandon(?:ed|ing|ment)?\b"
    r"|\babandonment of (?:the|this|a)\b|\babandoned (?:the|this)\b",
    re.IGNORECASE,
)
_PROCEDURE = re.compile(r"\b(?:procurement|procedure|process|competition|tender|selection|award)\b", re.IGNORECASE)
_DOUBTFUL = re.compile(
    r"\b(?:may|might|could|would|can|not|never|reserves?|right|previous(?:ly)?|earlier|former|prior|last)\b"
    r"(?:\W+\w+){0,6}?\W+abandon"
    r"|\b(?:if|unless|should|in the event)\b.*abandon|abandon\w*(?:\W+\w+){0,3}\W+(?:previous|earlier|former|prior)\b"
    r"|abandoned (?:vehicle|car|call|building|well|mine|waste|trolley|land|boat|animal)|calls? abandon",
    re.IGNORECASE,
)
_MAY_THE_MONTH = re.compile(r"(?<=\d )May\b|\bMay(?= \d)")
_ADMINISTRATIVE = re.compile(
    r"\b(?:published|issued|created|entered|released|submitted) (?:in error|by mistake|twice|in duplicate)\b"
    r"|\bduplicate(?: of)?(?: (?:a|an|the|this|another))? (?:notice|entry|publication|tender)\b"
    r"|\badministrative error\b"
    r"|\b(?:republished|re-published|re-?issued) (?:as|under|with|in)\b|\btest notice\b|^\W*test\W*$",
    re.IGNORECASE,
)
# The reason stands at the start of a notice; no text may cost more than its first pages.
MAX_TEXT = 20_000

# The same midnight is one day in Greenwich and another in summer time; a day short is not an early end.
SLACK_DAYS = 1

_COMPLETED_CODES = frozenset({"contractcompleted", "completed", "completion", "contractexpired", "expired", "expiry"})
_COMPLETED = re.compile(r"\b(?:complet(?:ed|ion)|expir(?:ed|y)|(?:reached|at) (?:its|the) end)\b", re.IGNORECASE)
_NOT_COMPLETED = re.compile(r"\b(?:not|never|before|prior|early|without|unable|fail\w*|until)\b", re.IGNORECASE)
_TERMINATION_NOTICES = frozenset({"UK11", "contractTerminationNotice"})


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


def status_ending(tender: Tender, history: Sequence[DatedRelease]) -> Ending | None:
    """The end that `tender.status` states for the whole procedure."""
    status = tender.tender.status
    if status not in _KINDS:
        return None
    on, path = first_stated(
        _since_opening(history),
        lambda stated: "/tender/status" if stated.tender.status == status else None,
        tender.tender.final_status_date,
    )
    return Ending(kind=_KINDS[status], on=on, path=path, reason=tender.tender.status_details)


def lot_ending(tender: Tender, index: int, history: Sequence[DatedRelease]) -> Ending | None:
    """The end that the status of one lot states."""
    lot = tender.tender.lots[index]
    if lot.status not in _KINDS:
        return None

    def place(stated: Tender) -> str | None:
        same = (i for i, other in enumerate(stated.tender.lots) if other.id == lot.id and other.status == lot.status)
        i = next(same, None)
        return None if i is None else f"/tender/lots/{i}/status"

    on, path = first_stated(_since_opening(history), place, tender.tender.final_status_date)
    return Ending(kind=_KINDS[lot.status], on=on, path=path, reason=lot.status_details)


def notice_ending(history: Sequence[DatedRelease]) -> Ending | None:
    """The end that a tag or a notice states (tenderCancellation, UK12), unless the procedure was opened again after."""
    for release in _since_opening(history):
        if "tenderCancellation" in release.tags:
            return Ending(kind="cancelled", on=release.date, path=f"{release.where}/tag")
    for release in _since_opening(history):
        for i, document in enumerate(release.tender.tender.documents):
            if _closes(document) and not _opened_after(document, release.tender.tender.documents):
                on = document.date_published or release.date
                path = f"{release.where}/tender/documents/{i}"
                return Ending(kind="discontinued", on=on, path=path, reason=document.description)
    return None


def prose_ending(history: Sequence[DatedRelease]) -> Ending | None:
    """The end that only a sentence states: regulation 15 of SI 2023/1348 asks for a notice, not for a status."""
    for release in _since_opening(history):
        for path, text, own in _texts(release.tender):
            if abandoned(text):
                return Ending(kind="discontinued", on=own or release.date, path=release.where + path, reason=text)
    return None


def abandoned(text: str) -> bool:
    """Whether one sentence of `text` says that this procedure was abandoned."""
    if "abandon" not in text[:MAX_TEXT].lower():
        return False
    return any(
        _ABANDONED.search(sentence) and _PROCEDURE.search(sentence) and not _DOUBTFUL.search(sentence)
        for sentence in _SENTENCE.split(_MAY_THE_MONTH.sub("", text[:MAX_TEXT]))
    )


def correction_words(tender: Tender) -> str | None:
    """The words that call the end a correction: in error, a duplicate, re-issued, a test. None if there are none."""
    documents = (d.description for d in tender.tender.documents if _closes(d))
    lots = (lot.status_details for lot in tender.tender.lots)
    texts = (tender.tender.status_details, *lots, *documents, tender.tender.title)
    return next((text for text in texts if text and _ADMINISTRATIVE.search(text)), None)


def _closes(document: Document) -> bool:
    return _is_one_of(document, _PROCEDURE_NOTICES)


def _is_one_of(document: Document, kinds: frozenset[str]) -> bool:
    return document.notice_type in kinds or document.document_type in kinds


def _opened_after(closing: Document, documents: Sequence[Document]) -> bool:
    return any(
        closing.date_published
        and other.date_published
        and dates.earliest(other.date_published) > dates.latest(closing.date_published)
        for other in documents
        if _is_one_of(other, _OPENING_NOTICES)
    )


def _texts(tender: Tender) -> Iterator[tuple[str, str, str | None]]:
    """The places where a notice explains itself: JSON path, text, the date that the text carries."""
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


# Contracts.


class ContractEnd(Struct, frozen=True, kw_only=True):
    """How a contract ended: early or not (None if that cannot be told), since when it is known, where, why."""

    early: bool | None
    on: str | None
    path: str
    reason: str | None = None


def contract_end(
    contract: Contract, planned: str | None, history: Sequence[DatedRelease], *, only: bool
) -> ContractEnd | None:
    """The end of a contract in force, None if nothing states that it ended. `only`: it is the only one of its process.

    `planned` is the end date at signature. A contract that was cancelled before signature has no end.
    """
    own = _notice_date(contract) or contract.date_terminated
    known_on, path = first_stated(history, lambda tender: _place(tender, contract), own)
    if not path:
        tagged = next((release for release in history if _tagged(release, contract, only)), None)
        if tagged is None:
            return None
        known_on, path = tagged.date, f"{tagged.where}/tag"
    grounds = _grounds(contract)
    reason = ", ".join(str(g.description or g.id) for g in grounds) or contract.termination_rationale
    return ContractEnd(early=_early(contract, planned, known_on, grounds), on=known_on, path=path, reason=reason)


def planned_end(contract: Contract, at_award: Tender) -> str | None:
    """The end date planned at signature: the contract's, its award's, its lot's, or the tender's. None if unknown."""
    signed = next((other for other in at_award.contracts if other.id == contract.id), contract)
    award = next((award for award in at_award.awards if award.id == contract.award_id), None)
    lots = set(signed.related_lots or (award.related_lots if award else ()))
    periods = [
        signed.period,
        award.contract_period if award else None,
        *(lot.contract_period for lot in at_award.tender.lots if lot.id in lots or len(at_award.tender.lots) == 1),
        at_award.tender.contract_period,
    ]
    return next(filter(None, map(_end, periods)), None)


def _end(period: Period | None) -> str | None:
    if period is None or period.end_date:
        return period.end_date if period else None
    start = dates.day(period.start_date)
    if start is None or not period.duration_in_days or period.duration_in_days > 100 * 366:
        return None
    return (start + timedelta(days=period.duration_in_days)).isoformat()


def _place(tender: Tender, contract: Contract) -> str | None:
    for i, stated in enumerate(tender.contracts):
        if stated.id == contract.id:
            if stated.date_terminated:
                return f"/contracts/{i}/dateTerminated"
            if stated.status == "terminated":
                return f"/contracts/{i}/status"
            if _notices(stated):
                return f"/contracts/{i}/documents"
    return None


def _tagged(release: DatedRelease, contract: Contract, only: bool) -> bool:
    return "contractTermination" in release.tags and (only or [c.id for c in release.tender.contracts] == [contract.id])


def _notices(contract: Contract) -> list[str | None]:
    return [d.date_published for d in contract.documents if _is_one_of(d, _TERMINATION_NOTICES)]


def _notice_date(contract: Contract) -> str | None:
    return next(filter(None, _notices(contract)), None)


def _grounds(contract: Contract) -> list[Classification]:
    old = contract.termination_rationale_classification
    return [*contract.termination_rationale_classifications, *([old] if old else [])]


def _early(contract: Contract, planned: str | None, known_on: str | None, grounds: list[Classification]) -> bool | None:
    if _completed(contract, grounds):
        return False
    ended = contract.date_terminated
    if planned and ended:
        return (dates.earliest(planned) - dates.latest(ended)).days > SLACK_DAYS
    # Without the day of the end, a notice before the planned end still proves that the end came before it.
    if planned and known_on and (dates.earliest(planned) - dates.latest(known_on)).days > SLACK_DAYS:
        return True
    return True if grounds and not planned else None


def _completed(contract: Contract, grounds: list[Classification]) -> bool:
    if grounds:
        return all(
            re.sub(r"[^a-z]", "", str(text or "").lower()) in _COMPLETED_CODES
            for ground in grounds
            for text in [ground.id if ground.description is None else ground.id or ground.description]
        )
    prose = contract.termination_rationale or ""
    return bool(_COMPLETED.search(prose)) and not _NOT_COMPLETED.search(prose)
