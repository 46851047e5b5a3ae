"""Pages that put a tender beside others in full: suggested changes, and comparable cases."""

from __future__ import annotations

from starlette.responses import Response

from models import comparables as comparing
from models import suggest as suggesting
from serving.pages import result
from serving.pages.drafts import DraftRequest, score_draft
from serving.pages.rendering import page
from serving.served import served_bundle


def suggestions_page(request: DraftRequest) -> Response:
    """POST /desk/suggestions: changes that go with a lower probability, with cases for and against each."""
    process, score = score_draft(request.draft, served_bundle())
    suggested = suggesting.suggest_for(served_bundle(), process, score)
    return page("suggestions.html", here="/", draft=request.draft, score=score, suggestions=suggested)


def comparables_page(request: DraftRequest) -> Response:
    """POST /desk/comparables: the nearest casebook cases whose end is known, with their sources."""
    process, score = score_draft(request.draft, served_bundle())
    nearest = comparing.comparables(process, score.stage)
    counted = result.cases_counted(len(comparing.known_cases(nearest.stage)), "those whose end is known")
    return page("comparables.html", here="/", draft=request.draft, score=score, comparables=nearest, counted=counted)
