"""Boosting: columns that tell, gaps that do not, and the same booster from the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from features.catalogue import catalogue
from tests.training import made
from training import boosting, metrics
from training.boosting import fit, margins, parameters, usable, weights, without_gaps
from training.frames import frame
from training.recipe import Boost

BOOST = Boost(trees=30, depth=3)
NAMES = ("bidders", "value_gbp", "term_years")
cells = st.sampled_from([float("nan"), 0.0, 1.0, 2.0])


@given(columns=st.lists(st.lists(cells, min_size=4, max_size=4), min_size=1, max_size=8))
def test_columns_that_do_not_differ_or_repeat_another_are_dropped(columns: list[list[float]]) -> None:
    x = np.array(columns, dtype=np.float32).T
    kept = usable(x, [str(i) for i in range(len(columns))])
    distinct = {x[:, column].tobytes() for column in kept}
    assert len(distinct) == len(kept)
    for column in range(len(columns)):
        known = x[:, column][~np.isnan(x[:, column])]
        differs = len(np.unique(known)) > 1
        assert (x[:, column].tobytes() in distinct) == differs
        if differs and column not in kept:
            assert any(first < column and x[:, first].tobytes() == x[:, column].tobytes() for first in kept)


def told_by_gaps(rows: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three columns of noise; the first is empty where the outcome happened, nearly always."""
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < 0.4).astype(float)
    x = rng.normal(size=(rows, 3)).astype(np.float32)
    x[(y == 1) & (rng.random(rows) < 0.9), 0] = np.nan
    return x, y


def told_by_the_gap(gaps: tuple[str, ...]) -> float:
    """How much an empty cell adds to the log-odds, on the mean of a table where it tells nearly everything."""
    x, y = told_by_gaps()
    told, row, count = without_gaps(x, NAMES, gaps)
    booster = fit(told, y[row], count, NAMES, BOOST, 1)
    known, _ = told_by_gaps(seed=1)
    known[:, 0] = np.random.default_rng(2).normal(size=len(known))
    empty = known.copy()
    empty[:, 0] = np.nan
    return float((margins(booster, empty, NAMES) - margins(booster, known, NAMES)).mean())


def test_where_only_the_gap_tells_no_more_is_learnt_from_it_than_by_chance() -> None:
    assert abs(told_by_the_gap((catalogue()["bidders"].path,))) < 0.1
    assert told_by_the_gap(()) > 1.5  # what would have been learnt


def test_rows_that_know_what_tells_stand_once_more_with_it_hidden_and_the_given_rows_are_not_touched() -> None:
    x, _ = told_by_gaps()
    before, known = x.copy(), np.flatnonzero(~np.isnan(x[:, 0]))
    found, row, counts = without_gaps(x, NAMES, (catalogue()["bidders"].path,))
    assert np.array_equal(x, before, equal_nan=True)
    once, again = np.split(found, 2)
    assert np.array_equal(once, x[known])
    assert np.isnan(again[:, 0]).all() and np.array_equal(again[:, 1:], once[:, 1:])
    assert np.array_equal(row, np.tile(known, 2))
    assert np.array_equal(counts, np.repeat([1, boosting.HIDDEN], len(known)))
    assert without_gaps(x, NAMES, ())[0] is x


def test_the_same_seed_gives_the_same_bytes_and_another_others() -> None:
    x, y = told_by_gaps()
    one, two, other = (fit(x, y, np.ones(len(y)), NAMES, BOOST, seed).save_raw("ubj") for seed in (1, 1, 2))
    assert one == two != other


def test_only_the_widest_columns_are_kept_and_the_telling_are_among_them() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 3)).astype(np.float32)
    y = (x[:, 2] + 0.3 * rng.normal(size=1500) > 0).astype(float)
    booster = fit(x, y, np.ones(1500), NAMES, replace(BOOST, widest=1), 1)
    assert booster.feature_names == [NAMES[2]]
    assert metrics.auc(y, margins(booster, x, NAMES), np.ones(1500)) > 0.9


def test_margins_read_columns_by_name() -> None:
    x, y = told_by_gaps()
    booster = fit(x, y, np.ones(len(y)), NAMES, BOOST, 1)
    turned = margins(booster, x[:, ::-1], NAMES[::-1])
    assert np.array_equal(turned, margins(booster, x, NAMES))


def test_what_is_known_beforehand_is_not_learnt_again() -> None:
    x, y = told_by_gaps()
    level = np.where(y == 1, 6.0, -6.0)
    booster = fit(x, y, np.ones(len(y)), NAMES, BOOST, 1, offset=level)
    assert np.abs(margins(booster, x, NAMES)).max() < 1
    assert parameters(BOOST, 1, offset=True)["base_score"] == 0.5


def test_rows_count_by_age_and_in_a_snapshot_by_how_many_share_their_fate() -> None:
    cases = [replace(case, cluster_id="one" if case.row < 4 else case.cluster_id) for case in made.register(30)]
    table = frame(made.source(), cases, "no_award", "draft")
    rows, cut = np.arange(30), int(table.published.max())
    assert (weights(table, rows, cut, Boost()) == 1).all()
    aged = weights(table, rows, cut, Boost(half_life_days=100))
    assert aged[-1] == 1
    assert aged[0] == pytest.approx(0.5 ** ((cut - table.published[0]) / 100))
    shared = weights(replace(table, snapshot=True), rows, cut, Boost())
    assert list(shared[:5]) == [0.5, 0.5, 0.5, 0.5, 1]


def test_what_is_directed_never_works_against_its_direction_even_where_the_data_do() -> None:
    rng = np.random.default_rng(0)
    names = ("rate_buyer_ever", "value_in_register")
    x = rng.normal(size=(2000, 2)).astype(np.float32)
    y = (rng.random(2000) < 1 / (1 + np.exp(2 * x[:, 0]))).astype(float)
    raised = np.zeros((50, 2), dtype=np.float32)
    raised[:, 0] = np.linspace(-2, 2, 50)
    free, directed = (
        margins(fit(x, y, np.ones(2000), names, BOOST, 1, directed=d), raised, names) for d in (False, True)
    )
    assert free[0] > free[-1]
    assert (np.diff(directed) >= 0).all()
