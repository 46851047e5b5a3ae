"""What to expect of a portfolio's scores: by the scores themselves, and by how the bundle's models were validated."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from models.bundle import PICTURES, Bundle
from portfolio.ranking import Floats

ValidationMetrics = Mapping[str, Mapping[str, float | None]]
"""Metrics on unseen cases, by "register/outcome/stage"."""

LIFTS = ((0.05, "lift_at_5"), (0.1, "lift_at_10"))
"""The shares of the highest probabilities at which validation measured the lift."""
Z_95 = 1.96
WEAK_AUC, WEAK_AUC_GAP, WEAK_ECE = 0.6, 0.03, 0.05
"""A group is called weak if its AUC is below the first or that far below the AUC of all cases, or if its calibration
error is above the last."""
_BY_ENDING = "Kind of ending"
"""Groups by how a case ended are left out: nobody can tell which of them a running tender will belong to."""


class ExpectedPrecision(msgspec.Struct, frozen=True, kw_only=True):
    """The share of `rows` tenders that will fail, if the scores are right.

    `expected` is the mean probability and `interval` its 95 % interval from calibration. The bounds of single tenders
    come from the same resampled calibration and move together, so the bounds of the mean are the means of the bounds.
    `prediction_interval` (95 %) adds chance: the share that a review of all of them should find.
    """

    rows: int
    expected: float
    interval: tuple[float, float]
    prediction_interval: tuple[float, float]


class ValidationResult(msgspec.Struct, frozen=True, kw_only=True):
    """What validation found for one register and stage, on cases that the model had not seen.

    `outcome` is what counted as failing and `base_rate` the share of all `rows` cases that did. `precision` is the
    share that failed among the `share` of cases with the highest probabilities; both None where that was not measured.
    """

    register: str
    stage: str
    outcome: str
    rows: int
    base_rate: float
    share: float | None
    precision: float | None


class WeakGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group of a register's cases that its model scores badly: number of cases, AUC and calibration error."""

    name: str
    rows: str
    auc: float
    ece: float


class ModelEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind the scores of one register at one stage, of which the portfolio has `rows`.

    `statement` is the bundle's own sentence. `auc` (with its interval) and `ece` are None where the bundle has none.
    `picture` is the reliability diagram as a data URL, "" without one. `weak` is None where groups were not measured.
    """

    register: str
    stage: str
    rows: int
    statement: str
    validated: ValidationResult | None
    positives: int | None
    auc: tuple[float, float, float] | None
    ece: float | None
    picture: str
    weak: tuple[WeakGroup, ...] | None


def expected_precision(failure: Floats, low: Floats, high: Floats) -> ExpectedPrecision | None:
    """What to expect of tenders with these probabilities and bounds, each of shape (tenders,); None for no tenders."""
    if not len(failure):
        return None
    lower, upper = float(low.mean()), float(high.mean())
    return ExpectedPrecision(
        rows=len(failure),
        expected=round(float(failure.mean()), 4),
        interval=(round(lower, 4), round(upper, 4)),
        prediction_interval=(round(max(lower - _chance(low), 0.0), 4), round(min(upper + _chance(high), 1.0), 4)),
    )


def _chance(p: Floats) -> float:
    """By how much chance alone moves the share that fails (95 %), if tenders fail independently."""
    return Z_95 * math.sqrt(float(np.sum(p * (1 - p)))) / len(p)


def validation_metrics(register: str, metrics: ValidationMetrics) -> ValidationMetrics:
    """A bundle's metrics, each under "register/outcome/stage".

    `register` is the bundle's own, whose metrics the manifest keeps under "outcome/stage/cohort": those of the cases
    that were entered by cohort.
    """
    own = {
        f"{register}/{name.removesuffix('/cohort')}": figures
        for name, figures in metrics.items()
        if name.endswith("/cohort")
    }
    return {**own, **metrics}


def validation_result(metrics: ValidationMetrics, register: str, stage: str, share: float) -> ValidationResult | None:
    """What validation found where a worklist takes this share (0 to 1) of all tenders; None where it is unknown."""
    for outcome, figures in _failure_metrics(metrics, register, stage):
        base_rate, rows = figures.get("base_rate"), figures.get("n")
        if base_rate is None or rows is None:
            continue
        at, lift = next(((at, figures.get(name)) for at, name in LIFTS if share <= at), (None, None))
        return ValidationResult(
            register=register,
            stage=stage,
            outcome=outcome,
            rows=int(rows),
            base_rate=base_rate,
            share=None if lift is None else at,
            precision=None if lift is None else round(lift * base_rate, 4),
        )
    return None


def _failure_metrics(
    metrics: ValidationMetrics, register: str, stage: str
) -> Iterator[tuple[str, Mapping[str, float | None]]]:
    """The metrics of a register's outcomes at a stage, with the outcome that comes closest to failure first."""
    for outcome in ("failure", "no_award", "early_end"):
        if figures := metrics.get(f"{register}/{outcome}/{stage}"):
            yield outcome, figures


def model_evidence(bundle: Bundle, register: str, stage: str, rows: int, share: float) -> ModelEvidence:
    """What the bundle says of a register's scores at a stage; `share` (0 to 1) of all tenders is on the worklist."""
    own = bundle.registers.get(register, bundle)
    metrics = validation_metrics(bundle.manifest.register, bundle.manifest.metrics)
    outcome, figures = next(_failure_metrics(metrics, register, stage), ("", {}))
    auc, low, high = (figures.get(name) for name in ("auc", "auc_low", "auc_high"))
    positives = figures.get("positives")
    return ModelEvidence(
        register=register,
        stage=stage,
        rows=rows,
        statement=own.manifest.evidence,
        validated=validation_result(metrics, register, stage, share),
        positives=None if positives is None else int(positives),
        auc=None if auc is None or low is None or high is None else (auc, low, high),
        ece=figures.get("ece"),
        picture=_reliability_diagram(own),
        weak=weak_groups(own.card, outcome, stage, auc),
    )


def weak_groups(card: str, outcome: str, stage: str, auc: float | None) -> tuple[WeakGroup, ...] | None:
    """The weak groups in a model card's table of results by group; None where the card has no such table.

    `auc` is that of all cases. Groups with too few cases to be measured are left out.
    """
    table = _card_table(card, f"Results by group: {outcome} at {stage}")
    if table is None:
        return None
    groups = [group for group in map(_weak_group, table) if group]
    least = max(WEAK_AUC, (auc or 0.0) - WEAK_AUC_GAP)
    return tuple(group for group in groups if group.auc < least or group.ece > WEAK_ECE)


def _weak_group(cells: Sequence[str]) -> WeakGroup | None:
    try:
        name, rows, _, _, auc, ece = cells
        return None if name.startswith(_BY_ENDING) else WeakGroup(name=name, rows=rows, auc=float(auc), ece=float(ece))
    except ValueError:
        return None


def _card_table(card: str, heading: str) -> list[list[str]] | None:
    """The body of the table under a heading of a model card, cell by cell; None if there is no such heading."""
    for section in re.split(r"^## ", card, flags=re.M):
        if section.startswith(heading + "\n"):
            lines = [line for line in section.splitlines() if line.startswith("|")]
            return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return None


def _reliability_diagram(bundle: Bundle) -> str:
    svg = next((bundle.pictures[name] for name in PICTURES if name in bundle.pictures), None)
    return "" if svg is None else f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
