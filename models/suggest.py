"""Suggest: which changes within a commissioner's reach lower the failure probability, and what past cases say of them.

Only facts that the tender states are changed, and a change is left out if it would also make a fact known to the model
that was unknown, or unknown that was known: its effect would be partly that of telling, not of changing. A difference
is what `scoring.score` says of the changed tender less what it says of this one: an association, never a cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import msgspec

from features.catalogue import catalogue
from models import scoring
from models.alike import NO_RECORD
from models.bundle import Bundle
from models.levers import Lever, Value, levers
from models.precedents import Precedents, precedents
from models.whatif import with_facts
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
    lower it; `entangled` those whose effect cannot be told from that of a fact left open.
    """

    ocid: str | None
    stage: Stage
    failure: float
    text: str
    single: tuple[Suggestion, ...]
    pair: Suggestion | None
    without_effect: tuple[str, ...]
    entangled: tuple[str, ...]
    evidence: str
    note: str = NOTE
    warnings: tuple[str, ...] = ()


class Tried(msgspec.Struct, frozen=True):
    """A change of one or two levers, with the failure probability; None if the change is entangled."""

    chosen: tuple[tuple[Lever, Value], ...]
    failure: float | None


class Desk:
    """One process at a stage under one bundle, to try changes on."""

    def __init__(self, bundle: Bundle, process: Process, stage: Stage | None) -> None:
        """Raises DataError as `scoring.score` does."""
        self.bundle, self.process = bundle, process
        self.score = scoring.score(bundle, process, stage)
        self.stage = self.score.stage
        self.tender = process.as_of(self.stage)

    def options(self, lever: Lever) -> Iterator[Value]:
        """The values to try, smallest change first; none if the tender does not state the lever's fact."""
        now = catalogue()[lever.feature].measure(self.tender, NO_RECORD)
        if now is not None:
            yield from lever.options(now)

    def tried(self, *chosen: tuple[Lever, Value]) -> Tried:
        """What the model says with the changes."""
        settings = {key: value for lever, option in chosen for key, value in lever.settings(option).items()}
        found = scoring.score(self.bundle, with_facts(self.process, settings, self.stage), self.stage)
        return Tried(chosen, found.failure if found.unknown == self.score.unknown else None)

    def lowers(self, tried: Tried) -> bool:
        """Whether it is lower by an amount worth naming."""
        return tried.failure is not None and self.score.failure - tried.failure >= LEAST


def suggest(bundle: Bundle, process: Process, stage: Stage | None = None) -> Suggestions:
    """The changes that lower the failure probability of a process at a stage (the latest known by default).

    Deterministic. Raises DataError as `scoring.score` does.
    """
    desk = Desk(bundle, process, stage)
    tried = [[desk.tried((lever, value)) for value in desk.options(lever)] for lever in levers(desk.stage)]
    best = [_best(each) for each in tried if each]
    lowering = sorted((each for each in best if desk.lowers(each)), key=_failure)
    pair = _best([desk.tried(*one.chosen, *other.chosen) for one, other in combinations(lowering, 2)])
    worth = pair.failure is not None and bool(lowering) and _failure(lowering[0]) - pair.failure >= LEAST
    return Suggestions(
        ocid=process.ocid,
        stage=desk.stage,
        failure=desk.score.failure,
        text=_text(lowering, best),
        single=tuple(_suggestion(desk, each) for each in lowering),
        pair=_suggestion(desk, pair) if worth else None,
        without_effect=tuple(_words(each) for each in best if each.failure is not None and not desk.lowers(each)),
        entangled=tuple(_words(each) for each in best if each.failure is None),
        evidence=desk.score.evidence,
        warnings=desk.score.warnings,
    )


def _best(tried: list[Tried]) -> Tried:
    """The lowest; of equals the first, which is the smallest change."""
    return min(tried, key=_failure, default=Tried((), None))


def _failure(tried: Tried) -> float:
    return 1.0 if tried.failure is None else tried.failure


def _words(tried: Tried) -> str:
    return " ".join(lever.text(value) for lever, value in tried.chosen)


def _suggestion(desk: Desk, tried: Tried) -> Suggestion:
    failure = _failure(tried)
    return Suggestion(
        settings={key: value for lever, option in tried.chosen for key, value in lever.settings(option).items()},
        text=_words(tried),
        failure=failure,
        difference=round(failure - desk.score.failure, 4),
        cases=precedents(desk.process, desk.tender, desk.stage, tried.chosen),
    )


def _text(lowering: list[Tried], best: list[Tried]) -> str:
    if lowering:
        goes = "goes" if len(lowering) == 1 else "go"
        return f"{len(lowering)} of {len(best)} kinds of change that were tried {goes} with a lower probability."
    if best:
        return f"Nothing lowers the probability: of {len(best)} kinds of change that were tried, none does."
    return "Nothing lowers the probability: no fact is stated that can still be changed."
