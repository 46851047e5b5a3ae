"""Why a score is what it is: each known fact with its effect on the probability, in words.

An effect is the change of the failure probability if the fact's contribution (its pooled effect and XGBoost's own SHAP
values, in log-odds) were taken away. Only facts that the tender states can be reasons; what is unknown is listed as
unknown. Features that say one fact are one reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec
import xgboost as xgb

from features.feature import Feature
from features.matrix import Matrix
from features.table import TenderTable
from models.bundle import FAILURE_OUTCOMES, Bundle, ModelPart
from models.calibration import Calibration, failure_probability
from models.effects import Layer
from models.predict import Predictions
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.process import Process

Values = Mapping[str, float | None]
"""Measured features by name; None for unknown."""

SMALLEST_EFFECT = 0.0001
"""A hundredth of a percentage point: the last place of a score."""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One fact, its effect in probability points (0.06 raises the failure probability by 6), and where it came from.

    `evidence` says where its weight comes from: documents, registers, or UK cases.
    """

    feature: str
    value: float
    effect: float
    text: str
    path: str
    evidence: tuple[Layer, ...]


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that the model weighs and the tender does not state, and why not."""

    feature: str
    why: str


class Margins(msgspec.Struct, frozen=True, kw_only=True):
    """What one booster says of one tender: its margin (log-odds), and each feature's share in it."""

    margin: float
    calibration: Calibration
    contributions: Mapping[str, float]


def margins_of(predicted: Predictions) -> dict[str, Margins]:
    """The boosters of failure on the first of the tenders predicted, taken apart: that costs more than to predict."""
    bundle, stage = predicted.bundle, predicted.table.stage
    parts = [bundle.part(outcome, stage) for outcome in FAILURE_OUTCOMES if outcome in predicted.margin]
    boosted = [part for part in parts if part.features]
    shares = dict(zip([part.outcome for part in boosted], _contributions(predicted, boosted), strict=True))
    margins = {}
    for part in parts:
        contributions: dict[str, float] = {}
        if predicted.effects is not None:
            contributions = predicted.effects.contributions(part.outcome, 0)
        if part.outcome in shares:
            for name, share in zip(part.features, shares[part.outcome][:-1].tolist(), strict=True):
                contributions[name] = contributions.get(name, 0.0) + share
        margins[part.outcome] = Margins(
            margin=float(predicted.margin[part.outcome][0]),
            calibration=bundle.calibration[part.outcome, stage],
            contributions=contributions,
        )
    return margins


def _contributions(predicted: Predictions, parts: Sequence[ModelPart]) -> Sequence[Matrix]:
    """For each part what its features, and at last its base, add to the margin of the first tender."""
    rows = [predicted.matrix[part.outcome] for part in parts]
    joint = None
    if len(parts) > 1 and all(matrix is rows[0] for matrix in rows):
        joint = predicted.bundle.joint_booster(parts)
    if joint is not None:
        return list(_shap(joint, rows[0]))
    boosters = [predicted.bundle.boosters[part.outcome, part.stage] for part in parts]
    return [_shap(booster, matrix) for booster, matrix in zip(boosters, rows, strict=True)]


def _shap(booster: xgb.Booster, matrix: Matrix) -> Matrix:
    first = xgb.DMatrix(matrix[:1], nthread=1)
    contributions: Matrix = booster.predict(first, pred_contribs=True, validate_features=False)[0]
    return contributions


def reasons(
    bundle: Bundle, margins: Mapping[str, Margins], values: Values, table: TenderTable, process: Process
) -> Iterator[Reason]:
    """The facts of the first tender of a table that moved its failure probability, largest effect first."""
    names = {name for margin in margins.values() for name in margin.contributions if values[name] is not None}
    total = _failure(margins, ())
    facts = {effect.feature: effect.fact for effect in bundle.manifest.effects}
    together: dict[str, list[str]] = {}
    for name in sorted(names):
        together.setdefault(facts.get(name, name), []).append(name)
    effects: dict[str, float] = {}
    for several in together.values():
        # One fact is one reason: it is told by the feature that says most.
        first = max(several, key=lambda name: sum(abs(m.contributions.get(name, 0.0)) for m in margins.values()))
        effects[first] = total - _failure(margins, several)
    known, layers = bundle.features, bundle.layers
    for name in sorted(effects, key=lambda n: (-abs(effects[n]), n)):
        if abs(effects[name]) < SMALLEST_EFFECT:
            return
        feature = known[name]
        value = values[name] or 0.0
        yield Reason(
            feature=name,
            value=round(value, 4),
            effect=round(effects[name], 4),
            text=feature.text(value, table),
            path=path_in(process, feature),
            evidence=layers(name, tuple(margins)),
        )


def path_in(process: Process, feature: Feature) -> str:
    """Where a fact stands in what the user gave: the form's key, or its place in the last release that has it.

    A fact that stands nowhere is placed where it would be looked for first.
    """
    held = list(zip(reversed(process.releases), reversed(process.where), strict=True))
    placed = [(path, release, where) for path in (feature.path, *feature.also) for release, where in held]
    path, _, where = min(placed, key=lambda place: _missing(place[0], place[1]))
    return where + (path if process.form is None else form.key_of(path, process.form))


def _missing(path: str, release: object) -> int:
    """How many steps of a JSON path are not there, or hold nothing."""
    *steps, value = (*path.strip("/").split("/"), release)
    for taken, step in enumerate(steps):
        if isinstance(value, list):
            value = value[int(step)] if step.isdigit() and int(step) < len(value) else None
        else:
            value = value.get(str(step)) if isinstance(value, Mapping) else None
        if value in (None, "", [], {}):
            return len(steps) - taken
    return 0


def unknowns(bundle: Bundle, values: Values, stage: Stage) -> Iterator[Unknown]:
    """What the bundle's models weigh and this tender does not state, in catalogue order."""
    for name, value in values.items():
        feature = bundle.features[name]
        if STAGES.index(feature.stage) > STAGES.index(stage):
            yield Unknown(feature=name, why=f"not known at {stage}")
        elif value is None:
            yield Unknown(feature=name, why="not stated" if feature.reads == "tender" else "no record yet")


def _failure(margins: Mapping[str, Margins], without: Collection[str]) -> float:
    """The failure probability with the contributions of some features taken away."""
    by_outcome = {
        outcome: part.calibration.probability(part.margin - sum(part.contributions.get(name, 0.0) for name in without))
        for outcome, part in margins.items()
    }
    return failure_probability(by_outcome.get("no_award", 0.0), by_outcome.get("early_end", 0.0))
