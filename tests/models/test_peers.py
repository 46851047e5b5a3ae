"""Peers: the cohort cases whose end is known, each where `score` puts it."""

from __future__ import annotations

import pytest

from models.bundle import Bundle
from models.comparables import known
from models.peers import Peers, peers
from models.score import score


def test_they_are_the_cohort_cases_with_the_scores_of_score(bundle: Bundle) -> None:
    found = peers(bundle, "bids_in")
    cases = [each for each in known("bids_in") if not each.case.picked]
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
