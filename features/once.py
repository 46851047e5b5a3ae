"""Readings that several features share, made once: of a tender, or of the columns of many."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

Given = TypeVar("Given")
Found = TypeVar("Found")


def once(read: Callable[[Given], Found]) -> Callable[[Given], Found]:
    """Remembers what was read last, by identity: features are measured one after the other.

    One pair, replaced whole, so that threads cannot mix two of them.
    """
    last: tuple[Given, Found] | None = None

    @wraps(read)
    def reading(given: Given) -> Found:
        nonlocal last
        held = last
        if held is None or held[0] is not given:
            last = held = (given, read(given))
        return held[1]

    return reading
