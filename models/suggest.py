"""Suggest: which changes within a commissioner's reach lower the failure probability, and what past cases say of them.

Only facts that the tender states are changed, and a change is left out if it would also make a fact known to the model
that was unknown, or unknown that was known: its effect would be partly that of telling, not of changing. A difference
is what `scoring.score` says of the changed tender less what it says of this one: an association, never a cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, groupby
from typing import Any

import msgspec

from features.catalogue import catalogue
from features.track_records.case_records import NO_RECORD
from models import score as scoring
from models.bundle import FAILURE_OUTCOMES, Bundle
from models.comparables import Known, nearest
from models.levers import Lever, Value, levers
from models.precedents import Change, Precedents, precedents
from models.score import Score
from models.settable import features_of
from models.what_if import with_facts
from tenders.facts import Stage
from tenders.process import Process

LEAST = 0.0005
"""Less than half a tenth of a percentage point is not worth a change."""

NOTE = (
    "These are associations in few past cases, not causes: nothing here says that a change would prevent a failure. "
    "Only facts that were stated are changed. Read the cases for and against before acting on any of it."
)


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """One change or a pair: what to set, in words, the failure probability with it, and the difference (below 0)."""

    settings: Mapping[str, Any]
    text: str
    failure: float
    difference: float
    cases: Precedents


class Suggestions(msgspec.Struct, frozen=True, kw_only=True):
    """What lowers a tender's failure probability at a stage: single changes, largest first, and the best pair.

    `text` says it in one sentence, also that nothing does. `without_effect` are changes that were tried and do not
    lower it; `entangled` those whose effect cannot be told from that of a fact left open; `unweighed` those that were
    not tried, because the model knows too little of such facts to weigh them.
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


class Tried(msgspec.Struct, frozen=True):
    """A change of one or two levers, with the failure probability; None if the change is entangled."""

    chosen: tuple[Change, ...]
    failure: float | None

    @property
    def settings(self) -> dict[str, Any]:
        """The changes as `models.what_if` takes them."""
        return {key: value for lever, option in self.chosen for key, value in lever.settings(option).items()}


class Desk:
    """One process at the stage of its score under one bundle, to try changes on."""

    def __init__(self, bundle: Bundle, process: Process, score: Score) -> None:
        self.bundle, self.process, self.score, self.stage = bundle, process, score, score.stage
        self.now = scoring.case(bundle, process, self.stage)
        self.tender = self.now.tender

    def options(self, lever: Lever) -> Iterator[Value]:
        """The values to try, smallest change first; none if the tender does not state the lever's fact."""
        now = catalogue()[lever.feature].measure(self.tender, NO_RECORD)
        if now is not None:
            yield from lever.options(now)

    def weighs(self, lever: Lever) -> bool:
        """Whether what the lever changes can move the score. A register's records weigh whatever a tender states."""
        bundle = self.now.bundle
        return bool(bundle.histories) or not features_of(lever.key).isdisjoint(each.name for each in bundle.weighed)

    def tried(self, chosen: Iterable[tuple[Change, ...]]) -> list[Tried]:
        """What the model says with each of several choices: all scored at once, beside the tender as it is."""
        asked = [Tried(each, None) for each in chosen]
        if not asked:
            return []
        changed = (with_facts(self.process, each.settings, self.stage) for each in asked)
        cases = (scoring.case(self.bundle, each, self.stage) for each in changed)
        now, *found = scoring.numbers([self.now, *cases], FAILURE_OUTCOMES)
        return [
            msgspec.structs.replace(each, failure=told.failure) if told.unknown == now.unknown else each
            for each, told in zip(asked, found, strict=True)
        ]

    def lowers(self, tried: Tried) -> bool:
        """Whether it is lower by an amount worth naming."""
        return tried.failure is not None and self.score.failure - tried.failure >= LEAST


def suggest(bundle: Bundle, process: Process, stage: Stage | None = None) -> Suggestions:
    """The changes that lower the failure probability of a process at a stage (the latest known by default).

    Deterministic. Raises DataError as `scoring.score` does.
    """
    return suggested(bundle, process, scoring.score(bundle, process, stage, explain=False))


def suggested(bundle: Bundle, process: Process, score: Score) -> Suggestions:
    """The same for a process that has its score already."""
    desk = Desk(bundle, process, score)
    open_to = {lever: values for lever in levers(desk.stage) if (values := list(desk.options(lever)))}
    weighed = [lever for lever in open_to if desk.weighs(lever)]
    single = (((lever, value),) for lever in weighed for value in open_to[lever])
    best = [_best(list(each)) for _, each in groupby(desk.tried(single), key=lambda each: list(each.settings))]
    lowering = sorted((each for each in best if desk.lowers(each)), key=_failure)
    pair = _best(desk.tried((*one.chosen, *other.chosen) for one, other in combinations(lowering, 2)))
    worth = pair.failure is not None and bool(lowering) and _failure(lowering[0]) - pair.failure >= LEAST
    cases = nearest(process, desk.stage) if lowering else []
    return Suggestions(
        ocid=process.ocid,
        stage=desk.stage,
        failure=score.failure,
        text=_text(lowering, best, len(open_to)),
        single=tuple(_suggestion(desk, each, cases) for each in lowering),
        pair=_suggestion(desk, pair, cases) if worth else None,
        without_effect=tuple(_words(each) for each in best if each.failure is not None and not desk.lowers(each)),
        entangled=tuple(_words(each) for each in best if each.failure is None),
        unweighed=tuple(lever.text(values[0]) for lever, values in open_to.items() if lever not in weighed),
        evidence=score.evidence,
        warnings=score.warnings,
    )


def _best(tried: list[Tried]) -> Tried:
    """The lowest; of equals the first, which is the smallest change."""
    return min(tried, key=_failure, default=Tried((), None))


def _failure(tried: Tried) -> float:
    return 1.0 if tried.failure is None else tried.failure


def _words(tried: Tried) -> str:
    return " ".join(lever.text(value) for lever, value in tried.chosen)


def _suggestion(desk: Desk, tried: Tried, cases: list[Known]) -> Suggestion:
    failure = _failure(tried)
    return Suggestion(
        settings=tried.settings,
        text=_words(tried),
        failure=failure,
        difference=round(failure - desk.score.failure, 4),
        cases=precedents(cases, desk.stage, tried.chosen),
    )


def _text(lowering: list[Tried], best: list[Tried], stated: int) -> str:
    if lowering:
        goes = "goes" if len(lowering) == 1 else "go"
        return f"{len(lowering)} of {len(best)} kinds of change that were tried {goes} with a lower probability."
    if best:
        kinds = "one kind of change was" if len(best) == 1 else f"{len(best)} kinds of change were"
        return f"Nothing lowers the probability: {kinds} tried, and none does."
    if stated:
        return "Nothing lowers the probability: the model weighs none of the facts that are stated and can be changed."
    return "Nothing lowers the probability: no fact is stated that can still be changed."
