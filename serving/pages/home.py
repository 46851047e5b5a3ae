"""The page at `/`: the form, and above it the score or what is wrong. Every page of one tender falls back to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from models import score as scoring
from models.factors import CAVEAT
from models.score import Score
from serving.answers import served_bundle
from serving.pages import form, result
from serving.pages.drafts import Draft, DraftRequest, read_request, read_upload
from serving.pages.rendering import page
from tenders.errors import Problem, TenderRiskError

DraftPage = Callable[[DraftRequest], Response]


def endpoint(render: DraftPage) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of a page of one tender: rendered in a thread; if that is refused, the form says what is wrong."""

    async def respond(request: Request) -> Response:
        try:
            draft_request = await read_request(request)
        except TenderRiskError as error:
            return render_form(Draft(), error=error)
        return await anyio.to_thread.run_sync(_render_or_refuse, render, draft_request)

    return respond


def _render_or_refuse(render: DraftPage, request: DraftRequest) -> Response:
    try:
        return render(request)
    except TenderRiskError as error:
        return render_form(request.draft, error=error)


async def empty_page(_: Request) -> Response:
    """GET /: the empty form."""
    return render_form(Draft())


async def begin_again(_: Request) -> Response:
    """GET of a page that needs a tender: the empty form."""
    return RedirectResponse("/", HTTPStatus.SEE_OTHER)


def score_page(request: DraftRequest) -> Response:
    """POST /: the form with its score, or with what is wrong, and nothing lost."""
    draft = request.draft
    try:
        if request.upload is not None:
            draft = Draft(name=request.upload[0][:200])
            draft = read_upload(*request.upload)
        stage = draft.latest_stage()
        score = scoring.score(served_bundle(), draft.process(stage), stage)
    except TenderRiskError as error:
        return render_form(draft, error=error)
    return render_form(draft, score)


def render_form(
    draft: Draft, score: Score | None = None, error: TenderRiskError | None = None, back: str = ""
) -> Response:
    """The form with a draft, above it the score or what is wrong; `back` is the address it was opened from."""
    problems = list(getattr(error, "problems", ())) or ([Problem(path="", problem=str(error))] if error else [])
    # A file that could not be read filled no field: its paths are its own.
    form_problems = problems if draft.values else []
    return page(
        "form.html",
        error.http_status if error else HTTPStatus.OK,
        here="/",
        draft=draft,
        groups=form.groups(draft.values, form_problems),
        elsewhere=form.problems_elsewhere(problems) if draft.values else problems,
        refused=error is not None,
        result=result.result_view(score, by_label=not draft.document) if score else None,
        strip=result.peer_strip(score, served_bundle(), result.served_peers) if score else None,
        factors=result.factor_groups(score) if score else [],
        caveat=CAVEAT,
        notes=draft.notes,
        back=back,
    )
