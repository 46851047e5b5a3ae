"""What a feature is: a function of the table of tenders, declared with all that is said of it.

    @feature(stage="draft", theme="lots", unit="lots", label="Lots", path="/tender/lots", says="Lots: {value}.")
    def lot_count(table: TenderTable) -> Floats:
        ...

It answers one number a tender, NaN for unknown, which is never turned into zero. The docstring says the rule, why it
matters for failure and the source. The reference page, the form's labels, the text of reasons and the checks follow
from the declaration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from features.categorical import Categorical
from features.table import Floats, TenderTable, cached
from features.track_records.case_records import Summarised
from tenders.facts import Stage

Measure = Callable[[TenderTable], Floats]
Evidence = Callable[[TenderTable], Categorical[Any]]
Theme = Literal["lots", "competition", "structure", "advisers", "timing", "value", "procedure", "buyer", "wording"]
Direction = Literal[-1, 0, 1]
Reads = Literal["tender", "case_records", "register_history"]
SeenWith = Literal["failure", "survival"]
THEMES: tuple[Theme, ...] = (
    "lots",
    "competition",
    "structure",
    "advisers",
    "timing",
    "value",
    "procedure",
    "buyer",
    "wording",
)


class FactorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a yes/no feature a documented factor.

    `asks` is what would have to be known where it is unknown, `seen_with` what its `sources` saw it with. Its record in
    the casebook is counted as of the stage `counted_at`, by default the feature's own.
    """

    asks: str
    sources: tuple[str, ...]
    seen_with: SeenWith = "failure"
    counted_at: Stage | None = None


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """One declared feature.

    `direction` is +1 where more of it never lowers the risk, -1 where it never raises it, 0 where the data
    decide. `path` is where the fact stands in a release, `also` where else it may. `says` is a sentence with
    `{value}` for a number and `{record}` for the record that `evidence` finds; a yes/no feature has `says` for
    yes and `says_not` for no. `reads` is where the number comes from: the facts that the tender states, the records of
    the casebook's resolved cases, or the history of the tender's own register. A documented factor has a
    `factor`; if it is a factor only, it is not `trained`, and training does not offer it to a model. Which features a
    model weighs, its bundle says. The number of a feature with `categories` is the place of one.
    """

    name: str
    measure: Measure
    stage: Stage
    theme: Theme
    unit: str
    label: str
    path: str
    says: str
    says_not: str = ""
    also: tuple[str, ...] = ()
    direction: Direction = 0
    evidence: Evidence | None = None
    reads: Reads = "tender"
    factor: FactorSpec | None = None
    trained: bool = True
    categories: tuple[str, ...] = ()
    doc: str = ""

    def text(self, value: float, table: TenderTable, row: int = 0) -> str:
        """The value of a tender as a sentence, with the record behind it where it is a track record."""
        if self.unit == "yes/no":
            return self.says if value else self.says_not
        if self.categories:
            return self.says.format(value=self.categories[int(value)])
        behind: Summarised | None = None
        if self.evidence:
            records = self.evidence(table)
            behind = records.categories[records.codes[row]]
        return self.says.format(value=_shown(value, self.unit), record=behind.summary if behind else "")


DECLARED: dict[str, Feature] = {}
"""All features by name, in the order in which their modules were imported."""


def feature(
    *,
    stage: Stage,
    theme: Theme,
    unit: str,
    label: str,
    path: str,
    says: str,
    says_not: str = "",
    also: tuple[str, ...] = (),
    direction: Direction = 0,
    evidence: Evidence | None = None,
    factor: FactorSpec | None = None,
    trained: bool = True,
) -> Callable[[Measure], Measure]:
    """Declares a feature; its function is computed once a table. Raises ValueError on a name taken twice."""

    def declare(function: Measure) -> Measure:
        name: str = function.__name__
        if name in DECLARED:
            raise ValueError(f"two features are called {name}")
        measure = cached(function)
        DECLARED[name] = Feature(
            name=name,
            measure=measure,
            stage=stage,
            theme=theme,
            unit=unit,
            label=label,
            path=path,
            says=says,
            says_not=says_not,
            also=also,
            direction=direction,
            evidence=evidence,
            reads="case_records" if evidence else "tender",
            factor=factor,
            trained=trained,
            doc=(measure.__doc__ or "").strip(),
        )
        return measure

    return declare


def _shown(value: float, unit: str) -> str:
    if unit in _SHOWN:
        return _SHOWN[unit](value)
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.2g}"


def _compared(value: float, more: str, less: str) -> str:
    return f"{abs(value):.2g} {more if value >= 0 else less}"


def pounds(value: float) -> str:
    """£725m, £5.9bn, £40k."""
    for size, name in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if value >= size:
            return f"£{value / size:.3g}{name}"
    return f"£{value:.0f}"


_SHOWN: Mapping[str, Callable[[float], str]] = {
    "share": lambda value: f"{value:.0%}",
    "GBP": pounds,
    "ratio": lambda value: f"{value:.2g}",
    "points": lambda value: _compared(100 * value, "points more", "points less"),
    "spreads": lambda value: _compared(value, "spreads more", "spreads less"),
    "days more": lambda value: _compared(value, "days more", "days less"),
    "log cases": lambda value: f"{math.expm1(value):,.0f}",
    "log amount": lambda value: f"{math.exp(value):,.0f}",
    "log-odds": lambda value: f"{value:+.2f}",
}
"""How a value is shown, by its unit; any other unit as a plain number."""
