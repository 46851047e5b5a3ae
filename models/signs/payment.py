"""Signs of a draft: how it is paid, and what the supplier takes over."""

from __future__ import annotations

from features.procedure import outcome_based_payment
from features.table import TenderTable
from features.timing import mobilisation_days
from features.value import savings_assumed
from models.signs.register import first, sign, yes
from models.signs.sources import (
    NAO_UNITINGCARE,
    NAO_WORK_PROGRAMME,
    PAC_UNITINGCARE,
    PLAYBOOK,
    TUPE,
)
from tenders import dates
from tenders.tender import Tender

SHORT_MOBILISATION = 90


@sign(
    stage="draft",
    title="Paid by outcomes from day one",
    says="Payment hangs on outcomes.",
    says_not="Payment does not hang on outcomes.",
    asks="whether payment hangs on outcomes",
    path="/tenderRisk/outcomeBasedPayment",
    source=f"{NAO_WORK_PROGRAMME}; {NAO_UNITINGCARE}",
)
def paid_by_outcomes(tender: Tender, table: TenderTable) -> bool | None:
    """As stated. From which day it does is told by no field, so phased payment counts too."""
    return yes(first(outcome_based_payment(table)))


@sign(
    stage="draft",
    title="Savings assumed",
    says="The price ceiling lies below the present cost.",
    says_not="The price ceiling covers the present cost.",
    asks="the price ceiling against the present cost",
    path="/tenderRisk/savingsAssumed",
    source=f"{NAO_UNITINGCARE}; {PAC_UNITINGCARE}",
)
def ceiling_below_cost(tender: Tender, table: TenderTable) -> bool | None:
    """Stated, or a ratio of ceiling to present cost under 1."""
    return yes(first(savings_assumed(table)))


@sign(
    stage="draft",
    counted_at="awarded",
    title="Staff transfer with little time to mobilise",
    says="Staff transfer, with less than 90 days to mobilise.",
    says_not="No staff transfer, or with 90 days or more to mobilise.",
    asks="staff transfer, or the time to mobilise,",
    path="/tenderRisk/staffTransfer",
    source=f"{TUPE}; {PLAYBOOK}; {NAO_UNITINGCARE}: cleared the day before the start",
)
def hurried_staff_transfer(tender: Tender, table: TenderTable) -> bool | None:
    """Staff transfer and under 90 days from award to start; before an award, from the deadline for bids, which is the
    longest it can be. The threshold is ours."""
    transfer = tender.tender_risk.staff_transfer
    if not transfer:
        return transfer
    known = first(mobilisation_days(table))
    if known is not None:
        return known < SHORT_MOBILISATION
    bidding, term = tender.tender.tender_period, tender.tender.contract_period
    longest = dates.days_between(bidding.end_date, term.start_date) if bidding and term else None
    return True if longest is not None and 0 <= longest < SHORT_MOBILISATION else None
