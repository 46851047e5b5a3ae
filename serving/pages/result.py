"""A score in the words and numbers of a page: the result section, its scale, and the tender among its peers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from features.catalogue import catalogue
from features.own_features import in_words
from models.bundle import Bundle
from models.comparables import Peers, peers
from models.factors import Factor, State
from models.reasons import Reason
from models.score import Score
from portfolio.rendering import chance, percent, points
from serving.pages.form import label_of
from serving.served import once_a_bundle, served_bundle
from tenders import casebook
from tenders.facts import Stage
from tenders.io import form

OUTCOMES = {
    "no_award": "Ends without a contract",
    "early_end": "Once awarded, ends early",
    "single_bid": "Only one bid (not part of the above)",
}
EVIDENCE = {"documented": "research and audits", "registers": "other registers", "cases": "UK cases"}
"""Where the weight of a reason comes from, in words."""
# A smaller effect would be shown as 0.0 points.
MIN_EFFECT = 0.0005
STAGES: dict[Stage, str] = {"draft": "as a draft", "bids_in": "once bids are counted", "awarded": "at award"}
FACTOR_STATES: tuple[tuple[State, str], ...] = (
    ("shown", "Shown"),
    ("absent", "Not shown"),
    ("unknown", "Cannot be judged"),
)
STRIP_COLUMNS, STRIP_HEIGHT = 100, 40
"""Columns of the strip of peers, and how high one may be, in the units of the picture."""


class ReasonLine(msgspec.Struct, frozen=True):
    """One reason: the sentence, its effect, its bar (from, width; in percent), and where the fact stands."""

    text: str
    points: str
    raises: bool
    source: str
    bar: tuple[float, float]
    evidence: list[str] = []


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
    words: str
    columns: list[StripColumn]
    failed: int
    held: int
    failed_below: int
    held_below: int


def result_view(score: Score) -> ResultView:
    """The content of the result section."""
    reasons = [reason for reason in one_a_fact(score.reasons) if abs(reason.effect) >= MIN_EFFECT]
    largest = max((abs(reason.effect) for reason in reasons), default=1.0)
    unknown: dict[str, list[str]] = {}
    for feature in score.unknown:
        unknown.setdefault(feature.why, []).append(feature_label(feature.feature))
    return ResultView(
        score=score,
        stage=STAGES[score.stage],
        percent=percent(score.failure),
        low=percent(score.interval[0]),
        high=percent(score.interval[1]),
        usual=percent(score.base_rate),
        scale=scale(score),
        outcomes=[(label, chance(getattr(score.outcomes, name))) for name, label in OUTCOMES.items()],
        lines=[_reason_line(reason, largest) for reason in reasons],
        unknown=unknown,
    )


def one_a_fact(reasons: Sequence[Reason]) -> list[Reason]:
    """The reasons, one a fact of the tender: those of one place are one, in the words of the largest, largest first."""
    by_place: dict[str, list[Reason]] = {}
    for reason in reasons:
        by_place.setdefault(source(reason), []).append(reason)
    merged = [
        msgspec.structs.replace(same[0], effect=round(sum(reason.effect for reason in same), 4))
        for same in by_place.values()
    ]
    return sorted(merged, key=lambda reason: -abs(reason.effect))


def one_in(share: float) -> str:
    """A share as people say it: "About 1 in 4"."""
    if share <= 0:
        return "None of the"
    number = round(1 / share)
    if share > 2 / 3 or number < 2:
        return f"About {round(10 * share)} in 10"
    return f"About 2 in {round(2 / share)}" if number < 3 and round(2 / share) % 2 else f"About 1 in {number:,}"


def cases_counted(count: int, which: str) -> str:
    """How many of all past cases count somewhere, and which: the one sentence for it on every page."""
    return f"{len(casebook.cases()):,} past cases, of which {count:,} count here: {which}."


def cases_learnt(bundle: Bundle) -> str:
    """The same of the cases behind a bundle's UK figures; blank if it has none."""
    figures = (bundle.manifest.metrics.get(f"failure/draft/{kind}", {}) for kind in ("cohort", "picked"))
    known = int(sum(figure.get("n") or 0 for figure in figures))
    return cases_counted(known, "those with a known day and a known end") if known else ""


def doubts(warnings: Sequence[str]) -> list[tuple[str, str, str]]:
    """What looks wrong, as (key of the field or blank, its label, what is wrong)."""
    lines = []
    for warning in warnings:
        path, colon, text = warning.partition(": ")
        key = form.key_of(path, form.BY_KEY).strip("/") if colon and path.startswith("/") else ""
        known = key in form.BY_KEY
        words = text if known else warning
        lines.append((key if known else "", label_of(key) if known else "", f"{words[:1].upper()}{words[1:]}"))
    return lines


def scale(*scores: Score) -> Scale:
    """The first of some scores on the scale of every picture, which is from 0 to 100%."""
    first = scores[0]
    low, at, high, usual = (
        round(100 * value, 1) for value in (first.interval[0], first.failure, first.interval[1], first.base_rate)
    )
    return Scale(end="100%", low=low, at=at, high=high, usual=usual)


def factor_groups(score: Score) -> list[tuple[str, str, list[Factor]]]:
    """(what they were seen with, heading, factors) of a score's factors by state; empty groups are left out."""
    groups = [
        (kind, heading, [f for f in score.factors if f.seen_with == kind and f.state == state])
        for kind in ("failure", "survival")
        for state, heading in FACTOR_STATES
    ]
    return [group for group in groups if group[2]]


def source(reason: Reason) -> str:
    """Where a fact stands: the label of its field, else that of its feature."""
    key = form.key_of(_in_release(reason.path)).strip("/").partition("/")[0]
    return label_of(key) if key in form.BY_KEY else feature_label(reason.feature)


def _in_release(path: str) -> str:
    """A path within its release: what stands before belongs to a package."""
    return re.sub(r"^/(?:releases|records)/\d+(?:/releases/\d+|/compiledRelease)?", "", path)


def feature_label(name: str) -> str:
    """A feature by the name that people know."""
    feature = catalogue().get(name)
    return feature.label if feature else in_words(name)


def _reason_line(reason: Reason, largest: float) -> ReasonLine:
    width = round(50 * abs(reason.effect) / largest, 1)
    return ReasonLine(
        text=reason.text,
        points=points(reason.effect),
        raises=reason.effect > 0,
        source=source(reason),
        bar=(50.0 if reason.effect > 0 else round(50 - width, 1), width),
        evidence=[EVIDENCE.get(kind, kind) for kind in getattr(reason, "evidence", ())],
    )


@once_a_bundle
def served_peers(stage: Stage) -> Peers:
    """The peers under the bundle that is served, computed once: they are some hundreds of scores."""
    return peers(served_bundle(), stage)


def peer_strip(score: Score, bundle: Bundle, peers_at: Callable[[Stage], Peers]) -> PeerStrip | None:
    """The casebook's cohort cases on the scale of a score, in columns;
    None for a score of another register than the bundle's own: the bundle holds no cases of it.
    """
    if score.register != bundle.manifest.register:
        return None
    cases = peers_at(score.stage)
    up, down = ([_column(failure) for failure in side] for side in (cases.failed, cases.held))
    most = max(max(up.count(column), down.count(column), 1) for column in range(STRIP_COLUMNS))
    failed_below, held_below = cases.below(score.failure)
    return PeerStrip(
        scale=scale(score),
        words=cases_counted(len(up) + len(down), "those that came in by a rule, and whose end is known"),
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


def _column(failure: float) -> int:
    return min(int(failure * STRIP_COLUMNS), STRIP_COLUMNS - 1)
