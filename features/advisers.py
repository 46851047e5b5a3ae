"""Who advises the buyer, and how their earlier cases ended. Never a bare name as a feature."""

from __future__ import annotations

from features.catalogue import feature
from features.track_records import Record, TrackRecord, adviser_keys, market_keys
from tenders.tender import Tender


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
    """Outside advisers named; unknown if none is.

    Many advisers may mean much at stake or little capacity within: the data decide. Source: stated facts.
    """
    return float(len(tender.tender_risk.advisers)) or None


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
    if not tender.tender_risk.advisers:
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
    here = track_record.of(f"{a}|{m}" for a in adviser_keys(tender) for m in market_keys(tender))
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
    """1 if the procuring entity is another than the buyer, or a central purchasing body takes part.

    Source: OCDS roles; the UK extension's `centralPurchasingBody`.
    """
    entity, buyer = tender.tender.procuring_entity, tender.buyer
    if any("centralPurchasingBody" in party.roles for party in tender.parties):
        return 1.0
    if entity is None or buyer is None:
        return None
    if entity.id is not None and buyer.id is not None:
        return float(entity.id != buyer.id)
    return float(entity.name != buyer.name)
