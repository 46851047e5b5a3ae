"""One ocid that publishers used for procurements of different buyers: its releases, told apart.

Find a Tender gave some ocids twice. Merged, the notices of one buyer would tell how another's tender ended. Bodies that
buy together stand in one release, and a buyer that changed its name keeps the tender's id or title: those are one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tenders.organisations import organisation_keys


def procurements(releases: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """The indexes of the releases of one ocid, in time order, by procurement; nearly always all are of one.

    A release that names neither a buyer nor a tender that is known belongs with the one before it.
    """
    if len(releases) < 2 or len({_literal(release) for release in releases} - {None}) < 2:
        return [list(range(len(releases)))]
    groups = _Groups(len(releases))
    for mark in (_buyers, _tenders):
        first: dict[str, int] = {}
        for i, release in enumerate(releases):
            for key in mark(release):
                groups.join(first.setdefault(key, i), i)
    for i in range(len(releases)):
        if not _buyers(releases[i]) and groups.is_alone(i):
            groups.join(i, i - 1 if i else 1)
    return groups.listed()


class _Groups:
    """Which releases belong together."""

    def __init__(self, size: int) -> None:
        self._of = list(range(size))

    def join(self, one: int, other: int) -> None:
        """Puts the groups of two releases together."""
        old, new = self._of[other], self._of[one]
        self._of = [new if group == old else group for group in self._of]

    def is_alone(self, index: int) -> bool:
        """Whether a release is the only one of its group."""
        return self._of.count(self._of[index]) == 1

    def listed(self) -> list[list[int]]:
        """The groups, in the order of their first releases."""
        members: dict[int, list[int]] = defaultdict(list)
        for i, group in enumerate(self._of):
            members[group].append(i)
        return list(members.values())


def _literal(release: Mapping[str, Any]) -> tuple[str, str] | None:
    """The buyer as it is written: most records name one buyer always in the same way."""
    buyer = release.get("buyer")
    return (str(buyer.get("id")), str(buyer.get("name"))) if isinstance(buyer, Mapping) else None


def _buyers(release: Mapping[str, Any]) -> list[str]:
    listed = release.get("parties")
    parties = [party for party in listed if isinstance(party, Mapping)] if isinstance(listed, list) else []
    buyers = [party for party in parties if "buyer" in _roles(party)]
    buyer = release.get("buyer")
    bodies = [*buyers, buyer] if isinstance(buyer, Mapping) else buyers
    return [key for body in bodies for key in _body_keys(body)]


def _roles(party: Mapping[str, Any]) -> Sequence[Any]:
    roles = party.get("roles")
    return roles if isinstance(roles, list) else ()


def _body_keys(body: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(body.get("id"), str | int):
        yield f"id {body['id']}"
    if isinstance(body.get("name"), str):
        yield from (f"name {key}" for key in organisation_keys(body["name"]))


def _tenders(release: Mapping[str, Any]) -> Iterator[str]:
    tender = release.get("tender")
    if isinstance(tender, Mapping):
        if isinstance(tender.get("id"), str | int):
            yield f"tender {tender['id']}"
        words = " ".join(re.findall(r"\w+", str(tender.get("title") or "").lower()))
        if words:
            yield f"title {words}"
