"""What if: the same tender with some facts changed, scored by the same function.

A difference is what the model would say of another draft. It is an association in past cases: it does not say that
changing the fact changes what happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from models import score as scoring
from models.bundle import Bundle
from models.levers import form_keys
from models.score import Score
from tenders.errors import DataError, Problem
from tenders.facts import Stage
from tenders.overrides import OverriddenProcess, Overrides, override
from tenders.process import Process

NOTE = (
    "A difference is an association in past cases, not an effect: it says what the model would say of another draft, "
    "not that changing this one changes what happens."
)
MAX_SCENARIOS = 20
# More than the form has keys.
MAX_SETTINGS = 100


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One set of changes: what was set, the score with it, and the failure probability less that of the base."""

    settings: Mapping[str, Any]
    score: Score
    difference: float


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """A tender as it is, and as it would be in each scenario, all at one stage."""

    ocid: str | None
    stage: Stage
    base: Score
    scenarios: tuple[Scenario, ...]
    note: str = NOTE
    warnings: tuple[str, ...] = ()


def what_if(
    bundle: Bundle,
    process: Process,
    scenarios: Sequence[Overrides],
    stage: Stage | None = None,
    explain: bool = True,
) -> WhatIf:
    """The score of a process and of each scenario, in their order, at a stage (by default the latest known).

    A scenario maps keys of the flat form, or names of features that one key decides, to values. A scenario without
    settings is the tender as it is. Raises DataError with the keys that cannot be set as paths (under `/scenarios/N`
    if there are several) and what to do, and whatever `scoring.score` raises.
    """
    if len(scenarios) > MAX_SCENARIOS:
        raise DataError.at("", f"{len(scenarios)} scenarios; at most {MAX_SCENARIOS} are scored at once", "Ask twice")
    base = scoring.score(bundle, process, stage, explain)
    changed = []
    for number, settings in enumerate(scenarios):
        try:
            changed.append(with_overrides(process, settings, base.stage))
        except DataError as error:
            raise error.under(f"/scenarios/{number}" if len(scenarios) > 1 else "") from None
    cases = [scoring.case(bundle, edit, base.stage) for edit in changed]
    scores = [scoring.explained(case) for case in cases] if explain else scoring.scores(cases)
    compared = (
        Scenario(settings=dict(settings), score=score, difference=round(score.failure - base.failure, 4))
        for settings, score in zip(scenarios, scores, strict=True)
    )
    return WhatIf(ocid=process.ocid, stage=base.stage, base=base, scenarios=tuple(compared))


def with_overrides(process: Process, settings: Overrides, stage: Stage) -> OverriddenProcess:
    """The process with facts set by form key or feature name, for a stage. Raises DataError as `what_if` does."""
    if len(settings) > MAX_SETTINGS:
        raise DataError.at("", f"{len(settings)} facts to set; at most {MAX_SETTINGS} are", "Set fewer")
    keys: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in settings.items():
        try:
            keys |= form_keys(name, value)
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return override(process, keys, stage)
