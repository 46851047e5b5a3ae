"""The casebook as a history, in its own columns and in the researchers', which must say the same."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
import pytest

from tenders import casebook
from tenders.casebook import CasebookCase
from tenders.errors import DataError, UnreachableError
from tenders.facts import STAGES
from tenders.history import UNDATED
from tenders.registers import casebook_uk, find_register

RESEARCH = Path(__file__).parents[4] / "shared" / "casebook" / "casebook.csv"
HEADER = """
    case_id name buyer provider sector service year_advertised date_advertised date_eoi_deadline award_date start_date
    end_date_planned end_date_actual value_gbp value_note duration_years single_block lots bidders_count_final
    bidders_eoi procurement_route consortium_spv structure_changes structure_changes_count adviser
    outcomes_based_payment integrated_services_count staff_transferred prior_incumbents market_engagement
    legal_challenge vat_tax_issue_unresolved signoff_regulatory_hold outcome outcome_date outcome_reason loss_gbp
    loss_note source_title source_url confidence evidence remembered_fields label_fail censored notes cohort
    outcome_checked
""".split()  # noqa: SIM905
INVENTED = {
    "case_id": "INV1", "buyer": "Northfield Council", "provider": "Supplier Ltd", "sector": "a sector never seen",
    "service": "Bins", "year_advertised": "2014", "award_date": "2015-03", "outcome": "completed", "label_fail": "0",
    "outcome_date": "2018", "cohort": "somewhere", "outcome_checked": "y",
}  # fmt: skip


def written(folder: Path, *rows: dict[str, str]) -> Path:
    """Rows in the researchers' columns."""
    path = folder / "cases.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, HEADER, restval="")
        table.writeheader()
        table.writerows(rows)
    return path


def made(**cells: str) -> CasebookCase:
    return casebook_uk.case_of_research(dict.fromkeys(HEADER, "") | INVENTED | cells)


def test_our_own_file_is_read_whole():
    file = find_register("casebook_uk").read(casebook.CASES)
    assert len(file.cases) == file.rows == 491
    assert file.problems == []
    assert sum(case.cohort == casebook.PICKED for case in file.cases) == 128
    assert sum(case.published == UNDATED for case in file.cases) == 31


def test_outcomes_are_those_of_the_case():
    for past, case in zip(find_register("casebook_uk").read(casebook.CASES).cases, casebook.cases(), strict=True):
        assert past.outcomes["no_award"] == case.no_award
        assert past.outcomes["early_end"] == case.early_end
        assert past.outcomes["single_bid"] == case.single_bid
        assert past.outcomes["failure"] in (None, case.fail == "1")


def test_the_researchers_columns_are_read_by_their_header(tmp_path):
    (case,) = find_register("casebook_uk").read(written(tmp_path, INVENTED)).cases
    assert case.outcomes == {"no_award": False, "early_end": False, "single_bid": None, "failure": False}
    assert str(case.known_on) == "2018-12-31"
    assert str(case.published) == "2014-01-01"
    assert case.cluster_id == "somewhere|Northfield Council"
    assert case.kind == "completed"
    assert case.tender.tender.items == (), "a sector never seen has no CPV code"


@pytest.mark.parametrize(
    ("cells", "failure"),
    [
        ({"label_fail": "1", "outcome": "collapsed"}, True), ({"label_fail": ""}, None), ({"censored": "y"}, None),
        ({"censored": "y", "label_fail": "1", "outcome": "collapsed"}, True),
    ],
)  # fmt: skip
def test_failure_is_the_label_unless_it_is_open_or_too_recent(tmp_path, cells, failure):
    (case,) = find_register("casebook_uk").read(written(tmp_path, INVENTED | cells)).cases
    assert case.outcomes["failure"] is failure


def test_picked_cases_stand_alone(tmp_path):
    rows = [INVENTED | {"cohort": "picked", "case_id": name} for name in ("A", "B")]
    cases = find_register("casebook_uk").read(written(tmp_path, *rows)).cases
    assert [(case.cohort, case.cluster_id) for case in cases] == [("picked", "A"), ("picked", "B")]


@pytest.mark.parametrize(
    ("cells", "ours"),
    [
        ({"date_advertised": "2014-05-02"}, {"published": "2014-05-02"}),
        ({"single_block": "unknown"}, {"single_block": ""}),
        ({"staff_transferred": "y", "market_engagement": "n"}, {"staff_transfer": "yes", "market_engagement": "no"}),
        ({"procurement_route": "direct or most-capable provider"}, {"route": "direct"}),
        ({"procurement_route": "competition (framework)"}, {"route": "competition"}),
        ({"consortium_spv": "joint-venture company 60:40"}, {"vehicle": "joint_venture"}),
        ({"consortium_spv": "buying group of nine"}, {"vehicle": ""}),
        ({"prior_incumbents": "in-house; Firm Ltd"}, {"incumbent_kind": "mixed"}),
        ({"prior_incumbents": "none (new)"}, {"incumbent_kind": "none"}),
        ({"adviser": "One (buyer); Two (bidder)"}, {"advisers": "One"}),
        ({"value_note": "£3m a year"}, {"value_basis": "annual"}),
        ({"value_note": "computed: £3m a year x 5"}, {"value_basis": "computed"}),
        ({"value_note": "programme budget £1bn"}, {"value_basis": "programme"}),
        ({"signoff_regulatory_hold": "y"}, {"regulatory_hold": "yes", "hold_stage": "after"}),
        ({"remembered_fields": "outcome; award month"}, {"remembered": "yes"}),
    ],
)
def test_phrases_become_categories(cells, ours):
    case = made(**cells)
    assert {name: getattr(case, name) for name in ours} == ours


def test_a_row_that_cannot_be_read_is_named(tmp_path):
    file = find_register("casebook_uk").read(written(tmp_path, INVENTED | {"lots": "many"}, INVENTED))
    assert [case.row for case in file.cases] == [1]
    assert file.problems[0].path == "row 1"


def test_another_table_and_a_missing_one_are_refused(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no column"):
        find_register("casebook_uk").read(tmp_path / "other.csv")
    with pytest.raises(UnreachableError):
        find_register("casebook_uk").read(tmp_path / "none.csv")


needs_research = pytest.mark.skipif(not RESEARCH.exists(), reason="the researchers' table is not beside the project")
# What no phrase tells: when a hold or tax question came up, and whether remembered words are about the outcome.
UNTOLD = {"hold_stage", "vat_stage", "remembered"}


@needs_research
def test_the_rules_agree_with_what_people_decided():
    ours = {case.case_id: case for case in casebook.cases()}
    with RESEARCH.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["case_id"] for row in rows} == set(ours)
    for row in rows:
        theirs, case = msgspec.to_builtins(casebook_uk.case_of_research(row)), msgspec.to_builtins(ours[row["case_id"]])
        names = set(case) - UNTOLD - {"account", "service_group"}
        assert {name: theirs[name] for name in names} == {name: case[name] for name in names}


@needs_research
def test_both_files_give_the_same_history():
    pairs = list(
        zip(casebook_uk.read_casebook(RESEARCH).cases, casebook_uk.read_casebook(casebook.CASES).cases, strict=True)
    )
    for one, other in pairs:
        assert (one.published, one.known_on, one.outcomes, one.kind, one.cluster_id, one.cohort) == (
            other.published, other.known_on, other.outcomes, other.kind, other.cluster_id, other.cohort,
        )  # fmt: skip
    differ = {stage: sum(one.as_of(stage) != other.as_of(stage) for one, other in pairs) for stage in STAGES}
    assert differ == {"draft": 0, "bids_in": 7, "awarded": 12}, "holds and tax questions that people placed"
