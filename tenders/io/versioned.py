"""Versioned releases: a record's whole history field by field, turned back into the releases that made it.

Find a Tender's record packages hold these and no releases. Every leaf of a versioned release is a list of
`{releaseID, releaseDate, releaseTag, value}`; objects in arrays are told apart by their id, which is not versioned.
Source: OCDS 1.1, versioned releases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tenders.errors import DataError
from tenders.io.checks import named

Place = tuple[tuple[str, Any], ...]
"""Steps to a leaf: a member's name with None, or an array's name with the id of the object in it."""

VERSION = frozenset({"releaseID", "releaseDate", "releaseTag", "value"})


def releases(versioned: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    """The releases in time order, each with what it stated. Raises DataError that names a leaf that is no history."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    bare: list[Place] = []
    for place, path, version in _versions(versioned, (), where):
        if not version:
            bare.append(place)
            continue
        written, release_id = version.get("releaseDate"), version.get("releaseID")
        if not isinstance(written, str):
            raise DataError.at(f"{path}/releaseDate", f"expected a date, got {named(written)}")
        release = found.setdefault(
            (written, str(release_id)),
            {"ocid": versioned.get("ocid"), "id": release_id, "date": written, "tag": version.get("releaseTag") or []},
        )
        if version.get("value") is not None:
            _put(release, place, version["value"])
    ordered = [release for _, release in sorted(found.items(), key=lambda item: item[0])]
    for place in bare if ordered else ():
        # Since when an object with nothing but an id is there, no version tells: not before the last, to be safe.
        _put(ordered[-1], (*place, ("id", None)), place[-1][1])
    return ordered


def _versions(value: Any, place: Place, path: str) -> Iterator[tuple[Place, str, Mapping[str, Any]]]:
    """Every version of every leaf, with the steps to the leaf and the JSON path of the version.

    An object that has nothing but an id comes with an empty version.
    """
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in ("ocid", "id") or isinstance(inner, list):
                yield from _versions(inner, (*place, (name, None)), f"{path}/{name}")
    elif not isinstance(value, list):
        raise DataError.at(path, f"expected the versions of a field, got {named(value)}")
    elif all(isinstance(each, Mapping) and VERSION.issuperset(each) for each in value):
        for i, version in enumerate(value):
            yield place, f"{path}/{i}", version
    else:
        for i, member in enumerate(value):
            if not isinstance(member, Mapping):
                raise DataError.at(f"{path}/{i}", f"expected an object, got {named(member)}")
            inside = (*place[:-1], (place[-1][0], member.get("id", i)))
            yield from _versions(member, inside, f"{path}/{i}")
            if member.keys() == {"id"}:
                yield inside, f"{path}/{i}", {}


def _put(target: dict[str, Any], place: Place, value: Any) -> None:
    *steps, (last, _) = place
    for name, member in steps:
        if member is None:
            target = target.setdefault(name, {})
        else:
            members = target.setdefault(name, [])
            held = [each for each in members if each["id"] == member]
            target = held[0] if held else _added(members, member)
    target[last] = value


def _added(members: list[dict[str, Any]], member: Any) -> dict[str, Any]:
    members.append({"id": member})
    return members[-1]
