"""A default is no fact, wherever it stands: it is taken out, and named in a warning by its place."""

from __future__ import annotations

import copy
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenders.defaults import find_defaults, is_credible, is_no_amount, is_no_duration
from tenders.io.checks import are_valid
from tenders.io.ocds import decode_releases, read_release
from tenders.io.rows import settle_releases
from tenders.many import COUNTS, find_doubts, hold_no_defaults
from tenders.process import to_json
from tenders.settled import settle, settle_many
from tenders.tender import Tender
from tenders.tender_chunk import TenderChunk
from tests import samples
from tests.samples import Json

FULL: Json = samples.draft(
    awards=[samples.award(value={"amount": 5e5, "currency": "GBP"}, contractPeriod={"startDate": "2024-09-01"})],
    contracts=[samples.contract(value={"amount": 5e5, "currency": "GBP"})],
)
for period in ("tenderPeriod", "enquiryPeriod"):
    FULL["tender"][period] = {"startDate": "2024-03-01", "endDate": "2024-04-15"}
FULL["tender"]["lots"][0]["contractPeriod"] = {"startDate": "2024-09-01", "endDate": "2027-08-31"}
FULL["planning"]["budget"] = {"amount": {"amount": 1e6, "currency": "GBP"}}

NOTICE_DATES = (
    "tender/datePublished",
    *(f"tender/{period}/{end}" for period in ("tenderPeriod", "enquiryPeriod") for end in ("startDate", "endDate")),
    "awards/0/date",
    "contracts/0/dateSigned",
)
CONTRACT_DATES = tuple(
    f"{period}/{end}"
    for period in ("tender/contractPeriod", "tender/lots/0/contractPeriod", "awards/0/contractPeriod", "contracts/0/period")
    for end in ("startDate", "endDate")
)  # fmt: skip
AMOUNTS = tuple(
    f"{value}/{name}"
    for value in (
        "tender/value",
        "tender/lots/0/value",
        "planning/budget/amount",
        "awards/0/value",
        "contracts/0/value",
    )
    for name in ("amount", "amountGross")
)
DURATIONS = tuple(
    f"{period}/{name}"
    for period in ("tender/tenderPeriod", "tender/contractPeriod", "tender/lots/0/contractPeriod", "contracts/0/period")
    for name in ("durationInDays", "durationInMonths")
)

EMPTY_DATES = st.sampled_from(
    ["1900-01-01", "1970-01-01T00:00:00Z", "1969-12-31T23:00:00Z", "1753-01-01", "0001-01-01T00:00:00", "0000-00-00",
     "9999-12-31T23:59:59Z", "2999-12-31", "2099-12-31", "2070-01-01", "2038-01-19T03:14:07Z", "1899-12-30", "1980-01-01"]
)  # fmt: skip
NO_AMOUNTS = st.sampled_from([0, 0.0, 0.01, 1, 1.0, 99_999_999, 999_999_999.99, 9_999_999_999, 11_111_111_111, 9e15])
NO_DURATIONS = st.sampled_from([0, 9_999, 99_999, 40_000])


def put(release: Json, path: str, value: Any) -> Json:
    """The release with a value at a path."""
    copied = copy.deepcopy(release)
    *steps, last = path.split("/")
    inside: Any = copied
    for step in steps:
        inside = inside[int(step)] if isinstance(inside, list) else inside.setdefault(step, {})
    inside[last] = value
    return copied


def at(document: Any, path: str) -> Any:
    """What stands at a path."""
    for step in path.split("/"):
        document = document[int(step)] if isinstance(document, list) else (document or {}).get(step)
    return document


def holds_only_without(path: str, value: Any) -> None:
    """A default is noted at its place, and the tender is what it is without that field."""
    read = read_release(put(FULL, path, value))
    assert f"/{path}" in {note.path for note in read.notes}
    # The day of the notice stands in for that of publication.
    assert at(to_json(read.tender), path) in (None, FULL["date"])


def test_the_sample_holds_none() -> None:
    assert read_release(FULL).notes == ()


@given(path=st.sampled_from(NOTICE_DATES + CONTRACT_DATES), text=EMPTY_DATES)
def test_a_date_that_stands_for_none_is_unknown_wherever_it_stands(path: str, text: str) -> None:
    holds_only_without(path, text)


@given(path=st.sampled_from(AMOUNTS), amount=NO_AMOUNTS)
def test_an_amount_that_stands_for_none_is_unknown_wherever_it_stands(path: str, amount: float) -> None:
    holds_only_without(path, amount)


@given(path=st.sampled_from(DURATIONS), number=NO_DURATIONS)
def test_a_duration_that_stands_for_none_is_unknown_wherever_it_stands(path: str, number: float) -> None:
    holds_only_without(path, number)


@given(path=st.sampled_from(NOTICE_DATES), years=st.integers(11, 60))
def test_what_a_notice_states_is_not_decades_away(path: str, years: int) -> None:
    holds_only_without(path, f"{2024 + years}-05-17")


@given(st.dates(date(2023, 1, 1), date(2026, 12, 31)), st.sampled_from(NOTICE_DATES))
def test_a_day_near_the_notice_is_a_fact(day: date, path: str) -> None:
    moved = put(FULL, path, str(day))
    assert [note for note in read_release(moved).notes if "starts and ends" not in note.problem] == []


@given(st.floats(1.01, 1e10).map(lambda amount: round(amount, 2)))
def test_other_amounts_are_facts(amount: float) -> None:
    digits = f"{amount:.2f}".removesuffix(".00").replace(".", "")
    assert is_no_amount(amount) == (amount >= 11_111_111 and len(set(digits)) == 1 and digits[0] in "19" and (
        digits[0] == "1" or amount >= 99_999_999))  # fmt: skip


@given(st.floats(1, 3_650))
def test_other_durations_are_facts(days: float) -> None:
    assert not is_no_duration(days)


def test_a_date_by_itself() -> None:
    assert all(map(is_credible, ("2024-03", "1998", "2055-06-30", "2024-03-01T09:00:00+01:00")))
    assert not any(map(is_credible, ("1900", "1970-01", "2099-12-31")))


def test_a_period_of_no_length_has_no_start() -> None:
    same = put(FULL, "tender/tenderPeriod", {"startDate": "2024-04-15T09:00:00Z", "endDate": "2024-04-15T12:00:00Z"})
    read = read_release(same)
    assert [note.path for note in read.notes] == ["/tender/tenderPeriod/startDate"]
    assert read.tender.tender.tender_period
    assert read.tender.tender.tender_period.end_date == "2024-04-15T12:00:00Z"


# Counts.


def counted(number: float, where: str, **sections: Any) -> Json:
    """A release that counts bids, as `numberOfTenderers`, in statistics of the whole, or in those of a lot."""
    release = samples.draft(tag=["compiled"], date="2024-08-01T09:00:00Z", **sections)
    if where == "numberOfTenderers":
        return put(release, f"tender/{where}", number)
    lot = {"relatedLot": where} if where else {}
    return {**release, "bids": {"statistics": [{"id": "1", "measure": "bids", "value": number, **lot}]}}


WHOLE = ("numberOfTenderers", "")


@pytest.mark.parametrize("where", [*WHOLE, "north"])
@pytest.mark.parametrize(
    "beside",
    [
        {"awards": [samples.award(lots=["north"])]},
        {"awards": [samples.award(lots=["north"], status="unsuccessful")]},
        {"awards": [samples.award(lots=["north"], suppliers=[])]},
    ],
)
def test_no_bids_beside_what_shows_one_is_no_count(where: str, beside: Json) -> None:
    read = read_release(counted(0, where, **beside))
    assert any("no count" in note.problem for note in read.notes)


@pytest.mark.parametrize("where", WHOLE)
def test_no_bids_beside_a_contract_or_tenderers_is_no_count(where: str) -> None:
    for release in (
        counted(0, where, contracts=[samples.contract()]),
        put(counted(0, where), "tender/tenderers", [{"id": "1"}]),
    ):
        assert any("no count" in note.problem for note in read_release(release).notes)


def test_no_bids_of_one_lot_beside_the_award_of_another_is_a_fact() -> None:
    assert read_release(counted(0, "south", awards=[samples.award(lots=["north"])])).notes == ()


@pytest.mark.parametrize("where", [*WHOLE, "north"])
def test_no_bids_while_they_can_still_come_in_is_no_count(where: str) -> None:
    opened = {**counted(0, where), "tag": ["tender"], "date": "2024-03-01T09:00:00Z"}
    assert any("still to come" in note.problem for note in read_release(opened).notes)
    assert read_release({**opened, "date": "2024-04-16T09:00:00Z"}).notes == ()


@pytest.mark.parametrize("where", [*WHOLE, "north"])
def test_no_bids_are_a_fact_where_nothing_contradicts_it(where: str) -> None:
    assert read_release(counted(0, where)).notes == ()
    assert [note.problem for note in read_release(counted(9_999, where)).notes] == [
        "9999 is what systems write for no count, so it is unknown"
    ]


# Many at once.


@st.composite
def releases(draw: st.DrawFn) -> Json:
    """A release with up to three odd values."""
    release = copy.deepcopy(FULL)
    release["tag"] = draw(st.sampled_from([["tender"], ["compiled"], ["award"]]))
    day = draw(st.dates(date(1985, 1, 1), date(2045, 12, 31)))
    release["date"] = draw(st.sampled_from([f"{day}T09:00:00Z", "2024-03-01T09:00:00Z", "1970-01-01"]))
    near = st.integers(-9_000, 9_000).map(lambda days: str(date(2024, 3, 1) + timedelta(days=days)))
    for _ in range(draw(st.integers(0, 3))):
        path, value = draw(
            st.tuples(st.sampled_from(NOTICE_DATES + CONTRACT_DATES), EMPTY_DATES | near)
            | st.tuples(st.sampled_from(AMOUNTS), NO_AMOUNTS | st.floats(0, 1e12))
            | st.tuples(st.sampled_from(DURATIONS), NO_DURATIONS | st.integers(0, 5_000))
            | st.tuples(st.just("tender/numberOfTenderers"), st.integers(0, 3))
            | st.tuples(st.just("tender/procurementMethod"), st.sampled_from(["Open", "open", "limited"]))
            | st.tuples(st.just("awards"), st.sampled_from([[], [{"id": "1", "status": "active"}]]))
        )
        if not path.startswith("awards/") or release["awards"]:
            release = put(release, path, value)
    for name in draw(st.lists(st.sampled_from(["datePublished", "tenderPeriod", "items", "lots"]), max_size=2)):
        release["tender"].pop(name, None)
    return release


def raw(release: Json) -> Tender:
    """The release as it is decoded, before anything is taken out."""
    return msgspec.convert(release, Tender)


def is_sound(release: Json) -> bool:
    """Whether a release can be decoded straight into its types."""
    return are_valid(TenderChunk([raw(release)]))


@settings(max_examples=300)
@given(st.lists(releases(), min_size=1, max_size=6))
def test_many_are_settled_as_each_alone(some: list[Json]) -> None:
    sound = [release for release in some if is_sound(release)]
    alone = [settle(raw(release)) for release in sound]
    tenders = [raw(release) for release in sound]
    notes = settle_many(tenders, find_doubts(TenderChunk(tenders)))
    assert tenders == [settled.tender for settled in alone]
    assert notes == {row: settled.notes for row, settled in enumerate(alone) if settled.notes}


@settings(max_examples=300)
@given(st.lists(releases(), min_size=1, max_size=2))
def test_what_is_plain_of_many_holds_no_default(some: list[Json]) -> None:
    tenders = [raw(release) for release in some if is_sound(release)]
    assert not (tenders and hold_no_defaults(TenderChunk(tenders)) and any(any(find_defaults(t)) for t in tenders))


@given(st.lists(releases(), min_size=1, max_size=4))
def test_what_was_read_of_tenders_is_read_again_where_they_are_settled(some: list[Json]) -> None:
    decoded = decode_releases(list(map(samples.data, some)))
    settle_releases(decoded)
    fresh = TenderChunk(decoded.chunk.tenders)
    for path in (
        *COUNTS,
        "/tender/datePublished",
        "/tender/value/amount",
        "/tender/tenderPeriod/endDate",
        "/awards/*/date",
    ):
        assert list(decoded.chunk.column(path)) == list(fresh.column(path))
