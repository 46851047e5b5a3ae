"""One test of many values: a test a value, of a moment each, takes its time from what pytest does about every test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

Value = TypeVar("Value")


def for_every(values: Mapping[str, Value]) -> Callable[[Callable[[Value], None]], Callable[[], None]]:
    """Makes a test of one value a test of all of them, which names every value for which it fails, and why."""
    assert values

    def decorated(test: Callable[[Value], None]) -> Callable[[], None]:
        def test_all() -> None:
            failed = {}
            for name, value in values.items():
                try:
                    test(value)
                except AssertionError as error:
                    failed[name] = str(error)
            assert failed == {}

        test_all.__name__, test_all.__doc__ = test.__name__, test.__doc__
        return test_all

    return decorated
