"""An outcome is what published facts prove, lot by lot; whatever they do not prove is unknown."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenders.codelists import TENDER_ENDED_WITHOUT_AWARD
from tenders.ending_words import says_abandoned
from tenders.lot_outcomes import Outcome
from tenders.outcomes import outcome, outcomes, outcomes_of, relaunches
from tenders.process import Process
from tests import samples
from tests.samples import Json, award, contract, count, update

NOTICE = samples.draft()
PLAIN = samples.plain()


def _plain(**sections: Any) -> Outcome:
    """The outcome of a tender without lots, told by one compiled release of 2025."""
    tender = {**PLAIN["tender"], **sections.pop("tender", {})}
    return outcome(samples.process({**PLAIN, "date": "2025-12-01", "tag": ["compiled"], "tender": tender, **sections}))


def _lots(*statuses: str | None, **sections: Any) -> Process:
    """The two lots with these statuses in one compiled release."""
    tender = {**NOTICE["tender"], **sections.pop("tender", {})}
    tender["lots"] = [{**lot, "status": status} for lot, status in zip(NOTICE["tender"]["lots"], statuses, strict=True)]
    return samples.process({**NOTICE, "date": "2025-12-01", "tag": ["compiled"], "tender": tender, **sections})


def _labels(process: Process) -> list[bool | None]:
    return [ending.no_award for ending in outcomes(process)]


# --- no award: the traps


def test_trap_a_complete_tender_may_hold_a_cancelled_lot() -> None:
    process = _lots("complete", "cancelled", tender={"status": "complete"}, awards=[award(lots=["north"])])
    north, south = outcomes(process)
    assert (north.lot, north.no_award, north.kind) == ("north", False, None)
    assert (south.lot, south.no_award, south.kind) == ("south", True, "cancelled")
    assert south.path == "/tender/lots/1/status"
    assert outcome(process).no_award is False


def test_trap_a_cancelled_tender_may_hold_an_award_in_force() -> None:
    process = _lots(None, None, tender={"status": "cancelled"}, awards=[award(lots=["north"])])
    assert _labels(process) == [False, True]


def test_trap_silence_is_not_failure() -> None:
    assert outcome(samples.process(NOTICE)) == Outcome()
    assert outcomes(samples.process(NOTICE)) == [Outcome(lot="north"), Outcome(lot="south")]


@pytest.mark.parametrize("status", ["active", "planned", "planning", "complete", None])
def test_trap_a_status_that_tells_no_end_leaves_the_outcome_open(status: str | None) -> None:
    assert _plain(tender={"status": status}).no_award is None


def test_trap_an_award_that_names_no_lot_may_be_any_lots() -> None:
    assert _labels(_lots(None, None, awards=[award()])) == [None, None]
    assert _labels(_lots(None, "cancelled", awards=[award()])) == [None, None]


@pytest.mark.parametrize(
    "sections", [{"awards": [award(status="pending")]}, {"contracts": [contract(status="pending")]}]
)
def test_trap_a_pending_award_is_not_yet_one(sections: Json) -> None:
    assert _plain(**sections, tender={"status": "cancelled"}).no_award is None


def test_trap_a_procedure_cancelled_and_opened_again_goes_on() -> None:
    process = samples.process(
        PLAIN,
        update("2024-03-05T09:00:00Z", "tenderCancellation", 150, tender={"documents": [{"id": "x"}]}),
        update("2024-03-08T09:00:00Z", "tender", 160, tender={"title": "Community nursing"}),
    )
    assert outcome(process).no_award is None


# --- no award: what proves it


@pytest.mark.parametrize("status", sorted(TENDER_ENDED_WITHOUT_AWARD))
def test_a_status_that_tells_an_end_is_a_failed_procedure_of_its_kind(status: str) -> None:
    ending = _plain(tender={"status": status, "statusDetails": "No offer", "finalStatusDate": "2024-05-02"})
    assert (ending.no_award, ending.kind, ending.reason) == (True, status, "No offer")
    assert (ending.known_on, ending.path) == ("2024-05-02", "/tender/status")
    assert ending.early_end is None
    assert ending.failure is True


@pytest.mark.parametrize(
    ("documents", "kind"),
    [
        ([{"id": "u", "noticeType": "UK12", "datePublished": "2024-05-02"}], "discontinued"),
        ([{"id": "u", "documentType": "tenderCancellationNotice", "datePublished": "2024-05-02"}], "discontinued"),
        (
            [
                {"id": "u", "noticeType": "UK12", "datePublished": "2024-05-02"},
                {"id": "v", "noticeType": "UK4", "datePublished": "2024-05-20"},
            ],
            None,
        ),
    ],
)
def test_a_uk12_notice_ends_the_procurement_unless_a_new_one_follows(documents: list[Json], kind: str | None) -> None:
    ending = _plain(tender={"documents": documents})
    assert (ending.no_award, ending.kind) == (True if kind else None, kind)
    assert ending.known_on == ("2024-05-02" if kind else None)


def test_a_cancellation_is_known_since_the_release_that_told_it() -> None:
    process = samples.process(
        PLAIN,
        update("2024-05-02T09:00:00Z", "tenderCancellation", tender={"status": "cancelled"}),
        update("2024-09-01T09:00:00Z", "tenderUpdate", 300, tender={"status": "cancelled", "title": "Nursing"}),
    )
    ending = outcome(process)
    assert (ending.known_on, ending.path) == ("2024-05-02T09:00:00Z", "/releases/1/tender/status")


def test_an_unsuccessful_award_is_a_failed_lot_with_its_reason() -> None:
    failed = award("a2", ["south"], status="unsuccessful", suppliers=[], statusDetails="all-rej", date="2024-06-03")
    north, south = outcomes(_lots(None, None, awards=[award(lots=["north"]), failed]))
    assert (south.no_award, south.kind, south.reason) == (True, "unsuccessful", "all-rej")
    assert (south.known_on, south.path) == ("2024-06-03", "/awards/1/status")
    assert north.no_award is False


def test_an_unsuccessful_award_beside_one_in_force_is_no_failure() -> None:
    tried = award("a0", status="unsuccessful", suppliers=[])
    assert _plain(awards=[tried, award()]).no_award is False


@pytest.mark.parametrize(("status", "no_award"), [("complete", True), ("cancelled", True), ("active", None)])
def test_a_cancelled_award_ends_the_lot_only_if_the_procedure_has_ended(status: str, no_award: bool | None) -> None:
    ending = _plain(awards=[award(status="cancelled")], tender={"status": status})
    assert (ending.no_award, ending.kind) == (no_award, "cancelled" if no_award else None)


@pytest.mark.parametrize(("status", "no_award"), [("complete", True), (None, None)])
def test_a_contract_cancelled_before_signature_leaves_no_award_in_force(status: str, no_award: bool | None) -> None:
    ending = _plain(awards=[award()], contracts=[contract(status="cancelled")], tender={"status": status})
    assert (ending.no_award, ending.early_end) == (no_award, None)


@pytest.mark.parametrize(
    ("sections", "path"),
    [
        ({"awards": [award()]}, "/awards/0"),
        ({"awards": [award(status=None)]}, "/awards/0"),
        ({"contracts": [contract()]}, "/contracts/0"),
    ],
)
def test_an_award_or_contract_in_force_is_a_procedure_that_succeeded(sections: Json, path: str) -> None:
    ending = _plain(**sections)
    assert (ending.no_award, ending.path) == (False, path)
    assert ending.failure is None


def test_an_award_is_known_since_the_release_that_told_it() -> None:
    process = samples.process(PLAIN, update("2024-06-20T09:00:00Z", "award", awards=[award()]))
    assert outcome(process).award_known_on == "2024-06-20T09:00:00Z"
    assert _plain(awards=[award()]).award_known_on == "2024-06-01"


def test_a_lot_awarded_by_contract_alone_is_awarded() -> None:
    process = _lots(None, "unsuccessful", contracts=[{**contract(), "awardID": None, "relatedLots": ["north"]}])
    assert _labels(process) == [False, True]


@pytest.mark.parametrize(
    ("statuses", "awards", "no_award"),
    [
        (("cancelled", "unsuccessful"), [], True),
        (("cancelled", None), [], None),
        (("cancelled", "complete"), [award(lots=["south"])], False),
        ((None, None), [award(lots=["south"])], False),
        ((None, None), [award()], False),
    ],
)
def test_a_tender_fails_only_if_every_lot_did(
    statuses: tuple[str | None, str | None], awards: list[Json], no_award: bool | None
) -> None:
    assert outcome(_lots(*statuses, awards=awards)).no_award is no_award


# --- no award: prose


@pytest.mark.parametrize(
    "text",
    [
        "The procurement has been abandoned in line with regulation 15.",
        "On 14 May 2025 the ICB decided to abandon this procurement. A new one may follow.",
        "Notice of abandonment of the provider selection process",
        "As no compliant offer was received, the competition was abandoned",
        "The authority hereby abandons nothing. The process is abandoned.",
    ],
)
def test_a_sentence_that_the_procedure_was_abandoned_counts(text: str) -> None:
    assert says_abandoned(text)


@pytest.mark.parametrize(
    "text",
    [
        "The authority reserves the right to abandon the procurement at any time",
        "The authority may abandon this procedure",
        "If no offer is received the process is abandoned",
        "The procurement has not been abandoned",
        "The previous procurement was abandoned in 2022",
        "A procurement of the removal of abandoned vehicles has been published",
        "The process has kept call abandonment below 5 %",
        "The procurement was awarded. Abandoned sites are listed in annex 2.",
        "",
    ],
)
def test_a_sentence_on_anything_else_abandoned_does_not(text: str) -> None:
    assert not says_abandoned(text)


@pytest.mark.parametrize(
    ("sections", "path"),
    [
        ({"tender": {"statusDetails": "The process was abandoned"}}, "/tender/statusDetails"),
        (
            {"tender": {"documents": [{"id": "d", "description": "This procurement has been abandoned"}]}},
            "/tender/documents/0/description",
        ),
        (
            {"tender": {"amendments": [{"id": "m", "rationale": "The tender was abandoned"}]}},
            "/tender/amendments/0/rationale",
        ),
        (
            {"awards": [{"id": "a", "status": "cancelled", "statusDetails": "The award process was abandoned"}]},
            "/awards/0/statusDetails",
        ),
    ],
)
def test_a_provider_selection_may_be_abandoned_in_prose_alone(sections: Json, path: str) -> None:
    ending = _plain(**sections)
    assert (ending.no_award, ending.kind, ending.path) == (True, "discontinued", path)


def test_prose_does_not_outweigh_an_award_in_force() -> None:
    assert _plain(awards=[award()], tender={"statusDetails": "The process was abandoned"}).no_award is False


# --- no award: corrections


WITHDRAWN: Json = {"status": "withdrawn", "finalStatusDate": "2024-03-03"}


def _published(date: str, title: str = "Community nursing", number: int = 1, **tender: Any) -> Process:
    release = samples.plain(title=title, datePublished=date, **tender)
    return samples.process({**release, "ocid": f"ocds-{number}", "date": date})


def test_trap_withdrawn_within_days_and_published_again_is_re_issued_and_no_label() -> None:
    first, second = _published("2024-03-01", **WITHDRAWN), _published("2024-03-06", number=2)
    endings = outcomes_of([first, second])
    assert (endings[0].no_award, endings[0].kind, endings[0].failure) == (None, "re_issued", None)
    assert endings[1] == Outcome()
    assert outcome(first).kind == "withdrawn"


def test_a_procedure_that_failed_and_is_tried_again_has_failed() -> None:
    failed: Json = {"status": "cancelled", "finalStatusDate": "2024-06-20"}
    first, second = _published("2024-03-01", **failed), _published("2024-08-01", "Community nursing re-tender", 2)
    endings = outcomes_of([first, second])
    assert (endings[0].no_award, endings[0].kind) == (True, "cancelled")
    assert [(r.first, r.second, r.days) for r in relaunches([first, second])] == [(0, 1, 42)]


def test_an_unsuccessful_procedure_is_never_a_correction() -> None:
    process = _published("2024-03-01", status="unsuccessful", finalStatusDate="2024-03-05", statusDetails="in error")
    assert outcome(process, "2024-03-06").no_award is True


@pytest.mark.parametrize(
    "words",
    [
        "Notice published in error",
        "This is a duplicate notice",
        "Cancelled due to an administrative error",
        "Re-issued as 000123-2024",
        "Test notice only",
    ],
)
def test_words_that_call_it_a_correction_are_believed(words: str) -> None:
    ending = _plain(tender={"status": "cancelled", "statusDetails": words})
    assert (ending.no_award, ending.kind, ending.reason) == (None, "re_issued", words)


@pytest.mark.parametrize(
    ("date", "title", "buyer", "linked"),
    [
        ("2024-04-01", "Community nursing", None, True),
        ("2024-04-01", "Community Nursing (re-issue)", None, True),
        ("2024-02-28", "Community nursing", None, False),
        ("2024-03-02", "Community nursing", None, True),
        ("2025-03-01", "Community nursing", None, False),
        ("2024-04-01", "Community nursing lot 2", None, False),
        ("2024-04-01", "Estates maintenance", None, False),
        ("2024-04-01", "Community nursing", "Other Council", False),
    ],
)
def test_a_relaunch_is_the_same_buyer_a_near_equal_title_and_weeks_apart(
    date: str, title: str, buyer: str | None, linked: bool
) -> None:
    second = samples.plain(title=title, datePublished=date)
    second = {**second, "ocid": "ocds-2", "buyer": {"name": buyer} if buyer else second["buyer"]}
    assert bool(relaunches([_published("2024-03-01", **WITHDRAWN), samples.process(second)])) is linked


def test_each_first_is_linked_to_its_earliest_relaunch() -> None:
    given = [
        _published("2024-05-01", number=3),
        _published("2024-03-01", **WITHDRAWN),
        _published("2024-04-01", number=2),
    ]
    assert [(r.first, r.second, r.on) for r in relaunches(given)] == [(1, 2, "2024-04-01")]


# --- early end


def _ended(**fields: Any) -> Outcome:
    return _plain(awards=[award()], contracts=[contract(**fields)], date="2028-06-01")


BREACH = [{"id": "breach", "description": "Breach by the supplier"}]
DONE = [{"scheme": "UK", "id": "contractCompleted"}]


@pytest.mark.parametrize(
    ("fields", "early"),
    [
        ({}, None),
        ({"status": "terminated", "dateTerminated": "2025-01-10"}, True),
        ({"dateTerminated": "2025-01-10"}, True),
        ({"status": "terminated", "dateTerminated": "2027-08-31"}, False),
        ({"status": "terminated", "dateTerminated": "2028-02-01"}, False),
        ({"status": "terminated", "dateTerminated": "2027-08-30T23:00:00Z"}, False),
        ({"status": "terminated", "dateTerminated": "2027-08-29"}, True),
        (
            {"status": "terminated", "dateTerminated": "2028-02-01", "terminationRationaleClassifications": BREACH},
            False,
        ),
        ({"status": "terminated", "dateTerminated": "2025-01-10", "terminationRationaleClassifications": DONE}, False),
        (
            {"status": "terminated", "dateTerminated": "2025-01-10", "terminationRationaleClassification": DONE[0]},
            False,
        ),
        ({"status": "terminated", "terminationRationaleClassifications": [*DONE, *BREACH]}, True),
        (
            {"status": "terminated", "dateTerminated": "2025-01-10", "terminationRationale": "All work is completed"},
            False,
        ),
        (
            {"status": "terminated", "dateTerminated": "2025-01-10", "terminationRationale": "Work was not completed"},
            True,
        ),
        ({"status": "terminated", "period": {"startDate": "2024-09-01"}, "dateTerminated": "2027-08"}, False),
        ({"status": "pending"}, None),
        ({"amendments": [{"id": "m", "date": "2025-01-01", "description": "Price"}]}, None),
    ],
)
def test_a_contract_ended_early_if_it_ended_before_its_planned_end(fields: Json, early: bool | None) -> None:
    ending = _ended(**fields)
    assert ending.early_end is early
    assert ending.no_award is False
    assert ending.kind == ("terminated" if early else None)


def test_trap_uk11_also_reports_normal_completion() -> None:
    notice = [{"id": "u", "noticeType": "UK11", "datePublished": "2026-01-05"}]
    done = _ended(status="terminated", documents=notice, terminationRationaleClassifications=DONE)
    assert (done.early_end, done.kind, done.reason, done.failure) == (False, None, "contractCompleted", False)
    breach = _ended(status="terminated", documents=notice, terminationRationaleClassifications=BREACH)
    assert (breach.early_end, breach.reason, breach.failure) == (True, "Breach by the supplier", True)
    assert (breach.known_on, breach.award_known_on) == ("2026-01-05", "2024-06-01")


def test_trap_terminated_without_any_date_may_be_either() -> None:
    unplanned: Json = {"status": "terminated", "period": None, "awardID": None}
    tender = {"contractPeriod": None}
    assert _plain(contracts=[contract(**unplanned)], tender=tender).early_end is None
    grounds = contract(**unplanned, terminationRationaleClassifications=BREACH)
    assert _plain(contracts=[grounds], tender=tender).early_end is True


def test_trap_silence_after_the_planned_end_is_neither_end() -> None:
    over: Json = {"period": {"startDate": "2020-01-01", "endDate": "2021-01-01"}}
    assert _ended(**over).early_end is None


def test_trap_an_end_date_moved_to_the_day_of_the_termination_does_not_hide_it() -> None:
    moved = contract(status="terminated", dateTerminated="2025-01-10", period={"endDate": "2025-01-10"})
    process = samples.process(
        PLAIN,
        update("2024-06-01T09:00:00Z", "award", 200, awards=[award()]),
        update("2024-07-01T09:00:00Z", "contract", 300, contracts=[contract()]),
        update("2025-01-12T09:00:00Z", "contractTermination", 400, contracts=[moved]),
    )
    ending = outcome(process)
    assert (ending.early_end, ending.known_on) == (True, "2025-01-12T09:00:00Z")
    assert ending.path == "/releases/3/contracts/0/dateTerminated"


@pytest.mark.parametrize(("tag", "warned"), [("contractTermination", True), ("contractAmendment", False)])
def test_a_tag_says_that_a_contract_is_over_and_not_that_it_ended_early(tag: str, warned: bool) -> None:
    process = samples.process(
        PLAIN,
        update("2024-07-01T09:00:00Z", "contract", 300, awards=[award()], contracts=[contract()]),
        update("2025-01-12T09:00:00Z", tag, 400, contracts=[{"id": "c1", "title": "x"}]),
    )
    ending = outcome(process)
    assert (ending.early_end, bool(ending.warnings)) == (None, warned)


def test_without_award_there_is_no_contract_to_end_early() -> None:
    ending = _plain(
        tender={"status": "cancelled"}, contracts=[contract(status="cancelled", dateTerminated="2025-01-01")]
    )
    assert (ending.no_award, ending.early_end) == (True, None)


@pytest.mark.parametrize(
    ("north", "south", "early"),
    [
        ({"dateTerminated": "2025-01-10"}, {}, True),
        ({"dateTerminated": "2027-08-31"}, {}, None),
        ({"dateTerminated": "2027-08-31"}, {"dateTerminated": "2027-08-31"}, False),
        ({}, {}, None),
    ],
)
def test_a_tender_ended_early_if_one_contract_did_and_not_if_none_did(
    north: Json, south: Json, early: bool | None
) -> None:
    process = _lots(
        None,
        None,
        awards=[award("a1", ["north"]), award("a2", ["south"])],
        contracts=[contract("c1", "a1", **north), contract("c2", "a2", **south)],
        date="2028-06-01",
    )
    assert outcome(process).early_end is early


# --- single bid


@pytest.mark.parametrize(
    ("statistics", "single"),
    [
        ([count(1)], True),
        ([count(4)], False),
        ([count(0)], None),
        ([], None),
        ([count(1), count(3)], None),
        ([count(1), count(1)], True),
        ([count(1, measure="validBids"), count(3)], False),
        ([count(1, measure="validBids")], True),
        ([count(1, measure="finalStageBids")], None),
        ([count(1, measure="smeBids")], None),
        ([count(1.5)], None),
        ([count(-1)], None),
    ],
)
def test_a_single_bid_is_a_count_of_one_by_the_best_measure(statistics: list[Json], single: bool | None) -> None:
    assert _plain(bids={"statistics": statistics}).single_bid is single


@pytest.mark.parametrize(("tenderers", "single"), [(1, True), (2, False), (0, None), (None, None)])
def test_the_number_of_tenderers_stands_in_for_a_missing_count(tenderers: int | None, single: bool | None) -> None:
    assert _plain(tender={"numberOfTenderers": tenderers}).single_bid is single
    assert _plain(tender={"numberOfTenderers": tenderers}, bids={"statistics": [count(5)]}).single_bid is False


def test_trap_contradicting_counts_of_a_lot_are_no_count() -> None:
    process = _lots(None, None, bids={"statistics": [count(1, "north"), count(2, "north"), count(1, "south")]})
    assert [ending.single_bid for ending in outcomes(process)] == [None, True]


def test_the_count_of_the_whole_is_not_that_of_a_lot() -> None:
    process = _lots(None, None, bids={"statistics": [count(1)]})
    assert [ending.single_bid for ending in outcomes(process)] == [None, None]
    assert outcome(process).single_bid is True


@pytest.mark.parametrize(("north", "south", "single"), [(1, 1, True), (1, 2, False), (2, None, False), (1, None, None)])
def test_a_tender_had_one_bid_if_every_lot_had(north: int, south: int | None, single: bool | None) -> None:
    statistics = [count(value, lot) for value, lot in ((north, "north"), (south, "south")) if value is not None]
    assert outcome(_lots(None, None, bids={"statistics": statistics})).single_bid is single


def test_trap_no_bid_at_all_is_a_definition_and_says_so() -> None:
    ending = _plain(bids={"statistics": [count(0)]}, tender={"status": "unsuccessful"})
    assert (ending.no_award, ending.kind, ending.deserted, ending.single_bid) == (True, "unsuccessful", True, None)


def test_no_bid_after_the_deadline_ends_the_procedure_even_in_silence_and_before_it_nothing() -> None:
    counted = {"bids": {"statistics": [count(0)]}}
    after = outcome(samples.process({**PLAIN, **counted, "date": "2024-06-01"}))
    assert (after.no_award, after.deserted, after.known_on) == (True, True, "2024-06-01")
    assert outcome(samples.process({**PLAIN, **counted, "date": "2024-03-10"})) == Outcome()


# --- laws


EVENTS: list[Json] = [
    update("2024-04-01T09:00:00Z", "tenderUpdate", 200, tender={"lots": [{"id": "south", "status": "cancelled"}]}),
    update(
        "2024-06-01T09:00:00Z", "award", 300, awards=[award(lots=["north"])], bids={"statistics": [count(1, "north")]}
    ),
    update("2024-07-01T09:00:00Z", "contract", 400, contracts=[contract()]),
    update("2025-01-01T09:00:00Z", "contractTermination", 500, contracts=[contract(dateTerminated="2024-12-01")]),
]


def test_the_order_of_releases_changes_no_outcome() -> None:
    endings = {
        (ending.no_award, ending.early_end, ending.single_bid, ending.kind, ending.known_on, ending.lot)
        for order in itertools.permutations([NOTICE, *EVENTS])
        for ending in outcomes(samples.process(*order))
    }
    assert endings == {
        (False, True, True, "terminated", "2025-01-01T09:00:00Z", "north"),
        (True, None, None, "cancelled", "2024-04-01T09:00:00Z", "south"),
    }


@given(st.permutations(["north", "south"]), st.lists(st.sampled_from(["cancelled", None]), min_size=2, max_size=2))
def test_the_order_of_lots_changes_no_outcome(order: list[str], statuses: list[str | None]) -> None:
    lots = dict(zip(["north", "south"], statuses, strict=True))
    tender = {**NOTICE["tender"], "lots": [{"id": lot, "status": lots[lot]} for lot in order]}
    by_lot = {ending.lot: ending.no_award for ending in outcomes(samples.process({**NOTICE, "tender": tender}))}
    assert by_lot == {lot: True if status else None for lot, status in lots.items()}


@pytest.mark.parametrize("number", range(len(EVENTS) + 1))
def test_a_label_once_known_does_not_change_with_later_releases_but_by_an_end(number: int) -> None:
    north, south = outcomes(samples.process(NOTICE, *EVENTS[:number]))
    assert north.no_award is (False if number >= 2 else None)
    assert north.early_end is (True if number >= 4 else None)
    assert south.no_award is (True if number >= 1 else None)
