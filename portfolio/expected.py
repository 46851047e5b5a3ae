"""How many of those on a worklist are to be expected to fail: by the scores, and by what validation found."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from portfolio.ranking import Floats

Metrics = Mapping[str, Mapping[str, float | None]]
"""Figures by name as `Manifest.metrics` holds them."""

LIFTS = ((0.05, "lift_at_5"), (0.1, "lift_at_10"))
"""The shares of the highest probabilities at which validation counted."""
Z = 1.96


class Precision(msgspec.Struct, frozen=True, kw_only=True):
    """The share of `rows` tenders that will fail, if the scores mean what they say.

    `expected` is the mean probability. `interval` (95 %) is of that mean: what the calibration leaves open. The
    tenders' own bounds come from the same resampled lines and move together, so that the bounds of the mean are the
    means of the bounds. `found` adds the chance by which so many tenders come out above or below their mean: the share
    that a review of all of them should find.
    """

    rows: int
    expected: float
    interval: tuple[float, float]
    found: tuple[float, float]


class Validated(msgspec.Struct, frozen=True, kw_only=True):
    """What validation found for one register and stage on cases that the model had not seen.

    `precision` is the share that failed among the `share` of cases with the highest probabilities, None where that was
    not counted; `base_rate` the share among all `rows`. `outcome` is what counted as failing.
    """

    register: str
    stage: str
    outcome: str
    rows: int
    base_rate: float
    share: float | None
    precision: float | None


def precision(failure: Floats, low: Floats, high: Floats) -> Precision | None:
    """What to expect of tenders with these probabilities and bounds, each of shape (tenders,); None of none."""
    if not len(failure):
        return None
    down, up = float(low.mean()), float(high.mean())
    return Precision(
        rows=len(failure),
        expected=round(float(failure.mean()), 4),
        interval=(round(down, 4), round(up, 4)),
        found=(round(max(down - _chance(low), 0.0), 4), round(min(up + _chance(high), 1.0), 4)),
    )


def validated(metrics: Metrics, register: str, stage: str, share: float) -> Validated | None:
    """What validation found where a worklist takes this share (0 to 1) of all; None where the bundle does not say."""
    for outcome, row in figures(metrics, register, stage):
        base, rows = row.get("base_rate"), row.get("n")
        if base is None or rows is None:
            continue
        at, lift = next(((at, row.get(name)) for at, name in LIFTS if share <= at), (None, None))
        counted = None if lift is None else round(lift * base, 4)
        return Validated(
            register=register,
            stage=stage,
            outcome=outcome,
            rows=int(rows),
            base_rate=base,
            share=at if counted is not None else None,
            precision=counted,
        )
    return None


def figures(metrics: Metrics, register: str, stage: str) -> Iterator[tuple[str, Mapping[str, float | None]]]:
    """The figures that speak of failure: of a register, else of the cohorts that the bundle itself was judged on."""
    for outcome in ("failure", "no_award", "early_end"):
        for name in (f"{register}/{outcome}/{stage}", f"{outcome}/{stage}/cohort" if register == "uk" else ""):
            if name in metrics:
                yield outcome, metrics[name]


def _chance(p: Floats) -> float:
    """What chance alone moves a share by, each tender failing by itself with its own probability (95 %)."""
    return Z * math.sqrt(float(np.sum(p * (1 - p)))) / len(p)
