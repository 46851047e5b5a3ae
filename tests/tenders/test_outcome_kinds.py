"""Kinds of endings that real notices state, each read for what it says: the shared cases, their variants, and laws."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenders.codelists import NOTICE_DOCUMENTS, UK_NOTICES
from tenders.contract_ends import RATINGS
from tenders.endings import meaning
from tenders.io.read import read_file
from tenders.lot_outcomes import Outcome
from tenders.outcomes import TenderOutcome, outcome, outcomes, tender_outcomes
from tenders.tender import Document
from tests import samples
from tests.samples import Json, award, contract, update

CASES = Path(__file__).parents[3] / "shared" / "cases"
NOTICE, PLAIN = samples.draft(), samples.plain()


def shared(name: str) -> TenderOutcome:
    """The outcome of one of the shared cases; the test is skipped where they are not at hand."""
    file = CASES / f"{name}.json"
    if not file.exists():
        pytest.skip(f"{file.name} is not here")
    (ending,) = tender_outcomes(read_file(file))
    return ending


def described(*releases: Json) -> TenderOutcome:
    """The outcome of the process of these releases, as the command prints it."""
    (ending,) = tender_outcomes([samples.process(*releases)])
    return ending


def old(**tender: Any) -> Json:
    """A British tender notice before the Procurement Act: none of the Act's notices."""
    return {**samples.draft(), "planning": None, "tender": {**NOTICE["tender"], "documents": [], **tender}}


def let(**sections: Any) -> Json:
    """One compiled release of 2030 with an award and a contract of 2024 to 2027; `ended` are fields of the contract."""
    ended = sections.pop("ended", {})
    base = {**PLAIN, "date": "2030-01-01", "tag": ["compiled"], "awards": [award()], "contracts": [contract(**ended)]}
    return {**base, **sections}


# --- an end without a ground or a credible day


@pytest.mark.parametrize("case", ["terminated_is_not_early", "end_said_before_start"])
def test_a_shared_contract_that_is_only_said_to_be_over_has_no_early_end(case: str) -> None:
    ending = shared(case)
    assert (ending.no_award, ending.early_end, ending.kind) == (False, None, "awarded")
    assert any("/contracts/0/status" in warning for warning in ending.warnings)


OVER: list[Json] = [
    {"status": "terminated"},
    {"documents": [{"id": "u", "noticeType": "UK11", "datePublished": "2025-01-05"}]},
    {"documents": [{"id": "u", "documentType": "contractTerminationNotice"}], "status": "terminated"},
    {"status": "terminated", "terminationRationaleClassifications": [{"id": "other", "description": "Other"}]},
    {"status": "terminated", "terminationRationale": "The contract has ended"},
]


@pytest.mark.parametrize("fields", OVER)
@pytest.mark.parametrize("written", ["2024-07-15", "2025-01-05", "2027-09-15", "2030-01-01"])
def test_that_a_contract_is_over_does_not_say_that_it_ended_early(fields: Json, written: str) -> None:
    ending = described(let(ended=fields, date=written))
    assert ending.early_end is None
    assert ending.warnings


@given(st.dates(date(2020, 1, 1), date(2032, 12, 31)), st.dates(date(2024, 7, 2), date(2031, 1, 1)))
def test_a_day_of_the_end_counts_only_between_the_beginning_and_the_release_that_states_it(
    day: date, written: date
) -> None:
    ending = described(let(ended={"status": "terminated", "dateTerminated": day.isoformat()}, date=written.isoformat()))
    if date(2024, 7, 1) <= day <= written + timedelta(1):
        assert ending.early_end is (day < date(2027, 8, 30))
    else:
        assert ending.early_end is None and ending.warnings


@pytest.mark.parametrize("day", ["1900-01-01", "1970-01-01", "1970-01-01T00:00:00Z", "2070-12-31", "2099-12-31"])
@pytest.mark.parametrize("field", ["dateTerminated", "endDate"])
def test_a_default_is_no_day_of_an_end(day: str, field: str) -> None:
    where = {"implementation": {"endDate": day}} if field == "endDate" else {field: day}
    ending = described(let(ended={"status": "terminated", **where}))
    assert ending.early_end is None
    assert any("default" in warning for warning in ending.warnings)


@pytest.mark.parametrize("planned", ["1970-01-01", "2099-12-31", "2024-01-01"])
def test_a_planned_end_that_is_a_default_or_before_the_start_plans_nothing(planned: str) -> None:
    period = {"startDate": "2024-09-01", "endDate": planned}
    tender = {**PLAIN["tender"], "contractPeriod": None}
    ended = {"status": "terminated", "dateTerminated": "2025-01-10", "period": period}
    assert described(let(ended=ended, tender=tender)).early_end is None


@pytest.mark.parametrize(
    ("fields", "early"),
    [
        ({"terminationRationaleClassifications": [{"id": "breach"}]}, True),
        ({"terminationRationaleClassifications": [{"id": "mutualAgreement", "description": "By agreement"}]}, True),
        ({"terminationRationaleClassification": {"id": "insolvency", "description": "Insolvency"}}, True),
        ({"terminationRationale": "The supplier went into administration"}, True),
        ({"statusDetails": "Terminated for convenience"}, True),
        ({"terminationRationaleClassifications": [{"id": "discharge", "description": "Discharge"}]}, False),
        ({"terminationRationaleClassifications": [{"id": "expiry"}]}, False),
        (
            {"terminationRationaleClassifications": [{"id": "other", "description": "The contract was completed"}]},
            False,
        ),
        ({"terminationRationale": "The contract came to its natural end"}, False),
        ({"finalStatus": "incomplete", "status": None}, True),
        ({"finalStatus": "complete", "status": None}, False),
    ],
)
def test_a_ground_says_it_without_any_day(fields: Json, early: bool) -> None:
    ending = described(let(ended={"status": "terminated", **fields}))
    assert ending.early_end is early
    assert ending.reason
    assert ending.kind == ("terminated" if early else "awarded")


def test_completion_is_not_believed_before_the_start() -> None:
    done = [{"id": "contractCompleted"}]
    ending = described(
        let(ended={"status": "terminated", "terminationRationaleClassifications": done}, date="2024-08-01")
    )
    assert ending.early_end is None


def test_the_shared_uk11_ended_in_implementation_is_an_early_end() -> None:
    ending = shared("uk11_ended_in_implementation")
    assert (ending.early_end, ending.kind) == (True, "terminated")
    assert ending.path == "/releases/1/contracts/0/implementation/endDate"
    assert ending.reason and "2026-01-15" in ending.reason and "breach" in ending.reason


@given(st.dates(date(2024, 7, 2), date(2029, 12, 31)), st.booleans(), st.booleans())
def test_the_day_may_stand_in_the_contract_or_its_implementation(day: date, inside: bool, notice: bool) -> None:
    fields: Json = {"implementation": {"endDate": day.isoformat()}} if inside else {"dateTerminated": day.isoformat()}
    if notice:
        fields["documents"] = [{"id": "u", "noticeType": "UK11", "datePublished": "2029-12-31"}]
    ending = described(let(ended=fields))
    assert ending.early_end is (day < date(2027, 8, 30))
    assert ending.path and ending.path.endswith("endDate" if inside else "dateTerminated")


@pytest.mark.parametrize("odd", [None, 7, "soon", {"endDate": 5}, [], {"endDate": "2026-99-99"}, {"metrics": "none"}])
def test_odd_values_of_an_implementation_cost_no_label(odd: Any) -> None:
    implementation = odd if isinstance(odd, dict) else {"endDate": odd}
    ending = described(let(ended={"implementation": implementation}))
    assert (ending.no_award, ending.early_end, ending.performance) == (False, None, None)


# --- an award that names one bidder


def failed(**fields: Any) -> Json:
    return {"id": "a1", "status": "unsuccessful", "date": "2024-06-01", **fields}


def test_the_shared_bidder_that_was_disqualified_while_the_lot_is_open_ends_nothing() -> None:
    ending = shared("disqualified_bidder_while_open")
    assert (ending.no_award, ending.kind) == (None, None)
    assert any("/awards/0/status" in warning for warning in ending.warnings)


@given(
    bidder=st.sampled_from(
        [{"suppliers": [{"id": "s", "name": "S"}]}, {"relatedBid": "b1"}, {"relatedBids": ["b1"]}, {}]
    ),
    status=st.sampled_from(["active", "planned", None, "complete", "cancelled", "unsuccessful"]),
    word=st.sampled_from(["unsuccessful", "cancelled"]),
    final=st.booleans(),
)
def test_an_award_that_names_a_bidder_ends_the_lot_only_if_that_has_ended(
    bidder: Json, status: str | None, word: str, final: bool
) -> None:
    stated = {"finalStatus": word, "status": None} if final else {"status": word}
    ending = described(
        {**PLAIN, "tender": {**PLAIN["tender"], "status": status}, "awards": [failed(**bidder, **stated)]}
    )
    ended = status in ("complete", "cancelled", "unsuccessful")
    nobody = not bidder and word == "unsuccessful"
    assert ending.no_award is (True if ended or nobody else None)


# --- awards that are not yet any


def test_the_shared_pending_award_is_not_yet_one() -> None:
    ending = shared("pending_award_is_no_award_yet")
    assert (ending.no_award, ending.kind) == (None, None)
    assert ending.warnings == ("/releases/0/awards/0/status: the award is pending",)


@pytest.mark.parametrize("until", ["2024-06-20", "2024-06-12T23:59:59Z"])
def test_an_award_in_standstill_is_not_yet_one_and_a_contract_ends_the_standstill(until: str) -> None:
    standing = award(standstillPeriod={"endDate": until})
    release = {**PLAIN, "date": "2024-06-05", "awards": [standing]}
    assert described(release).no_award is None
    assert described({**release, "contracts": [contract()]}).no_award is False
    assert described({**release, "date": "2024-07-05"}).no_award is False


def test_a_pending_award_that_is_called_off_later_is_none() -> None:
    pending = update("2025-05-01T09:00:00Z", "award", 200, awards=[award(status="pending")])
    over = update(
        "2025-05-20T09:00:00Z", "tenderCancellation", 300, tender={"documents": [{"id": "x", "noticeType": "UK12"}]}
    )
    assert outcome(samples.process(PLAIN, pending)).no_award is None
    assert outcome(samples.process(PLAIN, pending, over)).no_award is True


@pytest.mark.parametrize(
    ("changes", "no_award"),
    [
        ({}, None),
        ({"contracts": [contract()]}, False),
        ({"tender": {"procurementMethod": "direct"}}, False),
        ({"tender": {"techniques": {"hasFrameworkAgreement": True}}}, False),
        ({"tender": {"tenderPeriod": {"endDate": "1970-01-01"}}}, False),
    ],
)
def test_an_award_before_bids_were_due_is_a_stray(changes: Json, no_award: bool | None) -> None:
    tender = {**PLAIN["tender"], **changes.pop("tender", {})}
    ending = described(
        {**PLAIN, "date": "2024-04-01", "awards": [award(date="2024-03-20")], "tender": tender, **changes}
    )
    assert ending.no_award is no_award


# --- prose


ABANDONED = "The relevant authority has decided to abandon this provider selection process."


def test_the_shared_psr_notice_was_abandoned_in_its_description() -> None:
    ending = shared("psr_abandoned_in_description")
    assert (ending.no_award, ending.kind, ending.path) == (True, "discontinued", "/tender/description")


@given(
    place=st.sampled_from(
        [
            "/description",
            "/tender/description",
            "/tender/title",
            "/tender/procurementMethodRationale",
            "/tender/lots/0/description",
            "/tender/statusDetails",
            "/awards/0/description",
            "/awards/0/title",
            "/awards/0/statusDetails",
        ]
    ),
    before=st.sampled_from(["", "This is a Provider Selection Regime notice.\n", "Urgent care for 60,000 people. "]),
    words=st.sampled_from(
        [
            ABANDONED,
            "This procurement has been discontinued.",
            "The ICB has decided not to award a contract.",
            "Notice of abandonment of this competition",
            "This tender process has now been cancelled",
        ]
    ),
    later=st.booleans(),
)
def test_abandonment_may_stand_in_any_prose(place: str, before: str, words: str, later: bool) -> None:
    steps = place.strip("/").split("/")
    release: Json = {"ocid": samples.OCID, "id": "900-2024", "date": "2024-09-01", "tag": ["award", "contract"]}
    tender: Json = {"id": "t1", "title": "Urgent care", "lots": [{"id": "north", "status": "complete"}]}
    release["tender"] = tender
    if steps[0] == "awards":
        release["awards"] = [{"id": "a1", "status": "pending", steps[-1]: before + words}]
    else:
        target: Any = release
        for step in steps[:-1]:
            target = target[int(step) if step.isdigit() else step]
        target[steps[-1]] = before + words
    ending = described(PLAIN, release) if later else described(release)
    assert (ending.no_award, ending.kind) == (True, "discontinued")
    assert ending.path and ending.path.endswith(place)


@pytest.mark.parametrize(
    "text",
    [
        "The council may abandon this procurement.",
        "A previous procurement was abandoned in 2023.",
        "The procurement was abandoned in 2022 and is called again.",
        "If no bid is received no contract will be awarded.",
        "The authority reserves the right to cancel this procurement at any time.",
        "Removal of abandoned vehicles. The process is described in annex A.",
        "The contract may be terminated.",
    ],
)
def test_the_notice_that_opens_a_procedure_speaks_of_others(text: str) -> None:
    tender = {**PLAIN["tender"], "description": text}
    assert described({**PLAIN, "tender": tender}).no_award is None


@pytest.mark.parametrize(("title", "ended"), [("CANCELLED - Road works", True), ("Abandoned vehicle removal", False)])
def test_a_title_may_be_marked(title: str, ended: bool) -> None:
    assert described({**PLAIN, "tag": ["tenderUpdate"], "tender": {**PLAIN["tender"], "title": title}}).no_award is (
        ended or None
    )


# --- final statuses of OCDS 1.2


def test_the_shared_final_status_is_no_award() -> None:
    ending = shared("final_status_1_2")
    assert (ending.no_award, ending.kind, ending.known_on) == (True, "cancelled", "2026-05-01")
    assert ending.path == "/tender/finalStatus"


@pytest.mark.parametrize(
    ("sections", "no_award", "early"),
    [
        ({"tender": {"finalStatus": "unsuccessful"}}, True, None),
        ({"tender": {"finalStatus": "complete"}}, None, None),
        ({"awards": [{"id": "a1", "finalStatus": "complete", "suppliers": [{"id": "s"}]}]}, False, None),
        ({"awards": [{"id": "a1", "finalStatus": "unsuccessful"}]}, True, None),
        ({"tender": {"finalStatus": "complete"}, "awards": [{"id": "a1", "finalStatus": "cancelled"}]}, True, None),
        ({"contracts": [{"id": "c1", "finalStatus": "incomplete", "dateSigned": "2024-07-01"}]}, False, True),
        ({"contracts": [{"id": "c1", "finalStatus": "complete", "dateSigned": "2024-07-01"}]}, False, False),
        (
            {"awards": [award()], "contracts": [{"id": "c1", "awardID": "a1", "finalStatus": "unsuccessful"}]},
            None,
            None,
        ),
    ],
)
def test_final_statuses_are_read_wherever_they_stand(sections: Json, no_award: bool | None, early: bool | None) -> None:
    tender = {**PLAIN["tender"], **sections.pop("tender", {})}
    ending = described({**PLAIN, "date": "2030-01-01", "tag": ["compiled"], "tender": tender, **sections})
    assert (ending.no_award, ending.early_end) == (no_award, early)


def test_a_lot_may_have_a_final_status() -> None:
    lots = [{"id": "north", "finalStatus": "unsuccessful"}, {"id": "south", "status": "active"}]
    north, south = outcomes(samples.process({**NOTICE, "tender": {**NOTICE["tender"], "lots": lots}}))
    assert (north.no_award, north.path, south.no_award) == (True, "/tender/lots/0/finalStatus", None)


# --- called off, and awarded after all, or before


def test_the_shared_tender_that_was_already_cancelled_has_no_award() -> None:
    ending = shared("already_cancelled")
    assert (ending.no_award, ending.kind, ending.known_on) == (True, "cancelled", "2026-04-10T10:00:00Z")


CALLED_OFF: list[Json] = [
    {"tag": ["tenderCancellation"], "tender": {"status": "cancelled"}},
    {"tag": ["tenderUpdate"], "tender": {"documents": [{"id": "z", "noticeType": "UK12"}]}},
    {"tag": ["tenderUpdate"], "tender": {"finalStatus": "cancelled"}},
    {"tag": ["tenderUpdate"], "tender": {"description": ABANDONED}},
]


@given(st.sampled_from(CALLED_OFF), st.integers(0, 400), st.booleans())
def test_the_newest_release_wins(off: Json, hours: int, award_last: bool) -> None:
    first, second = ("2024-06-10T08:00:00Z", (date(2024, 6, 10) + timedelta(hours // 24)).isoformat() + "T23:00:00Z")
    when_off, when_let = (first, second) if award_last else (second, first)
    cancelled = {**update(when_off, "tenderCancellation", 500, tender=off["tender"]), "tag": off["tag"]}
    awarded = update(when_let, "award", 600, awards=[award(date=when_let[:10])])
    ending = described(PLAIN, cancelled, awarded)
    assert ending.no_award is (False if award_last else None)
    if award_last and hours < 24:
        assert any("the same day: a correction" in warning for warning in ending.warnings)
    if not award_last:
        assert any("after the award" in warning for warning in ending.warnings)


def test_a_cancellation_that_names_other_lots_leaves_the_award() -> None:
    awarded = update("2024-06-10T09:00:00Z", "award", 600, awards=[award(lots=["north"])])
    lots = [{"id": "south", "status": "cancelled"}]
    off = update("2024-07-10T09:00:00Z", "tenderCancellation", 700, tender={"lots": lots})
    ending = described(NOTICE, awarded, off)
    assert [lot.no_award for lot in ending.lots] == [False, True]
    assert (ending.no_award, ending.kind) == (False, "part")


@pytest.mark.parametrize("tag", ["planning", "planningUpdate"])
def test_a_cancellation_without_a_call_before_it_withdraws_a_plan(tag: str) -> None:
    plan: Json = {**PLAIN, "tag": [tag], "tender": {"id": "t1", "title": "Care", "status": "planned"}}
    off = update("2024-05-02T09:00:00Z", "tenderCancellation", 300, tender={"status": "cancelled"})
    ending = described(plan, off)
    assert (ending.no_award, ending.kind) == (None, None)
    assert any("withdraws a plan" in warning for warning in ending.warnings)
    assert described(plan, {**PLAIN, "date": "2024-04-01", "id": "250"}, off).no_award is True


def test_a_uk12_alone_ends_a_procurement_that_was_called_for_elsewhere() -> None:
    tender: Json = {"id": "t1", "title": "Care", "documents": [{"id": "x", "noticeType": "UK12"}]}
    assert described(update("2025-05-02", "tenderCancellation", 300, tender=tender)).no_award is True


# --- lots


ACT: Json = {"legalBasis": {"scheme": "UKPGA", "id": "2023/54"}}


@given(
    known=st.sampled_from([{"legalBasis": {"scheme": "CELEX", "id": "32014L0024"}}, {}, ACT]),
    words=st.sampled_from([None, "No bids were received", "See documents"]),
    prefix=st.sampled_from(["ocds-h6vhtk-", "ocds-b5fd17-", "ocds-213czf-"]),
)
def test_a_lot_cancelled_under_an_award_is_an_artefact_before_the_procurement_act(
    known: Json, words: str | None, prefix: str
) -> None:
    lots = [{"id": "north", "status": "complete"}, {"id": "south", "status": "cancelled", "statusDetails": words}]
    release = old(status="complete", lots=lots, **known)
    release = {
        **release,
        "ocid": prefix + "1",
        "awards": [award(lots=["north"])],
        "date": "2024-08-01",
        "tag": ["compiled"],
    }
    if prefix == "ocds-213czf-":
        release = {**release, "buyer": {"id": "1", "name": "Council"}, "parties": []}
    ending = described(release)
    artefact = known is not ACT and words != "No bids were received" and prefix != "ocds-213czf-"
    assert [lot.no_award for lot in ending.lots] == [False, None if artefact else True]
    assert (ending.no_award, ending.kind) == (False, "awarded" if artefact else "part")
    assert bool(ending.warnings) is artefact


@given(st.lists(st.sampled_from(["awarded", "failed", "open"]), min_size=1, max_size=5))
def test_part_is_some_lots_awarded_and_some_not(ends: list[str]) -> None:
    lots = [{"id": str(i), "status": "unsuccessful" if end == "failed" else "active"} for i, end in enumerate(ends)]
    awards = [award(f"a{i}", [str(i)]) for i, end in enumerate(ends) if end == "awarded"]
    ending = described({**NOTICE, "date": "2025-12-01", "tender": {**NOTICE["tender"], "lots": lots}, "awards": awards})
    assert [lot.no_award for lot in ending.lots] == [
        {"awarded": False, "failed": True, "open": None}[end] for end in ends
    ]
    if "awarded" in ends:
        assert (ending.no_award, ending.kind) == (False, "part" if "failed" in ends else "awarded")
    else:
        assert ending.no_award is (None if "open" in ends else True)


# --- the notices of the Procurement Act


def with_notice(number: int) -> TenderOutcome:
    """A procurement of which a later release holds nothing but one notice."""
    document = {"id": "n", "noticeType": f"UK{number}", "datePublished": "2025-06-01"}
    plan = number in (1, 2, 3)
    sections: Json = {"planning": {"documents": [document]}} if plan else {"tender": {"documents": [document]}}
    return described(PLAIN, update("2025-06-01T09:00:00Z", "tenderUpdate", 400, **sections))


@pytest.mark.parametrize("number", range(1, 18))
def test_every_notice_of_the_procurement_act_says_what_it_says(number: int) -> None:
    says = {"contract": False, "contract end": False, "procurement end": True}
    ending = with_notice(number)
    assert ending.no_award is says.get(UK_NOTICES[f"UK{number}"])
    assert (ending.early_end, ending.performance) == (None, None)


def test_a_dynamic_market_neither_fails_nor_is_awarded() -> None:
    documents = [
        {"id": "a", "noticeType": "UK13"},
        {"id": "b", "noticeType": "UK14"},
        {"id": "c", "noticeType": "UK16"},
    ]
    release: Json = {"ocid": "ocds-h6vhtk-1", "id": "1", "date": "2026-05-01", "tag": ["tenderUpdate"]}
    ending = described({**release, "tender": {"id": "t", "status": "cancelled", "documents": documents}})
    assert (ending.no_award, ending.kind) == (None, None)
    assert any("market" in warning for warning in ending.warnings)


@given(st.integers(1, 17), st.sampled_from(["UK{}", "uk{}", "UK {}", "UK{}: notice", " UK0{}"]))
def test_a_notice_type_is_read_however_it_is_written(number: int, written: str) -> None:
    text = written.format(number) if number < 10 else written.replace("0", "").format(number)
    assert meaning(Document(notice_type=text, document_type="tenderNotice")) == UK_NOTICES[f"UK{number}"]


def test_document_types_stand_in_for_notice_types() -> None:
    assert {meaning(Document(document_type=code)) for code in NOTICE_DOCUMENTS} <= set(UK_NOTICES.values())
    assert meaning(Document(document_type="clarifications")) is None


# --- performance


CODES = {"good": "met", "approaching target": "slightlyBelow", "requires improvement": "below"}
CODES["inadequate"] = "significantlyBelow"


def metric(number: int, *ratings: str, by: str = "id") -> Json:
    """A key performance indicator with one observation a rating, as UK9 states it."""
    values = [CODES[rating] if by == "id" else rating.capitalize() for rating in ratings]
    return {
        "id": str(number),
        "title": f"Indicator {number}",
        "observations": [{"id": f"{number}-{i}", "measureClassification": {by: v}} for i, v in enumerate(values)],
    }


def performed(**implementation: Any) -> TenderOutcome:
    return described(let(ended={"implementation": implementation}))


@given(
    st.lists(st.lists(st.sampled_from(RATINGS), min_size=1, max_size=3), min_size=1, max_size=4),
    st.sampled_from(["id", "description"]),
)
def test_the_worst_rating_is_the_performance_whatever_the_order(ratings: list[list[Any]], by: str) -> None:
    ending = performed(metrics=[metric(i, *rated, by=by) for i, rated in enumerate(ratings)])
    worst = max((rating for rated in ratings for rating in rated), key=RATINGS.index)
    assert ending.performance == worst
    assert ending.path and "/contracts/0/implementation/metrics/" in ending.path
    assert (ending.no_award, ending.early_end) == (False, None)


def test_a_rating_that_is_no_rating_of_the_scale_gives_a_warning() -> None:
    other = {"id": "1", "observations": [{"id": "1", "measureClassification": {"id": "other"}}]}
    ending = performed(metrics=[other])
    assert ending.performance is None
    assert any("rating" in warning for warning in ending.warnings)
    assert performed(metrics=[other, metric(2, "good")]).performance == "good"


@pytest.mark.parametrize(("failure", "rating"), [({"id": "1"}, "inadequate"), ({"id": "1", "events": 0}, None)])
def test_a_breach_or_a_failure_to_perform_is_inadequate(failure: Json, rating: str | None) -> None:
    assert performed(performanceFailures=[failure]).performance == rating


def test_a_correction_replaces_a_rating_and_a_later_rating_does_not() -> None:
    def uk9(when: str, number: int, metrics: list[Json]) -> Json:
        notice = {"id": str(number), "noticeType": "UK9", "datePublished": when}
        return update(
            when,
            "implementation",
            number,
            contracts=[{"id": "c1", "implementation": {"metrics": metrics}, "documents": [notice]}],
        )

    signed = update("2024-07-01T09:00:00Z", "contract", 300, awards=[award()], contracts=[contract()])
    bad = uk9("2026-02-01T09:00:00Z", 400, [metric(1, "inadequate")])
    later = {"id": "1", "observations": [{"id": "1-9", "measureClassification": {"id": "met"}}]}
    ending = described(PLAIN, signed, bad, uk9("2027-02-01T09:00:00Z", 500, [later]))
    assert (ending.performance, ending.known_on) == ("inadequate", "2026-02-01T09:00:00Z")
    corrected = described(PLAIN, signed, bad, uk9("2026-02-02T09:00:00Z", 500, [metric(1, "good")]))
    assert (corrected.performance, corrected.known_on) == ("good", "2026-02-02T09:00:00Z")


def test_performance_is_not_failure_and_does_not_delay_the_other_labels() -> None:
    signed = update("2024-07-01T09:00:00Z", "contract", 300, awards=[award()], contracts=[contract()])
    rated = {"id": "c1", "implementation": {"metrics": [metric(1, "inadequate")]}}
    ending = outcome(
        samples.process(PLAIN, signed, update("2026-02-01T09:00:00Z", "implementation", 400, contracts=[rated]))
    )
    assert (ending.failure, ending.known_on) == (None, "2024-07-01T09:00:00Z")
    assert ending.performed and ending.performed.on == "2026-02-01T09:00:00Z"


# --- Contracts Finder


@pytest.mark.parametrize(("prefix", "no_award"), [("ocds-b5fd17-1", False), ("ocds-h6vhtk-1", None)])
def test_complete_means_awarded_in_contracts_finder(prefix: str, no_award: bool | None) -> None:
    ending = described({**PLAIN, "ocid": prefix, "tender": {**PLAIN["tender"], "status": "complete"}})
    assert ending.no_award is no_award


# --- what is printed


def test_what_is_printed_has_a_place_for_every_label_and_a_reason_for_every_doubt() -> None:
    content = json.loads(
        json.dumps({name: getattr(shared_like(), name) for name in TenderOutcome.__struct_fields__ if name != "lots"})
    )
    assert list(content)[:4] == ["ocid", "no_award", "early_end", "single_bid"]
    assert content["path"] and content["kind"] == "awarded"


def shared_like() -> TenderOutcome:
    """An awarded tender."""
    return described(let())


@given(st.sampled_from(["draft", "award", "contract", "ended"]), st.booleans())
def test_a_label_has_a_path_and_a_date(stage: str, lots: bool) -> None:
    base = NOTICE if lots else PLAIN
    chain = [base, update("2024-06-20T09:00:00Z", "award", 300, awards=[award(lots=["north"] if lots else None)])]
    chain.append(update("2024-07-20T09:00:00Z", "contract", 400, contracts=[contract()]))
    ended = contract(dateTerminated="2025-01-01", status="terminated")
    chain.append(update("2025-02-20T09:00:00Z", "contractTermination", 500, contracts=[ended]))
    ending = described(*chain[: ["draft", "award", "contract", "ended"].index(stage) + 1])
    for part in (ending, *ending.lots):
        assert (part.no_award is None) == (part.path is None) == (part.known_on is None)
    assert ending.early_end is (True if stage == "ended" else None)


def test_silence_has_neither_labels_nor_warnings() -> None:
    assert outcome(samples.process(PLAIN)) == Outcome()
