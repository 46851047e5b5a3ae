"""A process is its releases: what is known at a moment is what the releases up to it say."""

from __future__ import annotations

import itertools
from datetime import date

import pytest
from msgspec.structs import replace

from tenders.errors import DataError
from tenders.facts import STAGES, Stage
from tenders.io.ocds import to_tender
from tenders.process import Process, publication_days, published_on
from tenders.tender import AwardCriteria, Criterion, Tender
from tests import samples
from tests.samples import award, contract, count, update

NOTICE = samples.draft()
PRIOR = update("2023-11-01T09:00:00Z", "planning", 50, planning={"rationale": "Two districts"})
LATER = update(
    "2024-04-01T09:00:00Z",
    "tenderUpdate",
    200,
    tender={"tenderPeriod": {"endDate": "2024-05-30"}, "lots": [{"id": "north", "value": {"amount": 450_000}}]},
)
AWARD = update(
    "2024-06-01T09:00:00Z",
    "award",
    300,
    awards=[award(lots=["north"])],
    bids={"statistics": [count(2, "north")]},
    tender={"numberOfTenderers": 3},
)
SIGNED = update("2024-07-01T09:00:00Z", "contract", 400, contracts=[contract()])
ENDED = update("2025-01-10T09:00:00Z", "contractTermination", 500, contracts=[contract(status="terminated")])
CANCELLED = update("2024-04-20T09:00:00Z", "tenderCancellation", 250, tender={"status": "cancelled"})
HISTORY = (PRIOR, NOTICE, LATER, AWARD, SIGNED, ENDED)


def test_the_draft_is_the_first_notice_and_not_its_corrections() -> None:
    draft = samples.process(*HISTORY).as_of("draft")
    assert draft.tender == samples.process(NOTICE).as_of("draft").tender
    assert draft.planning
    assert draft.planning.rationale == "Two districts"


def test_an_extended_deadline_shows_from_the_notice_that_extended_it() -> None:
    process = samples.process(*HISTORY)
    periods = [process.as_of(stage).tender.tender_period for stage in STAGES]
    assert [period.end_date for period in periods if period] == ["2024-04-15", "2024-05-30", "2024-05-30"]


def test_what_changed_between_notices_is_counted_with_its_place() -> None:
    changes = samples.process(*HISTORY).as_of("bids_in").tender_risk.structure_changes
    assert {(c.touches, c.path, c.date) for c in changes} == {
        ("deadline", "/releases/2/tender/tenderPeriod", "2024-04-01T09:00:00Z"),
        ("lots", "/releases/2/tender/lots", "2024-04-01T09:00:00Z"),
    }


def test_an_award_notice_that_repeats_the_tender_in_other_words_is_no_change() -> None:
    repeated = {**AWARD, "tender": {"description": "Nursing services"}}
    assert samples.process(NOTICE, repeated).as_of("awarded").tender_risk.structure_changes == ()


def test_the_bid_count_is_known_at_bids_in_though_the_award_notice_publishes_it() -> None:
    bids_in = samples.process(*HISTORY).as_of("bids_in")
    assert bids_in.bids
    assert [s.value for s in bids_in.bids.statistics] == [2]
    assert bids_in.tender.number_of_tenderers == 3
    assert bids_in.awards == ()


@pytest.mark.parametrize("closing", [CANCELLED, ENDED])
@pytest.mark.parametrize("stage", STAGES)
def test_a_closing_release_changes_nothing_that_was_known(closing: samples.Json, stage: Stage) -> None:
    known = [NOTICE, LATER, AWARD, SIGNED] if closing is ENDED else [NOTICE, LATER]
    assert samples.process(*known, closing).as_of(stage) == samples.process(*known).as_of(stage)


@pytest.mark.parametrize("number", range(2, 7))
def test_no_release_after_the_notice_changes_the_draft(number: int) -> None:
    assert samples.process(*HISTORY[:number]).as_of("draft") == samples.process(*HISTORY[:2]).as_of("draft")


@pytest.mark.parametrize(
    ("day", "deadline", "awards"),
    [
        (date(2024, 3, 15), "2024-04-15", 0),
        (date(2024, 4, 1), "2024-05-30", 0),
        (date(2024, 6, 2), "2024-05-30", 1),
        (date(2026, 1, 1), "2024-05-30", 1),
    ],
)
def test_on_a_day_the_releases_up_to_it_are_known(day: date, deadline: str, awards: int) -> None:
    tender = samples.process(*HISTORY).as_of(day)
    assert tender.tender.tender_period
    assert tender.tender.tender_period.end_date == deadline
    assert len(tender.awards) == awards


def test_the_order_in_the_file_does_not_matter() -> None:
    same_day = [{**LATER, "id": f"00020{i}-2024", "tender": {"title": f"Title {i}"}} for i in range(2)]
    orders = itertools.permutations([NOTICE, AWARD, SIGNED, *same_day])
    assert len({_all(samples.process(*order)) for order in orders}) == 1


def _all(process: Process) -> tuple[object, ...]:
    return tuple(map(_without_places, [process.compiled(), *(process.as_of(stage) for stage in STAGES)]))


def _without_places(tender: Tender) -> Tender:
    """Where a change stood in the file is told too, and that differs with the order."""
    changes = tuple(replace(change, path=None) for change in tender.tender_risk.structure_changes)
    return replace(tender, tender_risk=replace(tender.tender_risk, structure_changes=changes))


def test_releases_are_ordered_by_the_instant_and_not_by_the_text() -> None:
    first = {**LATER, "date": "2024-04-01T00:30:00+01:00", "tender": {"title": "First"}}
    second = {**LATER, "date": "2024-03-31T23:45:00Z", "tender": {"title": "Second"}, "id": "000100"}
    assert samples.process(NOTICE, second, first).compiled().tender.title == "Second"


def test_lists_without_ids_do_not_grow_with_every_notice() -> None:
    again = {**NOTICE, "date": "2024-03-20T09:00:00Z", "tag": ["tenderUpdate"]}
    again["tender"] = {**NOTICE["tender"], "awardCriteria": {"criteria": [{"type": "price"}]}}
    old = {**NOTICE, "tender": {**NOTICE["tender"], "awardCriteria": "priceOnly"}}
    whole = samples.process(old, again, {**again, "date": "2024-03-21T09:00:00Z"}).compiled()
    assert [adviser.name for adviser in whole.tender_risk.advisers] == ["Adviser Ltd"]
    assert whole.tender.award_criteria == AwardCriteria(criteria=(Criterion(type="price"),))
    assert len(whole.tender.lots) == 2


@pytest.mark.parametrize(
    ("releases", "stage"),
    [((NOTICE,), "draft"), ((NOTICE, LATER), "draft"), ((NOTICE, AWARD), "awarded"), (HISTORY, "awarded")],
)
def test_the_latest_stage_is_the_furthest_that_a_fact_tells_of(releases: tuple[samples.Json, ...], stage: str) -> None:
    assert samples.process(*releases).latest_stage() == stage


def test_a_release_that_needs_the_others_is_refused_where_it_is_wrong() -> None:
    wrong = {**SIGNED, "contracts": [contract(dateSigned="2024-02-31")]}
    with pytest.raises(DataError) as refused:
        samples.process(NOTICE, AWARD, wrong).compiled()
    assert [p.path for p in refused.value.problems] == ["/releases/2/contracts/0/dateSigned"]


def test_the_days_of_many_drafts_are_those_of_each() -> None:
    signed = contract(period={"startDate": "2025-01-01T00:00:00Z"})
    awarded = award(date="2024-06")
    releases: list[dict[str, object]] = [
        {"tender": {"datePublished": "2024-02", "tenderPeriod": {"startDate": "2024-01-05"}}, "date": "2024-03-01"},
        {"tender": {"tenderPeriod": {"startDate": "2024-01-05"}}, "date": "2024-03-01"},
        {"tender": {"tenderPeriod": {"endDate": "2024-01-05"}}, "date": "2024-03-01"},
        {"tender": {"title": "x"}, "awards": [awarded]},
        {"tender": {"title": "x"}, "contracts": [signed]},
        {"tender": {"title": "x"}},
    ]
    tenders = [to_tender(release) for release in releases]
    assert publication_days(tenders) == [published_on(tender) for tender in tenders]
    assert publication_days(tenders[:3]) == [date(2024, 2, 1), date(2024, 1, 5), date(2024, 3, 1)]
