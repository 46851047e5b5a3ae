"""Layers of evidence as one effect: precision decides, UK cases move little, and what nobody knows is no effect."""

from __future__ import annotations

import numpy as np
import pytest

from training.evidence.documented import LogOdds, evidence
from training.evidence.pooled import UkCases, case_log_odds, pooled_effects, usual_doses
from training.evidence.registers import RegisterEstimate

FACTORS = {factor.feature: factor for factor in evidence().factors}
CENTRES = usual_doses({}, {})


def cases(with_factor: tuple[int, int], without: tuple[int, int], programmes: int, feature: str) -> UkCases:
    """UK cases (failed, all) on either side of a yes/no factor, spread over programmes."""
    y = np.concatenate([np.arange(all_) < failed for failed, all_ in (with_factor, without)]).astype(float)
    dose = np.repeat([1.0, 0.0], [with_factor[1], without[1]])
    numbers = np.arange(len(y)) % programmes
    return UkCases(doses={feature: dose}, y=y, programme=numbers, weight=np.ones(len(y)))


def effect(feature: str, outcome: str, **layers: object):
    """The pooled effect of a feature on an outcome."""
    effects = {
        entry.feature: entry for entry in pooled_effects(**{"registers": (), "cases": {}, "centres": CENTRES} | layers)
    }
    return effects[feature].outcomes.get(outcome) if feature in effects else None


def test_documents_alone_are_the_effect():
    known = effect("tax_unresolved", "early_end")
    assert known and known.pooled == known.documented and known.layers == ("documented",)


def test_a_factor_of_which_nothing_is_known_has_no_effect():
    assert effect("market_record", "no_award") is None
    assert effect("value_gbp", "no_award") is None


def test_a_register_moves_what_documents_say_by_its_precision():
    register = RegisterEstimate(
        register="made", feature="retender", outcome="no_award", log_odds=LogOdds(1.0, 0.05), rows=900
    )
    alone, both = effect("retender", "no_award"), effect("retender", "no_award", registers=[register])
    assert alone and both and alone.coefficient < both.coefficient < 1.0 and both.spread < alone.spread
    assert both.layers == ("documented", "registers") and both.by_register["made"].odds_ratio == pytest.approx(
        2.718, abs=0.01
    )


def test_uk_cases_count_at_a_quarter():
    strong = cases((40, 60), (6, 60), 30, "staff_transfer")
    alone, both = (
        effect("staff_transfer", "early_end"),
        effect("staff_transfer", "early_end", cases={"early_end": [strong]}),
    )
    estimate = case_log_odds([strong], FACTORS["staff_transfer"])
    assert estimate and estimate.mean > 1.5
    assert alone and both and alone.coefficient < both.coefficient < 0.7


def test_a_programme_s_label_teaches_little():
    """Forty lots of one programme failed together and the rest held: at most five cases' worth."""
    y = np.concatenate([np.ones(40), np.zeros(60)])
    dose = np.concatenate([np.ones(40), np.arange(60) % 2])
    programme = np.concatenate([np.zeros(40, dtype=int), 1 + np.arange(60) // 2])
    one = UkCases(doses={"staff_transfer": dose}, y=y, programme=programme, weight=np.ones(100))
    estimate = case_log_odds([one], FACTORS["staff_transfer"])
    assert estimate and estimate.mean < 1.5 and estimate.spread >= 0.5


@pytest.mark.parametrize("sides", [((5, 30), (0, 0)), ((5, 30), (1, 5))])
def test_cases_on_one_side_alone_tell_nothing(sides: tuple[tuple[int, int], tuple[int, int]]):
    assert case_log_odds([cases(*sides, 10, "staff_transfer")], FACTORS["staff_transfer"]) is None


def test_what_was_noted_because_a_case_failed_teaches_nothing():
    assert case_log_odds([cases((30, 40), (5, 40), 20, "tax_unresolved")], FACTORS["tax_unresolved"]) is None


def test_a_held_direction_is_not_crossed():
    against = RegisterEstimate(
        register="made", feature="lot_count", outcome="no_award", log_odds=LogOdds(1.0, 0.05), rows=900
    )
    known = effect("lot_count", "no_award", registers=[against])
    assert known and known.held and known.coefficient == 0 and known.pooled.odds_ratio > 1


def test_the_usual_dose_is_stated_or_the_mean_of_the_class():
    large, ordinary = {"term_years": np.array([3.0] * 20 + [np.nan])}, {"term_years": np.array([1.0] * 20)}
    usual = usual_doses(large, ordinary)
    assert usual["term_years"] == (1.0, 3.0)
    assert usual["tax_unresolved"] == (FACTORS["tax_unresolved"].ordinary, FACTORS["tax_unresolved"].large)
