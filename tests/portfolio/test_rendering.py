"""Numbers as people read them."""

from __future__ import annotations

import pytest

from portfolio.rendering import pounds


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "£0"),
        (950, "£950"),
        (999.9, "£1.0k"),
        (1_234_567, "£1.2m"),
        (999_999, "£1.0m"),
        (5.9e9, "£5.9bn"),
        (3e12, "£3.0tn"),
        (None, "unknown"),
    ],
)
def test_pounds_are_short(amount: float | None, text: str) -> None:
    assert pounds(amount) == text
