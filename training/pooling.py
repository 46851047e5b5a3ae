"""Pooled models: one for all registers that tell an outcome, and what each register gains or loses by it.

What is pooled is the last window's question: every register's rows as known at its own cut, a bounded sample of each,
all registers with the same weight. The register's own rate goes in as an offset, with what its own online model thinks
of the tender, so that the trees learn what lifts a tender above or below that. Trained without one register, it shows
what is known of a register never seen.

What a few registers have in common by chance does not hold in the next: free trees undo there what the register's own
records say. So a feature whose direction was set beforehand keeps to it, trees are stumps and few, and each register's
offset is first moved to its own level, which the next one will not share.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from features.catalogue import catalogue
from features.matrix import Matrix
from tenders.facts import Stage
from training import metrics
from training.boosting import fit, margins
from training.calibrate import level_of, line
from training.frames import Frame
from training.recipe import Boost
from training.rolling import slices

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

MOST = 15_000
"""Rows of one register that are pooled: the latest."""
BOOST = Boost(depth=1, learning_rate=0.05, trees=30, smallest_leaf=20, column_share=0.3)


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a register: `x` of shape (rows, names), and for every row its outcome, what is known of it beforehand in
    log-odds, and whose fate it shares."""

    register: str
    names: tuple[str, ...]
    x: Matrix
    y: Floats
    offset: Floats
    cluster: Numbers


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One register's share of a pool.

    `learn` are rows to learn from, `test` those of its last window, and `unseen` those that judge a model which has
    seen nothing of the register: in a snapshot all of them, for time does not part them.
    """

    outcome: str
    stage: Stage
    learn: Rows
    test: Rows
    unseen: Rows


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """AUC with its 95 % interval on one register's last window, or on all of a snapshot that was not learnt from, by a
    model of the kind named."""

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
    learn = rows_of(frame, last.train[chosen])
    test = rows_of(frame, last.test)
    return Sample(
        outcome=frame.outcome,
        stage=frame.stage,
        learn=msgspec.structs.replace(learn, y=last.y[chosen]),
        test=test,
        unseen=rows_of(frame, np.flatnonzero(frame.told)) if frame.snapshot else test,
    )


def rows_of(frame: Frame, rows: Numbers) -> Rows:
    """Some rows of a frame, by their numbers."""
    return Rows(
        register=frame.register,
        names=frame.names,
        x=frame.x[rows],
        y=frame.y[rows],
        offset=frame.level[rows] + frame.x[rows, frame.names.index("profile_score")],
        cluster=(frame.buyer if frame.snapshot else frame.fate)[rows],
    )


def pool(outcome: str, samples: Sequence[Sample], seed: int, strangers: Sequence[Rows] = ()) -> Pooled:
    """Fits and judges: all registers together, and each by the others, with all columns and with those that travel;
    `strangers`, of which nothing is learnt, by all."""
    everything, travelling = (_tried(outcome, samples, seed, strangers, travelling) for travelling in (False, True))
    better = travelling if travelling.alone >= everything.alone else everything
    return Pooled(
        outcome=outcome,
        booster=better.booster,
        found=(*everything.found, *travelling.found),
        unsure=better.unsure,
        cases=sum(len(each.unseen.y) for each in samples),
        positives=int(sum(each.unseen.y.sum() for each in samples)),
    )


class _Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A pool of one set of columns; `alone` is the mean AUC on registers that were left out, `unsure` their lines."""

    booster: xgb.Booster
    found: tuple[Transfer, ...]
    alone: float
    unsure: tuple[tuple[float, float], ...]


def _tried(outcome: str, samples: Sequence[Sample], seed: int, strangers: Sequence[Rows], travelling: bool) -> _Tried:
    together = _fit(samples, travelling, seed)
    found = [_judged(outcome, each.test, together, _called("pooled", travelling)) for each in samples]
    found += [_judged(outcome, each, together, _called("by the others", travelling)) for each in strangers]
    alone, unsure = [], []
    for each in samples:
        booster = _fit([other for other in samples if other is not each], travelling, seed)
        alone.append(_judged(outcome, each.unseen, booster, _called("by the others", travelling)))
        unsure.append(_line(each.unseen, booster))
    return _Tried(
        booster=together,
        found=(*found, *alone),
        alone=float(np.mean([each.auc for each in alone])),
        unsure=tuple(unsure),
    )


def _called(kind: str, travelling: bool) -> str:
    return f"{kind}, what travels" if travelling else f"{kind}, all features"


def _fit(samples: Sequence[Sample], travelling: bool, seed: int) -> xgb.Booster:
    names = shared(samples, travelling)
    x = np.concatenate([aligned(each.learn.x, each.learn.names, names) for each in samples])
    weight = np.concatenate([np.full(len(each.learn.y), MOST / len(each.learn.y)) for each in samples])
    y = np.concatenate([each.learn.y for each in samples])
    offset = np.concatenate([levelled(each.learn) for each in samples])
    return fit(x, y, weight, names, BOOST, seed, offset=offset, directed=True)


def levelled(rows: Rows) -> Floats:
    """The offset of rows, moved so that its probabilities are as high on average as the rows' own rate."""
    return rows.offset + level_of(rows.offset, rows.y, np.ones(len(rows.y)), 1.0)


def shared(samples: Sequence[Sample], travelling: bool) -> list[str]:
    """Columns that differ in at least one register, or in at least two where there are more; in the order of their
    appearance."""
    counts: dict[str, int] = {}
    for each in samples:
        low, high = np.fmin.reduce(each.learn.x), np.fmax.reduce(each.learn.x)
        for name, differs in zip(each.learn.names, low < high, strict=True):
            counts[name] = counts.get(name, 0) + int(differs)
    least = min(2, len(samples))
    return [name for name, n in counts.items() if n >= least and (travels(name) or not travelling)]


def travels(name: str) -> bool:
    """Whether a feature says the same in every register: it compares a tender with its own register's records, and
    which way it works was set beforehand."""
    known = catalogue()[name]
    return bool(known.family and known.direction)


def aligned(x: Matrix, names: Sequence[str], wanted: Sequence[str]) -> Matrix:
    """The wanted columns in their order, NaN where there is none."""
    place = {name: column for column, name in enumerate(names)}
    found = np.full((len(x), len(wanted)), np.nan, dtype=np.float32)
    for column, name in enumerate(wanted):
        if name in place:
            found[:, column] = x[:, place[name]]
    return found


def _line(rows: Rows, booster: xgb.Booster) -> tuple[float, float]:
    """The line that would have been right for a register, from the margin of a model that had not seen it."""
    margin = _margin(rows, booster)
    a, b = line(margin, rows.y, np.ones(len(margin)), float(margin.std()))
    return round(a, 4), round(b, 4)


def _margin(rows: Rows, booster: xgb.Booster) -> Floats:
    names = booster.feature_names or []
    return margins(booster, aligned(rows.x, rows.names, names), names) + rows.offset


def _judged(outcome: str, rows: Rows, booster: xgb.Booster, kind: str) -> Transfer:
    margin = _margin(rows, booster)
    ones = np.ones(len(margin))
    low, high = metrics.interval(metrics.auc, rows.y, margin, ones, rows.cluster, draws=100)
    auc = metrics.auc(rows.y, margin, ones)
    around = (round(low, 4), round(high, 4))
    return Transfer(register=rows.register, outcome=outcome, kind=kind, n=len(margin), auc=round(auc, 4), auc_ci=around)
