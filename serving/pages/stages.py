"""The same tender at each stage it has reached, side by side, with what moved the score between them."""

from __future__ import annotations

from itertools import pairwise

import msgspec
from starlette.responses import Response

from models import score as scoring
from models.bundle import Bundle
from models.reasons import Reason
from models.score import Score
from serving.answers import held
from serving.pages import result
from serving.pages.drafts import Draft
from serving.pages.received import Received
from serving.pages.rendering import page
from tenders.facts import STAGES, Stage

LEAST, MOST = 0.0005, 8
HEIGHT, ABOVE, BELOW = 204, 30, 34
"""The picture in pixels, and what of it lies above the end and below the beginning of its scale."""


class Step(msgspec.Struct, frozen=True):
    """One stage: its score and where it stands on the picture, across in percent and down in units."""

    stage: Stage
    score: Score
    x: float
    y: float
    low: float
    high: float
    usual: float


class Path(msgspec.Struct, frozen=True):
    """A picture of the stages: its height, and where on it lie the end of the scale, as text too, and its beginning."""

    steps: list[Step]
    height: int
    end: str
    top: int
    bottom: int


class Moved(msgspec.Struct, frozen=True):
    """A fact whose effect is another at the later stage; `text` is what is known of it then."""

    label: str
    text: str
    before: float
    after: float
    is_new: bool

    @property
    def difference(self) -> float:
        """How much its effect grew, in probability."""
        return self.after - self.before


class Between(msgspec.Struct, frozen=True):
    """What changed from one stage to the next."""

    before: Step
    after: Step
    moved: list[Moved]


def answer(sent: Received) -> Response:
    """POST /desk/stages."""
    found = path(reached(held(), msgspec.structs.replace(sent.draft, stage=None)))
    steps = found.steps
    return page(
        "stages.html",
        here="/",
        draft=sent.draft,
        path=found,
        steps=steps,
        between=compared(steps),
        score=steps[-1].score,
    )


def reached(bundle: Bundle, draft: Draft) -> list[Score]:
    """The draft at every stage up to the furthest of which it holds a fact. Raises DataError."""
    known = STAGES[: STAGES.index(draft.at()) + 1]
    return [scoring.score(bundle, draft.process(stage), stage) for stage in known]


def path(scores: list[Score], height: int = HEIGHT) -> Path:
    """Where the scores of one tender's stages stand on a picture."""
    end = 0.5 if max(score.interval[1] for score in scores) <= 0.5 else 1.0
    top, bottom = ABOVE, height - BELOW

    def down(share: float) -> float:
        return round(bottom - (bottom - top) * share / end, 1)

    steps = [
        Step(
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
    return Path(steps, height, f"{end:.0%}", top, bottom)


def compared(steps: list[Step]) -> list[Between]:
    """What changed between each stage and the next, largest first."""
    return [Between(before, after, _moved(before.score, after.score)) for before, after in pairwise(steps)]


def _moved(before: Score, after: Score) -> list[Moved]:
    old, new = ({each.feature: each for each in score.reasons} for score in (before, after))
    unknown = {each.feature for each in before.unknown}
    found = [_fact(name, old.get(name), new.get(name), name in unknown) for name in {**new, **old}]
    told = [each for each in found if abs(each.difference) >= LEAST]
    return sorted(told, key=lambda each: -abs(each.difference))[:MOST]


def _fact(name: str, before: Reason | None, after: Reason | None, is_new: bool) -> Moved:
    said = after or before
    return Moved(
        label=result.label(name),
        text=said.text if said else "",
        before=before.effect if before else 0.0,
        after=after.effect if after else 0.0,
        is_new=is_new and after is not None,
    )
