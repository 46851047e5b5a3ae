"""Signs of a draft: how much is let at once, and whether anybody has done it before."""

from __future__ import annotations

from features.buyer import first_of_its_kind
from features.lots import long_large_block, service_lines, single_block
from features.table import TenderTable
from features.value import value_to_peers
from models.signs.register import first, sign, yes
from models.signs.sources import ACT, DIRECTIVE, MANCHESTER, NAO_UNITINGCARE, PAC_UNITINGCARE, PLAYBOOK, UK_EXTENSION
from tenders.tender import Tender

MANY_LINES = 5
TIMES_PEERS = 5.0


@sign(
    stage="draft",
    title="One block",
    says="The whole scope is let as one contract.",
    says_not="The scope is divided into several lots or contracts.",
    asks="whether the scope is divided",
    path="/tender/lots",
    source=f"{DIRECTIVE}, art. 46; {ACT}, s. 18; {MANCHESTER}",
)
def one_block(tender: Tender, table: TenderTable) -> bool | None:
    """One lot, or stated to be one block."""
    return yes(first(single_block(table)))


@sign(
    stage="draft",
    title="One block, with a reason given for it",
    says="The notice explains why the scope is not divided: one block was a choice.",
    says_not="The scope is divided into several lots or contracts.",
    asks="why the scope is not divided",
    path="/tender/lotDetails/noLotsDivisionRationale",
    source=f"{UK_EXTENSION}, noLotsDivisionRationale; {DIRECTIVE}, art. 46(1)",
)
def block_by_choice(tender: Tender, table: TenderTable) -> bool | None:
    """One block whose notice gives a reason. Most notices have no such field, so without a reason it is not judged."""
    details = tender.tender.lot_details
    stated = details is not None and bool((details.no_lots_division_rationale or "").strip())
    block = one_block(tender, table)
    return block if stated or block is False else None


@sign(
    stage="draft",
    title="Far larger than its market's contracts",
    says="The value is at least five times that of its market's typical contract.",
    says_not="The value is under five times that of its market's typical contract.",
    asks="the value, or that of five earlier contracts in its market,",
    path="/tender/value",
    source=NAO_UNITINGCARE,
)
def large_for_its_market(tender: Tender, table: TenderTable) -> bool | None:
    """Stated value at least 5 times the geometric mean of its market's earlier contracts. The threshold is ours."""
    ratio = first(value_to_peers(table))
    return None if ratio is None else ratio >= TIMES_PEERS


@sign(
    stage="draft",
    title="One block, long and large",
    says="One block of £500m or more for eight years or more.",
    says_not="Not one block of £500m or more for eight years or more.",
    asks="block, term or value",
    path="/tender/contractPeriod",
    source=MANCHESTER,
)
def long_and_large(tender: Tender, table: TenderTable) -> bool | None:
    """One block of at least £500m for at least 8 years; not shown as soon as one of the three is known not to hold."""
    return yes(first(long_large_block(table)))


@sign(
    stage="draft",
    title="Many service lines bundled",
    says="Five service lines or more are bundled.",
    says_not="Fewer than five service lines are bundled.",
    asks="how many service lines are bundled",
    path="/tenderRisk/serviceLines",
    source=f"{NAO_UNITINGCARE}; {MANCHESTER}",
)
def many_service_lines(tender: Tender, table: TenderTable) -> bool | None:
    """At least 5 distinct service lines. The threshold is ours: that of the Manchester tender."""
    lines = first(service_lines(table))
    return None if lines is None else lines >= MANY_LINES


@sign(
    stage="draft",
    title="First of its kind for the buyer",
    says="The buyer has not let such a contract before.",
    says_not="The buyer has let such a contract before.",
    asks="whether the buyer has let such a contract before",
    path="/tenderRisk/firstOfItsKind",
    source=f"{PLAYBOOK}: a pilot before a first outsourcing; {PAC_UNITINGCARE}",
)
def first_for_the_buyer(tender: Tender, table: TenderTable) -> bool | None:
    """Stated, or no incumbent."""
    return yes(first(first_of_its_kind(table)))
