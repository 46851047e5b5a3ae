"""Equal rows share a category, and every row finds its own value again."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.categorical import Categorical, CategoricalBuilder

rows = st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=12)


def test_categories_are_in_the_order_of_their_first_row() -> None:
    column = Categorical.of(["b", "a", "b", "c", "a"])
    assert column.categories == ["b", "a", "c"] and column.codes.tolist() == [0, 1, 0, 2, 1]


@given(rows=rows)
def test_every_row_finds_its_own_value(rows: list[tuple[bool, int]]) -> None:
    column = Categorical.of(rows)
    assert column.rows() == rows and len(column) == len(rows)
    assert len(column.categories) == len(set(rows))


@given(rows=rows)
def test_rows_of_an_array_are_told_by_the_first_that_is_equal(rows: list[tuple[bool, int]]) -> None:
    given = np.array(rows, dtype=np.float64).reshape(-1, 2)
    column = Categorical.of_rows(given)
    assert np.array_equal(given[column.rows()], given)
    assert column.categories == [rows.index(row) for row in dict.fromkeys(rows)]


def test_objects_share_a_category_only_where_they_are_the_same() -> None:
    one, other = ["a"], ["a"]
    column = Categorical.by_identity([one, other, one])
    assert column.codes.tolist() == [0, 1, 0] and column.rows() == [one, other, one]


def test_a_function_of_a_value_is_that_of_its_rows() -> None:
    column = Categorical.of(["GBP", None, "GBP"])
    assert column.map(lambda text: text and text.lower()).rows() == ["gbp", None, "gbp"]
    numbers = column.numbers(lambda text: None if text is None else 1)
    assert numbers.tolist()[::2] == [1, 1] and np.isnan(numbers[1])
    assert column.where(lambda text: text is None).tolist() == [False, True, False]


@given(rows=rows)
def test_pairs_hold_what_two_columns_say_of_each_row(rows: list[tuple[bool, int]]) -> None:
    first, second = Categorical.of([flag for flag, _ in rows]), Categorical.of([number for _, number in rows])
    assert Categorical.pairs(first, second).rows() == rows
    alone = Categorical.single("x", len(rows))
    assert Categorical.pairs(first, alone).rows() == [(flag, "x") for flag, _ in rows]


@given(parts=st.lists(rows, max_size=4))
def test_rows_that_come_some_at_a_time_make_the_same_column(parts: list[list[tuple[bool, int]]]) -> None:
    builder = CategoricalBuilder[tuple[bool, int]]()
    for part in parts:
        builder.extend(part)
    built, whole = builder.categorical(), Categorical.of([row for part in parts for row in part])
    assert built.categories == whole.categories and np.array_equal(built.codes, whole.codes)


def test_a_value_may_be_repeated() -> None:
    builder = CategoricalBuilder[str]()
    builder.repeat("x", 0)
    builder.extend(["a", "b"])
    builder.repeat("b", 2)
    assert builder.categorical().rows() == ["a", "b", "b", "b"] and len(builder) == 4
