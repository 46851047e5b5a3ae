"""Rows that are alike are one kind, and every row finds its own again."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.categorical import Growing, Kinds

rows = st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=12)


def test_kinds_stand_in_the_order_of_their_first_row() -> None:
    kinds = Kinds.of(["b", "a", "b", "c", "a"])
    assert kinds.distinct == ["b", "a", "c"] and kinds.place.tolist() == [0, 1, 0, 2, 1]


@given(rows=rows)
def test_every_row_finds_its_own_kind(rows: list[tuple[bool, int]]) -> None:
    kinds = Kinds.of(rows)
    assert kinds.rows() == rows
    assert len(kinds.distinct) == len(set(rows))


@given(rows=rows)
def test_rows_of_an_array_are_told_by_the_first_of_their_kind(rows: list[tuple[bool, int]]) -> None:
    given = np.array(rows, dtype=np.float64).reshape(-1, 2)
    kinds = Kinds.of_bytes(given)
    assert np.array_equal(given[kinds.rows()], given)
    assert kinds.distinct == [rows.index(each) for each in dict.fromkeys(rows)]


@given(parts=st.lists(rows, min_size=1, max_size=4))
def test_joined_kinds_are_those_of_all_rows(parts: list[list[tuple[bool, int]]]) -> None:
    joined, whole = Kinds.joined([Kinds.of(part) for part in parts]), Kinds.of([row for part in parts for row in part])
    assert joined.distinct == whole.distinct and np.array_equal(joined.place, whole.place)


def test_things_are_alike_only_where_they_are_one() -> None:
    one, other = ["a"], ["a"]
    kinds = Kinds.of_things([one, other, one])
    assert kinds.place.tolist() == [0, 1, 0] and kinds.rows() == [one, other, one]
    again = Kinds.joined([kinds, Kinds.of_things([other])])
    assert again.place.tolist() == [0, 1, 0, 1]


def test_what_is_found_of_a_kind_is_found_of_its_rows() -> None:
    kinds = Kinds.of(["GBP", None, "GBP"])
    assert kinds.each(lambda each: each and each.lower()).rows() == ["gbp", None, "gbp"]
    found = kinds.numbers(lambda each: None if each is None else 1)
    assert found.tolist()[::2] == [1, 1] and np.isnan(found[1])
    assert kinds.where(lambda each: each is None).tolist() == [False, True, False]


@given(parts=st.lists(rows, max_size=4))
def test_kinds_that_come_some_at_a_time_are_those_of_all_rows(parts: list[list[tuple[bool, int]]]) -> None:
    growing = Growing[tuple[bool, int]]()
    for part in parts:
        growing.extend(part)
    found, whole = growing.kinds(), Kinds.of([row for part in parts for row in part])
    assert found.distinct == whole.distinct and np.array_equal(found.place, whole.place)
