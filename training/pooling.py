"""Pooled models: one for all registers that tell an outcome, and what each register gains or loses by it.

What is pooled is the last window's question: every register's rows as known at its own cut, a bounded sample of each,
all registers with the same weight. The register's own rate goes in as an offset, with what its own online model thinks
of the tender, so that the trees learn what lifts a tender above or below that. Trained without one register, it shows
what is known of a register never seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from features.matrix import Matrix
from tenders.facts import Stage
from training import metrics
from training.boosting import fit, margins
from training.calibrate import line
from training.frames import Frame
from training.recipe import Boost
from training.rolling import slices

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

MOST = 15_000
"""Rows of one register that are pooled: the latest."""
TRAVELS = ("rate_", "words_score", "profile_score", "window_to_", "value_to_")
"""How features begin that say the same in every register: what compares a tender with its own register."""
BOOST = Boost(depth=4, learning_rate=0.05, trees=150, smallest_leaf=20, column_share=0.3)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One register's share of a pool: rows to learn from and rows to be judged on, with the columns of its frame."""

    register: str
    outcome: str
    stage: Stage
    names: tuple[str, ...]
    x: Matrix
    y: Floats
    offset: Floats
    test_x: Matrix
    test_y: Floats
    test_offset: Floats
    cluster: Numbers


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """AUC with its 95 % interval on one register's last window, by a model of the kind named."""

    register: str
    outcome: str
    kind: str
    n: int
    auc: float
    auc_ci: tuple[float, float]


class Pooled(msgspec.Struct, frozen=True, kw_only=True):
    """The pooled model of an outcome, and the evidence for it.

    `unsure` are lines from margins to log-odds, one a register that was left out: how far off the level and the spread
    may be where nothing is known. They rest on `cases`, of which `positives` had the outcome.
    """

    outcome: str
    booster: xgb.Booster
    found: tuple[Transfer, ...]
    unsure: tuple[tuple[float, float], ...]
    cases: int
    positives: int


def sample(frame: Frame, steps: int) -> Sample:
    """The last slice of a register, at most MOST rows to learn from."""
    *_, last = slices(frame, steps)
    chosen = np.argsort(frame.published[last.train], kind="stable")[-MOST:]
    rows = last.train[chosen]
    offset = frame.level + frame.x[:, frame.names.index("profile_score")]
    return Sample(
        register=frame.register,
        outcome=frame.outcome,
        stage=frame.stage,
        names=frame.names,
        x=frame.x[rows],
        y=last.y[chosen],
        offset=offset[rows],
        test_x=frame.x[last.test],
        test_y=frame.y[last.test],
        test_offset=offset[last.test],
        cluster=(frame.buyer if frame.snapshot else frame.fate)[last.test],
    )


def pool(outcome: str, samples: Sequence[Sample], seed: int) -> Pooled:
    """Fits and judges: all registers together, and each by the others, with all columns and with those that travel."""
    found: list[Transfer] = []
    alone: dict[bool, list[float]] = {True: [], False: []}
    lines: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for travelling in (False, True):
        together = _fit(samples, travelling, seed)
        found += [_judged(outcome, each, together, _called("pooled", travelling)) for each in samples]
        for each in samples:
            others = [other for other in samples if other is not each]
            stranger = _fit(others, travelling, seed)
            judged = _judged(outcome, each, stranger, _called("by the others", travelling))
            found.append(judged)
            alone[travelling].append(judged.auc)
            lines[travelling].append(_line(each, stranger))
    travels = float(np.mean(alone[True])) >= float(np.mean(alone[False]))
    return Pooled(
        outcome=outcome,
        booster=_fit(samples, travels, seed),
        found=tuple(found),
        unsure=tuple(lines[travels]),
        cases=sum(len(each.test_y) for each in samples),
        positives=int(sum(each.test_y.sum() for each in samples)),
    )


def _called(kind: str, travelling: bool) -> str:
    return f"{kind}, what travels" if travelling else f"{kind}, all features"


def _fit(samples: Sequence[Sample], travelling: bool, seed: int) -> xgb.Booster:
    names = shared(samples, travelling)
    x = np.concatenate([aligned(each.x, each.names, names) for each in samples])
    weight = np.concatenate([np.full(len(each.y), MOST / len(each.y)) for each in samples])
    y, offset = (np.concatenate([getattr(each, part) for each in samples]) for part in ("y", "offset"))
    return fit(x, y, weight, names, BOOST, seed, offset=offset)


def shared(samples: Sequence[Sample], travelling: bool) -> list[str]:
    """Columns of at least one register, or of at least two where there are more; in the order of their appearance."""
    counts: Mapping[str, int] = {}
    for each in samples:
        counts = {**counts, **{name: counts.get(name, 0) + 1 for name in each.names}}
    least = min(2, len(samples))
    return [name for name, n in counts.items() if n >= least and (name.startswith(TRAVELS) or not travelling)]


def aligned(x: Matrix, names: Sequence[str], wanted: Sequence[str]) -> Matrix:
    """The wanted columns in their order, NaN where there is none."""
    place = {name: column for column, name in enumerate(names)}
    found = np.full((len(x), len(wanted)), np.nan, dtype=np.float32)
    for column, name in enumerate(wanted):
        if name in place:
            found[:, column] = x[:, place[name]]
    return found


def _line(each: Sample, stranger: xgb.Booster) -> tuple[float, float]:
    """The line that would have been right for a register, from the margin of a model that had not seen it."""
    margin = _margin(each, stranger)
    a, b = line(margin, each.test_y, np.ones(len(margin)), float(margin.std()))
    return round(a, 4), round(b, 4)


def _margin(each: Sample, booster: xgb.Booster) -> Floats:
    names = booster.feature_names or []
    return margins(booster, aligned(each.test_x, each.names, names), names) + each.test_offset


def _judged(outcome: str, each: Sample, booster: xgb.Booster, kind: str) -> Transfer:
    margin = _margin(each, booster)
    ones = np.ones(len(margin))
    low, high = metrics.interval(metrics.auc, each.test_y, margin, ones, each.cluster, draws=100)
    auc = metrics.auc(each.test_y, margin, ones)
    around = (round(low, 4), round(high, 4))
    return Transfer(register=each.register, outcome=outcome, kind=kind, n=len(margin), auc=round(auc, 4), auc_ci=around)
