"""The layers of evidence as one effect for each factor and outcome.

Documented, registers and UK cases meet as normal distributions of a log odds ratio, weighted by their precision. UK
cases count at CASE_WEIGHT: they belong to some thirty programmes, and what one programme shows misleads about the next
(docs/decisions.md has the figures). They set the levels instead (`training.evidence.levels`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.catalogue import catalogue
from features.table import Floats
from models.bundle import FAILURE_OUTCOMES
from models.effects import Estimate, FactorEffect, OutcomeEffect
from tenders.facts import STAGES, Stage
from training.evidence.documented import EvidenceFactor, LogOdds, evidence
from training.evidence.registers import RegisterEstimate, penalised_logit, pooled_registers

Numbers = NDArray[np.int64]

CASE_WEIGHT = 0.25
"""The share of their precision at which UK cases count."""
CASE_SPREAD = 0.5
"""The least standard error of what UK cases tell, over the span of a factor."""
MOST_OF_A_PROGRAMME = 5.0
"""Cases that one programme counts for at most: the 40 lots of one programme are its label."""
LEAST_ROWS, LEAST_PROGRAMMES = 10, 3
"""Rows and programmes that UK cases need on either side of a factor."""
LAST_OPEN: Mapping[str, Stage] = {"no_award": "bids_in", "early_end": "awarded", "single_bid": "draft"}
"""The last stage at which each outcome is still open."""
IN_CLASSES = frozenset({("value_gbp", "no_award"), ("value_gbp", "early_end")})
"""Effects that count for large services alone: the classes of ordinary contracts are classes of size."""


class UkCases(msgspec.Struct, frozen=True, kw_only=True):
    """UK cases of one kind for one outcome: the doses of factors by feature, outcomes and programmes, all (rows,).

    `weight` is that of a row before programmes are cut to MOST_OF_A_PROGRAMME.
    """

    doses: Mapping[str, Floats]
    y: Floats
    programme: Numbers
    weight: Floats

    def take(self, rows: NDArray[np.bool_] | Numbers) -> UkCases:
        """The cases of some rows."""
        return UkCases(
            doses={name: dose[rows] for name, dose in self.doses.items()},
            y=self.y[rows],
            programme=self.programme[rows],
            weight=self.weight[rows],
        )


def case_log_odds(kinds: Sequence[UkCases], factor: EvidenceFactor) -> LogOdds | None:
    """What UK cases say of a factor, each kind with a level of its own; None where they cannot tell.

    One side alone tells nothing, and neither do facts that were noted because a case had failed.
    """
    chosen = [part for part in kinds if factor.feature in part.doses]
    if factor.noted or not chosen:
        return None
    dose = np.concatenate([part.doses[factor.feature] for part in chosen]) / factor.span
    y, weight = (np.concatenate([getattr(part, name) for part in chosen]) for name in ("y", "weight"))
    kind = np.repeat(np.arange(len(chosen)), [len(part.y) for part in chosen])
    programme = np.concatenate([part.programme + 1_000_000 * number for number, part in enumerate(chosen)])
    rows = ~np.isnan(dose) & ~np.isnan(y)
    dose, y, weight, kind, programme = (values[rows] for values in (dose, y, weight, kind, programme))
    if not _both_sides(dose, programme) or not 0 < y.sum() < len(y):
        return None
    numbers = np.unique(programme, return_inverse=True)[1]
    whole = np.bincount(numbers, weight)
    weight = weight * np.minimum(1.0, MOST_OF_A_PROGRAMME / whole)[numbers]
    middle = np.average(dose, weights=weight)
    levels = np.column_stack([kind == number for number in np.unique(kind)]).astype(np.float64)
    design = np.column_stack([dose - middle, levels])
    penalty = np.concatenate([[1.0], np.full(levels.shape[1], 0.01)])
    coefficients, covariance = penalised_logit(design, y, weight, penalty, numbers)
    spread = max(math.sqrt(covariance[0, 0]), CASE_SPREAD)
    return LogOdds(float(coefficients[0]) / factor.span, spread / factor.span)


def _both_sides(dose: Floats, programme: Numbers) -> bool:
    """Whether enough cases of enough programmes lie on either side of the middle dose."""
    if not len(dose):
        return False
    above = dose > (np.min(dose) + np.max(dose)) / 2 if len(np.unique(dose)) <= 2 else dose > np.median(dose)
    return all(
        side.sum() >= LEAST_ROWS and len(np.unique(programme[side])) >= LEAST_PROGRAMMES for side in (above, ~above)
    )


def pooled_effects(
    registers: Sequence[RegisterEstimate],
    cases: Mapping[str, Sequence[UkCases]],
    centres: Mapping[str, tuple[float, float]],
    halved: Sequence[str] = (),
) -> tuple[FactorEffect, ...]:
    """The effect of every factor of which a layer says something, in the order of `factors.toml`.

    `cases` are UK cases by outcome, `centres` the doses of no effect by feature. The documented kinds of support in
    `halved` count half.
    """
    known = catalogue()
    effects = []
    for factor in evidence().factors:
        outcomes = {
            outcome: effect
            for outcome in LAST_OPEN
            if (effect := _outcome_effect(factor, outcome, registers, cases.get(outcome, ()), halved))
            and outcome_is_open(factor, outcome)
        }
        if outcomes:
            effects.append(
                FactorEffect(
                    feature=factor.feature,
                    stage=known[factor.feature].stage,
                    fact=factor.fact or factor.feature,
                    scale=factor.scale,
                    centre=centres[factor.feature],
                    outcomes=outcomes,
                    unless=factor.unless,
                    least=factor.least,
                    most=factor.most,
                )
            )
    return tuple(effects)


def outcome_is_open(factor: EvidenceFactor, outcome: str) -> bool:
    """Whether an outcome can still come once a factor is known: with an award, no award cannot."""
    stage = catalogue()[factor.feature].stage
    return STAGES.index(stage) <= STAGES.index(LAST_OPEN[outcome])


def _outcome_effect(
    factor: EvidenceFactor,
    outcome: str,
    registers: Sequence[RegisterEstimate],
    cases: Sequence[UkCases],
    halved: Sequence[str],
) -> OutcomeEffect | None:
    tables = evidence()
    documented = tables.documented(factor, outcome, halved)
    estimates = {e.register: e.log_odds for e in registers if (e.feature, e.outcome) == (factor.feature, outcome)}
    pooled = pooled_registers(list(estimates.values()), factor.span) if estimates else None
    uk = case_log_odds(cases, factor)
    if documented is None and pooled is None and uk is None:
        return None
    layers = [documented or tables.no_difference(factor)]
    layers += [pooled] if pooled else []
    layers += [LogOdds(uk.mean, uk.spread / math.sqrt(CASE_WEIGHT))] if uk else []
    weights = [1 / layer.spread**2 for layer in layers]
    mean = sum(w * layer.mean for w, layer in zip(weights, layers, strict=True)) / sum(weights)
    spread = math.sqrt(1 / sum(weights))
    # What is riskier for failure says nothing of single bids.
    direction = (factor.held or catalogue()[factor.feature].direction) if outcome in FAILURE_OUTCOMES else 0
    held = direction * mean < 0
    return OutcomeEffect(
        coefficient=0.0 if held else round(mean, 5),
        spread=round(spread, 5),
        pooled=Estimate.of_log(mean, spread),
        documented=documented.estimate if documented else None,
        registers=pooled.estimate if pooled else None,
        cases=uk.estimate if uk else None,
        by_register={name: estimate.estimate for name, estimate in sorted(estimates.items())},
        only_large=(factor.feature, outcome) in IN_CLASSES,
        held=held,
    )


def usual_doses(large: Mapping[str, Floats], ordinary: Mapping[str, Floats]) -> dict[str, tuple[float, float]]:
    """The doses of no effect by feature, for an ordinary contract and for a large service.

    As `factors.toml` states them, else the mean of the known doses of cases of the class, of the other where none is.
    """
    centres = {}
    for factor in evidence().factors:
        stated = {"ordinary": factor.ordinary, "large": factor.large}
        seen = {"ordinary": _mean(ordinary.get(factor.feature)), "large": _mean(large.get(factor.feature))}
        known = [seen[name] if stated[name] is None else stated[name] for name in stated]
        either = next((dose for dose in reversed(known) if dose is not None), 0.0)
        first, second = (either if dose is None else dose for dose in known)
        centres[factor.feature] = (round(first, 4), round(second, 4))
    return centres


def _mean(dose: Floats | None) -> float | None:
    known = dose[~np.isnan(dose)] if dose is not None else np.zeros(0)
    return float(known.mean()) if len(known) >= LEAST_ROWS else None
