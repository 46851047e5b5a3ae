"""What if: the same tender with some facts changed, scored by the same function.

A difference is what the model would say of another draft. It is an association in past cases: it does not say that
changing the fact changes what happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from models import score as scoring
from models.bundle import FAILURE_OUTCOMES, Bundle
from models.levers import form_keys
from models.predict import difference_bounds
from models.score import Score
from tenders.errors import DataError, Problem
from tenders.facts import Stage
from tenders.overrides import OverriddenProcess, Overrides, override
from tenders.process import Process

NOTE = (
    "A difference is a link seen in past cases, not an effect. It is what the model would say of another draft. "
    "To change this one need not change what happens."
)
MAX_SCENARIOS = 20
# More than the form has keys.
MAX_SETTINGS = 100


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One set of changes: what was set, the score with it, and the failure probability less that of the base.

    `difference_interval` are the bounds of that difference, drawn as those of a score are.
    """

    settings: Mapping[str, Any]
    score: Score
    difference: float
    difference_interval: tuple[float, float]


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
    changed: list[OverriddenProcess] = []
    problems: list[Problem] = []
    for number, settings in enumerate(scenarios):
        try:
            changed.append(with_overrides(process, settings, base.stage))
        except DataError as error:
            problems += error.under(f"/scenarios/{number}" if len(scenarios) > 1 else "").problems
    if problems:
        raise DataError(problems)
    cases = [scoring.case(bundle, edit, base.stage) for edit in changed]
    scores = [scoring.explained(case) for case in cases] if explain else scoring.scores(cases)
    bounds = _difference_bounds([scoring.case(bundle, process, base.stage), *cases])
    compared = (
        _scenario(settings, score, base, interval)
        for settings, score, interval in zip(scenarios, scores, bounds, strict=True)
    )
    return WhatIf(ocid=process.ocid, stage=base.stage, base=base, scenarios=tuple(compared))


def _scenario(settings: Overrides, score: Score, base: Score, interval: tuple[float, float]) -> Scenario:
    difference = round(score.failure - base.failure, 4)
    # The interval holds the difference itself, whatever the resamples say.
    bounds = (min(interval[0], difference), max(interval[1], difference))
    return Scenario(settings=dict(settings), score=score, difference=difference, difference_interval=bounds)


def _difference_bounds(cases: Sequence[scoring.Case]) -> list[tuple[float, float]]:
    """The bounds of how far each case but the first differs from the first; all are of one bundle and stage."""
    if len(cases) == 1:
        return []
    ((_, predicted),) = scoring.predict_cases(cases, FAILURE_OUTCOMES)
    (_, *bounds) = np.round(difference_bounds(predicted), 4).tolist()
    return [(low, high) for low, high in bounds]


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
