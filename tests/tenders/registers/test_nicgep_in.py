"""NICGEP: money, dates and bidders as India writes them, and the award kept where it belongs."""

from __future__ import annotations

from datetime import date

import pytest

from tenders.registers.nicgep_in import day, rupees
from tests.tenders.registers.made import nicgep, one, read


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("8,45,000", 845000.0), ("1,00,00,000", 1e7), ("500.0", 500.0), ("INR 14,073,143", 14073143.0),
        ("INR 1.0E+7", 1e7), ("0.0", None), ("", None), (None, None), ("as agreed", None),
    ],
)  # fmt: skip
def test_money(written, amount):
    value = rupees(written)
    assert (value.amount if value else None) == amount
    assert value is None or value.currency == "INR"


@pytest.mark.parametrize(
    ("written", "on"),
    [
        ("10-Apr-2018 11:00 AM", "2018-04-10"),
        ("1-Jan-2020", "2020-01-01"),
        ("31-Feb-2020", None),
        ("2020", None),
        (None, None),
    ],
)
def test_dates(written, on):
    assert day(written) == (date.fromisoformat(on) if on else None)


@pytest.mark.parametrize(("bidders", "single"), [("1", True), ("2", False), ("0", None), (None, None)])
def test_one_bidder_is_a_single_bid_and_none_counted_is_unknown(tmp_path, bidders, single):
    case = one("nicgep_in", tmp_path, nicgep(bidders))
    assert case.outcomes == {"single_bid": single}
    assert case.known_on == (date(2021, 4, 29) if single is not None else None)


def test_an_opening_before_publication_is_known_the_day_after_it(tmp_path):
    case = one("nicgep_in", tmp_path, nicgep(**{"Bid Opening Date": "01-Jan-2001 09:00 AM"}))
    assert case.known_on == date(2021, 4, 11)


def test_the_chain_is_buyer_and_procuring_entity(tmp_path):
    tender = one("nicgep_in", tmp_path, nicgep()).tender
    assert tender.buyer and tender.tender.procuring_entity
    assert (tender.buyer.id, tender.buyer.name) == ("IN-Assam:Works", "Works")
    assert tender.tender.procuring_entity.id == "IN-Assam:Works/Circle One/Division Two"
    assert tender.tender.procuring_entity.name == "Division Two"
    assert tender.tender_risk.codes["division"] == "Works||Circle One"
    short = one("nicgep_in", tmp_path, nicgep(**{"Organisation Chain": "Works", "state": "Odisha"})).tender
    assert short.tender.procuring_entity == short.buyer
    assert short.buyer and short.buyer.id == "IN-Odisha:Works"
    assert "division" not in short.tender_risk.codes


def test_the_draft_knows_the_papers_and_not_the_award(tmp_path):
    case = one("nicgep_in", tmp_path, nicgep())
    draft = case.as_of("draft").tender
    assert {fee.type: fee.value.amount for fee in draft.participation_fees if fee.value} == {
        ("deposit",): 8450.0,
        ("document",): 500.0,
    }
    assert draft.contract_period and draft.contract_period.duration_in_days == 180
    assert draft.submission_terms and draft.submission_terms.bid_validity_period
    assert draft.submission_terms.bid_validity_period.duration_in_days == 90
    assert draft.clarification_meetings[0].date == "2021-04-15"
    assert draft.number_of_tenderers is None
    assert case.as_of("draft").tender_risk.codes["covers"] == "2"
    assert "emd_exemption" not in case.tender.tender_risk.codes
    assert case.as_of("bids_in").awards == ()
    award = case.as_of("awarded").awards[0]
    assert award.value and award.value.amount == 779254.0


def test_the_end_and_the_committee_reach_no_draft(tmp_path):
    changed = nicgep(
        "1", **{"committee_members": 1, "Awarded Value": "1", "statuses": "y", "n_rows": "9", "Contract Date :": None}
    )
    assert one("nicgep_in", tmp_path, changed).as_of("draft") == one("nicgep_in", tmp_path, nicgep()).as_of("draft")


def test_packages_of_one_tender_share_their_fate_within_a_state(tmp_path):
    rows = [nicgep(**{"Tender ID": f"2021_W_1_{i}"}) for i in (1, 2)]
    rows.append(nicgep(**{"Tender ID": "2021_W_1_1", "state": "Odisha"}))
    one_, two, other = [case.cluster_id for case in read("nicgep_in", tmp_path, *rows).cases]
    assert one_ == two != other


def test_a_row_without_day_is_named(tmp_path):
    file = read("nicgep_in", tmp_path, nicgep(**{"Publish Date": "soon"}), nicgep())
    assert [case.row for case in file.cases] == [1]
    assert "Publish Date" in file.problems[0].path
