"""Suggest: which changes within a commissioner's reach lower the failure probability, and what past cases say of them.

Only facts that the tender states are changed. A change is left out if it also makes an unknown fact known to the model
or a known one unknown, because part of its effect would then be that of the missing fact. A difference is the score of
the changed tender less the score of this one: an association, never a cause.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import combinations, groupby
from typing import Any

import msgspec

from features.catalogue import catalogue
from features.table_builder import one_row
from models import score as scoring
from models.bundle import FAILURE_OUTCOMES, Bundle
from models.comparables import Citation, KnownCase, citations, known_cases, known_table, nearest_cases
from models.levers import FactValue, Lever, features_moved, levers
from models.score import Score
from models.what_if import with_overrides
from tenders.facts import Stage
from tenders.process import Process

MIN_DIFFERENCE = 0.0005
"""Less than half a tenth of a percentage point is not worth a change."""
MAX_PRECEDENTS = 3
"""Precedents that are shown on either side."""
MAX_CACHED = 1024  # of most levers the same few values are tried, whatever the tender

Change = tuple[Lever, FactValue]

NOTE = (
    "These are links seen in a few past cases. They are not causes: a change may not prevent a failure. "
    "We changed only facts that you gave. Read the cases for and against before you act."
)


class Precedent(msgspec.Struct, frozen=True, kw_only=True):
    """One case that had it. `cohort` is `picked`, or the rule by which the case entered the casebook."""

    case: str
    name: str
    outcome: str
    account: str
    cohort: str
    sources: tuple[Citation, ...]


class Precedents(msgspec.Struct, frozen=True, kw_only=True):
    """Cases with the changed value: (failed, all) among cohort and among picked cases, and the nearest on either side.

    `events` is how many programmes and buyers the cohort cases are: those of one share their outcome. The picked cases
    were chosen because of how they ended, so their share is no rate.
    """

    cohort: tuple[int, int]
    events: int
    picked: tuple[int, int]
    held: tuple[Precedent, ...]
    failed: tuple[Precedent, ...]


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """One change or a pair: what to set, in words, the failure probability with it, and the difference (below 0)."""

    settings: Mapping[str, Any]
    text: str
    failure: float
    difference: float
    cases: Precedents


class Suggestions(msgspec.Struct, frozen=True, kw_only=True):
    """What lowers a tender's failure probability at a stage: single changes, largest effect first, and the best pair.

    `text` sums it up in one sentence, also if nothing does. `without_effect` are changes that were tried and do not
    lower it; `entangled` those whose effect cannot be separated from that of a fact left open; `unweighed` those that
    were not tried, because the model does not weigh such facts.
    """

    ocid: str | None
    stage: Stage
    failure: float
    text: str
    single: tuple[Suggestion, ...]
    pair: Suggestion | None
    without_effect: tuple[str, ...]
    entangled: tuple[str, ...]
    unweighed: tuple[str, ...]
    evidence: str
    note: str = NOTE
    warnings: tuple[str, ...] = ()


class Trial(msgspec.Struct, frozen=True):
    """A change of one or two levers, with the failure probability; None if the change is entangled."""

    changes: tuple[Change, ...]
    failure: float | None

    @property
    def overrides(self) -> dict[str, Any]:
        """The changes as `models.what_if` takes them."""
        return {key: value for lever, option in self.changes for key, value in lever.overrides(option).items()}

    @property
    def text(self) -> str:
        """The changes as sentences."""
        return " ".join(lever.text(value) for lever, value in self.changes)

    @property
    def rank(self) -> float:
        """The failure probability to order by: entangled changes come last."""
        return 1.0 if self.failure is None else self.failure


class Trials:
    """One process at the stage of its score under one bundle, to try changes on."""

    def __init__(self, bundle: Bundle, process: Process, score: Score) -> None:
        self.bundle, self.process, self.score, self.stage = bundle, process, score, score.stage
        self._unchanged = scoring.case(bundle, process, self.stage)
        self._table = one_row(self._unchanged.readable, self._unchanged.stage)

    def options(self, lever: Lever) -> Iterator[FactValue]:
        """The values to try, smallest change first; none if the tender does not state the lever's fact."""
        now = float(catalogue()[lever.feature].measure(self._table)[0])
        if not math.isnan(now):
            yield from lever.options(now)

    def weighs(self, lever: Lever) -> bool:
        """Whether what the lever changes can move the score. A register's records weigh whatever a tender states."""
        bundle = self._unchanged.bundle
        weighed = {feature.name for feature in bundle.weighed}
        return bool(bundle.histories) or not features_moved(lever.key).isdisjoint(weighed)

    def run(self, changes: Iterable[tuple[Change, ...]]) -> list[Trial]:
        """The failure probability with each of several changes, all scored at once beside the unchanged tender."""
        trials = [Trial(change, None) for change in changes]
        if not trials:
            return []
        changed = (with_overrides(self.process, trial.overrides, self.stage) for trial in trials)
        cases = (scoring.case(self.bundle, process, self.stage) for process in changed)
        unchanged, *scores = scoring.forecasts([self._unchanged, *cases], FAILURE_OUTCOMES)
        return [
            msgspec.structs.replace(trial, failure=score.failure) if score.unknown == unchanged.unknown else trial
            for trial, score in zip(trials, scores, strict=True)
        ]

    def lowers(self, trial: Trial) -> bool:
        """Whether a change lowers the probability by an amount worth naming."""
        return trial.failure is not None and self.score.failure - trial.failure >= MIN_DIFFERENCE


def suggest(bundle: Bundle, process: Process, stage: Stage | None = None) -> Suggestions:
    """The changes that lower the failure probability of a process at a stage (the latest known by default).

    Deterministic. Raises DataError as `scoring.score` does.
    """
    return suggest_for(bundle, process, scoring.score(bundle, process, stage, explain=False))


def suggest_for(bundle: Bundle, process: Process, score: Score) -> Suggestions:
    """The same for a process that has its score already."""
    trials = Trials(bundle, process, score)
    options = {lever: values for lever in levers(trials.stage) if (values := list(trials.options(lever)))}
    weighed = [lever for lever in options if trials.weighs(lever)]
    single = trials.run(((lever, value),) for lever in weighed for value in options[lever])
    best = [_best(list(group)) for _, group in groupby(single, key=lambda trial: trial.changes[0][0])]
    lowering = sorted((trial for trial in best if trials.lowers(trial)), key=lambda trial: trial.rank)
    pair = _best(trials.run((*one.changes, *other.changes) for one, other in combinations(lowering, 2)))
    better = pair.failure is not None and lowering[0].rank - pair.failure >= MIN_DIFFERENCE
    cases = nearest_cases(process, trials.stage) if lowering else []
    return Suggestions(
        ocid=process.ocid,
        stage=trials.stage,
        failure=score.failure,
        text=_summary(lowering, best, len(options)),
        single=tuple(_suggestion(trials, trial, cases) for trial in lowering),
        pair=_suggestion(trials, pair, cases) if better else None,
        without_effect=tuple(trial.text for trial in best if trial.failure is not None and not trials.lowers(trial)),
        entangled=tuple(trial.text for trial in best if trial.failure is None),
        unweighed=tuple(lever.text(values[0]) for lever, values in options.items() if lever not in weighed),
        evidence=score.evidence,
        warnings=score.warnings,
    )


def precedents(cases: Sequence[KnownCase], stage: Stage, changes: Sequence[Change]) -> Precedents:
    """Those of `cases`, which come nearest first and as of a stage, that had all of `changes`."""
    ids = frozenset.intersection(*(_cases_with(lever, value, stage) for lever, value in changes))
    matches = [known for known in cases if known.case.case_id in ids]
    cohort, picked = ([known for known in matches if known.picked is side] for side in (False, True))
    held, failed = ([known for known in matches if known.failed is side][:MAX_PRECEDENTS] for side in (False, True))
    return Precedents(
        cohort=_counts(cohort),
        events=len({known.cluster_id for known in cohort}),
        picked=_counts(picked),
        held=tuple(map(_precedent, held)),
        failed=tuple(map(_precedent, failed)),
    )


def _best(trials: Sequence[Trial]) -> Trial:
    """The lowest; of equals the first, which is the smallest change."""
    return min(trials, key=lambda trial: trial.rank, default=Trial((), None))


def _suggestion(trials: Trials, trial: Trial, cases: list[KnownCase]) -> Suggestion:
    return Suggestion(
        settings=trial.overrides,
        text=trial.text,
        failure=trial.rank,
        difference=round(trial.rank - trials.score.failure, 4),
        cases=precedents(cases, trials.stage, trial.changes),
    )


def _summary(lowering: Sequence[Trial], best: Sequence[Trial], stated: int) -> str:
    if lowering:
        goes = "goes" if len(lowering) == 1 else "go"
        return f"{len(lowering)} of {len(best)} kinds of change that were tried {goes} with a lower probability."
    if best:
        kinds = "one kind of change was" if len(best) == 1 else f"{len(best)} kinds of change were"
        return f"Nothing lowers the probability: {kinds} tried, and none does."
    if stated:
        return "Nothing lowers the probability: the model weighs none of the facts that are stated and can be changed."
    return "Nothing lowers the probability: no fact is stated that can still be changed."


@cache
def _feature_values(feature: str, stage: Stage) -> Mapping[str, float]:
    """The value of a feature in every case that states it as of a stage, by case id."""
    values = catalogue()[feature].measure(known_table(stage)).tolist()
    cases = zip(known_cases(stage), values, strict=True)
    return {known.case.case_id: value for known, value in cases if not math.isnan(value)}


@lru_cache(MAX_CACHED)
def _cases_with(lever: Lever, value: FactValue, stage: Stage) -> frozenset[str]:
    measured = _feature_values(lever.feature, stage)
    return frozenset(case for case, its_value in measured.items() if lever.reached(its_value, value))


def _counts(cases: Sequence[KnownCase]) -> tuple[int, int]:
    return sum(known.failed for known in cases), len(cases)


def _precedent(known: KnownCase) -> Precedent:
    case = known.case
    return Precedent(
        case=case.case_id,
        name=case.name,
        outcome=case.outcome,
        account=case.account,
        cohort=case.cohort,
        sources=tuple(citations(case)),
    )
