"""Pooled effects of factors: what the UK model starts from, in log-odds.

A factor's value becomes a dose (`scaled`); its effect is coefficient × (dose − centre), where the centre is
the usual dose of the tender's own class, so that an ordinary fact moves nothing. What is unknown adds exactly 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

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
    the classes of ordinary contracts are classes of this fact already, so it counts for large services only. `held`
    says that the pooled effect was on the wrong side of the direction that is held, so that the coefficient is 0.
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


def scaled(scale: Scale, value: Floats) -> Floats:
    """The dose of values on a scale, NaN for unknown, of the shape of `value`."""
    with np.errstate(invalid="ignore"):
        return _SCALES[scale][0](value)


class EffectTable(msgspec.Struct, frozen=True, kw_only=True):
    """Effects as arrays, so that those of many tenders, or of one, are a few steps. Made once for a bundle.

    `columns` are the places of their features among the features that are weighed, `excluding` the effects that have an
    `unless` and the places of these. Arrays have shape (effects,), `centre` (2, effects).
    """

    effects: tuple[FactorEffect, ...]
    columns: NDArray[np.int64]
    excluding: tuple[NDArray[np.int64], NDArray[np.int64]]
    scales: tuple[tuple[Scale, NDArray[np.int64]], ...]
    bounds: tuple[Floats, Floats]
    centre: Floats
    coefficient: dict[str, Floats]
    spread: dict[str, Floats]
    only_large: dict[str, NDArray[np.bool_]]

    @classmethod
    def of(cls, effects: Sequence[FactorEffect], features: Sequence[str]) -> EffectTable:
        """The table of effects that read features of these names, in this order."""
        place = {name: number for number, name in enumerate(features)}
        outcomes = dict.fromkeys(outcome for effect in effects for outcome in effect.outcomes)
        without = OutcomeEffect(coefficient=0.0, spread=0.0, pooled=Estimate.of_log(0.0, 0.0))
        of = {outcome: [effect.outcomes.get(outcome, without) for effect in effects] for outcome in outcomes}
        limited = [number for number, effect in enumerate(effects) if effect.unless]
        scales: dict[Scale, list[int]] = {}
        for number, effect in enumerate(effects):
            scales.setdefault(effect.scale, []).append(number)
        return cls(
            effects=tuple(effects),
            columns=np.array([place[effect.feature] for effect in effects], dtype=np.int64),
            excluding=(_numbers(limited), _numbers([place[effects[number].unless] for number in limited])),
            scales=tuple((scale, _numbers(numbers)) for scale, numbers in scales.items() if scale != "as_is"),
            bounds=(
                np.array([-np.inf if effect.least is None else effect.least for effect in effects]),
                np.array([np.inf if effect.most is None else effect.most for effect in effects]),
            ),
            centre=np.array([effect.centre for effect in effects], dtype=np.float64).T,
            coefficient={outcome: _floats([effect.coefficient for effect in known]) for outcome, known in of.items()},
            spread={outcome: _floats([effect.spread for effect in known]) for outcome, known in of.items()},
            only_large={outcome: np.array([effect.only_large for effect in known]) for outcome, known in of.items()},
        )

    def parts(self, values: Floats, large: Floats) -> EffectParts:
        """What the effects say of tenders: `values` of the features, shape (rows, features), NaN for unknown.

        `large` is how far each is a large service, from 0 to 1, shape (rows,).
        """
        # Most effects are of facts that none of many tenders states: only the others are computed.
        unknown = np.all(np.isnan(values), axis=0)
        known = ~unknown[self.columns]
        place = np.cumsum(known) - 1
        doses = values.T[self.columns[known]].astype(np.float64, copy=False)
        for scale, effects in self.scales:
            rows = place[effects[known[effects]]]
            doses[rows] = scaled(scale, doses[rows])
        least, most = self.bounds
        np.clip(doses, least[known, None], most[known, None], out=doses)
        limited, unless = (effects[known[self.excluding[0]]] for effects in self.excluding)
        doses[place[limited]] = np.where(values.T[unless] == 0, doses[place[limited]], np.nan)
        ordinary, at_large = self.centre[:, known]
        doses -= ordinary[:, None] + np.multiply.outer(at_large - ordinary, large)
        doses[np.isnan(doses)] = 0.0
        every = np.zeros((len(self.effects), len(values)))
        every[known] = doses
        return EffectParts(table=self, doses=every, large=large)


class EffectParts(msgspec.Struct, frozen=True, kw_only=True):
    """What effects say of tenders: the dose of each over the usual one, shape (effects, rows), 0 for unknown."""

    table: EffectTable
    doses: Floats
    large: Floats

    def margin(self, outcome: str) -> Floats:
        """What all effects add to the log-odds of an outcome, shape (rows,)."""
        added: Floats = self.table.coefficient[outcome] @ self._of(outcome)
        return added

    def variance(self, outcome: str) -> Floats:
        """The variance of that, shape (rows,)."""
        variance: Floats = self.table.spread[outcome] ** 2 @ self._of(outcome) ** 2
        return variance

    def contributions(self, outcome: str, row: int) -> dict[str, float]:
        """What each effect adds to the log-odds of one tender, by feature."""
        added = self.table.coefficient[outcome] * self._of(outcome)[:, row]
        return dict(zip((effect.feature for effect in self.table.effects), added.tolist(), strict=True))

    def _of(self, outcome: str) -> Floats:
        only = self.table.only_large[outcome]
        if not only.any():
            return self.doses
        doses = self.doses.copy()
        doses[only] *= self.large
        return doses


def _floats(values: Sequence[float]) -> Floats:
    return np.array(values, dtype=np.float64)


def _numbers(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)
