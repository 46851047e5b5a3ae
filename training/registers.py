"""Models of every register in a directory, one register after the other, each in a bundle of its own."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import msgspec
import numpy as np

from models.bundle import ANY, OWN_LEVEL, UNRELEASED, Bundle, BundleManifest, ModelPart, TrainingSource
from models.calibration import Calibration
from models.training_profile import TrainingProfile, code_shares, quantiles
from tenders import casebook
from tenders.errors import DataError, UnreachableError, UsageError
from tenders.facts import Stage
from tenders.held_cases import without_tenders
from tenders.history import UNDATED, LabelledTender, Register, ocid_prefixes
from tenders.io.detection import ARCHIVES, JSON_LINES, split_suffix
from tenders.own_columns import OwnColumn, with_categories
from tenders.registers import find_register, own, register_names
from training import evaluate, metrics
from training.datasets import RegisterDataset, case_keys, early_end_horizon, outcome_days, register_dataset
from training.evidence.registers import RegisterEstimate, register_estimates
from training.pooling import (
    PooledFit,
    PoolRows,
    PoolSample,
    ThemeAblation,
    ablate_themes,
    fit_pooled,
    pool_rows,
    pool_sample,
)
from training.recipe import Recipe
from training.rolling import (
    STEPS,
    Forecasts,
    IntervalForecasts,
    RegisterFit,
    fit_register,
    interval_coverage,
    latest_year,
    month_of,
    rolling_splits,
)
from training.search import SearchResult, search
from training.short import FEWEST

Progress = Callable[[str], None]

OCDS_SUFFIXES = (".json", *JSON_LINES)
SUFFIXES = (".parquet", ".csv", ".toml", *OCDS_SUFFIXES)
PREFIX_SHARE = 0.01
"""The share of a register's cases below which a prefix of their ids is thought a stray."""
BY_BUYERS = "on buyers that were held out, because the history is too short to be judged on a later month"
FEW = 10
"""Cases with the outcome below which the casebook does not judge a pool."""


class RegisterMetrics(metrics.Metrics, frozen=True, kw_only=True):
    """How a register's model of an outcome at a stage forecast the windows it had not seen."""

    register: str
    outcome: str
    stage: Stage
    coverage: float


class RegistersResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a directory of histories gave: bundles of registers, metrics and forecasts, pooled models, ablations.

    `kept` is the version of the bundle that the register models were taken from, if they were not fitted;
    `kept_metrics` are those of its manifest. `judged` says, by register/outcome/stage, how a short history was judged;
    `too_few` says which outcomes were not learnt, and how many more cases that takes, `left_out` which declared columns
    no model reads, and why. `served_forecasts` is what the bundle that is served, of the version `served_version`,
    forecast of the judged cases of registers that it has not learnt.
    """

    bundles: dict[str, Bundle]
    metrics: tuple[RegisterMetrics, ...]
    forecasts: tuple[IntervalForecasts, ...]
    pooled: tuple[PooledFit, ...]
    ablations: tuple[ThemeAblation, ...]
    data: tuple[TrainingSource, ...]
    searches: tuple[SearchResult, ...] = ()
    estimates: tuple[RegisterEstimate, ...] = ()
    judged: dict[str, str] = {}
    too_few: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    served_forecasts: tuple[Forecasts, ...] = ()
    served_version: str = ""
    kept: str = ""
    kept_metrics: dict[str, dict[str, float | None]] = {}


def register_files(directory: Path) -> list[tuple[Register, Path]]:
    """The files of a directory that are named after a register with models of its own, in the order of their names.

    The United Kingdom's registers have none: what they hold teaches the UK model. Raises UnreachableError if there is
    no such directory, DataError if no file is named after a register.
    """
    files = [(register, file) for register, file in history_files(directory) if not register.uk]
    if not files:
        known = ", ".join(f"{name}.parquet" for name in register_names() if not find_register(name).uk)
        raise DataError.at(str(directory), "no history in it", f"Name files after their register: {known}")
    return files


def history_files(directory: Path) -> list[tuple[Register, Path]]:
    """The files of a directory that are named after any register, in the order of their names.

    Raises UnreachableError if there is no such directory.
    """
    if not directory.is_dir():
        raise UnreachableError(f"{directory}: no such directory. Check the name")
    named = [(file.name.partition(".")[0], file) for file in sorted(directory.iterdir())]
    return [(find_register(name), file) for name, file in named if name in register_names() and _is_history(name, file)]


def _is_history(name: str, file: Path) -> bool:
    """Whether a file holds a history by the end of its name: OCDS of one's own may be compressed, an archive or a
    folder."""
    if file.is_dir():
        return name == own.NAME
    suffix, codec = split_suffix(file)
    if name == own.NAME and suffix in (*OCDS_SUFFIXES, *ARCHIVES):
        return True
    return codec is None and suffix in SUFFIXES


def train_registers(
    directory: Path, recipe: Recipe, progress: Progress, served: Bundle | None = None
) -> RegistersResult:
    """Fits models of every register in a directory. One register is held in memory at a time.

    `served` is asked what it forecasts of the judged cases of registers that it has not learnt.
    """
    bundles: dict[str, Bundle] = {}
    forecasts: list[IntervalForecasts] = []
    samples: list[PoolSample] = []
    data: list[TrainingSource] = []
    searches: list[SearchResult] = []
    estimates: list[RegisterEstimate] = []
    judged: dict[str, str] = {}
    too_few: list[str] = []
    left_out: list[str] = []
    of_served: list[Forecasts] = []
    for register, file in register_files(directory):
        progress(f"reading {file.name}")
        read = register.read_file(file)
        cases, columns = read.cases, with_categories(read.columns, (case.tender for case in read.cases))
        data.append(fingerprint(register, file, cases))
        estimates += register_estimates(register, cases)
        too_few += shortfalls(register, cases)
        fits, searched = [], {}
        outcomes = list(available_outcomes(register, cases))
        for outcome, stage in outcomes:
            progress(f"{register.name}: {outcome} at {stage}")
            dataset, how = judgeable(register, cases, outcome, stage, columns)
            left_out += dataset.left_out
            if how:
                judged[f"{register.name}/{outcome}/{stage}"] = how
            if outcome not in searched:
                seconds = recipe.search_minutes * 60 / len({name for name, _ in outcomes})
                params = recipe.register_params(register.name, outcome)
                searched[outcome] = search(dataset, params, recipe.trials, seconds, recipe.seed, progress)
            fits.append(fit_register(dataset, searched[outcome].params, recipe.seed, recipe.resamples))
            samples.append(pool_sample(dataset, STEPS))
            del dataset
            if served and register.name not in served.registers:
                progress(f"{register.name}: what {served.manifest.version} forecasts of {outcome} at {stage}")
                of_served += _served_forecasts(served, register, cases, fits[-1].forecasts)
        forecasts += [fit.forecasts for fit in fits]
        searches += searched.values()
        if fits:
            bundles[register.name] = _register_bundle(register.name, cases, fits, data[-1], columns)
    progress("pooling the registers")
    pooled = [
        fit_pooled(outcome, group, recipe.seed, list(_casebook_rows(outcome)))
        for outcome, group in _by_outcome(samples)
    ]
    if pooled:
        bundles[ANY] = _pooled_bundle(pooled, tuple(data), forecasts)
    progress("measuring what each theme adds")
    return RegistersResult(
        bundles=bundles,
        metrics=tuple(map(register_metrics, forecasts)),
        forecasts=tuple(forecasts),
        pooled=tuple(pooled),
        ablations=tuple(ablate_themes(sample, recipe.seed) for sample in samples),
        data=tuple(data),
        searches=tuple(searches) if recipe.trials else (),
        estimates=tuple(estimates),
        judged=judged,
        too_few=tuple(too_few),
        left_out=tuple(dict.fromkeys(left_out)),
        served_forecasts=tuple(of_served),
        served_version=served.manifest.version if served else "",
    )


def _served_forecasts(
    bundle: Bundle, register: Register, cases: Sequence[LabelledTender], judged: Forecasts
) -> Iterator[Forecasts]:
    """What a bundle that has not learnt a register forecasts of the cases that judge a model of it; nothing, if it has
    no model of the outcome at the stage."""
    try:
        answer = evaluate.forecasts(bundle, register, [], cases, judged.outcome, judged.stage)
    except UsageError:
        return
    keys = case_keys(case for case in cases if evaluate.is_judged(register, case, judged.outcome, judged.stage))
    _, of_answer, of_judged = np.intersect1d(keys, judged.key, return_indices=True)
    yield Forecasts(
        register=judged.register,
        outcome=judged.outcome,
        stage=judged.stage,
        key=judged.key[of_judged],
        y=judged.y[of_judged],
        p=answer.p[of_answer],
        cluster=judged.cluster[of_judged],
        groups={name: labels[of_judged] for name, labels in judged.groups.items()},
    )


def judgeable(
    register: Register,
    cases: Sequence[LabelledTender],
    outcome: str,
    stage: Stage,
    columns: Mapping[str, OwnColumn] | None = None,
) -> tuple[RegisterDataset, str]:
    """The dataset of a register, as a snapshot if time cannot judge it; and how it is judged, if that is by its last
    month or because of that by buyers."""
    data = register_dataset(register, cases, outcome, stage, columns)
    if data.snapshot:
        return data, ""
    first = next(rolling_splits(data, STEPS), None)
    if first is None:
        snapshot = msgspec.structs.replace(register, snapshot=True)
        return register_dataset(snapshot, cases, outcome, stage, columns), BY_BUYERS
    month = month_of(data) if first.window is not None else None
    return data, month.words(data.published) if month else ""


def shortfalls(register: Register, cases: Sequence[LabelledTender]) -> Iterator[str]:
    """Which outcomes that a register tells of some cases are too few to learn, and how many more it takes."""
    for outcome in register.outcomes:
        ends = [case.outcomes.get(outcome) for case in without_tenders(cases) if case.known_on]
        counts = {"with": ends.count(True), "without": ends.count(False)}
        more = [f"{FEWEST - n} more {word} it" for word, n in counts.items() if n < FEWEST]
        if more and sum(counts.values()):
            yield (
                f"{register.name}: {outcome} is known of {counts['with']:,} cases that had it and of "
                f"{counts['without']:,} that had not. A model takes {FEWEST} of either: it needs {' and '.join(more)}"
            )


def kept_registers(directory: Path, bundle: Bundle, progress: Progress) -> RegistersResult:
    """The register models of a bundle as they are, with the estimates of factors from the histories in a directory."""
    estimates: list[RegisterEstimate] = []
    for register, file in register_files(directory):
        progress(f"reading {file.name}")
        estimates += register_estimates(register, register.cases(file))
    return RegistersResult(
        bundles=bundle.registers,
        metrics=(),
        forecasts=(),
        pooled=(),
        ablations=(),
        data=tuple(source for source in bundle.manifest.data if source.name in bundle.registers),
        estimates=tuple(estimates),
        kept=bundle.manifest.version,
        kept_metrics={
            name: row for name, row in bundle.manifest.metrics.items() if name.partition("/")[0] in bundle.registers
        },
    )


def available_outcomes(register: Register, cases: Sequence[LabelledTender]) -> Iterator[tuple[str, Stage]]:
    """The outcomes that enough of these cases had and enough had not, with the stages at which each is open."""
    for outcome, stages in register.outcomes.items():
        ends = [case.outcomes.get(outcome) for case in without_tenders(cases) if case.known_on]
        if min(ends.count(True), ends.count(False)) >= FEWEST:
            yield from ((outcome, stage) for stage in stages)


def _by_outcome(samples: Sequence[PoolSample]) -> Iterator[tuple[str, list[PoolSample]]]:
    """Outcomes that several registers tell at draft, with those registers' samples."""
    drafts = [sample for sample in samples if sample.stage == "draft"]
    for outcome in dict.fromkeys(sample.outcome for sample in drafts):
        group = [sample for sample in drafts if sample.outcome == outcome]
        if len(group) > 1:
            yield outcome, group


def _casebook_rows(outcome: str) -> Iterator[PoolRows]:
    """The casebook's dated cohort cases with its own records, if FEW have the outcome: does the pool hold there?"""
    register = find_register(casebook.NAME)
    cases = [case for case in register.cases(casebook.CASES) if case.published > UNDATED]
    dataset = register_dataset(register, cases, outcome, "draft")
    rows = np.flatnonzero(dataset.labelled & [case.cohort != casebook.PICKED for case in cases])
    if dataset.y[rows].sum() >= FEW:
        yield pool_rows(dataset, rows)


def register_metrics(forecasts: IntervalForecasts) -> RegisterMetrics:
    """The metrics of a register's forecasts, rounded."""
    values = metrics.compute_metrics(forecasts.y, forecasts.p, forecasts.cluster, draws=200)
    low, high = values.auc_ci
    return RegisterMetrics(
        register=forecasts.register,
        outcome=forecasts.outcome,
        stage=forecasts.stage,
        n=values.n,
        positives=values.positives,
        base_rate=round(values.base_rate, 4),
        auc=round(values.auc, 4),
        auc_ci=(round(low, 4), round(high, 4)),
        average_precision=round(values.average_precision, 4),
        brier=round(values.brier, 4),
        ece=round(values.ece, 4),
        lift_at_5=round(values.lift_at_5, 3),
        lift_at_10=round(values.lift_at_10, 3),
        coverage=round(interval_coverage(forecasts), 3),
    )


def manifest_metrics(result: RegistersResult) -> dict[str, dict[str, float | None]]:
    """The metrics of every register, outcome and stage, by register/outcome/stage."""
    named = dict(result.kept_metrics)
    for row in result.metrics:
        values = msgspec.structs.asdict(row)
        low, high = values.pop("auc_ci")
        name = "/".join(values.pop(part) for part in ("register", "outcome", "stage"))
        named[name] = {**{key: float(value) for key, value in values.items()}, "auc_low": low, "auc_high": high}
    return named


def evidence(register: str, forecasts: IntervalForecasts) -> str:
    """What a register's scores rest on, in a sentence that stands beside them."""
    first = register_metrics(forecasts)
    low, high = first.auc_ci
    return (
        f"Trained on {register}. On {first.n:,} later cases that it had not seen, the model of {first.outcome} at "
        f"{first.stage} had an AUC of {first.auc:.2f} (95% interval {low:.2f} to {high:.2f}; a coin gives 0.50), and "
        f"its probabilities were off by {first.ece:.1%} on average."
    )


def _register_bundle(
    name: str,
    cases: Sequence[LabelledTender],
    fits: Sequence[RegisterFit],
    data: TrainingSource,
    columns: Mapping[str, OwnColumn],
) -> Bundle:
    keys = [(fit.part.outcome, fit.part.stage) for fit in fits]
    return Bundle(
        manifest=msgspec.structs.replace(
            _manifest(name, tuple(fit.part for fit in fits), (data,), _with_horizon(name, fits, cases)),
            prefixes=_prefixes(cases) or msgspec.UNSET,
            own_columns=dict(columns) or msgspec.UNSET,
        ),
        boosters=dict(zip(keys, (fit.booster for fit in fits), strict=True)),
        calibration=dict(zip(keys, (fit.calibration for fit in fits), strict=True)),
        histories={fit.part.outcome: fit.history for fit in fits},
        training_profile=register_profile(cases, fits),
    )


def _with_horizon(name: str, fits: Sequence[RegisterFit], cases: Sequence[LabelledTender]) -> str:
    """The evidence of a register, with the horizon of early ends: those that had come by the register's last day."""
    horizon = ""
    if any(fit.part.outcome == "early_end" for fit in fits):
        last = int(outcome_days(cases, "early_end")[1].max())
        horizon = early_end_horizon(cases, date.fromordinal(last))
    return " ".join(filter(None, (evidence(name, fits[0].forecasts), horizon)))


def register_profile(cases: Sequence[LabelledTender], fits: Sequence[RegisterFit]) -> TrainingProfile:
    """What the rows looked like that a register's models were fitted on, and what they forecast, by part."""
    known = without_tenders(cases)
    labelled = [
        row
        for row, case in enumerate(known)
        if case.known_on and any(end is not None for end in case.outcomes.values())
    ]
    recent = latest_year(np.array([known[row].published.toordinal() for row in labelled]))
    rows = [labelled[place] for place in recent.tolist()]
    days = [known[row].published for row in rows]
    return TrainingProfile(
        rows=len(rows),
        first=min(days).isoformat(),
        last=max(days).isoformat(),
        features={fit.part.name: fit.quantiles for fit in fits},
        scores={fit.part.name: quantiles(fit.scores) for fit in fits},
        codes=code_shares(cases[row].as_of("draft") for row in rows),
    )


def _prefixes(cases: Sequence[LabelledTender]) -> tuple[str, ...]:
    """The prefixes that OCDS has given the publishers of nearly all of a register's ocids."""
    counts = Counter(ocid_prefixes(case.tender.ocid or "")[1] for case in cases)
    least = PREFIX_SHARE * len(cases)
    return tuple(sorted(prefix for prefix, n in counts.items() if prefix.startswith("ocds-") and n >= least))


def _pooled_bundle(
    pooled: Sequence[PooledFit], data: tuple[TrainingSource, ...], forecasts: Sequence[IntervalForecasts]
) -> Bundle:
    """The bundle for a register that no model was fitted on: the margin as it stands, over that register's own rate."""
    parts = tuple(
        ModelPart(
            outcome=fit.outcome, stage="draft", features=tuple(fit.booster.feature_names or ()), level=1.0, profile=1.0
        )
        for fit in pooled
    )
    keys = [(part.outcome, part.stage) for part in parts]
    rates = [np.mean([f.y.mean() for f in forecasts if f.outcome == part.outcome]) for part in parts]
    lines = [
        Calibration(
            intercept=0.0,
            slope=1.0,
            resampled=fit.left_out_lines,
            base_rate=round(float(rate), 4),
            cases=fit.cases,
            positives=fit.positives,
            groups=len(data),
        )
        for fit, rate in zip(pooled, rates, strict=True)
    ]
    return Bundle(
        manifest=_manifest(ANY, parts, data, _pooled_evidence(pooled, {f.register for f in forecasts})),
        boosters=dict(zip(keys, (fit.booster for fit in pooled), strict=True)),
        calibration=dict(zip(keys, lines, strict=True)),
    )


def _pooled_evidence(pooled: Sequence[PooledFit], registers: Container[str]) -> str:
    worst = ", ".join(f"{_lowest_auc(fit, registers):.2f} for {fit.outcome}" for fit in pooled)
    casebook_aucs = "".join(
        f" On the UK casebook, the AUC was {auc:.2f} for {fit.outcome}."
        for fit in pooled
        if (auc := _lowest_auc(fit, {casebook.NAME})) is not None
    )
    return (
        "No model was trained on this register. This one was trained on others. When each of them was left out in "
        f"turn, the lowest AUC was {worst} (a coin gives 0.50).{casebook_aucs} {OWN_LEVEL}"
    )


def _lowest_auc(fit: PooledFit, registers: Container[str]) -> float | None:
    """The lowest AUC on those of these registers that the model had seen nothing of; None if there is none."""
    return min(
        (score.auc for score in fit.scores if score.kind.startswith("by") and score.register in registers),
        default=None,
    )


def _manifest(name: str, parts: tuple[ModelPart, ...], data: tuple[TrainingSource, ...], text: str) -> BundleManifest:
    return BundleManifest(
        version=UNRELEASED, created="", commit="", register=name, parts=parts, data=data, metrics={}, evidence=text
    )


def fingerprint(register: Register, file: Path, cases: Sequence[LabelledTender]) -> TrainingSource:
    """The digest of a history's file, its cases and their first and last days of publication."""
    days = [case.published for case in without_tenders(cases)]
    first, last = min(days).isoformat(), max(days).isoformat()
    return TrainingSource(name=register.name, sha256=_digest(file), rows=len(cases), first=first, last=last)


def _digest(path: Path) -> str:
    """The SHA-256 of a file; of a folder, that of the digests of its files in order of their paths."""
    if path.is_dir():
        parts = sorted(part for part in path.rglob("*") if part.is_file())
        return hashlib.sha256("".join(map(_digest, parts)).encode()).hexdigest()
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
