"""Effects of factors: doses, centres, and what is unknown."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.effects import EffectParts, EffectTable, Estimate, FactorEffect, OutcomeEffect


def effect(**settings: object) -> FactorEffect:
    """An effect on early_end with a log odds ratio of 0.5 and a standard error of 0.2."""
    known = OutcomeEffect(coefficient=0.5, spread=0.2, pooled=Estimate.of_log(0.5, 0.2))
    given = {"feature": "term_years", "scale": "log2", "centre": (0.0, 2.0), "outcomes": {"early_end": known}}
    return FactorEffect(**{"stage": "draft", "fact": "term", **given, **settings})


def parts(factor: FactorEffect, large: float, values: dict[str, float]) -> EffectParts:
    """What one effect says of one row."""
    row = np.array([[values.get(name, np.nan) for name in factor.reads]])
    return EffectTable.of([factor], factor.reads).parts(row, np.array([large]))


def margin(factor: FactorEffect, large: float = 1.0, **values: float) -> float:
    """What one effect adds to one row."""
    return float(parts(factor, large, values).margin("early_end")[0])


def test_the_effect_is_that_of_the_dose_over_the_centre_of_its_class():
    assert margin(effect(), term_years=8) == pytest.approx(0.5 * (3 - 2))
    assert margin(effect(), large=0, term_years=8) == pytest.approx(0.5 * 3)


@given(st.floats(0, 1))
def test_what_is_unknown_adds_exactly_nothing(large: float):
    added = parts(effect(), large, {})
    assert added.margin("early_end").tolist() == [0] and added.variance("early_end").tolist() == [0]
    assert added.contributions("early_end", 0) == {"term_years": 0}


@given(st.floats(0.1, 100), st.floats(0.1, 100))
def test_more_of_a_factor_never_works_against_its_coefficient(first: float, second: float):
    less, more = sorted((first, second))
    assert margin(effect(), term_years=less) <= margin(effect(), term_years=more)


def test_a_dose_is_cut_at_its_ends():
    cut = effect(least=0.0, most=3.0)
    assert margin(cut, term_years=1000) == margin(cut, term_years=8)
    assert margin(cut, term_years=0.1) == margin(cut, term_years=1)


def test_nothing_is_said_where_another_factor_says_it():
    lots = effect(feature="lot_count", unless="single_block")
    assert margin(lots, lot_count=8, single_block=0) == pytest.approx(0.5)
    assert margin(lots, lot_count=1, single_block=1) == 0
    assert margin(lots, lot_count=8) == 0


@pytest.mark.parametrize(
    ("scale", "value", "dose"),
    [("as_is", 0.4, 0.4), ("any", 3, 1), ("log2", 8, 3), ("log10", 1000, 3), ("log2_plus", 3, 2), ("log", 1, 0)],
)
def test_scales(scale: str, value: float, dose: float):
    assert margin(effect(feature="bidders", scale=scale, centre=(0.0, 0.0)), bidders=value) == pytest.approx(0.5 * dose)


def test_an_effect_that_class_rates_hold_counts_for_large_services_only():
    known = msgspec.structs.replace(effect().outcomes["early_end"], only_large=True)
    factor = effect(outcomes={"early_end": known})
    assert margin(factor, large=0, term_years=8) == 0 and margin(factor, large=1, term_years=8) == pytest.approx(0.5)


def test_the_interval_of_an_estimate_is_95_per_cent():
    assert Estimate.of_log(0.0, 1 / 1.959964) == Estimate(odds_ratio=1.0, interval=(0.368, 2.718))
