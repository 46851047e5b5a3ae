"""A portfolio against what its models learnt from, in words: do scores still mean what they meant?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from features.catalogue import catalogue
from models import drift as drifting
from models import score as scoring
from models.bundle import FAILURE_OUTCOMES, Bundle
from models.drift import MIN_TENDERS, Drift, DriftCounts, Shift
from models.knowing import records_of
from models.predict import measured, predictions
from models.score import Case
from tenders.errors import BundleError, DataError
from tenders.facts import Stage
from tenders.io.blocks import blocks
from tenders.io.rows import read_rows

BATCH = 2_000
NOTE = (
    "This compares what tenders look like. Whether they end as foreseen, only their outcomes tell: use 'tender-risk "
    "evaluate' once they are known."
)
REMEDY = "Train and release it anew with 'tender-risk train' and 'tender-risk release', or give another with --bundle"


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """The tenders of one register and stage and their drift: None if the model has no training profile."""

    register: str
    stage: Stage
    rows: int
    drift: Drift | None
    said: tuple[str, ...]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether scores still mean what they meant: not if any model's do not; None where no model's can be told."""

    rows: int
    refused: int
    bundle: str
    same: bool | None
    answer: str
    compared: tuple[Compared, ...]
    note: str = NOTE


def cases(
    source: Path, bundle: Bundle, stage: Stage | None = None, register: str | None = None
) -> Iterator[Case | None]:
    """The tenders of a portfolio, ready to be scored; None for a row that is refused. Raises as `blocks` does."""
    for block in blocks(source, register):
        for row in read_rows(block, whole=False):
            try:
                yield scoring.case(bundle, row.process, stage) if row.process else None
            except DataError:
                yield None


def answer(bundle: Bundle, given: Iterable[Case | None]) -> Answer:
    """What moved, of each register and stage. Raises BundleError if no model that scores them has a training profile.

    Of rows that share an ocid the first counts: many releases of one tender are no many tenders.
    """
    refused = Refusals(given)
    found = _once(refused)
    held: dict[tuple[str, Stage], list[Case]] = defaultdict(list)
    tallies: dict[tuple[str, Stage], DriftCounts | None] = {}
    counts: dict[tuple[str, Stage], int] = defaultdict(int)
    models: dict[str, Bundle] = {}
    for case in found:
        key = case.bundle.manifest.register, case.stage
        models[key[0]] = case.bundle
        counts[key] += 1
        if key not in tallies:
            tallies[key] = DriftCounts(case.bundle.training_profile) if case.bundle.training_profile else None
        held[key].append(case)
        if len(held[key]) == BATCH:
            _count(tallies[key], held.pop(key))
    for key, few in held.items():
        _count(tallies[key], few)
    if not any(tallies.values()) and (counts or bundle.training_profile is None):
        raise BundleError(
            f"bundle {bundle.manifest.version} does not hold what its models learnt from, so nothing can be "
            f"compared with it. {REMEDY}"
        )
    compared = tuple(_compared(models[key[0]], key, counts[key], tallies[key]) for key in sorted(counts))
    same = _together([each.drift for each in compared])
    return Answer(
        rows=sum(counts.values()),
        refused=refused.count,
        bundle=bundle.manifest.version,
        same=same,
        answer=ANSWERS[same],
        compared=compared,
    )


class Refusals:
    """The cases that are there, and how many were not."""

    def __init__(self, given: Iterable[Case | None]) -> None:
        self._given = given
        self.count = 0

    def __iter__(self) -> Iterator[Case]:
        for case in self._given:
            if case is None:
                self.count += 1
            else:
                yield case


def _once(found: Iterable[Case]) -> Iterator[Case]:
    seen: set[str] = set()
    for case in found:
        ocid = case.process.ocid
        if ocid is None or ocid not in seen:
            yield case
        if ocid is not None:
            seen.add(ocid)


def _together(found: Iterable[Drift | None]) -> bool | None:
    told = [each.same for each in found if each and each.same is not None]
    return all(told) if told else None


ANSWERS: Mapping[bool | None, str] = {
    True: "Yes: scores still mean what they meant.",
    False: "No: scores no longer mean what they meant.",
    None: "It cannot be told whether scores still mean what they meant.",
}


def _count(counts: DriftCounts | None, found: list[Case]) -> None:
    """Adds tenders of one model and stage to what is counted."""
    if counts is None:
        return
    bundle, stage, tenders = found[0].bundle, found[0].stage, [case.tender for case in found]
    records = records_of(bundle, tenders, [case.published for case in found])
    told = predictions(measured(bundle, stage, tenders, records))
    counts.add_tenders(tenders)
    for part in bundle.manifest.parts:
        if part.stage == stage and part.outcome in FAILURE_OUTCOMES:
            counts.add_features(part.name, part.features, told.matrix[part.outcome])
            # What a rule ends is no forecast.
            counts.add_scores(part.name, told.probability[part.outcome][~told.no_bid])


def _compared(bundle: Bundle, key: tuple[str, Stage], rows: int, counts: DriftCounts | None) -> Compared:
    register, stage = key
    drift = drifting.drift(counts, weights(bundle, stage)) if counts else None
    said = tuple(_said(drift)) if drift else (f"The model has no training profile, so nothing can be told. {REMEDY}.",)
    return Compared(register=register, stage=stage, rows=rows, drift=drift, said=said)


def weights(bundle: Bundle, stage: Stage) -> dict[str, float]:
    """What the models of failure at a stage lean on, by feature, adding up to 1: their gain in training."""
    found: dict[str, float] = defaultdict(float)
    parts = [part for part in bundle.manifest.parts if part.stage == stage and part.outcome in FAILURE_OUTCOMES]
    for part in parts:
        scored = bundle.boosters[part.outcome, stage].get_score(importance_type="total_gain")
        gains = {name: gain for name, gain in scored.items() if isinstance(gain, float)}
        for name, gain in gains.items():
            found[name] += gain / sum(gains.values()) / len(parts)
    return dict(found)


def _said(drift: Drift) -> Iterator[str]:
    yield (
        f"Compared with {drift.reference_rows:,} that the model learnt from, published {drift.first} to {drift.last}."
    )
    if drift.same is None:
        yield f"{drift.rows} tenders are too few to tell anything: at least {MIN_TENDERS} are needed."
        return
    if drift.why:
        yield f"Why not: {'; '.join(drift.why)}."
    elif drift.shifts:
        yield (
            f"What moved carries {drift.weight_moved:.0%} of the model's weight: too little to change what scores mean."
        )
    else:
        yield f"None of {drift.compared} things compared moved by more than chance makes and a tenth of tenders."
    if drift.seen_from > drifting.MIN_SHIFT:
        yield f"With so few tenders, shifts of a feature below {drift.seen_from:.0%} of them cannot be seen."
    yield from (_shift(each) for each in drift.shifts)


def _shift(each: Shift) -> str:
    known = catalogue()
    name = known[each.name].label if each.name in known else each.name.replace("_", " ")
    lies = "below" if each.now > each.was else "at or below"
    return {
        "values": f"{name}: {each.now:.0%} of tenders lie {lies} {each.at or 0:.4g}; {each.was:.0%} did.",
        "unknown": f"{name}: unknown of {each.now:.0%} of tenders; it was of {each.was:.0%}.",
        "score": f"Scores of {name}: {each.now:.0%} lie {lies} {each.at or 0:.1%}; {each.was:.0%} did.",
        "new codes": f"{name}: {each.now:.0%} of the tenders that state one state one that was never seen.",
        "code": f"{name} {each.code[:60]!r}: {each.now:.0%} of the tenders that state one; it was {each.was:.0%}.",
    }[each.kind]
