"""Signs at award: the price, the supplier's footing, and what is still open when work begins."""

from __future__ import annotations

from features.structure import changes
from features.table import TenderTable
from features.value import price_to_estimate
from models.signs.register import first, sign, untold, yes
from models.signs.sources import DIRECTIVE, FAZEKAS, NAO_UNITINGCARE, PAC_UNITINGCARE, PWC_UNITINGCARE
from tenders import dates
from tenders.tender import Tender

FAR_BELOW, AT_CEILING = 0.8, 0.98
LAST_MOMENT = 7
THIN = frozenset({"joint_venture", "special_purpose_company", "limited_liability_partnership"})


@sign(
    stage="awarded",
    title="Price far below the estimate",
    says="The price is under four fifths of the estimate.",
    says_not="The price is at least four fifths of the estimate.",
    asks="the price or the estimate",
    path="/awards/0/value",
    source=f"{DIRECTIVE}, art. 69; {PAC_UNITINGCARE}: won by a significantly lower bid",
)
def price_far_below(tender: Tender, table: TenderTable) -> bool | None:
    """Price under 0.8 of the estimate, for notices do not publish the other bids' prices. The threshold is ours."""
    ratio = first(price_to_estimate(table))
    return None if ratio is None else ratio < FAR_BELOW


@sign(
    stage="awarded",
    title="Price at the ceiling",
    says="The price lies within a fiftieth of the estimate, or above it.",
    says_not="The price lies below the estimate by more than a fiftieth.",
    asks="the price or the estimate",
    path="/awards/0/value",
    source=f"{FAZEKAS}: relative price",
)
def price_at_ceiling(tender: Tender, table: TenderTable) -> bool | None:
    """Price at least 0.98 of the estimate. The threshold is ours."""
    ratio = first(price_to_estimate(table))
    return None if ratio is None else ratio >= AT_CEILING


@sign(
    stage="awarded",
    title="Thin new vehicle without parent guarantee",
    says="The supplier is a vehicle of its own, and no parent guarantee stands behind it.",
    says_not="The supplier is no vehicle of its own, or a parent guarantee stands behind it.",
    asks="the supplier's vehicle, or whether a parent guarantee is required,",
    path="/tenderRisk/legalVehicle",
    source=f"{NAO_UNITINGCARE}; {PWC_UNITINGCARE}",
)
def vehicle_without_guarantee(tender: Tender, table: TenderTable) -> bool | None:
    """A joint venture, special-purpose company or partnership, and stated to need no guarantee of its parents."""
    vehicle, guarantee = tender.tender_risk.legal_vehicle, tender.tender_risk.parent_guarantee_required
    if guarantee or (vehicle is not None and vehicle not in THIN):
        return False
    return None if vehicle is None or guarantee is None else True


@sign(
    # It may change as soon as bids are in, as both Manchester's and Cambridgeshire's did; it is seen whole at award.
    stage="bids_in",
    counted_at="awarded",
    title="Legal form changed since the bid",
    says="The supplier's legal form changed after the bid.",
    says_not="The supplier's legal form did not change after the bid.",
    asks="whether the supplier's legal form changed",
    path="/tenderRisk/structureChanges",
    source=f"{NAO_UNITINGCARE}: two trusts' bid became a partnership's contract",
)
def legal_form_changed(tender: Tender, table: TenderTable) -> bool | None:
    """A change of legal form after publication, as stated."""
    return yes(first(changes(table, "legal_form")))


sign(
    stage="awarded",
    title="All delivery subcontracted",
    says="The supplier subcontracts all delivery.",
    says_not="The supplier delivers part of it itself.",
    asks="how much of the delivery is subcontracted",
    source=f"{NAO_UNITINGCARE}: the partnership paid its own trusts to deliver",
)(untold("all_delivery_subcontracted"))


@sign(
    stage="awarded",
    title="Unsigned, or price items open, at the start",
    says="Work began before signature, or with tax or price items open.",
    says_not="It was signed before work began, and the tax position was settled.",
    asks="the day of signature or the tax position",
    path="/tenderRisk/taxUnresolved",
    source=f"{NAO_UNITINGCARE}; {PAC_UNITINGCARE}",
)
def open_at_start(tender: Tender, table: TenderTable) -> bool | None:
    """Tax stated to be unresolved, or a contract signed after its start. Not shown needs both to be known."""
    early = days_before_start(tender)
    tax = tender.tender_risk.tax_unresolved
    if tax or (early and min(early) < 0):
        return True
    return None if tax is None or not early else False


@sign(
    stage="awarded",
    title="Signed off at the last moment",
    says="It was signed less than a week before the start.",
    says_not="It was signed a week or more before the start.",
    asks="the day of signature or of the start",
    path="/contracts/0/dateSigned",
    source=f"{NAO_UNITINGCARE}: cleared the day before the start",
)
def last_moment_signature(tender: Tender, table: TenderTable) -> bool | None:
    """A contract signed less than 7 days before its period starts, or later. The threshold is ours."""
    early = days_before_start(tender)
    return min(early) < LAST_MOMENT if early else None


@sign(
    stage="awarded",
    title="Negotiated after the award",
    says="Value or scope changed between bid and start.",
    says_not="Neither value nor scope changed between bid and start.",
    asks="whether value or scope was negotiated after the award",
    path="/tenderRisk/structureChanges",
    source=f"{PAC_UNITINGCARE}; {DIRECTIVE}, art. 72",
)
def negotiated_after_award(tender: Tender, table: TenderTable) -> bool | None:
    """A change of value, lots or scope that was known only by signing. What follows the start is known too late."""
    facts = tender.tender_risk
    late = [c for c in facts.structure_changes if c.stage == "awarded" and c.touches in ("value", "lots", "scope")]
    return True if late else False if facts.changes_counted else None


def days_before_start(tender: Tender) -> list[int]:
    """Days from signature to start, of the contracts that name both days; negative if signed after."""
    pairs = [(c.date_signed, c.period.start_date) for c in tender.contracts if c.period]
    return [days for signed, start in pairs if (days := dates.days_between(signed, start)) is not None]
