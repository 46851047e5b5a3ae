"""What to expect of a list: the mean probability with its bounds, and what validation found at its length."""

from __future__ import annotations

import numpy as np
import pytest

from portfolio.expected import precision, validated

METRICS = {
    "dncp_py/no_award/draft": {"n": 500.0, "base_rate": 0.1, "lift_at_5": 3.0, "lift_at_10": 2.0},
    "failure/draft/cohort": {"n": 231.0, "base_rate": 0.218},
    "fpds_dod_us/early_end/awarded": {"n": 90.0, "base_rate": None},
}


def test_what_is_expected_is_the_mean_probability_with_bounds_that_chance_widens() -> None:
    found = precision(np.full(100, 0.4), np.full(100, 0.3), np.full(100, 0.5))
    assert found is not None
    assert (found.rows, found.expected, found.interval) == (100, 0.4, (0.3, 0.5))
    # 1.96 standard deviations of a share of 100.
    assert found.found == pytest.approx((0.3 - 1.96 * 0.0458, 0.5 + 1.96 * 0.05), abs=1e-3)


def test_of_no_tender_nothing_is_expected() -> None:
    assert precision(np.empty(0), np.empty(0), np.empty(0)) is None


@pytest.mark.parametrize(("length", "share", "found"), [(0.04, 0.05, 0.3), (0.09, 0.1, 0.2), (0.5, None, None)])
def test_validation_counted_at_some_shares(length: float, share: float | None, found: float | None) -> None:
    told = validated(METRICS, "dncp_py", "draft", length)
    assert told is not None
    assert (told.outcome, told.rows, told.base_rate, told.share, told.precision) == ("no_award", 500, 0.1, share, found)


def test_for_the_uk_it_speaks_of_the_cohorts() -> None:
    told = validated(METRICS, "uk", "draft", 0.01)
    assert told is not None
    assert (told.outcome, told.rows, told.precision) == ("failure", 231, None)


@pytest.mark.parametrize(("register", "stage"), [("uk", "awarded"), ("elsewhere", "draft"), ("fpds_dod_us", "awarded")])
def test_what_the_bundle_does_not_say_stays_open(register: str, stage: str) -> None:
    assert validated(METRICS, register, stage, 0.01) is None
