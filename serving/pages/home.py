"""The page at `/`: the form, and above it the score or what is wrong."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from models import score as scoring
from models.factors import CAVEAT
from models.score import Score
from serving.answers import held
from serving.pages import layout, peers, result, uploads
from serving.pages.drafts import Draft
from serving.pages.received import Received
from serving.pages.rendering import page
from tenders.errors import Problem, TenderRiskError


async def empty(_: Request) -> Response:
    """GET /: the form."""
    return shown(Draft())


async def begin_again(_: Request) -> Response:
    """GET of a page that needs a tender: the form."""
    return RedirectResponse("/", HTTPStatus.SEE_OTHER)


def scored(sent: Received) -> Response:
    """POST /: the form with its score, or with what is wrong, and nothing lost."""
    draft = sent.draft
    try:
        if sent.upload is not None:
            draft = Draft(name=sent.upload[0][:200])
            draft = uploads.read(*sent.upload)
        stage = draft.at()
        score = scoring.score(held(), draft.process(stage), stage)
    except TenderRiskError as error:
        return shown(draft, error=error)
    return shown(draft, score)


def shown(draft: Draft, score: Score | None = None, error: TenderRiskError | None = None, back: str = "") -> Response:
    """The form with what was entered, above it the score or what is wrong; `back` is where it was opened from."""
    problems = list(getattr(error, "problems", ())) or ([Problem(path="", problem=str(error))] if error else [])
    # A file that could not be read filled no field: its paths are its own.
    beside = problems if draft.values else []
    return page(
        "form.html",
        error.http_status if error else HTTPStatus.OK,
        here="/",
        draft=draft,
        groups=layout.groups(draft.values, beside),
        elsewhere=layout.elsewhere(problems) if draft.values else problems,
        refused=error is not None,
        result=result.shown(score, by_label=not draft.document) if score else None,
        strip=peers.strip(score, held(), peers.of_held) if score else None,
        factors=result.factors(score) if score else [],
        caveat=CAVEAT,
        notes=draft.notes,
        back=back,
    )
