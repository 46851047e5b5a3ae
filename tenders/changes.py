"""What changed between one notice of a tender and the next: changes of substance, not of how it is written.

Another time zone, a day with its hour, an amount beside its gross, a status, more spaces, an id as a number, and a fact
that is stated for the first time are restatements: they are no change. An update holds only what changed, so what it
does not repeat stays as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tenders import dates
from tenders.codelists import AWARD_TAGS, CONTRACT_TAGS
from tenders.facts import StructureChange, Touches

_WATCHED: tuple[tuple[Touches, tuple[str, ...]], ...] = (
    ("scope", ("title", "description", "items")),
    ("lots", ("lots",)),
    ("value", ("value",)),
    ("deadline", ("tenderPeriod",)),
)
_HOW_IT_STANDS = frozenset({"status", "statusDetails", "finalStatus", "finalStatusDate", "amountGross"})
"""Fields that say how far a thing is, or the same in another way."""


def find_changes(releases: Sequence[Mapping[str, Any]], where: Sequence[str]) -> tuple[StructureChange, ...]:
    """The changes of the tender over its notices, given in time order with their JSON paths."""
    changes: list[StructureChange] = []
    before: dict[str, Any] = {}
    for release, place in zip(releases, where, strict=True):
        stated = release.get("tender") or {}
        section = {name: stated[name] for _, names in _WATCHED for name in names if name in stated}
        tags = frozenset(release.get("tag") or ())
        if "planning" in tags or not tags.isdisjoint(AWARD_TAGS | CONTRACT_TAGS):
            continue
        for touches, names in _WATCHED:
            changed = next((name for name in names if differs(before.get(name), section.get(name))), None)
            if changed:
                path = f"{place}/tender/{changed}"
                changes.append(StructureChange(touches=touches, date=release.get("date"), path=path))
        before = _together(before, section)
    return tuple(changes)


def differs(before: Any, now: Any) -> bool:
    """Whether what a notice says is another thing than what was said before; not if one of both says nothing."""
    if before is None or now is None or before == now:
        return False
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return _objects_differ(before, now)
    if isinstance(before, list) and isinstance(now, list):
        return _lists_differ(before, now)
    if isinstance(before, str) and isinstance(now, str):
        return _texts_differ(before, now)
    return bool(before != now) and str(before) != str(now)


def _objects_differ(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    both = [name for name in now if name in before and name not in _HOW_IT_STANDS]
    if "amount" not in both and "amountGross" in before and "amountGross" in now:
        both.append("amountGross")
    return any(differs(before[name], now[name]) for name in both)


def _lists_differ(before: Sequence[Any], now: Sequence[Any]) -> bool:
    earlier, later = _by_id(before), _by_id(now)
    if earlier is None or later is None:
        return len(before) != len(now) or any(map(differs, before, now))
    return bool(later.keys() - earlier.keys()) or any(differs(earlier[key], value) for key, value in later.items())


def _texts_differ(before: str, now: str) -> bool:
    if before == now:
        return False
    try:
        first, second = dates.moment(before), dates.moment(now)
        if first and second:
            days = len(before) <= len("2024-01-01") or len(now) <= len("2024-01-01")
            return first.date() != second.date() if days else first != second
        one, other = (dates.earliest(before), dates.latest(before)), (dates.earliest(now), dates.latest(now))
        # A month, and then a day in it.
        return not (one[0] <= other[0] <= one[1] or other[0] <= one[0] <= other[1])
    except ValueError:
        return " ".join(before.split()).casefold() != " ".join(now.split()).casefold()


def _by_id(entries: Sequence[Any]) -> dict[str, Any] | None:
    """Objects by their ids, which a number and its text are alike; None if one has none."""
    if not all(isinstance(entry, Mapping) and entry.get("id") is not None for entry in entries):
        return None
    return {str(entry["id"]): entry for entry in entries}


def _together(before: Any, now: Any) -> Any:
    """What is known after a notice: what it states, and of what it does not repeat what was stated before."""
    if before is None or now is None or before == now:
        return before if now is None else now
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return {**before, **{name: _together(before.get(name), inner) for name, inner in now.items()}}
    if isinstance(before, list) and isinstance(now, list):
        earlier, later = _by_id(before), _by_id(now)
        if earlier is not None and later is not None:
            merged = {key: _together(earlier.get(key), value) for key, value in later.items()}
            return [merged.get(key, value) for key, value in earlier.items()] + [
                value for key, value in merged.items() if key not in earlier
            ]
    return now
