"""Factors are whole, documented and safe on any tender; each rule says what its sentence says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import FACTOR_ORDER, catalogue, factor_features, trained_at
from features.categorical import Categorical
from features.feature import FactorSpec, Feature
from features.table import TrackRecords
from features.track_records.case_records import NO_RECORDS, CaseRecord, CaseRecords
from tenders.facts import STAGES, Stage
from tenders.io.read import to_process
from tests.features import made

FACTORS = {feature.name: feature for feature, _ in factor_features()}
each_factor = pytest.mark.parametrize("feature", FACTORS.values(), ids=FACTORS)
JUDGED = {1.0: True, 0.0: False, None: None}


def shown(
    name: str, document: dict[str, Any], stage: Stage = "awarded", record: CaseRecords = NO_RECORDS
) -> bool | None:
    records = TrackRecords(cases=Categorical.single(record))
    return JUDGED[made.value(catalogue()[name], to_process(document).as_of(stage), stage, records)]


@pytest.mark.parametrize(("feature", "spec"), factor_features(), ids=FACTORS)
def test_a_factor_has_sentences_and_sources(feature: Feature, spec: FactorSpec) -> None:
    assert feature.unit == "yes/no" and feature.says != feature.says_not
    assert feature.label and spec.asks and not spec.asks.endswith(".")
    assert spec.sources and all(len(source) > 10 and "; " not in source for source in spec.sources)
    assert STAGES.index(spec.counted_at or feature.stage) >= STAGES.index(feature.stage)


def test_factors_of_failure_and_of_survival_are_both_there_at_every_stage() -> None:
    assert {feature.stage for feature in FACTORS.values()} == set(STAGES)
    assert {spec.seen_with for _, spec in factor_features()} == {"failure", "survival"}


def test_they_are_listed_in_the_order_of_a_procurement_and_what_has_no_place_there_comes_last() -> None:
    assert tuple(FACTORS)[: len(FACTOR_ORDER)] == FACTOR_ORDER
    assert len(set(FACTOR_ORDER)) == len(FACTOR_ORDER)


EFFECTS_ONLY = {"other_changes", "lone_bidder", "works", "goods", "it_purchase"}
"""Features that only pooled effects read."""


def test_a_factor_only_is_in_the_catalogue_and_not_offered_to_a_model() -> None:
    trained = {feature.name for stage in STAGES for feature in trained_at(stage)}
    assert set(catalogue()) - trained - EFFECTS_ONLY == {name for name, feature in FACTORS.items() if not feature.trained}
    assert len(trained & set(FACTORS)) >= 11


@each_factor
def test_nothing_is_judged_of_a_tender_of_which_nothing_is_known(feature: Feature) -> None:
    assert shown(feature.name, {"tender": {}}) is None


@each_factor
@settings(max_examples=30)
@given(data=st.data())
def test_any_tender_can_be_judged(feature: Feature, data: Any) -> None:
    assert shown(feature.name, data.draw(made.known_at("awarded"))) in (True, False, None)


@each_factor
@settings(max_examples=30)
@given(data=st.data())
def test_a_factor_is_not_judged_before_its_stage(feature: Feature, data: Any) -> None:
    """A fact that comes later shows nothing earlier; that a factor cannot come any more may be known at once."""
    document = data.draw(made.known_at("awarded"))
    for stage in STAGES[: STAGES.index(feature.stage)]:
        assert shown(feature.name, document, stage) in (None, False)


SHOWN: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("single_block", {"lots": 1}, {"lots": 2}),
    ("block_by_choice", {"lots": 1, "no_lots_rationale": "one team"}, {"lots": 2, "no_lots_rationale": "x"}),
    ("long_large_block", {"lots": 1, "value": 5e8, "term_years": 8}, {"lots": 1, "value": 5e8, "term_years": 7.9}),
    ("many_service_lines", {"service_lines": 5}, {"service_lines": 4}),
    ("first_of_its_kind", {"first_of_its_kind": "yes"}, {"incumbent_kind": "private"}),
    ("short_tender_period", {"tender_period_days": 34}, {"tender_period_days": 35}),
    ("no_market_engagement", {"market_engagement": "no"}, {"market_engagement": "yes"}),
    ("route_not_open", {"procurement_method": "selective"}, {"procurement_method": "open"}),
    ("route_not_open", {"competition": "no"}, {"procurement_method": "open"}),
    ("new_legal_vehicle_required", {"new_legal_vehicle_required": "yes"}, {"new_legal_vehicle_required": "no"}),
    ("outcome_based_payment", {"outcome_based_payment": "yes"}, {"outcome_based_payment": "no"}),
    ("savings_assumed", {"price_to_former_cost": 0.9}, {"price_to_former_cost": 1}),
    (
        "hurried_staff_transfer",
        {"staff_transfer": "yes", "tender_end": "2024-01-10", "contract_start": "2024-04-08"},
        {"staff_transfer": "no"},
    ),
    ("predecessor_failed", {"predecessor_failed": "yes"}, {"predecessor_failed": "no"}),
    ("single_bidder", {"bidders": 1}, {"bidders": 2}),
    ("single_bidder_in_competition", {"bidders": 1, "competition": "yes"}, {"bidders": 1, "competition": "no"}),
    ("bidders_lost", {"bidders_interested": 10, "bidders": 5}, {"bidders_interested": 10, "bidders": 6}),
    ("deadline_moved", {"structure_changes": "deadline"}, {"structure_changes": "scope"}),
    ("redesigned_while_open", {"structure_changes": "lots"}, {"structure_changes": "deadline"}),
    ("consortium_changed", {"structure_changes": "consortium"}, {"structure_changes": "legal_form"}),
    ("legal_form_changed", {"structure_changes": "legal_form"}, {"structure_changes": "consortium"}),
    ("legal_challenge", {"legal_challenge": "yes"}, {"legal_challenge": "no"}),
    ("price_far_below", {"value": 100, "award_value": 79}, {"value": 100, "award_value": 80}),
    ("price_at_ceiling", {"value": 100, "award_value": 98}, {"value": 100, "award_value": 97}),
    (
        "vehicle_without_guarantee",
        {"legal_vehicle": "limited_liability_partnership", "parent_guarantee_required": "no"},
        {"legal_vehicle": "joint_venture", "parent_guarantee_required": "yes"},
    ),
    (
        "public_lead_with_incumbent",
        {"incumbent_kind": "public_body", "incumbents": "Oxford Health FT", "supplier": "Oxford Health FT with Mind"},
        {"incumbent_kind": "private", "incumbents": "Care Ltd", "supplier": "Oxford Health FT"},
    ),
]


@pytest.mark.parametrize(("name", "with_it", "without_it"), SHOWN, ids=[name for name, *_ in SHOWN])
def test_a_factor_is_shown_where_its_rule_holds_and_absent_where_it_does_not(
    name: str, with_it: dict[str, Any], without_it: dict[str, Any]
) -> None:
    assert shown(name, with_it) is True
    assert shown(name, without_it) is False


def release(**parts: Any) -> dict[str, Any]:
    return {"tender": {"datePublished": "2024-06-01"}, **parts}


def signed(day: str, **facts: Any) -> dict[str, Any]:
    contract = {"id": "1", "dateSigned": day, "period": {"startDate": "2024-04-01"}}
    return {"tender": {}, "contracts": [contract], "tenderRisk": facts}


def engaged(day: str) -> dict[str, Any]:
    return release(planning={"milestones": [{"id": "1", "type": "engagement", "dueDate": day}]})


OCDS: list[tuple[str, dict[str, Any], bool | None]] = [
    ("no_market_engagement", engaged("2024-05-31"), False),
    ("no_market_engagement", engaged("2024-06-01"), True),
    ("long_engagement", engaged("2023-12-01"), True),
    ("long_engagement", engaged("2024-03-01"), False),
    ("risks_empty_or_long", {"tender": {"riskDetails": " "}}, True),
    ("risks_empty_or_long", {"tender": {"riskDetails": "word " * 301}}, True),
    ("risks_empty_or_long", {"tender": {"riskDetails": "word " * 300}}, False),
    ("block_by_choice", {"tender": {"lots": [{"id": "1"}]}}, None),
    ("extendable", {"tender": {"lots": [{"id": "1", "hasRenewal": True}]}}, True),
    ("under_review", {"tender": {}, "tenderRisk": {"assuranceHolds": [{"stage": "draft"}]}}, True),
    ("lot_with_one_bid", {"tender": {"lots": [{"id": "1"}, {"id": "2"}]}, "bids": {"statistics": [
        {"measure": "bids", "value": 1, "relatedLot": "1"}, {"measure": "bids", "value": 3, "relatedLot": "2"}]}}, True),
    ("amended", {"tender": {"amendments": [{"id": "1"}]}}, True),
    ("last_moment_signature", signed("2024-03-26"), True),
    ("last_moment_signature", signed("2024-03-25"), False),
    ("open_at_start", signed("2024-04-02"), True),
    ("open_at_start", signed("2024-03-01"), None),
    ("open_at_start", signed("2024-03-01", taxUnresolved=False), False),
    ("open_at_start", signed("2024-03-01", taxUnresolved=True), True),
    ("negotiated_after_award", {"tender": {}, "tenderRisk": {
        "structureChanges": [{"touches": "value", "stage": "awarded"}]}}, True),
    ("negotiated_after_award", {"tender": {}, "tenderRisk": {"changesCounted": True}}, False),
    ("public_lead_with_incumbent", {"tender": {}, "tenderRisk": {
        "incumbentKind": "public_body", "incumbents": ["A Trust"]}}, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "document", "expected"), OCDS)
def test_a_factor_reads_what_only_a_release_holds(name: str, document: dict[str, Any], expected: bool | None) -> None:
    assert shown(name, document) is expected


@pytest.mark.parametrize(("failed", "expected"), [(3.0, True), (0.0, False)])
def test_a_record_shows_if_more_failed_than_expected(failed: float, expected: bool) -> None:
    record = CaseRecords.fixed(
        {key: CaseRecord(cases=3, failed=failed, expected=1.0) for key in ("buyer:example", "adviser:adviser")}
    )
    form = {"buyer": "Example Council", "advisers": "Adviser Ltd"}
    assert shown("buyer_failed_before", form, record=record) is expected
    assert shown("advisers_failed_before", form, record=record) is expected


def test_size_is_judged_against_five_earlier_contracts_of_the_market() -> None:
    record = CaseRecords.fixed({"market:851": CaseRecord(cases=5, valued=5, log_value=5 * 11.512925464970229)})
    assert shown("large_for_its_market", {"cpv": "85100000", "value": 500_001}, record=record) is True
    assert shown("large_for_its_market", {"cpv": "85100000", "value": 499_999}, record=record) is False
    assert shown("large_for_its_market", {"cpv": "85100000", "value": 500_001}) is None


def test_staff_transfer_is_judged_by_the_award_once_there_is_one() -> None:
    form = {"staff_transfer": "yes", "contract_start": "2024-06-01"}
    assert shown("hurried_staff_transfer", {**form, "award_date": "2024-03-04"}) is True
    assert shown("hurried_staff_transfer", {**form, "award_date": "2024-03-03"}) is False
    assert shown("hurried_staff_transfer", {**form, "tender_end": "2024-01-01"}, "draft") is None, (
        "the award comes later"
    )


def test_every_factor_that_a_notice_tells_is_seen_shown() -> None:
    rows = {name for name, *_ in SHOWN} | {name for name, _, expected in OCDS if expected}
    by_records = {"buyer_failed_before", "advisers_failed_before", "large_for_its_market"}
    assert rows | by_records == {name for name, feature in FACTORS.items() if feature.path}
