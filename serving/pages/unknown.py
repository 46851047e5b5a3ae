"""What it would help to know: each open fact, tried with the values that the casebook's cases have.

Every trial is the same tender with one more fact, scored by the same function. Numbers are tried at the quartiles of
the cases that state them, yes/no facts both ways. Names, dates and texts are not tried, nor what is known only later.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import cache

import msgspec
from starlette.responses import Response

from features.catalogue import catalogue
from features.table_builder import one_row
from models import score as scoring
from models.bundle import Bundle
from models.comparables import known_cases
from models.levers import features_moved
from models.score import Score
from models.what_if import with_overrides
from serving.pages import result
from serving.pages.drafts import DraftRequest, score_draft
from serving.pages.form import MAIN_FEATURE, features_of, form_values, number_text
from serving.pages.rendering import page
from serving.served import once_a_bundle, served_bundle
from tenders.columns import Column
from tenders.errors import DataError
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.io.form import parse_field
from tenders.io.read import to_process
from tenders.process import Process
from tenders.tender import Tender

MAX_KEYS, MAX_CHOICES = 24, 4
MEASURED_KEYS = ("lots", "value", "tender_period_days", "enquiry_period_days", "term_years")
"""Fields that a notice may state in other words."""
NAMED_KEYS, MAX_NAMES = ("cpv", "buyer", "advisers", "region"), 8
"""Fields of names that are tried with those that the most cases have."""
MIN_CASES = 8
"""Fewer cases have no meaningful quartiles."""


class FactRange(msgspec.Struct, frozen=True):
    """One open fact: the values tried, each with the failure probability, and how many cases state the fact."""

    field: Column
    tried: list[tuple[str, float]]
    cases: int
    low: float
    high: float
    bar: tuple[float, float]


def unknown_page(request: DraftRequest) -> Response:
    """POST /desk/unknown."""
    process, score = score_draft(request.draft, served_bundle(), explain=True)
    keys, other_labels = open_keys(process, score)
    ranges = fact_ranges(served_bundle(), process, score, keys)
    tried = {fact.field.name for fact in ranges}
    decided = {feature.name for key in tried for feature in features_of(key)}
    untried = [key for key in keys if key not in tried and not {f.name for f in features_of(key)} <= decided]
    return page(
        "unknown.html",
        here="/",
        draft=request.draft,
        score=score,
        scale=result.scale(score),
        ranges=ranges,
        untried=[*(form.BY_KEY[key].label for key in untried), *other_labels],
        later=[result.feature_label(f.feature) for f in score.unknown if f.why.startswith("not known at")],
    )


def open_keys(process: Process, score: Score) -> tuple[list[str], list[str]]:
    """The open fields that unknown features read, and the labels of unknown features that no field decides."""
    stated = form_values(process.as_of(score.stage))
    reached = STAGES[: STAGES.index(score.stage) + 1]
    unknown = [feature.feature for feature in score.unknown if not feature.why.startswith("not known at")]
    readers = {key: {feature.name for feature in features_of(key)} for key in form.BY_KEY}
    keys = [
        key
        for key, field in form.BY_KEY.items()
        if key not in stated and field.stage in reached and not readers[key].isdisjoint(unknown)
    ]
    decided = set().union(*(readers[key] for key in keys)) if keys else set()
    return keys[:MAX_KEYS], [result.feature_label(name) for name in unknown if name not in decided]


def fact_ranges(bundle: Bundle, process: Process, score: Score, keys: list[str]) -> list[FactRange]:
    """How far each field could move the score, widest first. At most MAX_KEYS × MAX_CHOICES scores, in one batch."""
    candidates = plausible_values(score.stage)
    trials = [
        (key, value, changed)
        for key in keys
        if key in candidates
        for value in candidates[key][0]
        if (changed := _with_fact(process, score.stage, key, value))
    ]
    cases = [scoring.case(bundle, changed, score.stage, check_stage=False) for _, _, changed in trials]
    tried: dict[str, list[tuple[str, float]]] = {}
    for (key, value, _), forecast in zip(trials, scoring.forecasts(cases), strict=True):
        tried.setdefault(key, []).append((value, forecast.failure))
    ranges = [_fact_range(key, values, score) for key, values in tried.items()]
    return sorted(ranges, key=lambda fact: (fact.low - fact.high, fact.field.name))


@once_a_bundle
def empty_moves() -> Mapping[str, float]:
    """How far each field of a draft can move the score of a tender of which nothing else is known, by key."""
    return moves(to_process({"tender": {}}), "draft")


def moves(process: Process, stage: Stage) -> Mapping[str, float]:
    """How far each field could move the score of a process, by key: from the lowest forecast to the highest.

    0 for a field that nothing weighed reads, NaN for one that is weighed and cannot be tried.
    """
    bundle = served_bundle()
    one = scoring.case(bundle, process, stage, check_stage=False)
    (now,) = scoring.scores([one])
    known = STAGES[: STAGES.index(stage) + 1]
    keys = [key for key, field in form.BY_KEY.items() if field.stage in known]
    weighed = {feature.name for feature in one.bundle.weighed}
    ranges = {fact.field.name: fact for fact in fact_ranges(bundle, process, now, keys)}
    spans = {key: math.nan if not features_moved(key).isdisjoint(weighed) else 0.0 for key in keys}
    return spans | {key: max(fact.high, now.failure) - min(fact.low, now.failure) for key, fact in ranges.items()}


def _fact_range(key: str, tried: list[tuple[str, float]], score: Score) -> FactRange:
    low, high = min(failure for _, failure in tried), max(failure for _, failure in tried)
    bar = (round(100 * low, 1), round(100 * max(high - low, 0.002), 1))
    return FactRange(form.BY_KEY[key], tried, plausible_values(score.stage)[key][1], low, high, bar)


def _with_fact(process: Process, stage: Stage, key: str, value: str) -> Process | None:
    """The process with one more fact; None if it contradicts what is stated."""
    try:
        return with_overrides(process, {key: value}, stage)
    except DataError:
        return None


@cache
def plausible_values(stage: Stage) -> Mapping[str, tuple[tuple[str, ...], int]]:
    """For each field that can be tried: the values to try, and how many casebook cases state it at the stage."""
    stated = [{**form_values(case.tender), **_measured_values(case.tender)} for case in known_cases(stage)]
    texts = {field: [values[field.name] for values in stated if field.name in values] for field in form.FIELDS}
    return {field.name: (values, len(given)) for field, given in texts.items() if (values := _values(field, given))}


def _measured_values(tender: Tender) -> dict[str, str]:
    """The values of MEASURED_KEYS by their features: a period's days where a notice gives its dates."""
    features = {key: catalogue().get(MAIN_FEATURE.get(key, key)) for key in MEASURED_KEYS}
    table = one_row(tender)
    values = {key: float(feature.measure(table)[0]) for key, feature in features.items() if feature}
    return {key: number_text(value) for key, value in values.items() if not math.isnan(value)}


def _values(field: Column, texts: list[str]) -> tuple[str, ...]:
    if field.kind == "yes_no":
        return ("yes", "no")
    if field.kind == "choice":
        return tuple(value for value, _ in Counter(texts).most_common(MAX_CHOICES)) or field.choices
    if field.kind in ("text", "list") and field.name in NAMED_KEYS:
        return tuple(value for value, _ in Counter(texts).most_common(MAX_NAMES))
    if field.kind not in ("number", "count") or len(texts) < MIN_CASES:
        return ()
    numbers = sorted(float(parse_field(field, text)) for text in texts)
    return tuple(dict.fromkeys(number_text(numbers[len(numbers) * quarter // 4]) for quarter in (1, 2, 3)))
