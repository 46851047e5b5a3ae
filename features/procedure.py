"""The route, the regime and the terms on which the contract is let."""

from __future__ import annotations

import numpy as np

from features.categorical import Categorical
from features.factors import (
    ACT,
    CROYDON,
    DIRECTIVE,
    FAZEKAS,
    NAO_UNITINGCARE,
    NAO_WORK_PROGRAMME,
    PLAYBOOK,
    factor,
    shown_or_absent,
    untold,
)
from features.feature import FactorSpec, feature
from features.table import Floats, TenderTable, cached, yes_no
from tenders.codelists import COMPETED
from tenders.column_readers import names_health_regime

NEGOTIATED = ("negotiat", "dialogue", "flexible", "innovation partnership")
MOST = 100  # what a register's code can say as a number: per cent, and more covers than any bid has
LONG_ENGAGEMENT = 180  # days
IT_DIVISIONS = frozenset({"48", "72"})
WORKS_DIVISION, FIRST_SERVICES = "45", "50"
"""CPV divisions: 45 is works, those from 50 on are services, the others goods."""


@cached
def is_competed(table: TenderTable) -> Floats:
    """Whether suppliers compete for the contract: by the method's code, else as stated."""
    competed = table.text("procurement_method").numbers(COMPETED.get)
    return np.where(np.isnan(competed), table.number("competition"), competed)


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Open to all",
    path="/tender/procurementMethod",
    says="Any supplier may bid.",
    says_not="Bidding is not open to any supplier.",
)
def open_procedure(table: TenderTable) -> Floats:
    """1 if `procurementMethod` is open. Source: OCDS method codelist."""
    return table.text("procurement_method").numbers(lambda method: None if method is None else method == "open")


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
def direct_award(table: TenderTable) -> Floats:
    """1 if `procurementMethod` is direct, 0 if it is open or selective.

    `limited` is unknown: it may be a competition among the invited. A known supplier may be the safest or the only one
    left: the data decide. Source: OCDS method codelist.
    """
    return 1 - is_competed(table)


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Negotiated",
    path="/tender/procurementMethodDetails",
    says="The procedure includes negotiation or dialogue.",
    says_not="The procedure has no negotiation.",
)
def negotiated(table: TenderTable) -> Floats:
    """1 if the procedure's name speaks of negotiation, dialogue or the flexible procedure.

    Source: Directive 2014/24/EU arts. 29-31; Procurement Act 2023 s. 20.
    """
    return table.text("procurement_method_details").numbers(
        lambda details: None if details is None else any(word in details.lower() for word in NEGOTIATED)
    )


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Framework",
    path="/tender/techniques/hasFrameworkAgreement",
    also=("/tender/lots/0/techniques",),
    says="It is a framework: no work is promised.",
    says_not="It is no framework.",
)
def framework(table: TenderTable) -> Floats:
    """1 if a framework agreement is set up. Source: OCDS techniques extension."""
    return table.number("framework")


@cached
def purchase_kind(table: TenderTable) -> Categorical[str | None]:
    """Whether works, goods or services are bought: by the category, else by the first CPV division; None if unknown."""
    return Categorical.pairs(table.text("category"), table.text("cpv_codes")).map(lambda pair: _kind(*pair))


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Works",
    path="/tender/mainProcurementCategory",
    also=("/tender/items", "/tender/classification"),
    says="Works are bought.",
    says_not="No works are bought.",
    trained=False,
)
def works(table: TenderTable) -> Floats:
    """1 for works, by the category or the first CPV division. Source: OCDS procurement category codelist."""
    return purchase_kind(table).numbers(lambda kind: None if kind is None else kind == "works")


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Goods",
    path="/tender/mainProcurementCategory",
    also=("/tender/items", "/tender/classification"),
    says="Goods are bought.",
    says_not="No goods are bought.",
    trained=False,
)
def goods(table: TenderTable) -> Floats:
    """1 for goods, by the category or the first CPV division. Source: OCDS procurement category codelist."""
    return purchase_kind(table).numbers(lambda kind: None if kind is None else kind == "goods")


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Information technology",
    path="/tender/items",
    also=("/tender/classification",),
    says="Software or IT services are bought.",
    says_not="No software or IT services are bought.",
    trained=False,
)
def it_purchase(table: TenderTable) -> Floats:
    """1 if the first CPV code is of division 48 (software) or 72 (IT services).

    Source: CPV, Regulation (EC) 213/2008.
    """
    return table.text("cpv_codes").numbers(lambda codes: codes[0][:2] in IT_DIVISIONS if codes else None)


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Price alone",
    path="/tender/awardCriteria",
    says="Price alone decides.",
    says_not="Price is not the only criterion.",
)
def price_only(table: TenderTable) -> Floats:
    """1 if price or cost is the only award criterion of the tender or of every lot that states any.

    The lowest bid wins, also the one that cannot hold. Source: OCDS award criteria codelist.
    """
    code = table.text("award_criteria").numbers(
        lambda criteria: None if criteria is None else criteria in ("priceOnly", "costOnly")
    )
    listed = table.text("criteria").numbers(
        lambda criteria: all(kinds <= {"price", "cost"} for kinds in criteria) if criteria else None
    )
    return np.where(np.isnan(code), listed, code)


@feature(
    stage="draft",
    theme="procedure",
    unit="percent",
    label="Weight of the price",
    path="/tenderRisk/codes/price_weight",
    also=("/tender/awardCriteria",),
    says="The price weighs {value} per cent.",
)
def price_weight(table: TenderTable) -> Floats:
    """Weight of the price in per cent: the register's own code, else 100 where the price alone decides.

    The more it weighs, the less a bid can win by. Source: Directive 2014/24/EU art. 67(5).
    """
    weight = table.text("price_weight").numbers(_number)
    alone = table.text("award_criteria").where(lambda criteria: criteria == "priceOnly")
    return np.where(np.isnan(weight) & alone, 100.0, weight)


@feature(
    stage="draft",
    theme="procedure",
    unit="calls",
    label="Number of the call",
    path="/tenderRisk/callNumber",
    says="Calls for it so far, this one included: {value}.",
)
def call_number(table: TenderTable) -> Floats:
    """Which call for the same thing this is, as stated.

    What found no bidder once may find none again. Source: the number of the call, where a register tells it.
    """
    return table.number("call_number")


@feature(
    stage="draft",
    theme="procedure",
    unit="covers",
    label="Covers of a bid",
    path="/tenderRisk/codes/covers",
    says="Covers of a bid: {value}.",
)
def covers(table: TenderTable) -> Floats:
    """Covers in which a bid is made, by the register's own code.

    With two, the price is opened only for who passes the first. Source: General Financial Rules 2017 (India), rule 163.
    """
    return table.text("covers").numbers(_number)


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Procurement Act 2023",
    path="/tender/legalBasis",
    says="The Procurement Act 2023 applies.",
    says_not="An older or other regime applies.",
)
def new_regime(table: TenderTable) -> Floats:
    """1 if the legal basis is the Procurement Act 2023. Source: UKPGA 2023/54."""
    return table.text("legal_basis").numbers(lambda basis: None if basis is None else "2023/54" in basis)


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Health provider regime",
    path="/tender/legalBasis",
    also=(
        *("/tender/procurementMethodRationale", "/tender/procurementMethodDetails", "/tender/description"),
        *("/tender/lots", "/description"),
    ),
    says="It runs under the NHS Provider Selection Regime.",
    says_not="It runs under general procurement law.",
)
def health_regime(table: TenderTable) -> Floats:
    """1 if the notice names the NHS Provider Selection Regime, which may stand only in prose. Source: SI 2023/1348."""
    basis = table.text("legal_basis_description")
    reason, details = table.text("procurement_method_rationale"), table.text("procurement_method_details")
    described, elsewhere = table.text("description"), table.number("health_regime_named")
    stated = Categorical.pairs(Categorical.pairs(basis, reason), details).numbers(
        lambda texts: _names_health_regime((*texts[0], texts[1]))
    )
    named = described.numbers(lambda text: True if names_health_regime(text) else None)
    return np.where((named == 1) | (elsewhere == 1), 1.0, stated)


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Paid by outcomes",
    path="/tenderRisk/outcomeBasedPayment",
    direction=1,
    says="Payment hangs on outcomes.",
    says_not="Payment does not hang on outcomes.",
    factor=FactorSpec(asks="whether payment hangs on outcomes", sources=(NAO_WORK_PROGRAMME, NAO_UNITINGCARE)),
)
def outcome_based_payment(table: TenderTable) -> Floats:
    """1 if part of the pay hangs on outcomes, as stated.

    The supplier carries a risk that it can seldom price at the start. Source: NAO on UnitingCare; Work Programme.
    """
    return table.number("outcome_based_payment")


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
def market_engagement(table: TenderTable) -> Floats:
    """1 if the buyer spoke with the market before the notice; 0 if it says that it did not, or why it did not.

    Source: Procurement Act 2023 s. 17; UK extension, `noEngagementNoticeRationale`.
    """
    engaged, planned = table.number("market_engagement"), table.number("engagement_planned")
    excused = table.text("no_engagement_rationale").where(bool)
    return np.where(np.isnan(engaged), np.where(excused, 0.0, planned), engaged)


@feature(
    stage="draft",
    theme="procedure",
    unit="yes/no",
    label="Staff transfer",
    path="/tenderRisk/staffTransfer",
    says="Staff move to the supplier (TUPE).",
    says_not="No staff move to the supplier.",
)
def staff_transfer(table: TenderTable) -> Floats:
    """1 if staff transfer to the supplier, as stated.

    Their terms and numbers are known late and cost what they cost. Source: TUPE Regulations 2006.
    """
    return table.number("staff_transfer")


@factor(
    stage="draft",
    theme="procedure",
    label="No or late market engagement",
    path="/tenderRisk/marketEngagement",
    also=("/planning/noEngagementNoticeRationale", "/planning/milestones"),
    says="The market was not engaged before the notice, or was only from then on.",
    says_not="The market was engaged before the notice.",
    asks="whether the market was engaged before the notice",
    sources=(f"{ACT}, ss. 16 and 17", f"{DIRECTIVE}, art. 40", PLAYBOOK),
)
def no_market_engagement(table: TenderTable) -> Floats:
    """1 if the market is stated not to be engaged, or every dated engagement lies on or after the day of the notice.

    Source: Procurement Act 2023 ss. 16 and 17.
    """
    engaged, late = market_engagement(table), table.days("first_engagement") >= table.days("published")
    return yes_no((engaged == 0) | late, engaged)


@factor(
    stage="draft",
    theme="procedure",
    label="Route not open to all",
    path="/tender/procurementMethod",
    also=("/tenderRisk/competition",),
    says="Not every supplier may bid.",
    says_not="Any supplier may bid.",
    asks="the procurement method",
    sources=(FAZEKAS,),
)
def route_not_open(table: TenderTable) -> Floats:
    """1 for any method but open. Unknown if an unnamed method is competed for, because it may have been open.

    Source: Fazekas and Kocsis.
    """
    is_open = open_procedure(table)
    return shown_or_absent((is_open == 0) | (np.isnan(is_open) & (table.number("competition") == 0)), is_open == 1)


@factor(
    stage="draft",
    theme="procedure",
    label="Outcomes share phased in",
    says="The share of pay that hangs on outcomes grows in steps.",
    says_not="The share of pay that hangs on outcomes does not grow in steps.",
    asks="how the outcomes share grows",
    sources=(NAO_WORK_PROGRAMME, CROYDON),
    seen_with="survival",
)
def outcomes_phased_in(table: TenderTable) -> Floats:
    """Always unknown: no field of a notice tells it. Source: NAO on the Work Programme."""
    return untold(table)


@factor(
    stage="draft",
    theme="procedure",
    label="Long engagement",
    path="/planning/milestones",
    also=("/tenderRisk/marketEngagement", "/planning/noEngagementNoticeRationale"),
    says="The market was engaged half a year or more before the notice.",
    says_not="The market was not engaged, or less than half a year before the notice.",
    asks="when the market was engaged",
    sources=(PLAYBOOK, f"{ACT}, s. 16"),
    seen_with="survival",
)
def long_engagement(table: TenderTable) -> Floats:
    """1 if the first dated engagement lies at least 180 days before the notice. The threshold is ours.

    Source: Cabinet Office, The Sourcing Playbook.
    """
    days = table.days("published") - table.days("first_engagement")
    none = np.isnan(days) & (market_engagement(table) == 0)
    return shown_or_absent(days >= LONG_ENGAGEMENT, (days < LONG_ENGAGEMENT) | none)


def _kind(category: str | None, codes: tuple[str, ...]) -> str | None:
    """The category, else the kind of the first CPV code."""
    if category or not codes:
        return category
    division = codes[0][:2]
    return "works" if division == WORKS_DIVISION else "services" if division >= FIRST_SERVICES else "goods"


def _names_health_regime(texts: tuple[str | None, ...]) -> bool | None:
    return any(map(names_health_regime, texts)) if any(texts) else None


def _number(code: str | None) -> float | None:
    """A register's own code as a number from 0 to MOST; None if it is none."""
    try:
        number = float(code or "")
    except ValueError:
        return None
    return number if 0 <= number <= MOST else None
