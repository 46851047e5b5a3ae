"""The register layer finds planted effects, adjusts for what goes with them, and is as unsure as it should be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tests.training import made
from training.evidence.documented import LogOdds
from training.evidence.registers import (
    TRANSFER,
    adjusted_log_odds,
    penalised_logit,
    pooled_registers,
    register_estimates,
)

RNG = np.random.default_rng(0)
ROWS = 4000


def planted() -> tuple[np.ndarray, np.ndarray]:
    """Two factors that go together, of which only the first has an effect (0.8)."""
    first = RNG.normal(size=ROWS)
    second = 0.8 * first + 0.6 * RNG.normal(size=ROWS)
    y = (RNG.random(ROWS) < 1 / (1 + np.exp(1.5 - 0.8 * first))).astype(float)
    return np.column_stack([first, second]), y


def test_a_factor_is_adjusted_for_what_goes_with_it():
    x, y = planted()
    first, second = adjusted_log_odds(x, y, np.arange(ROWS), np.zeros(ROWS))
    assert first.mean == pytest.approx(0.8, abs=0.15) and abs(second.mean) < 0.15


def test_gaps_are_neither_filled_with_a_meaning_nor_taken_for_one():
    x, y = planted()
    hidden = RNG.random(ROWS) < np.where(y == 1, 0.6, 0.2)
    x[hidden, 1] = np.nan
    first, second = adjusted_log_odds(x, y, np.arange(ROWS), np.zeros(ROWS))
    assert first.mean == pytest.approx(0.8, abs=0.2) and abs(second.mean) < 0.25


def test_rows_of_one_buyer_are_not_independent():
    x, y = planted()
    few = np.arange(ROWS) // 4
    apart = adjusted_log_odds(np.repeat(x, 4, axis=0), np.repeat(y, 4), np.arange(4 * ROWS), np.zeros(4 * ROWS))
    together = adjusted_log_odds(np.repeat(x, 4, axis=0), np.repeat(y, 4), np.repeat(few, 4), np.zeros(4 * ROWS))
    assert together[0].spread > 1.5 * apart[0].spread


def test_the_penalised_fit_is_scikit_learn_s():
    x, y = planted()
    design = np.column_stack([x, np.ones(ROWS)])
    ours, _ = penalised_logit(design, y, np.ones(ROWS), np.array([1.0, 1.0, 0.0]), np.arange(ROWS))
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(x, y)
    assert ours[:2] == pytest.approx(theirs.coef_[0], abs=1e-4) and ours[2] == pytest.approx(
        theirs.intercept_[0], abs=1e-4
    )


def test_one_register_is_never_surer_of_another_than_registers_differ():
    assert pooled_registers([LogOdds(0.5, 0.001)], 1.0).spread > TRANSFER
    assert pooled_registers([LogOdds(0.5, 0.001)], 2.0).spread == pytest.approx(TRANSFER * math.sqrt(2) / 2, rel=0.01)


def test_registers_that_disagree_widen_the_interval():
    agree, disagree = ([LogOdds(m, 0.05) for m in means] for means in ((0.4, 0.5, 0.6), (-1.5, 0.5, 2.5)))
    assert pooled_registers(disagree, 1.0).spread > 2 * pooled_registers(agree, 1.0).spread


def test_a_register_s_buyers_have_records_that_tell():
    """In the made register some buyers fail often."""
    estimates = {e.feature: e for e in register_estimates(made.source(made.register(3000)), made.register(3000))}
    assert estimates["buyer_record"].log_odds.mean > 2 * estimates["buyer_record"].log_odds.spread
    assert abs(estimates["value_gbp"].log_odds.mean) < 3 * estimates["value_gbp"].log_odds.spread
