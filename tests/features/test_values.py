"""What every feature answers: one table, at least one row a feature, as release or as filled form."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from features.catalogue import catalogue
from features.categorical import Categorical
from features.table import TrackRecords
from features.track_records.case_records import CaseHistory, ResolvedCase
from tenders.io.read import to_process
from tests.features import made

Json = dict[str, Any]


def records() -> TrackRecords:
    """Two cases of one buyer, its adviser, market and supplier: one failed of 0.2, then 1/3, expected; five of a market with values."""
    keys = ("buyer:example", "adviser:adviser", "market:851", "adviser:adviser|market:851", "supplier:supplier")
    first = ResolvedCase(on=date(2015, 1, 1), keys=(*keys, "adviser:adviser|market:720"), failed=True, bidders=3)
    second = ResolvedCase(on=date(2016, 1, 1), keys=keys, failed=False, bidders=2)
    works = (
        ResolvedCase(on=date(2017, 1, 1), keys=("market:450",), failed=False, value_gbp=10.0 ** (i + 1))
        for i in range(5)
    )
    return TrackRecords(cases=Categorical.single(CaseHistory.of([first, second, *works]).as_of(None)))


RECORDS = records()
RATIO = 2 / (1 + 0.2 + 1 / 3)


def tender(**fields: Any) -> Json:
    """A release with these fields in its tender."""
    return {"tender": fields}


def facts(**fields: Any) -> Json:
    """A release with these stated facts."""
    return {"tender": {}, "tenderRisk": fields}


def market(code: str) -> Json:
    """A release for something of a CPV code."""
    return tender(items=[{"id": "1", "classification": {"scheme": "CPV", "id": code}}])


def gbp(amount: float) -> Json:
    """An amount in pounds."""
    return {"amount": amount, "currency": "GBP"}


def lots(*amounts: float) -> list[Json]:
    """Lots of these values."""
    return [{"id": str(i), "value": gbp(amount)} for i, amount in enumerate(amounts)]


def charged(value: Json, **fees: Json) -> Json:
    """A release of a value with fees by their type."""
    return tender(value=value, participationFees=[{"id": k, "type": [k], "value": v} for k, v in fees.items()])


def contacts(buyer: str, questions: str) -> list[dict[str, Any]]:
    """Parties: the buyer and whoever takes questions, with their mail addresses."""
    roles = {"buyer": buyer, "processContactPoint": questions}
    return [{"id": role, "roles": [role], "contactPoint": {"email": mail}} for role, mail in roles.items()]


def bids(**counts: float) -> Json:
    """Bids counted, by lot; `whole` is the tender as a whole."""
    return {
        "tender": {"lots": [{"id": lot} for lot in counts if lot != "whole"]},
        "bids": {
            "statistics": [
                {"id": lot, "measure": "bids", "value": n, **({} if lot == "whole" else {"relatedLot": lot})}
                for lot, n in counts.items()
            ]
        },
    }


def changed(*touches: str, whole: bool | None = None) -> Json:
    """Changes after publication."""
    return facts(structureChanges=[{"touches": touched} for touched in touches], changesCounted=whole)


SIX_AND_THREE = tender(value=gbp(9e8), lots=lots(6, 3))
BLOCK: Json = {"lots": 1, "value": 5.9e9, "currency": "GBP", "term_years": 10}
EXAMPLE = {"buyer": {"id": "b", "name": "The Example Council"}, "tender": {}}
ADVISED: Json = {"advisers": "Adviser Ltd"}

TABLE: list[tuple[str, Json, float | None]] = [
    # how the scope is divided
    ("single_block", {"lots": 1}, 1),
    ("single_block", {"lots": 3}, 0),
    ("single_block", {"single_block": "no"}, 0),
    ("single_block", {"lots": 3, "single_block": "yes"}, 0),
    ("lot_count", {"lots": 3}, 3),
    ("lot_count", {"single_block": "yes"}, 1),
    ("lot_count", {"single_block": "no"}, None),
    ("largest_lot_share", SIX_AND_THREE, 2 / 3),
    ("largest_lot_share", {"single_block": "yes"}, 1),
    ("largest_lot_share", tender(lots=[*lots(6), {"id": "9"}]), None),
    ("lot_share", SIX_AND_THREE, 2 / 3),
    ("lot_share", tender(lots=lots(10, 30)), 0.25),
    ("lot_share", tender(lots=[*lots(6), {"id": "9"}]), None),
    ("lot_share", tender(lots=[*lots(6), {"id": "9", "value": {"amount": 6, "currency": "EUR"}}]), None),
    ("lot_share", {"single_block": "yes", "value": 10, "currency": "GBP"}, None),
    ("lot_to_value", tender(value=gbp(20), lots=lots(5, 3)), 0.25),
    ("lot_to_value", tender(value={"amount": 20, "currency": "EUR"}, lots=lots(5, 3)), None),
    ("lot_to_value", tender(value=gbp(20), lots=[{"id": "1"}, *lots(5)]), None),
    ("lot_to_value", tender(value=gbp(20)), None),
    ("lot_to_budget", {**tender(lots=lots(5, 3)), "planning": {"budget": {"amount": gbp(10)}}}, 0.5),
    ("lot_to_budget", {**tender(lots=lots(5, 3)), "planning": {"budget": {}}}, None),
    ("lot_to_budget", tender(value=gbp(20), lots=lots(5, 3)), None),
    ("largest_contract", SIX_AND_THREE, 6e8),
    ("largest_contract", {"value": 9e8, "currency": "GBP", "lots": 3}, 3e8),
    ("largest_contract", {"value": 9e8, "currency": "GBP"}, 9e8),
    ("long_large_block", BLOCK, 1),
    ("long_large_block", {**BLOCK, "term_years": 7.9}, 0),
    ("long_large_block", {"value": 1000, "currency": "GBP"}, 0),
    ("long_large_block", {**BLOCK, "term_years": None}, None),
    ("no_division_rationale", {"lots": 1, "no_lots_rationale": "one pathway"}, 1),
    ("no_division_rationale", {"lots": 2, "no_lots_rationale": "one pathway"}, None),
    ("no_division_rationale", {"lots": 1}, None),
    ("service_lines", {"service_lines": 5}, 5),
    ("cpv_divisions", tender(classification={"id": "85140000"}, items=[{"id": "1", "classification": {"scheme": "CPV", "id": "72000000"}}]), 2),
    ("cpv_divisions", tender(classification={"scheme": "UNSPSC", "id": "85140000"}), None),
    ("market_depth", market("85140000"), 4),
    ("market_depth", market("85141211-4"), 8),
    ("market_depth", tender(classification={"id": "72000000"}, items=[{"id": "1", "classification": {"scheme": "CPV", "id": "85141000"}}]), 5),
    ("market_depth", tender(classification={"id": "72000000"}, items=[{"id": "1", "classification": {"scheme": "UNSPSC", "id": "85141000"}}]), 2),
    ("market_depth", tender(classification={"scheme": "IN-NICGEP", "id": "Civil Works"}), None),
    ("market_depth", market("00000000"), None),
    # who bids
    ("bidders", {"bidders": 3}, 3),
    ("bidders", bids(whole=4, a=2, b=2), 4),
    ("bidders", bids(whole=4, a=2), None),
    ("bidders", bids(a=2), 2),
    ("bidders", bids(a=2, b=3), None),
    ("bidders", tender(tenderers=[{"id": "1"}, {"id": "2"}]), 2),
    ("single_bidder", {"bidders": 1}, 1),
    ("single_bidder", {"bidders": 2}, 0),
    ("lone_bidder", {"bidders": 1}, 1),
    ("lone_bidder", {"bidders": 1, "competition": "no"}, 0),
    ("lone_bidder", {"bidders": 2}, 0),
    ("single_bidder_in_competition", {"bidders": 1, "competition": "yes"}, 1),
    ("single_bidder_in_competition", {"bidders": 1, "procurement_method": "direct"}, 0),
    ("single_bidder_in_competition", {"bidders": 1}, None),
    ("single_bidder_in_competition", {"bidders": 2}, 0),
    ("fewest_bids_on_a_lot", bids(whole=9, a=2, b=3), 2),
    ("fewest_bids_on_a_lot", bids(whole=9), None),
    ("bidders_interested", {"bidders_interested": 10}, 10),
    ("bidder_attrition", {"bidders_interested": 10, "bidders": 3}, 0.7),
    ("bidder_attrition", {"bidders_interested": 2, "bidders": 3}, 0),
    ("bidder_attrition", {"bidders_interested": 0, "bidders": 0}, None),
    ("expected_bidders", market("85140000"), 2.5),
    ("expected_bidders", market("45000000"), None),
    # what changed, and on what footing
    ("structure_changes", changed("scope", "value"), 2),
    ("structure_changes", changed(), None),
    ("structure_changes", changed(whole=True), 0),
    ("other_changes", changed("scope", "legal_form"), 1),
    ("other_changes", changed(whole=True), 0),
    ("structure_changes", tender(amendments=[{"id": "1"}, {"id": "2"}]), 2),
    ("scope_changes", changed("scope", "lots", "value"), 2),
    ("value_changes", changed("scope", "value"), 1),
    ("value_changes", changed("scope"), 0),
    ("deadline_changes", changed("deadline", "mobilisation"), 2),
    ("bidder_changes", changed("legal_form", "consortium", "adviser"), 2),
    ("assurance_holds", {"assurance_holds": "NHS England; Monitor"}, 2),
    ("assurance_holds", facts(assuranceHolds=[]), None),
    ("legal_challenge", {"legal_challenge": "yes"}, 1),
    ("new_legal_vehicle_required", {"new_legal_vehicle_required": "no"}, 0),
    ("parent_guarantee_required", {"parent_guarantee_required": "yes"}, 1),
    ("joint_vehicle", {"legal_vehicle": "alliance"}, 1),
    ("joint_vehicle", {"legal_vehicle": "none"}, 0),
    ("tax_unresolved", {"tax_unresolved": "yes"}, 1),
    # who advises
    ("advisers_named", {"advisers": "A; B"}, 2),
    ("adviser_record", ADVISED, RATIO),
    ("adviser_record", {"advisers": "Nobody Known"}, None),
    ("adviser_cases", ADVISED, 2),
    ("adviser_cases", {"advisers": "Nobody Known"}, 0),
    ("adviser_specialism", {**ADVISED, "cpv": "72000000"}, 0.5),
    ("adviser_specialism", {**market("85140000"), "tenderRisk": {"advisers": [{"name": "Adviser"}]}}, 1),
    ("run_by_another", {"buyer": {"id": "1"}, "tender": {"procuringEntity": {"id": "2"}}}, 1),
    ("run_by_another", {"buyer": "A", "procuring_entity": "A"}, 0),
    ("run_by_another", {"buyer": "A", "description": "Published on behalf of the A group"}, 1),
    ("run_by_another", {"parties": contacts("a@x.nhs.uk", "b@y.nhs.uk"), "tender": {}}, 1),
    ("run_by_another", {"parties": contacts("a@x.nhs.uk", "b@tenders.x.nhs.uk"), "tender": {}}, None),
    ("run_by_another", {"parties": [{"id": "1", "roles": ["centralPurchasingBody"]}], "tender": {}}, 1),
    # time
    ("tender_period_days", {"tender_start": "2024-03-01", "tender_end": "2024-04-15"}, 45),
    ("tender_period_days", {"published": "2024-03-01", "tender_end": "2024-03-31"}, 30),
    ("tender_period_days", {"tender_start": "2024-04-15", "tender_end": "2024-03-01"}, None),
    ("tender_period_days", {"tender_start": "2024-03", "tender_end": "2024-04-15"}, None),
    ("enquiry_period_days", {"enquiry_period_days": 20}, 20),
    ("bid_validity_days", tender(submissionTerms={"bidValidityPeriod": {"durationInDays": 90}}), 90),
    ("bid_validity_days", tender(submissionTerms={}), None),
    ("days_to_meeting", tender(datePublished="2024-03-01", clarificationMeetings=[{"date": "2024-03-20"}, {"date": "2024-03-11"}]), 10),
    ("days_to_meeting", tender(datePublished="2024-03-01", clarificationMeetings=[{"date": "2024-02-20"}]), None),
    ("days_to_meeting", tender(datePublished="2024", clarificationMeetings=[{"date": "2024-03-11"}]), None),
    ("days_to_meeting", tender(datePublished="2024-03-01"), None),
    ("term_years", {"term_years": 10}, 10),
    ("term_years", tender(lots=[{"id": "1", "contractPeriod": {"durationInDays": 731}}]), 731 / 365.25),
    ("term_years", tender(contractPeriod={"durationInDays": 0}), None),
    ("extendable", tender(lots=[{"id": "1", "hasRenewal": False}, {"id": "2", "hasOptions": True}]), 1),
    ("extendable", tender(lots=[{"id": "1", "hasRenewal": False}]), 0),
    ("published_at_year_end", {"published": "2024-03-05"}, 1),
    ("published_at_year_end", {"published": "2024"}, None),
    ("published_in_holidays", {"tender_start": "2024-08-05"}, 1),
    ("day_of_year", {"published": "2024-12-31"}, 366),
    ("day_of_year", {"published": "2023-02-01T23:30:00Z"}, 32),
    ("day_of_year", {"published": "2024"}, None),
    ("day_of_year", {"tender_start": "2024-08-05"}, None),
    ("mobilisation_days", {"award_date": "2024-11-01", "contract_start": "2025-04-01"}, 151),
    ("mobilisation_days", {"award_date": "2025-11-01", "contract_start": "2025-04-01"}, None),
    # money
    ("value_gbp", {"value": "£5,900,000,000", "currency": "GBP"}, 5.9e9),
    ("value_gbp", tender(lots=lots(6, 3)), 9),
    ("value_gbp", {"planning": {"budget": {"amount": gbp(7)}}, "tender": {}}, 7),
    ("value_gbp", {"value": 0, "currency": "GBP"}, None),
    ("value_gbp", tender(value={"amount": 10}), None),
    ("value_per_year", {"value": 100, "currency": "GBP", "term_years": 4}, 25),
    ("value_to_peers", {**tender(value=gbp(2000), **market("45000000")["tender"])}, 2),
    ("value_to_peers", {**tender(value=gbp(2000), **market("85140000")["tender"])}, None),
    ("savings_assumed", {"savings_assumed": "no"}, 0),
    ("savings_assumed", {"price_to_former_cost": 0.9}, 1),
    ("price_to_former_cost", {"price_to_former_cost": 1.2}, 1.2),
    ("round_value", {"value": 5_000_000, "currency": "GBP"}, 1),
    ("round_value", {"value": 5_000_400, "currency": "GBP"}, 0),
    ("value_digits", tender(value=gbp(1_250_000)), 3),
    ("value_digits", tender(value=gbp(1000.01)), 6),
    ("value_digits", tender(value=gbp(1_250_000), lots=lots(7, 3)), 1),
    ("value_digits", tender(value=gbp(1_250_000), lots=[{"id": "1"}]), None),
    ("value_digits", tender(value=gbp(0)), None),
    ("price_to_estimate", {**tender(value=gbp(100)), "awards": [{"id": "1", "value": gbp(90)}]}, 0.9),
    ("price_to_estimate", {**tender(value=gbp(100)), "awards": [{"id": "1", "value": {"amount": 90, "currency": "EUR"}}]}, None),
    ("deposit_share", charged(gbp(1000), deposit=gbp(20), document=gbp(5)), 0.02),
    ("deposit_share", charged(gbp(1000), deposit={"amount": 20, "currency": "EUR"}), None),
    ("deposit_share", charged(gbp(0), deposit=gbp(20)), None),
    ("deposit_share", charged(gbp(1000), deposit=gbp(0)), None),
    ("deposit_share", charged(gbp(1000), document=gbp(5)), None),
    ("fee_share", charged(gbp(1000), deposit=gbp(20), document=gbp(5)), 0.005),
    ("fee_share", charged(gbp(1000), deposit=gbp(20)), None),
    ("value_to_budget", {**tender(value=gbp(150)), "planning": {"budget": {"amount": gbp(100)}}}, 1.5),
    ("value_to_budget", {**tender(value=gbp(150)), "planning": {"budget": {"amount": {"amount": 100, "currency": "EUR"}}}}, None),
    ("value_to_budget", {**tender(value=gbp(150)), "planning": {"budget": {}}}, None),
    # the route
    ("open_procedure", {"procurement_method": "open"}, 1),
    ("open_procedure", {"procurement_method": "selective"}, 0),
    ("direct_award", {"procurement_method": "limited"}, None),
    ("direct_award", {"procurement_method": "direct"}, 1),
    ("direct_award", {"competition": "yes"}, 0),
    ("negotiated", {"procurement_method_details": "Competitive flexible procedure"}, 1),
    ("negotiated", {"procurement_method_details": "Open procedure"}, 0),
    ("framework", {"framework": "no"}, 0),
    ("works", {"category": "works"}, 1),
    ("works", {"cpv": "45000000"}, 1),
    ("works", {"category": "services", "cpv": "45000000"}, 0),
    ("works", {"title": "Bridge"}, None),
    ("goods", {"cpv": "33100000"}, 1),
    ("goods", {"cpv": "85100000"}, 0),
    ("it_purchase", {"cpv": "72000000"}, 1),
    ("it_purchase", {"cpv": "85100000"}, 0),
    ("price_only", {"award_criteria": "priceOnly"}, 1),
    ("price_only", tender(lots=[{"id": "1", "awardCriteria": {"criteria": [{"type": "price"}, {"type": "quality"}]}}]), 0),
    ("price_weight", facts(codes={"price_weight": "60"}), 60),
    ("price_weight", {"award_criteria": "priceOnly"}, 100),
    ("price_weight", {**facts(codes={"price_weight": "100.5"}), **tender(awardCriteria="ratedCriteria")}, None),
    ("price_weight", facts(codes={"price_weight": "most"}), None),
    ("call_number", facts(callNumber=2), 2),
    ("covers", facts(codes={"covers": "2"}), 2),
    ("covers", facts(codes={"covers": "nan"}), None),
    ("new_regime", tender(legalBasis={"scheme": "UKPGA", "id": "2023/54"}), 1),
    ("health_regime", tender(procurementMethodRationale="Provider Selection Regime, direct award C"), 1),
    ("health_regime", tender(description="This is a Provider Selection Regime (PSR) notice."), 1),
    ("health_regime", tender(description="Care under SI 2023/1348", procurementMethodDetails="Open procedure"), 1),
    ("health_regime", tender(lots=[{"id": "1", "description": "PROVIDER SELECTION REGIME"}]), 1),
    ("health_regime", {"tender": {"id": "1"}, "description": "Under the provider selection regime"}, 1),
    ("health_regime", {"description": "Selection of a provider", "procurement_method_details": "Open procedure"}, 0),
    ("health_regime", {"description": "Selection of a provider"}, None),
    ("outcome_based_payment", {"outcome_based_payment": "yes"}, 1),
    ("market_engagement", {"market_engagement": "yes"}, 1),
    ("market_engagement", {"planning": {"noEngagementNoticeRationale": "urgent"}, "tender": {}}, 0),
    ("market_engagement", {"planning": {"milestones": [{"id": "1", "type": "engagement"}]}, "tender": {}}, 1),
    ("staff_transfer", {"staff_transfer": "yes"}, 1),
    # the buyer and its market
    ("buyer_record", EXAMPLE, RATIO),
    ("buyer_record", {"buyer": "Another Council"}, None),
    ("buyer_cases", EXAMPLE, 2),
    ("market_record", market("85141200"), RATIO),
    ("supplier_record", {"supplier": "Supplier plc"}, RATIO),
    ("national_buyer", {"buyer": "Ministry of Justice"}, 1),
    ("national_buyer", EXAMPLE, 0),
    ("health_buyer", {"buyer": "NHS Cornwall and Isles of Scilly ICB"}, 1),
    ("joint_buyers", {"buyer": "Four Staffordshire CCGs + Macmillan"}, 1),
    ("joint_buyers", {"buyer": "Cumberland"}, 0),
    ("first_of_its_kind", {"first_of_its_kind": "yes"}, 1),
    ("first_of_its_kind", {"incumbent_kind": "none"}, 1),
    ("public_incumbent", {"incumbent_kind": "in_house"}, 1),
    ("public_incumbent", {"incumbent_kind": "none"}, None),
    ("predecessor_failed", {"predecessor_failed": "yes"}, 1),
    ("retender", {"retender": "no"}, 0),
    ("retender", {"relatedProcesses": [{"id": "1", "relationship": ["unsuccessfulProcess"]}], "tender": {}}, 1),
    # the words
    ("title_words", {"title": "Community nursing"}, 2),
    ("title_letters", {"title": " Community nursing "}, 17),
    ("title_letters", tender(title="Roads", lots=[{"id": "1", "title": "Road 12"}, {"id": "2", "title": "A"}]), 7),
    ("title_letters", tender(title="Roads", lots=[{"id": "1", "title": " "}]), 5),
    ("title_letters", tender(title=" "), None),
    ("title_digits", tender(title="Roads", lots=[{"id": "1", "title": "Road 12"}]), 2),
    ("title_digits", {"title": "Nursing"}, 0),
    ("title_digits", tender(lots=[{"id": "1"}]), None),
    ("description_words", {"description": "Nursing at home in two districts"}, 6),
    ("ambition_words", {"title": "Integrated pathway", "description": "for better outcomes"}, 3),
    ("risk_words", {"risk_details": "Staff may leave"}, 3),
]  # fmt: skip


@pytest.mark.parametrize(("name", "document", "expected"), TABLE, ids=[f"{n}-{e}" for n, _, e in TABLE])
def test_feature(name: str, document: Json, expected: float | None) -> None:
    feature = catalogue()[name]
    value = made.value(feature, to_process(document).as_of(feature.stage), feature.stage, RECORDS)
    assert value == pytest.approx(expected)


def test_the_table_has_a_known_value_of_every_feature_and_no_other() -> None:
    """But for what a register's history tells (test_register_features.py) and for factors only (test_factors.py)."""
    stated = {
        n for n, feature in catalogue().items() if feature.reads != "register_history" and (feature.trained or not feature.factor)
    }
    assert {name for name, _, expected in TABLE if expected is not None} == stated
