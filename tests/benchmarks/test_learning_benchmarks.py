"""Every benchmark of learning measures what it says on a made-up register, and says so where there is no data."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stdout
from datetime import date
from functools import partial

import numpy as np
import pytest
from msgspec.structs import replace

from benchmarks import ceilings, intervals, learning, noise, prequential, quality
from benchmarks.histories import cases
from benchmarks.peers import PEERS, RULES, SERVED
from tenders.registers import sicoes_bo
from training import metrics
from training.recipe import BoosterParams, Recipe
from training.rolling import STEPS, IntervalForecasts, rolling_splits
from training.short import is_short

FIRST = date(2018, 1, 1).toordinal()
QUICK = Recipe(resamples=20, registers={"sicoes_bo": BoosterParams(trees=15, smallest_leaf=2)})
ALL = (quality, intervals, prequential, learning, ceilings)
each_benchmark = pytest.mark.parametrize("benchmark", ALL, ids=lambda module: module.__name__.split(".")[-1])


def ran(folder, benchmark, *options):
    """Runs a benchmark as from the command line: what it printed, and its JSON."""
    file = folder / "figures.json"
    given = [benchmark.__name__, *map(str, options), "--json", str(file), "--save", str(folder)]
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as printed:
        patch.setattr(sys, "argv", given)
        patch.setattr(benchmark, "Recipe", lambda: QUICK)
        benchmark.main()
    return printed.getvalue(), json.loads(file.read_text())


@pytest.fixture
def run(tmp_path):
    """Runs a benchmark."""
    return partial(ran, tmp_path)


@pytest.fixture(scope="module")
def usual_quality(history, tmp_path_factory):
    """What `quality` prints, and its JSON."""
    return ran(tmp_path_factory.mktemp("quality"), quality, "--history", history, "--rows", 300)


@each_benchmark
def test_without_data_it_says_so_and_stops(run, benchmark, tmp_path):
    printed, tables = run(benchmark, "--history", tmp_path / "nowhere")
    assert "No data, so nothing was measured" in printed
    assert tables == []


@each_benchmark
def test_a_register_that_is_not_there_is_named(run, benchmark, history):
    printed, _ = run(benchmark, "--history", history, "--register", "ted_de")
    assert "ted_de" in printed


def test_quality_judges_all_peers_on_the_same_cases(usual_quality):
    printed, [table] = usual_quality
    models = {row["model"]: row for row in table["rows"]}
    assert set(PEERS) <= set(models)
    assert models[SERVED]["to XGBoost"] is None
    assert all(row["AUC"] > 0.6 for name, row in models.items() if name not in ("red flags, counted",))
    assert all(low <= high for row in models.values() for low, high in [row["95 %"]])
    assert "XGBoost by more than the interval" in printed


def test_quality_fits_again_with_another_seed(run, history, usual_quality):
    tables = [run(quality, "--history", history, "--rows", 300, "--seed", seed)[1] for seed in (7, 8)]
    usual, same, other = ({row["model"]: row["AUC"] for row in table["rows"]} for [table] in (usual_quality[1], *tables))
    assert usual == same
    assert other[SERVED] != usual[SERVED]
    assert other["buyer's past rate"] == usual["buyer's past rate"]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_says_in_a_snapshot_too_that_as_many_fail_as_do(history, rule):
    [case] = cases(history, None)
    table = replace(case.data, snapshot=True)
    own = [QUICK.register_params(table.register)] * len(list(rolling_splits(table, STEPS)))
    forecasts = quality.forecasts(table, own, rule, QUICK, 300)
    assert forecasts.p.mean() == pytest.approx(forecasts.y.mean(), abs=0.02)


def test_quality_names_a_peer_that_is_ahead():
    rows = [{"model": SERVED, "of difference": None}, {"model": "a peer", "of difference": (0.01, 0.03)}]
    assert quality.ahead(rows) == ["a peer"]
    assert quality.verdict(rows).startswith("AHEAD")
    assert quality.ahead([{"model": "a peer", "of difference": (-0.01, 0.03)}]) == []


def test_forecasts_of_the_next_period_are_judged_beside_their_floor_and_by_what_may_teach(run, history):
    printed, tables = run(prequential, "--history", history, "--rows", 300, "--rules")
    rows = {row["forecasts"]: row for row in tables[0]["rows"]}
    assert list(rows) == ["served", "level not followed", "all known so far", "mature publications alone"]
    assert all(0 < row["floor"] < 0.2 and row["aim"] >= 1.5 * row["floor"] for row in rows.values())
    assert all(0 <= row["of single windows"] <= 1 and 0 <= row["bins of 15"] <= 15 for row in rows.values())
    assert rows["served"]["mean width"] > 0 == rows["level not followed"]["mean width"]
    assert "Calibration error above its aim: " in printed


def test_a_snapshot_stands_beside_plain_xgboost_with_and_without_its_gaps(history):
    [case] = cases(history, None)
    table = replace(case.data, snapshot=True)
    rows = {row["forecasts"]: row for row in prequential.beside_plain(table, QUICK, 300)}
    assert list(rows) == ["served, all cases", "plain XGBoost, all cases", "served, no gap", "plain XGBoost, no gap"]
    assert all(row["AUC"] > 0.55 for row in rows.values())


def test_a_short_history_is_forecast_in_windows_by_what_came_before_each(history, monkeypatch):
    """Not on the folds that its model is calibrated on: what a rule lets teach holds the cases of those."""
    monkeypatch.setattr(prequential, "FEWEST", 20)
    [case] = cases(history, None)
    days = {name: FIRST + (getattr(case.data, name) - FIRST) // 3 for name in ("published", "known")}
    table = replace(case.data, **days)
    assert is_short(table.published)
    parts = prequential.windows(table, prequential.RULES[prequential.SERVED])
    assert len(parts) > 1
    for part in parts:
        assert table.published[part.train].max() < part.cut <= table.published[part.test].min()
        assert table.known[part.train].max() < part.cut


def test_windows_that_err_in_opposite_directions_do_not_cancel():
    y = np.concatenate([np.tile(np.repeat([0.0, 1.0], [7, 3]), 30), np.tile(np.repeat([0.0, 1.0], [3, 7]), 30)])
    window, p = np.repeat([0, 1], 300), np.full(600, 0.5)
    forecasts = IntervalForecasts(
        register="made",
        outcome="no_award",
        stage="draft",
        key=np.arange(600).astype(np.uint64),
        y=y,
        p=p,
        low=p,
        high=p,
        cluster=np.arange(600),
        groups={},
    )
    assert y.mean() == p.mean()
    assert prequential.ece_of_windows(forecasts, window) == pytest.approx(0.2)
    right = replace(forecasts, p=np.where(window == 0, 0.3, 0.7))
    assert prequential.ece_of_windows(right, window) == pytest.approx(0.0)


def test_intervals_compare_four_methods(run, history):
    printed, tables = run(intervals, "--history", history, "--rows", 300)
    rows = {row["intervals"]: row for row in tables[0]["rows"]}
    assert list(rows) == ["served", "level held", "single cases", "Venn-Abers"]
    assert all(0 <= row["strictly"] <= row["covered"] <= 1 for row in rows.values())
    assert rows["served"]["mean width"] > rows["level held"]["mean width"]
    assert "Better: " in printed


def test_learning_tells_where_the_time_goes(run, history):
    printed, [steps, profile] = run(learning, "--history", history)
    seconds = {row["step"]: row["seconds"] for row in steps["rows"]}
    assert seconds["end to end"] > seconds["xgb.train alone, within the fit of the served model"] > 0
    assert seconds["xgb.train alone, on every told row and column"] > 0
    assert "on the same matrix: " in printed
    parts = {row["part"] for row in profile["rows"]}
    assert {"as_of", "attributes", "replay", "register features", "plain features"} <= parts
    assert "rows a second" in printed
    assert "Peak memory" in printed


def test_ceilings_stand_in_order(run, history, monkeypatch):
    monkeypatch.setattr(ceilings, "FEWEST", 5)
    _, tables = run(ceilings, "--history", history, "--rows", 400)
    bounds = {row["what"]: row["AUC"] for row in tables[0]["rows"]}
    without, true, included = (auc for what, auc in bounds.items() if what.startswith("oracle"))
    assert without < included
    assert 0.5 < true < included
    assert [row["rows"] for row in tables[1]["rows"]] == sorted(row["rows"] for row in tables[1]["rows"])
    endings = tables[-1]["rows"]
    assert sum(row["share of failures"] for row in endings) == pytest.approx(1)


def test_the_bound_is_that_of_the_true_probabilities():
    rng = np.random.default_rng(0)
    p = rng.beta(0.8, 2.0, 200_000)
    y = (rng.random(len(p)) < p).astype(float)
    bound = noise.bound(float(p.mean()), float((2 * p * (1 - p)).mean()))
    assert bound == pytest.approx(metrics.auc(y, p, np.ones(len(p))), abs=0.003)


def test_no_noise_bounds_nothing_and_all_noise_leaves_a_coin():
    assert noise.bound(0.3, 0.0) == 1.0
    assert noise.bound(0.3, 2 * 0.3 * 0.7) == 0.5


def test_discordance_leaves_out_what_one_decision_ended():
    group, fate = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 2, 2])
    y = np.array([1.0, 1.0, 0.0, 1.0, 0.0])
    assert noise.discordance(group, fate, y) == pytest.approx([1, 1, 1, np.nan, np.nan], nan_ok=True)


def test_only_what_is_called_again_after_a_success_tells_of_chance(history):
    past = sicoes_bo.read_sicoes(history / "sicoes_bo.parquet").cases
    repeats = noise.repeats(past, "no_award")
    assert 0 < repeats.pairs < len(past)
    assert repeats.failed is not None
    assert repeats.bound_ci[0] <= repeats.bound <= repeats.bound_ci[1]
    failures = [case for case in past if case.outcomes["no_award"]]
    assert noise.repeats(failures, "no_award").pairs == 0


def test_leaving_a_case_out_does_not_rank_its_own_group():
    y, group = np.array([1.0, 0.0, 1.0, 0.0]), np.zeros(4, dtype=np.int64)
    assert ceilings.left_out(y, (y.sum() - y) / 3, group) == 0.5
