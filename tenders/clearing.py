"""Facts taken out of a tender, as if nobody had stated them. What other facts tell of the same stays known."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tenders.errors import DataError
from tenders.io import form

Json = dict[str, Any]

ELSEWHERE: dict[str, tuple[str, ...]] = {
    "buyer": ("/buyer",),
    "procuring_entity": ("/tender/procuringEntity",),
    "region": ("/tender/items/*/deliveryAddresses",),
    "cpv": ("/tender/classification", "/tender/items/*/classification"),
    "lot_values": ("/tender/lots/*/value",),
    "bidders": ("/tender/numberOfTenderers", "/tender/tenderers", "/bids/statistics"),
    "award_value": ("/awards/*/value",),
    "award_date": ("/awards/*/date",),
    "supplier": ("/awards/*/suppliers",),
}
"""Keys whose fact a file may state in other places than where the form puts it; `*` is every entry of a list."""


def clear(document: Json, keys: Collection[str]) -> None:
    """Takes the facts of `keys` of the form out of a tender's document. Raises DataError naming a key."""
    valued = any(lot.get("value") for lot in document["tender"].get("lots", ()))
    if "lots" in keys and "lot_values" not in keys and valued:
        raise DataError.at("/lots", "the value of each lot says how many there are", "Empty that too")
    for key in keys:
        for path in ELSEWHERE.get(key, (form.BY_KEY[key].path,)):
            _remove(document, path.strip("/").split("/"))


def _remove(value: Any, steps: list[str]) -> None:
    first, *rest = steps
    if isinstance(value, list):
        for each in value if first == "*" else value[:1]:
            _remove(each, rest)
    elif isinstance(value, dict) and not rest:
        value.pop(first, None)
    elif isinstance(value, dict):
        _remove(value.get(first), rest)
