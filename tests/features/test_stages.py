"""A feature belongs to the stage at which its facts exist: nothing that comes later, and no order of lists, moves it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import known_at
from tenders.facts import STAGES, Stage
from tenders.io.read import to_process
from tenders.process import Process
from tests import samples
from tests.features import made

RECORDS = made.records()


def measured(process: Process, stage: Stage) -> dict[str, float | None]:
    """Every feature known at a stage."""
    tender = process.as_of(stage)
    return {feature.name: made.value(feature, tender, stage, RECORDS) for feature in known_at(stage)}


@pytest.mark.parametrize("stage", STAGES)
@settings(max_examples=120)
@given(data=st.data())
def test_no_later_fact_in_the_same_release_moves_a_feature(stage: Stage, data: Any) -> None:
    release = data.draw(made.known_at(stage))
    later = made.with_facts(release, data.draw(made.later_than(stage)))
    assert measured(to_process(later), stage) == measured(to_process(release), stage)


LATER_NOTICES: dict[Stage, list[samples.Json]] = {
    "draft": [
        samples.update("2024-03-20T09:00:00Z", "tenderUpdate", 201, tender={"title": "Nursing and more", "value": {"amount": 9e9, "currency": "GBP"}}),
        samples.update("2024-04-20T09:00:00Z", "tenderUpdate", 202, tender={"lots": [{"id": "north"}], "numberOfTenderers": 1}),
    ],
    "bids_in": [samples.update("2024-06-02T09:00:00Z", "award", 203, awards=[samples.award()])],
    "awarded": [
        samples.update("2025-01-01T09:00:00Z", "contractTermination", 205, contracts=[samples.contract(status="terminated")]),
        samples.update("2025-02-01T09:00:00Z", "tenderCancellation", 206, tender={"status": "cancelled"}),
        samples.update("2025-03-01T09:00:00Z", "implementation", 207, contracts=[samples.contract(dateTerminated="2025-01-01")]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
def test_no_later_notice_moves_a_feature(stage: Stage) -> None:
    notices = [samples.draft()]
    for earlier in STAGES[: STAGES.index(stage)]:
        notices += LATER_NOTICES[earlier]
    before = measured(samples.process(*notices), stage)
    for later in STAGES[STAGES.index(stage) :]:
        for notice in LATER_NOTICES[later]:
            notices.append(notice)
            assert measured(samples.process(*notices), stage) == before


SHUFFLED = (
    ("tender", "lots"),
    ("tender", "items"),
    ("parties",),
    ("awards",),
    ("contracts",),
    ("tenderRisk", "advisers"),
)


# A case about one lot has it first, and these are about that lot and its item.
OF_THE_FIRST = {
    "lot_share", "lot_to_value", "lot_to_budget", "value_digits", "market_depth", "title_letters", "title_digits"
}  # fmt: skip


@settings(max_examples=150)
@given(data=st.data())
def test_the_order_of_lots_items_parties_awards_and_advisers_moves_no_feature(data: Any) -> None:
    release = data.draw(made.known_at("awarded"))
    shuffled = {**release, "tender": dict(release["tender"]), "tenderRisk": dict(release.get("tenderRisk", {}))}
    for *above, last in SHUFFLED:
        home = shuffled[above[0]] if above else shuffled
        if last in home:
            home[last] = data.draw(st.permutations(home[last]))
    before, after = measured(to_process(release), "awarded"), measured(to_process(shuffled), "awarded")
    assert set(before) > OF_THE_FIRST
    for name in set(before) - OF_THE_FIRST:
        assert after[name] == pytest.approx(before[name]), name


def test_naming_an_adviser_or_supplier_twice_counts_once() -> None:
    once = {
        "tender": {},
        "tenderRisk": {"advisers": [{"name": "a"}]},
        "awards": [samples.award("1", suppliers=[{"name": "a"}])],
    }
    twice = {**once, "awards": [*once["awards"], samples.award("2", suppliers=[{"name": "A Ltd"}])]}
    twice["tenderRisk"] = {"advisers": [{"name": "a"}, {"name": "A."}]}
    one_record, two_records = (measured(to_process(document), "awarded") for document in (once, twice))
    for name in ("supplier_record", "adviser_record", "adviser_cases", "adviser_specialism"):
        assert one_record[name] is not None or name == "adviser_specialism"
        assert two_records[name] == one_record[name]
