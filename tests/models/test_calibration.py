"""Calibration keeps the order of margins and says how little is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bundle import Bundle
from models.calibration import Calibration, failure_probability, sigmoid

probabilities = st.floats(0, 1)
margins = st.floats(-40, 40)


@given(a=margins, b=margins, intercept=st.floats(-10, 10), slope=st.floats(0, 10))
def test_a_higher_margin_never_has_a_lower_probability(a: float, b: float, intercept: float, slope: float) -> None:
    line = Calibration(
        intercept=intercept, slope=slope, resampled=((intercept, slope),), base_rate=0.2, cases=1, positives=0, groups=1
    )
    low, high = sorted([a, b])
    assert line.logit(low) <= line.logit(high)
    assert line.draws(np.array([low]))[0, 0] <= line.draws(np.array([high]))[0, 0]


@given(a=st.floats(allow_nan=False), b=st.floats(allow_nan=False))
def test_a_probability_lies_between_0_and_1_and_keeps_the_order(a: float, b: float) -> None:
    low, high = sigmoid(np.array(sorted([a, b])))
    assert 0 <= low <= high <= 1


def test_log_odds_of_0_are_even() -> None:
    assert sigmoid(np.array([0.0, math.log(3)])) == pytest.approx([0.5, 0.75])


@given(no_award=probabilities, early_end=probabilities)
def test_failure_is_either_outcome_and_no_less_than_each(no_award: float, early_end: float) -> None:
    failure = failure_probability(no_award, early_end)
    assert 0 <= failure <= 1
    assert failure >= max(no_award, early_end) - 1e-12
    assert failure <= no_award + early_end + 1e-12


@pytest.mark.parametrize(("no_award", "early_end", "failure"), [(0, 0, 0), (1, 0, 1), (0.2, 0.5, 0.6), (0, 0.3, 0.3)])
def test_early_end_is_given_an_award(no_award: float, early_end: float, failure: float) -> None:
    assert failure_probability(no_award, early_end) == pytest.approx(failure)


def test_no_released_line_is_reversed_and_each_says_what_it_rests_on(bundle: Bundle) -> None:
    assert set(bundle.calibration) == {(part.outcome, part.stage) for part in bundle.manifest.parts}
    for line in bundle.calibration.values():
        assert line.slope >= 0
        assert all(slope >= 0 for _, slope in line.resampled)
        assert 0 < line.positives < line.cases
    for other in bundle.registers.values():
        for line in other.calibration.values():
            assert line.slope >= 0 and all(slope >= 0 for _, slope in line.resampled)
            assert line.groups <= line.cases


def test_margins_of_pooled_effects_are_log_odds_already(bundle: Bundle) -> None:
    for part in bundle.manifest.parts:
        line = bundle.calibration[part.outcome, part.stage]
        assert (line.intercept, line.slope) == (0.0, 1.0)


def test_a_register_of_unknown_level_has_the_base_rate_and_an_interval_that_spans_the_others() -> None:
    line = Calibration(
        intercept=0.0, slope=1.0, resampled=((-1.0, 0.5), (0.3, 0.9)), base_rate=0.2, cases=9, positives=2, groups=3
    )
    unknown = line.at_unknown_level([0.05, 0.4])
    assert unknown.probability(0.0) == pytest.approx(0.2)
    assert {round(float(p), 6) for p in unknown.draws(np.zeros(1))[0]} == {0.05, 0.4}
    assert unknown.probability(1.0) > unknown.probability(0.0)
