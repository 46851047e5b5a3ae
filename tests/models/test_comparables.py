"""Comparables: a distance that behaves as one, and cases that say how they ended and where that is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import catalogue
from models import alike
from models.alike import likeness, measured
from models.alike_by import FACTS
from models.cited import sources
from models.comparables import NEAREST, comparables, known
from tenders import casebook
from tenders.facts import STAGES, Stage
from tenders.io.reading import one, read_file
from tests.features import made

EXAMPLES = Path(__file__).parents[2] / "examples"
each_stage = pytest.mark.parametrize("stage", STAGES)


def tender(**facts: Any) -> alike.Measured:
    return measured(one({"title": "x", **facts}).as_of("awarded"))


def named(name: str, stage: Stage) -> list[str]:
    return [each.case for each in comparables(read_file(EXAMPLES / f"{name}.json")[0], stage).cases]


def test_facts_to_compare_by_are_features_of_the_tender_itself() -> None:
    for fact in FACTS:
        assert catalogue()[fact.feature].evidence is None


@settings(max_examples=60)
@given(data=st.data())
def test_the_distance_is_symmetric_and_nothing_is_nearer_to_a_tender_than_itself(data: Any) -> None:
    first, second = (measured(one(data.draw(made.known_at("awarded"))).as_of("awarded")) for _ in range(2))
    there, back, self = likeness(first, second), likeness(second, first), likeness(first, first)
    assert there.distance == back.distance and there.shared == back.shared
    assert 0 <= self.distance <= there.distance <= 1
    assert not self.unlike


def test_sharing_more_facts_is_nearer_and_a_fact_left_open_is_neither_alike_nor_different() -> None:
    full = tender(lots=1, term_years=10, value=5e8)
    assert likeness(full, full).distance < likeness(full, tender(lots=1)).distance
    assert likeness(full, tender(service_lines=3)).shared == 0
    assert likeness(full, tender(service_lines=3)).distance == pytest.approx(alike.PRIOR_DISTANCE)


def test_numbers_are_compared_as_ratios() -> None:
    small, double = likeness(tender(value=5e6), tender(value=1e7)), likeness(tender(value=5e8), tender(value=1e9))
    assert small.distance == double.distance
    assert (
        likeness(tender(value=1e6), tender(value=1e9)).distance
        == likeness(tender(value=1e6), tender(value=1e8)).distance
    )


def test_what_is_shared_is_said_in_words() -> None:
    found = likeness(
        tender(lots=1, value=6e8, bidders=1, cpv="85140000", term_years=10),
        tender(lots=1, value=9e8, bidders=1, cpv="85141000", term_years=3),
    )
    assert {"also one block", "also over £500m", "also one bidder", "also the same kind of service"} <= set(found.also)
    assert found.unlike == ("3 years, here 10 years",)


@each_stage
@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.json")), ids=lambda file: file.stem)
def test_cases_come_nearest_first_with_known_ends_and_never_the_tender_itself(file: Path, stage: Stage) -> None:
    process = read_file(file)[0]
    found = comparables(process, stage)
    distances = [each.likeness.distance for each in found.cases]
    assert len(distances) == NEAREST and distances == sorted(distances)
    assert f"{process.ocid}" not in {f"casebook-{each.case}" for each in found.cases}
    for each in found.cases:
        assert casebook.case(each.case).fail == ("1" if each.failed else "0")
        assert each.outcome and (each.likeness.also or each.likeness.unlike)
    assert comparables(process, stage) == found


def test_the_brief_s_tenders_find_their_likes() -> None:
    assert "NHS034" in named("manchester-lco", "bids_in"), "Dudley: one block over £500m, one bidder"
    assert "NHS008" in named("cambridgeshire-unitingcare", "draft"), (
        "South Warwickshire: older people, paid by outcomes"
    )


def test_only_cases_that_could_be_judged_are_known() -> None:
    for each in known("draft"):
        assert each.case.fail and not (each.case.censored and not each.failed)


def test_sources_are_addresses_with_their_titles() -> None:
    for case in casebook.cases():
        for cited in sources(case):
            assert cited.url.startswith(("http://", "https://")) and cited.title
    assert any(cited.title != cited.url for case in casebook.cases() for cited in sources(case))


def test_it_says_that_comparables_are_no_rate() -> None:
    assert "not evidence of a rate" in comparables(one({"lots": 1})).note
    assert msgspec.json.encode(comparables(one({"tender": {}}), "draft", 2))
