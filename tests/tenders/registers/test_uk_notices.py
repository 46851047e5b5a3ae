"""UK notices: blind and targeted entry, twins, corrections, rows without a call, and OCDS in place of the table."""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from tenders import casebook
from tenders.errors import DataError
from tenders.history import UNDATED, LabelledTender
from tenders.registers import find_register
from tests.tenders.registers.made import one, read, uk_notice

SHARED = Path(__file__).parents[4] / "shared" / "history" / "uk_notices.csv"
REGISTER = find_register("uk_notices")


@pytest.mark.parametrize(
    ("outcome", "no_award", "early_end"),
    [("awarded", False, None), ("part", False, None), ("completed", False, False), ("early_end", False, True),
     ("no_award", True, None), ("open", None, None)],
)  # fmt: skip
def test_outcomes(tmp_path, outcome, no_award, early_end):
    case = one("uk_notices", tmp_path, uk_notice(outcome=outcome))
    assert (case.outcomes["no_award"], case.outcomes["early_end"]) == (no_award, early_end)
    assert (case.known_on is None) == (no_award is None)
    assert REGISTER.judged(case, "no_award") == (no_award is not None)


def test_targeted_rows_are_picked_and_blind_ones_are_not(tmp_path):
    rows = [uk_notice(entry="blind"), uk_notice("ocds-h6vhtk-2", entry="targeted")]
    assert [case.cohort for case in read("uk_notices", tmp_path, *rows).cases] == ["", casebook.PICKED]


@pytest.mark.parametrize(
    ("cells", "kind", "no_award"),
    [
        ({"reissue": "yes", "outcome_date": "2025-09-15"}, "re_issued", None),
        ({"reissue": "yes", "outcome_date": "2025-09-16"}, "no_award", True),
        ({"outcome_date": "2025-09-02"}, "no_award", True),
        ({"reason_code": "reissued_corrected", "published": None}, "re_issued", None),
        ({"outcome_basis": "weak"}, "no_award, on a weak basis", True),
    ],
)
def test_a_correction_is_no_failure_and_a_weak_basis_is_told(tmp_path, cells, kind, no_award):
    case = one("uk_notices", tmp_path, uk_notice(outcome="no_award") | cells)
    assert (case.kind, case.outcomes["no_award"]) == (kind, no_award)


def test_twins_are_one_case_as_blind_as_either_and_later_calls_share_their_cluster(tmp_path):
    rows = [
        uk_notice("ocds-b5fd17-1", group="g", outcome="open", entry="targeted", published="2025-09-03"),
        uk_notice("ocds-h6vhtk-1", group="g", outcome="awarded", entry="targeted"),
        uk_notice("ocds-r6ebe6-1", group="g", outcome="awarded", published="2025-09-20", stages=None),
        uk_notice("ocds-h6vhtk-2", group="g", outcome="open", published="2026-09-01", stages=None),
        uk_notice("ocds-h6vhtk-3", group="h"),
    ]
    file = read("uk_notices", tmp_path, *rows)
    assert [(case.tender.ocid, case.cohort) for case in file.cases] == [
        ("ocds-h6vhtk-1", ""), ("ocds-h6vhtk-2", ""), ("ocds-h6vhtk-3", ""),
    ]  # fmt: skip
    assert [case.cluster_id for case in file.cases] == ["g", "g", "h"]
    assert file.rows == 5


def test_an_award_alone_is_a_twin_only_of_what_ended_so_at_that_time(tmp_path):
    rows = [
        uk_notice("ocds-h6vhtk-1", group="g"),
        uk_notice("ocds-r6ebe6-1", group="g", published=None, outcome_date="2026-01-20"),
        uk_notice("ocds-r6ebe6-2", group="g", published=None, outcome_date="2026-03-20"),
        uk_notice("ocds-r6ebe6-3", group="g", published=None, outcome="no_award"),
    ]
    ocids = [case.tender.ocid for case in read("uk_notices", tmp_path, *rows).cases]
    assert ocids == ["ocds-h6vhtk-1", "ocds-r6ebe6-2", "ocds-r6ebe6-3"]


def test_a_row_without_a_call_teaches_records_and_is_not_judged(tmp_path):
    case = one("uk_notices", tmp_path, uk_notice(published=None))
    assert (case.published, case.known_on, case.outcomes["no_award"]) == (UNDATED, date(2026, 1, 5), False)
    assert not REGISTER.judged(case, "no_award")
    assert find_register("casebook_uk").judged(case, "no_award"), "a researched case may lack its day"


@pytest.mark.parametrize(
    ("cells", "on"),
    [
        ({"stages": "Planning@2025-07-01;TenderUpdate@2025-08-01;Tender@2025-09-01;Award@2026-01-05"}, "2025-08-01"),
        ({"stages": "Tender@2025-09-31;Award@2026-01-05"}, "2025-09-01"),
        ({"source": "cf", "published": "2016-11-18"}, None),
        ({"source": "fts", "published": "2016-11-18"}, "2016-11-18"),
    ],
)
def test_the_day_of_the_call_is_that_of_its_first_release(tmp_path, cells, on):
    case = one("uk_notices", tmp_path, uk_notice() | cells)
    assert case.published == (date.fromisoformat(on) if on else UNDATED)


def test_an_outcome_without_its_day_counts_as_known_late(tmp_path):
    file = read("uk_notices", tmp_path, uk_notice(), uk_notice("ocds-h6vhtk-2", group="h", outcome_date=None))
    assert [case.known_on for case in file.cases] == [date(2026, 1, 5), date(2026, 1, 5)]
    assert "without its day" in file.problems[0].problem


def test_facts(tmp_path):
    tender = one("uk_notices", tmp_path, uk_notice()).as_of("draft").tender
    assert tender.value and (tender.value.amount, tender.value.currency) == (60000, "GBP")
    assert tender.classification and tender.classification.id == "77000000", "a CPV code cut short is filled up"
    assert tender.legal_basis and tender.legal_basis.id == "2023/54"
    assert tender.contract_period and tender.contract_period.duration_in_days == round(36 * 30.44)
    assert [lot.has_renewal for lot in tender.lots] == [True, True]
    assert tender.number_of_tenderers is None, "bids are not counted at draft"
    assert one("uk_notices", tmp_path, uk_notice()).as_of("bids_in").tender.number_of_tenderers == 3


def test_a_gross_value_is_gross_and_none_is_none(tmp_path):
    gross = one("uk_notices", tmp_path, uk_notice(value_basis="summary gross")).tender.tender.value
    assert gross and (gross.amount, gross.amount_gross) == (None, 60000)
    assert one("uk_notices", tmp_path, uk_notice(value_gbp=0.0)).tender.tender.value is None


@pytest.mark.parametrize("name", ["planning", "sme", "form", "last_release", "updates_before_outcome"])
def test_traces_of_the_page_and_of_the_end_are_no_facts(tmp_path, name):
    plain, marked = (one("uk_notices", tmp_path, uk_notice() | {name: value}) for value in (None, "7"))
    assert plain == marked


def test_a_row_that_cannot_be_read_is_named(tmp_path):
    file = read("uk_notices", tmp_path, uk_notice(outcome="lost"), uk_notice("ocds-h6vhtk-2"))
    assert [case.row for case in file.cases] == [1]
    assert file.problems[0].path == "row 1, column outcome"
    with pytest.raises(DataError, match="no column"):
        (tmp_path / "other.csv").write_text("a,b\n1,2\n")
        REGISTER.read(tmp_path / "other.csv")


def notice(ocid: str, tag: str, day: str, **more: object) -> dict[str, object]:
    """A release as an API gives it."""
    return {
        "ocid": ocid, "id": f"{ocid}-{tag}", "date": f"{day}T00:00:00Z", "tag": [tag], "buyer": {"name": "A Council"},
        "tender": {"title": "Grounds maintenance", "status": "active", "tenderPeriod": {"endDate": "2026-10-01"}},
        **more,
    }  # fmt: skip


def test_what_pull_brings_takes_the_place_of_the_table(tmp_path):
    ended = {"title": "Grounds maintenance", "status": "cancelled"}
    award = [{"id": "1", "status": "active", "date": "2026-11-20", "suppliers": [{"name": "B Ltd"}]}]
    failed = [
        notice("ocds-h6vhtk-1", "tender", "2026-09-01"),
        notice("ocds-h6vhtk-1", "tenderCancellation", "2026-11-02", tender=ended),
    ]
    twin = [
        notice("ocds-b5fd17-9", "tender", "2026-09-05"),
        notice("ocds-b5fd17-9", "tenderCancellation", "2026-11-02", tender=ended),
    ]
    let = [
        notice("ocds-h6vhtk-2", "tender", "2026-09-01", buyer={"name": "C Council"}),
        notice("ocds-h6vhtk-2", "award", "2026-11-20", buyer={"name": "C Council"}, awards=award),
    ]
    path = tmp_path / "uk_notices.jsonl"
    path.write_text("".join(json.dumps({"releases": releases}) + "\n" for releases in (failed, twin, let)))
    cases = REGISTER.read(path).cases
    assert [(case.tender.ocid, case.outcomes["no_award"]) for case in cases] == [
        ("ocds-h6vhtk-1", True), ("ocds-h6vhtk-2", False),
    ]  # fmt: skip
    assert [case.known_on for case in cases] == [date(2026, 11, 2), date(2026, 11, 20)]
    assert all(case.published == date(2026, 9, 1) and not case.cohort for case in cases)
    assert (cases[1].as_of("draft").awards, len(cases[1].as_of("awarded").awards)) == ((), 1)


needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the notices are not beside the project")


@needs_shared
def test_the_real_notices():
    history = REGISTER.read(SHARED)
    with SHARED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert history.rows == len(rows) == 1622
    assert {problem.problem for problem in history.problems} == {"an outcome without its day"}
    assert rates(history.cases) == Counter({False: 616, True: 13})
    assert sum(case.published == UNDATED for case in history.cases) > 500
    for case in history.cases:
        assert case.known_on is None or case.known_on >= case.published
        assert case.as_of("draft").tender.number_of_tenderers is None
    assert len({case.cluster_id for case in history.cases}) == len({row["group"] for row in rows})


def rates(cases: list[LabelledTender]) -> Counter[bool | None]:
    """The outcomes of blind rows that can be judged."""
    return Counter(case.outcomes["no_award"] for case in cases if not case.cohort and REGISTER.judged(case, "no_award"))
