"""Training from end to end: casebook and registers, validated, calibrated, and put into one bundle with its card."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from models.bundle import UNRELEASED, Bundle, BundleManifest, ModelPart
from models.calibration import Calibration, failure_probability
from models.training_profile import TrainingProfile, code_shares, quantiles
from tenders.facts import STAGES, Stage
from training import cards
from training.calibrate import fit_calibration
from training.datasets import STAGES_OF, Casebook, casebook_dataset
from training.fit import fit_casebook
from training.recipe import Recipe
from training.registers import manifest_metrics, train_registers
from training.results import TrainingResult, flat_metrics
from training.rolling import column_quantiles
from training.validate import (
    CasebookFit,
    calibrate_out_of_fold,
    casebook_baselines,
    label_baseline,
    metrics_by_kind,
    unseen_margin,
)

Progress = Callable[[str], None]
Fits = Mapping[tuple[str, Stage], CasebookFit]
Lines = Mapping[tuple[str, Stage], Calibration]


def train(
    book: Casebook, recipe: Recipe, progress: Progress = lambda _: None, registers: Path | None = None
) -> TrainingResult:
    """Fits, validates and calibrates a model for every outcome at every stage where it is open.

    `registers` is a directory of histories of registers, which get models of their own.
    """
    registers_result = train_registers(registers, recipe, progress) if registers else None
    fits, boosters, lines = {}, {}, {}
    for outcome, stages in STAGES_OF.items():
        for stage in stages:
            progress(f"{outcome} at {stage}")
            data = casebook_dataset(book, outcome, stage, recipe)
            cohort = data.cohort
            boosters[outcome, stage] = fit_casebook(data.take(data.labelled), recipe, recipe.seed)
            margin = unseen_margin(data, boosters[outcome, stage], recipe)
            p = calibrate_out_of_fold(data, margin, recipe)
            lines[outcome, stage] = fit_calibration(
                margin[cohort],
                data.y[cohort],
                data.case_weight[cohort],
                data.cluster[cohort],
                recipe.seed,
                recipe.resamples,
            )
            fits[outcome, stage] = CasebookFit(
                data=data,
                metrics=metrics_by_kind(data, margin, p),
                baselines=casebook_baselines(book, data, recipe),
                margin=margin,
                p=p,
            )
    headline = {stage: _failure_fit(book, stage, fits, lines, recipe) for stage in STAGES}
    draft = headline["draft"].metrics
    manifest = BundleManifest(
        version=UNRELEASED,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_commit(),
        register="uk",
        parts=tuple(ModelPart(outcome=o, stage=s, features=fit.data.names) for (o, s), fit in fits.items()),
        data=(book.source, *(registers_result.data if registers_result else ())),
        metrics=_metrics(fits, headline) | (manifest_metrics(registers_result) if registers_result else {}),
        evidence=cards.evidence(draft["cohort"], draft["picked"]),
    )
    bundle = Bundle(
        manifest=manifest,
        boosters=boosters,
        calibration=lines,
        case_history=book.case_history,
        training_profile=casebook_profile(book, fits, lines),
        registers=registers_result.bundles if registers_result else {},
    )
    result = TrainingResult(
        bundle=bundle,
        fits=fits,
        headline=headline,
        recipe=recipe,
        cases=tuple(case.case_id for case in book.cases),
        registers=registers_result,
    )
    return msgspec.structs.replace(result, bundle=cards.add_cards(result))


def casebook_profile(book: Casebook, fits: Fits, lines: Lines) -> TrainingProfile:
    """What the casebook's rows looked like, all dated cases, picked ones too; and what the bundle says of each.

    The probabilities are the bundle's own, not those that judged it, which other lines calibrated.
    """
    features, scores = {}, {}
    for (outcome, stage), fit in fits.items():
        name = f"{outcome}-{stage}"
        labelled = np.flatnonzero(fit.data.labelled)
        features[name] = column_quantiles(fit.data.x, fit.data.names, fit.data.names, labelled)
        scores[name] = quantiles(lines[outcome, stage].probabilities(fit.margin))
    return TrainingProfile(
        rows=book.source.rows,
        first=book.source.first,
        last=book.source.last,
        features=features,
        scores=scores,
        codes=code_shares(case.process().as_of("draft") for case in book.cases),
    )


def _failure_fit(book: Casebook, stage: Stage, fits: Fits, lines: Lines, recipe: Recipe) -> CasebookFit:
    """The headline at a stage, judged: both parts put together out of fold, as scoring does."""
    parts = [
        [lines[outcome, stage].probability(margin) for margin in fits[outcome, stage].margin]
        if (outcome, stage) in fits
        else [0.0] * len(book.cases)
        for outcome in ("no_award", "early_end")
    ]
    p = np.array([failure_probability(*pair) for pair in zip(*parts, strict=True)])
    data = msgspec.structs.replace(fits["early_end", stage].data, outcome="failure", y=book.labels("failure"))
    cohort = p[data.cohort]
    return CasebookFit(
        data=data,
        metrics=metrics_by_kind(data, p, cohort),
        baselines=label_baseline(casebook_dataset(book, "failure", stage, recipe), recipe),
        margin=p,
        p=cohort,
    )


def _metrics(fits: Fits, headline: Mapping[Stage, CasebookFit]) -> dict[str, dict[str, float | None]]:
    rows = {f"{o}/{s}/{kind}": row for (o, s), fit in fits.items() for kind, row in fit.metrics.items()}
    rows |= {f"failure/{s}/{kind}": row for s, fit in headline.items() for kind, row in fit.metrics.items()}
    return {name: flat_metrics(row) for name, row in rows.items()}


def _commit() -> str:
    """The commit that trained, for the manifest; empty outside a checkout."""
    run = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return run.stdout.strip()
