"""What is remembered is found once, and never grows without end."""

from __future__ import annotations

import pytest

from tenders.memo import Memo


def test_each_is_found_once() -> None:
    calls: list[str] = []

    def length(text: str) -> int:
        calls.append(text)
        return len(text)

    lengths = Memo(length)
    assert lengths.map(["ab", "c", "ab"]) == [2, 1, 2] and lengths["c"] == 1
    assert calls == ["ab", "c"]


def test_it_never_holds_more_than_its_most() -> None:
    squares = Memo(lambda number: number * number, max_size=3)
    assert squares.map(range(10)) == [number * number for number in range(10)]
    assert len(squares) <= 3


def test_what_cannot_be_found_is_not_held() -> None:
    numbers = Memo(int)
    with pytest.raises(ValueError, match="invalid"):
        numbers["x"]
    assert not numbers
