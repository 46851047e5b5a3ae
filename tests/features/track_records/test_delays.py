"""Delay: what is known so far teaches rates as they will be in the end, whichever kind of outcome is told first."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.track_records import delays
from features.track_records.delays import LEAST_KNOWN, LONGEST, delays_as_of, level_as_of, levels, teaching

Floats = NDArray[np.float64]
Days = NDArray[np.int64]
FIRST = date(2024, 10, 1).toordinal()
RATE = 0.06


def register(days: int = 400, a_day: int = 40, seed: int = 0, slow: float = 60.0) -> tuple[Days, Days, Floats]:
    """Failures are told in two weeks, awards in `slow` days; RATE fail, from the first day to the last."""
    rng = np.random.default_rng(seed)
    published = np.repeat(FIRST + np.arange(days), a_day)
    y = (rng.random(len(published)) < RATE).astype(float)
    lag = np.ceil(rng.exponential(np.where(y == 1, 14.0, slow))).astype(np.int64)
    return published, published + lag, y


def rate(level: float) -> float:
    return 1 / (1 + np.exp(-level))


@pytest.mark.parametrize("age", [60, 90, 120, 200, 390])
def test_a_level_is_that_of_the_end_and_not_of_what_is_told_first(age: int) -> None:
    published, known, y = register()
    day = FIRST + age
    so_far = y[(known < day)].mean()
    level = rate(level_as_of(published, known, y, np.ones(len(y)), day)[0])
    assert abs(level - RATE) < 0.015
    assert age > 200 or abs(level - RATE) < abs(so_far - RATE) / 2, (
        "what is known so far says more than twice the error"
    )


def test_where_all_is_told_at_once_the_level_is_the_share_of_what_is_known() -> None:
    rng = np.random.default_rng(1)
    published = np.repeat(FIRST + np.arange(300), 20)
    y = (rng.random(len(published)) < 0.3).astype(float)
    taught = teaching(published, published + 10, y, FIRST + 250)
    assert np.allclose(taught.weight, 1.0)
    assert set(taught.rows) == set(np.flatnonzero(published + 10 < FIRST + 250))


@given(seed=st.integers(0, 40), age=st.integers(1, 300))
def test_nothing_that_became_known_later_changes_what_may_teach(seed: int, age: int) -> None:
    published, known, y = register(days=250, a_day=3, seed=seed)
    day = FIRST + age
    later = known >= day
    other = np.where(later, 1 - y, y)
    moved = np.where(later, known + 17, known)
    one, two = teaching(published, known, y, day), teaching(published, moved, other, day)
    assert np.array_equal(one.rows, two.rows) and np.array_equal(one.weight, two.weight)
    assert ((known[one.rows] < day) & (published[one.rows] < day)).all()
    assert ((one.weight >= 1) & (one.weight <= 1 / LEAST_KNOWN + 1e-9)).all()


@given(seed=st.integers(0, 40), age=st.integers(30, 300))
def test_more_of_an_outcome_is_known_the_older_a_publication_is(seed: int, age: int) -> None:
    as_of = delays_as_of(*register(days=250, a_day=3, seed=seed), FIRST + age)
    assert (np.diff(as_of.known, axis=1) >= -1e-12).all()
    assert (as_of.known[:, 0] == 0).all() and (as_of.known <= 1).all()


def test_how_fast_outcomes_are_told_is_found() -> None:
    published, known, y = register(days=700, a_day=100)
    as_of = delays_as_of(published, known, y, FIRST + 700)
    for age in (10, 30, 60, 120):
        expected = 1 - np.exp(-(age - 1) / np.array([60.0, 14.0]))
        assert as_of.known[:, age] == pytest.approx(expected, abs=0.03)


def test_incidence_is_that_of_aalen_and_johansen() -> None:
    published, known, y = register(days=200, a_day=10)
    day = FIRST + 200
    resolved = known < day
    age = np.where(resolved, known - published, day - 1 - published)
    surviving, incidence, by_age = 1.0, 0.0, {}
    for at in range(int(age.max()) + 1):
        at_risk = int((age >= at).sum())
        failed, ended = int((resolved & (age == at) & (y == 1)).sum()), int((resolved & (age == at)).sum())
        incidence += surviving * failed / at_risk
        surviving *= 1 - ended / at_risk
        by_age[at] = incidence
    shares = delays_as_of(published, known, y, day).known[1]
    for at in (10, 20, 40, 80):
        assert shares[at + 1] / shares[81] == pytest.approx(by_age[at] / by_age[80])


def test_what_was_not_recorded_before_the_register_began_is_not_under_way() -> None:
    published, known, y = register()
    older = np.repeat(FIRST - 1 - np.arange(500), 20)
    silent = np.full(len(older), np.nan)
    day = FIRST + 150
    alone = delays_as_of(published, known, y, day)
    with_old = delays_as_of(np.append(older, published), np.append(older, known), np.append(silent, y), day)
    assert with_old.known == pytest.approx(alone.known, abs=0.02)


def test_of_what_is_never_told_nothing_is_made() -> None:
    """Half of the register is silent for ever: the rate is that of what is told."""
    published, known, y = register(days=600)
    silent = np.random.default_rng(2).random(len(y)) < 0.5
    level = rate(level_as_of(published, known, np.where(silent, np.nan, y), np.ones(len(y)), FIRST + 590)[0])
    assert abs(level - RATE) < 0.015


def test_without_any_outcome_nothing_teaches_and_the_level_is_a_guess() -> None:
    empty = np.zeros(0, dtype=np.int64)
    assert len(teaching(empty, empty, np.zeros(0), FIRST).rows) == 0
    assert rate(level_as_of(empty, empty, np.zeros(0), np.zeros(0), FIRST)[0]) == pytest.approx(delays.GUESS)
    assert delays_as_of(empty, empty, np.zeros(0), FIRST).known.shape == (2, LONGEST + 2)


def test_levels_are_those_of_the_beginning_of_the_week() -> None:
    published, known, y = register(days=120)
    ones = np.ones(len(y))
    monday = FIRST + 60 - (FIRST + 60) % delays.WEEK
    by_day = levels(published, known, y, ones, np.arange(monday, monday + 8))
    assert (by_day[:, :7] == by_day[:, :1]).all()
    assert tuple(by_day[:, 0]) == level_as_of(published, known, y, ones, monday)
    assert tuple(by_day[:, 7]) == level_as_of(published, known, y, ones, monday + 7)
