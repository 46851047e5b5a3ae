"""Drift: whether tenders still look like those that a model learnt from, so that its scores mean what they meant.

The comparison needs no rows of the past: the reference holds quantiles and shares, and `models.tally` counts against
them.

**Size.** Of a feature's known values and of scores: the largest difference between the share of tenders below a
quantile and the share that was (Kolmogorov's distance at 21 points; a value that many share counts on the side that
suits).
Of unknown rates and of codes: the difference in share. All are shares from 0 to 1 of tenders, of codes of those that
state one.

**Chance.** A difference counts where it is too large for chance at `ALPHA`, over all features, all scores and all codes
each (Holm), by the bound of Dvoretzky, Kiefer, Wolfowitz and Massart for distances and by Chernoff's for shares, which
holds for few tenders and rare codes too; the reference's own rows are a sample as well. And where it is at least
`MOVED`: with enough tenders any difference is beyond chance, and one of a few in a hundred changes no score that
matters.

`benchmarks/drift.py` shows what this finds and how often it cries wolf.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from models.tally import Counted, Tally

FEWEST = 50
"""Tenders below which nothing is told: shifts of a quarter would pass for chance."""
ALPHA = 0.01
"""The probability of finding anything, by chance alone, in all features, all scores or all codes."""
MOVED, FAR = 0.1, 0.25
"""A shift that counts, and one that alone says that scores no longer mean what they meant."""
LEANING = 0.5
"""The share of a model's weight on features that have moved, at which its scores no longer mean what they meant."""
TELLING = ("procurement_method", "category", "cpv_division", "currency")
"""Codes of which new ones make tenders of another kind. A new region does not: it is another place."""

Kind = Literal["values", "unknown", "score", "new codes", "code"]


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was compared: how far it moved (share of tenders, 0 to 1) and how likely chance moves it so far.

    `name` is a feature's, an outcome's or a code list's, `code` the code where it is about one. `was` and `now` are
    shares of tenders: of those below (or not above) `at`, unknown, or of that code. `moved` tells whether it counts.
    """

    kind: Kind
    name: str
    code: str
    at: float | None
    was: float
    now: float
    size: float
    chance: float
    moved: bool = False


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """What the comparison says of one model. `same` is None where too few tenders leave it open.

    `shifts` are those that count, the largest first; `compared` how many were looked at. `weight_moved` is the share of
    the model's weight that lies on features that moved. `seen_from` is the smallest shift of a feature that could have
    been told from chance.
    """

    rows: int
    reference_rows: int
    first: str
    last: str
    same: bool | None
    why: tuple[str, ...]
    shifts: tuple[Shift, ...]
    compared: int
    weight_moved: float
    seen_from: float


def drift(tally: Tally, weights: Mapping[str, float] | None = None) -> Drift:
    """What moved, and whether scores still mean what they meant.

    `weights` are shares of what a model leans on, by feature; the same for every feature without them. They do not: if
    scores or new codes moved by FAR, or if features that moved carry LEANING of the weight, or those that moved by FAR
    half of that.
    """
    features = _counting(list(_of_features(tally)))
    scores = _counting(list(_of_scores(tally)))
    codes = _counting(list(_of_codes(tally)))
    enough = tally.rows >= FEWEST
    moved = [each for each in (*scores, *features, *codes) if each.moved and enough]
    names = {each.name for each in features}
    leans = weights or dict.fromkeys(names, 1.0)
    total = sum(leans.get(name, 0.0) for name in names) or 1.0
    far = {each.name for each in moved if each.kind in ("values", "unknown") and each.size >= FAR}
    near = {each.name for each in moved if each.kind in ("values", "unknown")}
    on_far, on_moved = (sum(leans.get(name, 0.0) for name in some) / total for some in (far, near))
    why = _why(moved, on_far, on_moved)
    return Drift(
        rows=tally.rows,
        reference_rows=tally.reference.rows,
        first=tally.reference.first,
        last=tally.reference.last,
        same=not why if enough else None,
        why=tuple(why),
        shifts=tuple(sorted(moved, key=lambda each: -each.size)),
        compared=len(features) + len(scores) + len(codes),
        weight_moved=round(on_moved, 4),
        seen_from=round(min(seen_from(tally.rows, tally.reference.rows, len(features)), 1.0), 4),
    )


def seen_from(rows: int, reference_rows: int, compared: int) -> float:
    """The smallest distance that so many comparisons tell from chance: at once the largest that chance makes."""
    both = rows * reference_rows / max(rows + reference_rows, 1)
    return math.sqrt(math.log(2 * max(compared, 1) / ALPHA) / (2 * both)) if both else 1.0


def _why(moved: Sequence[Shift], on_far: float, on_moved: float) -> list[str]:
    why = [f"scores of {each.name} moved far" for each in moved if each.kind == "score" and each.size >= FAR]
    why += [
        f"of the tenders that state a {each.name.replace('_', ' ')}, {each.now:.0%} state one that the model never saw"
        for each in moved
        if each.kind == "new codes" and each.name in TELLING and each.size >= FAR
    ]
    if on_far >= LEANING / 2:
        why.append(f"features that carry {on_far:.0%} of the model's weight moved far")
    elif on_moved >= LEANING:
        why.append(f"features that carry {on_moved:.0%} of the model's weight moved")
    return why


def _of_features(tally: Tally) -> Iterable[Shift]:
    """Each feature once, though several parts read it: by the first that does."""
    seen: set[str] = set()
    for part, spreads in tally.features.items():
        for name, spread in spreads.items():
            if name in seen:
                continue
            seen.add(name)
            was = tally.reference.features[part][name].unknown
            rows = spread.known + spread.unknown
            if rows:
                yield _share("unknown", name, "", was, spread.unknown / rows, rows, tally.reference.rows)
            yield from _distance("values", name, spread, round(tally.reference.rows * (1 - was)))


def _of_scores(tally: Tally) -> Iterable[Shift]:
    for part, spread in tally.scores.items():
        yield from _distance("score", part.rpartition("-")[0], spread, tally.reference.rows)


def _of_codes(tally: Tally) -> Iterable[Shift]:
    for name, counted in tally.codes.items():
        known, rows = tally.reference.codes.get(name, {}), counted.total()
        if not rows or not known:
            continue
        # Codes beyond the commonest are not kept: as many as are missing from the sum may be new to us alone.
        rare = max(1 - sum(known.values()), 0.0)
        new = sum(count for code, count in counted.items() if code not in known) / rows
        if new > rare:
            yield _share("new codes", name, "", rare, new, rows, tally.reference.rows)
        for code, was in known.items():
            yield _share("code", name, code, was, counted[code] / rows, rows, tally.reference.rows)


def _distance(kind: Kind, name: str, spread: Counted, before: int) -> Iterable[Shift]:
    if not spread.known or not len(spread.quantiles) or not before:
        return
    size, at, was, now = spread.farthest()
    both = spread.known * before / (spread.known + before)
    chance = min(2 * math.exp(-2 * both * size**2), 1.0)
    yield Shift(kind=kind, name=name, code="", at=at, was=was, now=now, size=size, chance=chance)


def _share(kind: Kind, name: str, code: str, was: float, now: float, rows: int, before: int) -> Shift:
    pooled = (was * before + now * rows) / (before + rows)
    surprise = rows * _divergence(now, pooled) + before * _divergence(was, pooled)
    chance = min(2 * math.exp(-surprise), 1.0)
    return Shift(kind=kind, name=name, code=code, at=None, was=was, now=now, size=abs(now - was), chance=chance)


def _divergence(share: float, expected: float) -> float:
    """Kullback's and Leibler's, of one share from another."""
    parts = ((share, expected), (1 - share, 1 - expected))
    return sum(here * math.log(here / there) for here, there in parts if here > 0 and there > 0)


def _counting(shifts: Sequence[Shift]) -> list[Shift]:
    """The shifts, with whether each counts: beyond chance by Holm's steps, and large enough to matter."""
    found: list[Shift] = []
    beyond = True
    for place, each in enumerate(sorted(shifts, key=lambda shift: shift.chance)):
        beyond = beyond and each.chance <= ALPHA / (len(shifts) - place)
        found.append(msgspec.structs.replace(each, moved=beyond and each.size >= MOVED))
    return found
