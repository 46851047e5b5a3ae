"""Pages that put a tender beside others: what-if scenarios, suggested changes, and comparable cases."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from models import comparables as comparing
from models import score as scoring
from models import suggest as suggesting
from models import what_if as whatif
from models.levers import LEVERS
from models.what_if import NOTE, WhatIf
from serving.answers import served_bundle
from serving.pages import result
from serving.pages.drafts import DraftRequest
from serving.pages.form import FormEntry, form_values, tidy
from serving.pages.rendering import page
from tenders.errors import DataError
from tenders.facts import STAGES, Stage
from tenders.io import form

NAMES = ("a", "b", "c")
Problems = Mapping[tuple[int, str], str]
"""Messages by the number of the scenario and the key of the field."""
MORE_KEYS = ("bidders", "bidders_interested", "legal_challenge", "legal_vehicle")
"""Facts that a commissioner does not set and still asks about."""


class ScenarioForm(msgspec.Struct, frozen=True):
    """One scenario: its name, what was entered in it by key, and its fields with what the tender states now."""

    name: str
    entered: Mapping[str, str]
    entries: list[tuple[FormEntry, str]]


def what_if_page(request: DraftRequest) -> Response:
    """POST /desk/what-if: the scenarios to fill, and the filled ones beside each other."""
    draft = request.draft
    stage = draft.latest_stage()
    process = draft.process(stage)
    stated = form_values(process.as_of(stage))
    entered = [_entered(request, name) for name in NAMES]
    filled = [settings for settings in entered if settings]
    problems: Problems = {}
    compared: WhatIf | None = None
    try:
        compared = whatif.what_if(served_bundle(), process, filled, stage, explain=False) if filled else None
    except DataError as error:
        problems = _by_field(error, entered)
    base = compared.base if compared else scoring.score(served_bundle(), process, stage, explain=False)
    scores = [base, *(scenario.score for scenario in compared.scenarios)] if compared else []
    return page(
        "what_if.html",
        400 if problems else 200,
        here="/",
        draft=draft,
        score=base,
        note=NOTE,
        compared=compared,
        columns=[name for name, settings in zip(NAMES, entered, strict=True) if settings],
        scales=[result.scale(score, *scores) for score in scores],
        scenarios=[
            ScenarioForm(name, settings, _entries(number, settings, stated, stage, problems))
            for number, (name, settings) in enumerate(zip(NAMES, entered, strict=True))
        ],
        labels={key: field.label for key, field in form.BY_KEY.items()},
        problems=problems,
    )


def suggestions_page(request: DraftRequest) -> Response:
    """POST /desk/suggestions: changes that go with a lower probability, with cases for and against each."""
    stage = request.draft.latest_stage()
    process = request.draft.process(stage)
    score = scoring.score(served_bundle(), process, stage, explain=False)
    suggested = suggesting.suggest_for(served_bundle(), process, score)
    return page("suggestions.html", here="/", draft=request.draft, score=score, suggestions=suggested)


def comparables_page(request: DraftRequest) -> Response:
    """POST /desk/comparables: the nearest casebook cases whose end is known, with their sources."""
    stage = request.draft.latest_stage()
    process = request.draft.process(stage)
    nearest = comparing.comparables(process, stage)
    score = scoring.score(served_bundle(), process, stage, explain=False)
    return page("comparables.html", here="/", draft=request.draft, score=score, comparables=nearest)


def _entered(request: DraftRequest, name: str) -> dict[str, str]:
    """What was entered in the fields of one scenario."""
    texts = ((key, tidy(key, request.texts.get(f"{name}.{key}", ""))) for key in form.BY_KEY)
    return {key: text for key, text in texts if text}


def _entries(
    number: int, entered: Mapping[str, str], stated: Mapping[str, str], stage: Stage, problems: Problems
) -> list[tuple[FormEntry, str]]:
    """The fields of one scenario, each with what the tender states now."""
    known = STAGES[: STAGES.index(stage) + 1]
    keys = dict.fromkeys([*(lever.key for lever in LEVERS), "value", "single_block", *MORE_KEYS, *entered])
    fields = [form.BY_KEY[key] for key in keys]
    return [
        (
            FormEntry(field, entered.get(field.name, ""), problems.get((number, field.name), "")),
            stated.get(field.name, ""),
        )
        for field in fields
        if field.stage in known or field.name in entered
    ]


def _by_field(error: DataError, entered: list[dict[str, str]]) -> Problems:
    """Messages by scenario and field. Paths are /key, or /scenarios/N/key where several scenarios are filled."""
    numbers = [number for number, settings in enumerate(entered) if settings]
    messages: dict[tuple[int, str], str] = {}
    for problem in error.problems:
        steps = problem.path.strip("/").split("/")
        number = numbers[int(steps[1])] if len(numbers) > 1 and len(steps) > 1 else numbers[0]
        text = problem.problem + (f". {problem.remedy}" if problem.remedy else "")
        messages.setdefault((number, steps[-1]), text)
    return messages
