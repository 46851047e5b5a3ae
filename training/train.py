"""Training from end to end: history → tables → out-of-fold figures → boosters → a bundle."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import numpy as np

from models.bundle import Bundle, Manifest, Part
from models.calibration import failure_of, sigmoid
from tenders.facts import STAGES, Stage
from training import card, validate
from training.calibrate import calibration
from training.dataset import STAGES_OF, History
from training.fit import fit
from training.recipe import Recipe
from training.result import Result, Trained, flat
from training.validate import Figures, Floats, Table

UNRELEASED = "unreleased"
Progress = Callable[[str], None]


def train(history: History, recipe: Recipe, progress: Progress = lambda _: None) -> Result:
    """Trains, validates and calibrates a model for every outcome at every stage where it is open."""
    trained, boosters, lines = {}, {}, {}
    for outcome, stages in STAGES_OF.items():
        for stage in stages:
            progress(f"{outcome} at {stage}")
            table = validate.table(history, outcome, stage, recipe)
            margin = validate.out_of_fold(table, recipe, validate.boosted)
            known, cohort = table.labelled, table.cohort
            boosters[outcome, stage] = fit(table.rows(known), recipe, recipe.seed)
            lines[outcome, stage] = calibration(
                margin[cohort],
                table.y[cohort],
                table.case_weight[cohort],
                table.cluster[cohort],
                recipe.seed,
                recipe.resamples,
            )
            trained[outcome, stage] = Trained(
                table=table,
                model=validate.by_kind(table, margin, recipe),
                baselines=_baselines(history, table, recipe),
                margin=margin,
                p=validate.calibrated(table, margin, recipe),
            )
    failure = _failure(history, trained, {key: line.logit for key, line in lines.items()})
    manifest = Manifest(
        version=UNRELEASED,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_commit(),
        register="uk",
        parts=tuple(Part(outcome=o, stage=s, features=each.table.names) for (o, s), each in trained.items()),
        data=(history.source,),
        metrics=_metrics(trained, failure),
        evidence=card.evidence(failure["draft"]["cohort"], failure["draft"]["picked"]),
    )
    bundle = Bundle(manifest=manifest, boosters=boosters, calibration=lines, log=history.log)
    result = Result(bundle=bundle, trained=trained, failure=failure, recipe=recipe)
    return msgspec.structs.replace(result, bundle=msgspec.structs.replace(bundle, card=card.card(result)))


def _baselines(history: History, table: Table, recipe: Recipe) -> dict[str, dict[str, Figures]]:
    """Logistic regression on the same folds, a plain count of red flags, and the base rate alone."""
    return {
        "logistic_regression": validate.by_kind(table, validate.out_of_fold(table, recipe, validate.logistic), recipe),
        "red_flags": validate.by_kind(table, validate.red_flags(history, table.stage), recipe),
        "base_rate": validate.by_kind(table, np.zeros(len(table.y)), recipe),
    }


def _failure(
    history: History,
    trained: dict[tuple[str, Stage], Trained],
    logits: dict[tuple[str, Stage], Callable[[float], float]],
) -> dict[Stage, dict[str, Figures]]:
    """The headline's own figures: both parts put together out of fold, as scoring does."""
    found: dict[Stage, dict[str, Figures]] = {}
    for stage in STAGES:
        parts = {}
        for outcome in ("no_award", "early_end"):
            each = trained.get((outcome, stage))
            parts[outcome] = (
                np.zeros(len(history.cases)) if each is None else _sigmoid(logits[outcome, stage], each.margin)
            )
        p = np.array([failure_of(n, e) for n, e in zip(parts["no_award"], parts["early_end"], strict=True)])
        table = msgspec.structs.replace(
            trained["early_end", stage].table, outcome="failure", y=history.label("failure")
        )
        picked = np.flatnonzero(table.labelled & table.picked)
        found[stage] = {
            "cohort": validate.figures(table, p, table.cohort, p[table.cohort]),
            "picked": validate.figures(table, p, picked),
        }
    return found


def _sigmoid(logit: Callable[[float], float], margin: Floats) -> Floats:
    return sigmoid(np.array([logit(each) for each in margin]))


def _metrics(
    trained: dict[tuple[str, Stage], Trained], failure: dict[Stage, dict[str, Figures]]
) -> dict[str, dict[str, float | None]]:
    rows = {f"{o}/{s}/{kind}": f for (o, s), each in trained.items() for kind, f in each.model.items()}
    rows |= {f"failure/{s}/{kind}": f for s, kinds in failure.items() for kind, f in kinds.items()}
    return {name: flat(each) for name, each in rows.items()}


def _commit() -> str:
    """The commit that trained, for the manifest; empty outside a checkout."""
    found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip()
