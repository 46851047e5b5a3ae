"""How alike two tenders are: a distance over the facts that both state, and the facts they share in words.

Gower's distance (Biometrics 27, 1971): each fact that both state gives 0 (the same) to 1 (as different as can be), and
the distance is their weighted mean. Numbers are compared as ratios: ten times as much or as little is as different as
can be, for £5m and £10m differ as £500m and £1bn do. A fact that either leaves open counts as neither alike nor
different: it is left out, and `PRIOR` facts at `PRIOR_DISTANCE` are put in, so that agreeing on two known facts does
not look nearer than agreeing on ten.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import msgspec

from features.catalogue import catalogue
from features.track_records import TrackRecord, cpv_codes
from models.alike_by import FACTS, MOST
from tenders.tender import Tender

PRIOR, PRIOR_DISTANCE = 6.0, 0.5
FARTHEST = math.log(10)
# Within half as much again: what people call about the same.
ABOUT_THE_SAME = math.log(1.5) / FARTHEST
# So that none has a ratio to some.
NEARLY_0 = 1e-9
NO_RECORD = TrackRecord()


class Likeness(msgspec.Struct, frozen=True, kw_only=True):
    """How alike two tenders are: 0 is the same. `also` says what they share, `unlike` where they differ most."""

    distance: float
    shared: int
    also: tuple[str, ...]
    unlike: tuple[str, ...]


class Measured(msgspec.Struct, frozen=True):
    """A tender's facts to compare by: values by feature, and the CPV codes of what is bought."""

    values: Mapping[str, float]
    codes: frozenset[str]


class Part(msgspec.Struct, frozen=True):
    """One fact that both state: how far apart they are on it, whether people would call it the same, and in words."""

    weight: float
    distance: float
    same: bool
    said: str


def measured(tender: Tender) -> Measured:
    """The facts that a tender states."""
    known = ((fact.feature, catalogue()[fact.feature].measure(tender, NO_RECORD)) for fact in FACTS)
    return Measured({name: value for name, value in known if value is not None}, frozenset(cpv_codes(tender)))


def likeness(one: Measured, other: Measured) -> Likeness:
    """How alike `other` is to `one`. The distance is symmetric, and nothing is nearer to a tender than itself."""
    parts = sorted(_parts(one, other), key=lambda part: (part.distance, -part.weight))
    weight = math.fsum(part.weight for part in parts)
    total = math.fsum(part.weight * part.distance for part in parts)
    return Likeness(
        distance=round((total + PRIOR * PRIOR_DISTANCE) / (weight + PRIOR), 4),
        shared=len(parts),
        also=tuple(part.said for part in parts if part.same),
        unlike=tuple(part.said for part in reversed(parts) if not part.same),
    )


def _parts(one: Measured, other: Measured) -> Iterator[Part]:
    if one.codes and other.codes:
        yield _market(one.codes, other.codes)
    for fact in FACTS:
        ours, theirs = one.values.get(fact.feature), other.values.get(fact.feature)
        if ours is None or theirs is None:
            continue
        apart = abs(math.log((ours + NEARLY_0) / (theirs + NEARLY_0))) / FARTHEST if fact.number else abs(ours - theirs)
        mine, said = fact.words(ours), fact.words(theirs)
        near = fact.number and apart <= ABOUT_THE_SAME
        text = f"also {said}" if mine == said else f"near: {said}, here {mine}" if near else f"{said}, here {mine}"
        yield Part(fact.weight, min(1.0, apart), near or mine == said, text)


def _market(one: frozenset[str], other: frozenset[str]) -> Part:
    """The same if they share a CPV group (3 digits), half as far as can be if only a division (2 digits)."""
    kinds = ((3, 0.0, "also the same kind of service"), (2, 0.5, "a related kind of service"))
    for digits, distance, said in kinds:
        if {code[:digits] for code in one} & {code[:digits] for code in other}:
            return Part(MOST, distance, distance == 0, said)
    return Part(MOST, 1.0, False, "another kind of service")
