"""A register's own models: validated by rolling, calibrated on what was forecast, fitted on all, put into a bundle."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from scipy.special import expit

from features.track_records.register_history import RegisterHistory
from models.bundle import ModelPart
from models.calibration import Calibration
from tenders.facts import Stage
from training import metrics
from training.calibrate import calibration, level_of, moved, trusted
from training.frames import Frame
from training.recipe import Boost
from training.reference import Spreads, latest, spreads
from training.rolling import Forecast, Slice, fitted, forecast, known_at, settled

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

STEPS = 3
"""Windows that are forecast: the first is calibrated on only, the others are judged too."""
MOST = 20_000
"""Forecasts that a calibration is fitted on, spread evenly: more do not change two numbers."""
DRIFTS = (0.0, 0.5, 1.0)
MONTH = 30


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a register's model forecast of cases that it had not seen: probabilities, intervals and outcomes by row.

    Each was calibrated on earlier slices only; in a snapshot, on other buyers. `key` names the case, `cluster` whose
    fate it shares, `groups` what kind of case it is.
    """

    register: str
    outcome: str
    stage: Stage
    key: NDArray[np.uint64]
    p: Floats
    low: Floats
    high: Floats
    y: Floats
    cluster: Numbers
    groups: Mapping[str, NDArray[np.str_]]


class Learnt(msgspec.Struct, frozen=True, kw_only=True):
    """One (outcome, stage) of a register: its part, booster and calibration, how it was judged, how the columns lay
    that the booster reads, and what it says of the latest cases that it forecast unseen."""

    part: ModelPart
    booster: xgb.Booster
    calibration: Calibration
    judged: Judged
    spreads: Spreads
    scores: Floats
    state: RegisterHistory


def learn(frame: Frame, boost: Boost, seed: int, resamples: int) -> Learnt:
    """Validates, calibrates and fits the model of one table."""
    found = forecast(frame, boost, STEPS, seed)
    drift = steadiest(frame, found)
    margin = found.margin + drift * frame.drift[found.rows]
    line = calibrated(frame, found, margin, np.full(len(margin), True), seed, resamples)
    booster = final(frame, boost, seed)
    part = ModelPart(
        outcome=frame.outcome,
        stage=frame.stage,
        features=tuple(booster.feature_names or ()),
        level=boost.level,
        drift=drift,
    )
    told = np.flatnonzero(frame.told)
    newest = np.full(len(margin), True) if frame.snapshot else found.slice == found.slice.max()
    return Learnt(
        part=part,
        booster=booster,
        calibration=line,
        judged=judged(frame, found, margin, seed, resamples),
        spreads=spreads(frame.x, frame.names, part.features, told[latest(frame.published[told])]),
        scores=line.probabilities(margin[newest]),
        state=frame.state,
    )


def steadiest(frame: Frame, found: Forecast) -> float:
    """How much of the register's drift to add: what forecast best, by log loss, in all slices together, by however
    little: on earlier windows following it gained in every register (docs/benchmarks.md). Each is judged at the level
    that suits it, for the calibration finds the level afterwards.

    None where outcomes take years: those known last quarter are those that ended soonest, which tells no level.
    """
    y = frame.y[found.rows]
    if frame.snapshot or frame.outcome == "early_end":
        return 0.0

    def loss(drift: float) -> float:
        margin = found.margin + drift * frame.drift[found.rows]
        p = np.clip(expit(margin + level_of(margin, y, np.ones(len(y)), 1.0)), 1e-6, 1 - 1e-6)
        return -float(np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))

    return min(DRIFTS, key=loss)


def calibrated(
    frame: Frame, found: Forecast, margin: Floats, known: NDArray[np.bool_], seed: int, resamples: int
) -> Calibration:
    """The line from margins to probabilities, on the forecasts that are `known`.

    It is drawn again from whole months (buyers in a snapshot), and its level moves as levels do between windows; a
    snapshot shows no windows, and so moves as other registers do. Its own level stands: how often the other buyers
    failed beyond it is chance, and would rank buyers that are judged together by who was left out.
    """
    at = np.flatnonzero(known)
    at = at[np.unique(np.linspace(0, len(at) - 1, min(MOST, len(at))).astype(np.int64))]
    rows, y = found.rows[at], frame.y[found.rows[at]]
    block = frame.buyer[rows] if frame.snapshot else frame.published[rows] // MONTH
    line = calibration(margin[at], y, np.ones(len(at)), block, seed, resamples)
    line = trusted(line, margin[at], expit(margin[at]) if frame.snapshot else y)
    return moved(line, margin[at], y, np.zeros_like(at) if frame.snapshot else found.slice[at], seed)


def judged(frame: Frame, found: Forecast, margin: Floats, seed: int, resamples: int) -> Judged:
    """Probabilities of every slice but the first by what earlier slices (in a snapshot, the others) calibrate."""
    rows, p, low, high = [], [], [], []
    for step in np.unique(found.slice):
        test = found.slice == step
        known = ~test if frame.snapshot else found.slice < step
        if not known.any():
            continue
        line = calibrated(frame, found, margin, known, seed, resamples)
        rows.append(found.rows[test])
        drawn = np.array([expit(a + b * margin[test]) for a, b in line.resampled])
        p.append(expit(line.intercept + line.slope * margin[test]))
        low.append(np.percentile(drawn, 2.5, axis=0))
        high.append(np.percentile(drawn, 97.5, axis=0))
    if not rows:
        line = calibrated(frame, found, margin, np.full(len(margin), True), seed, resamples)
        given = expit(line.intercept + line.slope * margin)
        rows, p, low, high = [found.rows], [given], [given], [given]
    chosen = np.concatenate(rows)
    return Judged(
        register=frame.register,
        outcome=frame.outcome,
        stage=frame.stage,
        key=frame.key[chosen],
        p=np.concatenate(p),
        low=np.concatenate(low),
        high=np.concatenate(high),
        y=frame.y[chosen],
        cluster=(frame.buyer if frame.snapshot else frame.fate)[chosen],
        groups={name: labels[chosen] for name, labels in frame.groups.items()},
    )


def final(frame: Frame, boost: Boost, seed: int) -> xgb.Booster:
    """The model that is served: fitted on everything that is known."""
    cut = int(frame.published[frame.told].max()) + 1
    rows, y = known_at(frame, max(cut, int(frame.known[frame.told].max()) + 1))
    part = Slice(cut=cut, train=rows, y=y, test=rows[:0])
    return fitted(frame, part, settled(frame, part, boost, seed), seed)


def coverage(each: Judged, bins: int = metrics.BINS) -> float:
    """The share of `bins` groups of equal size, by probability, whose observed rate lies in their mean interval,
    widened by what counting alone would move it."""
    inside = 0
    parts = np.array_split(np.argsort(each.p, kind="stable"), bins)
    for part in parts:
        rate, n = each.y[part].mean(), len(part)
        low, high = each.low[part].mean(), each.high[part].mean()
        slack = 1.96 * np.sqrt(max(each.p[part].mean() * (1 - each.p[part].mean()), 1e-9) / n)
        inside += low - slack <= rate <= high + slack
    return inside / bins
