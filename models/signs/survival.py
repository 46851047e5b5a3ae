"""Signs that the same writings saw with survival: shown is the better answer."""

from __future__ import annotations

from datetime import timedelta

from features.procedure import market_engagement
from features.table import TenderTable
from features.timing import extendable
from models.signs.register import first, sign, untold, yes
from models.signs.sources import ACT, ALLIANCES, CROYDON, NAO_WORK_PROGRAMME, OXFORDSHIRE, PLAYBOOK
from models.signs.terms import engagement_days
from tenders import dates
from tenders.tender import Tender

LONG_ENGAGEMENT = timedelta(days=180)
PUBLIC = frozenset({"in_house", "public_body"})

sign(
    stage="draft",
    title="Outcomes share phased in",
    says="The share of pay that hangs on outcomes grows in steps.",
    says_not="The share of pay that hangs on outcomes does not grow in steps.",
    asks="how the outcomes share grows",
    source=f"{NAO_WORK_PROGRAMME}; {CROYDON}",
    seen_with="survival",
)(untold("outcomes_phased_in"))


@sign(
    stage="draft",
    title="Term in steps",
    says="The contract runs in steps: it may be extended.",
    says_not="The contract cannot be extended.",
    asks="whether the contract may be extended",
    path="/tender/lots/0/hasRenewal",
    source=CROYDON,
    seen_with="survival",
)
def staged_term(tender: Tender, table: TenderTable) -> bool | None:
    """A lot with renewal or options."""
    return yes(first(extendable(table)))


@sign(
    stage="awarded",
    title="Public local lead with the incumbent in it",
    says="A public incumbent is in the supplier.",
    says_not="The incumbent is not of the public sector.",
    asks="the incumbent, or whether it is in the supplier,",
    path="/tenderRisk/incumbentKind",
    source=OXFORDSHIRE,
    seen_with="survival",
)
def public_lead_with_incumbent(tender: Tender, table: TenderTable) -> bool | None:
    """A public incumbent's name stands in a supplier's. Another name may be the same body, so then it is not judged."""
    facts = tender.tender_risk
    if facts.incumbent_kind not in PUBLIC:
        return None if facts.incumbent_kind is None else False
    suppliers = [s.name.casefold() for award in tender.awards for s in award.suppliers if s.name]
    held = [name.partition("(")[0].strip().casefold() for name in facts.incumbents]
    return True if any(name and name in supplier for name in held for supplier in suppliers) else None


sign(
    stage="draft",
    title="Joint governance exists already",
    says="The partners govern something together already.",
    says_not="The partners govern nothing together yet.",
    asks="whether the partners govern something together already",
    source=ALLIANCES,
    seen_with="survival",
)(untold("joint_governance"))


@sign(
    stage="draft",
    title="Long engagement",
    says="The market was engaged half a year or more before the notice.",
    says_not="The market was not engaged, or less than half a year before the notice.",
    asks="when the market was engaged",
    path="/planning/milestones",
    source=f"{PLAYBOOK}; {ACT}, s. 16",
    seen_with="survival",
)
def long_engagement(tender: Tender, table: TenderTable) -> bool | None:
    """The first dated engagement lies at least 180 days before the notice. The threshold is ours."""
    published, days = dates.day(tender.tender.date_published), engagement_days(tender)
    if published and days:
        return published - min(days) >= LONG_ENGAGEMENT
    return False if first(market_engagement(table)) == 0 else None
