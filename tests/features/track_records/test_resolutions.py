"""Resolutions: what became known of a case, on its day, and of one decision once."""

from __future__ import annotations

from datetime import date, timedelta

from msgspec.structs import replace

from features.table_builder import of_tenders
from features.track_records.resolutions import failure, keys_of, picked, resolved_cases
from tenders import casebook
from tenders.io.read import to_process
from tenders.tender import Tender
from tests.training import made

CASES = [case.labelled(row) for row, case in enumerate(casebook.cases())]


def test_a_case_of_the_casebook_is_of_the_kind_by_which_it_entered_and_any_other_of_a_register() -> None:
    resolved = [case for case in CASES if failure(case) is not None and case.known_on]
    kinds = {next(iter(resolved_cases([case]))).kind: picked(case) for case in resolved}
    assert kinds == {"picked": True, "cohort": False}
    assert {case.kind for case in resolved_cases(made.register(5))} == {"register"}


def test_nothing_is_learnt_of_a_case_that_is_censored_or_of_no_known_day() -> None:
    case = next(c for c in CASES if failure(c) and c.known_on)
    assert len(list(resolved_cases([case]))) == 1
    assert not list(resolved_cases([replace(case, outcomes={"failure": None}), replace(case, known_on=None)]))


def test_the_bidders_of_a_direct_award_tell_nothing() -> None:
    one = made.case(1, date(2020, 1, 1), date(2020, 2, 1), False)
    counted = replace(one.tender.tender, number_of_tenderers=1)
    direct = replace(counted, procurement_method="direct")
    bidders = [
        next(iter(resolved_cases([replace(one, tender=replace(one.tender, tender=procedure))]))).bidders
        for procedure in (counted, direct)
    ]
    assert bidders == [1, None]


def test_what_was_resolved_the_day_before_is_known() -> None:
    day = date(2020, 5, 1)
    case = next(c for c in CASES if failure(c))
    learnt = list(resolved_cases([replace(case, known_on=day - timedelta(days=1))]))
    assert [case.on for case in learnt] == [day - timedelta(days=1)]


def test_cases_that_failed_by_one_decision_are_learnt_once() -> None:
    case = next(c for c in CASES if failure(c))
    held = next(c for c in CASES if failure(c) is False and c.known_on)
    twice = [replace(case, row=1), replace(case, row=2), replace(held, row=3), replace(held, row=4)]
    assert [case.failed for case in resolved_cases(twice)] == [True, False, False]


def test_failure_is_told_by_its_parts_where_it_is_not_told_itself() -> None:
    by_parts = {(True,): True, (False, None): False, (False, True): True, (None, None): None}
    for parts, expected in by_parts.items():
        outcomes = dict(zip(("no_award", "early_end"), parts, strict=False))
        assert failure(replace(CASES[0], outcomes=outcomes)) is expected


FULL = to_process(
    {
        "buyer": {"name": "A Council"},
        "tender": {
            "procuringEntity": {"name": "B"},
            "items": [{"id": "1", "classification": {"scheme": "CPV", "id": "85140000"}}],
        },
        "awards": [{"id": "1", "suppliers": [{"name": "S Ltd"}]}],
        "tenderRisk": {"advisers": [{"name": "V LLP"}]},
    }
)


def test_a_case_is_learnt_under_buyer_adviser_market_and_supplier() -> None:
    draft = ("buyer:a", "buyer:b", "adviser:v", "market:851", "adviser:v|market:851")
    assert keys_of(of_tenders([FULL.as_of("draft")], "draft")) == [draft]
    assert keys_of(of_tenders([FULL.compiled()], "awarded")) == [(*draft, "supplier:s")]


def test_an_empty_tender_has_no_key() -> None:
    assert keys_of(of_tenders([Tender()])) == [()]


def test_a_party_whose_role_is_described_as_advising_is_an_adviser() -> None:
    parties = [
        {
            "id": "1",
            "name": "The Advice Ltd",
            "roles": ["procuringEntity"],
            "roleDetails": "Procurement adviser to the lead",
        }
    ]
    document = {"ocid": "x", "tender": {}, "parties": parties, "tenderRisk": {"advisers": [{"name": "Advice"}]}}
    assert keys_of(of_tenders([to_process(document).as_of("draft")])) == [("adviser:advice",)]
