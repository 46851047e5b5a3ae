"""Drift: whether tenders still look like those that a model learnt from, so that its scores mean what they meant.

The comparison needs no rows of the past: the training profile holds quantiles and shares, and `DriftCounts` counts new
tenders against them as they come, so that a million tenders need no more memory than a hundred.

**Size.** For a feature's known values and for scores: the largest difference between the share of tenders below a
quantile and the share that was (Kolmogorov's distance at 21 points; a value that many tenders share counts on either
side, whichever is nearer). For unknown rates and for codes: the difference in share. All are shares from 0 to 1 of
tenders; for codes, of the tenders that state one.

**Chance.** A shift counts if it is too large for chance at `ALPHA`, over all features, all scores and all codes each
(Holm). The bounds are those of Dvoretzky, Kiefer, Wolfowitz and Massart for distances and Chernoff's for shares, which
hold for few tenders and rare codes too; the rows of the training profile are a sample as well. And it must be at least
`MIN_SHIFT`: with enough tenders any difference is beyond chance, and a shift of a few in a hundred changes no score
that matters.

`benchmarks/drift.py` shows what this detects and how often it raises a false alarm.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.table import Floats
from models.training_profile import CODES, LEVELS, TrainingProfile, codes_of
from tenders.tender import Tender

MIN_TENDERS = 50
"""With fewer tenders nothing is concluded: shifts of a quarter would pass for chance."""
ALPHA = 0.01
"""The probability of a finding by chance alone, in all features, all scores or all codes."""
MIN_SHIFT, LARGE_SHIFT = 0.1, 0.25
"""The smallest shift that counts, and one that alone means that scores no longer mean what they meant."""
MAX_SHIFTED_WEIGHT = 0.5
"""The share of a model's weight on shifted features at which its scores no longer mean what they meant."""
KIND_CODES = ("procurement_method", "category", "cpv_division", "currency")
"""Codes of which new ones mean tenders of another kind. A new region does not: it is another place."""
QUANTILE_SLACK = 1e-5
"""Relative rounding error of a quantile: a value that many rows share, such as a third, must not fall beside it."""

Kind = Literal["values", "unknown", "score", "new codes", "code"]


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was compared: how far it moved (share of tenders, 0 to 1) and the probability of that by chance.

    `name` is that of a feature, an outcome or a code list, `code` the code if it is about one. `was` and `now` are
    shares of tenders: of those below (or not above) `at`, unknown, or of that code. `moved` is whether it counts.
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
    """What the comparison says of one model. `same` is None if there are too few tenders to say.

    `shifts` are those that count, the largest first; `compared` is how many things were compared. `weight_moved` is the
    share of the model's weight that lies on features that moved. `seen_from` is the smallest shift of a feature that
    could have been told from chance.
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


class ColumnCounts(msgspec.Struct):
    """Values of one column counted against its quantiles: known, unknown, below each quantile, and not above it."""

    quantiles: Floats
    known: int = 0
    unknown: int = 0
    below: Floats = msgspec.field(default_factory=lambda: np.zeros(len(LEVELS)))
    up_to: Floats = msgspec.field(default_factory=lambda: np.zeros(len(LEVELS)))

    def add(self, values: NDArray[np.floating]) -> None:
        """Counts more values, shape (rows,), NaN for unknown."""
        known = np.sort(values[~np.isnan(values)].astype(np.float64))
        self.known += len(known)
        self.unknown += len(values) - len(known)
        if len(self.quantiles):
            slack = QUANTILE_SLACK * np.abs(self.quantiles)
            self.below += np.searchsorted(known, self.quantiles - slack, side="left")
            self.up_to += np.searchsorted(known, self.quantiles + slack, side="right")

    def distance(self) -> tuple[float, float, float, float]:
        """The largest difference in share, the quantile where it lies, the share below it before and the share now."""
        levels = np.asarray(LEVELS)
        more, fewer = self.below / self.known - levels, levels - self.up_to / self.known
        at = int(np.argmax(np.maximum(more, fewer)))
        now = (self.below if more[at] >= fewer[at] else self.up_to)[at] / self.known
        return max(float(more[at]), float(fewer[at]), 0.0), float(self.quantiles[at]), LEVELS[at], float(now)


class DriftCounts:
    """What is counted of the tenders of one model and stage as they come, to compare with its training profile."""

    def __init__(self, profile: TrainingProfile) -> None:
        self.profile = profile
        self.rows = 0
        self.features: dict[str, dict[str, ColumnCounts]] = {}
        self.scores: dict[str, ColumnCounts] = {}
        self.codes: dict[str, Counter[str]] = {name: Counter() for name in CODES}

    def add_tenders(self, tenders: Sequence[Tender]) -> None:
        """Counts tenders and their codes."""
        self.rows += len(tenders)
        for tender in tenders:
            for name, code in codes_of(tender).items():
                if code is not None:
                    self.codes[name][code] += 1

    def add_features(self, part: str, names: Sequence[str], matrix: NDArray[np.floating]) -> None:
        """Counts what a part (`outcome-stage`) reads of tenders, shape (tenders, names), NaN for unknown."""
        profile = self.profile.features.get(part, {})
        counts = self.features.setdefault(
            part, {name: ColumnCounts(np.asarray(profile[name].quantiles)) for name in names if name in profile}
        )
        for column, name in enumerate(names):
            if name in counts:
                counts[name].add(matrix[:, column])

    def add_scores(self, part: str, p: Floats) -> None:
        """Counts the probabilities that a part gives, shape (tenders,)."""
        if part in self.profile.scores:
            self.scores.setdefault(part, ColumnCounts(np.asarray(self.profile.scores[part]))).add(p)


def drift(counts: DriftCounts, weights: Mapping[str, float] | None = None) -> Drift:
    """What moved, and whether scores still mean what they meant.

    `weights` are the shares of a model's weight by feature; without them every feature weighs the same. Scores no
    longer mean what they meant if scores or new codes moved by LARGE_SHIFT, or if features that moved carry
    MAX_SHIFTED_WEIGHT of the weight, or features that moved by LARGE_SHIFT carry half of that.
    """
    features = _judged(list(_feature_shifts(counts)))
    scores = _judged(list(_score_shifts(counts)))
    codes = _judged(list(_code_shifts(counts)))
    enough = counts.rows >= MIN_TENDERS
    moved = [shift for shift in (*scores, *features, *codes) if shift.moved and enough]
    names = {shift.name for shift in features}
    weight = weights or dict.fromkeys(names, 1.0)
    total = sum(weight.get(name, 0.0) for name in names) or 1.0
    of_features = [shift for shift in moved if shift.kind in ("values", "unknown")]
    shifted = {shift.name for shift in of_features}
    far = {shift.name for shift in of_features if shift.size >= LARGE_SHIFT}
    far_weight, shifted_weight = (sum(weight.get(name, 0.0) for name in group) / total for group in (far, shifted))
    why = _why(moved, far_weight, shifted_weight)
    profile = counts.profile
    return Drift(
        rows=counts.rows,
        reference_rows=profile.rows,
        first=profile.first,
        last=profile.last,
        same=not why if enough else None,
        why=tuple(why),
        shifts=tuple(sorted(moved, key=lambda shift: -shift.size)),
        compared=len(features) + len(scores) + len(codes),
        weight_moved=round(shifted_weight, 4),
        seen_from=round(min(smallest_visible_shift(counts.rows, profile.rows, len(features)), 1.0), 4),
    )


def smallest_visible_shift(rows: int, profile_rows: int, compared: int) -> float:
    """The smallest distance that `compared` comparisons tell from chance: the largest that chance makes."""
    both = rows * profile_rows / max(rows + profile_rows, 1)
    return math.sqrt(math.log(2 * max(compared, 1) / ALPHA) / (2 * both)) if both else 1.0


def _why(moved: Sequence[Shift], far_weight: float, shifted_weight: float) -> list[str]:
    large = [shift for shift in moved if shift.size >= LARGE_SHIFT]
    why = [f"scores of {shift.name} moved far" for shift in large if shift.kind == "score"]
    why += [
        f"of the tenders that state a {shift.name.replace('_', ' ')}, "
        f"{shift.now:.0%} state one that the model never saw"
        for shift in large
        if shift.kind == "new codes" and shift.name in KIND_CODES
    ]
    if far_weight >= MAX_SHIFTED_WEIGHT / 2:
        why.append(f"features that carry {far_weight:.0%} of the model's weight moved far")
    elif shifted_weight >= MAX_SHIFTED_WEIGHT:
        why.append(f"features that carry {shifted_weight:.0%} of the model's weight moved")
    return why


def _feature_shifts(counts: DriftCounts) -> Iterable[Shift]:
    """Each feature once, though several parts read it: as the first of them does."""
    profile = counts.profile
    seen: set[str] = set()
    for part, columns in counts.features.items():
        for name, column in columns.items():
            if name in seen:
                continue
            seen.add(name)
            was = profile.features[part][name].unknown
            rows = column.known + column.unknown
            if rows:
                yield _share_shift("unknown", name, "", was, column.unknown / rows, rows, profile.rows)
            yield from _distance_shift("values", name, column, round(profile.rows * (1 - was)))


def _score_shifts(counts: DriftCounts) -> Iterable[Shift]:
    for part, column in counts.scores.items():
        yield from _distance_shift("score", part.rpartition("-")[0], column, counts.profile.rows)


def _code_shifts(counts: DriftCounts) -> Iterable[Shift]:
    for name, counter in counts.codes.items():
        known, rows = counts.profile.codes.get(name, {}), counter.total()
        if not rows or not known:
            continue
        # The profile keeps only the commonest codes: the share that it left out may look new although it is not.
        rare = max(1 - sum(known.values()), 0.0)
        new = sum(count for code, count in counter.items() if code not in known) / rows
        if new > rare:
            yield _share_shift("new codes", name, "", rare, new, rows, counts.profile.rows)
        for code, was in known.items():
            yield _share_shift("code", name, code, was, counter[code] / rows, rows, counts.profile.rows)


def _distance_shift(kind: Kind, name: str, column: ColumnCounts, before: int) -> Iterable[Shift]:
    if not column.known or not len(column.quantiles) or not before:
        return
    size, at, was, now = column.distance()
    both = column.known * before / (column.known + before)
    chance = min(2 * math.exp(-2 * both * size**2), 1.0)
    yield Shift(kind=kind, name=name, code="", at=at, was=was, now=now, size=size, chance=chance)


def _share_shift(kind: Kind, name: str, code: str, was: float, now: float, rows: int, before: int) -> Shift:
    pooled = (was * before + now * rows) / (before + rows)
    surprise = rows * _divergence(now, pooled) + before * _divergence(was, pooled)
    chance = min(2 * math.exp(-surprise), 1.0)
    return Shift(kind=kind, name=name, code=code, at=None, was=was, now=now, size=abs(now - was), chance=chance)


def _divergence(share: float, expected: float) -> float:
    """The Kullback–Leibler divergence of one share from another."""
    parts = ((share, expected), (1 - share, 1 - expected))
    return sum(p * math.log(p / q) for p, q in parts if p > 0 and q > 0)


def _judged(shifts: Sequence[Shift]) -> list[Shift]:
    """The shifts, each with whether it counts: beyond chance by Holm's steps, and large enough to matter."""
    judged: list[Shift] = []
    beyond = True
    for rank, shift in enumerate(sorted(shifts, key=lambda shift: shift.chance)):
        beyond = beyond and shift.chance <= ALPHA / (len(shifts) - rank)
        judged.append(msgspec.structs.replace(shift, moved=beyond and shift.size >= MIN_SHIFT))
    return judged
