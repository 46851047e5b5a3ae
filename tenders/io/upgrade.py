"""Releases of OCDS 1.0 as those of 1.1, as far as they are read.

In 1.0 every organisation stands where it acts, with its identifier and address; 1.1 has them once in `parties`, each
with its roles. In 1.0 there is one `amendment`, in 1.1 `amendments`. ocdskit's `upgrade` does the same for files.

Source: the changelog of OCDS 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tenders.tender import Tender

_DETAILS = frozenset({"identifier", "address", "contactPoint", "additionalIdentifiers"})
"""What a 1.0 organisation has and a reference of 1.1 has not."""
_WORDS = tuple(f'"{name}"'.encode() for name in _DETAILS)
_MEMBERS = ("tenderers", "suppliers")


def upgrade(release: Mapping[str, Any]) -> Mapping[str, Any]:
    """A release of 1.0 as one of 1.1, a copy; any other as it is.

    What tells 1.0 is that there are no `parties`, and that organisations have details where they act.
    """
    if release.get("parties") or not any(_DETAILS & party.keys() for _, party in _organizations(release)):
        return release
    parties: dict[Any, dict[str, Any]] = {}
    for role, organization in _organizations(release):
        party = parties.setdefault(_key(organization), {**organization, "id": _key(organization), "roles": []})
        if role not in party["roles"]:
            party["roles"].append(role)
    upgraded = _with_references(release)
    upgraded["parties"] = list(parties.values())
    return upgraded


def may_be_1_0(release: Tender, text: bytes) -> bool:
    """Whether a typed release with this JSON may be of 1.0: it has no parties, and details of organisations."""
    return not release.parties and any(word in text for word in _WORDS)


def _organizations(release: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every organisation that acts in a release, with its role."""
    tender, awards = release.get("tender"), release.get("awards")
    section = tender if isinstance(tender, Mapping) else {}
    acting = [("buyer", release.get("buyer")), ("procuringEntity", section.get("procuringEntity"))]
    acting += [("tenderer", party) for party in _list(section.get("tenderers"))]
    acting += [
        ("supplier", party)
        for award in _list(awards)
        if isinstance(award, Mapping)
        for party in _list(award.get("suppliers"))
    ]
    yield from ((role, party) for role, party in acting if isinstance(party, dict))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _key(organization: Mapping[str, Any]) -> Any:
    """The id of an organisation: its own, or that of its identifier with the scheme, or its name."""
    identifier = organization.get("identifier")
    stated = identifier if isinstance(identifier, Mapping) else {}
    if organization.get("id") is not None:
        return organization["id"] if isinstance(organization["id"], str | int) else str(organization["id"])
    if stated.get("id") is not None:
        return "-".join(str(stated[name]) for name in ("scheme", "id") if stated.get(name) is not None)
    return str(organization.get("name") or stated.get("legalName") or "")


def _with_references(release: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in which organisations are references, and an amendment is one of several."""
    copy = dict(release)
    if isinstance(copy.get("buyer"), dict):
        copy["buyer"] = _reference(copy["buyer"])
    if isinstance(copy.get("tender"), dict):
        copy["tender"] = _section(copy["tender"])
    for name in ("awards", "contracts"):
        if isinstance(copy.get(name), list):
            copy[name] = [_section(entry) if isinstance(entry, dict) else entry for entry in copy[name]]
    return copy


def _section(section: Mapping[str, Any]) -> dict[str, Any]:
    copy = dict(section)
    if isinstance(copy.get("procuringEntity"), dict):
        copy["procuringEntity"] = _reference(copy["procuringEntity"])
    for name in _MEMBERS:
        if isinstance(copy.get(name), list):
            copy[name] = [_reference(entry) if isinstance(entry, dict) else entry for entry in copy[name]]
    if isinstance(copy.get("amendment"), dict):
        amendment = copy.pop("amendment")
        before = _list(copy.get("amendments"))
        copy["amendments"] = before if amendment in before else [*before, amendment]
    return copy


def _reference(organization: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in organization.items() if name not in _DETAILS} | {"id": _key(organization)}
