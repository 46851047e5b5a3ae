"""Counting against a reference: in helpings or at once the same, unknown apart, and equal values on the right side."""

from __future__ import annotations

import numpy as np
import pytest

from models.tally import Counted, Tally
from models.training_profile import levels
from tenders.io.reading import one
from tests import samples
from tests.models import drifted


def counted(past: np.ndarray, *helpings: np.ndarray) -> Counted:
    found = Counted(np.asarray(levels(past)))
    for each in helpings:
        found.add(each)
    return found


def test_the_same_rows_are_no_distance_away_and_unknown_ones_are_counted_apart() -> None:
    past = np.random.default_rng(0).lognormal(size=1000)
    found = counted(past, past, np.full(10, np.nan))
    assert (found.known, found.unknown) == (1000, 10)
    assert found.farthest()[0] < 0.01


def test_the_distance_is_the_largest_difference_in_share_and_where_it_lies() -> None:
    size, at, was, now = counted(np.arange(101.0), np.arange(101.0) / 2).farthest()
    assert (size, at, was) == (pytest.approx(0.5, abs=0.01), pytest.approx(50), 0.5)
    assert now == pytest.approx(1, abs=0.02)


def test_helpings_do_not_matter() -> None:
    rows = np.random.default_rng(1).normal(size=300)
    one_by_one, at_once = counted(rows, *np.split(rows, 30)), counted(rows, rows)
    assert one_by_one.farthest() == at_once.farthest()


def test_a_yes_or_no_is_told_from_another_share_of_yes() -> None:
    past = np.repeat([0.0, 1.0], [900, 100])
    assert counted(past, np.repeat([0.0, 1.0], [880, 120])).farthest()[0] < 0.05
    assert counted(past, np.repeat([0.0, 1.0], [600, 400])).farthest()[0] == pytest.approx(0.3, abs=0.05)


def test_a_share_that_was_rounded_is_still_the_same_value() -> None:
    third = np.full(100, np.float32(1 / 3))
    assert counted(third, third).farthest()[0] == 0


def test_codes_are_counted_where_they_are_stated() -> None:
    tally = Tally(drifted.reference(100, np.random.default_rng(2)))
    tally.add([one(samples.draft()).as_of("draft"), one(samples.plain(mainProcurementCategory=None)).as_of("draft")])
    assert tally.rows == 2
    assert tally.codes["category"] == {"services": 1}
