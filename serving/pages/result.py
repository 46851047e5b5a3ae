"""A score in the words and numbers of the page."""

from __future__ import annotations

from typing import Any

import msgspec

from features.catalogue import catalogue
from models.reasons import Reason
from models.scoring import Score
from tenders import form

OUTCOMES = {
    "no_award": "Ends without a contract",
    "early_end": "Once awarded, ends early",
    "single_bid": "Only one bid (not part of the above)",
}
# Less would be shown as 0.0 points.
LEAST_SHOWN = 0.0005
STAGES = {"draft": "as a draft", "bids_in": "with bids in", "awarded": "at award"}


class Line(msgspec.Struct, frozen=True):
    """One reason: the sentence, percentage points up (+) or down (-), and where the fact stands."""

    text: str
    points: str
    raises: bool
    source: str


class Shown(msgspec.Struct, frozen=True):
    """What the result section of the page needs; every number is text already."""

    ocid: str
    stage: str
    percent: str
    low: str
    high: str
    bar: tuple[float, float, float]
    band: str
    usual: str
    evidence: str
    beside: list[tuple[str, str]]
    raising: list[Line]
    lowering: list[Line]
    unknown: dict[str, list[str]]
    signs: list[dict[str, Any]]
    warnings: list[str]
    bundle: str
    register: str


def shown(score: Score, by_label: bool) -> Shown:
    """The result section's content for one score; `by_label` names the form's fields instead of JSON paths."""
    lines = [_line(each, by_label) for each in score.reasons if abs(each.effect) >= LEAST_SHOWN]
    low, high = score.interval
    unknown: dict[str, list[str]] = {}
    for each in score.unknown:
        unknown.setdefault(each.why, []).append(_label(each.feature))
    return Shown(
        ocid=score.ocid or "",
        stage=STAGES[score.stage],
        percent=percent(score.failure),
        low=percent(low),
        high=percent(high),
        bar=(round(low * 100, 1), round(score.failure * 100, 1), round(high * 100, 1)),
        band=score.band,
        usual=percent(score.base_rate),
        evidence=score.evidence,
        beside=[(said, _chance(getattr(score.outcomes, name))) for name, said in OUTCOMES.items()],
        raising=[line for line in lines if line.raises],
        lowering=[line for line in lines if not line.raises],
        unknown=unknown,
        signs=msgspec.to_builtins(score.signs),
        warnings=list(score.warnings),
        bundle=score.bundle,
        register=score.register,
    )


def percent(share: float) -> str:
    """0.314 as "31%"; never 0% or 100%, which no model can know."""
    rounded = round(share * 100)
    if rounded < 1:
        return "under 1%"
    return "over 99%" if rounded > 99 else f"{rounded}%"


def _chance(share: float | None) -> str:
    """Exactly 0 or 1 is no prediction any more: the bids are counted, or there is an award."""
    known = {None: "unknown", 0.0: "no", 1.0: "yes"}
    return known[share] if share in known else percent(share or 0.0)


def _line(reason: Reason, by_label: bool) -> Line:
    points = reason.effect * 100
    key = form.key_of(reason.path).strip("/")
    source = form.BY_KEY[key].label if by_label and key in form.BY_KEY else reason.path
    return Line(
        text=reason.text, points=f"{'+' if points > 0 else '−'}{abs(points):.1f}", raises=points > 0, source=source
    )


def _label(feature: str) -> str:
    declared = catalogue().get(feature)
    return declared.label if declared else feature
