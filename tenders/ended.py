"""What is no forecast any more: a tender that has already ended, or whose award is decided and not made yet.

The warnings say it, so that nobody takes for a prediction what the file itself reports.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from tenders.codelists import CLOSING_TAGS, TENDER_ENDED_WITHOUT_AWARD
from tenders.endings import award_status, contract_status, meaning, status_of
from tenders.lot_outcomes import Outcome
from tenders.outcomes import outcome
from tenders.process import Process
from tenders.stages import pending_award
from tenders.tender import Award, Contract, Document, Lot, Tender

PENDING = "the award is pending or in its standstill, so none is made yet"
_KINDS = {
    "cancelled": "it was cancelled",
    "withdrawn": "it was withdrawn",
    "discontinued": "it was abandoned",
    "unsuccessful": "it found no supplier",
    "re_issued": "the notice was withdrawn, as a correction",
}
_CONTRACT_ENDED = frozenset({"terminated", "cancelled"})
_ENDS = frozenset({"contract end", "procurement end"})
_STEMS = ("bandon", "ancelled", "iscontinue", "ithdrawn", "ot to award", "o award ", "o contract ")
"""Parts of the words by which sentences say it (`tenders.ending_words`), small letters only."""


def remarks(process: Process) -> Iterator[str]:
    """What has to be said of a process before its score is taken for a forecast.

    Raises DataError if it cannot be read.
    """
    tender = process.compiled()
    if path := pending_award(tender):
        yield f"{process.place_of(path)}: {PENDING}"
    # Releases that were merged have no tags any more.
    tags = chain.from_iterable(release.get("tag") or () for release in process.releases)
    if may_have_ended(tender) or not CLOSING_TAGS.isdisjoint(tags):
        ending = outcome(process)
        if words := _how(ending):
            day = f" on {ending.known_on[:10]}" if ending.known_on else ""
            yield f"{ending.path or '/'}: the file says that {words}{day}, so this is no forecast"


def _how(ending: Outcome) -> str | None:
    if ending.kind in _KINDS and ending.no_award is not False:
        return _KINDS[ending.kind]
    if ending.no_award:
        return "it ended without an award"
    if ending.early_end is None:
        return None
    return "its contract ended early" if ending.early_end else "its contract has ended"


def may_have_ended(tender: Tender) -> bool:
    """Whether something in a tender could say that it has ended: no where nothing can, in a small part of the time."""
    section = tender.tender
    return (
        status_of(section) in TENDER_ENDED_WITHOUT_AWARD
        or not CLOSING_TAGS.isdisjoint(tender.tag)
        or _speaks_of_it(section.title, section.description, section.status_details, tender.description)
        or (bool(section.lots) and any(map(_lot_may_have_ended, section.lots)))
        or (bool(section.documents) and any(map(_may_close, section.documents)))
        or any(_speaks_of_it(amendment.description, amendment.rationale) for amendment in section.amendments)
        or (bool(tender.awards) and any(map(_award_may_have_failed, tender.awards)))
        or (bool(tender.contracts) and any(map(_contract_may_have_ended, tender.contracts)))
    )


def _lot_may_have_ended(lot: Lot) -> bool:
    return status_of(lot) in TENDER_ENDED_WITHOUT_AWARD or _speaks_of_it(lot.description, lot.status_details)


def _award_may_have_failed(award: Award) -> bool:
    return (
        award_status(award) in TENDER_ENDED_WITHOUT_AWARD
        or _speaks_of_it(award.status_details, award.description)
        or any(map(_may_close, award.documents))
    )


def _contract_may_have_ended(contract: Contract) -> bool:
    ended = contract_status(contract) in _CONTRACT_ENDED or contract.date_terminated is not None
    return ended or any(map(_may_close, contract.documents))


def _may_close(document: Document) -> bool:
    return meaning(document) in _ENDS or _speaks_of_it(document.description)


def _speaks_of_it(*texts: str | None) -> bool:
    return any([text is not None and any([stem in text for stem in _STEMS]) for text in texts])  # noqa: C419
