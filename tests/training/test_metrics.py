"""Figures agree with what is worked out by hand, and with scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from training import metrics

ONES = np.ones(4)


@pytest.mark.parametrize(
    ("y", "p", "weight", "area"),
    [
        ([1, 0, 1, 0], [4, 3, 2, 1], [1, 1, 1, 1], 3 / 4),
        ([1, 1, 0, 0], [4, 3, 2, 1], [1, 1, 1, 1], 1),
        ([0, 0, 1, 1], [4, 3, 2, 1], [1, 1, 1, 1], 0),
        ([1, 0, 1, 0], [2, 2, 2, 2], [1, 1, 1, 1], 1 / 2),
        ([1, 0, 1, 0], [4, 3, 2, 1], [3, 1, 1, 1], (3 * 2 + 1) / (4 * 2)),
    ],
)
def test_auc_is_the_share_of_pairs_in_the_right_order(
    y: list[int], p: list[int], weight: list[int], area: float
) -> None:
    assert metrics.auc(
        np.array(y, dtype=float), np.array(p, dtype=float), np.array(weight, dtype=float)
    ) == pytest.approx(area)


rows = st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.floats(0.01, 5)), min_size=2, max_size=40)


@settings(max_examples=30)
@given(rows=rows.filter(lambda drawn: len({y for y, _, _ in drawn}) == 2))
def test_auc_is_that_of_scikit_learn(rows: list[tuple[bool, int, float]]) -> None:
    y, p, weight = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    assert metrics.auc(y, p, weight) == pytest.approx(roc_auc_score(y, p, sample_weight=weight))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("y", [np.zeros(4), ONES])
def test_auc_of_one_outcome_is_not_a_number(y: metrics.Floats) -> None:
    assert math.isnan(metrics.auc(y, np.arange(4.0), ONES))


def test_average_precision_by_hand() -> None:
    # The positives stand first and third of four: (1/1 + 2/3) / 2.
    assert metrics.average_precision(np.array([1.0, 0, 1, 0]), np.array([4.0, 3, 2, 1]), ONES) == pytest.approx(5 / 6)
    assert math.isnan(metrics.average_precision(np.zeros(4), np.arange(4.0), ONES))


def test_brier_by_hand() -> None:
    y, p = np.array([1.0, 0]), np.array([0.8, 0.4])
    assert metrics.brier(y, p, np.ones(2)) == pytest.approx((0.04 + 0.16) / 2)
    assert metrics.brier(y, p, np.array([3.0, 1.0])) == pytest.approx((3 * 0.04 + 0.16) / 4)


def test_ece_by_hand() -> None:
    # Two bins of two: |0.1 - 0.5| and |0.8 - 1|.
    y, p = np.array([0.0, 1, 1, 1]), np.array([0.1, 0.1, 0.8, 0.8])
    assert metrics.ece(y, p, ONES, bins=2) == pytest.approx((0.4 + 0.2) / 2)


def test_ece_of_a_perfect_forecast_is_small_and_of_a_wrong_one_is_its_error() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0, 1, 50_000)
    y = (rng.random(50_000) < p).astype(float)
    assert metrics.ece(y, p, np.ones(50_000)) < 0.01
    assert metrics.ece(y, np.clip(p + 0.2, 0, 1), np.ones(50_000)) == pytest.approx(0.18, abs=0.03)


def test_lift_by_hand() -> None:
    y, p = np.array([1.0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), np.arange(10.0)[::-1]
    assert metrics.lift(y, p, 0.1) == pytest.approx(1 / 0.2)
    assert metrics.lift(y, p, 0.5) == pytest.approx(2 / 5 / 0.2)


def test_a_lift_counts_rows_by_their_weights() -> None:
    y, p = np.array([1.0, 1, 1, 0, 0, 0]), np.array([0.9, 0.8, 0.8, 0.3, 0.2, 0.1])
    weight = np.array([1.0, 0.5, 0.5, 1, 1, 1])
    assert metrics.lift(y, p, 0.4, weight) == pytest.approx(1 / 0.4)
    assert metrics.lift(y, p, 1.0, weight) == pytest.approx(1)


def test_lift_counts_ties_by_their_mean_whatever_their_order() -> None:
    p = np.array([2.0, 1, 1, 1, 1])
    for y in ([1, 1, 0, 0, 0], [1, 0, 0, 0, 1]):
        # Two of five taken: the first, and a quarter of a hit from the four that tie.
        assert metrics.lift(np.array(y, dtype=float), p, 0.4) == pytest.approx((1 + 0.25) / 2 / 0.4)
    assert metrics.lift(np.array([1.0, 0, 1, 0]), np.zeros(4), 0.5) == pytest.approx(1)
    assert math.isnan(metrics.lift(np.zeros(4), np.arange(4.0), 0.5))


def test_an_interval_holds_the_figure_and_is_wider_where_cases_share_fate() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(200) < 0.3).astype(float)
    p = y + rng.normal(size=200)
    weight = np.ones(200)
    alone = metrics.bootstrap_interval(metrics.auc, y, p, weight, np.arange(200))
    # Ten groups whose members all ended alike.
    fate = np.repeat(np.arange(10), 20)
    shared_y = np.repeat((np.arange(10) % 3 == 0).astype(float), 20)
    shared_p = shared_y + np.repeat(rng.normal(size=10), 20)
    low, high = metrics.bootstrap_interval(metrics.auc, shared_y, shared_p, weight, fate)
    assert alone[0] <= metrics.auc(y, p, weight) <= alone[1]
    assert high - low > alone[1] - alone[0]
    assert metrics.bootstrap_interval(metrics.auc, y, p, weight, np.arange(200)) == alone


def test_a_summary_has_the_figures_of_cases_that_count_alike() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(300)
    y = (rng.random(300) < p).astype(float)
    ones = np.ones(300)
    figures = metrics.compute_metrics(y, p, np.arange(300), draws=20)
    assert (figures.n, figures.positives, figures.base_rate) == (300, y.sum(), y.mean())
    assert figures.auc == metrics.auc(y, p, ones)
    assert figures.auc_ci == metrics.bootstrap_interval(metrics.auc, y, p, ones, np.arange(300), draws=20)
    assert figures.average_precision == metrics.average_precision(y, p, ones)
    assert (figures.brier, figures.ece) == (metrics.brier(y, p, ones), metrics.ece(y, p, ones))
    assert (figures.lift_at_5, figures.lift_at_10) == (metrics.lift(y, p, 0.05), metrics.lift(y, p, 0.1))


def test_what_cases_of_one_kind_cannot_tell_is_no_number() -> None:
    figures = metrics.compute_metrics(np.zeros(9), np.linspace(0, 1, 9), np.arange(9))
    assert np.isnan([figures.auc, *figures.auc_ci, figures.average_precision, figures.lift_at_5, figures.lift_at_10]).all()
    assert figures.brier > 0 and figures.base_rate == 0
