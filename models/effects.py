"""Pooled effects of factors: what the UK model starts from, in log-odds.

A factor's value becomes a dose (`FactorEffect.dose`); its effect is coefficient × (dose − centre), where the centre is
the usual dose of the tender's own class, so that an ordinary fact moves nothing. What is unknown adds exactly 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np

from features.table import Floats
from tenders.facts import Stage

Scale = Literal["as_is", "any", "log2", "log10", "log2_plus", "log"]
Layer = Literal["documented", "registers", "cases"]
Z95 = 1.959964
LAYERS: tuple[Layer, ...] = ("documented", "registers", "cases")

_SCALES: Mapping[Scale, tuple[Callable[[Floats], Floats], str]] = {
    "as_is": (lambda value: value, "yes against no"),
    "any": (lambda value: np.minimum(value, 1.0), "one or more against none"),
    "log2": (lambda value: np.log2(np.where(value > 0, value, np.nan)), "each doubling"),
    "log10": (lambda value: np.log10(np.where(value > 0, value, np.nan)), "ten times as much"),
    "log2_plus": (lambda value: np.log2(1 + value), "the first, and then each doubling"),
    "log": (lambda value: np.log(np.where(value > 0, value, np.nan)), "a record e times as bad"),
}
"""What each scale makes of values, shape (rows,), and what one unit of dose is in words."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """The odds ratio of one unit of dose, with its 95 % interval."""

    odds_ratio: float
    interval: tuple[float, float]

    @classmethod
    def of_log(cls, mean: float, spread: float) -> Estimate:
        """The estimate with this log odds ratio and its standard error."""
        low, middle, high = (round(math.exp(mean + z * spread), 3) for z in (-Z95, 0.0, Z95))
        return cls(odds_ratio=middle, interval=(low, high))


class OutcomeEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a factor's effect on one outcome: the pooled log odds ratio, its standard error, the layers.

    `by_register` are the estimates behind `registers`. A layer is None where it says nothing. `only_large` says that
    the rates of ordinary contracts hold this effect already, so it counts for large services only. `held` says that
    the pooled effect was on the wrong side of the direction that is held, so that the coefficient is 0.
    """

    coefficient: float
    spread: float
    pooled: Estimate
    documented: Estimate | None = None
    registers: Estimate | None = None
    cases: Estimate | None = None
    by_register: dict[str, Estimate] = {}
    only_large: bool = False
    held: bool = False

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that say something."""
        return tuple(layer for layer in LAYERS if getattr(self, layer) is not None)


class FactorEffect(msgspec.Struct, frozen=True, kw_only=True):
    """One factor of the UK model: how its feature becomes a dose, where that is centred, and its effects by outcome.

    `stage` is the first at which it is known; it counts at that and at every later one. Factors of one `fact` are one
    reason. It says nothing of a tender whose `unless` is 1 or unknown. `centre` is the dose of no effect for an
    ordinary contract and for a large service.
    """

    feature: str
    stage: Stage
    fact: str
    scale: Scale
    centre: tuple[float, float]
    outcomes: dict[str, OutcomeEffect]
    unless: str = ""
    least: float | None = None
    most: float | None = None

    @property
    def unit(self) -> str:
        """One unit of dose in words."""
        return _SCALES[self.scale][1]

    @property
    def reads(self) -> tuple[str, ...]:
        """The features that it reads."""
        return (self.feature, self.unless) if self.unless else (self.feature,)

    def dose(self, values: Mapping[str, Floats]) -> Floats:
        """The dose of each row from the values of its features by name, shape (rows,); NaN for unknown."""
        dose = scaled(self.scale, values[self.feature])
        if self.least is not None or self.most is not None:
            dose = np.clip(dose, self.least, self.most)
        return np.where(values[self.unless] == 0, dose, np.nan) if self.unless else dose

    def centred(self, values: Mapping[str, Floats], large: Floats) -> Floats:
        """The dose of each row less the usual one of its class; 0 for unknown.

        `large` is how far each row is a large service, from 0 to 1.
        """
        ordinary, at_large = self.centre
        return np.nan_to_num(self.dose(values) - (ordinary + large * (at_large - ordinary)))


def scaled(scale: Scale, value: Floats) -> Floats:
    """The dose of each value on a scale, NaN for unknown."""
    with np.errstate(invalid="ignore"):
        return _SCALES[scale][0](value)


class EffectSum(msgspec.Struct, frozen=True, kw_only=True):
    """What the effects of one outcome say of the rows of a table: their parts by effect, and what is not known of them.

    `parts` has shape (rows, effects), in log-odds; `variance` (rows,) is that of their sum.
    """

    effects: tuple[FactorEffect, ...]
    parts: Floats
    variance: Floats

    @property
    def margin(self) -> Floats:
        """The sum of the parts, shape (rows,)."""
        total: Floats = self.parts.sum(axis=1)
        return total


def effect_sums(
    effects: Sequence[FactorEffect], outcomes: Sequence[str], values: Mapping[str, Floats], large: Floats
) -> dict[str, EffectSum]:
    """What effects say of each outcome, by name. `values` are those of their features, each of shape (rows,)."""
    doses = {effect.feature: effect.centred(values, large) for effect in effects}
    sums = {}
    for outcome in outcomes:
        chosen = tuple(effect for effect in effects if outcome in effect.outcomes)
        parts, variance = np.zeros((len(large), len(chosen))), np.zeros(len(large))
        for column, effect in enumerate(chosen):
            known = effect.outcomes[outcome]
            dose = doses[effect.feature] * large if known.only_large else doses[effect.feature]
            parts[:, column] = known.coefficient * dose
            variance += (known.spread * dose) ** 2
        sums[outcome] = EffectSum(effects=chosen, parts=parts, variance=variance)
    return sums
