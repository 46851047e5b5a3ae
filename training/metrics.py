"""Figures of a forecast, and how far chance alone could move them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from training.splits import resamples

Floats = NDArray[np.float64]
Figure = Callable[[Floats, Floats, Floats], float]

BINS = 15


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a forecast; NaN where there are not cases of both kinds to tell it by.

    `n` and `positives` count rows; in all else rows count by their weights. `auc_ci` is the 95 % interval of `auc`,
    whole clusters resampled.
    """

    n: int
    positives: int
    base_rate: float
    auc: float
    auc_ci: tuple[float, float]
    average_precision: float
    brier: float
    ece: float
    lift_at_5: float
    lift_at_10: float


def summary(
    y: Floats, p: Floats, cluster: NDArray[np.int64], draws: int = 400, weight: Floats | None = None
) -> Summary:
    """The figures of probabilities, all of shape (cases,); rows of one `cluster` share their fate.

    Without a `weight` every row counts alike.
    """
    counts = np.ones(len(y)) if weight is None else weight
    both = 0 < y.sum() < len(y)
    return Summary(
        n=len(y),
        positives=int(y.sum()),
        base_rate=float(np.average(y, weights=counts)),
        auc=auc(y, p, counts),
        auc_ci=interval(auc, y, p, counts, cluster, draws=draws) if both else (float("nan"), float("nan")),
        average_precision=average_precision(y, p, counts),
        brier=brier(y, p, counts),
        ece=ece(y, p, counts),
        lift_at_5=lift(y, p, 0.05, counts),
        lift_at_10=lift(y, p, 0.10, counts),
    )


def auc(y: Floats, p: Floats, weight: Floats) -> float:
    """Area under the ROC curve, ties half; NaN where all have one outcome. Written out: intervals ask for it often."""
    place = np.unique(p, return_inverse=True)[1]
    hits, misses = np.bincount(place, weight * y), np.bincount(place, weight * (1 - y))
    below = np.cumsum(misses) - misses / 2
    return float((hits * below).sum() / (hits.sum() * misses.sum())) if 0 < y.sum() < len(y) else float("nan")


def average_precision(y: Floats, p: Floats, weight: Floats) -> float:
    """Average precision; NaN without a positive."""
    return float(average_precision_score(y, p, sample_weight=weight)) if y.sum() else float("nan")


def brier(y: Floats, p: Floats, weight: Floats) -> float:
    """Mean squared error of the probability."""
    return float(np.average((p - y) ** 2, weights=weight))


def ece(y: Floats, p: Floats, weight: Floats, bins: int = BINS) -> float:
    """Expected calibration error over `bins` bins of equal mass."""
    order = np.argsort(p, kind="stable")
    mass = np.cumsum(weight[order]) / weight.sum()
    part = np.minimum((mass * bins - 1e-9).astype(int), bins - 1)
    gaps = 0.0
    for each in np.unique(part):
        rows = order[part == each]
        gap = abs(np.average(p[rows], weights=weight[rows]) - np.average(y[rows], weights=weight[rows]))
        gaps += gap * weight[rows].sum() / weight.sum()
    return float(gaps)


def lift(y: Floats, p: Floats, share: float, weight: Floats | None = None) -> float:
    """Positives among the highest `share` of p, over the base rate. Ties at the edge count by their mean."""
    if not y.any():
        return float("nan")
    weight = np.ones(len(y)) if weight is None else weight
    order = np.argsort(-p, kind="stable")
    mass = np.cumsum(weight[order])
    take = max(1, round(share * len(y))) * float(mass[-1]) / len(y)
    edge = p[order[np.searchsorted(mass, take - 1e-9)]]
    above, tied = p > edge, p == edge
    hits = (weight * y)[above].sum() + np.average(y[tied], weights=weight[tied]) * (take - weight[above].sum())
    return float(hits / take / np.average(y, weights=weight))


def interval(
    figure: Figure, y: Floats, p: Floats, weight: Floats, cluster: NDArray[np.int64], seed: int = 0, draws: int = 400
) -> tuple[float, float]:
    """95 % interval of a figure, resampling whole clusters."""
    found = [figure(y[rows], p[rows], weight[rows]) for rows in resamples(cluster, draws, seed)]
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return float(low), float(high)
