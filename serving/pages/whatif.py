"""What if: the tender as it is beside up to three others, each with some facts set otherwise."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from models import score as scoring
from models import what_if as whatif
from models.levers import LEVERS
from models.what_if import NOTE, WhatIf
from serving.answers import held
from serving.pages import result
from serving.pages.filling import filled, tidy
from serving.pages.layout import Entry
from serving.pages.received import Received
from serving.pages.rendering import page
from tenders.errors import DataError
from tenders.facts import STAGES, Stage
from tenders.io import form

NAMES = ("a", "b", "c")
Wrong = Mapping[tuple[int, str], str]
"""What is wrong, by the number of the scenario and the key."""
LATER = ("bidders", "bidders_interested", "legal_challenge", "legal_vehicle")
"""Facts that a commissioner does not set and yet asks about."""


class Scenario(msgspec.Struct, frozen=True):
    """One column: its name, what was entered in it by key, and its fields."""

    name: str
    entered: Mapping[str, str]
    entries: list[tuple[Entry, str]]


def answer(sent: Received) -> Response:
    """POST /desk/what-if: the scenarios to fill, and beside each other those that were filled."""
    stage = sent.draft.at()
    process = sent.draft.process(stage)
    now = filled(process.as_of(stage))
    entered = [_entered(sent, name) for name in NAMES]
    given = [each for each in entered if each]
    problems: Wrong = {}
    found: WhatIf | None = None
    try:
        found = whatif.what_if(held(), process, given, stage, explain=False) if given else None
    except DataError as error:
        problems = _placed(error, entered, given)
    base = found.base if found else scoring.score(held(), process, stage, explain=False)
    scores = [base, *(each.score for each in found.scenarios)] if found else []
    return page(
        "whatif.html",
        400 if problems else 200,
        here="/",
        draft=sent.draft,
        score=base,
        note=NOTE,
        found=found,
        columns=[name for name, each in zip(NAMES, entered, strict=True) if each],
        scales=[result.scale(score, *scores) for score in scores],
        scenarios=[
            Scenario(name, each, _entries(number, each, now, stage, problems))
            for number, (name, each) in enumerate(zip(NAMES, entered, strict=True))
        ],
        labels={key: field.label for key, field in form.BY_KEY.items()},
        problems=problems,
    )


def _entered(sent: Received, name: str) -> dict[str, str]:
    """What stands in one scenario's fields."""
    texts = ((key, tidy(key, sent.more.get(f"{name}.{key}", ""))) for key in form.BY_KEY)
    return {key: text for key, text in texts if text}


def _entries(
    number: int, entered: Mapping[str, str], now: Mapping[str, str], stage: Stage, problems: Wrong
) -> list[tuple[Entry, str]]:
    """The fields of one scenario, each with what the tender says now."""
    known = STAGES[: STAGES.index(stage) + 1]
    keys = list(dict.fromkeys([*(each.key for each in LEVERS), "value", "single_block", *LATER, *entered]))
    fields = [form.BY_KEY[key] for key in keys]
    return [
        (Entry(field, entered.get(field.key, ""), problems.get((number, field.key), "")), now.get(field.key, ""))
        for field in fields
        if field.stage in known or field.key in entered
    ]


def _placed(error: DataError, entered: list[dict[str, str]], given: list[dict[str, str]]) -> Wrong:
    """Each problem by its column and key. Paths are /key, or /scenarios/N/key where there are several."""
    columns = [number for number, each in enumerate(entered) if each]
    found: dict[tuple[int, str], str] = {}
    for each in error.problems:
        steps = each.path.strip("/").split("/")
        column = columns[int(steps[1])] if len(given) > 1 and len(steps) > 1 else columns[0]
        found.setdefault((column, steps[-1]), str(each.problem) + (f". {each.remedy}" if each.remedy else ""))
    return found
