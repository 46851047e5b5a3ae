"""Signs once bids are in: what was changed or disputed meanwhile."""

from __future__ import annotations

from features.structure import changes, structure_changes
from features.structure import legal_challenge as challenged
from features.table import TenderTable
from models.signs.register import first, sign, yes
from models.signs.sources import DIRECTIVE, NAO_UNITINGCARE, PAC_UNITINGCARE
from tenders.tender import Tender

CHANGES = "/tenderRisk/structureChanges"


@sign(
    stage="bids_in",
    title="Deadline extended",
    says="The deadline or the mobilisation was moved after publication.",
    says_not="The deadline was not moved after publication.",
    asks="whether the deadline was moved",
    path=CHANGES,
    source=f"{DIRECTIVE}, art. 47(3)",
)
def deadline_moved(tender: Tender, table: TenderTable) -> bool | None:
    """A change of the tender period or of mobilisation after publication, by the release history or as stated."""
    return yes(first(changes(table, "deadline", "mobilisation")))


@sign(
    stage="bids_in",
    title="Value, lots or scope changed",
    says="The value, the lots or the scope changed after publication.",
    says_not="Neither value nor lots nor scope changed after publication.",
    asks="whether value, lots or scope changed",
    path=CHANGES,
    source=f"{DIRECTIVE}, art. 72, on what may not change; {NAO_UNITINGCARE}",
)
def redesigned_while_open(tender: Tender, table: TenderTable) -> bool | None:
    """A change of value, lots or scope after publication, by the release history or as stated."""
    return yes(first(changes(table, "value", "lots", "scope")))


@sign(
    stage="bids_in",
    title="Notice amended",
    says="The tender was amended after publication.",
    says_not="The tender was not amended after publication.",
    asks="whether the tender was amended",
    path="/tender/amendments",
    source=f"{DIRECTIVE}, art. 47(3)(b); {NAO_UNITINGCARE}",
)
def amended(tender: Tender, table: TenderTable) -> bool | None:
    """Any change after publication, or an amendment of the notice."""
    return yes(first(structure_changes(table)))


@sign(
    stage="bids_in",
    title="Consortium changed",
    says="The members of a bidding consortium changed.",
    says_not="No bidding consortium changed its members.",
    asks="whether a consortium changed its members",
    path=CHANGES,
    source=f"{PAC_UNITINGCARE}; {DIRECTIVE}, arts. 19 and 63",
)
def consortium_changed(tender: Tender, table: TenderTable) -> bool | None:
    """A change of a bidder's members after publication, as stated."""
    return yes(first(changes(table, "consortium")))


@sign(
    stage="bids_in",
    title="Complaint or challenge",
    says="The procurement was challenged.",
    says_not="The procurement was not challenged.",
    asks="whether the procurement was challenged",
    path="/tenderRisk/legalChallenge",
    source="Public Contracts Regulations 2015, part 3, chapter 6; Procurement Act 2023, part 9",
)
def legal_challenge(tender: Tender, table: TenderTable) -> bool | None:
    """As stated."""
    return yes(first(challenged(table)))
