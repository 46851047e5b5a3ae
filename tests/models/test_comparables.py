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
    return [comparable.case for comparable in comparables(read_file(EXAMPLES / f"{name}.json")[0], stage).cases]


@each_stage
@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.json")), ids=lambda file: file.stem)
def test_cases_come_nearest_first_with_known_ends_and_never_the_tender_itself(file: Path, stage: Stage) -> None:
    process = read_file(file)[0]
    if not process.has_reached(stage):
        return
    answer = comparables(process, stage)
    distances = [comparable.likeness.distance for comparable in answer.cases]
    assert len(distances) == NEAREST and distances == sorted(distances)
    assert f"{process.ocid}" not in {f"casebook-{comparable.case}" for comparable in answer.cases}
    for comparable in answer.cases:
        assert casebook.case(comparable.case).fail == ("1" if comparable.failed else "0")
        assert comparable.outcome and (comparable.likeness.also or comparable.likeness.unlike)
    assert comparables(process, stage) == answer


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
    nearest = comparables(to_process({"title": title}), "draft", 3).cases
    assert [casebook.case(comparable.case).service_group for comparable in nearest].count(group) >= 2
    assert all(comparable.likeness.also[0].startswith("the words ") for comparable in nearest)


def test_the_nearest_three_share_the_group_in_four_of_five_cases() -> None:
    figures = measured.row("title and description", lambda case: measured.nearest_groups(case, True, True))
    assert figures["cases"] > 300 and figures["all three"] >= measured.AIM


def test_only_cases_that_could_be_judged_are_known() -> None:
    for entry in known_cases("draft"):
        assert entry.case.fail and not (entry.case.censored and not entry.failed)


def test_sources_are_addresses_with_their_titles() -> None:
    for case in casebook.cases():
        for cited in citations(case):
            assert cited.url.startswith(("http://", "https://")) and cited.title
    assert any(cited.title != cited.url for case in casebook.cases() for cited in citations(case))


def test_it_says_that_comparables_are_no_rate() -> None:
    assert "do not show a rate" in comparables(to_process({"lots": 1})).note
    assert msgspec.json.encode(comparables(to_process({"tender": {}}), "draft", 2))


def test_peers_are_the_cohort_cases_with_the_scores_of_score(bundle: Bundle) -> None:
    cohort = peers(bundle, "bids_in")
    cases = [entry for entry in known_cases("bids_in") if not entry.case.picked]
    assert (len(cohort.failed), len(cohort.held)) == (
        sum(entry.failed for entry in cases), sum(not entry.failed for entry in cases),
    )  # fmt: skip
    for entry in cases[:20]:
        failure = score(bundle, entry.case.process(), "bids_in", explain=False).failure
        assert failure in (cohort.failed if entry.failed else cohort.held)
    assert list(cohort.failed) == sorted(cohort.failed) and list(cohort.held) == sorted(cohort.held)


@pytest.mark.parametrize(("failure", "below"), [(0.0, (0, 0)), (0.2, (1, 1)), (0.25, (1, 2)), (1.0, (2, 3))])
def test_those_below_a_score_are_counted_and_equals_are_not_below(failure: float, below: tuple[int, int]) -> None:
    cohort = Peers(stage="draft", failed=(0.1, 0.3), held=(0.1, 0.2, 0.3))
    assert cohort.below(failure) == below
