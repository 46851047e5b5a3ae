"""What can be set: keys of the form, and features that one key of the form decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from features.catalogue import catalogue
from tenders.edited import Given
from tenders.errors import DataError
from tenders.io import form
from tenders.io.fields import NO, YES


def as_keys(name: str, value: Any) -> Given:
    """The keys of the form that a setting means. A name that the form and the catalogue share is the form's.

    A name that neither knows is given back as it is. Raises DataError for a feature that follows from several facts, or
    that has no such value.
    """
    if name in form.BY_KEY:
        return {name: value}
    if name in INVERSE:
        key, given = INVERSE[name]
        return {key: None} if value is None else given(value)
    feature = catalogue().get(name)
    if feature is None:
        return {name: value}
    paths = (feature.path, *feature.also)
    decide = ", ".join(field.key for field in form.FIELDS if any(f"{field.path}/".startswith(f"{p}/") for p in paths))
    raise DataError.at(f"/{name}", "this follows from other facts", f"Set {decide}" if decide else "It cannot be set")


@cache
def features_of(key: str) -> frozenset[str]:
    """The names of the features that the fact of a form's key can move."""
    path = f"{form.BY_KEY[key].path}/"
    return frozenset(
        name
        for name, feature in catalogue().items()
        if any(path.startswith(f"{read}/") or f"{read}/".startswith(path) for read in (feature.path, *feature.also))
    )


def _said_yes(name: str, value: Any) -> bool:
    word = str(value).strip().lower()
    if word not in YES | NO:
        raise DataError.at(f"/{name}", f"expected yes or no, got {value!r:.40}")
    return word in YES


INVERSE: Mapping[str, tuple[str, Callable[[Any], Given]]] = {
    "lot_count": ("lots", lambda value: {"lots": value}),
    "value_gbp": ("value", lambda value: {"value": value, "currency": "GBP"}),
    "direct_award": ("competition", lambda value: {"competition": not _said_yes("direct_award", value)}),
    "price_only": (
        "award_criteria",
        lambda value: {"award_criteria": "priceOnly" if _said_yes("price_only", value) else "ratedCriteria"},
    ),
}
"""Features that one fact decides and that the form knows by another key: that key, and what to set."""
