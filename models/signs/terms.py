"""Signs of a draft: how bidders are asked."""

from __future__ import annotations

from datetime import date

from features.procedure import market_engagement
from features.structure import new_legal_vehicle_required
from features.table import TenderTable
from features.timing import tender_period_days
from models.signs.register import first, sign, yes
from models.signs.sources import (
    ACT,
    DIRECTIVE,
    FAZEKAS,
    NAO_UNITINGCARE,
    PLAYBOOK,
)
from tenders import dates
from tenders.tender import Tender

SHORT_DAYS = 35


@sign(
    stage="draft",
    title="Short tender period",
    says="Bidders have less than 35 days.",
    says_not="Bidders have 35 days or more.",
    asks="how long bidders have",
    path="/tender/tenderPeriod",
    source=f"{DIRECTIVE}, art. 27(1): 35 days; {FAZEKAS}",
)
def short_tender_period(tender: Tender, table: TenderTable) -> bool | None:
    """Less than the Directive's 35 days for an open procedure, whatever the procedure."""
    days = first(tender_period_days(table))
    return None if days is None else days < SHORT_DAYS


@sign(
    stage="draft",
    title="No or late market engagement",
    says="The market was not engaged before the notice, or was only from then on.",
    says_not="The market was engaged before the notice.",
    asks="whether the market was engaged before the notice",
    path="/tenderRisk/marketEngagement",
    source=f"{ACT}, ss. 16 and 17; {DIRECTIVE}, art. 40; {PLAYBOOK}",
)
def no_market_engagement(tender: Tender, table: TenderTable) -> bool | None:
    """Stated not to be engaged, or every dated engagement lies on or after the day of the notice."""
    engaged = first(market_engagement(table))
    published = dates.day(tender.tender.date_published)
    days = engagement_days(tender)
    if engaged and published and days:
        return min(days) >= published
    return None if engaged is None else not engaged


def engagement_days(tender: Tender) -> list[date]:
    """The days of the engagement milestones that name one."""
    milestones = tender.planning.milestones if tender.planning else ()
    found = [dates.day(m.due_date) or dates.day(m.date_met) for m in milestones if m.type == "engagement"]
    return [day for day in found if day]


@sign(
    stage="draft",
    title="Route not open to all",
    says="Not every supplier may bid.",
    says_not="Any supplier may bid.",
    asks="the procurement method",
    path="/tender/procurementMethod",
    source=FAZEKAS,
)
def route_not_open(tender: Tender, table: TenderTable) -> bool | None:
    """Any method but open. Competed for by an unnamed method is not judged: it may have been open."""
    method = tender.tender.procurement_method
    if method is None:
        return True if tender.tender_risk.competition is False else None
    return method != "open"


@sign(
    stage="draft",
    title="New legal vehicle required",
    says="The supplier must found a new legal vehicle.",
    says_not="No new legal vehicle is required.",
    asks="whether a new legal vehicle is required",
    path="/tenderRisk/newLegalVehicleRequired",
    source=f"{NAO_UNITINGCARE}: the partnership's VAT had no budget",
)
def new_vehicle_required(tender: Tender, table: TenderTable) -> bool | None:
    """As stated."""
    return yes(first(new_legal_vehicle_required(table)))
