"""What it would help to know: each fact left open, tried at what the casebook's cases say of it.

Every trial is the same tender with one more fact, scored by the same function. Numbers are tried at the quartiles of
the cases that state them, yes/no facts both ways. Names, days and texts are not tried, nor what comes later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache

import msgspec
from starlette.responses import Response

from features.catalogue import catalogue
from features.track_records.case_records import NO_RECORD
from models import score as scoring
from models.bundle import Bundle
from models.comparables import known_cases
from models.score import Score
from models.what_if import with_overrides
from serving.answers import held
from serving.pages import result
from serving.pages.filling import filled, number
from serving.pages.meanings import FIRST, features_of
from serving.pages.received import Received
from serving.pages.rendering import page
from tenders.errors import DataError
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.io.fields import Field, parsed
from tenders.process import Process
from tenders.tender import Tender

MOST_KEYS, MOST_CHOICES = 24, 4
MEASURED = ("lots", "value", "tender_period_days", "enquiry_period_days", "term_years")
"""Keys that a notice may state in other words."""
FEWEST = 8
"""Fewer cases have no quartiles worth the name."""


class Move(msgspec.Struct, frozen=True):
    """One fact left open: the values tried, each with the failure probability, and how many cases they come from."""

    field: Field
    tried: list[tuple[str, float]]
    cases: int
    low: float
    high: float
    bar: tuple[float, float]


def answer(sent: Received) -> Response:
    """POST /desk/unknown."""
    stage = sent.draft.at()
    process = sent.draft.process(stage)
    score = scoring.score(held(), process, stage)
    keys, rest = open_keys(process, score)
    found = moves(held(), process, score, keys)
    told = {each.field.key for each in found}
    decided = {feature.name for key in told for feature in features_of(key)}
    open_still = [key for key in keys if key not in told and not {f.name for f in features_of(key)} <= decided]
    return page(
        "unknown.html",
        here="/",
        draft=sent.draft,
        score=score,
        scale=result.scale(score),
        moves=found,
        untried=[*(form.BY_KEY[key].label for key in open_still), *rest],
        later=[result.label(each.feature) for each in score.unknown if each.why.startswith("not known at")],
    )


def open_keys(process: Process, score: Score) -> tuple[list[str], list[str]]:
    """The open keys of the form that an unknown feature reads, and the features that none of them tells."""
    stated = filled(process.as_of(score.stage))
    reached = STAGES[: STAGES.index(score.stage) + 1]
    waiting = [each.feature for each in score.unknown if not each.why.startswith("not known at")]
    readers = {key: {each.name for each in features_of(key)} for key in form.BY_KEY}
    keys = [
        key
        for key, field in form.BY_KEY.items()
        if key not in stated and field.stage in reached and not readers[key].isdisjoint(waiting)
    ]
    told = set().union(*(readers[key] for key in keys)) if keys else set()
    return keys[:MOST_KEYS], [result.label(name) for name in waiting if name not in told]


def moves(bundle: Bundle, process: Process, score: Score, keys: list[str]) -> list[Move]:
    """How far each key could move the score, widest first. At most MOST_KEYS × MOST_CHOICES scores, all at once."""
    values = [(key, value) for key in keys if key in plausible(score.stage) for value in plausible(score.stage)[key][0]]
    told = [(key, value, changed) for key, value in values if (changed := _told(process, score.stage, key, value))]
    tried: dict[str, list[tuple[str, float]]] = {}
    cases = [scoring.case(bundle, changed, score.stage) for _, _, changed in told]
    for (key, value, _), found in zip(told, scoring.numbers(cases), strict=True):
        tried.setdefault(key, []).append((value, found.failure))
    moved = [_move(key, each, score) for key, each in tried.items()]
    return sorted(moved, key=lambda move: (move.low - move.high, move.field.key))


def _move(key: str, tried: list[tuple[str, float]], score: Score) -> Move:
    end = 0.5 if score.interval[1] <= 0.5 else 1.0
    low, high = min(failure for _, failure in tried), max(failure for _, failure in tried)
    bar = (round(100 * low / end, 1), round(100 * max(high - low, 0.002) / end, 1))
    return Move(form.BY_KEY[key], tried, plausible(score.stage)[key][1], low, high, bar)


def _told(process: Process, stage: Stage, key: str, value: str) -> Process | None:
    """The process with one more fact; None if it contradicts what is stated."""
    try:
        return with_overrides(process, {key: value}, stage)
    except DataError:
        return None


@cache
def plausible(stage: Stage) -> Mapping[str, tuple[tuple[str, ...], int]]:
    """For each key that can be tried: the values to try, and how many casebook cases state it at the stage."""
    stated = [{**filled(case.tender), **_measured(case.tender)} for case in known_cases(stage)]
    values = {field: [each[field.key] for each in stated if field.key in each] for field in form.FIELDS}
    return {field.key: (tried, len(given)) for field, given in values.items() if (tried := _values(field, given))}


def _measured(tender: Tender) -> dict[str, str]:
    """What the features say of the keys that they measure: a period's days where a notice gives its dates."""
    declared = {key: catalogue().get(FIRST.get(key, key)) for key in MEASURED}
    values = {key: each.measure(tender, NO_RECORD) for key, each in declared.items() if each}
    return {key: number(value) for key, value in values.items() if value is not None}


def _values(field: Field, given: list[str]) -> tuple[str, ...]:
    if field.kind == "yes_no":
        return ("yes", "no")
    if field.kind == "choice":
        return tuple(value for value, _ in Counter(given).most_common(MOST_CHOICES))
    if field.kind not in ("number", "count") or len(given) < FEWEST:
        return ()
    numbers = sorted(float(parsed(field, text)) for text in given)
    return tuple(dict.fromkeys(number(numbers[len(numbers) * quarter // 4]) for quarter in (1, 2, 3)))
