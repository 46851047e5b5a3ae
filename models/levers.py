"""Levers: what a commissioner can change at a stage and to what, and the keys of the form that say so.

Once bids are in, the scope, the period and the terms are what was bid for. To change them is to begin again, so only
what a contract may still ask for is left. Source: Directive 2014/24/EU, art. 72, on changes that need a new procedure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from features.catalogue import catalogue
from tenders.errors import DataError
from tenders.facts import Stage
from tenders.io import form
from tenders.io.form import MAX_COUNT, NO, YES
from tenders.overrides import Overrides

FactValue = float | str
Options = Callable[[float], Sequence[FactValue]]


class Lever(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to change.

    `key` is the form's, `feature` the one that measures it, and `rises` whether the change raises that feature or
    lowers it. `options` gives the values to try, smallest change first, from the feature's present value. `says` is
    the change as a sentence, with `{value}`.
    """

    key: str
    feature: str
    rises: bool
    options: Options
    says: str
    stages: tuple[Stage, ...] = ("draft",)

    def overrides(self, value: FactValue) -> dict[str, Any]:
        """The change as `models.what_if` takes it."""
        return {self.key: value}

    def text(self, value: FactValue) -> str:
        """The change as a sentence."""
        return self.says.format(value=f"{value:g}" if isinstance(value, int | float) else value)

    def reached(self, measured: float, value: FactValue) -> bool:
        """Whether a case whose feature measures `measured` has what the change to `value` would bring."""
        after = value if isinstance(value, int | float) else float(self.rises)
        return measured >= after if self.rises else measured <= after


def _raised(key: str, values: Sequence[float], says: str, feature: str | None = None) -> Lever:
    def options(now: float) -> Sequence[FactValue]:
        return [value for value in values if value > now]

    return Lever(key=key, feature=feature or key, rises=True, options=options, says=says)


def _lowered(key: str, values: Callable[[float], Sequence[float]], says: str) -> Lever:
    def options(now: float) -> Sequence[FactValue]:
        return [value for value in values(now) if value < now]

    return Lever(key=key, feature=key, rises=False, options=options, says=says)


def _switched(
    key: str,
    to: bool,
    says: str,
    stages: tuple[Stage, ...] = ("draft",),
    feature: str | None = None,
    value: str | None = None,
) -> Lever:
    """A yes/no feature that becomes `to` if the form's key is set to `value` (by default yes or no)."""
    setting = value or ("yes" if to else "no")

    def options(now: float) -> Sequence[FactValue]:
        return [] if bool(now) is to else [setting]

    return Lever(key=key, feature=feature or key, rises=to, options=options, says=says, stages=stages)


def _fewer_lines(now: float) -> Sequence[float]:
    # A release may hold more than a form can set.
    return [lines for lines in dict.fromkeys((int(now) - 1, int(now) // 2, 1)) if 1 <= lines <= MAX_COUNT]


LEVERS: tuple[Lever, ...] = (
    # More than eight lots are seldom let together in the casebook's field.
    _raised("lots", (2, 3, 4, 6, 8), "Divide the scope into {value} lots.", feature="lot_count"),
    _lowered("service_lines", _fewer_lines, "Bundle no more than {value} of the service lines."),
    # The Directive's minimum, then a month and a half, two and three months.
    _raised("tender_period_days", (35, 45, 60, 90), "Give bidders {value} days."),
    _raised("enquiry_period_days", (14, 21, 30), "Give bidders {value} days for questions."),
    _lowered("term_years", lambda _: (10, 7, 5, 3), "Let it for {value} years at first."),
    _switched("procurement_method", True, "Let any supplier bid.", feature="open_procedure", value="open"),
    _switched("competition", False, "Let suppliers compete for it.", feature="direct_award", value="yes"),
    _switched("award_criteria", False, "Let more than the price decide.", feature="price_only", value="ratedCriteria"),
    _raised("price_to_former_cost", (1,), "Raise the price ceiling to the present cost."),
    _switched("savings_assumed", False, "Raise the price ceiling to the present cost, so that no saving is assumed."),
    _switched("market_engagement", True, "Engage the market before the notice."),
    _switched("outcome_based_payment", False, "Do not let payment hang on outcomes from the start."),
    _switched("new_legal_vehicle_required", False, "Do not require a new legal vehicle."),
    _switched("parent_guarantee_required", True, "Require a parent guarantee.", ("draft", "bids_in", "awarded")),
    _switched("tax_unresolved", False, "Settle the tax position before work begins.", ("awarded",)),
)


def levers(stage: Stage) -> tuple[Lever, ...]:
    """What can still be changed at a stage."""
    return tuple(lever for lever in LEVERS if stage in lever.stages)


def form_keys(name: str, value: Any) -> Overrides:
    """The keys of the form that setting a key or a feature means. A name that both share is the form's.

    An unknown name is returned as it is. Raises DataError for a feature that follows from several facts, or that has
    no such value.
    """
    if name in form.BY_KEY:
        return {name: value}
    if name in FEATURE_KEYS:
        key, keys = FEATURE_KEYS[name]
        return {key: None} if value is None else keys(value)
    feature = catalogue().get(name)
    if feature is None:
        return {name: value}
    paths = (feature.path, *feature.also)
    keys_to_set = [field.name for field in form.FIELDS if any(_within(field.path, path) for path in paths)]
    fix = f"Set {', '.join(keys_to_set)}" if keys_to_set else "It cannot be set"
    raise DataError.at(f"/{name}", "this follows from other facts", fix)


@cache
def features_moved(key: str) -> frozenset[str]:
    """The names of the features that a key of the form can move."""
    path = form.BY_KEY[key].path
    return frozenset(
        name
        for name, feature in catalogue().items()
        if any(_within(path, read) or _within(read, path) for read in (feature.path, *feature.also))
    )


def _within(path: str, parent: str) -> bool:
    return bool(parent) and f"{path}/".startswith(f"{parent}/")


def _is_yes(name: str, value: Any) -> bool:
    word = str(value).strip().lower()
    if word not in YES | NO:
        raise DataError.at(f"/{name}", f"expected yes or no, got {value!r:.40}")
    return word in YES


FEATURE_KEYS: Mapping[str, tuple[str, Callable[[Any], Overrides]]] = {
    "lot_count": ("lots", lambda value: {"lots": value}),
    "value_gbp": ("value", lambda value: {"value": value, "currency": "GBP"}),
    "direct_award": ("competition", lambda value: {"competition": not _is_yes("direct_award", value)}),
    "price_only": (
        "award_criteria",
        lambda value: {"award_criteria": "priceOnly" if _is_yes("price_only", value) else "ratedCriteria"},
    ),
}
"""Features that one fact decides and that the form knows by another key: that key, and what to set."""
