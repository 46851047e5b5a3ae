"""Training from end to end: history → tables → out-of-fold figures → boosters → a bundle."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.bundle import UNRELEASED, Bundle, BundleManifest, ModelPart
from models.calibration import Calibration, failure_probability
from tenders.facts import STAGES, Stage
from training import card, validate
from training.calibrate import calibration
from training.dataset import STAGES_OF, History
from training.fit import fit
from training.recipe import Recipe
from training.reference import Spreads, of_casebook, spreads
from training.registers import metrics_of as registers_metrics
from training.registers import train as learn_registers
from training.result import Result, Trained, flat
from training.validate import Figures, Table

Progress = Callable[[str], None]


def train(
    history: History, recipe: Recipe, progress: Progress = lambda _: None, registers: Path | None = None
) -> Result:
    """Trains, validates and calibrates a model for every outcome at every stage where it is open.

    `registers` is a directory of histories to learn from besides.
    """
    learnt = learn_registers(registers, recipe, progress) if registers else None
    trained, boosters, lines = {}, {}, {}
    for outcome, stages in STAGES_OF.items():
        for stage in stages:
            progress(f"{outcome} at {stage}")
            table = validate.table(history, outcome, stage, recipe)
            known, cohort = table.labelled, table.cohort
            boosters[outcome, stage] = fit(table.rows(known), recipe, recipe.seed)
            margin = validate.unseen(table, boosters[outcome, stage], recipe)
            p = validate.calibrated(table, margin, recipe)
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
                model=validate.by_kind(table, margin, p),
                baselines=_baselines(history, table, recipe),
                margin=margin,
                p=p,
            )
    headline = _failure(history, trained, lines, recipe)
    failure = {stage: each.model for stage, each in headline.items()}
    parts = tuple(ModelPart(outcome=o, stage=s, features=each.table.names) for (o, s), each in trained.items())
    manifest = BundleManifest(
        version=UNRELEASED,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_commit(),
        register="uk",
        parts=parts,
        data=(history.source, *(learnt.data if learnt else ())),
        metrics=_metrics(trained, failure) | (registers_metrics(learnt) if learnt else {}),
        evidence=card.evidence(failure["draft"]["cohort"], failure["draft"]["picked"]),
    )
    bundle = Bundle(
        manifest=manifest,
        boosters=boosters,
        calibration=lines,
        log=history.log,
        training_profile=of_casebook(
            history,
            {part.name: _spreads(trained[part.outcome, part.stage].table) for part in parts},
            _told(trained, lines),
        ),
        registers=learnt.bundles if learnt else {},
    )
    result = Result(
        bundle=bundle,
        trained=trained,
        failure=failure,
        recipe=recipe,
        headline=headline,
        cases=tuple(case.case_id for case in history.cases),
        registers=learnt,
    )
    return msgspec.structs.replace(result, bundle=card.carded(result))


def _told(
    trained: dict[tuple[str, Stage], Trained], lines: dict[tuple[str, Stage], Calibration]
) -> dict[str, NDArray[np.float64]]:
    """What the bundle says of every case, by part: not what each case was judged by, which other lines calibrated."""
    return {
        f"{outcome}-{stage}": lines[outcome, stage].probabilities(each.margin)
        for (outcome, stage), each in trained.items()
    }


def _spreads(table: Table) -> Spreads:
    """How the columns of a table lie over the cases whose outcome is known."""
    return spreads(table.x, table.names, table.names, np.flatnonzero(table.labelled))


def _baselines(history: History, table: Table, recipe: Recipe) -> dict[str, dict[str, Figures]]:
    """The same trees grown on the outcomes, logistic regression on the same folds, a plain count of red flags, and the
    base rate alone."""
    margins = {
        "logistic_regression": validate.out_of_fold(table, recipe, validate.logistic),
        "red_flags": validate.red_flags(history, table.stage),
        "base_rate": np.zeros(len(table.y)),
    }
    return _learnt(table, recipe) | {
        name: validate.by_kind(table, margin, validate.calibrated(table, margin, recipe))
        for name, margin in margins.items()
    }


def _learnt(table: Table, recipe: Recipe) -> dict[str, dict[str, Figures]]:
    """The same trees grown on the outcomes alone, where the served ones are not."""
    if table.learnt == 1:
        return {}
    margin = validate.out_of_fold(table, recipe, validate.learnt)
    return {"XGBoost_learnt": validate.by_kind(table, margin, validate.calibrated(table, margin, recipe))}


def _failure(
    history: History,
    trained: dict[tuple[str, Stage], Trained],
    lines: dict[tuple[str, Stage], Calibration],
    recipe: Recipe,
) -> dict[Stage, Trained]:
    """The headline, judged: both parts put together out of fold, as scoring does."""
    found: dict[Stage, Trained] = {}
    for stage in STAGES:
        parts = [
            [lines[outcome, stage].probability(margin) for margin in trained[outcome, stage].margin]
            if (outcome, stage) in trained
            else [0.0] * len(history.cases)
            for outcome in ("no_award", "early_end")
        ]
        p = np.array([failure_probability(*pair) for pair in zip(*parts, strict=True)])
        table = msgspec.structs.replace(
            trained["early_end", stage].table, outcome="failure", y=history.label("failure")
        )
        known = p[table.cohort]
        found[stage] = Trained(
            table=table,
            model=validate.by_kind(table, p, known),
            baselines=_learnt(validate.table(history, "failure", stage, recipe), recipe),
            margin=p,
            p=known,
        )
    return found


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
