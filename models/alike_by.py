"""The facts by which cases are compared, what each weighs, and how it is said."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from features.catalogue import pounds

# What is bought, for how much and who came say most of whether two cases compare; who buys is nearly the same for
# most cases, so that sharing it says little. The weights are ours.
MOST, LITTLE = 2.0, 0.25

Words = Callable[[float], str]


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One fact to compare by: a feature of the catalogue, its weight, and how a value of it is said after "also"."""

    feature: str
    words: Words
    weight: float = 1.0
    number: bool = False


def _flag(yes: str, no: str) -> Words:
    return lambda value: yes if value else no


def _count(one: str, many: str) -> Words:
    return lambda value: one if value == 1 else many.format(value=f"{value:,.0f}")


def _size(value: float) -> str:
    return "over £500m" if value >= 500e6 else f"about {pounds(value)}"


FACTS: tuple[Fact, ...] = (
    Fact(feature="single_block", words=_flag("one block", "divided into lots")),
    Fact(feature="value_gbp", words=_size, number=True, weight=MOST),
    Fact(feature="term_years", words=lambda value: f"{value:.0f} years", number=True),
    Fact(feature="service_lines", words=_count("one service line", "{value} service lines"), number=True),
    Fact(feature="tender_period_days", words=lambda value: f"{value:.0f} days to bid", number=True),
    Fact(feature="direct_award", words=_flag("awarded without competition", "competed for")),
    Fact(feature="outcome_based_payment", words=_flag("paid by outcomes", "not paid by outcomes")),
    Fact(feature="market_engagement", words=_flag("market engaged before", "market not engaged before")),
    Fact(feature="staff_transfer", words=_flag("staff transfer", "no staff transfer")),
    Fact(feature="first_of_its_kind", words=_flag("first of its kind", "done before")),
    Fact(feature="public_incumbent", words=_flag("run by the public sector before", "run by a contractor before")),
    Fact(feature="health_buyer", words=_flag("a health body buys", "no health body buys"), weight=LITTLE),
    Fact(feature="national_buyer", words=_flag("a national body buys", "a local body buys"), weight=LITTLE),
    Fact(feature="joint_buyers", words=_flag("several bodies buy together", "one body buys alone"), weight=LITTLE),
    Fact(feature="bidders", words=_count("one bidder", "{value} bidders"), number=True, weight=MOST),
    Fact(feature="bidder_attrition", words=lambda value: f"{value:.0%} of the interested bidders left"),
    Fact(feature="scope_changes", words=_flag("scope changed meanwhile", "scope unchanged")),
    Fact(feature="bidder_changes", words=_flag("the bidder changed its form", "the bidder kept its form")),
    Fact(feature="assurance_holds", words=_flag("held by an assurer", "not held")),
    Fact(feature="joint_vehicle", words=_flag("a joint vehicle supplies", "one organisation supplies")),
    Fact(feature="tax_unresolved", words=_flag("tax left open", "tax settled")),
)
"""Facts of the tender itself: no track record, no wording, no calendar."""
