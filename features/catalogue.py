"""The catalogue: what a feature is, and the list of all of them.

A feature is a function `(tender, track_record) -> float | None` under the `feature` decorator, or one of the columns
of many tenders, `(columns) -> floats`, under `by_column` as well. None and NaN mean unknown and are never turned into
zero. The docstring says the rule, why it matters for failure and the source. Reference page, form label, reason text
and the checks follow from the declaration.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Literal, TypeVar

import msgspec

from features.table import Measure
from features.table import OldColumn as Column
from features.track_records.case_records import Seen, TrackRecord
from tenders.facts import STAGES, Stage
from tenders.tender import Tender

Declared = TypeVar("Declared", bound=Measure)
Evidence = Callable[[Tender, TrackRecord], Seen | None]
Theme = Literal["lots", "competition", "structure", "advisers", "timing", "value", "procedure", "buyer", "wording"]
Direction = Literal[-1, 0, 1]
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


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """One declared feature.

    `direction` is +1 where more of it never lowers the risk, -1 where it never raises it, 0 where the data
    decide. `path` is where the fact stands in a release, `also` where else it may. `says` is a sentence with
    `{value}` for a number and `{record}` for the record that `evidence` finds; a yes/no feature has `says` for
    yes and `says_not` for no. A `family` is read from a register's records, one feature a key: see
    `features.track_records.register_catalogue`.
    `column` is None for a feature that needs the tender itself.
    """

    name: str
    measure: Measure
    column: Column | None
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
    family: str = ""
    doc: str = ""

    def text(self, value: float, tender: Tender, track_record: TrackRecord) -> str:
        """The fact as a sentence, with the record behind it where it is a track record."""
        if self.unit == "yes/no":
            return self.says if value else self.says_not
        behind = self.evidence(tender, track_record) if self.evidence else None
        return self.says.format(value=_shown(value, self.unit), record=behind.seen if behind else "")


_FEATURES: dict[str, Feature] = {}


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
    family: str = "",
) -> Callable[[Declared], Declared]:
    """Declares a feature and leaves the function as it is. Raises ValueError on a name taken twice."""

    def declare(measure: Declared) -> Declared:
        name: str = measure.__name__
        if name in _FEATURES:
            raise ValueError(f"two features are called {name}")
        _FEATURES[name] = Feature(
            name=name,
            measure=measure,
            column=getattr(measure, "column", None),
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
            family=family,
            doc=(measure.__doc__ or "").strip(),
        )
        return measure

    return declare


@cache
def catalogue() -> Mapping[str, Feature]:
    """All features by name, in the order of themes and of their files."""
    for theme in THEMES:
        importlib.import_module(f"features.{theme}")
    importlib.import_module("features.track_records.register_catalogue")
    # A theme that imports another is declared after it; the order shown is that of the themes.
    return dict(sorted(_FEATURES.items(), key=lambda item: THEMES.index(item[1].theme)))


def known_at(stage: Stage) -> list[Feature]:
    """The features whose facts exist at a stage, in catalogue order."""
    known = STAGES[: STAGES.index(stage) + 1]
    return [each for each in catalogue().values() if each.stage in known]


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
