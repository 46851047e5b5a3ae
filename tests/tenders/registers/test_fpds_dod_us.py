"""FPDS: what the contract's life wrote into the columns does not reach the facts at signing."""

from __future__ import annotations

from datetime import date

import pytest

from tenders.registers.fpds_dod_us import number_codes
from tests.tenders.registers.made import fpds, one, read


@pytest.mark.parametrize(("terminated", "early"), [(1, True), (0, False)])
def test_terminated_is_an_early_end_known_by_the_last_action(tmp_path, terminated, early):
    case = one("fpds_dod_us", tmp_path, fpds(terminated))
    assert case.outcomes == {"early_end": early}
    assert (case.published, case.known_on) == (date(2007, 12, 27), date(2011, 6, 11))


@pytest.mark.parametrize(
    "later",
    [
        {"UnmodifiedNumberOfOffersReceived": None}, {"IsModified": 0}, {"SumofObligatedAmount": 1.0},
        {"ContractingOfficeID": None}, {"ContractingAgencyID": None}, {"IsFixedPrice": None}, {"IsTerminated": 1},
        {"MaxOfEffectiveDate": "2012-01-01 00:00:00.0000000"},
    ],
)  # fmt: skip
def test_what_came_after_signing_reaches_no_fact(tmp_path, later):
    assert one("fpds_dod_us", tmp_path, fpds() | later).tender == one("fpds_dod_us", tmp_path, fpds()).tender


@pytest.mark.parametrize(
    ("column", "commonest"), [("TypeOfContractPricing", "J"), ("systemequipmentcode", "000"), ("extentcompeted", "A")]
)
def test_a_code_that_varied_later_cannot_be_told_from_the_commonest(tmp_path, column, commonest):
    varied, common = (one("fpds_dod_us", tmp_path, fpds() | {column: code}).tender for code in (None, commonest))
    assert varied == common


def test_amounts_are_those_at_signing(tmp_path):
    tender = one("fpds_dod_us", tmp_path, fpds()).tender
    amounts = [tender.tender.value, tender.awards[0].value, tender.contracts[0].value]
    assert [value.amount for value in amounts if value] == [300.0, 200.0, 100.0]


@pytest.mark.parametrize(
    ("vehicle", "number", "expected"),
    [
        (None, "W31ZZZ08C0021", {"office": "W31ZZZ", "fiscal_year": "08", "instrument": "C", "order": "no", "service": "W"}),
        ("N00189ZZD0037", "0081", {"order": "numbered"}),
        ("N0018902D0037", "0081", {"office": "N00189", "fiscal_year": "02", "instrument": "D", "order": "numbered", "service": "N"}),
        ("DAAB0702D0037", "BR02", {"office": "DAAB07", "fiscal_year": "02", "instrument": "D", "order": "lettered", "service": "DA"}),
        ("GS35F0512J", "FA441707F0274", {"office": "FA4417", "fiscal_year": "07", "instrument": "F", "order": "own number", "service": "F"}),
        ("GS35F0512J", "0001", {"office": "GS35", "instrument": "F", "order": "numbered", "service": "GS"}),
    ],
)  # fmt: skip
def test_the_number_tells_office_year_instrument_and_order(vehicle, number, expected):
    assert number_codes(vehicle, number) == expected


def test_orders_under_one_vehicle_share_their_fate(tmp_path):
    rows = [fpds(idvpiid="N0018902D0037", piid=number) for number in ("0001", "0002")]
    cases = read("fpds_dod_us", tmp_path, *rows).cases
    assert len({case.cluster_id for case in cases}) == 1
    assert {case.tender.tender_risk.codes["vehicle"] for case in cases} == {"N0018902D0037"}


def test_a_contract_of_its_own_has_no_vehicle(tmp_path):
    assert "vehicle" not in one("fpds_dod_us", tmp_path, fpds()).tender.tender_risk.codes


def test_a_row_without_days_is_named(tmp_path):
    file = read("fpds_dod_us", tmp_path, fpds(MinOfEffectiveDate=None), fpds())
    assert [case.row for case in file.cases] == [1]
    assert len(file.problems) == 1
