"""Versioned releases: the releases that they were made of, in time order.

Find a Tender's record packages hold them in place of releases. Every leaf is a list of {releaseID, releaseDate,
releaseTag, value}; objects in arrays are matched by their id, which has no versions. Source: OCDS 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tenders.errors import DataError
from tenders.io.ocds import json_type

_Place = tuple[tuple[str, Any], ...]
"""Steps to a leaf: a member's name with None, or an array's name with the id of the object in it."""

_VERSION = frozenset({"releaseID", "releaseDate", "releaseTag", "value"})


def split_versions(versioned: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    """The releases that made a versioned release, in time order, each with what it stated.

    Raises DataError that names a leaf that holds no versions.
    """
    releases: dict[tuple[str, str], dict[str, Any]] = {}
    only_ids: list[_Place] = []
    for place, path, version in _versions(versioned, (), where):
        if not version:
            only_ids.append(place)
            continue
        date, release_id = version.get("releaseDate"), version.get("releaseID")
        if not isinstance(date, str):
            raise DataError.at(f"{path}/releaseDate", f"expected a date, got {json_type(date)}")
        release = releases.setdefault(
            (date, str(release_id)),
            {"ocid": versioned.get("ocid"), "id": release_id, "date": date, "tag": version.get("releaseTag") or []},
        )
        if version.get("value") is not None:
            _put(release, place, version["value"])
    ordered = [release for _, release in sorted(releases.items(), key=lambda item: item[0])]
    for place in only_ids if ordered else ():
        # No version says when an object with nothing but an id appeared. The last release is the safe choice.
        _put(ordered[-1], (*place, ("id", None)), place[-1][1])
    return ordered


def _versions(value: Any, place: _Place, path: str) -> Iterator[tuple[_Place, str, Mapping[str, Any]]]:
    """Every version of every leaf, with the steps to the leaf and the JSON path of the version.

    An object that has nothing but an id comes with an empty version.
    """
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in ("ocid", "id") or isinstance(inner, list):
                yield from _versions(inner, (*place, (name, None)), f"{path}/{name}")
    elif not isinstance(value, list):
        raise DataError.at(path, f"expected the versions of a field, got {json_type(value)}")
    elif all(isinstance(item, Mapping) and _VERSION.issuperset(item) for item in value):
        for i, version in enumerate(value):
            yield place, f"{path}/{i}", version
    else:
        for i, member in enumerate(value):
            if not isinstance(member, Mapping):
                raise DataError.at(f"{path}/{i}", f"expected an object, got {json_type(member)}")
            inside = (*place[:-1], (place[-1][0], member.get("id", i)))
            yield from _versions(member, inside, f"{path}/{i}")
            if member.keys() == {"id"}:
                yield inside, f"{path}/{i}", {}


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
