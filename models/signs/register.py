"""The register of warning signs: what a sign is, and the list of all of them.

A sign is a function `(tender, table) -> bool | None` under the `sign` decorator: True shown, False not shown,
None cannot be judged. What people who looked into failures wrote down is a sign, whether or not the evidence bears it
out; how it did in the casebook stands in its record (`models.signs.record`). The docstring says the rule.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Literal

import msgspec

from features.table import Floats, TenderTable
from tenders.facts import Stage
from tenders.tender import Tender

Rule = Callable[[Tender, TenderTable], bool | None]
SeenWith = Literal["failure", "survival"]
PARTS = ("scope", "terms", "payment", "circumstances", "bids_in", "redesign", "awarded", "survival")


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One declared sign.

    `says` is the sentence where it is shown, `says_not` where it is not, `asks` what would have to be known. `stage` is
    the first at which it can be judged, `counted_at` the one at which casebook cases are judged for its record. `path`
    is where the fact stands in a release; it is empty where no field of a notice tells. `seen_with` is what the
    source says goes with it.
    """

    name: str
    rule: Rule
    stage: Stage
    counted_at: Stage
    title: str
    says: str
    says_not: str
    asks: str
    source: str
    path: str = ""
    seen_with: SeenWith = "failure"
    doc: str = ""

    def text(self, shown: bool | None) -> str:
        """The judgement as a sentence."""
        if shown is not None:
            return self.says if shown else self.says_not
        why = "is not known" if self.path else "is told by no field of a notice"
        return f"Cannot be judged: {self.asks} {why}."


_SIGNS: dict[str, Sign] = {}


def sign(
    *,
    stage: Stage,
    title: str,
    says: str,
    says_not: str,
    asks: str,
    source: str,
    path: str = "",
    counted_at: Stage | None = None,
    seen_with: SeenWith = "failure",
) -> Callable[[Rule], Rule]:
    """Declares a sign and leaves the function as it is. Raises ValueError on a name taken twice."""

    def declare(rule: Rule) -> Rule:
        name = rule.__name__
        if name in _SIGNS:
            raise ValueError(f"two signs are called {name}")
        _SIGNS[name] = Sign(
            name=name,
            rule=rule,
            stage=stage,
            counted_at=counted_at or stage,
            title=title,
            says=says,
            says_not=says_not,
            asks=asks,
            source=source,
            path=path,
            seen_with=seen_with,
            doc=" ".join((rule.__doc__ or "").split()),
        )
        return rule

    return declare


@cache
def register() -> Mapping[str, Sign]:
    """All signs by name: those of failure by stage, then those of survival."""
    for part in PARTS:
        importlib.import_module(f"models.signs.{part}")
    return dict(_SIGNS)


def first(values: Floats) -> float | None:
    """The value of a feature of the tender in the first row."""
    return None if math.isnan(values[0]) else float(values[0])


def yes(value: float | None) -> bool | None:
    """A yes/no feature as a judgement."""
    return None if value is None else bool(value)


def untold(name: str) -> Rule:
    """The rule of a sign that no field of a notice tells."""

    def rule(tender: Tender, table: TenderTable) -> bool | None:
        return None

    rule.__name__, rule.__doc__ = name, "No field of a notice tells, so it is never judged."
    return rule
