"""The casebook: every case is a tender at each stage and has its outcome; picked and cohort cases stay apart."""

from __future__ import annotations

import json
from collections import Counter
from typing import get_args

import pytest

from tenders import casebook
from tenders.casebook import EARLY_END, NO_AWARD, CasebookCase
from tenders.facts import STAGES, IncumbentKind, Stage, Vehicle

CASES = casebook.cases()
PROBATION = [case for case in CASES if case.cohort == "TR_CRC_21"]


def test_there_are_491_cases_of_which_128_are_picked() -> None:
    assert (len(CASES), sum(case.picked for case in CASES)) == (491, 128)
    assert len({case.case_id for case in CASES}) == len(CASES)


def test_every_case_has_one_of_fifteen_groups_of_services_which_no_release_tells() -> None:
    groups = Counter(case.service_group for case in CASES)
    assert len(groups) == 15 and groups["other"] == 4
    assert all(count >= 4 for count in groups.values())
    assert all("service_group" not in json.dumps(case.release()) for case in CASES[:20])


@pytest.mark.parametrize("stage", STAGES)
def test_every_case_is_a_tender_at_every_stage(stage: Stage) -> None:
    for case in CASES:
        process = case.process()
        assert process.ocid == f"casebook-{case.case_id}"
        assert process.as_of(stage).buyer is not None
        assert not process.warnings


def test_no_release_tells_how_the_case_ended() -> None:
    for case in CASES:
        written = json.dumps(case.release())
        assert "status" not in written
        for text in (case.account, case.outcome):
            assert not text or text not in written
        assert case.release().get("contracts", [{}])[0].keys() <= {"id", "awardID", "period"}


def test_a_case_without_award_has_none_at_any_stage() -> None:
    abandoned = [case for case in CASES if case.outcome == NO_AWARD and case.fail]
    assert abandoned
    assert not any(case.process().as_of("awarded").awards for case in abandoned)


def test_labels_follow_the_outcome() -> None:
    for case in CASES:
        if not case.fail:
            assert (case.no_award, case.early_end) == (None, None)
        elif case.outcome == NO_AWARD:
            assert (case.no_award, case.early_end, case.fail) == (True, None, "1")
        else:
            assert case.no_award is False
            assert case.early_end is (None if case.censored else case.outcome in EARLY_END)


def test_who_was_alone_by_design_is_no_single_bid() -> None:
    direct = [case for case in CASES if case.route == "direct" and case.bidders_final == "1"]
    assert direct
    assert {case.single_bid for case in direct} == {None}
    assert {case.single_bid for case in CASES if case.bidders_final == "1" and case.route != "direct"} == {True}


def test_the_probation_contracts_ended_by_two_events() -> None:
    """Three with their supplier in 2019, all others by the ministry's decision."""
    assert Counter(case.outcome_date for case in PROBATION) == {"2021-06": 18, "2019-02": 3}


def test_every_case_has_sources_and_known_codes() -> None:
    for case in CASES:
        assert case.sources
        assert case.vehicle in {*get_args(Vehicle), ""}
        assert case.incumbent_kind in {*get_args(IncumbentKind), ""}
        assert case.release()["tender"]["items"][0]["classification"]["id"].isdigit()


def test_facts_that_came_up_later_reach_no_stage() -> None:
    for case in CASES:
        facts = case.process().as_of("awarded").tender_risk
        assert bool(facts.assurance_holds) == (case.hold_stage in ("bids_in", "awarded"))
        assert (facts.tax_unresolved is True) == (case.vat_stage in ("bids_in", "awarded"))
        assert {change.stage for change in facts.structure_changes} <= {"bids_in", "awarded"}


def valued(case: CasebookCase, **cells: str) -> float | None:
    release = CasebookCase(
        **{**{name: getattr(case, name) for name in CasebookCase.__struct_fields__}, **cells}
    ).release()
    amount: float | None = release["tender"].get("value", {}).get("amount")
    return amount


def test_the_value_is_that_of_the_whole_term() -> None:
    case = CASES[0]
    assert valued(case, value_gbp="100", value_basis="lifetime", term_years="5") == 100
    assert valued(case, value_gbp="100", value_basis="annual", term_years="5") == 500
    assert valued(case, value_gbp="100", value_basis="annual", term_years="") is None
    assert valued(case, value_gbp="100", value_basis="programme", term_years="5") is None


def test_a_case_is_found_by_its_id() -> None:
    assert casebook.case("NHS002").name == "Manchester Local Care Organisation"
    with pytest.raises(KeyError):
        casebook.case("NHS999")
