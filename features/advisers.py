"""Who advises the buyer, and how their earlier cases ended. Never a bare name as a feature."""

from __future__ import annotations

import re

from features.catalogue import feature
from features.track_records.case_records import Record, TrackRecord, adviser_keys, market_keys
from tenders.tender import Tender

ON_BEHALF = re.compile(r"\b(?:acting|act|acts) for\b|\bon behalf of\b", re.I)


def record_of_advisers(tender: Tender, track_record: TrackRecord) -> Record | None:
    """The advisers' resolved cases together; None without advisers or without cases."""
    return track_record.of(adviser_keys(tender))


@feature(
    stage="draft",
    theme="advisers",
    unit="advisers",
    label="Outside advisers",
    path="/tenderRisk/advisers",
    says="Outside advisers named: {value}.",
)
def advisers_named(tender: Tender, track_record: TrackRecord) -> float | None:
    """Outside advisers named or described as advising; unknown if none is.

    Many advisers may mean much at stake or little capacity within: the data decide. Source: stated facts.
    """
    return float(len(adviser_keys(tender))) or None


@feature(
    stage="draft",
    theme="advisers",
    unit="ratio",
    label="Advisers' track record",
    path="/tenderRisk/advisers",
    direction=1,
    evidence=record_of_advisers,
    says="The advisers' earlier cases failed {value} times as often as expected ({record}).",
)
def adviser_record(tender: Tender, track_record: TrackRecord) -> float | None:
    """Failures in the advisers' cases resolved before, over those expected of such cases, shrunk to 1.

    The same advisers stood behind several of the failures of the casebook. Source: track record.
    """
    record = record_of_advisers(tender, track_record)
    return record.ratio if record else None


@feature(
    stage="draft",
    theme="advisers",
    unit="cases",
    label="Advisers' cases",
    path="/tenderRisk/advisers",
    says="The advisers have {value} resolved cases on record.",
)
def adviser_cases(tender: Tender, track_record: TrackRecord) -> float | None:
    """Cases of the advisers resolved before; 0 for advisers never seen. Source: track record."""
    if not adviser_keys(tender):
        return None
    record = record_of_advisers(tender, track_record)
    return float(record.cases) if record else 0.0


@feature(
    stage="draft",
    theme="advisers",
    unit="share",
    label="Advisers' specialism",
    path="/tenderRisk/advisers",
    says="{value} of the advisers' resolved cases were in this market.",
)
def adviser_specialism(tender: Tender, track_record: TrackRecord) -> float | None:
    """Share of the advisers' resolved cases that were in this tender's market. Source: track record."""
    record = record_of_advisers(tender, track_record)
    if record is None:
        return None
    here = track_record.of([f"{a}|{m}" for a in adviser_keys(tender) for m in market_keys(tender)])
    return min(1.0, here.cases / record.cases) if here else 0.0


@feature(
    stage="draft",
    theme="advisers",
    unit="yes/no",
    label="Run by another body",
    path="/tender/procuringEntity",
    also=("/parties",),
    says="Another body runs the procedure for the buyer.",
    says_not="The buyer runs the procedure itself.",
)
def run_by_another(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if the procuring entity is another than the buyer, a central purchasing body takes part, the notice says that
    it acts on behalf of another, or questions go to another body's mail domain than the buyer's.

    OCDS has no role for an adviser: these are where one shows. Source: OCDS roles; the UK extension's `roleDetails`.
    """
    entity, buyer = tender.tender.procuring_entity, tender.buyer
    if any("centralPurchasingBody" in party.roles for party in tender.parties) or _acts_for_another(tender):
        return 1.0
    if entity is None or buyer is None:
        return None
    if entity.id is not None and buyer.id is not None:
        return float(entity.id != buyer.id)
    return float(entity.name != buyer.name)


def _acts_for_another(tender: Tender) -> bool:
    """Whether the wording says so, or the contact's mail domain is not the buyer's."""
    said = [tender.tender.title, tender.tender.description, *(party.role_details for party in tender.parties)]
    for text in said:
        if text and _may_act(text.lower()) and ON_BEHALF.search(text):
            return True
    if not tender.parties:
        return False
    own, contact = (_domains(tender, role) for role in ("buyer", "processContactPoint"))
    return bool(own and contact and own.isdisjoint(contact))


def _may_act(lower: str) -> bool:
    """Whether ON_BEHALF can find something: in most texts it cannot, and to see that costs less than to search."""
    return "behalf" in lower or ("act" in lower and " for" in lower)


def _domains(tender: Tender, role: str) -> set[str]:
    """Mail domains of the parties in a role, by their last three labels: `x.nhs.uk` is a body, `nhs.uk` is not."""
    mails = [p.contact_point.email for p in tender.parties if role in p.roles and p.contact_point]
    return {".".join(mail.lower().rsplit("@", 1)[1].split(".")[-3:]) for mail in mails if mail and "@" in mail}
