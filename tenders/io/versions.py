"""Versioned releases: the releases that they were made of, in time order.

Find a Tender's record packages hold them in place of releases. Every leaf is a list of {releaseID, releaseDate,
releaseTag, value}; objects in arrays are matched by their id, which has no versions. Source: OCDS 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tenders.errors import DataError, Problem
from tenders.io.ocds import json_type

_Place = tuple[tuple[str, Any], ...]
"""Steps to a leaf: a member's name with None, or an array's name with the id of the object in it."""

_VERSION = frozenset({"releaseID", "releaseDate", "releaseTag", "value"})
_OF_THE_WHOLE = frozenset({"ocid", "id", "date", "tag"})
"""Fields that say of a versioned release itself what it is, where they hold no versions."""


def split_versions(versioned: Mapping[str, Any], where: str) -> tuple[list[dict[str, Any]], list[Problem]]:
    """The releases that made a versioned release, in time order, each with what it stated, and what was odd.

    A leaf without versions counts as stated by the last release, and that is noted. Raises DataError that names a
    version that is none, or an object without versions of anything.
    """
    releases: dict[tuple[str, str], dict[str, Any]] = {}
    undated: list[tuple[_Place, Any]] = []
    notes: list[Problem] = []
    for place, path, version in _versions(versioned, (), where):
        if isinstance(version, _Plain):
            undated.append((place, version.value))
            notes += [_no_versions(path)] if place[-1] != ("id", None) else []
            continue
        date, release_id = version.get("releaseDate"), version.get("releaseID")
        if not isinstance(date, str):
            raise DataError.at(f"{path}/releaseDate", f"expected a date, got {json_type(date)}")
        release = releases.setdefault(
            (date, str(release_id)),
            {"ocid": versioned.get("ocid"), "id": release_id, "date": date, "tag": _tags(version.get("releaseTag"))},
        )
        if version.get("value") is not None:
            _put(release, place, version["value"])
    ordered = [release for _, release in sorted(releases.items(), key=lambda item: item[0])]
    if not ordered:
        raise DataError(notes[0]) if notes else DataError.at(where, "the versioned release states nothing")
    for place, value in undated:
        # Nothing says when it appeared. The last release is the safe choice.
        _put(ordered[-1], place, value)
    return ordered, notes


def _tags(value: Any) -> Any:
    """The tags of a release, which OCDS 1.0 writes as one."""
    return [value] if isinstance(value, str) else value or []


class _Plain(msgspec.Struct, frozen=True):
    """A value that comes without versions."""

    value: Any


def _no_versions(path: str) -> Problem:
    return Problem(path=path, problem="it has no versions, so it counts as stated by the last release")


def _versions(value: Any, place: _Place, path: str) -> Iterator[tuple[_Place, str, Mapping[str, Any] | _Plain]]:
    """Every version of every leaf, with the steps to the leaf and the JSON path of the version.

    An object that has nothing but an id comes with that id, which has no versions.
    """
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in ("ocid", "id") and not isinstance(inner, list):
                continue
            if place or name not in _OF_THE_WHOLE or _is_versions(inner):
                yield from _versions(inner, (*place, (name, None)), f"{path}/{name}")
    elif not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        yield place, path, _Plain(value)
    elif _is_versions(value):
        for i, version in enumerate(value):
            yield place, f"{path}/{i}", version
    else:
        for i, member in enumerate(value):
            inside = (*place[:-1], (place[-1][0], member.get("id", i)))
            yield from _versions(member, inside, f"{path}/{i}")
            if member.keys() == {"id"}:
                yield (*inside, ("id", None)), f"{path}/{i}", _Plain(member["id"])


def _is_versions(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) and _VERSION.issuperset(item) for item in value)


def _put(target: dict[str, Any], place: _Place, value: Any) -> None:
    *steps, (last, _) = place
    for name, member_id in steps:
        inside = target.setdefault(name, {} if member_id is None else [])
        target = inside if member_id is None else _member(inside, member_id)
    target[last] = value


def _member(members: list[dict[str, Any]], member_id: Any) -> dict[str, Any]:
    """The object with that id in an array, added if it is not there."""
    for member in members:
        if member["id"] == member_id:
            return member
    members.append({"id": member_id})
    return members[-1]
