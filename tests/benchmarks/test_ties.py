"""Residuals of a unit's calls agree where something ties them, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import ties as module
from benchmarks.ties import APART, ties

UNITS, CALLS = 300, 12


def made(tied: str, seed: int = 3) -> dict[str, float]:
    """Correlations by kind of pair, where calls share a shock of their day, of their unit, or none."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(UNITS), CALLS)
    published = rng.integers(0, 40, UNITS * CALLS)
    shock = {"day": rng.normal(size=(UNITS, 40))[unit, published], "unit": rng.normal(size=UNITS)[unit], "": 0.0}[tied]
    residual = shock + rng.normal(size=len(unit))
    return {
        str(row["two calls of a unit"]): row["correlation"] for row in ties(residual, unit, published, published + 15)
    }


def test_a_shock_of_the_day_ties_that_day_alone() -> None:
    correlations = made("day")
    assert correlations.pop(APART[0][2]) == pytest.approx(0.5, abs=0.1)
    assert all(abs(correlation) < 0.05 for correlation in correlations.values())


def test_what_a_unit_does_always_shows_in_calls_whose_end_was_known() -> None:
    assert all(correlation == pytest.approx(0.5, abs=0.1) for correlation in made("unit").values())


def test_where_nothing_ties_calls_nothing_is_found() -> None:
    assert all(abs(correlation) < 0.06 for correlation in made("").values())


def test_pairs_are_the_same_in_whatever_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made("day")
    monkeypatch.setattr(module, "LARGE", 5)
    assert made("day") == pytest.approx(whole)
