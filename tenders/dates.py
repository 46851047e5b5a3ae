"""Dates as they are written in procurement data: full, date only, or only a month or year.

A partial date is never given a day it does not have: `day` answers None for `2014-11`.
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, date, datetime

FIRST_YEAR, LAST_YEAR = 1900, 2200
_FIRST, _LAST = date(FIRST_YEAR, 1, 1).toordinal(), date(LAST_YEAR, 12, 31).toordinal()
_PARTIAL = re.compile(r"^(\d{4})(?:-(\d{2}))?$")


def moment(text: str | None) -> datetime | None:
    """The instant a full date or date-time names (UTC where no zone is given); None if partial.

    Raises ValueError if `text` is no date at all, or a date that does not exist.
    """
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        _month(text)
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def day(text: str | None) -> date | None:
    """The calendar day that `text` names; None if unknown or partial."""
    instant = moment(text)
    return instant.date() if instant else None


def ordinals(texts: Sequence[str | None]) -> list[float]:
    """The days that texts name as numbers of days; NaN if unknown or partial.

    Raises ValueError if there is a `problem` with one of them.
    """
    known = [text for text in texts if text is not None]
    try:
        # Anew for each: to find a text among those read before takes longer.
        days: list[float] = list(map(datetime.toordinal, map(datetime.fromisoformat, known)))
        usual = not days or (min(days) >= _FIRST and max(days) <= _LAST)
    except ValueError:
        usual = False
    if not usual:
        days = list(map(_ordinal, known))
    if len(days) == len(texts):
        return days
    each = iter(days)
    return [math.nan if text is None else next(each) for text in texts]


def _ordinal(text: str) -> float:
    if found := problem(text):
        raise ValueError(found)
    named = day(text)
    return named.toordinal() if named else math.nan


def problem(text: str) -> str | None:
    """What is wrong with a date as it is written; None if nothing is."""
    try:
        named = earliest(text).year
    except ValueError:
        return f"{text[:40]!r} is not a date that exists"
    return None if FIRST_YEAR <= named <= LAST_YEAR else f"the year {named} is out of range"


def first_days(texts: Sequence[str | None]) -> list[date | None]:
    """The first day that each text can mean; None if unknown. Raises ValueError as `earliest` does."""
    try:
        return list(map(datetime.date, map(datetime.fromisoformat, texts)))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return [earliest(text) if text else None for text in texts]


def earliest(text: str) -> date:
    """The first day that `text` can mean: `2014-11` gives 2014-11-01. For ordering only."""
    return _meant(text)[0]


def latest(text: str) -> date:
    """The last day that `text` can mean: `2014-11` gives 2014-11-30. For what must be *known by*."""
    return _meant(text)[1]


def _meant(text: str) -> tuple[date, date]:
    """The first and the last day that a text can mean. Raises ValueError as `moment` does."""
    try:
        named = datetime.fromisoformat(text).date()
    except ValueError:
        return _month(text)
    return named, named


def _month(text: str) -> tuple[date, date]:
    """The first and the last day of a month or year. Raises ValueError if `text` names neither, or a 13th month."""
    partial = _PARTIAL.match(text)
    if not partial:
        raise ValueError(f"{text[:40]!r} is no date")
    year, first, last = int(partial[1]), int(partial[2] or 1), int(partial[2] or 12)
    return date(year, first, 1), date(year, last, monthrange(year, last)[1])


def year(text: str | None) -> int | None:
    """The year that `text` names; None if unknown."""
    return earliest(text).year if text else None


def days_between(start: str | None, end: str | None) -> int | None:
    """Whole days from `start` to `end`, None unless both name a day; negative if reversed."""
    first, last = day(start), day(end)
    return (last - first).days if first and last else None
