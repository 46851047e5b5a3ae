"""Calibration: never a reversed rule, the base rate in the mean, wide where little is known."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from scipy.special import expit

from models.calibration import Calibration
from training.calibrate import (
    TRUST,
    fit_calibration,
    fit_line,
    intercept_for_rate,
    shrink_slope_to_one,
    widen_for_level,
)

Floats = NDArray[np.float64]
RESAMPLES = 25


def cases(n: int, strength: float, seed: int = 0) -> tuple[Floats, Floats]:
    """Margins, and outcomes that follow them as strongly as asked for."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(size=n)
    return margin, (rng.random(n) < expit(-1.5 + strength * margin)).astype(float)


def calibrated(margin: Floats, y: Floats, cluster: NDArray[np.int64] | None = None) -> Calibration:
    """With weights of 1 and clusters of one, unless said otherwise."""
    return fit_calibration(
        margin, y, np.ones(len(y)), np.arange(len(y)) if cluster is None else cluster, seed=1, times=RESAMPLES
    )


def width(calibration: Calibration) -> float:
    """How far the resampled probabilities at the mean margin lie apart."""
    low, high = np.percentile(calibration.draws(np.zeros(1)), [2.5, 97.5])
    return float(high - low)


@pytest.mark.parametrize("strength", [-3.0, -1.0, 0.0, 1.0, 3.0])
def test_the_slope_is_never_negative_even_for_reversed_margins(strength: float) -> None:
    calibration = calibrated(*cases(200, strength))
    assert calibration.slope >= 0
    assert all(slope >= 0 for _, slope in calibration.resampled)


def test_reversed_margins_tell_next_to_nothing_and_true_ones_much() -> None:
    reversed_, true = (calibrated(*cases(400, strength)).slope for strength in (-2.0, 2.0))
    assert reversed_ < 0.02
    assert true > 1


@pytest.mark.parametrize("strength", [-1.0, 0.0, 2.0])
def test_the_mean_probability_is_the_base_rate(strength: float) -> None:
    margin, y = cases(300, strength)
    weight = np.random.default_rng(2).uniform(0.2, 1, 300)
    calibration = fit_calibration(margin, y, weight, np.arange(300), seed=1, times=20)
    p = expit(calibration.intercept + calibration.slope * margin)
    assert np.average(p, weights=weight) == pytest.approx(calibration.base_rate, abs=1e-3)
    assert calibration.base_rate == pytest.approx(np.average(y, weights=weight), abs=1e-6)


def test_fewer_clusters_make_a_wider_interval() -> None:
    margin, y = cases(240, 1.0)
    y = np.sort(y)  # whoever shares a cluster shares its outcome
    few, many = (calibrated(margin, y, np.repeat(np.arange(240 // size), size)) for size in (24, 1))
    assert (few.groups, many.groups) == (10, 240)
    assert width(few) > 1.5 * width(many)


def test_fewer_cases_make_a_wider_interval_and_smaller_slopes() -> None:
    few, many = ([calibrated(*cases(n, 2.0, seed)) for seed in range(5)] for n in (20, 400))
    assert np.mean([*map(width, few)]) > 3 * np.mean([*map(width, many)])
    assert np.mean([calibration.slope for calibration in few]) < np.mean([calibration.slope for calibration in many])


def test_it_says_what_it_rests_on() -> None:
    margin, y = cases(100, 1.0)
    calibration = calibrated(margin, y, np.repeat(np.arange(50), 2))
    assert (calibration.cases, calibration.positives, calibration.groups) == (100, int(y.sum()), 50)
    assert len(calibration.resampled) == RESAMPLES


@pytest.mark.parametrize("y", [np.zeros(20), np.ones(20)])
def test_outcomes_all_alike_still_have_odds(y: Floats) -> None:
    calibration = calibrated(np.linspace(-1, 1, 20), y)
    assert np.isfinite([calibration.intercept, calibration.slope]).all()
    assert calibration.draws(np.zeros(1)).min() > 0 and calibration.draws(np.zeros(1)).max() < 1


@pytest.mark.filterwarnings("error")
def test_margins_all_alike_have_no_slope() -> None:
    assert calibrated(np.zeros(40), cases(40, 0.0)[1]).slope == pytest.approx(0, abs=1e-6)


def test_a_line_does_not_depend_on_the_unit_of_the_margin() -> None:
    margin, y = cases(200, 1.0)
    weight = np.ones(200)
    a, b = fit_line(margin, y, weight, float(margin.std()))
    c, d = fit_line(1000 * margin + 7, y, weight, float((1000 * margin).std()))
    assert expit(c + d * (1000 * margin + 7)) == pytest.approx(expit(a + b * margin), abs=1e-3)


def test_few_cases_hardly_move_the_slope_from_one_and_many_do() -> None:
    slopes = []
    for n in (40, 40_000):
        margin, y = cases(n, 0.5, seed=1)
        slopes.append(shrink_slope_to_one(calibrated(margin, y), margin, y).slope)
    few, many = slopes
    assert few == pytest.approx(1, abs=TRUST)
    assert many == pytest.approx(0.5, abs=0.1)


def test_what_is_trusted_has_the_mean_it_is_given_and_never_a_reversed_rule() -> None:
    margin, y = cases(300, -1.0)
    for given in (y, expit(margin)):
        calibration = shrink_slope_to_one(calibrated(margin, y), margin, given)
        assert calibration.probabilities(margin).mean() == pytest.approx(given.mean(), abs=1e-3)
        assert calibration.slope >= 0 and min(slope for _, slope in calibration.resampled) >= 0


def test_resamples_lie_around_the_line_that_is_trusted() -> None:
    margin, y = cases(300, 1.5)
    plain = calibrated(margin + 4, y)
    calibration = shrink_slope_to_one(plain, margin + 4, y)
    slopes = [slope for _, slope in calibration.resampled]
    assert np.mean(slopes) == pytest.approx(calibration.slope, abs=0.01)
    assert np.std(slopes) < np.std([slope for _, slope in plain.resampled])
    at = float((margin + 4).mean())
    assert np.mean([a + b * at for a, b in calibration.resampled]) == pytest.approx(calibration.logit(at), abs=0.1)


def level(calibration: Calibration) -> float:
    """The spread of the resampled intercepts."""
    return float(np.std([a for a, _ in calibration.resampled]))


@pytest.mark.parametrize("variance", [0.0, 0.06, 0.5])
def test_the_level_moves_by_its_variance_and_the_line_stays(variance: float) -> None:
    margin, y = cases(2000, 1.0)
    line = fit_calibration(margin, y, np.ones(len(y)), np.arange(len(y)), seed=1, times=200)
    calibration = widen_for_level(line, variance, 1)
    assert replace(calibration, resampled=()) == replace(line, resampled=())
    assert [b for _, b in calibration.resampled] == [b for _, b in line.resampled]
    assert level(calibration) == pytest.approx(np.hypot(level(line), np.sqrt(variance)), rel=0.15)


def test_the_same_seed_moves_the_level_alike() -> None:
    line = calibrated(*cases(200, 1.0))
    one, again, other = (widen_for_level(line, 0.06, seed).resampled for seed in (1, 1, 2))
    assert one == again != other


@pytest.mark.parametrize("slope", [0.0, 0.3, 5.0])
@pytest.mark.parametrize("rate", [0.0, 0.001, 0.4, 1.0])
def test_the_intercept_gives_the_rate_whatever_the_margins(slope: float, rate: float) -> None:
    margin = np.random.default_rng(4).normal(3, 4, 1000)
    y = (np.arange(1000) < rate * 1000).astype(float)
    p = expit(intercept_for_rate(margin, y, np.ones(1000), slope) + slope * margin)
    assert p.mean() == pytest.approx(np.clip(rate, 1e-4, 1 - 1e-4), rel=1e-9)
