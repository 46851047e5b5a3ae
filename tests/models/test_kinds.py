"""Rows that are alike are one kind, and every row finds its own again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.kinds import Kinds


def test_kinds_stand_in_the_order_of_their_first_row() -> None:
    kinds = Kinds(["b", "a", "b", "c", "a"])
    assert kinds.distinct == ["b", "a", "c"] and kinds.place == [0, 1, 0, 2, 1]


@given(rows=st.lists(st.tuples(st.booleans(), st.integers(0, 3))))
def test_every_row_finds_its_own_kind(rows: list[tuple[bool, int]]) -> None:
    kinds = Kinds(rows)
    assert [kinds.distinct[place] for place in kinds.place] == rows
    assert len(kinds.distinct) == len(set(rows))
