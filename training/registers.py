"""Every register of a directory, one after the other: learnt, judged, and put into bundles of their own."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from models.bundle import ANY, UNRELEASED, Bundle, BundleManifest, ModelPart, TrainingSource
from models.calibration import Calibration
from tenders import casebook
from tenders import registers as sources
from tenders.errors import DataError, UnreachableError
from tenders.facts import Stage
from tenders.history import UNDATED, LabelledTender, Register, ocid_prefixes
from tenders.registers import casebook_uk
from training import metrics
from training.ablation import Ablated, ablated
from training.frames import frame
from training.pooling import Pooled, Rows, Sample, pool, rows_of, sample
from training.recipe import Recipe
from training.reference import of_register
from training.register import STEPS, Judged, Learnt, coverage, learn
from training.search import Searched, search

Progress = Callable[[str], None]

SUFFIXES = (".parquet", ".csv", ".toml", ".json", ".jsonl", ".ndjson")
FEWEST = 50
"""Cases of either kind below which nothing is learnt of an outcome."""
SHARE = 0.01
"""Of a register's cases that a prefix begins, below which it is thought a stray."""
FEW = 10
"""Cases with the outcome below which the casebook does not judge a pool."""


class Figures(metrics.Summary, frozen=True, kw_only=True):
    """How a register's model of an outcome at a stage forecast the windows it had not seen."""

    register: str
    outcome: str
    stage: Stage
    coverage: float


class Registers(msgspec.Struct, frozen=True, kw_only=True):
    """What a directory of histories gave: a bundle a register, the figures, and what pooling showed."""

    bundles: dict[str, Bundle]
    figures: tuple[Figures, ...]
    judged: tuple[Judged, ...]
    pooled: tuple[Pooled, ...]
    ablated: tuple[Ablated, ...]
    data: tuple[TrainingSource, ...]
    searched: tuple[Searched, ...] = ()


def found(directory: Path) -> list[tuple[Register, Path]]:
    """The files of a directory that are named as a register is, in the order of their names.

    Raises UnreachableError if there is no such directory, DataError if none of its files is a register's.
    """
    if not directory.is_dir():
        raise UnreachableError(f"{directory}: no such directory. Check the name")
    files = [
        file
        for file in sorted(directory.iterdir())
        if file.stem in sources.register_names() and file.suffix in SUFFIXES
    ]
    if not files:
        known = ", ".join(f"{name}.parquet" for name in sources.register_names())
        raise DataError.at(str(directory), "no history in it", f"Name files after their register: {known}")
    return [(sources.find_register(file.stem), file) for file in files]


def train(directory: Path, recipe: Recipe, progress: Progress) -> Registers:
    """Learns from every register in a directory. One register is held in memory at a time."""
    bundles: dict[str, Bundle] = {}
    judged: list[Judged] = []
    shares: list[Sample] = []
    data: list[TrainingSource] = []
    searched: dict[tuple[str, str], Searched] = {}
    for source, file in found(directory):
        progress(f"reading {file.name}")
        past = source.cases(file)
        fingerprint = _fingerprint(source, file, past)
        learnt = []
        outcomes = list(told(source, past))
        for outcome, stage in outcomes:
            progress(f"{source.name}: {outcome} at {stage}")
            table = frame(source, past, outcome, stage)
            boost = recipe.boost(source.name, outcome)
            if recipe.trials and (source.name, outcome) not in searched:
                seconds = recipe.search_minutes * 60 / len({name for name, _ in outcomes})
                searched[source.name, outcome] = search(table, boost, recipe.trials, seconds, recipe.seed, progress)
            boost = searched[source.name, outcome].boost if recipe.trials else boost
            learnt.append(learn(table, boost, recipe.seed, recipe.resamples))
            shares.append(sample(table, STEPS))
            judged.append(learnt[-1].judged)
        data.append(fingerprint)
        if learnt:
            bundles[source.name] = _bundle(source.name, past, learnt, (fingerprint,))
    progress("what all registers know together")
    pooled = [pool(outcome, alike, recipe.seed, list(_strangers(outcome))) for outcome, alike in _alike(shares)]
    if pooled:
        bundles[ANY] = _any(pooled, tuple(data), judged)
    progress("what each theme adds")
    return Registers(
        bundles=bundles,
        figures=tuple(map(figures, judged)),
        judged=tuple(judged),
        pooled=tuple(pooled),
        ablated=tuple(ablated(each, recipe.seed) for each in shares),
        data=tuple(data),
        searched=tuple(searched.values()),
    )


def _alike(shares: Sequence[Sample]) -> Iterator[tuple[str, list[Sample]]]:
    """Outcomes that several registers tell at draft, with those registers' samples."""
    drafts = [each for each in shares if each.stage == "draft"]
    for outcome in dict.fromkeys(each.outcome for each in drafts):
        alike = [each for each in drafts if each.outcome == outcome]
        if len(alike) > 1:
            yield outcome, alike


def _strangers(outcome: str) -> Iterator[Rows]:
    """The casebook's dated cases that were not picked by how they ended, with its own records, where FEW have the
    outcome: does what the registers know together hold there?"""
    source = sources.find_register(casebook_uk.NAME)
    past = [case for case in source.cases(casebook.CASES) if case.published > UNDATED]
    table = frame(source, past, outcome, "draft")
    rows = np.flatnonzero(table.told & [case.cohort != casebook.PICKED for case in past])
    if table.y[rows].sum() >= FEW:
        yield rows_of(table, rows)


def told(source: Register, past: list[LabelledTender]) -> Iterator[tuple[str, Stage]]:
    """The outcomes that these cases can tell both ways often enough, with the stages at which they are open."""
    for outcome, stages in source.outcomes.items():
        ends = [case.outcomes.get(outcome) for case in past if case.known_on]
        if min(ends.count(True), ends.count(False)) >= FEWEST:
            yield from ((outcome, stage) for stage in stages)


def figures(each: Judged) -> Figures:
    """The figures of what was forecast."""
    found = metrics.summary(each.y, each.p, each.cluster, draws=200)
    low, high = found.auc_ci
    return Figures(
        register=each.register,
        outcome=each.outcome,
        stage=each.stage,
        n=found.n,
        positives=found.positives,
        base_rate=round(found.base_rate, 4),
        auc=round(found.auc, 4),
        auc_ci=(round(low, 4), round(high, 4)),
        average_precision=round(found.average_precision, 4),
        brier=round(found.brier, 4),
        ece=round(found.ece, 4),
        lift_at_5=round(found.lift_at_5, 3),
        lift_at_10=round(found.lift_at_10, 3),
        coverage=round(coverage(each), 3),
    )


def _bundle(
    name: str, past: Sequence[LabelledTender], learnt: Sequence[Learnt], data: tuple[TrainingSource, ...]
) -> Bundle:
    keys = [(each.part.outcome, each.part.stage) for each in learnt]
    return Bundle(
        manifest=msgspec.structs.replace(
            _manifest(name, tuple(each.part for each in learnt), data, evidence(name, [e.judged for e in learnt])),
            prefixes=_prefixes(past) or msgspec.UNSET,
        ),
        boosters=dict(zip(keys, (each.booster for each in learnt), strict=True)),
        calibration=dict(zip(keys, (each.calibration for each in learnt), strict=True)),
        histories={each.part.outcome: each.state for each in learnt},
        training_profile=of_register(
            past,
            {each.part.name: each.spreads for each in learnt},
            {each.part.name: each.scores for each in learnt},
        ),
    )


def _prefixes(past: Sequence[LabelledTender]) -> tuple[str, ...]:
    """The prefixes that OCDS has given the publishers of nearly all of a register's ocids."""
    found = Counter(ocid_prefixes(case.tender.ocid or "")[1] for case in past)
    return tuple(
        sorted(prefix for prefix, count in found.items() if prefix.startswith("ocds-") and count >= SHARE * len(past))
    )


def _any(pooled: Sequence[Pooled], data: tuple[TrainingSource, ...], judged: Sequence[Judged]) -> Bundle:
    """The bundle for a register that is not known: the margin is taken as it stands, over that register's own rate."""
    parts = tuple(
        ModelPart(
            outcome=each.outcome,
            stage="draft",
            features=tuple(each.booster.feature_names or ()),
            level=1.0,
            profile=1.0,
        )
        for each in pooled
    )
    keys = [(part.outcome, part.stage) for part in parts]
    rates = [np.mean([e.y.mean() for e in judged if e.outcome == part.outcome]) for part in parts]
    lines = [
        Calibration(
            intercept=0.0,
            slope=1.0,
            resampled=each.unsure,
            base_rate=round(float(rate), 4),
            cases=each.cases,
            positives=each.positives,
            groups=len(data),
        )
        for each, rate in zip(pooled, rates, strict=True)
    ]
    learnt = {each.register for each in judged}
    said = ", ".join(f"{each.outcome} {_least(each, learnt):.2f}" for each in pooled)
    elsewhere = "".join(
        f" On the UK casebook, {each.outcome} was told apart with {worst:.2f}."
        for each in pooled
        if (worst := _least(each, {casebook_uk.NAME})) is not None
    )
    text = (
        "This register is not one that was learnt from. The model has learnt from others; left out in turn, the "
        f"register that it knew least was told apart with an AUC of {said} (0.5 is a coin).{elsewhere} "
        "The level is this register's own."
    )
    return Bundle(
        manifest=_manifest(ANY, parts, data, text),
        boosters=dict(zip(keys, (each.booster for each in pooled), strict=True)),
        calibration=dict(zip(keys, lines, strict=True)),
    )


def _least(each: Pooled, registers: Container[str]) -> float | None:
    """The lowest AUC on those of these registers that the model had learnt nothing from, None if there is none."""
    found = (t.auc for t in each.found if t.kind.startswith("by") and t.register in registers)
    return min(found, default=None)


def _manifest(name: str, parts: tuple[ModelPart, ...], data: tuple[TrainingSource, ...], said: str) -> BundleManifest:
    return BundleManifest(
        version=UNRELEASED, created="", commit="", register=name, parts=parts, data=data, metrics={}, evidence=said
    )


def evidence(register: str, judged: Sequence[Judged]) -> str:
    """What stands behind a register's scores, in a sentence."""
    first = figures(judged[0])
    low, high = first.auc_ci
    return (
        f"Learnt from {register}. On {first.n:,} later cases that it had not seen, {first.outcome} at {first.stage} "
        f"was told apart with an AUC of {first.auc:.2f} (95% interval {low:.2f} to {high:.2f}; a coin gives 0.50), and "
        f"probabilities were off by {first.ece:.1%} on average."
    )


def _fingerprint(source: Register, file: Path, past: Sequence[LabelledTender]) -> TrainingSource:
    days = [case.published for case in past]
    return TrainingSource(
        name=source.name,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        rows=len(past),
        first=min(days).isoformat(),
        last=max(days).isoformat(),
    )


def metrics_of(learnt: Registers) -> dict[str, dict[str, float | None]]:
    """The figures of every register, outcome and stage, for the manifest."""
    found: dict[str, dict[str, float | None]] = {}
    for each in learnt.figures:
        values = msgspec.structs.asdict(each)
        low, high = values.pop("auc_ci")
        name = "/".join(values.pop(part) for part in ("register", "outcome", "stage"))
        found[name] = {**{key: float(value) for key, value in values.items()}, "auc_low": low, "auc_high": high}
    return found
