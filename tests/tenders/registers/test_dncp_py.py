"""DNCP: the last release of a call counts, and only where failures survive beside successes."""

from __future__ import annotations

from datetime import date

import pytest

from tenders.registers.dncp_py import written_at
from tests.tenders.registers.made import dncp, one, read


def test_the_last_release_of_a_call_counts_in_whatever_order(tmp_path):
    rows = [
        dncp("call-1-1750000000", "unsuccessful"),
        dncp("ocds-03ad3f-1-1-2025-05-03T10:00:00-04:00", "active"),
        dncp("call-1-1749000000.12345", "cancelled"),
    ]
    (case,) = read("dncp_py", tmp_path, *rows).cases
    assert (case.kind, case.row) == ("unsuccessful", 0)
    (case,) = read("dncp_py", tmp_path, *reversed(rows)).cases
    assert (case.kind, case.row) == ("unsuccessful", 2)


@pytest.mark.parametrize(
    ("estado", "no_award"), [("complete", False), ("unsuccessful", True), ("cancelled", True), ("active", None)]
)
def test_states(tmp_path, estado, no_award):
    case = one("dncp_py", tmp_path, dncp(estado=estado))
    assert case.outcomes == {"no_award": no_award}
    assert (case.known_on is None) == (no_award is None)


@pytest.mark.parametrize("estado", ["complete", "unsuccessful"])
def test_calls_before_october_2024_are_censored_for_their_failures_are_gone(tmp_path, estado):
    case = one("dncp_py", tmp_path, dncp(estado=estado, fecha_publicacion="2024-09-30T23:00:00-04:00"))
    assert case.outcomes == {"no_award": None}
    assert case.kind == estado
    since = one("dncp_py", tmp_path, dncp(estado=estado, fecha_publicacion="2024-10-01T08:00:00-04:00"))
    assert since.outcomes["no_award"] is not None


@pytest.mark.parametrize(
    ("ocid", "on"),
    [
        ("x-1750000000", "2025-06-15"), ("x-1750000000.123456", "2025-06-15"), ("x-1750000000123", "2025-06-15"),
        ("ocds-03ad3f-454996-1-2025-01-08T23:27:47-04:00", "2025-01-09"),
    ],
)  # fmt: skip
def test_the_release_id_says_when_it_was_written(ocid, on):
    moment = written_at(ocid)
    assert moment and moment.date() == date.fromisoformat(on)


def test_known_when_written_but_never_before_the_day_after_publication(tmp_path):
    assert one("dncp_py", tmp_path, dncp()).known_on == date(2025, 6, 15)
    assert one("dncp_py", tmp_path, dncp("no-moment")).known_on == date(2025, 5, 3)
    assert one("dncp_py", tmp_path, dncp("x-1600000000")).known_on == date(2025, 5, 3)


def test_facts(tmp_path):
    tender = one("dncp_py", tmp_path, dncp()).tender
    assert tender.tender.value and (tender.tender.value.amount, tender.tender.value.currency) == (1e8, "PYG")
    assert tender.planning is None, "a budget of 0 is none"
    assert tender.tender.procurement_method_details == "Especiales Subasta"
    assert tender.tender.tender_period and tender.tender.tender_period.end_date == "2025-05-20"


def test_calls_with_one_number_share_their_fate(tmp_path):
    rows = [dncp(id_llamado="407685-estantes-1"), dncp(id_llamado="407685-estantes-3"), dncp(id_llamado="1ef7-aa")]
    assert [case.cluster_id for case in read("dncp_py", tmp_path, *rows).cases] == ["407685", "407685", "1ef7-aa"]


def test_a_call_without_day_is_named(tmp_path):
    file = read("dncp_py", tmp_path, dncp(fecha_publicacion="soon"))
    assert file.cases == []
    assert len(file.problems) == 1
