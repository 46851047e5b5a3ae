"""A portfolio compared with the tenders that its models were trained on: do scores still mean what they meant?

The comparison itself is `models.drift`; here it is made per register and stage, and put into sentences.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date

import msgspec
import numpy as np

from features.catalogue import catalogue
from models import drift as drifting
from models import score as scoring
from models.bundle import FAILURE_OUTCOMES, Bundle, ModelPart
from models.drift import MIN_TENDERS, Drift, DriftCounts, Shift
from models.level import HORIZON_MONTHS, MONTH, level_day
from models.score import Case, predict_cases
from tenders.errors import BundleError, DataError
from tenders.facts import STAGES, Stage
from tenders.io.blocks import blocks
from tenders.io.remote import AnyPath
from tenders.io.rows import read_rows

BATCH = 2_000
"""Tenders of one register and stage that are scored at once."""
NOTE = (
    "This compares what tenders look like. It cannot say whether they end as predicted. Once outcomes are known, use "
    "'tender-risk evaluate'."
)
REMEDY = "Train and release a new one with 'tender-risk train' and 'tender-risk release', or use --bundle"


class StageDrift(msgspec.Struct, frozen=True, kw_only=True):
    """The tenders of one register and stage. `drift` is None if the model has no training profile.

    `level_months` are the months from the last publication that set the model's level to the middle one of these
    tenders (0 if that is not later), None where no day is known; `level_stale` is whether intervals look less far.
    """

    register: str
    stage: Stage
    rows: int
    drift: Drift | None
    sentences: tuple[str, ...]
    level_months: float | None = None
    level_stale: bool = False


class DriftReport(msgspec.Struct, frozen=True, kw_only=True):
    """The drift of a portfolio. `same` is false if any model's scores drifted, None if no model could be compared."""

    rows: int
    refused: int
    bundle: str
    same: bool | None
    answer: str
    compared: tuple[StageDrift, ...]
    note: str = NOTE


ANSWERS: Mapping[bool | None, str] = {
    True: "Yes: scores still mean what they meant.",
    False: "No: scores no longer mean what they meant.",
    None: "It is not known whether scores still mean what they meant.",
}


def read_cases(
    source: AnyPath, bundle: Bundle, stage: Stage | None = None, register: str | None = None
) -> Iterator[Case | None]:
    """The tenders of a portfolio, ready to be scored; None for a row that is refused. Raises as `blocks` does."""
    for block in blocks(source, register):
        for row in read_rows(block, whole=False):
            try:
                yield scoring.case(bundle, row.process, stage) if row.process else None
            except DataError:
                yield None


def measure_drift(bundle: Bundle, cases: Iterable[Case | None]) -> DriftReport:
    """What changed, for each register and stage. Of rows that share an ocid only the first counts.

    Raises BundleError if no model that scores the tenders has a training profile to compare with.
    """
    refused = 0
    ocids: set[str] = set()
    pending: dict[tuple[str, Stage], list[Case]] = defaultdict(list)
    drift_counts: dict[tuple[str, Stage], DriftCounts | None] = {}
    counts: dict[tuple[str, Stage], int] = defaultdict(int)
    models: dict[str, Bundle] = {}
    days: dict[tuple[str, Stage], list[int]] = defaultdict(list)
    for case in cases:
        if case is None:
            refused += 1
            continue
        if case.process.ocid is not None:
            if case.process.ocid in ocids:
                continue
            ocids.add(case.process.ocid)
        key = case.bundle.manifest.register, case.stage
        models[key[0]] = case.bundle
        counts[key] += 1
        if case.published:
            days[key].append(case.published.toordinal())
        if key not in drift_counts:
            drift_counts[key] = DriftCounts(case.bundle.training_profile) if case.bundle.training_profile else None
        pending[key].append(case)
        if len(pending[key]) == BATCH:
            _count(drift_counts[key], pending.pop(key))
    for key, rest in pending.items():
        _count(drift_counts[key], rest)
    if not any(drift_counts.values()) and (counts or bundle.training_profile is None):
        raise BundleError(
            f"bundle {bundle.manifest.version} does not hold what its models learnt from, so nothing can be "
            f"compared with it. {REMEDY}"
        )
    compared = tuple(
        _stage_drift(models[key[0]], key, counts[key], drift_counts[key], days[key]) for key in sorted(counts)
    )
    answers = [group.drift.same for group in compared if group.drift and group.drift.same is not None]
    same = all(answers) if answers else None
    return DriftReport(
        rows=sum(counts.values()),
        refused=refused,
        bundle=bundle.manifest.version,
        same=same,
        answer=ANSWERS[same],
        compared=compared,
    )


def _count(counts: DriftCounts | None, cases: list[Case]) -> None:
    """Adds tenders of one model and stage to the counts."""
    if counts is None:
        return
    bundle, stage = cases[0].bundle, cases[0].stage
    ((_, predicted),) = predict_cases(cases)
    counts.add_tenders([case.tender for case in cases])
    for part in bundle.manifest.parts:
        if part.stage == stage and part.outcome in FAILURE_OUTCOMES:
            if part.features:
                counts.add_features(part.name, part.features, predicted.matrix[part.outcome])
            else:
                names = tuple(feature.name for feature in bundle.weighed)
                counts.add_features(part.name, names, predicted.feature_values.astype(np.float32))
            # A tender that a rule decides has no prediction.
            counts.add_scores(part.name, predicted.probability[part.outcome][~predicted.no_bid])


def _stage_drift(
    bundle: Bundle, key: tuple[str, Stage], rows: int, counts: DriftCounts | None, days: list[int]
) -> StageDrift:
    register, stage = key
    drift = drifting.drift(counts, feature_weights(bundle, stage)) if counts else None
    sentences = tuple(_sentences(drift)) if drift else (f"The model has no training profile. {REMEDY}.",)
    months, last = None, level_day(bundle)
    if days and last is not None:
        months = round(max(float(np.median(days)) - last, 0.0) / MONTH, 1)
    stale = months is not None and months > HORIZON_MONTHS
    if stale and last is not None:
        sentences += (
            f"The level is stale: it was set by tenders published to {date.fromordinal(last - 1)}, {months:.0f} months "
            f"before these, and intervals look {HORIZON_MONTHS} months ahead. 'tender-risk portfolio --outcomes' moves "
            "it by what has ended since.",
        )
    return StageDrift(
        register=register,
        stage=stage,
        rows=rows,
        drift=drift,
        sentences=sentences,
        level_months=months,
        level_stale=stale,
    )


def feature_weights(bundle: Bundle, stage: Stage) -> dict[str, float]:
    """How much the models of failure at a stage rely on each feature: shares of their gain in training, in total 1.

    Where pooled effects are the model, shares of the sizes of their coefficients.
    """
    weights: dict[str, float] = defaultdict(float)
    parts = [part for part in bundle.manifest.parts if part.stage == stage and part.outcome in FAILURE_OUTCOMES]
    for part in parts:
        if not part.features:
            sizes = effect_sizes(bundle, part)
            for name, size in sizes.items():
                weights[name] += size / sum(sizes.values()) / len(parts)
            continue
        scores = bundle.boosters[part.outcome, stage].get_score(importance_type="total_gain")
        gains = {name: gain for name, gain in scores.items() if isinstance(gain, float)}
        for name, gain in gains.items():
            weights[name] += gain / sum(gains.values()) / len(parts)
    return dict(weights)


def effect_sizes(bundle: Bundle, part: ModelPart) -> dict[str, float]:
    """The sizes of the coefficients of the effects that count for a part, by feature, 0 left out."""
    known = STAGES[: STAGES.index(part.stage) + 1]
    return {
        effect.feature: abs(effect.outcomes[part.outcome].coefficient)
        for effect in bundle.manifest.effects
        if effect.stage in known and part.outcome in effect.outcomes and effect.outcomes[part.outcome].coefficient
    }


def _sentences(drift: Drift) -> Iterator[str]:
    yield (
        f"Compared with {drift.reference_rows:,} tenders that the model learnt from, published {drift.first} to "
        f"{drift.last}."
    )
    if drift.same is None:
        yield f"{drift.rows} tenders are too few to compare: at least {MIN_TENDERS} are needed."
        return
    if drift.why:
        yield f"Why not: {'; '.join(drift.why)}."
    elif drift.shifts:
        yield (
            f"The features that changed carry {drift.weight_moved:.0%} of the model's weight. That is too little to "
            "change what scores mean."
        )
    else:
        yield (
            f"{drift.compared} features, scores and codes were compared. None changed by more than chance explains and "
            f"by at least {drifting.MIN_SHIFT:.0%} of tenders."
        )
    if drift.seen_from > drifting.MIN_SHIFT:
        yield f"With so few tenders, changes of a feature in fewer than {drift.seen_from:.0%} of them cannot be seen."
    yield from (_shift_sentence(shift) for shift in drift.shifts)


def _shift_sentence(shift: Shift) -> str:
    known = catalogue()
    name = known[shift.name].label if shift.name in known else shift.name.replace("_", " ")
    side = "below" if shift.now > shift.was else "at or below"
    return {
        "values": f"{name}: {shift.now:.0%} of tenders are {side} {shift.at or 0:.4g}; it was {shift.was:.0%}.",
        "unknown": f"{name}: unknown for {shift.now:.0%} of tenders; it was {shift.was:.0%}.",
        "score": f"Scores of {name}: {shift.now:.0%} are {side} {shift.at or 0:.1%}; it was {shift.was:.0%}.",
        "new codes": f"{name}: {shift.now:.0%} of the tenders that state one state one that was never seen.",
        "code": f"{name} {shift.code[:60]!r}: {shift.now:.0%} of the tenders that state one; it was {shift.was:.0%}.",
    }[shift.kind]
