"""What was known when: `as_of` removes from a tender every fact that came later.

A stage is a point of knowledge: `draft` is the notice as first published, `bids_in` the moment
the bids are counted, `awarded` the signing. How a procedure or contract *ended* is known at none of
them, so every status goes at every stage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from operator import is_not
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from tenders import dates
from tenders.codelists import CLOSING_DOCUMENTS, LATER_DOCUMENTS
from tenders.columns import COLUMNS
from tenders.errors import Problem, StageError
from tenders.facts import STAGES, Facts, Stage
from tenders.tender import Award, Contract, Document, Lot, Party, Procedure, Tender
from tenders.tender_chunk import ALL_AWARDS, NO_FACTS, TenderChunk, later_roles, stands

Made = TypeVar("Made", bound=msgspec.Struct)


def as_of(tender: Tender, moment: Stage | date) -> Tender:
    """The tender as it was known at a stage, or at the end of a day."""
    if isinstance(moment, date):
        return _until(_at_stage(tender, stage_on(tender, moment)), moment)
    return _at_stage(tender, moment)


def stage_on(tender: Tender, moment: date) -> Stage:
    """The stage that a tender had reached on a day, from its own dates."""
    made = [award for award in tender.awards if award.status != "pending"]
    awarded = [a.date for a in made if a.date] or [c.date_signed for c in tender.contracts if c.date_signed]
    if any(dates.latest(text) <= moment for text in awarded):
        return "awarded"
    period = tender.tender.tender_period
    closed = period and period.end_date and dates.latest(period.end_date) <= moment
    return "bids_in" if closed else "draft"


def latest_stage(tender: Tender, today: date | None = None) -> Stage:
    """The furthest stage of which the tender holds a fact: what a user means by no stage.

    An award or a contract that is dated after `today` is a plan, and shows nothing. A pending award is not made yet.
    """
    if (tender.contracts or tender.awards) and _award_is_shown(tender, str(today or dates.today())):
        return "bids_in" if pending_award(tender) else "awarded"
    counted = tender.bids is not None and tender.bids.statistics
    return "bids_in" if counted or tender.tender.number_of_tenderers is not None else "draft"


def latest_stages(chunk: TenderChunk, today: date) -> list[Stage]:
    """`latest_stage` of many tenders, in a small part of the time where every award in them is plainly made."""
    if not _are_made(chunk, str(today)):
        return [latest_stage(tender, today) for tender in chunk.tenders]
    counts = chunk.lists("/bids/statistics"), chunk.column("/tender/numberOfTenderers")
    return [
        "awarded" if awards or contracts else "bids_in" if listed or counted is not None else "draft"
        for awards, contracts, listed, counted in zip(
            chunk.lists(ALL_AWARDS), chunk.lists("/contracts"), *counts, strict=True
        )
    ]


def _are_made(chunk: TenderChunk, today: str) -> bool:
    """Whether all awards and contracts are in force, and none is pending, dated after today or in a standstill."""
    awards, contracts = chunk.fields(f"{ALL_AWARDS}/*"), chunk.fields("/contracts/*")
    if awards and (any(awards["standstillPeriod"]) or not {*_MADE}.issuperset(awards["status"])):
        return False
    if contracts and not {"pending", "cancelled"}.isdisjoint(contracts["status"]):
        return False
    days = [*(awards["date"] if awards else ()), *(contracts["dateSigned"] if contracts else ())]
    return max(filter(None, days), default="")[:10] <= today


def has_reached(tender: Tender, stage: Stage, today: date | None = None) -> bool:
    """Whether the tender shows that it has reached a stage.

    Every tender is a draft. The bids are in if the deadline has passed, bids are counted or an award is shown. Only
    an award shows that it is awarded.
    """
    if stage == "draft" or STAGES.index(latest_stage(tender, today)) >= STAGES.index(stage):
        return True
    procedure, period = tender.tender, tender.tender.tender_period
    if stage == "awarded" or period is None:
        return False
    start = period.start_date or procedure.date_published
    last = last_day(period.end_date, start, period.duration_in_days)
    return last is not None and last <= (today or dates.today()).toordinal()


def last_day(end: str | None, start: str | None, days: float | None) -> float | None:
    """The last day of a period as an ordinal: its end, else its start and length. None if unknown or no date."""
    try:
        if end:
            return dates.latest(end).toordinal()
        return dates.latest(start).toordinal() + days if start and days is not None else None
    except ValueError:
        return None


def require_stage(reached: Callable[[Stage], bool], stage: Stage) -> None:
    """Raises StageError, in words, if a stage is not reached. `reached` says of each stage whether it is."""
    if reached(stage):
        return
    furthest = max(filter(reached, STAGES), key=STAGES.index)
    raise StageError(
        Problem(path="/stage", problem=NOT_REACHED[stage], remedy=f"Score it at {furthest}{REMEDIES[stage]}")
    )


NOT_REACHED: Mapping[Stage, str] = {
    "bids_in": "the bids are not in: the deadline has not passed, no bids are counted and no award is shown",
    "awarded": "the contract is not awarded: no award is shown, or its date is still to come",
}
"""Why a tender has no number for a stage."""
REMEDIES: Mapping[Stage, str] = {
    "bids_in": ", or state the day bids were due or the number of bidders",
    "awarded": ", or state the supplier, the price or the day of the award",
}


def _award_is_shown(tender: Tender, today: str) -> bool:
    """Whether an award or a contract is shown that is not dated after today, an ISO date."""
    # ISO dates sort as text. A month that is not over may hold the day, so it counts.
    days = [award.date for award in tender.awards if award.status in _MADE_OR_PENDING]
    days += [contract.date_signed for contract in tender.contracts]
    return any(day is None or day[:10] <= today for day in days)


_MADE = (None, "active")
_MADE_OR_PENDING = (*_MADE, "pending")


def pending_award(tender: Tender) -> str | None:
    """The JSON path that says that the award is pending or in its standstill, so that none is made yet."""
    if any(contract.status not in ("pending", "cancelled") for contract in tender.contracts):
        return None
    path = None
    for i, award in enumerate(tender.awards):
        if award.status == "pending":
            path = path or f"/awards/{i}/status"
        elif award.status in _MADE:
            ends = award.standstill_period and award.standstill_period.end_date
            if not ends or not tender.date or dates.latest(ends) <= dates.latest(tender.date):
                return None
            path = path or f"/awards/{i}/standstillPeriod/endDate"
    pending = (f"/contracts/{i}/status" for i, contract in enumerate(tender.contracts) if contract.status == "pending")
    return path or next(pending, None)


def _changed(part: Made, **facts: object) -> Made:
    """The part with other facts, or the part itself where nothing differs: most rows of a register hold nothing later,
    and to build half a million of them anew takes longer than to read them."""
    for name, fact in facts.items():
        before = getattr(part, name)
        # What did not change is the same object, and lots by the dozen need not be compared.
        if before is not fact and before != fact:
            return replace(part, **facts)
    return part


def _mapped(change: Callable[[Made], Made], parts: tuple[Made, ...]) -> tuple[Made, ...]:
    """The parts changed one by one; the same tuple where none is."""
    if not parts:
        return parts
    changed = tuple(map(change, parts))
    return changed if any(map(is_not, changed, parts)) else parts


def _kept(parts: tuple[Made, ...], keep: Callable[[Made], bool]) -> tuple[Made, ...]:
    """The parts that are kept; the same tuple where all are."""
    if not parts:
        return parts
    kept = tuple(filter(keep, parts))
    return kept if len(kept) < len(parts) else parts


def _at_stage(tender: Tender, stage: Stage) -> Tender:
    rank = STAGES.index(stage)
    return _changed(
        tender,
        tag=(),
        parties=_parties(tender.parties, stage),
        tender=_procedure(tender.tender, rank),
        bids=tender.bids if rank >= 1 else None,
        awards=_mapped(_award, _kept(tender.awards, stands)) if rank >= 2 else (),
        contracts=_mapped(_contract, tender.contracts) if rank >= 2 else (),
        tender_risk=_facts(tender.tender_risk, rank),
    )


def _parties(parties: tuple[Party, ...], stage: Stage) -> tuple[Party, ...]:
    if not parties:
        return parties
    later = later_roles(stage)
    if all(party.roles and later.isdisjoint(party.roles) for party in parties):
        return parties
    earlier = (_changed(party, roles=tuple(role for role in party.roles if role not in later)) for party in parties)
    return tuple(party for party in earlier if party.roles)


def _procedure(procedure: Procedure, rank: int) -> Procedure:
    later = CLOSING_DOCUMENTS if rank >= 2 else LATER_DOCUMENTS
    first = procedure.date_published if rank < 1 else None
    return _changed(
        procedure,
        status=None,
        status_details=None,
        final_status=None,
        final_status_date=None,
        lots=_mapped(_lot, procedure.lots),
        documents=_kept(procedure.documents, lambda doc: not _is_one_of(doc, later) and not _later(doc, first)),
        **_PROCEDURE_AFTER[STAGES[rank]],
    )


def _lot(lot: Lot) -> Lot:
    return _changed(lot, status=None, status_details=None, final_status=None)


def _is_one_of(document: Document, kinds: frozenset[str]) -> bool:
    return document.notice_type in kinds or document.document_type in kinds


def _later(document: Document, first: str | None) -> bool:
    published = document.date_published
    if not published or not first or published == first:
        return False
    return dates.earliest(published) > dates.latest(first)


def _award(award: Award) -> Award:
    return _changed(
        award,
        status=None,
        status_details=None,
        final_status=None,
        final_status_date=None,
        description=None,
        documents=(),
    )


def _contract(contract: Contract) -> Contract:
    return _changed(
        contract,
        status=None,
        status_details=None,
        final_status=None,
        amendments=(),
        documents=(),
        milestones=(),
        date_terminated=None,
        termination_rationale=None,
        termination_rationale_classifications=(),
        termination_rationale_classification=None,
        implementation=None,
    )


def _facts(facts: Facts, rank: int) -> Facts:
    if facts is NO_FACTS:
        return facts
    known = STAGES[: rank + 1]
    return _changed(
        facts,
        advisers=_kept(facts.advisers, lambda adviser: adviser.since in known),
        structure_changes=_kept(facts.structure_changes, lambda change: change.stage in known) if rank else (),
        assurance_holds=_kept(facts.assurance_holds, lambda hold: hold.stage in known),
        **_FACTS_AFTER[STAGES[rank]],
    )


def _until(tender: Tender, moment: date) -> Tender:
    """Drops what carries a date after `moment`; the undated went by stage already."""

    def known(text: str | None) -> bool:
        return text is None or dates.latest(text) <= moment

    facts = tender.tender_risk
    return replace(
        tender,
        tender=replace(
            tender.tender,
            amendments=tuple(a for a in tender.tender.amendments if known(a.date)),
            documents=tuple(d for d in tender.tender.documents if known(d.date_published)),
        ),
        awards=tuple(a for a in tender.awards if known(a.date)),
        contracts=tuple(c for c in tender.contracts if known(c.date_signed)),
        tender_risk=replace(
            facts,
            structure_changes=tuple(c for c in facts.structure_changes if known(c.date)),
            assurance_holds=tuple(h for h in facts.assurance_holds if known(h.date)),
        ),
    )


def _known_later(section: str, part: type[msgspec.Struct], stage: Stage) -> Mapping[str, object]:
    """The fields of a section that a later stage adds, by the declarations of their columns, as they are before."""
    fields = {f"/{section}/{field.encode_name}": field for field in msgspec.structs.fields(part)}
    later = {column.path for column in COLUMNS.values() if not column.known_at(stage)}
    return {field.name: field.default for path, field in fields.items() if path in later}


_FACTS_AFTER = {stage: _known_later("tenderRisk", Facts, stage) for stage in STAGES}
_PROCEDURE_AFTER = {stage: _known_later("tender", Procedure, stage) for stage in STAGES}
