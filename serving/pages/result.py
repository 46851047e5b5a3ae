"""A score in the words and numbers of the page."""

from __future__ import annotations

import msgspec

from features.catalogue import catalogue
from models.factors import Factor, State
from models.reasons import Reason
from models.score import Score
from portfolio.rendering import chance, percent, points
from tenders.facts import Stage
from tenders.io import form

OUTCOMES = {
    "no_award": "Ends without a contract",
    "early_end": "Once awarded, ends early",
    "single_bid": "Only one bid (not part of the above)",
}
# Less would be shown as 0.0 points.
LEAST_SHOWN = 0.0005
STAGES: dict[Stage, str] = {"draft": "as a draft", "bids_in": "with bids in", "awarded": "at award"}
GROUPS: tuple[tuple[State, str], ...] = (("shown", "Shown"), ("absent", "Not shown"), ("unknown", "Cannot be judged"))


class Line(msgspec.Struct, frozen=True):
    """One reason: the sentence, its effect, its bar (from, width; in percent), and where the fact stands."""

    text: str
    points: str
    raises: bool
    source: str
    bar: tuple[float, float]


class Scale(msgspec.Struct, frozen=True):
    """A probability on a picture from 0 to `end`: where it stands, its interval and the base rate, in percent of it."""

    end: str
    low: float
    at: float
    high: float
    usual: float


class Shown(msgspec.Struct, frozen=True):
    """What the result section of the page needs beside the score itself; every number is text already."""

    score: Score
    stage: str
    percent: str
    low: str
    high: str
    usual: str
    scale: Scale
    beside: list[tuple[str, str]]
    lines: list[Line]
    unknown: dict[str, list[str]]


def shown(score: Score, by_label: bool) -> Shown:
    """The result section's content for one score; `by_label` names the form's fields instead of JSON paths."""
    told = [each for each in score.reasons if abs(each.effect) >= LEAST_SHOWN]
    largest = max((abs(each.effect) for each in told), default=1.0)
    unknown: dict[str, list[str]] = {}
    for each in score.unknown:
        unknown.setdefault(each.why.replace("_", " "), []).append(label(each.feature))
    return Shown(
        score=score,
        stage=STAGES[score.stage],
        percent=percent(score.failure),
        low=percent(score.interval[0]),
        high=percent(score.interval[1]),
        usual=percent(score.base_rate),
        scale=scale(score),
        beside=[(said, chance(getattr(score.outcomes, name))) for name, said in OUTCOMES.items()],
        lines=[_line(each, by_label, largest) for each in told],
        unknown=unknown,
    )


def scale(*scores: Score) -> Scale:
    """The first of some scores on a scale that holds them all: half, or the whole if one goes further."""
    end = 0.5 if max(each.interval[1] for each in scores) <= 0.5 else 1.0
    low, at, high, usual = (
        round(100 * min(each / end, 1.0), 1)
        for each in (scores[0].interval[0], scores[0].failure, scores[0].interval[1], scores[0].base_rate)
    )
    return Scale(end=f"{end:.0%}", low=low, at=at, high=high, usual=usual)


def factors(score: Score) -> list[tuple[str, str, list[Factor]]]:
    """(what they were seen with, state, factors) of a score's factors; empty groups left out."""
    groups = [
        (kind, heading, [each for each in score.factors if each.seen_with == kind and each.state == state])
        for kind in ("failure", "survival")
        for state, heading in GROUPS
    ]
    return [group for group in groups if group[2]]


def source(path: str, by_label: bool) -> str:
    """Where a fact stands: the label of its field, or its path."""
    key = form.key_of(path).strip("/")
    return form.BY_KEY[key].label if by_label and key in form.BY_KEY else path


def label(feature: str) -> str:
    """A feature by the name that people know."""
    declared = catalogue().get(feature)
    return declared.label if declared else feature


def _line(reason: Reason, by_label: bool, largest: float) -> Line:
    width = round(50 * abs(reason.effect) / largest, 1)
    return Line(
        text=reason.text,
        points=points(reason.effect),
        raises=reason.effect > 0,
        source=source(reason.path, by_label),
        bar=(50.0 if reason.effect > 0 else round(50 - width, 1), width),
    )
