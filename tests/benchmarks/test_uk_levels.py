"""The levels of UK classes are judged by count: what was expected of a stratum against what came."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from benchmarks import uk_levels
from models import bundle as bundles
from tests.tenders.registers.test_real import HISTORY
from training.uk import uk_histories


@given(count=st.integers(0, 200))
def test_the_interval_of_a_count_holds_it_and_leaves_a_fortieth_on_either_side(count):
    low, high = uk_levels.poisson_interval(count)
    assert low <= count <= high
    assert poisson.cdf(count, high) == pytest.approx(0.025)
    assert count == 0 or poisson.sf(count - 1, low) == pytest.approx(0.025)


def judged(p):
    return uk_levels.Judged(
        history=None,
        stage="draft",
        y=np.repeat([0.0, 1.0, 0.0], [90, 10, 100]),
        p=np.asarray(p, dtype=float),
        buyer=np.arange(200) // 4,
        strata={"year": np.repeat(["2024", "2025"], 100), "source": np.repeat(["", "fts"], 100)},
    )


def test_every_stratum_that_has_a_name_is_counted():
    rows = {row["stratum"]: row for row in uk_levels.stratum_rows(judged(np.repeat([0.12, 0.06], 100)))}
    assert list(rows) == ["all", "year 2024", "year 2025", "source fts"]
    assert rows["year 2024"] | {"95 % Poisson": None} == {
        "stratum": "year 2024",
        "cases": 100,
        "expected": 12.0,
        "observed": 10,
        "95 % Poisson": None,
        "inside": "yes",
    }
    assert rows["year 2025"]["inside"] == "no"
    assert rows["all"]["inside"] == "yes"


def test_the_notes_say_how_far_the_mean_is_off_and_what_the_order_is_worth():
    level, order, _ = uk_levels.notes(judged(np.full(200, 0.07)))
    assert "+2.0 points, not within one point" in level
    assert "AUC 0.500" in order and "order is not proven" in order
    assert "better than a coin" in uk_levels.notes(judged(np.repeat([0.01, 0.3, 0.01], [90, 10, 100])))[1]


def test_the_register_layer_of_the_released_bundle_comes_back_as_it_was_pooled():
    bundle = bundles.load(bundles.released())
    estimates = uk_levels.register_layer(bundle)
    assert estimates
    effects = {effect.feature: effect for effect in bundle.manifest.effects}
    for estimate in estimates:
        seen = effects[estimate.feature].outcomes[estimate.outcome].by_register[estimate.register]
        assert estimate.log_odds.estimate.odds_ratio == pytest.approx(seen.odds_ratio, abs=1e-3)
        assert estimate.log_odds.estimate.interval == pytest.approx(seen.interval, rel=0.01, abs=2e-3)


def test_without_data_it_says_so_and_stops(monkeypatch, capsys, tmp_path):
    file = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["uk_levels", "--history", str(tmp_path / "nowhere"), "--json", str(file)])
    uk_levels.main()
    assert "No data, so nothing was measured" in capsys.readouterr().out


@pytest.mark.skipif(not HISTORY.is_dir(), reason="the histories are not here")
def test_no_forecast_knows_the_cases_of_its_buyer(monkeypatch):
    """What a fold's rates and effects are made of holds no case of its buyers, of either register."""
    histories = uk_histories(HISTORY)
    notices = next(history for history in histories if history.register.name == "uk_notices")
    seen = []

    def remember(book, others, registers):
        seen.append({uk_levels.buyer_name(case) for history in others for case in history.every})
        raise StopIteration

    monkeypatch.setattr(uk_levels, "UkEvidence", remember)
    with pytest.raises(StopIteration):
        uk_levels.forecasts(None, histories, histories.index(notices), [], "draft")
    everyone = {uk_levels.buyer_name(case) for case in notices.cases}
    assert 0.1 < len(everyone - seen[0]) / len(everyone) < 0.3


def test_the_figures_are_written_as_json(monkeypatch, tmp_path):
    file = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["uk_levels", "--history", str(tmp_path), "--json", str(file)])
    uk_levels.main()
    assert json.loads(file.read_text()) == []
