"""The documented layer: every factor and finding is sound, and kinds of support become odds ratios as the table says."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalogue import catalogue
from training.evidence.documented import (
    LEAST_SPREAD,
    NOTHING,
    REPORTS,
    EvidenceFactor,
    LogOdds,
    evidence,
    random_effects,
)

EVIDENCE = evidence()
FACTORS = {factor.feature: factor for factor in EVIDENCE.factors}
OUTCOMES = ("no_award", "early_end", "single_bid")
LOGS = st.builds(LogOdds, st.floats(-2, 2), st.floats(0.05, 2))


def test_every_factor_is_a_feature_of_the_catalogue():
    names = {name for factor in EVIDENCE.factors for name in (factor.feature, factor.unless) if name}
    assert names <= catalogue().keys()


def test_every_finding_is_of_a_factor_of_a_known_kind_and_names_its_source():
    for finding in EVIDENCE.findings:
        assert finding.feature in FACTORS and finding.outcome in OUTCOMES and finding.support in EVIDENCE.support
        assert finding.source and finding.note
        assert finding.odds_ratio or EVIDENCE.support[finding.support].keeps is None


def test_conflicting_and_null_findings_are_kept():
    kinds = [finding.support for finding in EVIDENCE.findings]
    assert kinds.count("null") >= 10 and kinds.count(NOTHING) >= 5
    bidders = [f.odds_ratio for f in EVIDENCE.findings if (f.feature, f.outcome) == ("bidders", "early_end")]
    assert max(filter(None, bidders)) > 1, "more bidders go with more terminations, against the lore"


def test_one_case_report_is_worth_what_the_table_says():
    documented = EVIDENCE.documented(FACTORS["new_legal_vehicle_required"], "early_end")
    assert documented and documented.estimate.odds_ratio == 1.35
    assert documented.spread == LEAST_SPREAD


def test_half_of_a_study_from_elsewhere_is_kept_over_its_span():
    factor = FACTORS["term_years"]
    documented = EVIDENCE.documented(factor, "no_award")
    assert documented and documented.mean == pytest.approx(0.5 * math.log(1.98) / factor.span)


def test_that_nothing_was_found_is_no_finding():
    assert EVIDENCE.documented(FACTORS["market_record"], "no_award") is None
    assert EVIDENCE.documented(EvidenceFactor(feature="no such feature", scale="as_is"), "no_award") is None
    assert EVIDENCE.no_difference(FACTORS["market_record"]).mean == 0


def test_halving_case_reports_halves_what_rests_on_them_and_nothing_else():
    hold, term = FACTORS["assurance_holds"], FACTORS["term_years"]
    whole, half = (EVIDENCE.documented(hold, "no_award", halved) for halved in ((), REPORTS))
    assert whole and half and half.mean == pytest.approx(whole.mean / 2)
    assert EVIDENCE.documented(term, "early_end", REPORTS) == EVIDENCE.documented(term, "early_end")


@given(st.lists(LOGS, min_size=1, max_size=6))
def test_pooled_estimates_lie_among_those_pooled(estimates: list[LogOdds]):
    pooled = random_effects(estimates)
    means = [estimate.mean for estimate in estimates]
    assert min(means) - 1e-9 <= pooled.mean <= max(means) + 1e-9
    assert pooled.spread >= 1 / math.sqrt(sum(1 / estimate.spread**2 for estimate in estimates)) - 1e-9


def test_estimates_that_disagree_are_less_sure_than_those_that_agree():
    agree = random_effects([LogOdds(0.5, 0.1), LogOdds(0.5, 0.1)])
    disagree = random_effects([LogOdds(0.0, 0.1), LogOdds(1.0, 0.1)])
    assert disagree.mean == pytest.approx(agree.mean) and disagree.spread > 3 * agree.spread
