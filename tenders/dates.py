"""Dates as they are written in procurement data: full, date only, or only a month or year.

A partial date is never given a day it does not have: `day` answers None for `2014-11`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import lru_cache

MOST_REMEMBERED = 65_536
_PARTIAL = re.compile(r"^(\d{4})(?:-(\d{2}))?$")


@lru_cache(maxsize=MOST_REMEMBERED)
def moment(text: str | None) -> datetime | None:
    """The instant a full date or date-time names (UTC where no zone is given); None if partial.

    Raises ValueError if `text` is no date at all, or a date that does not exist.
    """
    if text is None or (_PARTIAL.match(text) and earliest(text)):
        return None
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


@lru_cache(maxsize=MOST_REMEMBERED)
def day(text: str | None) -> date | None:
    """The calendar day that `text` names; None if unknown or partial."""
    instant = moment(text)
    return instant.date() if instant else None


class _Ordinals(dict[str | None, float]):
    """Days by their text, as they are asked for: a dictionary, which need not note what was used last."""

    def __missing__(self, text: str | None) -> float:
        if len(self) >= MOST_REMEMBERED:
            self.clear()
        named = day(text)
        found = self[text] = float(named.toordinal()) if named else math.nan
        return found


_ORDINALS = _Ordinals()


def ordinals(texts: Iterable[str | None]) -> list[float]:
    """The days that texts name as numbers of days; NaN if unknown or partial."""
    return list(map(_ORDINALS.__getitem__, texts))


@lru_cache(maxsize=MOST_REMEMBERED)
def earliest(text: str) -> date:
    """The first day that `text` can mean: `2014-11` gives 2014-11-01. For ordering only."""
    partial = _PARTIAL.match(text)
    if partial:
        return date(int(partial[1]), int(partial[2] or 1), 1)
    return datetime.fromisoformat(text).date()


@lru_cache(maxsize=MOST_REMEMBERED)
def latest(text: str) -> date:
    """The last day that `text` can mean: `2014-11` gives 2014-11-30. For what must be *known by*."""
    partial = _PARTIAL.match(text)
    if not partial:
        return datetime.fromisoformat(text).date()
    year, month = int(partial[1]), int(partial[2] or 12)
    start_of_next = date(year + month // 12, month % 12 + 1, 1)
    return date.fromordinal(start_of_next.toordinal() - 1)


def year(text: str | None) -> int | None:
    """The year that `text` names; None if unknown."""
    return earliest(text).year if text else None


def days_between(start: str | None, end: str | None) -> int | None:
    """Whole days from `start` to `end`, None unless both name a day; negative if reversed."""
    first, last = day(start), day(end)
    return (last - first).days if first and last else None
