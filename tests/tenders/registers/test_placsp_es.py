"""PLACSP: a case is a lot with its tender around it; the result leaks nowhere."""

from __future__ import annotations

from datetime import date

import pytest

from tenders.registers import find_register
from tenders.tender import bid_count
from tests.tenders.registers.made import at, one, placsp, read


@pytest.mark.parametrize(
    ("result", "bids", "no_award", "single_bid"),
    [
        ("Adjudicado", 1.0, False, True), ("Adjudicado", 2.0, False, False), ("Desierto", 0.0, True, None),
        ("Desierto", 2.0, True, False), ("Desistimiento", None, True, None), ("Renuncia", None, True, None),
    ],
)  # fmt: skip
def test_results(tmp_path, result, bids, no_award, single_bid):
    case = one("placsp_es", tmp_path, placsp(result=result, bids=bids))
    assert case.outcomes == {"no_award": no_award, "single_bid": single_bid}
    assert case.kind == result


def test_each_lot_is_a_case_with_all_lots_and_its_own_first(tmp_path):
    rows = [placsp("1"), placsp("2", "Desierto", 0.0, lot_value_eur=7.0), placsp("3")]
    cases = read("placsp_es", tmp_path, *rows).cases
    assert [case.lot for case in cases] == ["1", "2", "3"]
    assert [[lot.id for lot in case.tender.tender.lots] for case in cases][1] == ["2", "1", "3"]
    assert {case.cluster_id for case in cases} == {"900"}
    own = cases[1].tender.tender
    assert own.lots[0].value and own.lots[0].value.amount == 7.0
    assert own.items[0].related_lot == "2"
    assert own.number_of_tenderers == 0
    assert [bid_count(cases[1].tender, lot) for lot in ("1", "2", "3")] == [3, 0, 3]


def test_no_lots_is_one_block(tmp_path):
    case = one("placsp_es", tmp_path, placsp())
    assert case.lot is None
    assert case.tender.tender.lots == ()
    assert case.tender.tender_risk.single_block is True


def test_a_lot_that_is_repeated_stands_once_in_the_tender(tmp_path):
    cases = read("placsp_es", tmp_path, placsp("1"), placsp("1"), placsp("2")).cases
    assert len(cases) == 3
    assert all(len(case.tender.tender.lots) == 2 for case in cases)
    assert bid_count(cases[0].tender, "1") == 3


def test_a_missing_count_is_that_of_the_other_lots_for_it_would_tell_the_result(tmp_path):
    rows = [placsp("1", bids=2.0), placsp("2", bids=4.0), placsp("3", bids=9.0), placsp("4", "Renuncia", None)]
    gave_up = read("placsp_es", tmp_path, *rows).cases[3]
    assert bid_count(gave_up.as_of("bids_in"), "4") == 4
    assert gave_up.outcomes["single_bid"] is None
    alone = one("placsp_es", tmp_path, placsp(result="Renuncia", bids=None))
    assert alone.tender.bids is None
    assert "/bids/statistics" in find_register("placsp_es").gaps_tell


def test_bids_are_not_known_at_draft(tmp_path):
    case = one("placsp_es", tmp_path, placsp())
    draft = case.as_of("draft")
    assert draft.bids is None
    assert draft.tender.number_of_tenderers is None


def test_the_age_of_the_call_is_a_clock_and_no_fact(tmp_path):
    old = one("placsp_es", tmp_path, placsp(published=at("2015-01-01")))
    new = one("placsp_es", tmp_path, placsp())
    assert old.published == date(2015, 1, 1)
    assert old.tender == new.tender


def test_what_came_after_reaches_no_fact(tmp_path):
    end = {"status": "Adjudicada", "decision_date": at("2021-09-02"), "subcontracting": None, "result": "Desierto"}
    assert one("placsp_es", tmp_path, placsp(**end)).tender == one("placsp_es", tmp_path, placsp()).tender


@pytest.mark.parametrize(
    ("decided", "known"), [("2021-08-30", "2021-08-30"), ("2012-06-21", "2021-06-02"), (None, "2021-09-03")]
)
def test_known_on_its_decision_but_never_before_it_was_published(tmp_path, decided, known):
    rows = [placsp(decision_date=at(decided)), placsp(id=901, decision_date=at("2021-09-03"))]
    assert read("placsp_es", tmp_path, *rows).cases[0].known_on == date.fromisoformat(known)


def test_every_other_column_has_its_place(tmp_path):
    tender = one("placsp_es", tmp_path, placsp()).tender
    assert tender.tender.value and tender.tender.value.amount == 5000.0
    assert tender.planning and tender.planning.budget and tender.planning.budget.amount
    assert tender.planning.budget.amount.amount == 4000.0
    assert tender.tender.classification and tender.tender.classification.id == "90910000"
    assert [c.id for c in tender.tender.items[0].additional_classifications] == ["90911000"]
    assert tender.tender.items[0].delivery_addresses[0].region == "ES300"
    assert tender.tender.legal_basis and tender.tender.legal_basis.id == "32014L0024"
    assert tender.parties[0].address and tender.parties[0].address.postal_code == "08006"
    assert tender.tender.procurement_method == "open"
    assert tender.tender_risk.codes["urgency"] == "Urgente"


def test_a_result_never_seen_is_no_case(tmp_path):
    file = read("placsp_es", tmp_path, placsp(result="Otro"), placsp())
    assert len(file.cases) == 1
    assert "Otro" in str(file.problems[0])
