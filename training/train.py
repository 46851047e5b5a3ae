"""Training from end to end: casebook and registers, validated, calibrated, and put into one bundle with its card."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from scipy.special import expit

from models.bundle import FAILURE_OUTCOMES, Bundle, ModelPart
from models.predict import predict
from models.training_profile import TrainingProfile, code_shares, quantiles
from tenders.facts import STAGES, Stage
from training import uk_card
from training.datasets import STAGES_OF, Casebook, CasebookDataset, casebook_dataset, early_end_horizon
from training.extend import with_models
from training.fit import fit_casebook
from training.recipe import Recipe
from training.registers import RegistersResult, kept_registers, manifest_metrics, train_registers
from training.results import TrainingResult, flat_metrics
from training.rolling import column_quantiles
from training.uk import UkEvidence, uk_bundle, uk_histories
from training.validate import CasebookFit, casebook_baselines, metrics_by_kind, trees_beyond

Progress = Callable[[str], None]
Fits = Mapping[tuple[str, Stage], CasebookFit]


def train(
    book: Casebook,
    recipe: Recipe,
    progress: Progress = lambda _: None,
    registers: Path | None = None,
    keep: Bundle | None = None,
    champion: Bundle | None = None,
) -> TrainingResult:
    """Fits, validates and calibrates a model for every outcome at every stage where it is open.

    `registers` is a directory of histories of registers, which get models of their own; with `keep`, those of another
    bundle stay as they are, and the histories teach the UK model alone. `champion` is asked what it forecasts of the
    judged cases of registers that it has not learnt. Raises DataError if no history is enough for a model.
    """
    registers_result = _registers(registers, keep, recipe, progress, champion) if registers else None
    progress("pooling the evidence for factors")
    evidence = UkEvidence(
        book,
        uk_histories(registers) if registers else (),
        registers_result.estimates if registers_result else (),
    )
    served = uk_bundle(*evidence.model(np.arange(len(book.cases))), book.case_history)
    fits, boosters = {}, {}
    for outcome, stages in STAGES_OF.items():
        for stage in stages:
            progress(f"{outcome} at {stage}")
            data = casebook_dataset(book, outcome, stage, recipe)
            fits[outcome, stage] = fit = judge(book, evidence, data, recipe)
            if fit.beyond and fit.beyond.kept:
                settings = msgspec.structs.replace(recipe, trees=fit.beyond.trees)
                boosters[outcome, stage] = fit_casebook(
                    data.take(data.labelled), settings, recipe.seed, fit.margin[data.labelled]
                )
    counts = uk_card.case_counts(book)
    headline = {stage: _failure_fit(book, stage, fits, recipe) for stage in STAGES}
    cases = [case.labelled(row) for row, case in enumerate(book.cases)]
    manifest = msgspec.structs.replace(
        served.manifest,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_commit(),
        parts=tuple(
            ModelPart(outcome=o, stage=s, features=fit.data.names if (o, s) in boosters else ())
            for (o, s), fit in fits.items()
        ),
        data=(book.source, *evidence.sources, *(registers_result.data if registers_result else ())),
        metrics=_metrics(fits, headline) | (manifest_metrics(registers_result) if registers_result else {}),
        evidence=f"{uk_card.evidence_line(headline, counts)} {early_end_horizon(cases)}".strip(),
    )
    bundle = msgspec.structs.replace(
        served,
        manifest=manifest,
        boosters=boosters,
        training_profile=casebook_profile(book, served, fits),
        registers=registers_result.bundles if registers_result else {},
    )
    result = TrainingResult(
        bundle=bundle,
        fits=fits,
        headline=headline,
        recipe=recipe,
        counts=counts,
        cases=tuple(case.case_id for case in book.cases),
        registers=registers_result,
    )
    return msgspec.structs.replace(result, bundle=uk_card.add_cards(result))


def _registers(
    directory: Path, keep: Bundle | None, recipe: Recipe, progress: Progress, champion: Bundle | None
) -> RegistersResult:
    if keep:
        return kept_registers(directory, keep, progress)
    return with_models(train_registers(directory, recipe, progress, champion))


def judge(book: Casebook, evidence: UkEvidence, data: CasebookDataset, recipe: Recipe) -> CasebookFit:
    """The model of one outcome at one stage, judged out of fold, with its baselines and what trees would add."""
    margin, level = evidence.out_of_fold(data, recipe)
    p = expit(margin[data.cohort])
    return CasebookFit(
        data=data,
        metrics=metrics_by_kind(data, margin, p, level),
        baselines=casebook_baselines(book, data, level, recipe),
        margin=margin,
        p=p,
        level=level,
        beyond=trees_beyond(data, margin, recipe),
    )


def casebook_profile(book: Casebook, bundle: Bundle, fits: Fits) -> TrainingProfile:
    """What the casebook's rows looked like, all dated cases, picked ones too; and what the bundle says of each."""
    features, scores = {}, {}
    names = [feature.name for feature in bundle.weighed]
    for stage, table in book.tables.items():
        predicted = predict(bundle, table)
        known = [f.name for f in bundle.weighed if STAGES.index(f.stage) <= STAGES.index(stage)]
        for outcome in STAGES_OF:
            if (outcome, stage) in fits:
                labelled = np.flatnonzero(fits[outcome, stage].data.labelled)
                part = f"{outcome}-{stage}"
                features[part] = column_quantiles(predicted.feature_values.astype(np.float32), names, known, labelled)
                scores[part] = quantiles(expit(predicted.margin[outcome]))
    return TrainingProfile(
        rows=book.source.rows,
        first=book.source.first,
        last=book.source.last,
        features=features,
        scores=scores,
        codes=code_shares(case.process().as_of("draft") for case in book.cases),
    )


def _failure_fit(book: Casebook, stage: Stage, fits: Fits, recipe: Recipe) -> CasebookFit:
    """The headline at a stage, judged: both parts put together out of fold, as scoring does.

    Once there is an award, tenders that came to none are no case.
    """
    pairs = [fits[outcome, stage] for outcome in FAILURE_OUTCOMES if (outcome, stage) in fits]
    p, base = (
        1 - np.prod([1 - expit(logit) for logit in logits], axis=0)
        for logits in zip(*((f.margin, f.level) for f in pairs), strict=True)
    )
    data = casebook_dataset(book, "failure", stage, recipe)
    if stage == "awarded":
        data = msgspec.structs.replace(data, y=np.where(book.labels("no_award") == 1, np.nan, data.y))
    level = np.log(base / (1 - base))
    cohort = p[data.cohort]
    return CasebookFit(
        data=data,
        metrics=metrics_by_kind(data, p, cohort, level),
        baselines={},
        margin=p,
        p=cohort,
        level=level,
    )


def _metrics(fits: Fits, headline: Mapping[Stage, CasebookFit]) -> dict[str, dict[str, float | None]]:
    rows = {f"{o}/{s}/{kind}": row for (o, s), fit in fits.items() for kind, row in fit.metrics.items()}
    rows |= {f"failure/{s}/{kind}": row for s, fit in headline.items() for kind, row in fit.metrics.items()}
    return {name: flat_metrics(row) for name, row in rows.items()}


def _commit() -> str:
    """The commit that trained, for the manifest; empty outside a checkout."""
    run = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return run.stdout.strip()
