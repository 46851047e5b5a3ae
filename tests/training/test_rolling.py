"""Rolling in time: fitted on what was known at a cut, judged on what came after it."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from msgspec.structs import replace

from features.track_records import delays
from tenders.errors import DataError
from tests.training import made
from training.datasets import RegisterDataset, register_dataset
from training.recipe import BoosterParams
from training.rolling import (
    COLUMN_SHARES,
    FEWEST_OF_YEAR,
    LONGEST,
    SHORTEST,
    YEAR,
    Split,
    backtest,
    column_quantiles,
    fit_split,
    judged_rows,
    known_rows,
    latest_year,
    predict_margin,
    recent_rows,
    rolling_splits,
    tune_column_share,
    window_days,
)

QUICK = BoosterParams(trees=5, depth=2)
CASES = made.register(500)


@pytest.fixture(scope="module")
def table() -> RegisterDataset:
    """A made-up register."""
    return register_dataset(made.source(), CASES, "no_award", "draft")


def test_no_slice_trains_on_what_was_not_known_at_its_cut(table: RegisterDataset) -> None:
    parts = list(rolling_splits(table, 3))
    assert len(parts) == 3
    for part in parts:
        assert (table.known[part.train] < part.cut).all()
        assert (table.published[part.train] < part.cut).all()
        assert (table.published[part.test] >= part.cut).all()
        assert np.array_equal(part.y, table.y[part.train])
        assert (part.weight >= 1).all()
    assert [part.cut for part in parts] == sorted(part.cut for part in parts)


def test_windows_follow_on_each_other_up_to_the_last_case_that_can_be_judged(table: RegisterDataset) -> None:
    parts, window = list(rolling_splits(table, 3)), window_days(table)
    tested, judged = np.concatenate([part.test for part in parts]), judged_rows(table)
    assert len(set(tested)) == len(tested)
    last = table.published[judged].max()
    assert set(tested) == set(judged[table.published[judged] > last - 3 * window])
    assert SHORTEST <= window <= LONGEST


def test_of_publications_whose_outcomes_are_hardly_known_none_is_judged() -> None:
    """At the end of a history the quick outcomes are known alone: here failures are, and none of them is judged."""
    cases = [
        replace(case, known_on=case.published + timedelta(5 if case.outcomes["no_award"] else 60)) for case in CASES
    ]
    end = cases[-1].published + timedelta(1)
    resolved = [
        case if case.known_on < end else replace(case, known_on=None, outcomes={"no_award": None}) for case in cases
    ]
    table = register_dataset(made.source(), resolved, "no_award", "draft")
    labelled, judged = np.flatnonzero(table.labelled), judged_rows(table)
    young = table.published > table.published.max() - 40
    assert table.y[labelled[young[labelled]]].mean() == 1
    assert not young[judged].any() and len(judged) > 400
    assert set(judged_rows(replace(table, snapshot=True))) == set(labelled)


@pytest.mark.parametrize("cut", [1, 300, 800, 1500])
def test_contracts_are_taken_as_the_history_tells_them_in_the_end(table: RegisterDataset, cut: int) -> None:
    """The one exception, and said to be so: figures of early_end are those of a history that has had time."""
    early = replace(table, outcome="early_end")
    day = int(table.published.min()) + cut
    known = known_rows(early, day)
    assert set(known.rows) == set(np.flatnonzero(table.labelled & (table.published < day)))
    assert (known.weight == 1).all()


@pytest.mark.parametrize("cut", [1, 40, 300, 800, 1500])
def test_any_other_case_must_have_ended_and_counts_as_what_is_known_of_its_age(
    table: RegisterDataset, cut: int
) -> None:
    day = int(table.published.min()) + cut
    known = known_rows(table, day)
    assert (table.known[known.rows] < day).all()
    expected = delays.teaching(table.published, table.known, table.y, day)
    assert np.array_equal(known.rows, expected.rows) and np.array_equal(known.weight, expected.weight)


def test_a_snapshot_is_judged_on_other_buyers() -> None:
    table = register_dataset(made.source(snapshot=True), CASES, "no_award", "draft")
    tested = []
    for part in rolling_splits(table, 3):
        assert not set(table.buyer[part.train]) & set(table.buyer[part.test])
        tested += list(part.test)
    assert sorted(tested) == list(range(len(CASES)))


def test_a_forecast_is_of_every_tested_row_once(table: RegisterDataset) -> None:
    tested = backtest(table, QUICK, 3, 1)
    expected = np.concatenate([part.test for part in rolling_splits(table, 3)])
    assert np.array_equal(tested.rows, expected)
    assert np.isfinite(tested.margin).all() and set(tested.split) == {0, 1, 2}


def test_an_end_after_the_cut_changes_no_forecast_of_its_window(table: RegisterDataset) -> None:
    last = next(iter(rolling_splits(table, 1)))
    late = table.known >= last.cut
    turned = replace(table, y=np.where(late, 1 - table.y, table.y))
    known, other = (known_rows(data, last.cut) for data in (table, turned))
    assert np.array_equal(known.rows, other.rows) and np.array_equal(known.weight, other.weight)
    boosters = [fit_split(data, last, QUICK, 1) for data in (table, turned)]
    assert np.array_equal(*(predict_margin(table, booster, last.test, QUICK) for booster in boosters))


def test_trees_that_start_from_the_registers_level_move_with_it(table: RegisterDataset) -> None:
    rows, levelled = np.arange(0, len(CASES), 7), replace(QUICK, level=1.0)
    part = next(iter(rolling_splits(table, 1)))
    booster = fit_split(table, part, levelled, 1)
    risen = replace(table, level=table.level + 0.3)
    assert predict_margin(risen, booster, rows, levelled) == pytest.approx(
        predict_margin(table, booster, rows, levelled) + 0.3
    )
    assert np.array_equal(predict_margin(risen, booster, rows, QUICK), predict_margin(table, booster, rows, QUICK))


@pytest.mark.parametrize("level", [-3.0, -1.0, 1.0])
def test_trees_make_up_for_a_level_that_is_wrong_throughout(table: RegisterDataset, level: float) -> None:
    levelled = replace(QUICK, trees=200, learning_rate=0.3, l2=0.0, level=1.0)
    wrong = replace(table, level=np.full(len(CASES), level))
    part = next(iter(rolling_splits(wrong, 1)))
    margin = predict_margin(wrong, fit_split(wrong, part, levelled, 1), part.train, levelled)
    assert np.mean(1 / (1 + np.exp(-margin))) == pytest.approx(part.y.mean(), abs=0.02)


def deciding(table: RegisterDataset) -> RegisterDataset:
    """The table with noise in all columns but one, which nearly tells the outcome."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=table.x.shape).astype(np.float32)
    x[:, 0] += 4 * table.y
    return replace(table, x=x)


def test_where_one_column_decides_trees_of_a_snapshot_see_most_columns() -> None:
    table = deciding(register_dataset(made.source(snapshot=True), CASES, "no_award", "draft"))
    part = next(iter(rolling_splits(table, 3)))
    tuned = tune_column_share(table, part, replace(QUICK, column_share=0.1), 1)
    assert tuned == replace(QUICK, column_share=max(COLUMN_SHARES))


def test_windows_leave_the_recipe_as_it_is(table: RegisterDataset) -> None:
    plain = deciding(table)
    assert tune_column_share(plain, next(iter(rolling_splits(plain, 3))), QUICK, 1) == QUICK


def test_buyers_that_are_judged_have_no_say_in_how_a_snapshot_is_fitted() -> None:
    table = deciding(register_dataset(made.source(snapshot=True), CASES, "no_award", "draft"))
    first = next(iter(rolling_splits(table, 3)))
    turned = table.y.copy()
    turned[first.test] = 1 - turned[first.test]
    usual, other = (backtest(data, QUICK, 3, 1) for data in (table, replace(table, y=turned)))
    assert np.array_equal(usual.margin[usual.split == 0], other.margin[other.split == 0])
    assert not np.array_equal(usual.margin[usual.split == 1], other.margin[other.split == 1])


def test_rows_too_old_are_left_out(table: RegisterDataset) -> None:
    rows = np.arange(len(CASES))
    part = Split(cut=int(table.published.max()), train=rows, y=table.y, weight=np.ones(len(rows)), test=rows[:0])
    kept = recent_rows(table, part, BoosterParams(years=1))
    assert (table.published[kept] >= part.cut - 366).all() and len(kept) < len(CASES)
    assert len(recent_rows(table, part, BoosterParams())) == len(CASES)


def test_a_history_too_short_to_judge_is_refused_by_name() -> None:
    short = [replace(c, published=made.FIRST, known_on=made.FIRST + timedelta(days=400)) for c in CASES[:150]]
    with pytest.raises(DataError, match="made: too short a history to judge no_award"):
        backtest(register_dataset(made.source(), short, "no_award", "draft"), QUICK, 3, 1)


def test_the_last_year_counts_if_it_has_enough_rows() -> None:
    day = date(2024, 6, 1).toordinal()
    old, new = np.full(50, day - YEAR), np.full(FEWEST_OF_YEAR, day)
    assert list(latest_year(np.concatenate([old, new]))) == list(range(50, 50 + FEWEST_OF_YEAR))
    assert len(latest_year(np.concatenate([old, new[1:]]))) == 50 + FEWEST_OF_YEAR - 1
    assert len(latest_year(np.array([], dtype=np.int64))) == 0


def test_a_hidden_fact_is_an_unknown_one() -> None:
    x = np.array([[1, np.nan], [3, np.nan], [np.nan, np.nan], [2, 5]], dtype=np.float32)
    quantiles = column_quantiles(x, ("lots", "bidders"), ("bidders", "lots"), np.arange(4))
    assert list(quantiles) == ["bidders", "lots"]
    assert quantiles["bidders"].unknown == 0.75 and set(quantiles["bidders"].quantiles) == {5}
    assert column_quantiles(x, ("lots", "bidders"), ("bidders",), np.arange(3))["bidders"].quantiles == ()
