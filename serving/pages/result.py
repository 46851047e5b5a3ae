"""A score in the words and numbers of a page: the result section, its scale, and the tender among its peers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import msgspec

from features.catalogue import catalogue
from models.bundle import Bundle
from models.comparables import Peers, peers
from models.factors import Factor, State
from models.reasons import Reason
from models.score import Score
from portfolio.rendering import chance, percent, points
from serving.answers import served_bundle
from tenders.facts import Stage
from tenders.io import form

OUTCOMES = {
    "no_award": "Ends without a contract",
    "early_end": "Once awarded, ends early",
    "single_bid": "Only one bid (not part of the above)",
}
# A smaller effect would be shown as 0.0 points.
MIN_EFFECT = 0.0005
STAGES: dict[Stage, str] = {"draft": "as a draft", "bids_in": "with bids in", "awarded": "at award"}
FACTOR_STATES: tuple[tuple[State, str], ...] = (
    ("shown", "Shown"),
    ("absent", "Not shown"),
    ("unknown", "Cannot be judged"),
)
STRIP_COLUMNS, STRIP_HEIGHT = 50, 40
"""Columns of the strip of peers, and how high one may be, in the units of the picture."""


class ReasonLine(msgspec.Struct, frozen=True):
    """One reason: the sentence, its effect, its bar (from, width; in percent), and where the fact stands."""

    text: str
    points: str
    raises: bool
    source: str
    bar: tuple[float, float]


class Scale(msgspec.Struct, frozen=True):
    """A probability on a picture from 0 to `end`: its point, interval and base rate in percent of the width."""

    end: str
    low: float
    at: float
    high: float
    usual: float


class ResultView(msgspec.Struct, frozen=True):
    """What the result section needs beside the score; every number is text already."""

    score: Score
    stage: str
    percent: str
    low: str
    high: str
    usual: str
    scale: Scale
    outcomes: list[tuple[str, str]]
    lines: list[ReasonLine]
    unknown: dict[str, list[str]]


class StripColumn(msgspec.Struct, frozen=True):
    """Cases of about the same score: their place in percent, and the heights of the failed and the held ones."""

    x: float
    up: float
    down: float


class PeerStrip(msgspec.Struct, frozen=True):
    """The peers of one score as a picture, and how many failed and held, in all and below this score."""

    scale: Scale
    columns: list[StripColumn]
    failed: int
    held: int
    failed_below: int
    held_below: int


def result_view(score: Score, by_label: bool) -> ResultView:
    """The content of the result section; `by_label` names the form's fields instead of JSON paths."""
    reasons = [reason for reason in score.reasons if abs(reason.effect) >= MIN_EFFECT]
    largest = max((abs(reason.effect) for reason in reasons), default=1.0)
    unknown: dict[str, list[str]] = {}
    for feature in score.unknown:
        unknown.setdefault(feature.why.replace("_", " "), []).append(feature_label(feature.feature))
    return ResultView(
        score=score,
        stage=STAGES[score.stage],
        percent=percent(score.failure),
        low=percent(score.interval[0]),
        high=percent(score.interval[1]),
        usual=percent(score.base_rate),
        scale=scale(score),
        outcomes=[(label, chance(getattr(score.outcomes, name))) for name, label in OUTCOMES.items()],
        lines=[_reason_line(reason, by_label, largest) for reason in reasons],
        unknown=unknown,
    )


def scale(*scores: Score) -> Scale:
    """The first of some scores on a scale that holds them all: to 50%, or to 100% if an interval goes further."""
    end = scale_end(*scores)
    low, at, high, usual = (
        round(100 * min(value / end, 1.0), 1)
        for value in (scores[0].interval[0], scores[0].failure, scores[0].interval[1], scores[0].base_rate)
    )
    return Scale(end=f"{end:.0%}", low=low, at=at, high=high, usual=usual)


def scale_end(*scores: Score) -> float:
    """The probability at the end of a scale that holds the intervals of some scores."""
    return 0.5 if max(score.interval[1] for score in scores) <= 0.5 else 1.0


def factor_groups(score: Score) -> list[tuple[str, str, list[Factor]]]:
    """(what they were seen with, heading, factors) of a score's factors by state; empty groups are left out."""
    groups = [
        (kind, heading, [f for f in score.factors if f.seen_with == kind and f.state == state])
        for kind in ("failure", "survival")
        for state, heading in FACTOR_STATES
    ]
    return [group for group in groups if group[2]]


def source(path: str, by_label: bool) -> str:
    """Where a fact stands: the label of its field, or its path."""
    key = form.key_of(path).strip("/")
    return form.BY_KEY[key].label if by_label and key in form.BY_KEY else path


def feature_label(name: str) -> str:
    """A feature by the name that people know."""
    feature = catalogue().get(name)
    return feature.label if feature else name


def _reason_line(reason: Reason, by_label: bool, largest: float) -> ReasonLine:
    width = round(50 * abs(reason.effect) / largest, 1)
    return ReasonLine(
        text=reason.text,
        points=points(reason.effect),
        raises=reason.effect > 0,
        source=source(reason.path, by_label),
        bar=(50.0 if reason.effect > 0 else round(50 - width, 1), width),
    )


@cache
def served_peers(stage: Stage) -> Peers:
    """The peers under the bundle that is served, computed once: they are some hundreds of scores."""
    return peers(served_bundle(), stage)


def peer_strip(score: Score, bundle: Bundle, peers_at: Callable[[Stage], Peers]) -> PeerStrip | None:
    """The casebook's cohort cases on the scale of a score, in columns; cases beyond it stand in the last column.

    None for a score of another register than the bundle's own: the bundle holds no cases of it.
    """
    if score.register != bundle.manifest.register:
        return None
    cases, end = peers_at(score.stage), scale_end(score)
    up, down = ([_column(failure, end) for failure in side] for side in (cases.failed, cases.held))
    most = max(max(up.count(column), down.count(column), 1) for column in range(STRIP_COLUMNS))
    failed_below, held_below = cases.below(score.failure)
    return PeerStrip(
        scale=scale(score),
        columns=[
            StripColumn(
                x=100 * column / STRIP_COLUMNS,
                up=round(STRIP_HEIGHT * up.count(column) / most, 1),
                down=round(STRIP_HEIGHT * down.count(column) / most, 1),
            )
            for column in sorted({*up, *down})
        ],
        failed=len(up),
        held=len(down),
        failed_below=failed_below,
        held_below=held_below,
    )


def _column(failure: float, end: float) -> int:
    return min(int(failure / end * STRIP_COLUMNS), STRIP_COLUMNS - 1)
