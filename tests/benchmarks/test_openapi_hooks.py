"""What Schemathesis sends is mended where a schema cannot say what the service asks, and only probabilities count."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("schemathesis")

from benchmarks.openapi_hooks import is_scored, mended
from tenders.io.read import to_process

FORM = {"title": "Nursing"}
RELEASES = [
    {"ocid": "a", "date": "2026-03-01", "tender": {"title": "One"}},
    {"ocid": "b", "date": "2026-03-02", "tender": {"title": "Two"}},
]


def test_the_releases_of_a_package_become_those_of_one_process() -> None:
    assert to_process(mended({"tender": {"releases": RELEASES}})["tender"]).ocid == "a"
    (entry,) = mended([{"releases": RELEASES}])
    assert to_process(entry).ocid == "a"


@pytest.mark.parametrize("stage", ["bids_in", "awarded"])
def test_a_form_shows_the_stage_as_of_which_it_is_scored(stage: str) -> None:
    for body in ({"tender": FORM, "stage": stage}, {"tenders": [{"tender": FORM}], "stage": stage}):
        made = mended(body)
        assert to_process(made.get("tender") or made["tenders"][0]["tender"]).has_reached(stage)


def test_facts_that_are_known_later_are_not_set() -> None:
    facts = {"lots": 2, "bidders": 3, "supplier": "A"}
    assert mended({"tender": FORM, "set": facts})["set"] == {"lots": 2}
    assert mended({"tender": FORM, "stage": "bids_in", "scenarios": [facts]})["scenarios"] == [{"lots": 2, "bidders": 3}]


@pytest.mark.parametrize("body", [None, 5, [], [5], {}, {"tender": 5}, {"releases": [5]}, {"set": 5, "scenarios": [5]}])
def test_what_is_none_of_these_stays(body: Any) -> None:
    assert mended(body) == body


def test_an_answer_without_a_probability_is_not_scored() -> None:
    scored, refused = {"failure": 0.3}, {"error": "no tender", "problems": []}
    assert is_scored(scored) and is_scored([refused, scored])
    assert is_scored({"base": scored, "scenarios": [{"score": scored}]})
    assert not any(map(is_scored, (refused, [], [refused], {"failure": None}, {"failure": 2.0}, "text")))
