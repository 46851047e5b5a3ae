"""Who advises the buyer, and how their earlier cases ended. Never a bare name as a feature."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.buyer import market_keys
from features.categorical import Categorical
from features.factors import NAO_UNITINGCARE, PWC_UNITINGCARE, factor
from features.feature import feature
from features.table import Floats, TenderTable, cached, yes_no
from features.track_records.case_records import ADVISERS, CaseRecord
from tenders.advisers import ON_BEHALF


@cached
def adviser_keys(table: TenderTable) -> Categorical[tuple[str, ...]]:
    """The keys of the advisers named, and of those whom the notice shows (`tenders.advisers`)."""
    named = Categorical.pairs(table.text("advisers"), table.text("advising_parties"))
    return named.map(lambda names: ADVISERS[(*names[0], *names[1])])


@cached
def adviser_records(table: TenderTable) -> Categorical[CaseRecord | None]:
    """The advisers' resolved cases together; None without advisers or without cases."""
    return table.case_records(adviser_keys(table))


@feature(
    stage="draft",
    theme="advisers",
    unit="advisers",
    label="Outside advisers",
    path="/tenderRisk/advisers",
    says="Outside advisers named: {value}.",
)
def advisers_named(table: TenderTable) -> Floats:
    """Outside advisers named or described as advising; unknown if none is.

    Many advisers may mean much at stake or little capacity within: the data decide. Source: stated facts.
    """
    return adviser_keys(table).numbers(lambda keys: len(keys) or None)


@feature(
    stage="draft",
    theme="advisers",
    unit="ratio",
    label="Advisers' track record",
    path="/tenderRisk/advisers",
    direction=1,
    evidence=adviser_records,
    says="The advisers named had advised {record}: {value} times as often as expected, shrunk to 1.",
)
def adviser_record(table: TenderTable) -> Floats:
    """Failures in the advisers' cases resolved before, over those expected of such cases, shrunk to 1.

    The same advisers stood behind several of the failures of the casebook. Source: track record.
    """
    return adviser_records(table).numbers(lambda record: record.ratio if record else None)


@feature(
    stage="draft",
    theme="advisers",
    unit="cases",
    label="Advisers' cases",
    path="/tenderRisk/advisers",
    says="The advisers have {value} resolved cases on record.",
)
def adviser_cases(table: TenderTable) -> Floats:
    """Cases of the advisers resolved before; 0 for advisers never seen. Source: track record."""
    cases = adviser_records(table).numbers(lambda record: record.cases if record else 0)
    return np.where(adviser_keys(table).where(bool), cases, np.nan)


@feature(
    stage="draft",
    theme="advisers",
    unit="share",
    label="Advisers' specialism",
    path="/tenderRisk/advisers",
    says="{value} of the advisers' resolved cases were in this market.",
)
def adviser_specialism(table: TenderTable) -> Floats:
    """Share of the advisers' resolved cases that were in this tender's market. Source: track record."""
    pairs = Categorical.pairs(adviser_keys(table), market_keys(table)).map(
        lambda keys: tuple(f"{adviser}|{market}" for adviser in keys[0] for market in keys[1])
    )
    here = table.case_records(pairs).numbers(lambda record: record.cases if record else 0)
    cases = adviser_records(table).numbers(lambda record: record.cases if record else None)
    return np.minimum(here / cases, 1.0)


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
def run_by_another(table: TenderTable) -> Floats:
    """1 if the procuring entity is another than the buyer, a central purchasing body takes part, the notice says that
    it acts on behalf of another, or questions go to another body's mail domain than the buyer's.

    OCDS has no role for an adviser: these are where one shows. Source: OCDS roles; the UK extension's `roleDetails`.
    """
    entity, buyer = table.text("procuring_entity_reference"), table.text("buyer_reference")
    differs = Categorical.pairs(buyer, entity).numbers(_differ)
    another = (table.number("central_purchasing") == 1) | _acts_for_another(table)
    return np.where(another, 1.0, differs)


@factor(
    stage="draft",
    theme="advisers",
    label="The advisers' earlier cases failed",
    path="/tenderRisk/advisers",
    says="The advisers' earlier cases failed more often than others of their kind.",
    says_not="The advisers' earlier cases did not fail more often than others of their kind.",
    evidence=adviser_records,
    asks="who advises, or how the advisers' earlier cases ended,",
    sources=(PWC_UNITINGCARE, NAO_UNITINGCARE),
)
def advisers_failed_before(table: TenderTable) -> Floats:
    """1 for more failures than expected among the advisers' cases resolved before. It says nothing about the advice.

    Source: track record.
    """
    ratio = adviser_record(table)
    return yes_no(ratio > 1, ratio)


def _differ(bodies: tuple[tuple[Any, ...], tuple[Any, ...]]) -> bool | None:
    """Whether two organisations, each an id and a name, differ: by their ids, else by their names."""
    if not all(bodies):
        return None
    (first, own), (second, other) = bodies
    return bool(own != other) if first is None or second is None else bool(first != second)


def _acts_for_another(table: TenderTable) -> NDArray[np.bool_]:
    """Whether the wording says so, or the contact's mail domain is not the buyer's."""
    texts = [table.text(name).where(_says_on_behalf) for name in ("title", "description")]
    roles = table.text("role_details").where(lambda details: any(map(_says_on_behalf, details)))
    domains = Categorical.pairs(table.text("buyer_mail_domains"), table.text("contact_mail_domains"))
    elsewhere = domains.where(lambda pair: all(pair) and set(pair[0]).isdisjoint(pair[1]))
    return texts[0] | texts[1] | roles | elsewhere


def _says_on_behalf(text: str | None) -> bool:
    return bool(text and _may_act(text.lower()) and ON_BEHALF.search(text))


def _may_act(lower: str) -> bool:
    """Whether ON_BEHALF can find something: in most texts it cannot, and to see that costs less than to search."""
    return "behalf" in lower or ("act" in lower and " for" in lower)
