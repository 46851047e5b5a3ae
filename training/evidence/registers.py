"""The register layer: what each register shows of the factors, adjusted for each other, and all registers together.

A penalised logistic model for each register and outcome. Its columns are the doses of the factors at their mean where
unknown, a flag for each that is unknown of some, and the years. Standard errors are by buyer. What is known only once
bids are in is estimated on the rows of which it is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.catalogue import catalogue
from features.categorical import Categorical
from features.table import Floats, TrackRecords
from features.table_builder import of_tenders
from features.track_records.case_records import CaseHistory
from features.track_records.resolutions import resolved_cases
from features.value import net_or_gross
from models.effects import scaled
from tenders.facts import STAGES, Stage
from tenders.held_cases import without_tenders
from tenders.history import LabelledTender, Register
from tenders.registers.columns import gc_paused
from training.datasets import buyer_numbers
from training.evidence.documented import Evidence, EvidenceFactor, LogOdds, evidence

Numbers = NDArray[np.int64]

MOST_ROWS, MOST_CASES = 30_000, 120_000
"""Rows that a model is fitted on, spread evenly over the last so many cases."""
LEAST_KNOWN, LEAST_OTHER, LEAST_POSITIVES = 300, 40, 40
"""Rows that must know a factor, rows that must differ from its commonest value, and rows with the outcome."""
PENALTY = 1.0
"""Of a coefficient: the inverse variance of a normal prior around 0, over the span of its factor."""
TRANSFER, TRANSFER_WORTH = 0.4, 2.0
"""How far the effect of a factor, over its span, is taken to differ between registers before several are seen: a
standard deviation of log odds ratios, and how many registers that is worth."""


class RegisterEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What one register shows of a factor and outcome: the adjusted log odds ratio of a unit of dose, and its rows."""

    register: str
    feature: str
    outcome: str
    log_odds: LogOdds
    rows: int


@gc_paused()
def register_estimates(register: Register, cases: Sequence[LabelledTender]) -> list[RegisterEstimate]:
    """The estimates of a register, for each outcome that it tells."""
    tables = evidence()
    since = tables.since.get(register.name, "")
    known = without_tenders(cases)
    order = (row for row, case in enumerate(known) if case.published.isoformat() >= since)
    recent = sorted(order, key=lambda row: (known[row].published, known[row].row))[-MOST_CASES:]
    left_out = {name for entry in tables.left_out if entry.register == register.name for name in entry.features}
    factors = [factor for factor in tables.factors if factor.feature not in left_out]
    history = CaseHistory.of(resolved_cases(cases[row] for row in recent))
    estimates: list[RegisterEstimate] = []
    for outcome, stages in register.outcomes.items():
        labelled = [row for row in recent if known[row].outcomes.get(outcome) is not None]
        rows = [cases[row] for row in labelled[:: max(1, len(labelled) // MOST_ROWS)]]
        estimates += _estimates(register, outcome, stages, rows, factors, history)
    return estimates


def _estimates(
    register: Register,
    outcome: str,
    stages: Sequence[Stage],
    rows: Sequence[LabelledTender],
    factors: Sequence[EvidenceFactor],
    history: CaseHistory,
) -> Iterator[RegisterEstimate]:
    y = np.array([float(bool(case.outcomes[outcome])) for case in rows])
    if min(y.sum(), (1 - y).sum()) < LEAST_POSITIVES:
        return
    cluster, years = buyer_numbers(rows), np.array([case.published.year for case in rows])
    earlier: list[str] = []
    for stage in STAGES:
        if stage not in stages:
            continue
        doses = factor_doses(rows, stage, factors, history)
        chosen = {f.feature: f for f in factors if f.feature in doses and _varies(doses[f.feature])}
        new = [name for name in chosen if name not in earlier]
        earlier += new
        known = np.ones(len(rows), dtype=bool)
        if any(catalogue()[name].stage != "draft" for name in new):
            # That a bid count is empty may tell how it ended.
            known = np.any([~np.isnan(doses[name]) for name in new], axis=0)
        names = [name for name in chosen if _varies(doses[name][known])]
        if not set(new) & set(names) or min(y[known].sum(), (1 - y[known]).sum()) < LEAST_POSITIVES:
            continue
        matrix = np.column_stack([doses[name][known] / chosen[name].span for name in names])
        estimates = adjusted_log_odds(matrix, y[known], cluster[known], years[known])
        for name, log_odds in zip(names, estimates, strict=True):
            if name in new:
                span = chosen[name].span
                yield RegisterEstimate(
                    register=register.name,
                    feature=name,
                    outcome=outcome,
                    log_odds=LogOdds(log_odds.mean / span, log_odds.spread / span),
                    rows=int((~np.isnan(doses[name][known])).sum()),
                )


def factor_doses(
    rows: Sequence[LabelledTender], stage: Stage, factors: Sequence[EvidenceFactor], history: CaseHistory
) -> dict[str, Floats]:
    """The doses of the factors that can be known at a stage, by feature, each of shape (rows,)."""
    records = TrackRecords(cases=Categorical.of([case.published for case in rows]).map(history.as_of))
    table = of_tenders([case.as_of(stage) for case in rows], stage, records=records)
    known = catalogue()
    doses = {}
    for factor in factors:
        if STAGES.index(known[factor.feature].stage) <= STAGES.index(stage):
            values = {name: known[name].measure(table) for name in (factor.feature, factor.unless) if name}
            if factor.feature == "value_gbp" and np.isnan(values["value_gbp"]).all():
                # Without days no rate of exchange is known; in one register the currency is the same for all.
                values["value_gbp"] = net_or_gross(table, "value", "value_gross")
            doses[factor.feature] = dose(factor, values)
    return doses


def dose(factor: EvidenceFactor, values: Mapping[str, Floats]) -> Floats:
    """The dose of each row, shape (rows,), as `models.effects.EffectTable` has it."""
    amount = scaled(factor.scale, values[factor.feature])
    if factor.least is not None or factor.most is not None:
        amount = np.clip(amount, factor.least, factor.most)
    return np.where(values[factor.unless] == 0, amount, np.nan) if factor.unless else amount


def _varies(dose: Floats) -> bool:
    """Whether enough rows know it and differ."""
    known = dose[~np.isnan(dose)]
    commonest = np.unique(known, return_counts=True)[1].max(initial=0)
    return len(known) >= LEAST_KNOWN and len(known) - commonest >= LEAST_OTHER


def adjusted_log_odds(matrix: Floats, y: Floats, cluster: Numbers, strata: Numbers) -> list[LogOdds]:
    """The log odds ratio of each column, adjusted for the others, for the gaps in them and for the strata.

    `matrix` has shape (rows, columns), NaN for unknown. Standard errors are by cluster.
    """
    unknown = np.isnan(matrix)
    filled = np.where(unknown, np.nanmean(matrix, axis=0), matrix) - np.nanmean(matrix, axis=0)
    gaps = np.unique(unknown[:, unknown.any(axis=0) & ~unknown.all(axis=0)].astype(float), axis=1)
    levels = [level for level in np.unique(strata)[1:] if (strata == level).sum() >= LEAST_OTHER]
    years = np.column_stack([strata == level for level in levels]) if levels else np.zeros((len(y), 0))
    design = np.column_stack([filled, gaps, years, np.ones(len(y))])
    penalty = np.full(design.shape[1], PENALTY)
    penalty[-1] = 0.0
    coefficients, covariance = penalised_logit(design, y, np.ones(len(y)), penalty, cluster)
    spread = np.sqrt(np.diag(covariance))
    return [LogOdds(float(coefficients[j]), float(spread[j])) for j in range(matrix.shape[1])]


def penalised_logit(
    x: Floats, y: Floats, weight: Floats, penalty: Floats, cluster: Numbers, steps: int = 30
) -> tuple[Floats, Floats]:
    """Coefficients of a logistic model with a normal prior on each, and their covariance by cluster (a sandwich).

    `x` has shape (rows, columns), `penalty` (columns,) the inverse variances of the priors. Newton's method with steps
    that are cut at 5, which no coefficient of a penalised model of such columns needs to pass.
    """
    coefficients = np.zeros(x.shape[1])
    hessian = np.diag(penalty)
    for _ in range(steps):
        p = expit(x @ coefficients)
        gradient = x.T @ (weight * (y - p)) - penalty * coefficients
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(penalty + 1e-9)
        step = np.clip(np.linalg.solve(hessian, gradient), -5, 5)
        coefficients += step
        if np.abs(step).max() < 1e-8:
            break
    scores = x * (weight * (y - expit(x @ coefficients)))[:, None]
    numbers = np.unique(cluster, return_inverse=True)[1]
    by_cluster = np.zeros((numbers.max() + 1, x.shape[1]))
    np.add.at(by_cluster, numbers, scores)
    inverse = np.linalg.inv(hessian)
    # Priors are part of the variance: without them a column that hardly differs would look sure.
    middle = by_cluster.T @ by_cluster + np.diag(penalty)
    return coefficients, inverse @ middle @ inverse


def pooled_registers(estimates: Sequence[LogOdds], span: float) -> LogOdds:
    """What registers say of another one: their random-effects mean, with the spread between registers in its error."""
    weights = np.array([1 / estimate.spread**2 for estimate in estimates])
    means = np.array([estimate.mean for estimate in estimates])
    average = float(weights @ means / weights.sum())
    freedom, prior = len(means) - 1, (TRANSFER / span) ** 2
    seen = 0.0
    if freedom:
        excess = float(weights @ (means - average) ** 2) - freedom
        seen = max(0.0, excess / (weights.sum() - (weights**2).sum() / weights.sum()))
    between = (freedom * seen + TRANSFER_WORTH * prior) / (freedom + TRANSFER_WORTH)
    wide = 1 / (1 / weights + between)
    return LogOdds(float(wide @ means / wide.sum()), math.sqrt(1 / wide.sum() + between))


def by_factor(estimates: Sequence[RegisterEstimate], tables: Evidence, outcome: str) -> dict[str, LogOdds]:
    """The pooled estimate of each factor that a register tells of an outcome, by feature."""
    spans = {factor.feature: factor.span for factor in tables.factors}
    by_feature: dict[str, list[LogOdds]] = {}
    for estimate in estimates:
        if estimate.outcome == outcome:
            by_feature.setdefault(estimate.feature, []).append(estimate.log_odds)
    return {feature: pooled_registers(several, spans[feature]) for feature, several in by_feature.items()}
