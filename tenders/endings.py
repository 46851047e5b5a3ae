"""What a process says about how its procedure ended: which words, where, and since when.

A procedure has ended only where something says so. A status, an award without success, a notice of
cancellation or termination and, for the NHS Provider Selection Regime, a sentence that it was abandoned count;
that nothing more was published does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from tenders import dates
from tenders.codelists import CLOSING_DOCUMENTS
from tenders.io.ocds import parse_release
from tenders.process import Process
from tenders.tender import Document, Tender

Kind = Literal["unsuccessful", "cancelled", "withdrawn", "discontinued", "re_issued", "terminated"]

_KINDS: dict[str, Kind] = {"unsuccessful": "unsuccessful", "cancelled": "cancelled", "withdrawn": "withdrawn"}

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
LONGEST_TEXT = 20_000


class Said(Struct, frozen=True, kw_only=True):
    """That a procedure, or one lot of it, ended without a contract: how, since when it is known, where, why."""

    kind: Kind
    on: str | None
    path: str
    reason: str | None = None


class Step(Struct, frozen=True, kw_only=True):
    """One release of a process: its place, its date, its tags, and what it states."""

    where: str
    date: str | None
    tags: frozenset[str]
    tender: Tender


def steps(process: Process) -> list[Step]:
    """The releases of a process in time order. Raises DataError if one cannot be read."""
    found = []
    for release, where in zip(process.releases, process.where, strict=True):
        tender = parse_release(release, where)[1]
        found.append(Step(where=where, date=tender.date, tags=frozenset(tender.tag), tender=tender))
    return found


def since(
    history: Sequence[Step], path: Callable[[Tender], str | None], own: str | None = None
) -> tuple[str | None, str]:
    """Since when something is known, and the JSON path that says it; `path` gives the place in one release or None.

    With several releases it is known since the first that says it. A compiled release does not tell, so `own`, the
    date that the fact itself carries, stands before the release's.
    """
    for step in history:
        place = path(step.tender)
        if place is not None:
            return (own or step.date if len(history) == 1 else step.date), step.where + place
    return own, ""


def since_opening(history: Sequence[Step]) -> Sequence[Step]:
    """The releases from the last that (re-)opened the procedure on; all if none did."""
    opened = [i for i, step in enumerate(history) if "tender" in step.tags]
    return history[opened[-1] :] if opened else history


def status_says(tender: Tender, history: Sequence[Step]) -> Said | None:
    """The end that `tender.status` states for the whole procedure."""
    status = tender.tender.status
    if status not in _KINDS:
        return None
    on, path = since(
        since_opening(history),
        lambda said: "/tender/status" if said.tender.status == status else None,
        tender.tender.final_status_date,
    )
    return Said(kind=_KINDS[status], on=on, path=path, reason=tender.tender.status_details)


def lot_says(tender: Tender, index: int, history: Sequence[Step]) -> Said | None:
    """The end that the status of one lot states."""
    lot = tender.tender.lots[index]
    if lot.status not in _KINDS:
        return None

    def place(said: Tender) -> str | None:
        same = (i for i, each in enumerate(said.tender.lots) if each.id == lot.id and each.status == lot.status)
        i = next(same, None)
        return None if i is None else f"/tender/lots/{i}/status"

    on, path = since(since_opening(history), place, tender.tender.final_status_date)
    return Said(kind=_KINDS[lot.status], on=on, path=path, reason=lot.status_details)


def notice_says(history: Sequence[Step]) -> Said | None:
    """The end that a tag or a notice states (tenderCancellation, UK12), unless the procedure was opened again after."""
    for step in since_opening(history):
        if "tenderCancellation" in step.tags:
            return Said(kind="cancelled", on=step.date, path=f"{step.where}/tag")
    for step in since_opening(history):
        for i, document in enumerate(step.tender.tender.documents):
            if _closes(document) and not _opened_after(document, step.tender.tender.documents):
                on = document.date_published or step.date
                path = f"{step.where}/tender/documents/{i}"
                return Said(kind="discontinued", on=on, path=path, reason=document.description)
    return None


def prose_says(history: Sequence[Step]) -> Said | None:
    """The end that only a sentence states: regulation 15 of SI 2023/1348 asks for a notice, not for a status."""
    for step in since_opening(history):
        for path, text, own in _texts(step.tender):
            if abandoned(text):
                return Said(kind="discontinued", on=own or step.date, path=step.where + path, reason=text)
    return None


def abandoned(text: str) -> bool:
    """Whether one sentence of `text` says that this procedure was abandoned."""
    if "abandon" not in text[:LONGEST_TEXT].lower():
        return False
    return any(
        _ABANDONED.search(sentence) and _PROCEDURE.search(sentence) and not _DOUBTFUL.search(sentence)
        for sentence in _SENTENCE.split(_MAY_THE_MONTH.sub("", text[:LONGEST_TEXT]))
    )


def administrative(tender: Tender) -> str | None:
    """The words that call the end a correction: in error, a duplicate, re-issued, a test. None if there are none."""
    documents = (d.description for d in tender.tender.documents if _closes(d))
    lots = (lot.status_details for lot in tender.tender.lots)
    texts = (tender.tender.status_details, *lots, *documents, tender.tender.title)
    return next((text for text in texts if text and _ADMINISTRATIVE.search(text)), None)


def _closes(document: Document) -> bool:
    return document.notice_type in _PROCEDURE_NOTICES or document.document_type in _PROCEDURE_NOTICES


def _opened_after(closing: Document, documents: Sequence[Document]) -> bool:
    return any(
        closing.date_published
        and other.date_published
        and dates.earliest(other.date_published) > dates.latest(closing.date_published)
        for other in documents
        if other.notice_type in _OPENING_NOTICES or other.document_type in _OPENING_NOTICES
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
