"""What a field of the form means for failure: told by the features that read it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from features.catalogue import Feature, Theme, catalogue
from tenders.io import form
from tenders.io.fields import Field

FIRST: Mapping[str, str] = {
    "lots": "lot_count", "buyer": "buyer_record", "cpv": "expected_bidders", "supplier": "supplier_record",
    "value": "value_gbp", "lot_values": "largest_lot_share", "procurement_method": "open_procedure",
    "contract_start": "term_years", "contract_end": "term_years",
}  # fmt: skip
"""The feature that says most of a field that several read."""
UNREAD = frozenset({"region", "currency", "category", "incumbents"})
"""Keys whose object a feature reads without them."""
AT_HOME: Mapping[str, Theme] = {
    "category": "wording", "cpv": "wording", "region": "buyer", "currency": "value",
    "incumbents": "buyer", "procuring_entity": "buyer", "risk_details": "wording",
}  # fmt: skip
"""Themes of the keys that no feature decides, or that people look for elsewhere."""


@cache
def features_of(key: str) -> tuple[Feature, ...]:
    """The features that a key of the form decides or bears on, the closest first. A register's records are left out."""
    if key in UNREAD:
        return ()
    field = form.BY_KEY[key]
    found = [each for each in catalogue().values() if not each.family and _reads(each, field)]
    return tuple(sorted(found, key=lambda each: (each.name != FIRST.get(key, key), each.path != field.path)))


def theme_of(key: str) -> Theme:
    """The theme under which the form asks for a key."""
    if key in AT_HOME:
        return AT_HOME[key]
    found = features_of(key)
    return found[0].theme if found else "procedure"


@cache
def meaning_of(key: str) -> str:
    """Why the fact matters for failure, and who says so; blank where none that reads it says so."""
    return next(filter(None, map(_why, features_of(key))), "")


def _why(feature: Feature) -> str:
    """What stands after the rule in a feature's docstring; blank if that is no more than its source."""
    _, _, rest = feature.doc.partition("\n\n")
    why = " ".join(rest.replace("`", "").split())
    return "" if why.startswith("Source:") else why


def _reads(feature: Feature, field: Field) -> bool:
    return any(f"{field.path}/".startswith(f"{path}/") for path in (feature.path, *feature.also))
