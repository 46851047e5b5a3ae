"""Comparables: the nearest casebook cases whose end is known, with how they compare and where that is written."""

from __future__ import annotations

from starlette.responses import Response

from models import comparables
from models import score as scoring
from serving.answers import held
from serving.pages.received import Received
from serving.pages.rendering import page


def answer(sent: Received) -> Response:
    """POST /desk/comparables."""
    stage = sent.draft.at()
    process = sent.draft.process(stage)
    found = comparables.comparables(process, stage)
    score = scoring.score(held(), process, stage, explain=False)
    return page("comparables.html", here="/", draft=sent.draft, score=score, found=found)
