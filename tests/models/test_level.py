"""The level: it follows what came of forecasts, says how far it may lie away, and takes quick outcomes for no more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from models.level import MONTH, NOISE, START, STEP, Known, Level, follow, served_variance, shifts

DAY = 738_000


def register(shift: float, days: int = 720, a_day: int = 30, seed: int = 0, slow: float = 5.0) -> Known:
    """Forecasts of 10 % at a level that lies `shift` away; failures are known in five days, the others in `slow`."""
    rng = np.random.default_rng(seed)
    published = np.repeat(DAY + np.arange(days), a_day)
    logit = rng.normal(-2.2, 0.5, len(published))
    y = (rng.random(len(published)) < 1 / (1 + np.exp(-logit - shift))).astype(float)
    lag = np.ceil(rng.exponential(np.where(y == 1, 5.0, slow))).astype(np.int64)
    return Known(logit=logit, published=published, known=published + lag, y=y, cluster=np.arange(len(y)))


@pytest.mark.parametrize("shift", [-0.6, 0.0, 0.4, 1.0])
def test_a_level_that_moved_is_found(shift: float) -> None:
    level = follow(register(shift), DAY + 700, Level(day=DAY))
    assert level.shift == pytest.approx(shift, abs=0.15)
    assert level.variance < START**2
    assert level.cases > 10_000 and level.day > DAY + 600


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_outcomes_that_are_told_late_do_not_move_it(shift: float) -> None:
    level = follow(register(shift, slow=80.0), DAY + 400, Level(day=DAY))
    assert level.shift == pytest.approx(shift, abs=0.2)


def test_it_lies_within_what_it_says() -> None:
    inside = []
    for seed in range(40):
        shift = float(np.random.default_rng(seed).normal(0, START))
        level = follow(register(shift, days=120, a_day=10, seed=seed), DAY + 120, Level(day=DAY))
        inside.append(abs(level.shift - shift) < 1.96 * np.sqrt(level.variance))
    assert np.mean(inside) > 0.85


def test_without_outcomes_nothing_moves_and_the_variance_grows_with_time() -> None:
    start = Level(day=DAY)
    seen = replace(register(1.0), y=np.full(720 * 30, np.nan))
    assert follow(seen, DAY + 700, start) == start
    assert start.variance_on(DAY + 10 * MONTH) == pytest.approx(START**2 + NOISE**2 + 10 * STEP**2)
    assert START**2 < served_variance() < start.variance_on(DAY + 6 * MONTH)


@given(age=st.integers(1, 300))
def test_nothing_that_became_known_later_moves_it(age: int) -> None:
    seen = register(0.5, days=300, a_day=3)
    later = seen.known >= DAY + age
    turned = replace(seen, y=np.where(later, 1 - seen.y, seen.y))
    assert follow(seen, DAY + age, Level(day=DAY)) == follow(turned, DAY + age, Level(day=DAY))


def test_cases_that_share_their_fate_count_less() -> None:
    seen = register(0.5, days=90)
    # Ten copies of each case that all end alike.
    copies = Known(**{name: np.repeat(getattr(seen, name), 10) for name in seen.__struct_fields__})
    alone, together = (follow(cases, DAY + 90, Level(day=DAY)) for cases in (seen, copies))
    assert together.shift == pytest.approx(alone.shift, abs=0.05)
    assert together.variance == pytest.approx(alone.variance, rel=0.2)


def test_a_tender_has_the_level_of_its_month_and_none_before_the_fit() -> None:
    seen, start = register(0.8), Level(day=DAY + 100)
    days = DAY + np.array([50, 100, 129, 130, 300])
    moves = shifts(seen, days, start)
    assert (moves[:3] == 0).all()
    assert moves[3] == follow(seen, DAY + 130, start).shift
    assert moves[4] == pytest.approx(0.8, abs=0.25)
