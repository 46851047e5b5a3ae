"""What was known when: a stage holds every earlier fact and no later one."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert
from msgspec.structs import replace

from tenders.codelists import LATER_ROLES
from tenders.errors import StageError
from tenders.facts import STAGES, Stage
from tenders.io.ocds import to_tender
from tenders.stages import as_of, has_reached, latest_stage, latest_stages, require_stage, stage_on
from tenders.tender import Tender
from tenders.tender_chunk import TenderChunk
from tests import samples
from tests.samples import Json, award, contract, count

AFTER = st.dates(date(2024, 3, 2), date(2030, 1, 1)).map(str)
STATUSES = st.sampled_from(["active", "cancelled", "unsuccessful", "withdrawn", "complete", "planned"])


def _documents(*kinds: str) -> st.SearchStrategy[list[Json]]:
    """Documents of a kind that comes later, dated or not, and tender documents that are dated later."""
    late = st.fixed_dictionaries({"noticeType": st.sampled_from(kinds)}, optional={"datePublished": AFTER})
    closing = st.fixed_dictionaries({"documentType": st.just("tenderCancellationNotice")})
    return st.lists(late | closing | st.fixed_dictionaries({"datePublished": AFTER}), max_size=3)


# Facts that come after the draft, by the path at which they are added.
AFTER_DRAFT: dict[str, st.SearchStrategy[Any]] = {
    "tender/status": STATUSES,
    "tender/statusDetails": st.just("The procurement was abandoned"),
    "tender/finalStatusDate": AFTER,
    # 0 beside an award is a default and no fact at any stage: see test_defaults.
    "tender/numberOfTenderers": st.integers(1, 20),
    "tender/tenderers": st.just([{"id": "s1", "name": "Supplier Ltd"}]),
    "tender/amendments": st.lists(st.fixed_dictionaries({"description": st.just("x")}, optional={"date": AFTER})),
    "tender/documents+": _documents("UK6", "UK7", "UK11", "UK12"),
    "tender/lots/0/status": STATUSES,
    "tender/lots/1/status": STATUSES,
    "tender/lots/1/statusDetails": st.just("no bids"),
    "bids": st.builds(lambda n: {"statistics": [count(n, "north")]}, st.integers(1, 9)),
    "awards": st.lists(st.builds(award, status=STATUSES, date=AFTER, statusDetails=st.just("x")), max_size=2),
    "contracts": st.lists(st.builds(contract, status=STATUSES, dateSigned=AFTER, dateTerminated=AFTER), max_size=2),
    "parties+": st.lists(
        st.fixed_dictionaries(
            {
                "id": st.just("s1"),
                "roles": st.lists(
                    st.sampled_from(sorted(role for roles in LATER_ROLES.values() for role in roles)), min_size=1
                ),
            }
        ),
        max_size=2,
    ),
    "tag": st.just(["tender", "tenderCancellation"]),
    "tenderRisk/biddersInterested": st.integers(0, 9),
    "tenderRisk/legalChallenge": st.booleans(),
    "tenderRisk/legalVehicle": st.just("alliance"),
    "tenderRisk/taxUnresolved": st.booleans(),
    "tenderRisk/advisers+": st.just([{"name": "Late LLP", "since": "awarded"}]),
    "tenderRisk/structureChanges": st.just([{"touches": "lots"}, {"touches": "value", "stage": "awarded"}]),
    "tenderRisk/assuranceHolds": st.just([{"by": "Regulator"}]),
}
LATER = st.fixed_dictionaries({}, optional=AFTER_DRAFT)


def _with(later: Json) -> Tender:
    """The sample draft with later facts added."""
    release = samples.draft()
    for path, fact in later.items():
        *above, last = path.rstrip("+").split("/")
        target: Any = release
        for name in above:
            target = target[int(name) if isinstance(target, list) else name]
        target[last] = [*target.get(last, []), *fact] if path.endswith("+") else fact
    for made in release.get("awards", []):
        made["status"] = made["status"] if made["suppliers"] else "pending"
    return to_tender(copy.deepcopy(release))


@given(LATER)
def test_no_later_fact_changes_the_draft(later: Json) -> None:
    assert as_of(_with(later), "draft") == as_of(to_tender(samples.draft()), "draft")


@given(LATER)
def test_no_fact_of_the_award_changes_what_was_known_when_bids_were_in(later: Json) -> None:
    of_award = {
        "awards",
        "contracts",
        "tag",
        "tender/status",
        "tender/statusDetails",
        "tender/finalStatusDate",
        "tender/lots/0/status",
        "tender/lots/1/status",
        "tender/lots/1/statusDetails",
        "tenderRisk/legalVehicle",
        "tenderRisk/taxUnresolved",
        "tenderRisk/advisers+",
    }
    earlier = {path: fact for path, fact in later.items() if path not in of_award}
    assert as_of(_with(later), "bids_in") == as_of(_with(earlier), "bids_in")


@given(LATER, st.sampled_from(STAGES))
def test_as_of_is_idempotent(later: Json, stage: Stage) -> None:
    once = as_of(_with(later), stage)
    assert as_of(once, stage) == once


@given(LATER, st.sampled_from(STAGES), st.sampled_from(STAGES))
def test_the_earlier_stage_wins(later: Json, one: Stage, other: Stage) -> None:
    tender = _with(later)
    earlier = min(one, other, key=STAGES.index)
    assert as_of(as_of(tender, one), other) == as_of(tender, earlier)


@given(LATER, st.sampled_from(STAGES))
def test_how_it_ended_is_known_at_no_stage(later: Json, stage: Stage) -> None:
    tender = as_of(_with(later), stage)
    assert {tender.tender.status, *(lot.status for lot in tender.tender.lots)} == {None}
    assert {a.status for a in tender.awards} | {c.status for c in tender.contracts} <= {None}
    assert all(one.date_terminated is None and one.termination_rationale is None for one in tender.contracts)


@given(LATER, st.sampled_from(STAGES), st.randoms(use_true_random=False))
def test_the_order_of_lots_and_parties_changes_nothing_but_order(later: Json, stage: Stage, random: Any) -> None:
    tender = _with(later)
    lots, parties = list(tender.tender.lots), list(tender.parties)
    random.shuffle(lots)
    random.shuffle(parties)
    shuffled = replace(tender, parties=tuple(parties), tender=replace(tender.tender, lots=tuple(lots)))
    assert _sorted(as_of(shuffled, stage)) == _sorted(as_of(tender, stage))


def _sorted(tender: Tender) -> Tender:
    lots = tuple(sorted(tender.tender.lots, key=repr))
    return replace(tender, parties=tuple(sorted(tender.parties, key=repr)), tender=replace(tender.tender, lots=lots))


@given(LATER, st.dates(date(2024, 1, 1), date(2031, 1, 1)), st.dates(date(2024, 1, 1), date(2031, 1, 1)))
def test_the_earlier_day_wins_among_dated_facts(later: Json, one: date, other: date) -> None:
    tender, (first, second) = _with(later), sorted((one, other))
    assert as_of(tender, first).awards == as_of(as_of(tender, second), first).awards


@pytest.mark.parametrize("stage", STAGES)
def test_a_buyer_that_is_also_paid_stays_a_buyer(stage: Stage) -> None:
    release = samples.draft(parties=[{"id": "b", "roles": ["buyer", "payer"]}])
    assert [party.roles for party in as_of(to_tender(release), stage).parties] == [("buyer",)]


@pytest.mark.parametrize(
    ("stage", "roles"), [("draft", []), ("bids_in", ["tenderer"]), ("awarded", ["tenderer", "supplier"])]
)
def test_a_party_appears_with_its_role(stage: Stage, roles: list[str]) -> None:
    release = samples.draft(parties=[{"id": role, "roles": [role]} for role in ("tenderer", "supplier", "payee")])
    assert [role for party in as_of(to_tender(release), stage).parties for role in party.roles] == roles


@pytest.mark.parametrize(("stage", "names"), [("draft", ["A"]), ("bids_in", ["A", "B"]), ("awarded", ["A", "B", "C"])])
def test_an_adviser_is_known_since_the_stage_it_says(stage: Stage, names: list[str]) -> None:
    advisers = [{"name": "A"}, {"name": "B", "since": "bids_in"}, {"name": "C", "since": "awarded"}]
    tender = to_tender(samples.draft(tenderRisk={"advisers": advisers}))
    assert [adviser.name for adviser in as_of(tender, stage).tender_risk.advisers] == names


@pytest.mark.parametrize(
    ("day", "stage"),
    [
        (date(2024, 3, 2), "draft"),
        (date(2024, 4, 14), "draft"),
        (date(2024, 4, 15), "bids_in"),
        (date(2024, 5, 31), "bids_in"),
        (date(2024, 6, 1), "awarded"),
    ],
)
def test_the_stage_on_a_day_follows_the_tenders_own_dates(day: date, stage: Stage) -> None:
    tender = to_tender(samples.draft(awards=[award()]))
    assert stage_on(tender, day) == stage
    assert bool(as_of(tender, day).awards) == (stage == "awarded")


@pytest.mark.parametrize(
    ("facts", "stage"),
    [
        ({}, "draft"),
        ({"bids": {"statistics": []}}, "draft"),
        ({"bids": {"statistics": [count(2)]}}, "bids_in"),
        ({"awards": [award(status="unsuccessful")]}, "draft"),
        ({"awards": [award()]}, "awarded"),
        ({"contracts": [contract()]}, "awarded"),
    ],
)
def test_the_latest_stage_is_the_furthest_with_a_fact(facts: Json, stage: Stage) -> None:
    assert latest_stage(to_tender(samples.draft(**facts))) == stage


AWARDS = st.builds(
    award,
    status=st.sampled_from([None, "active", "active", "pending", "cancelled"]),
    date=st.sampled_from([None, "2024-03", "2024-04-15T09:00:00Z", "2031-01-01"]),
    standstillPeriod=st.sampled_from([None, None, {"endDate": "2030-01-01"}]),
)
CONTRACTS = st.builds(
    contract,
    status=st.sampled_from(["active", "active", "pending", "cancelled"]),
    dateSigned=st.sampled_from([None, "2024-04-15", "2031-01-01"]),
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"awards": st.lists(AWARDS, max_size=2), "contracts": st.lists(CONTRACTS, max_size=1)},
            optional={"bids": st.sampled_from([{"statistics": []}, {"statistics": [count(2)]}])},
        ),
        min_size=1,
        max_size=3,
    )
)
def test_the_stages_of_many_are_those_of_each(some: list[Json]) -> None:
    tenders = [convert(samples.draft(**facts), Tender) for facts in some]
    day = date(2024, 6, 1)
    assert latest_stages(TenderChunk(tenders), day) == [latest_stage(tender, day) for tender in tenders]


TODAY = date(2024, 6, 1)
DAYS = st.dates(date(2024, 1, 1), date(2031, 1, 1))


@given(LATER, DAYS)
def test_a_stage_that_is_reached_has_every_stage_before_it_and_stays_reached(later: Json, day: date) -> None:
    tender = _with(later)
    reached = [has_reached(tender, stage, day) for stage in STAGES]
    assert reached == sorted(reached, reverse=True)
    assert has_reached(tender, latest_stage(tender, day), day)
    assert all(has_reached(tender, stage, date(2031, 1, 2)) for stage, now in zip(STAGES, reached, strict=True) if now)


@given(LATER, DAYS)
def test_without_a_passed_deadline_a_count_of_bids_or_an_award_a_tender_is_a_draft(later: Json, day: date) -> None:
    shows = {"tender/numberOfTenderers", "bids", "awards", "contracts"}
    tender = _with({path: fact for path, fact in later.items() if path not in shows})
    assert latest_stage(tender, day) == "draft"
    assert not has_reached(tender, "awarded", day)
    assert has_reached(tender, "bids_in", day) is (day >= date(2024, 4, 15))


@pytest.mark.parametrize(
    ("facts", "reached"),
    [
        ({}, "draft"),
        ({"tender": {"tenderPeriod": {"endDate": "2024-06-01"}}}, "bids_in"),
        ({"tender": {"tenderPeriod": {"endDate": "2024-06-02T12:00:00Z"}}}, "draft"),
        ({"tender": {"tenderPeriod": {"endDate": "2024-05"}}}, "bids_in"),
        ({"tender": {"tenderPeriod": {"endDate": "2024"}}}, "draft"),
        ({"tender": {"tenderPeriod": {"startDate": "2024-05-01", "durationInDays": 31}}}, "bids_in"),
        ({"tender": {"tenderPeriod": {"startDate": "2024-05-01", "durationInDays": 32}}}, "draft"),
        ({"tender": {"datePublished": "2024-01-01", "tenderPeriod": {"durationInDays": 1e18}}}, "draft"),
        ({"tender": {"numberOfTenderers": 0}}, "bids_in"),
        ({"tenderRisk": {"structureChanges": [{"touches": "lots"}], "legalVehicle": "alliance"}}, "draft"),
        ({"awards": [award(date="2024-06-01T09:00:00Z")]}, "awarded"),
        ({"awards": [award(date="2024-06-02")]}, "draft"),
        ({"awards": [award(date="2024-06-02"), award("a2", date=None)]}, "awarded"),
        ({"contracts": [contract(dateSigned="2025-01-01")]}, "draft"),
    ],
)
def test_what_shows_that_a_stage_is_reached(facts: Json, reached: Stage) -> None:
    tender = to_tender({"tender": {}, **facts})
    assert max((s for s in STAGES if has_reached(tender, s, TODAY)), key=STAGES.index) == reached


@pytest.mark.parametrize(
    ("facts", "stage", "words", "remedy"),
    [
        ({}, "bids_in", "the bids are not in: the deadline has not passed, no bids are counted", "Score it at draft"),
        ({}, "awarded", "the contract is not awarded: no award is shown", "Score it at draft"),
        ({"tender": {"numberOfTenderers": 2}}, "awarded", "not awarded", "Score it at bids_in"),
    ],
)
def test_a_stage_that_is_not_reached_is_refused_in_words(facts: Json, stage: Stage, words: str, remedy: str) -> None:
    tender = to_tender({"tender": {}, **facts})
    with pytest.raises(StageError) as refused:
        require_stage(lambda candidate: has_reached(tender, candidate), stage)
    (problem,) = refused.value.problems
    assert problem.path == "/stage" and words in problem.problem and problem.remedy.startswith(remedy)
    assert refused.value.under("/tender").problems == [problem], "the stage stands beside the tender"
    require_stage(lambda candidate: has_reached(tender, candidate), "draft")
