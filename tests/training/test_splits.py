"""Splits: whoever shares fate is on one side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.splits import group_numbers, grouped_folds, linked_groups, stratified_group_folds

keys = st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3), min_size=1, max_size=15)


@pytest.mark.parametrize(
    ("rows", "together"),
    [
        ([["a"], ["b"]], [0, 1]),
        ([["a"], ["a"]], [0, 0]),
        ([["a"], ["b"], ["a", "b"]], [0, 0, 0]),
        ([["a", "b"], ["b", "c"], ["c", "d"], ["e"]], [0, 0, 0, 1]),
        ([["a"], [], []], [0, 1, 2]),
        ([], []),
    ],
)
def test_rows_linked_by_a_key_or_through_others_are_one_group(rows: list[list[str]], together: list[int]) -> None:
    groups = list(linked_groups(rows))
    assert [groups.index(number) for number in groups] == [together.index(number) for number in together]


@given(rows=keys)
def test_no_key_is_in_two_groups(rows: list[list[str]]) -> None:
    group = linked_groups(rows)
    for key in {key for row in rows for key in row}:
        assert len({group[i] for i, row in enumerate(rows) if key in row}) == 1


@given(group=st.lists(st.integers(0, 9), min_size=1, max_size=40), folds=st.integers(2, 6), seed=st.integers(0, 99))
def test_no_group_is_on_both_sides_and_every_row_is_tested_once(group: list[int], folds: int, seed: int) -> None:
    numbers = np.array(group)
    tested: list[int] = []
    for train, test in grouped_folds(numbers, folds, seed):
        assert set(numbers[train]).isdisjoint(numbers[test])
        assert sorted([*train, *test]) == list(range(len(group)))
        assert len(test)
        tested += list(test)
    assert sorted(tested) == list(range(len(group)))


def test_the_same_seed_splits_alike_and_another_otherwise() -> None:
    group = np.arange(50)
    first, again, other = ([list(test) for _, test in grouped_folds(group, 5, seed)] for seed in (1, 1, 2))
    assert first == again != other


labels = st.sampled_from([0.0, 1.0, float("nan")])


@given(
    rows=st.lists(st.tuples(st.integers(0, 9), labels), min_size=4, max_size=40).filter(
        lambda rows: len({group for group, _ in rows}) > 1
    ),
    folds=st.integers(2, 6),
    seed=st.integers(0, 99),
)
def test_no_stratified_fold_parts_a_group_and_every_row_is_tested_once(
    rows: list[tuple[int, float]], folds: int, seed: int
) -> None:
    group, y = np.array([group for group, _ in rows]), np.array([label for _, label in rows])
    tested: list[int] = []
    for train, test in stratified_group_folds(y, group, folds, seed):
        assert set(group[train]).isdisjoint(group[test])
        assert sorted([*train, *test]) == list(range(len(group)))
        assert len(test)
        tested += list(test)
    assert sorted(tested) == list(range(len(group)))


def test_stratified_folds_have_like_rates_and_another_seed_other_folds() -> None:
    group, y = np.repeat(np.arange(100), 3), np.repeat(np.arange(100) % 5 == 0, 3).astype(float)
    assert np.ptp([y[test].mean() for _, test in stratified_group_folds(y, group, 5, 1)]) < 0.02
    first, again, other = ([list(test) for _, test in stratified_group_folds(y, group, 5, seed)] for seed in (1, 1, 2))
    assert len(first) == 5 and first == again != other


def test_equal_keys_have_equal_numbers_in_the_order_of_their_appearance() -> None:
    assert list(group_numbers(["b", ("a", 1), "b", None])) == [0, 1, 0, 2]
    assert len(group_numbers([])) == 0
