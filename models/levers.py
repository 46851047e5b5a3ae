"""Levers: what a commissioner can change at a stage, and to what.

Once bids are in, the scope, the period and the terms are what was bid for: to change them is to begin again, so only
what a contract may still ask for is left. Source: Directive 2014/24/EU, art. 72, on changes that need a new procedure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tenders.facts import Stage
from tenders.io.fields import MAX_COUNT

Value = float | str | bool
Compares = Callable[[float, float], bool]


class Lever(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to change.

    `key` is the form's, `feature` the one that says what it is now. `options` gives the values to try, smallest change
    first, from the present value. `says` is the change as a sentence, with `{value}`. A past case has the changed
    value if its `told_by` feature is on the new side: `with_it(the case's, the new one)`.
    """

    key: str
    feature: str
    stages: tuple[Stage, ...]
    options: Callable[[float], Sequence[Value]]
    says: str
    told_by: str
    with_it: Compares

    def settings(self, value: Value) -> dict[str, Any]:
        """The change as a setting of `models.what_if`."""
        return {self.key: value}

    def text(self, value: Value) -> str:
        """The change as a sentence."""
        return self.says.format(value=f"{value:g}" if isinstance(value, int | float) else value)


def _more(*values: float) -> Callable[[float], Sequence[Value]]:
    return lambda now: [value for value in values if value > now]


def _less(*values: float) -> Callable[[float], Sequence[Value]]:
    return lambda now: [value for value in values if value < now]


def _fewer_lines(now: float) -> Sequence[Value]:
    # A release may hold more than a form can set.
    return [lines for lines in dict.fromkeys((int(now) - 1, int(now) // 2, 1)) if 1 <= lines < min(now, MAX_COUNT + 1)]


def _if(present: bool, then: Value) -> Callable[[float], Sequence[Value]]:
    """One value to try, if the fact is now as `present` says."""
    return lambda now: [then] if bool(now) is present else []


def _at_least(case: float, new: float) -> bool:
    return case >= new


def _at_most(case: float, new: float) -> bool:
    return case <= new


def _is(wanted: bool) -> Compares:
    return lambda case, _: bool(case) is wanted


def _switch(key: str, to: bool, says: str, stages: tuple[Stage, ...] = ("draft",)) -> Lever:
    """A yes/no fact that the form and the catalogue call by one name."""
    return Lever(
        key=key,
        feature=key,
        stages=stages,
        options=_if(not to, "yes" if to else "no"),
        says=says,
        told_by=key,
        with_it=_is(to),
    )


LEVERS: tuple[Lever, ...] = (
    Lever(
        key="lots",
        feature="lot_count",
        stages=("draft",),
        # More than eight are seldom let together in the casebook's field.
        options=_more(2, 3, 4, 6, 8),
        says="Divide the scope into {value} lots.",
        told_by="lot_count",
        with_it=_at_least,
    ),
    Lever(
        key="service_lines",
        feature="service_lines",
        stages=("draft",),
        options=_fewer_lines,
        says="Bundle no more than {value} of the service lines.",
        told_by="service_lines",
        with_it=_at_most,
    ),
    Lever(
        key="tender_period_days",
        feature="tender_period_days",
        stages=("draft",),
        # The Directive's minimum, then a month and a half, two and three months.
        options=_more(35, 45, 60, 90),
        says="Give bidders {value} days.",
        told_by="tender_period_days",
        with_it=_at_least,
    ),
    Lever(
        key="enquiry_period_days",
        feature="enquiry_period_days",
        stages=("draft",),
        options=_more(14, 21, 30),
        says="Give bidders {value} days for questions.",
        told_by="enquiry_period_days",
        with_it=_at_least,
    ),
    Lever(
        key="term_years",
        feature="term_years",
        stages=("draft",),
        options=lambda now: list(reversed(_less(3, 5, 7, 10)(now))),
        says="Let it for {value} years at first.",
        told_by="term_years",
        with_it=_at_most,
    ),
    Lever(
        key="procurement_method",
        feature="open_procedure",
        stages=("draft",),
        options=_if(False, "open"),
        says="Let any supplier bid.",
        told_by="open_procedure",
        with_it=_is(True),
    ),
    Lever(
        key="competition",
        feature="direct_award",
        stages=("draft",),
        options=_if(True, "yes"),
        says="Let suppliers compete for it.",
        told_by="direct_award",
        with_it=_is(False),
    ),
    Lever(
        key="award_criteria",
        feature="price_only",
        stages=("draft",),
        options=_if(True, "ratedCriteria"),
        says="Let more than the price decide.",
        told_by="price_only",
        with_it=_is(False),
    ),
    Lever(
        key="price_to_former_cost",
        feature="price_to_former_cost",
        stages=("draft",),
        options=_more(1),
        says="Raise the price ceiling to the present cost.",
        told_by="price_to_former_cost",
        with_it=_at_least,
    ),
    _switch("savings_assumed", False, "Raise the price ceiling to the present cost, so that no saving is assumed."),
    _switch("market_engagement", True, "Engage the market before the notice."),
    _switch("outcome_based_payment", False, "Do not let payment hang on outcomes from the start."),
    _switch("new_legal_vehicle_required", False, "Do not require a new legal vehicle."),
    _switch(
        "parent_guarantee_required",
        True,
        "Require a parent guarantee.",
        ("draft", "bids_in", "awarded"),
    ),
    _switch("tax_unresolved", False, "Settle the tax position before work begins.", ("awarded",)),
)


def levers(stage: Stage) -> tuple[Lever, ...]:
    """What can still be changed at a stage."""
    return tuple(lever for lever in LEVERS if stage in lever.stages)
