"""From margins of cases that a model had not seen to a `Calibration`.

Own code rather than scikit-learn's: the slope has a prior and is never negative, and the interval needs resamples.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit, logit
from scipy.stats import norm as normal

from models.calibration import Calibration
from training.splits import bootstrap

Floats = NDArray[np.float64]

# One case of each outcome at the mean margin, so that a resample without a positive still has odds.
PSEUDO = 0.5
# Prior spread of the slope around 0, in units of 1 / standard deviation of the margin: a margin whose spread multiplies
# the odds by e is as much as a few hundred cases could show.
SLOPE_SPREAD = 1.0
# Prior spread around 1 of the slope of a register's margins: a fit by log loss aims at 1. Chosen on the registers'
# windows (docs/benchmarks.md).
TRUST = 0.1


def fit_calibration(
    margin: Floats, y: Floats, weight: Floats, cluster: NDArray[np.int64], seed: int, times: int
) -> Calibration:
    """The line from margins to log-odds, on rows of shape (n,), with `times` resamples of whole clusters.

    The slope is the mean of the resamples' slopes, none of which is negative: without evidence the rule is weak, never
    reversed. The intercept makes the mean probability equal the base rate.
    """
    spread = float(margin.std())
    lines = [fit_line(margin[rows], y[rows], weight[rows], spread) for rows in bootstrap(cluster, times, seed)]
    slope = float(np.mean([b for _, b in lines]))
    return Calibration(
        intercept=round(intercept_for_rate(margin, y, weight, slope), 6),
        slope=round(slope, 6),
        resampled=tuple((round(a, 4), round(b, 4)) for a, b in lines),
        base_rate=round(float(np.average(y, weights=weight)), 6),
        cases=len(y),
        positives=int(y.sum()),
        groups=len(np.unique(cluster)),
    )


def shrink_slope_to_one(line: Calibration, margin: Floats, level: Floats) -> Calibration:
    """The line for margins that are log-odds already: the less its cases say of the slope, the closer it moves to 1.

    How much they say is their Fisher information. The resamples cannot tell it: those of one month or buyer do not
    differ. The mean probability becomes the mean of `level`, which holds probabilities or outcomes, shape (n,).
    """
    slopes = np.array([b for _, b in line.resampled])
    p = line.probabilities(margin)
    weight = p * (1 - p)
    information = float(weight @ (margin - np.average(margin, weights=weight)) ** 2)
    share = information * TRUST**2 / (information * TRUST**2 + 1)
    slope = 1 + share * (line.slope - 1)
    drawn = np.maximum(slope + np.sqrt(share) * (slopes - line.slope), 0.0)
    intercept = intercept_for_rate(margin, level, np.ones(len(margin)), slope)
    # Every resample keeps its distance from the line at the mean margin.
    middle = float(margin.mean())
    shift = intercept - line.intercept + (slope - line.slope) * middle
    kept = np.array([a for a, _ in line.resampled]) + (slopes - drawn) * middle + shift
    return msgspec.structs.replace(
        line,
        intercept=round(intercept, 6),
        slope=round(slope, 6),
        resampled=tuple((round(a, 4), round(b, 4)) for a, b in zip(kept.tolist(), drawn.tolist(), strict=True)),
    )


def widen_for_level(line: Calibration, variance: float, seed: int) -> Calibration:
    """The line with wider intervals, because the level (log-odds) moves by a variance until tenders have ended.

    A bootstrap of cases tells how well a past level is known, not how far the next one lies away. Each resampled
    intercept takes one draw of a normal distribution, evenly spread.
    """
    times = len(line.resampled)
    evenly = normal.ppf((np.arange(times) + 0.5) / times) * np.sqrt(variance)
    moves = np.random.default_rng(seed).permutation(evenly)
    drawn = tuple((round(a + move, 4), b) for (a, b), move in zip(line.resampled, moves.tolist(), strict=True))
    return msgspec.structs.replace(line, resampled=drawn)


def fit_line(margin: Floats, y: Floats, weight: Floats, spread: float) -> tuple[float, float]:
    """Intercept and non-negative slope of a weighted logistic fit, the slope shrunk to 0."""
    centre = float(np.average(margin, weights=weight))
    scale = spread or 1.0
    z = np.append((margin - centre) / scale, [0.0, 0.0])
    target, mass = np.append(y, [1.0, 0.0]), np.append(weight, [PSEUDO, PSEUDO])

    def loss(point: Floats) -> tuple[float, Floats]:
        p = expit(point[0] + point[1] * z)
        value = -np.sum(mass * (target * np.log(p + 1e-12) + (1 - target) * np.log(1 - p + 1e-12)))
        gradient = mass * (p - target)
        penalty = point[1] / SLOPE_SPREAD**2
        return float(value + point[1] ** 2 / (2 * SLOPE_SPREAD**2)), np.array(
            [gradient.sum(), (gradient * z).sum() + penalty]
        )

    start = np.array([logit(np.average(target, weights=mass)), 0.1])
    a, b = minimize(loss, start, jac=True, bounds=[(None, None), (0, None)], method="L-BFGS-B").x
    return float(a - b * centre / scale), float(b / scale)


def intercept_for_rate(margin: Floats, y: Floats, weight: Floats, slope: float) -> float:
    """The intercept at which the mean probability equals the base rate of `y`, taken into 0.0001 to 0.9999."""
    rate = float(np.clip(np.average(y, weights=weight), 1e-4, 1 - 1e-4))
    logits = slope * margin
    # At these ends every probability is below the rate, or above it.
    low, high = float(logit(rate) - logits.max() - 1), float(logit(rate) - logits.min() + 1)
    return float(brentq(lambda level: np.average(expit(level + logits), weights=weight) - rate, low, high, xtol=1e-14))
