"""Dates as they are written in procurement data: full, date only, or only a month or year.

A partial date is never given a day it does not have: `day` answers None for `2014-11`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import lru_cache

from tenders.memo import MOST, Memo

FIRST_YEAR, LAST_YEAR = 1900, 2200
_PARTIAL = re.compile(r"^(\d{4})(?:-(\d{2}))?$")


@lru_cache(maxsize=MOST)
def moment(text: str | None) -> datetime | None:
    """The instant a full date or date-time names (UTC where no zone is given); None if partial.

    Raises ValueError if `text` is no date at all, or a date that does not exist.
    """
    if text is None or (_PARTIAL.match(text) and earliest(text)):
        return None
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


@lru_cache(maxsize=MOST)
def day(text: str | None) -> date | None:
    """The calendar day that `text` names; None if unknown or partial."""
    instant = moment(text)
    return instant.date() if instant else None


def ordinals(texts: Iterable[str | None]) -> list[float]:
    """The days that texts name as numbers of days; NaN if unknown or partial."""
    return ORDINALS.each(texts)


def _ordinal(text: str | None) -> float:
    if text is None:
        return math.nan
    if text_problem := problem(text):
        raise ValueError(text_problem)
    named = day(text)
    return float(named.toordinal()) if named else math.nan


ORDINALS = Memo(_ordinal)
"""What `ordinals` tells of one text. Raises ValueError for one of which there is a `problem`."""


def problem(text: str) -> str | None:
    """What is wrong with a date as it is written; None if nothing is."""
    try:
        moment(text)
        named = earliest(text).year
    except (ValueError, OverflowError):
        return f"{text[:40]!r} is not a date that exists"
    return None if FIRST_YEAR <= named <= LAST_YEAR else f"the year {named} is out of range"


def first_days(texts: Iterable[str | None]) -> list[date | None]:
    """The first day that each text can mean; None if unknown."""
    return _FIRST_DAYS.each(texts)


@lru_cache(maxsize=MOST)
def earliest(text: str) -> date:
    """The first day that `text` can mean: `2014-11` gives 2014-11-01. For ordering only."""
    partial = _PARTIAL.match(text)
    if partial:
        return date(int(partial[1]), int(partial[2] or 1), 1)
    return datetime.fromisoformat(text).date()


_FIRST_DAYS = Memo[str | None, date | None](lambda text: earliest(text) if text else None)


@lru_cache(maxsize=MOST)
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
