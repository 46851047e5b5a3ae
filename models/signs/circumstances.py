"""Signs of a draft: what came before it, and what stands around it."""

from __future__ import annotations

from features.advisers import adviser_record
from features.buyer import buyer_record
from features.buyer import predecessor_failed as failed_before
from features.table import TenderTable
from models.signs.register import first, sign, yes
from models.signs.sources import NAO_UNITINGCARE, PAC_UNITINGCARE, PWC_UNITINGCARE, STAFFORDSHIRE, UK_EXTENSION
from tenders.tender import Tender

LONG_RISKS = 300


@sign(
    stage="draft",
    title="Predecessor failed",
    says="The contract before this one failed.",
    says_not="The contract before this one held.",
    asks="how the contract before this one ended",
    path="/tenderRisk/predecessorFailed",
    source=f"{PAC_UNITINGCARE}: the lessons of Hinchingbrooke were not learnt",
)
def predecessor_failed(tender: Tender, table: TenderTable) -> bool | None:
    """As stated."""
    return yes(first(failed_before(table)))


@sign(
    stage="draft",
    counted_at="bids_in",
    title="Under review, or its policy challenged",
    says="A regulator or assurer holds or reviews it.",
    says_not="No regulator or assurer holds or reviews it.",
    asks="whether a regulator or assurer holds or reviews it",
    path="/tenderRisk/assuranceHolds",
    source=STAFFORDSHIRE,
)
def under_review(tender: Tender, table: TenderTable) -> bool | None:
    """A hold, condition or veto is listed. That none is listed does not say that there is none, so it is not judged."""
    return True if tender.tender_risk.assurance_holds else None


@sign(
    stage="draft",
    title="The buyer's earlier cases failed",
    says="The buyer's earlier cases failed more often than others of their kind.",
    says_not="The buyer's earlier cases did not fail more often than others of their kind.",
    asks="how the buyer's earlier cases ended",
    path="/buyer",
    source=PAC_UNITINGCARE,
)
def buyer_failed_before(tender: Tender, table: TenderTable) -> bool | None:
    """More failures than expected among the buyer's cases resolved before, of any category: one alone has too few."""
    ratio = first(buyer_record(table))
    return None if ratio is None else ratio > 1


@sign(
    stage="draft",
    title="The advisers' earlier cases failed",
    says="The advisers' earlier cases failed more often than others of their kind.",
    says_not="The advisers' earlier cases did not fail more often than others of their kind.",
    asks="who advises, or how the advisers' earlier cases ended,",
    path="/tenderRisk/advisers",
    source=f"{PWC_UNITINGCARE}; {NAO_UNITINGCARE}",
)
def advisers_failed_before(tender: Tender, table: TenderTable) -> bool | None:
    """More failures than expected among the advisers' cases resolved before. About cases, not about the advice."""
    ratio = first(adviser_record(table))
    return None if ratio is None else ratio > 1


@sign(
    stage="draft",
    title="Risks not stated, or at length",
    says="The notice leaves its risks empty, or states them in more than 300 words.",
    says_not="The notice states its risks in 300 words or fewer.",
    asks="the notice's statement of risks",
    path="/tender/riskDetails",
    source=f"{UK_EXTENSION}, riskDetails",
)
def risks_empty_or_long(tender: Tender, table: TenderTable) -> bool | None:
    """`riskDetails` is there and blank, or longer than 300 words. Older notices have no such field, so without it
    nothing is judged. The threshold is ours."""
    stated = tender.tender.risk_details
    return None if stated is None else not 0 < len(stated.split()) <= LONG_RISKS
