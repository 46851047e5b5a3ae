"""Reference classes: the kind of tender whose base rate applies, by value, kind of purchase, day and procedure.

A large outsourced service fails far more often than an ordinary contract, so that each tender of the UK starts from the
rates of its own class. Between LARGE_FROM and LARGE_FULLY pounds a service stands between the two classes, in log-odds
along the logarithm of its value, so that a pound more never makes a leap.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.categorical import Categorical
from features.procedure import purchase_kind
from features.table import Floats, TenderTable, cached
from features.value import pounds

LARGE_FROM, LARGE_FULLY = 1e6, 3e7
PROCUREMENT_ACT = date(2025, 2, 24).toordinal()
"""The day from which cancellations must be published: Procurement Act 2023, s. 55."""
CALL_OFFS = re.compile(r"digital[ -]outcomes|digital[ -]specialists", re.I)
"""What the procedure of a call-off of the Digital Marketplace is called."""
SIZES: Mapping[str, float] = {"under £100k": 1e5, "£100k to £1m": 1e6, "£1m to £10m": 1e7, "£10m or more": np.inf}
UNSTATED, LARGE, ORDINARY, BEFORE, CALL_OFF = "value not stated", "large", "ordinary", "before", "call-off"
"""Names of classes, beside the sizes of ordinary contracts."""


class ClassRate(msgspec.Struct, frozen=True, kw_only=True):
    """How often one outcome comes in a class: the rate, the standard error of its log-odds, and what it rests on."""

    rate: float
    spread: float
    basis: str
    cases: int = 0
    positives: int = 0

    @property
    def log_odds(self) -> float:
        """The rate in log-odds."""
        return float(np.log(self.rate / (1 - self.rate)))


ClassRates = dict[str, dict[str, ClassRate]]
"""Rates by outcome and class. Contracts that end early have the classes LARGE, SIZES and UNSTATED; for the other
outcomes they are LARGE, ORDINARY, BEFORE (published before the Procurement Act) and CALL_OFF."""


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """The classes of tenders, a row each: how far each is a large service (0 to 1), its size, and how it was published.

    `title` is the class in words.
    """

    large: Floats
    size: Categorical[str]
    published: Categorical[str]
    title: Categorical[str]

    def level(self, rates: ClassRates, outcome: str) -> tuple[Floats, Floats]:
        """The log-odds of an outcome in the class of each row, and the variance of that, each of shape (rows,)."""
        known = rates[outcome]
        rows = self.size if outcome == "early_end" else self.published
        ordinary = rows.numbers(lambda name: known[name].log_odds)
        spread = rows.numbers(lambda name: known[name].spread)
        large = known[LARGE]
        share = self.large
        return (1 - share) * ordinary + share * large.log_odds, ((1 - share) * spread + share * large.spread) ** 2


@cached
def placement(table: TenderTable) -> Placement:
    """The class of each tender, as far as known at the stage of the table."""
    value, stated = pounds(table), table.number("outsourced_service")
    not_service = purchase_kind(table).where(lambda kind: kind in ("works", "goods"))
    days = table.published_on.numbers(lambda day: day.toordinal() if day else None)
    call_off = table.text("procurement_method_details").where(lambda name: bool(name and CALL_OFFS.search(name)))
    share = np.log(np.fmax(value, 1.0) / LARGE_FROM) / np.log(LARGE_FULLY / LARGE_FROM)
    large = np.where(np.isnan(value) | not_service, 0.0, np.clip(share, 0.0, 1.0))
    large = np.where(np.isnan(stated), large, stated)
    sizes = [UNSTATED, *SIZES]
    size = np.where(np.isnan(value), 0, 1 + np.searchsorted(list(SIZES.values())[:-1], value, side="right"))
    ways = [ORDINARY, BEFORE, CALL_OFF]
    way = np.where(call_off, 2, np.where(days < PROCUREMENT_ACT, 1, 0))
    return Placement(
        large=large,
        size=Categorical(sizes, size.astype(np.int32)),
        published=Categorical(ways, way.astype(np.int32)),
        title=_titles(large, sizes, size, way),
    )


def _titles(large: Floats, sizes: list[str], size: NDArray[np.int64], way: NDArray[np.int64]) -> Categorical[str]:
    """The classes in words: one for every mixture of large service, size and publication."""
    kind = np.where(large >= 1, 2, np.where(large > 0, 1, 0))
    ordinary = [f"ordinary UK contracts, {name}" for name in sizes]
    before = [f"{title}, published before 24 February 2025" for title in ordinary]
    titles = [*ordinary, *before, *["UK digital call-offs"] * len(sizes)]
    between = f"UK services of £{LARGE_FROM / 1e6:.0f}m to £{LARGE_FULLY / 1e6:.0f}m, between ordinary and large"
    titles += [between, "large outsourced UK services"]
    codes = np.where(kind == 0, way * len(sizes) + size, 3 * len(sizes) + kind - 1)
    return Categorical(titles, codes.astype(np.int32))
