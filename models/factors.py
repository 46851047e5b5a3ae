"""The documented factors of one tender: which it shows, which are absent, which are unknown, each with its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from features.catalogue import factor_features
from features.feature import FactorSpec, Feature, SeenWith
from features.table import TenderTable
from models.bundle import Bundle
from models.effects import Estimate
from models.factor_records import FactorRecord, factor_records
from tenders.facts import STAGES, Stage

State = Literal["shown", "absent", "unknown"]

CAVEAT = (
    "Factors are what people who looked into failures wrote down. A factor counts by its pooled effect: what is "
    "documented, what other registers show, and a little of what our cases show. Nearly all intervals hold 1. The "
    "records of cases are thin: few cohort cases state the fact, and some facts were noted because a case had failed."
)
WEIGHED_AS: Mapping[str, str] = {
    "many_service_lines": "service_lines",
    "short_tender_period": "tender_period_days",
    "no_market_engagement": "market_engagement",
    "route_not_open": "open_procedure",
    "hurried_staff_transfer": "staff_transfer",
    "under_review": "assurance_holds",
    "buyer_failed_before": "buyer_record",
    "advisers_failed_before": "adviser_record",
    "single_bidder": "lone_bidder",
    "single_bidder_in_competition": "lone_bidder",
    "bidders_lost": "bidder_attrition",
    "deadline_moved": "other_changes",
    "redesigned_while_open": "other_changes",
    "amended": "other_changes",
    "consortium_changed": "other_changes",
    "negotiated_after_award": "other_changes",
    "vehicle_without_guarantee": "parent_guarantee_required",
    "open_at_start": "tax_unresolved",
}
"""Factors that count by the effect of another feature, which says the same fact more closely."""


KNOWN: Mapping[Stage, str] = {
    "draft": "there is a draft",
    "bids_in": "bids are counted",
    "awarded": "the contract is awarded",
}
"""The stages in words."""


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """One documented factor of one tender. `stage` is the first at which it can be known.

    `seen_with` is what its sources saw it with; `cases` is its record among the casebook's cohort cases. `effect` is
    what it adds to the failure probability of this tender, in probability points; 0 if it is unknown or has no known
    effect. `documented`, `registers` and `pooled` are odds ratios for a unit of dose of the feature that it is
    `weighed_as`, for the `outcome` on which its effect is largest; None where the layer says nothing.
    """

    feature: str
    state: State
    title: str
    text: str
    stage: Stage
    seen_with: SeenWith
    sources: tuple[str, ...]
    cases: FactorRecord
    effect: float = 0.0
    weighed_as: str | None = None
    outcome: str | None = None
    documented: Estimate | None = None
    registers: Estimate | None = None
    pooled: Estimate | None = None

    @property
    def weight(self) -> str:
        """What it adds to the probability and where that comes from, as a sentence."""
        if self.pooled is None or self.outcome is None:
            return "No known effect."
        layers = {"documented": self.documented, "registers": self.registers, "pooled": self.pooled}
        parts = [f"{name} {_ratio(estimate)}" for name, estimate in layers.items() if estimate]
        odds = f"the odds of {self.outcome.replace('_', ' ')} change by a factor of: {', '.join(parts)}"
        return f"{100 * self.effect:+.1f} points here; {odds}."


def _ratio(estimate: Estimate) -> str:
    low, high = estimate.interval
    return f"{estimate.odds_ratio:.2f} ({low:.2f} to {high:.2f})"


def factors(bundle: Bundle, table: TenderTable, effects: Mapping[str, float]) -> tuple[Factor, ...]:
    """Every factor of the only tender of a table, in the order of `factor_features`.

    `effects` are what features add to its failure probability, in probability points.
    """
    answers = _answers(bundle, table.stage)
    return tuple(
        _with_effect(answers[feature.name][state(feature.measure(table)[0])], effects)
        for feature, _ in factor_features()
    )


def _with_effect(factor: Factor, effects: Mapping[str, float]) -> Factor:
    """A factor with what it adds; as it is where that is nothing."""
    if factor.weighed_as is None or factor.state == "unknown":
        return factor
    effect = effects.get(factor.weighed_as, 0.0)
    return msgspec.structs.replace(factor, effect=effect) if effect else factor


def _weighed(factor: Factor, bundle: Bundle, outcomes: Sequence[str]) -> Factor:
    """A factor with the layers of its effect; as it is where the bundle has none."""
    name = WEIGHED_AS.get(factor.feature, factor.feature)
    effect = bundle.effect_of(name)
    known = {o: effect.outcomes[o] for o in outcomes if o in effect.outcomes} if effect else {}
    if not known:
        return factor
    outcome = max(known, key=lambda o: abs(known[o].coefficient))
    layers = known[outcome]
    return msgspec.structs.replace(
        factor,
        weighed_as=name,
        outcome=outcome,
        documented=layers.documented,
        registers=layers.registers,
        pooled=layers.pooled,
    )


def state(value: float) -> State:
    """What the value of a factor says: 1 is shown, 0 absent, NaN unknown."""
    return "shown" if value == 1 else "absent" if value == 0 else "unknown"


def _answers(bundle: Bundle, stage: Stage) -> Mapping[str, Mapping[State, Factor]]:
    """Each factor in each state as a bundle weighs it, made once, so that a score only picks."""
    answers: Mapping[str, Mapping[State, Factor]] | None = bundle.made_once.get(("factors", stage))
    if answers is None:
        states: tuple[State, ...] = ("shown", "absent", "unknown")
        outcomes = bundle.failure_outcomes(stage)
        answers = bundle.made_once["factors", stage] = {
            feature.name: {
                answer: _weighed(_factor(feature, spec, answer, stage), bundle, outcomes) for answer in states
            }
            for feature, spec in factor_features()
        }
    return answers


def _factor(feature: Feature, spec: FactorSpec, state: State, stage: Stage) -> Factor:
    return Factor(
        feature=feature.name,
        state=state,
        title=feature.label,
        text=_text(feature, spec, state, stage),
        stage=feature.stage,
        seen_with=spec.seen_with,
        sources=spec.sources,
        cases=factor_records()[feature.name],
    )


def _text(feature: Feature, spec: FactorSpec, state: State, stage: Stage) -> str:
    """A state as a sentence."""
    if state != "unknown":
        return feature.says if state == "shown" else feature.says_not
    if STAGES.index(feature.stage) > STAGES.index(stage):
        return f"Cannot be judged yet: it is known once {KNOWN[feature.stage]}."
    why = "is not known" if feature.path else "is told by no field of a notice"
    return f"Cannot be judged: {spec.asks} {why}."
