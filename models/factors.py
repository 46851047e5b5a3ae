"""The documented factors of one tender: which it shows, which are absent, which are unknown, each with its record."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal

import msgspec

from features.catalogue import factor_features
from features.feature import FactorSpec, Feature, SeenWith
from features.table import TenderTable
from models.factor_records import FactorRecord, factor_records
from tenders.facts import STAGES, Stage

State = Literal["shown", "absent", "unknown"]

CAVEAT = (
    "Factors are what people who looked into failures wrote down. How each did in past UK cases stands beside the "
    "score. Few cases state each fact, and some facts were noted only because a case had failed. Of this many factors, "
    "one or two differ by chance alone."
)


KNOWN: Mapping[Stage, str] = {
    "draft": "there is a draft",
    "bids_in": "bids are counted",
    "awarded": "the contract is awarded",
}
"""The stages in words."""


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """One documented factor of one tender. `stage` is the first at which it can be known.

    `seen_with` is what its sources saw it with; `cases` is its record among the casebook's cohort cases.
    """

    feature: str
    state: State
    title: str
    text: str
    stage: Stage
    seen_with: SeenWith
    sources: tuple[str, ...]
    cases: FactorRecord


def factors(table: TenderTable) -> tuple[Factor, ...]:
    """Every factor of the only tender of a table, in the order of `factor_features`."""
    answers = _answers(table.stage)
    return tuple(answers[feature.name][state(feature.measure(table)[0])] for feature, _ in factor_features())


def state(value: float) -> State:
    """What the value of a factor says: 1 is shown, 0 absent, NaN unknown."""
    return "shown" if value == 1 else "absent" if value == 0 else "unknown"


@cache
def _answers(stage: Stage) -> Mapping[str, Mapping[State, Factor]]:
    """Each factor in each state, made once, so that a score only picks."""
    states: tuple[State, ...] = ("shown", "absent", "unknown")
    return {
        feature.name: {each: _factor(feature, spec, each, stage) for each in states}
        for feature, spec in factor_features()
    }


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
