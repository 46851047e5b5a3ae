"""Readings that several features share, made once a tender."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from tenders.tender import Tender

Found = TypeVar("Found")


def once(read: Callable[[Tender], Found]) -> Callable[[Tender], Found]:
    """Remembers what was read of the last tender: its features are measured one after the other.

    One pair, replaced whole, so that threads cannot mix two tenders.
    """
    last: tuple[Tender, Found] | None = None

    @wraps(read)
    def reading(tender: Tender) -> Found:
        nonlocal last
        held = last
        if held is None or held[0] is not tender:
            last = held = (tender, read(tender))
        return held[1]

    return reading
