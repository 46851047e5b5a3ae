"""Rolling in time: fitted on what was known at a cut, judged on what came after it."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from msgspec.structs import replace

from tenders.errors import DataError
from tests.training import made
from training.frames import Frame, frame
from training.recipe import Boost
from training.rolling import (
    LONGEST,
    SHARES,
    SHORTEST,
    Slice,
    fitted,
    forecast,
    known_at,
    recent,
    said,
    settled,
    slices,
    window_of,
)

QUICK = Boost(trees=5, depth=2)
CASES = made.register(500)


@pytest.fixture(scope="module")
def table() -> Frame:
    """A made-up register."""
    return frame(made.source(), CASES, "no_award", "draft")


def test_no_slice_trains_on_what_was_not_known_at_its_cut(table: Frame) -> None:
    parts = list(slices(table, 3))
    assert len(parts) == 3
    for part in parts:
        assert (table.known[part.train] < part.cut).all()
        assert (table.published[part.train] < part.cut).all()
        assert (table.published[part.test] >= part.cut).all()
        assert np.array_equal(part.y, table.y[part.train])
    assert [part.cut for part in parts] == sorted(part.cut for part in parts)


def test_windows_follow_on_each_other_up_to_the_last_case(table: Frame) -> None:
    parts, window = list(slices(table, 3)), window_of(table)
    tested = np.concatenate([part.test for part in parts])
    assert len(set(tested)) == len(tested)
    assert set(tested) == set(np.flatnonzero(table.published > table.published.max() - 3 * window))
    assert SHORTEST <= window <= LONGEST


@pytest.mark.parametrize("cut", [1, 300, 800, 1500])
def test_contracts_are_taken_as_the_history_tells_them_in_the_end(table: Frame, cut: int) -> None:
    """The one exception, and said to be so: figures of early_end are those of a history that has had time."""
    early = replace(table, outcome="early_end")
    day = int(table.published.min()) + cut
    rows, y = known_at(early, day)
    assert set(rows) == set(np.flatnonzero(table.told & (table.published < day)))
    assert np.array_equal(y, table.y[rows])


@pytest.mark.parametrize("cut", [1, 40, 300, 800, 1500])
def test_any_other_case_must_have_ended_and_have_had_the_time_to(table: Frame, cut: int) -> None:
    day = int(table.published.min()) + cut
    rows, _ = known_at(table, day)
    assert (table.known[rows] < day).all()
    assert (day - table.published[rows] > np.quantile(table.known - table.published, 0.99) - 1).all()


def test_a_snapshot_is_judged_on_other_buyers() -> None:
    table = frame(made.source(snapshot=True), CASES, "no_award", "draft")
    tested = []
    for part in slices(table, 3):
        assert not set(table.buyer[part.train]) & set(table.buyer[part.test])
        tested += list(part.test)
    assert sorted(tested) == list(range(len(CASES)))


def test_a_forecast_is_of_every_tested_row_once(table: Frame) -> None:
    found = forecast(table, QUICK, 3, 1)
    expected = np.concatenate([part.test for part in slices(table, 3)])
    assert np.array_equal(found.rows, expected)
    assert np.isfinite(found.margin).all() and set(found.slice) == {0, 1, 2}


def test_an_end_after_the_cut_changes_no_forecast_of_its_window(table: Frame) -> None:
    last = next(iter(slices(table, 1)))
    late = table.known >= last.cut
    turned = replace(table, y=np.where(late, 1 - table.y, table.y))
    assert np.array_equal(forecast(table, QUICK, 1, 1).margin, forecast(turned, QUICK, 1, 1).margin)


def test_trees_that_start_from_the_registers_level_move_with_it(table: Frame) -> None:
    rows, levelled = np.arange(0, len(CASES), 7), replace(QUICK, level=1.0)
    part = next(iter(slices(table, 1)))
    booster = fitted(table, part, levelled, 1)
    risen = replace(table, level=table.level + 0.3)
    assert said(risen, booster, rows, levelled) == pytest.approx(said(table, booster, rows, levelled) + 0.3)
    assert np.array_equal(said(risen, booster, rows, QUICK), said(table, booster, rows, QUICK))


@pytest.mark.parametrize("level", [-3.0, -1.0, 1.0])
def test_trees_make_up_for_a_level_that_is_wrong_throughout(table: Frame, level: float) -> None:
    levelled = replace(QUICK, trees=200, learning_rate=0.3, l2=0.0, level=1.0)
    wrong = replace(table, level=np.full(len(CASES), level))
    part = next(iter(slices(wrong, 1)))
    margin = said(wrong, fitted(wrong, part, levelled, 1), part.train, levelled)
    assert np.mean(1 / (1 + np.exp(-margin))) == pytest.approx(part.y.mean(), abs=0.02)


def deciding(table: Frame) -> Frame:
    """The table with noise in all columns but one, which nearly tells the outcome."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=table.x.shape).astype(np.float32)
    x[:, 0] += 4 * table.y
    return replace(table, x=x)


def test_where_one_column_decides_trees_of_a_snapshot_see_most_columns() -> None:
    table = deciding(frame(made.source(snapshot=True), CASES, "no_award", "draft"))
    part = next(iter(slices(table, 3)))
    found = settled(table, part, replace(QUICK, column_share=0.1), 1)
    assert found == replace(QUICK, column_share=max(SHARES))


def test_windows_leave_the_recipe_as_it_is(table: Frame) -> None:
    plain = deciding(table)
    assert settled(plain, next(iter(slices(plain, 3))), QUICK, 1) == QUICK


def test_buyers_that_are_judged_have_no_say_in_how_a_snapshot_is_fitted() -> None:
    table = deciding(frame(made.source(snapshot=True), CASES, "no_award", "draft"))
    first = next(iter(slices(table, 3)))
    turned = table.y.copy()
    turned[first.test] = 1 - turned[first.test]
    found, other = (forecast(each, QUICK, 3, 1) for each in (table, replace(table, y=turned)))
    assert np.array_equal(found.margin[found.slice == 0], other.margin[other.slice == 0])
    assert not np.array_equal(found.margin[found.slice == 1], other.margin[other.slice == 1])


def test_rows_too_old_are_left_out(table: Frame) -> None:
    part = Slice(cut=int(table.published.max()), train=np.arange(len(CASES)), y=table.y, test=np.arange(0))
    kept = recent(table, part, Boost(years=1))
    assert (table.published[kept] >= part.cut - 366).all() and len(kept) < len(CASES)
    assert len(recent(table, part, Boost())) == len(CASES)


def test_a_history_too_short_to_judge_is_refused_by_name() -> None:
    short = [replace(c, published=made.FIRST, known_on=made.FIRST + timedelta(days=400)) for c in CASES[:150]]
    with pytest.raises(DataError, match="made: too short a history to judge no_award"):
        forecast(frame(made.source(), short, "no_award", "draft"), QUICK, 3, 1)
