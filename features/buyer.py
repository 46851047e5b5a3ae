"""The buyer, its market and what it buys anew: capacity and record."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from features.by_column import by_column
from features.catalogue import feature
from features.table import Columns, Floats, records_of_market
from features.track_records.case_records import Record, TrackRecord, buyer_keys, market_keys, recorded, supplier_keys
from tenders.tender import Tender

NATIONAL = re.compile(r"\b(department|ministry|home office|agency|hm |national|government)\b", re.I)
HEALTH = re.compile(r"\b(nhs|ccg|icb|clinical commissioning|integrated care|hospital|health board)\b", re.I)
JOINT = re.compile(
    r"\b(joint|consortium|several|two|three|four|five|six)\b|[+/;]|\b(ccgs|pcts|councils|boroughs|trusts|authorities)\b"
    r"|\b(council|ccg|pct|icb|trust|ft|authority|police|nhs england)\)? (and|with)\b",
    re.I,
)


def record_of_buyer(tender: Tender, track_record: TrackRecord) -> Record | None:
    """The buyer's resolved cases; None if it has none."""
    return track_record.of(buyer_keys(tender))


def record_of_market(tender: Tender, track_record: TrackRecord) -> Record | None:
    """The market's resolved cases; None if it has none."""
    return track_record.of(market_keys(tender))


def record_of_supplier(tender: Tender, track_record: TrackRecord) -> Record | None:
    """The suppliers' resolved cases; None if they have none."""
    return track_record.of(supplier_keys(tender))


@feature(
    stage="draft",
    theme="buyer",
    unit="ratio",
    label="Buyer's track record",
    path="/buyer",
    direction=1,
    evidence=record_of_buyer,
    says="The buyer's earlier cases failed {value} times as often as expected ({record}).",
)
@by_column
def buyer_record(columns: Columns) -> Floats:
    """Failures in the buyer's cases resolved before, over those expected of such cases, shrunk to 1.

    Source: track record.
    """
    return recorded(columns.records, columns.buyers).numbers(_ratio)


@feature(
    stage="draft",
    theme="buyer",
    unit="cases",
    label="Buyer's cases",
    path="/buyer",
    says="The buyer has {value} resolved cases on record.",
)
def buyer_cases(tender: Tender, track_record: TrackRecord) -> float | None:
    """Cases of the buyer resolved before. Unknown, not 0, for a buyer never seen: the record is a sample.

    Source: track record.
    """
    record = record_of_buyer(tender, track_record)
    return float(record.cases) if record else None


@feature(
    stage="draft",
    theme="buyer",
    unit="ratio",
    label="Market's track record",
    path="/tender/items",
    also=("/tender/classification",),
    direction=1,
    evidence=record_of_market,
    says="Earlier cases in this market failed {value} times as often as expected ({record}).",
)
@by_column
def market_record(columns: Columns) -> Floats:
    """Failures in the market's cases (CPV group) resolved before, over those expected, shrunk to 1.

    Source: track record.
    """
    return records_of_market(columns).numbers(_ratio)


@feature(
    stage="awarded",
    theme="buyer",
    unit="ratio",
    label="Supplier's track record",
    path="/awards/0/suppliers",
    direction=1,
    evidence=record_of_supplier,
    says="The supplier's earlier cases failed {value} times as often as expected ({record}).",
)
@by_column
def supplier_record(columns: Columns) -> Floats:
    """Failures in the suppliers' cases resolved before, over those expected, shrunk to 1. Source: track record."""
    return recorded(columns.records, columns.suppliers).numbers(_ratio)


def _ratio(record: Record | None) -> float | None:
    return record.ratio if record else None


def _buyer_says(tender: Tender, pattern: re.Pattern[str]) -> float | None:
    name = tender.buyer.name if tender.buyer else None
    return _says(name, pattern) if name else None


@lru_cache(maxsize=65536)
def _says(name: str, pattern: re.Pattern[str]) -> float:
    return float(bool(pattern.search(name)))


@feature(
    stage="draft",
    theme="buyer",
    unit="yes/no",
    label="National body",
    path="/buyer/name",
    says="The buyer is a national body.",
    says_not="The buyer is a local body.",
)
def national_buyer(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if the buyer's name is that of a department, agency or other national body. Source: names in the casebook."""
    return _buyer_says(tender, NATIONAL)


@feature(
    stage="draft",
    theme="buyer",
    unit="yes/no",
    label="Health body",
    path="/buyer/name",
    says="The buyer is a health body.",
    says_not="The buyer is no health body.",
)
def health_buyer(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if the buyer's name is that of an NHS or other health body. Source: names in the casebook."""
    return _buyer_says(tender, HEALTH)


@feature(
    stage="draft",
    theme="buyer",
    unit="yes/no",
    label="Several buyers together",
    path="/buyer/name",
    says="Several bodies buy together.",
    says_not="One body buys alone.",
)
def joint_buyers(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if the buyer's name lists or counts several bodies.

    Each partner can leave, and all must agree. Source: casebook; Staffordshire's four groups.
    """
    return _buyer_says(tender, JOINT)


@feature(
    stage="draft",
    theme="buyer",
    unit="yes/no",
    label="First of its kind",
    path="/tenderRisk/firstOfItsKind",
    also=("/tenderRisk/incumbentKind",),
    direction=1,
    says="The buyer has not let such a contract before.",
    says_not="The buyer has let such a contract before.",
)
@by_column
def first_of_its_kind(columns: Columns) -> Floats:
    """1 if the buyer has let nothing like it, as stated, or as no incumbent implies. Source: stated facts."""
    stated = columns.first_of_its_kind
    implied = columns.incumbent_kind.numbers(lambda kind: None if kind is None else kind == "none")
    return np.where(np.isnan(stated), implied, stated)


@feature(
    stage="draft",
    theme="buyer",
    unit="yes/no",
    label="Run in-house so far",
    path="/tenderRisk/incumbentKind",
    says="The service is run by the public sector so far.",
    says_not="The service is run by a contractor so far.",
)
def public_incumbent(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if the work is done in-house or by a public body today; unknown where nobody does it.

    What was never bought has no known price. Source: stated facts.
    """
    kind = tender.tender_risk.incumbent_kind
    return None if kind in (None, "none") else float(kind in ("in_house", "public_body"))


@feature(
    stage="draft",
    theme="buyer",
    unit="yes/no",
    label="Predecessor failed",
    path="/tenderRisk/predecessorFailed",
    direction=1,
    says="The contract before this one failed.",
    says_not="The contract before this one held.",
)
def predecessor_failed(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if the contract before ended early or collapsed, as stated.

    What broke it may still be there. Source: stated facts.
    """
    stated = tender.tender_risk.predecessor_failed
    return None if stated is None else float(stated)


@feature(
    stage="draft",
    theme="buyer",
    unit="yes/no",
    label="Tendered before without result",
    path="/tenderRisk/retender",
    also=("/relatedProcesses",),
    direction=1,
    says="The same scope was tendered before without result.",
    says_not="It is tendered for the first time.",
)
def retender(tender: Tender, track_record: TrackRecord) -> float | None:
    """1 if the same scope was tendered before and no contract came of it: stated, or a related unsuccessful process.

    Source: OCDS related process codelist, `unsuccessfulProcess`.
    """
    stated = tender.tender_risk.retender
    if stated is None and any("unsuccessfulProcess" in r.relationship for r in tender.related_processes):
        stated = True
    return None if stated is None else float(stated)
