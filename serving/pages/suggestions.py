"""Suggestions: which changes go with a lower probability, with the cases for and against each."""

from __future__ import annotations

from starlette.responses import Response

from models import score as scoring
from models import suggest
from serving.answers import held
from serving.pages.received import Received
from serving.pages.rendering import page


def answer(sent: Received) -> Response:
    """POST /desk/suggestions."""
    stage = sent.draft.at()
    process = sent.draft.process(stage)
    score = scoring.score(held(), process, stage, explain=False)
    found = suggest.suggest_for(held(), process, score)
    return page("suggestions.html", here="/", draft=sent.draft, score=score, found=found)
