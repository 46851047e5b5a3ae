"""What Schemathesis sends is mended where a schema cannot say what the service asks, and only probabilities count."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

pytest.importorskip("schemathesis")

from benchmarks.openapi import INVALID, SHARE, spread, still_to_send
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


def test_lots_are_as_many_as_their_values() -> None:
    assert mended({"tender": {"lots": 4, "lot_values": [1, 2]}})["tender"] == {"lots": 2, "lot_values": [1, 2]}
    facts = {"lots": 4, "lot_values": [1, 2], "single_block": True}
    assert mended({"tender": FORM, "set": facts})["set"] == {"lots": 2, "lot_values": [1, 2]}
    assert mended({"tender": {"lots": 4, "lot_values": []}})["tender"]["lots"] == 4


@pytest.mark.parametrize("body", [None, 5, [], [5], {}, {"tender": 5}, {"releases": [5]}, {"set": 5, "scenarios": [5]}])
def test_what_is_none_of_these_stays(body: Any) -> None:
    assert mended(body) == body


def test_an_answer_without_a_probability_is_not_scored() -> None:
    scored, refused = {"failure": 0.3}, {"error": "no tender", "problems": []}
    assert is_scored(scored) and is_scored([refused, scored])
    assert is_scored({"base": scored, "scenarios": [{"score": scored}]})
    assert not any(map(is_scored, (refused, [], [refused], {"failure": None}, {"failure": 2.0}, "text")))


def test_the_endpoints_end_up_with_as_many_cases_each() -> None:
    assert spread(60, {"a": 10, "b": 30, "c": 500}) == {"a": 40, "b": 20, "c": 0}
    assert spread(0, {"a": 1, "b": 2}) == {"a": 0, "b": 0}


def test_what_is_still_to_send_makes_the_promised_shares() -> None:
    so_far = Counter({("/score", "valid", True): 300, ("/jobs", "valid", False): 500, ("/score", "invalid", False): 100})
    more = {mode: sum(counts.values()) for mode, counts in still_to_send(so_far, 1_000).items()}
    total = so_far.total() + sum(more.values())
    assert total >= 1_000 and 100 + more["negative"] >= INVALID * 1_000
    assert 300 + more["positive"] >= SHARE * total
