"""The route, the regime and the terms on which the contract is let."""

from __future__ import annotations

from features.catalogue import feature
from features.track_records.case_records import TrackRecord
from tenders.tender import Tender

COMPETITIVE = frozenset({"open", "selective"})
HEALTH_REGIME = ("provider selection regime", "2023/1348")
NEGOTIATED = ("negotiat", "dialogue", "flexible", "innovation partnership")
MOST = 100  # what a register's code can say as a number: per cent, and more covers than any bid has


def is_competed(tender: Tender) -> bool | None:
    """Whether suppliers compete for the contract: by the method's code, else as stated."""
    return competed(tender.tender.procurement_method, tender.tender_risk.competition)


def competed(method: str | None, stated: bool | None) -> bool | None:
    """The same of a method's code and what is stated."""
    return stated if method is None else method in COMPETITIVE


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Open to all",
    path="/tender/procurementMethod",
    says="Any supplier may bid.",
    says_not="Bidding is not open to any supplier.",
)
def open_procedure(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if `procurementMethod` is open. Source: OCDS method codelist."""
    method = tender.tender.procurement_method
    return None if method is None else float(method == "open")


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Without competition",
    path="/tender/procurementMethod",
    also=("/tenderRisk/competition",),
    says="The contract goes to one chosen supplier without competition.",
    says_not="The contract is competed for.",
)
def direct_award(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if `procurementMethod` is direct or limited.

    A known supplier may be the safest or the only one left: the data decide. Source: OCDS method codelist.
    """
    competed = is_competed(tender)
    return None if competed is None else float(not competed)


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Negotiated",
    path="/tender/procurementMethodDetails",
    says="The procedure includes negotiation or dialogue.",
    says_not="The procedure has no negotiation.",
)
def negotiated(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if the procedure's name speaks of negotiation, dialogue or the flexible procedure.

    Source: Directive 2014/24/EU arts. 29-31; Procurement Act 2023 s. 20.
    """
    details = tender.tender.procurement_method_details
    return None if details is None else float(any(word in details.lower() for word in NEGOTIATED))


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Framework",
    path="/tender/techniques/hasFrameworkAgreement",
    says="It is a framework: no work is promised.",
    says_not="It is no framework.",
)
def framework(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if a framework agreement is set up. Source: OCDS techniques extension."""
    techniques = tender.tender.techniques
    stated = techniques.has_framework_agreement if techniques else None
    return None if stated is None else float(stated)


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Price alone",
    path="/tender/awardCriteria",
    says="Price alone decides.",
    says_not="Price is not the only criterion.",
)
def price_only(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if price or cost is the only award criterion of the tender or of every lot that states any.

    The lowest bid wins, also the one that cannot hold. Source: OCDS award criteria codelist.
    """
    own = tender.tender.award_criteria
    if isinstance(own, str):
        return float(own in ("priceOnly", "costOnly"))
    stated = [own, *(lot.award_criteria for lot in tender.tender.lots)]
    kinds = [{c.type for c in each.criteria} for each in stated if each and each.criteria]
    return float(all(kind <= {"price", "cost"} for kind in kinds)) if kinds else None


@feature(
    stage="draft",
    theme="procedure",
    unit="percent",
    label="Weight of the price",
    path="/tenderRisk/codes/price_weight",
    also=("/tender/awardCriteria",),
    says="The price weighs {value} per cent.",
)
def price_weight(tender: Tender, track_record: TrackRecord) -> float | None:
    """Weight of the price in per cent: the register's own code, else 100 where the price alone decides.

    The more it weighs, the less a bid can win by. Source: Directive 2014/24/EU art. 67(5).
    """
    stated = _coded(tender, "price_weight")
    return 100.0 if stated is None and tender.tender.award_criteria == "priceOnly" else stated


@feature(
    stage="draft",
    theme="procedure",
    unit="calls",
    label="Number of the call",
    path="/tenderRisk/callNumber",
    says="Calls for it so far, this one included: {value}.",
)
def call_number(tender: Tender, track_record: TrackRecord) -> float | None:
    """Which call for the same thing this is, as stated.

    What found no bidder once may find none again. Source: the call's number in SICOES, Bolivia.
    """
    number = tender.tender_risk.call_number
    return None if number is None else float(number)


@feature(
    stage="draft",
    theme="procedure",
    unit="covers",
    label="Covers of a bid",
    path="/tenderRisk/codes/covers",
    says="Covers of a bid: {value}.",
)
def covers(tender: Tender, track_record: TrackRecord) -> float | None:
    """Covers in which a bid is made, by the register's own code.

    With two, the price is opened only for who passes the first. Source: General Financial Rules 2017 (India), rule 163.
    """
    return _coded(tender, "covers")


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Procurement Act 2023",
    path="/tender/legalBasis",
    says="The Procurement Act 2023 applies.",
    says_not="An older or other regime applies.",
)
def new_regime(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if the legal basis is the Procurement Act 2023. Source: UKPGA 2023/54."""
    basis = tender.tender.legal_basis
    return None if basis is None or basis.id is None else float("2023/54" in str(basis.id))


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Health provider regime",
    path="/tender/legalBasis",
    also=("/tender/procurementMethodRationale", "/tender/procurementMethodDetails"),
    says="It runs under the NHS Provider Selection Regime.",
    says_not="It runs under general procurement law.",
)
def health_regime(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if the notice names the NHS Provider Selection Regime, which may stand only in prose. Source: SI 2023/1348."""
    basis = tender.tender.legal_basis
    texts = [
        basis and basis.description,
        tender.tender.procurement_method_rationale,
        tender.tender.procurement_method_details,
    ]
    stated = " ".join(text for text in texts if text).lower()
    return float(any(sign in stated for sign in HEALTH_REGIME)) if stated else None


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Paid by outcomes",
    path="/tenderRisk/outcomeBasedPayment",
    direction=1,
    says="Payment hangs on outcomes.",
    says_not="Payment does not hang on outcomes.",
)
def outcome_based_payment(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if part of the pay hangs on outcomes, as stated.

    The supplier carries a risk that it can seldom price at the start. Source: NAO on UnitingCare; Work Programme.
    """
    stated = tender.tender_risk.outcome_based_payment
    return None if stated is None else float(stated)


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Market engaged",
    path="/tenderRisk/marketEngagement",
    also=("/planning/noEngagementNoticeRationale", "/planning/milestones"),
    direction=-1,
    says="The market was engaged before the notice.",
    says_not="The market was not engaged before the notice.",
)
def market_engagement(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if the buyer spoke with the market before the notice; 0 if it says that it did not, or why it did not.

    Source: Procurement Act 2023 s. 17; UK extension, `noEngagementNoticeRationale`.
    """
    stated = tender.tender_risk.market_engagement
    if stated is None and tender.planning:
        if tender.planning.no_engagement_notice_rationale:
            stated = False
        elif any(m.type == "engagement" for m in tender.planning.milestones):
            stated = True
    return None if stated is None else float(stated)


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Staff transfer",
    path="/tenderRisk/staffTransfer",
    says="Staff move to the supplier (TUPE).",
    says_not="No staff move to the supplier.",
)
def staff_transfer(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if staff transfer to the supplier, as stated.

    Their terms and numbers are known late and cost what they cost. Source: TUPE Regulations 2006.
    """
    stated = tender.tender_risk.staff_transfer
    return None if stated is None else float(stated)


def _coded(tender: Tender, name: str) -> float | None:
    """A register's own code as a number from 0 to MOST; None if it is none."""
    try:
        number = float(tender.tender_risk.codes.get(name, ""))
    except ValueError:
        return None
    return number if 0 <= number <= MOST else None
