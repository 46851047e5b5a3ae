"""Pictures show what they say."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")

from matplotlib import pyplot as plt

import tender_risk
from benchmarks import made_tenders
from portfolio.drift import DriftReport
from tender_risk import plots


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_reliability_leaves_out_what_is_not_known():
    rng = np.random.default_rng(0)
    p = rng.random(1000)
    y = pd.Series(rng.random(1000) < p).astype("boolean").mask(pd.Series(rng.random(1000) < 0.2))
    display = plots.reliability(y, p, n_bins=5)
    assert len(display.prob_true) == 5 and np.allclose(display.prob_true, display.prob_pred, atol=0.08)
    with pytest.raises(ValueError, match="3 outcomes and 2 probabilities"):
        plots.reliability([1, 0, 1], [0.5, 0.5])


def test_gain_finds_all_failures_first_where_the_order_is_perfect():
    axes = plots.gain([1, 1, 0, 0, None], [0.9, 0.8, 0.2, 0.1, 0.99])
    assert axes.lines[0].get_ydata().tolist() == [0, 0.5, 1, 1, 1]
    worst = plots.gain([0, 0, 1, 1], [0.9, 0.8, 0.2, 0.1])
    assert worst.lines[0].get_ydata().tolist() == [0, 0, 0, 0.5, 1]


def test_effects_are_those_of_the_bundle(bundle):
    table = tender_risk.load().effects()
    pooled = {(e.feature, o): of_outcome.pooled.odds_ratio for e in bundle.manifest.effects for o, of_outcome in e.outcomes.items()}
    assert dict(zip(zip(table.feature, table.outcome, strict=True), table.odds_ratio, strict=True)) == pooled
    axes = plots.effects(table, most=5)
    drawn = axes.lines[0].get_xdata()
    assert len(drawn) == 5 and abs(np.log(drawn[0])) == np.log(table.odds_ratio).abs().max()
    assert table.feature[np.log(table.odds_ratio).abs().idxmax()] in axes.get_yticklabels()[0].get_text()


def test_drift_is_what_the_command_says(tmp_path):
    model = tender_risk.load()
    report = model.drift(list(made_tenders.releases(200)))
    assert isinstance(report, DriftReport) and report.rows == 200
    axes = plots.drift(report, most=4)
    sizes = sorted((s.size for stage in report.compared if stage.drift for s in stage.drift.shifts), reverse=True)[:4]
    assert [bar.get_width() for bar in axes.patches] == sizes and axes.get_title() == report.answer
