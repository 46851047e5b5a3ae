"""The same tender at each stage that it has reached, side by side, with what moved the score between them."""

from __future__ import annotations

from itertools import pairwise

import msgspec
from starlette.responses import Response

from models import score as scoring
from models.bundle import Bundle
from models.reasons import Reason
from models.score import Score
from serving.pages import result
from serving.pages.drafts import Draft, DraftRequest
from serving.pages.rendering import page
from serving.served import served_bundle
from tenders.facts import STAGES, Stage

MIN_CHANGE, MAX_CHANGES = 0.0005, 8
HEIGHT, MARGIN_TOP, MARGIN_BOTTOM = 204, 30, 34
"""The picture in pixels, and its parts above the end and below the beginning of the scale."""


class StagePoint(msgspec.Struct, frozen=True):
    """One stage: its score, and its place on the picture, across in percent and down in pixels."""

    stage: Stage
    score: Score
    x: float
    y: float
    low: float
    high: float
    usual: float


class StagePath(msgspec.Struct, frozen=True):
    """A picture of the stages: its height, the end of the scale as text, and where its end and beginning lie."""

    steps: list[StagePoint]
    height: int
    end: str
    top: int
    bottom: int


class EffectChange(msgspec.Struct, frozen=True):
    """A fact whose effect differs at the later stage; `text` is what is known of it then."""

    label: str
    text: str
    before: float
    after: float
    is_new: bool

    @property
    def difference(self) -> float:
        """How much its effect grew, in probability."""
        return self.after - self.before


class StageChange(msgspec.Struct, frozen=True):
    """What changed from one stage to the next."""

    before: StagePoint
    after: StagePoint
    changes: list[EffectChange]


def stages_page(request: DraftRequest) -> Response:
    """POST /desk/stages."""
    path = stage_path(scores_by_stage(served_bundle(), msgspec.structs.replace(request.draft, stage=None)))
    steps = path.steps
    return page(
        "stages.html",
        here="/",
        draft=request.draft,
        path=path,
        steps=steps,
        between=stage_changes(steps),
        score=steps[-1].score,
    )


def scores_by_stage(bundle: Bundle, draft: Draft) -> list[Score]:
    """The draft at every stage up to the latest of which it holds a fact. Raises DataError."""
    known = STAGES[: STAGES.index(draft.latest_stage()) + 1]
    return [scoring.score(bundle, draft.process(stage), stage) for stage in known]


def stage_path(scores: list[Score], height: int = HEIGHT) -> StagePath:
    """The scores of one tender's stages as a picture."""
    end = 1.0
    top, bottom = MARGIN_TOP, height - MARGIN_BOTTOM

    def down(share: float) -> float:
        return round(bottom - (bottom - top) * share / end, 1)

    steps = [
        StagePoint(
            stage=score.stage,
            score=score,
            x=round(100 * (2 * number + 1) / (2 * len(scores)), 1),
            y=down(score.failure),
            low=down(score.interval[0]),
            high=down(score.interval[1]),
            usual=down(score.base_rate),
        )
        for number, score in enumerate(scores)
    ]
    return StagePath(steps, height, f"{end:.0%}", top, bottom)


def stage_changes(steps: list[StagePoint]) -> list[StageChange]:
    """What changed between each stage and the next, largest first."""
    return [StageChange(before, after, _changes(before.score, after.score)) for before, after in pairwise(steps)]


def _changes(before: Score, after: Score) -> list[EffectChange]:
    old, new = ({reason.feature: reason for reason in score.reasons} for score in (before, after))
    unknown = {feature.feature for feature in before.unknown}
    changes = [_change(name, old.get(name), new.get(name), name in unknown) for name in {**new, **old}]
    visible = [change for change in changes if abs(change.difference) >= MIN_CHANGE]
    return sorted(visible, key=lambda change: -abs(change.difference))[:MAX_CHANGES]


def _change(name: str, before: Reason | None, after: Reason | None, was_unknown: bool) -> EffectChange:
    reason = after or before
    return EffectChange(
        label=result.feature_label(name),
        text=reason.text if reason else "",
        before=before.effect if before else 0.0,
        after=after.effect if after else 0.0,
        is_new=was_unknown and after is not None,
    )
