"""What if: the same tender with some facts set otherwise, scored by the same function.

A difference says what the model would say of another draft. It is an association in past cases: it does not say that
changing the fact changes what happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from models import score as scoring
from models.bundle import Bundle
from models.score import Score
from models.settable import as_keys
from tenders.edited import Edited, Given, edited
from tenders.errors import DataError, Problem
from tenders.facts import Stage
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
    scenarios: Sequence[Given],
    stage: Stage | None = None,
    explain: bool = True,
) -> WhatIf:
    """The score of a process and of each scenario, in the order given, at a stage (by default the latest known).

    A scenario maps keys of the flat form, or names of features that one key decides, to values. One without settings
    is the tender as it is. Raises DataError whose paths are the keys that cannot be set, and what to do; under
    `/scenarios/N` where there are several. It also raises what `scoring.score` does.
    """
    if len(scenarios) > MAX_SCENARIOS:
        raise DataError.at("", f"{len(scenarios)} scenarios; at most {MAX_SCENARIOS} are scored at once", "Ask twice")
    base = scoring.score(bundle, process, stage, explain)
    changed = []
    for number, each in enumerate(scenarios):
        try:
            changed.append(with_facts(process, each, base.stage))
        except DataError as error:
            raise error.under(f"/scenarios/{number}" if len(scenarios) > 1 else "") from None
    cases = [scoring.case(bundle, each, base.stage) for each in changed]
    found = [scoring.explained(each) for each in cases] if explain else scoring.scores(cases)
    beside = (
        Scenario(settings=dict(each), score=score, difference=round(score.failure - base.failure, 4))
        for each, score in zip(scenarios, found, strict=True)
    )
    return WhatIf(ocid=process.ocid, stage=base.stage, base=base, scenarios=tuple(beside))


def with_facts(process: Process, settings: Given, stage: Stage) -> Edited:
    """The process with facts set by key or feature name, for a stage. Raises DataError as `what_if` does."""
    if len(settings) > MAX_SETTINGS:
        raise DataError.at("", f"{len(settings)} facts to set; at most {MAX_SETTINGS} are", "Set fewer")
    keys: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in settings.items():
        try:
            keys |= as_keys(name, value)
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return edited(process, keys, stage)
