"""Digital Outcomes and Specialists: closed is censored, applications are known when bids are in, no day of outcome."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from tenders.registers import dos_uk, find_register
from tests.tenders.registers.made import dos, one, read

SHARED = Path(__file__).parents[4] / "shared" / "history" / "dos_uk.csv"


@pytest.mark.parametrize(
    ("status", "no_award"), [("awarded", False), ("cancelled", True), ("unsuccessful", True), ("closed", None)]
)
def test_states(tmp_path, status, no_award):
    case = one("dos_uk", tmp_path, dos(status=status))
    assert case.outcomes == {"no_award": no_award}
    assert case.known_on == (None if no_award is None else dos_uk.COPIED)


def test_an_ending_of_a_later_call_is_known_a_year_after_it(tmp_path):
    assert one("dos_uk", tmp_path, dos(published="2018-03-01")).known_on == date(2019, 3, 1)


def test_applications_are_known_when_bids_are_in_and_the_contract_is_never_a_fact(tmp_path):
    case = one("dos_uk", tmp_path, dos())
    assert case.as_of("draft").tender.number_of_tenderers is None
    assert case.as_of("bids_in").tender.number_of_tenderers == 8
    assert case.tender.awards == () and case.tender.contracts == ()
    assert one("dos_uk", tmp_path, dos(winner="Another", contract_amount=1.0)) == case


def test_facts(tmp_path):
    tender = one("dos_uk", tmp_path, dos()).tender
    assert tender.buyer and tender.buyer.name == "Home Office"
    assert tender.tender.tender_period and tender.tender.tender_period.end_date == "2017-05-15"
    assert tender.tender_risk.codes == {"category": "digital-specialists", "specialist": "developer"}


@pytest.mark.parametrize(
    ("length", "days"),
    [("2 years", 730), ("220 days + option to extend 220 days", 308), ("Up to six months", 183), ("18 -24 months", None),
     ("circa.18 months - latest end date", 548), ("Until 31 March 2017", None), ("12 weeks", 84), ("", None), (None, None),
     ("120 working days (6 months)", 168), ("900 years", None)],
)  # fmt: skip
def test_a_length_is_read_where_it_comes_first(length, days):
    assert dos_uk.length_days(length) == days


def test_a_row_that_cannot_be_read_is_named(tmp_path):
    file = read("dos_uk", tmp_path, dos(status="lost"), dos(id="2"), dos(id="3", published="soon"))
    assert [case.row for case in file.cases] == [1]
    assert [problem.path for problem in file.problems] == ["row 3, column published", "row 1, column status"]


@pytest.mark.skipif(not SHARED.exists(), reason="the opportunities are not beside the project")
def test_the_real_opportunities():
    file = find_register("dos_uk").read(SHARED)
    assert (file.rows, len(file.cases), file.problems) == (1639, 1639, [])
    assert Counter(case.outcomes["no_award"] for case in file.cases) == Counter({None: 1087, False: 434, True: 118})
    for case in file.cases:
        assert case.known_on is None or case.known_on > case.published
