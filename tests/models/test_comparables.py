"""Comparables: cases that say how they ended and where that is written, and the scores of the cohort cases."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks import comparables as measured
from models.bundle import Bundle
from models.comparables import NEAREST, Peers, citations, comparables, known_cases, peers
from models.score import score
from tenders import casebook
from tenders.facts import STAGES, Stage
from tenders.io.read import read_file, to_process

EXAMPLES = Path(__file__).parents[2] / "examples"
each_stage = pytest.mark.parametrize("stage", STAGES)


def named(name: str, stage: Stage) -> list[str]:
    return [each.case for each in comparables(read_file(EXAMPLES / f"{name}.json")[0], stage).cases]


@each_stage
@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.json")), ids=lambda file: file.stem)
def test_cases_come_nearest_first_with_known_ends_and_never_the_tender_itself(file: Path, stage: Stage) -> None:
    process = read_file(file)[0]
    if not process.has_reached(stage):
        return
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


@pytest.mark.parametrize(
    ("title", "group"),
    [
        ("Community nursing and therapy services", "community health"),
        ("Non-emergency patient transport", "patient transport"),
        ("Passenger rail franchise", "rail and sea"),
        ("Household waste treatment plant", "roads and waste"),
    ],
)
def test_a_title_alone_finds_cases_of_its_kind_and_says_by_which_words(title: str, group: str) -> None:
    found = comparables(to_process({"title": title}), "draft", 3).cases
    assert [casebook.case(each.case).service_group for each in found].count(group) >= 2
    assert all(each.likeness.also[0].startswith("the words ") for each in found)


def test_the_nearest_three_share_the_group_in_four_of_five_cases() -> None:
    asked = measured.row("title and description", lambda case: measured.nearest_groups(case, True, True))
    assert asked["cases"] > 300 and asked["all three"] >= measured.AIM


def test_only_cases_that_could_be_judged_are_known() -> None:
    for each in known_cases("draft"):
        assert each.case.fail and not (each.case.censored and not each.failed)


def test_sources_are_addresses_with_their_titles() -> None:
    for case in casebook.cases():
        for cited in citations(case):
            assert cited.url.startswith(("http://", "https://")) and cited.title
    assert any(cited.title != cited.url for case in casebook.cases() for cited in citations(case))


def test_it_says_that_comparables_are_no_rate() -> None:
    assert "do not show a rate" in comparables(to_process({"lots": 1})).note
    assert msgspec.json.encode(comparables(to_process({"tender": {}}), "draft", 2))


def test_peers_are_the_cohort_cases_with_the_scores_of_score(bundle: Bundle) -> None:
    found = peers(bundle, "bids_in")
    cases = [each for each in known_cases("bids_in") if not each.case.picked]
    assert (len(found.failed), len(found.held)) == (
        sum(each.failed for each in cases), sum(not each.failed for each in cases),
    )  # fmt: skip
    for each in cases[:20]:
        failure = score(bundle, each.case.process(), "bids_in", explain=False).failure
        assert failure in (found.failed if each.failed else found.held)
    assert list(found.failed) == sorted(found.failed) and list(found.held) == sorted(found.held)


@pytest.mark.parametrize(("failure", "below"), [(0.0, (0, 0)), (0.2, (1, 1)), (0.25, (1, 2)), (1.0, (2, 3))])
def test_those_below_a_score_are_counted_and_equals_are_not_below(failure: float, below: tuple[int, int]) -> None:
    found = Peers(stage="draft", failed=(0.1, 0.3), held=(0.1, 0.2, 0.3))
    assert found.below(failure) == below
