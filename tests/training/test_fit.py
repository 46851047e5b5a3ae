"""Fitting: missing facts and gaps teach nothing, directions hold, and the same seed gives the same booster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.typing import NDArray

from features.catalogue import catalogue, trained_at
from features.matrix import TableFeatures
from features.table_builder import of_tenders
from models.bundle import Bundle
from tenders.registers import find_register
from tests.training import made
from training import fit, metrics
from training.datasets import Casebook, CasebookDataset, eligible_columns, register_dataset
from training.fit import (
    booster_margin,
    distinct_columns,
    fill_unknown,
    fit_booster,
    fit_casebook,
    hide_gaps,
    kind_log_odds,
    offset_at_kind_rate,
    random_masks,
    xgb_params,
)
from training.recipe import BoosterParams, Recipe, recipe_toml
from training.rolling import sample_weight
from training.splits import group_numbers, grouped_folds

Floats = NDArray[np.float64]
RECIPE = Recipe()
# Any names do: all that is read of a feature here is its direction.
NAMES = ("term_years", "largest_contract", "service_lines", "buyer_record", "market_record", "single_block")
CASES = 300


def fame(seed: int) -> tuple[NDArray[np.float32], Floats]:
    """Cases of which only *what is known* tells the outcome: failures are well documented, values are noise."""
    rng = np.random.default_rng(seed)
    y = (rng.random(CASES) < 0.3).astype(float)
    x = rng.normal(size=(CASES, len(NAMES))).astype(np.float32)
    known = rng.random(x.shape) < np.where(y[:, None] == 1, 0.9, 0.3)
    x[~known] = np.nan
    return x, y


def dataset(x: NDArray[np.float32], y: Floats, picked: NDArray[np.bool_], names: tuple[str, ...]) -> CasebookDataset:
    """Cases of equal weight."""
    rows, ones = np.arange(len(y)), np.ones(len(y))
    return CasebookDataset(
        outcome="early_end",
        stage="draft",
        names=names,
        x=x,
        y=y,
        picked=picked,
        weight=ones,
        case_weight=ones,
        group=rows,
        cluster=rows,
        programme=rows,
    )


def served(x: NDArray[np.float32], y: Floats, seed: int, recipe: Recipe = RECIPE) -> xgb.Booster:
    """This project's fit, all cases of one kind."""
    return fit_casebook(dataset(x, y, np.zeros(len(y), dtype=bool), NAMES), recipe, seed)


def plain(x: NDArray[np.float32], y: Floats, seed: int) -> xgb.Booster:
    """XGBoost as it comes, of the same depth and size."""
    chosen = {"objective": "binary:logistic", "max_depth": RECIPE.depth, "eta": 0.3, "seed": seed, "nthread": 1}
    return xgb.train(chosen, xgb.DMatrix(x, y, feature_names=list(NAMES)), RECIPE.trees)


def auc(booster: xgb.Booster, x: NDArray[np.float32], y: Floats) -> float:
    """AUC of margins on cases not fitted to."""
    return metrics.auc(y, booster_margin(booster, x, NAMES), np.ones(len(y)))


SEEDS = range(6)


def test_nothing_is_learnt_from_what_is_missing() -> None:
    """300 unseen cases, 30 % failed: chance alone moves an AUC by 0.036 (one standard deviation), the mean of six by 0.015."""
    ours, theirs = [], []
    for seed in SEEDS:
        unseen = fame(100 + seed)
        ours.append(auc(served(*fame(seed), seed), *unseen))
        theirs.append(auc(plain(*fame(seed), seed), *unseen))
    assert min(theirs) > 0.9
    assert abs(np.mean(ours) - 0.5) < 0.05
    assert all(abs(probability - 0.5) < 0.15 for probability in ours)


NOTICES = Path(__file__).parents[3] / "shared" / "history" / "uk_notices.csv"


@pytest.mark.skipif(not NOTICES.exists(), reason="the notices are not beside the project")
def test_of_real_notices_nothing_is_learnt_from_which_facts_their_page_shows() -> None:
    """Every known fact is replaced by that of another notice, so that all that is left is which facts are known."""
    x, y, names, cluster = shuffled_notices()
    ours, theirs = np.zeros(len(y)), np.zeros(len(y))
    for train, test in grouped_folds(cluster, 5, 0):
        data = dataset(x[train], y[train], np.zeros(len(train), dtype=bool), names)
        ours[test] = booster_margin(fit_casebook(data, RECIPE, 0), x[test], names)
        plainly = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1}
        theirs[test] = xgb.train(plainly, xgb.DMatrix(x[train], y[train]), 60).predict(xgb.DMatrix(x[test]))
    ones = np.ones(len(y))
    assert metrics.auc(y, theirs, ones) > 0.65, "the pattern of gaps tells the outcome"
    assert abs(metrics.auc(y, ours, ones) - 0.5) < 0.08, "here chance moves it by 0.04 (one standard deviation)"


def shuffled_notices() -> tuple[NDArray[np.float32], Floats, tuple[str, ...], NDArray[np.int64]]:
    """The facts of real notices at draft, each in the order of another row; whether they ended without award."""
    register = find_register("uk_notices")
    cases = [case for case in register.cases(NOTICES) if register.judged(case, "no_award")]
    features = [feature for feature in trained_at("draft") if feature.direction]
    x = TableFeatures("draft", tuple(features)).matrix(of_tenders([case.as_of("draft") for case in cases], "draft"))
    rng = np.random.default_rng(0)
    for column in x.T:
        known = ~np.isnan(column)
        column[known] = rng.permutation(column[known])
    columns = distinct_columns(x)
    y = np.array([float(bool(case.outcomes["no_award"])) for case in cases])
    return x[:, columns], y, tuple(features[c].name for c in columns), group_numbers([c.cluster_id for c in cases])


@pytest.mark.parametrize("seed", SEEDS)
def test_no_split_parts_only_the_unknown_from_the_known(seed: int) -> None:
    x, y = fame(seed)
    trees = served(x, y, seed).trees_to_dataframe()
    for column, name in enumerate(NAMES):
        splits = trees.loc[trees.Feature == name, "Split"]
        known = x[:, column][~np.isnan(x[:, column])]
        assert ((splits > known.min()) & (splits <= known.max())).all(), name


@pytest.mark.parametrize("seed", range(3))
def test_what_is_known_is_learnt(seed: int) -> None:
    """The cure must not be the death of the signal."""
    rng = np.random.default_rng(seed)

    def cases() -> tuple[NDArray[np.float32], Floats]:
        x = rng.normal(size=(CASES, len(NAMES))).astype(np.float32)
        y = (rng.random(CASES) < 1 / (1 + np.exp(-2 * x[:, 0]))).astype(float)
        x[rng.random(x.shape) < 0.4] = np.nan
        return x, y

    assert auc(served(*cases(), seed), *cases()) > 0.65


@pytest.mark.parametrize("name", ["term_years", "tender_period_days"])
def test_a_direction_holds_even_against_the_data(name: str) -> None:
    """Cases in which the safer value fails more often."""
    direction = catalogue()[name].direction
    x = np.tile(np.linspace(0, 1, 50, dtype=np.float32), 8)[:, None]
    y = (np.random.default_rng(0).random(400) < 0.5 - 0.4 * direction * (x[:, 0] - 0.5)).astype(float)
    none = np.zeros(400, dtype=bool)
    booster = fit_casebook(dataset(x, y, none, (name,)), RECIPE, 1)
    steps = np.diff(booster_margin(booster, np.linspace(-1, 2, 80, dtype=np.float32)[:, None], (name,))) * direction
    assert (steps >= -1e-6).all()


def test_trees_beyond_an_offset_start_from_it_at_the_rate_of_the_kind() -> None:
    x, y = fame(3)
    picked = np.arange(CASES) % 3 == 0
    offset = np.linspace(-3, 1, CASES)
    moved = offset_at_kind_rate(offset, y, picked, np.ones(CASES))
    for kind in (picked, ~picked):
        assert (1 / (1 + np.exp(-moved[kind]))).mean() == pytest.approx(y[kind].mean())
        assert np.ptp((moved - offset)[kind]) == pytest.approx(0)
    known = fit_casebook(dataset(x, y, picked, NAMES), RECIPE, 3, offset)
    assert known.save_raw("ubj") != fit_casebook(dataset(x, y, picked, NAMES), RECIPE, 3).save_raw("ubj")


def test_where_the_offset_says_all_trees_learn_little() -> None:
    """Outcomes that follow a known margin: beyond it, the facts behind it are of no more use."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(CASES, len(NAMES))).astype(np.float32)
    offset = 2.0 * x[:, 0].astype(np.float64)
    y = (rng.random(CASES) < 1 / (1 + np.exp(-offset))).astype(float)
    none = np.zeros(CASES, dtype=bool)
    alone, beyond = (fit_casebook(dataset(x, y, none, NAMES), RECIPE, 8, given) for given in (None, offset))
    spread = [booster_margin(booster, x, NAMES).std() for booster in (alone, beyond)]
    assert spread[1] < spread[0] / 2


def test_constraints_are_the_catalogue_s_directions() -> None:
    assert fit.monotone_constraints(["bidders", "single_block", "value_gbp"]) == "(-1,1,0)"


def test_the_same_seed_gives_the_same_booster_and_another_another() -> None:
    x, y = fame(1)
    assert served(x, y, 5).save_raw("ubj") == served(x, y, 5).save_raw("ubj")
    assert served(x, y, 5).save_raw("ubj") != served(x, y, 6).save_raw("ubj")


def test_how_a_case_was_picked_is_no_part_of_its_margin() -> None:
    """Picked cases fail three times as often; with the same facts they get the margins of the others."""
    rng = np.random.default_rng(3)
    picked = rng.random(CASES) < 0.4
    y = (rng.random(CASES) < np.where(picked, 0.75, 0.2)).astype(float)
    x = rng.normal(size=(CASES, len(NAMES))).astype(np.float32)
    booster = fit_casebook(dataset(x, y, picked, NAMES), RECIPE, 1)
    margin = booster_margin(booster, x, NAMES)
    assert abs(margin[picked].mean() - margin[~picked].mean()) < 0.1
    assert abs(margin.mean()) < 0.3


def test_offsets_are_the_log_odds_of_each_kind() -> None:
    y = np.array([1.0, 0, 0, 0, 1, 1, 1, 0])
    picked = np.array([False] * 4 + [True] * 4)
    offsets = kind_log_odds(y, picked, np.ones(8))
    assert offsets[:4] == pytest.approx(np.log(0.25 / 0.75))
    assert offsets[4:] == pytest.approx(np.log(0.75 / 0.25))


def test_offsets_weigh_cases_and_stay_finite_where_all_ended_alike() -> None:
    weight = np.array([3.0, 1.0])
    assert kind_log_odds(np.array([1.0, 0.0]), np.zeros(2, dtype=bool), weight) == pytest.approx(np.log(3))
    assert np.isfinite(kind_log_odds(np.ones(4), np.zeros(4, dtype=bool), np.ones(4))).all()


def test_unknowns_are_filled_with_values_known_of_the_same_fact_and_knowns_are_kept() -> None:
    x, _ = fame(2)
    copy = fill_unknown(x, np.ones(CASES), np.random.default_rng(0))
    known = ~np.isnan(x)
    assert (copy[known] == x[known]).all()
    assert not np.isnan(copy).any()
    for column, before in zip(copy.T, x.T, strict=True):
        assert set(column) <= set(before[~np.isnan(before)])


def test_a_fact_that_is_known_of_no_case_stays_unknown() -> None:
    x = np.full((4, 2), np.nan, dtype=np.float32)
    x[:, 1] = 1
    copy = fill_unknown(x, np.ones(4), np.random.default_rng(0))
    assert np.isnan(copy[:, 0]).all() and (copy[:, 1] == 1).all()


def test_filling_is_blind_to_the_outcome() -> None:
    """What is drawn for failures and for the others comes from one distribution."""
    x, y = fame(4)
    drawn = np.vstack([fill_unknown(x, np.ones(CASES), np.random.default_rng(seed)) for seed in range(40)])
    was_unknown = np.tile(np.isnan(x), (40, 1))
    failed = np.tile(y == 1, 40)
    for column in range(len(NAMES)):
        rows = was_unknown[:, column]
        means = [drawn[rows & kind, column].mean() for kind in (failed, ~failed)]
        assert abs(means[0] - means[1]) < 0.15


def test_every_fact_is_hidden_in_the_same_number_of_copies() -> None:
    masks = random_masks((50, 7), RECIPE, np.random.default_rng(0))
    assert masks.shape == (RECIPE.copies, 50, 7)
    assert (masks.sum(axis=0) == round(RECIPE.hidden * RECIPE.copies)).all()
    assert not (masks == masks[:, :1]).all()


def test_only_features_with_a_direction_and_enough_known_values_that_differ_enter() -> None:
    rows = RECIPE.known_cases
    varied, constant = np.arange(rows, dtype=np.float32), np.ones(rows, dtype=np.float32)
    rare = varied.copy()
    rare[0] = np.nan
    x = np.column_stack([varied, varied, constant, rare])
    # value_gbp has no direction; term_years does not differ; bidders is known of one case too few.
    assert eligible_columns(x, ["lot_count", "value_gbp", "term_years", "bidders"], RECIPE) == [0]


def test_no_released_model_parts_only_the_unknown_from_the_known(bundle: Bundle, book: Casebook) -> None:
    for part in bundle.manifest.parts:
        if not part.features:
            continue  # pooled effects alone: what is unknown adds nothing (tests/models/test_effects.py)
        trees = bundle.boosters[part.outcome, part.stage].trees_to_dataframe()
        rows = ~np.isnan(book.labels(part.outcome))
        for name in part.features:
            known = book.x[part.stage][rows, book.features[part.stage].index(name)]
            splits = trees.loc[trees.Feature == name, "Split"]
            assert ((splits > np.nanmin(known)) & (splits <= np.nanmax(known))).all(), (part.file, name)


PARAMS = BoosterParams(trees=30, depth=3)
COLUMNS = ("bidders", "value_gbp", "term_years")
cells = st.sampled_from([float("nan"), 0.0, 1.0, 2.0])


@given(columns=st.lists(st.lists(cells, min_size=4, max_size=4), min_size=1, max_size=8))
def test_columns_that_do_not_differ_or_repeat_another_are_dropped(columns: list[list[float]]) -> None:
    x = np.array(columns, dtype=np.float32).T
    kept = distinct_columns(x)
    distinct = {x[:, column].tobytes() for column in kept}
    assert len(distinct) == len(kept)
    for column in range(len(columns)):
        known = x[:, column][~np.isnan(x[:, column])]
        differs = len(np.unique(known)) > 1
        assert (x[:, column].tobytes() in distinct) == differs
        if differs and column not in kept:
            assert any(first < column and x[:, first].tobytes() == x[:, column].tobytes() for first in kept)


def with_telling_gaps(rows: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three columns of noise; the first is empty where the outcome happened, nearly always."""
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < 0.4).astype(float)
    x = rng.normal(size=(rows, 3)).astype(np.float32)
    x[(y == 1) & (rng.random(rows) < 0.9), 0] = np.nan
    return x, y


def effect_of_the_gap(gaps: tuple[str, ...]) -> float:
    """How much an empty cell adds to the log-odds, on the mean of a table where it tells nearly everything."""
    x, y = with_telling_gaps()
    known_x, row, count = hide_gaps(x, COLUMNS, gaps)
    booster = fit_booster(known_x, y[row], count, COLUMNS, PARAMS, 1)
    known, _ = with_telling_gaps(seed=1)
    known[:, 0] = np.random.default_rng(2).normal(size=len(known))
    empty = known.copy()
    empty[:, 0] = np.nan
    return float((booster_margin(booster, empty, COLUMNS) - booster_margin(booster, known, COLUMNS)).mean())


def test_where_only_the_gap_tells_no_more_is_learnt_from_it_than_by_chance() -> None:
    assert abs(effect_of_the_gap((catalogue()["bidders"].path,))) < 0.1
    assert effect_of_the_gap(()) > 1.5  # what would have been learnt


def test_rows_that_know_what_tells_stand_once_more_with_it_hidden_and_the_given_rows_are_not_touched() -> None:
    x, _ = with_telling_gaps()
    before, known = x.copy(), np.flatnonzero(~np.isnan(x[:, 0]))
    hidden, row, counts = hide_gaps(x, COLUMNS, (catalogue()["bidders"].path,))
    assert np.array_equal(x, before, equal_nan=True)
    once, again = np.split(hidden, 2)
    assert np.array_equal(once, x[known])
    assert np.isnan(again[:, 0]).all() and np.array_equal(again[:, 1:], once[:, 1:])
    assert np.array_equal(row, np.tile(known, 2))
    assert np.array_equal(counts, np.repeat([1, fit.GAP_WEIGHT], len(known)))
    assert hide_gaps(x, COLUMNS, ())[0] is x


def test_the_same_seed_gives_the_same_bytes_and_another_others() -> None:
    x, y = with_telling_gaps()
    one, two, other = (fit_booster(x, y, np.ones(len(y)), COLUMNS, PARAMS, seed).save_raw("ubj") for seed in (1, 1, 2))
    assert one == two != other


def test_only_the_widest_columns_are_kept_and_the_telling_are_among_them() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 3)).astype(np.float32)
    y = (x[:, 2] + 0.3 * rng.normal(size=1500) > 0).astype(float)
    booster = fit_booster(x, y, np.ones(1500), COLUMNS, replace(PARAMS, max_columns=1), 1)
    assert booster.feature_names == [COLUMNS[2]]
    assert metrics.auc(y, booster_margin(booster, x, COLUMNS), np.ones(1500)) > 0.9


def test_margins_read_columns_by_name() -> None:
    x, y = with_telling_gaps()
    booster = fit_booster(x, y, np.ones(len(y)), COLUMNS, PARAMS, 1)
    turned = booster_margin(booster, x[:, ::-1], COLUMNS[::-1])
    assert np.array_equal(turned, booster_margin(booster, x, COLUMNS))


def test_what_is_known_beforehand_is_not_learnt_again() -> None:
    x, y = with_telling_gaps()
    level = np.where(y == 1, 6.0, -6.0)
    booster = fit_booster(x, y, np.ones(len(y)), COLUMNS, PARAMS, 1, base_margin=level)
    assert np.abs(booster_margin(booster, x, COLUMNS)).max() < 1
    assert xgb_params(PARAMS, 1, base_margin=True)["base_score"] == 0.5


def test_rows_count_by_age_and_in_a_snapshot_by_how_many_share_their_fate() -> None:
    cases = [replace(case, cluster_id="one" if case.row < 4 else case.cluster_id) for case in made.register(30)]
    table = register_dataset(made.source(), cases, "no_award", "draft")
    rows, cut = np.arange(30), int(table.published.max())
    assert (sample_weight(table, rows, cut, BoosterParams()) == 1).all()
    aged = sample_weight(table, rows, cut, BoosterParams(half_life_days=100))
    assert aged[-1] == 1
    assert aged[0] == pytest.approx(0.5 ** ((cut - table.published[0]) / 100))
    shared = sample_weight(replace(table, snapshot=True), rows, cut, BoosterParams())
    assert list(shared[:5]) == [0.5, 0.5, 0.5, 0.5, 1]


def test_a_monotone_feature_never_works_against_its_direction_even_where_the_data_do() -> None:
    rng = np.random.default_rng(0)
    names = ("rate_buyer_ever", "value_in_register")
    x = rng.normal(size=(2000, 2)).astype(np.float32)
    y = (rng.random(2000) < 1 / (1 + np.exp(2 * x[:, 0]))).astype(float)
    raised = np.zeros((50, 2), dtype=np.float32)
    raised[:, 0] = np.linspace(-2, 2, 50)
    free, monotone = (
        booster_margin(fit_booster(x, y, np.ones(2000), names, PARAMS, 1, monotone=d), raised, names)
        for d in (False, True)
    )
    assert free[0] > free[-1]
    assert (np.diff(monotone) >= 0).all()


FOUR = ("bidders", "value_gbp", "term_years", "lots")
DEEPER = BoosterParams(trees=60, depth=3, smallest_leaf=5)


def register(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Four columns with gaps, two of which tell the outcome."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, len(FOUR))).astype(np.float32)
    y = (rng.random(rows) < 1 / (1 + np.exp(1 - x[:, 0] - x[:, 1] * (x[:, 0] > 0)))).astype(float)
    x[rng.random(x.shape) < 0.2] = np.nan
    return x, y


@pytest.mark.parametrize("base", [None, 0.4], ids=["without a base margin", "with one"])
def test_workers_of_a_cluster_fit_as_good_a_model_as_one_process(base: float | None, cluster: None) -> None:
    x, y = register(4000, 1)
    later, ends = register(4000, 2)
    base_margin = None if base is None else np.full(len(y), base)
    auc: dict[int, float] = {}
    for workers in (0, 2):
        booster = fit_booster(x, y, np.ones(len(y)), FOUR, replace(DEEPER, cluster_workers=workers), 7, base_margin)
        assert sorted(booster.feature_names or ()) == sorted(FOUR)
        auc[workers] = metrics.auc(ends, booster_margin(booster, later, FOUR), np.ones(len(ends)))
    assert auc[0] > 0.7
    # Two models of one recipe on other rows differ by more: the standard error of such an AUC is 0.008.
    assert abs(auc[2] - auc[0]) < 0.016


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Lets the cluster's workers find what training needs, and ends it with the tests."""
    pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        yield
    if fit._dask_client.cache_info().currsize:
        client = fit._dask_client(2)
        fit._dask_client.cache_clear()
        client.close()
        client.cluster.close()


def test_a_recipe_asks_for_workers_by_a_number_that_a_run_keeps() -> None:
    assert BoosterParams().cluster_workers == 0
    assert "cluster_workers = 2" in recipe_toml(Recipe(registers={"ours": BoosterParams(cluster_workers=2)}))
