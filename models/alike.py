"""How alike two tenders are: a distance over the facts that both state, and the facts they share in words.

Gower's distance (Biometrics 27, 1971): each fact that both state gives 0 (the same) to 1 (as different as can be), and
the distance is their weighted mean. Numbers are compared as ratios: ten times as much or as little is as different as
can be, for £5m and £10m differ as £500m and £1bn do. A fact that either leaves open counts as neither alike nor
different: it is left out, and `PRIOR` facts at `PRIOR_DISTANCE` are put in, so that agreeing on two known facts does
not look nearer than agreeing on ten.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from features.catalogue import catalogue
from features.once import once
from features.track_records.case_records import NO_RECORD
from features.track_records.keys import cpv_codes
from models.alike_by import FACTS, MOST
from tenders.tender import Tender

PRIOR, PRIOR_DISTANCE = 6.0, 0.5
FARTHEST = math.log(10)
# Within half as much again: what people call about the same. 15 of 10 is, whatever floating point makes of it.
ABOUT_THE_SAME = math.log(1.5) / FARTHEST + 1e-9
# So that none has a ratio to some.
NEARLY_0 = 1e-9
# Digits of a CPV code that two tenders share, how far apart they are then, and in words; the nearest first.
MARKETS = ((3, 0.0, "also the same kind of service"), (2, 0.5, "a related kind of service"))
ELSEWHERE = "another kind of service"
WEIGHTS = np.array([MOST, *(fact.weight for fact in FACTS)])
Numbers = npt.NDArray[np.float64]


class Likeness(msgspec.Struct, frozen=True, kw_only=True):
    """How alike two tenders are: 0 is the same. `also` says what they share, `unlike` where they differ most."""

    distance: float
    shared: int
    also: tuple[str, ...]
    unlike: tuple[str, ...]


class Measured(msgspec.Struct, frozen=True, eq=False):
    """A tender's facts to compare by: values by feature, and what is bought as CPV codes cut to the digits of MARKETS.

    `placed` is where each of FACTS stands on its scale; NaN where it is unknown.
    """

    values: Mapping[str, float]
    placed: Numbers
    markets: tuple[frozenset[str], ...]


class Crowd(msgspec.Struct, frozen=True, eq=False):
    """Several tenders to compare with: a row of `placed` each, whether it states what it buys, and who buys what."""

    placed: Numbers
    coded: npt.NDArray[np.bool_]
    markets: tuple[Mapping[str, list[int]], ...]


class Part(msgspec.Struct, frozen=True):
    """One fact that both state: how far apart they are on it, whether people would call it the same, and in words."""

    weight: float
    distance: float
    same: bool
    said: str


@once
def measured(tender: Tender) -> Measured:
    """The facts that a tender states."""
    known = ((fact.feature, catalogue()[fact.feature].measure(tender, NO_RECORD)) for fact in FACTS)
    values = {name: value for name, value in known if value is not None}
    placed = (values.get(fact.feature, math.nan) for fact in FACTS)
    scaled = [math.log(at + NEARLY_0) / FARTHEST if fact.number else at for fact, at in zip(FACTS, placed, strict=True)]
    codes = cpv_codes(tender)
    markets = tuple(frozenset(code[:digits] for code in codes) for digits, _, _ in MARKETS)
    return Measured(values, np.array(scaled), markets)


def crowded(tenders: Sequence[Measured]) -> Crowd:
    """Several tenders, to be compared at once."""
    markets = tuple(defaultdict[str, list[int]](list) for _ in MARKETS)
    for place, each in enumerate(tenders):
        for found, codes in zip(markets, each.markets, strict=True):
            for code in codes:
                found[code].append(place)
    placed = np.array([each.placed for each in tenders]).reshape(len(tenders), len(FACTS))
    return Crowd(placed, np.array([bool(each.markets[0]) for each in tenders]), markets)


def distances(one: Measured, others: Crowd) -> Numbers:
    """How far each of `others` is from `one`: 0 is the same, 1 as different as can be."""
    return _mean(_apart(one, others))


def likeness(one: Measured, other: Measured) -> Likeness:
    """How alike `other` is to `one`. The distance is symmetric, and nothing is nearer to a tender than itself."""
    apart = _apart(one, crowded([other]))
    parts = sorted(_parts(one, other, apart[0]), key=lambda part: (part.distance, -part.weight))
    return Likeness(
        distance=float(_mean(apart)[0]),
        shared=len(parts),
        also=tuple(part.said for part in parts if part.same),
        unlike=tuple(part.said for part in reversed(parts) if not part.same),
    )


def _apart(one: Measured, others: Crowd) -> Numbers:
    """How far apart on what is bought (first) and on each of FACTS, a row a tender; NaN where either leaves it open."""
    market = np.where(others.coded & bool(one.markets[0]), 1.0, math.nan)
    for (_, distance, _), ours, theirs in reversed(list(zip(MARKETS, one.markets, others.markets, strict=True))):
        for code in ours:
            market[theirs.get(code, [])] = distance
    return np.column_stack((market, np.minimum(np.abs(others.placed - one.placed), 1.0)))


def _mean(apart: Numbers) -> Numbers:
    stated = ~np.isnan(apart)
    total = np.where(stated, apart, 0.0) @ WEIGHTS + PRIOR * PRIOR_DISTANCE
    rounded: Numbers = np.round(total / (stated @ WEIGHTS + PRIOR), 4)
    return rounded


def _parts(one: Measured, other: Measured, apart: Numbers) -> Iterator[Part]:
    """The facts that both state, in words; `apart` is their row of `_apart`."""
    if not math.isnan(apart[0]):
        said = next((words for _, distance, words in MARKETS if distance == apart[0]), ELSEWHERE)
        yield Part(MOST, float(apart[0]), apart[0] == 0, said)
    for fact, distance in zip(FACTS, map(float, apart[1:]), strict=True):
        if math.isnan(distance):
            continue
        mine, said = fact.words(one.values[fact.feature]), fact.words(other.values[fact.feature])
        near = fact.number and distance <= ABOUT_THE_SAME
        text = f"also {said}" if mine == said else f"near: {said}, here {mine}" if near else f"{said}, here {mine}"
        yield Part(fact.weight, distance, near or mine == said, text)
