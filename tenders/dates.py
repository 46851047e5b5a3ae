"""Dates as procurement data have them: date and time, a day, or only a month or year.

A partial date never gets a day that it does not have: `day` returns None for `2014-11`.
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, date, datetime

FIRST_YEAR, LAST_YEAR = 1900, 2200
FIRST_TRUE_YEAR, LAST_TRUE_YEAR = 1971, 2069
_FIRST, _LAST = date(FIRST_YEAR, 1, 1).toordinal(), date(LAST_YEAR, 12, 31).toordinal()
_PARTIAL = re.compile(r"^(\d{4})(?:-(\d{2}))?$")


def today() -> date:
    """The day that it is in UTC."""
    return datetime.now(UTC).date()


def moment(text: str | None) -> datetime | None:
    """The instant of a date or date-time, in UTC where it has no zone; None if it is partial.

    Raises ValueError if `text` is not a date, or a date that does not exist.
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
    """The calendar day of a date; None if unknown or partial."""
    instant = moment(text)
    return instant.date() if instant else None


def ordinals(texts: Sequence[str | None]) -> list[float]:
    """The days of many dates as ordinals (`date.toordinal`); NaN if unknown or partial.

    Raises ValueError with the `problem` of one of them.
    """
    try:
        return _known_ordinals(texts)  # type: ignore[arg-type]
    except TypeError:
        # Some are unknown.
        days = iter(_known_ordinals([text for text in texts if text is not None]))
        return [math.nan if text is None else next(days) for text in texts]


def _known_ordinals(texts: Sequence[str]) -> list[float]:
    try:
        # To look up whether a text was parsed before takes longer than to parse it.
        days: list[float] = list(map(datetime.toordinal, map(datetime.fromisoformat, texts)))
        usual = not days or (min(days) >= _FIRST and max(days) <= _LAST)
    except ValueError:
        usual = False
    return days if usual else list(map(_ordinal, texts))


def _ordinal(text: str) -> float:
    if wrong := problem(text):
        raise ValueError(wrong)
    parsed = day(text)
    return parsed.toordinal() if parsed else math.nan


def problem(text: str) -> str | None:
    """What is wrong with a date as it is written; None if nothing is."""
    try:
        first = earliest(text).year
    except ValueError:
        return f"{text[:40]!r} is not a date that exists"
    return None if FIRST_YEAR <= first <= LAST_YEAR else f"the year {first} is out of range"


def first_days(texts: Sequence[str | None]) -> list[date | None]:
    """`earliest` of many dates; None if unknown. Raises ValueError as `earliest` does."""
    try:
        return list(map(datetime.date, map(datetime.fromisoformat, texts)))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return [earliest(text) if text else None for text in texts]


def earliest(text: str) -> date:
    """The first day that a date can mean: `2014-11` gives 2014-11-01. For ordering only."""
    return _span(text)[0]


def latest(text: str) -> date:
    """The last day that a date can mean: `2014-11` gives 2014-11-30. For what must be *known by* then."""
    return _span(text)[1]


def _span(text: str) -> tuple[date, date]:
    """The first and the last day that a date can mean. Raises ValueError as `moment` does."""
    try:
        full = datetime.fromisoformat(text).date()
    except ValueError:
        return _month(text)
    return full, full


def _month(text: str) -> tuple[date, date]:
    """The first and the last day of a month or year. Raises ValueError if `text` is neither, or a 13th month."""
    partial = _PARTIAL.match(text)
    if not partial:
        raise ValueError(f"{text[:40]!r} is no date")
    year, first, last = int(partial[1]), int(partial[2] or 1), int(partial[2] or 12)
    return date(year, first, 1), date(year, last, monthrange(year, last)[1])


def is_placeholder(text: str) -> bool:
    """Whether a date stands where none is known: 1900, 1970 and the like, 2070, 9999. Raises ValueError as `moment`.

    No register that is read is as old as 1971, and no term reaches to 2070.
    """
    return not FIRST_TRUE_YEAR <= earliest(text).year <= LAST_TRUE_YEAR


def year(text: str | None) -> int | None:
    """The year of a date; None if unknown."""
    return earliest(text).year if text else None


def days_between(start: str | None, end: str | None) -> int | None:
    """Whole days from `start` to `end`, negative if reversed; None unless both are full dates."""
    if start is None or end is None:
        return None
    try:
        return datetime.fromisoformat(end).toordinal() - datetime.fromisoformat(start).toordinal()
    except ValueError:
        first, last = day(start), day(end)
        return (last - first).days if first and last else None
