"""The buyer, its market and what it buys anew: capacity and record."""

from __future__ import annotations

import re

import numpy as np

from features.categorical import Categorical
from features.factors import PAC_UNITINGCARE, PLAYBOOK, factor
from features.feature import FactorSpec, feature
from features.table import Floats, TenderTable, cached, yes_no
from features.track_records.case_records import BUYERS, MARKETS, SUPPLIERS, CaseRecord

NATIONAL = re.compile(r"\b(department|ministry|home office|agency|hm |national|government)\b", re.I)
HEALTH = re.compile(r"\b(nhs|ccg|icb|clinical commissioning|integrated care|hospital|health board)\b", re.I)
JOINT = re.compile(
    r"\b(joint|consortium|several|two|three|four|five|six)\b|[+/;]|\b(ccgs|pcts|councils|boroughs|trusts|authorities)\b"
    r"|\b(council|ccg|pct|icb|trust|ft|authority|police|nhs england)\)? (and|with)\b",
    re.I,
)


@cached
def buyer_keys(table: TenderTable) -> Categorical[tuple[str, ...]]:
    """The keys of the buyer, and of the procuring entity where it is another."""
    return Categorical.pairs(table.text("buyer"), table.text("procuring_entity")).map(BUYERS.__getitem__)


@cached
def buyer_records(table: TenderTable) -> Categorical[CaseRecord | None]:
    """The buyer's resolved cases; None if it has none."""
    return table.case_records(buyer_keys(table))


@cached
def market_keys(table: TenderTable) -> Categorical[tuple[str, ...]]:
    """The keys of the markets of what is bought."""
    return table.text("cpv_codes").map(MARKETS.__getitem__)


@cached
def market_records(table: TenderTable) -> Categorical[CaseRecord | None]:
    """The market's resolved cases; None if it has none."""
    return table.case_records(market_keys(table))


@cached
def supplier_keys(table: TenderTable) -> Categorical[tuple[str, ...]]:
    """The keys of the suppliers of the awards."""
    return table.text("suppliers").map(SUPPLIERS.__getitem__)


@cached
def supplier_records(table: TenderTable) -> Categorical[CaseRecord | None]:
    """The suppliers' resolved cases; None if they have none."""
    return table.case_records(supplier_keys(table))


@feature(
    stage="draft",
    theme="buyer",
    unit="ratio",
    label="Buyer's track record",
    path="/buyer",
    direction=1,
    evidence=buyer_records,
    says="The buyer had {record}: {value} times as often as expected, shrunk to 1.",
)
def buyer_record(table: TenderTable) -> Floats:
    """Failures in the buyer's cases resolved before, over those expected of such cases, shrunk to 1.

    Source: track record.
    """
    return buyer_records(table).numbers(_ratio)


@feature(
    stage="draft",
    theme="buyer",
    unit="cases",
    label="Buyer's cases",
    path="/buyer",
    says="The buyer has {value} resolved cases on record.",
)
def buyer_cases(table: TenderTable) -> Floats:
    """Cases of the buyer resolved before. Unknown, not 0, for a buyer never seen: the record is a sample.

    Source: track record.
    """
    return buyer_records(table).numbers(lambda record: record.cases if record else None)


@feature(
    stage="draft",
    theme="buyer",
    unit="ratio",
    label="Market's track record",
    path="/tender/items",
    also=("/tender/classification",),
    direction=1,
    evidence=market_records,
    says="This market had {record}: {value} times as often as expected, shrunk to 1.",
)
def market_record(table: TenderTable) -> Floats:
    """Failures in the market's cases (CPV group) resolved before, over those expected, shrunk to 1.

    Source: track record.
    """
    return market_records(table).numbers(_ratio)


@feature(
    stage="awarded",
    theme="buyer",
    unit="ratio",
    label="Supplier's track record",
    path="/awards/0/suppliers",
    direction=1,
    evidence=supplier_records,
    says="The supplier had {record}: {value} times as often as expected, shrunk to 1.",
)
def supplier_record(table: TenderTable) -> Floats:
    """Failures in the suppliers' cases resolved before, over those expected, shrunk to 1. Source: track record."""
    return supplier_records(table).numbers(_ratio)


def _ratio(record: CaseRecord | None) -> float | None:
    return record.ratio if record else None


def _name_matches(table: TenderTable, pattern: re.Pattern[str]) -> Floats:
    return table.text("buyer").numbers(lambda name: bool(pattern.search(name)) if name else None)


@feature(
    stage="draft",
    theme="buyer",
    unit="yes/no",
    label="National body",
    path="/buyer/name",
    says="The buyer is a national body.",
    says_not="The buyer is a local body.",
)
def national_buyer(table: TenderTable) -> Floats:
    """1 if the buyer's name is that of a department, agency or other national body. Source: names in the casebook."""
    return _name_matches(table, NATIONAL)


@feature(
    stage="draft",
    theme="buyer",
    unit="yes/no",
    label="Health body",
    path="/buyer/name",
    says="The buyer is a health body.",
    says_not="The buyer is no health body.",
)
def health_buyer(table: TenderTable) -> Floats:
    """1 if the buyer's name is that of an NHS or other health body. Source: names in the casebook."""
    return _name_matches(table, HEALTH)


@feature(
    stage="draft",
    theme="buyer",
    unit="yes/no",
    label="Several buyers together",
    path="/buyer/name",
    says="Several bodies buy together.",
    says_not="One body buys alone.",
)
def joint_buyers(table: TenderTable) -> Floats:
    """1 if the buyer's name lists or counts several bodies.

    Each partner can leave, and all must agree. Source: casebook; Staffordshire's four groups.
    """
    return _name_matches(table, JOINT)


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
    factor=FactorSpec(
        asks="whether the buyer has let such a contract before",
        sources=(f"{PLAYBOOK}: a pilot before a first outsourcing", PAC_UNITINGCARE),
    ),
)
def first_of_its_kind(table: TenderTable) -> Floats:
    """1 if the buyer has let nothing like it, as stated, or as no incumbent implies. Source: stated facts."""
    first = table.number("first_of_its_kind")
    implied = table.text("incumbent_kind").numbers(lambda kind: None if kind is None else kind == "none")
    return np.where(np.isnan(first), implied, first)


@feature(
    stage="draft",
    theme="buyer",
    unit="yes/no",
    label="Run in-house so far",
    path="/tenderRisk/incumbentKind",
    says="The service is run by the public sector so far.",
    says_not="The service is run by a contractor so far.",
)
def public_incumbent(table: TenderTable) -> Floats:
    """1 if the work is done in-house or by a public body today; unknown where nobody does it.

    What was never bought has no known price. Source: stated facts.
    """
    return table.text("incumbent_kind").numbers(
        lambda kind: None if kind in (None, "none") else kind in ("in_house", "public_body")
    )


@feature(
    stage="draft",
    theme="buyer",
    unit="yes/no",
    label="Predecessor failed",
    path="/tenderRisk/predecessorFailed",
    direction=1,
    says="The contract before this one failed.",
    says_not="The contract before this one held.",
    factor=FactorSpec(
        asks="how the contract before this one ended",
        sources=(f"{PAC_UNITINGCARE}: the lessons of Hinchingbrooke were not learnt",),
    ),
)
def predecessor_failed(table: TenderTable) -> Floats:
    """1 if the contract before ended early or collapsed, as stated.

    What broke it may still be there. Source: stated facts.
    """
    return table.number("predecessor_failed")


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
def retender(table: TenderTable) -> Floats:
    """1 if the same scope was tendered before and no contract came of it: stated, or a related unsuccessful process.

    Source: OCDS related process codelist, `unsuccessfulProcess`.
    """
    again = table.number("retender")
    return np.where(np.isnan(again), table.number("unsuccessful_before"), again)


@factor(
    stage="draft",
    theme="buyer",
    label="The buyer's earlier cases failed",
    path="/buyer",
    says="The buyer's earlier cases failed more often than others of their kind.",
    says_not="The buyer's earlier cases did not fail more often than others of their kind.",
    evidence=buyer_records,
    asks="how the buyer's earlier cases ended",
    sources=(PAC_UNITINGCARE,),
)
def buyer_failed_before(table: TenderTable) -> Floats:
    """1 for more failures than expected among the buyer's cases resolved before, of any category.

    One category alone has too few cases. Source: track record.
    """
    ratio = buyer_record(table)
    return yes_no(ratio > 1, ratio)
