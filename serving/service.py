"""The service: `bentoml serve serving.service:TenderRisk`, or `tender-risk serve`.

The endpoints for programs under BentoML, the pages beside them, and the middleware that a public server needs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import anyio.to_thread
import bentoml
from bentoml._internal.server.http.traffic import TimeoutMiddleware
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.comparables import Comparables
from models.score import Score
from models.suggest import Suggestions
from models.what_if import WhatIf
from serving import answers, large, openapi, shadow
from serving.answers import ComparablesBody, ErrorAnswer, WhatIfBody
from serving.audit.noting import AuditGate, note_bundle, note_refused_bundle
from serving.health import readyz
from serving.jobs import api, job_service
from serving.keys import KeyGuard
from serving.large import LARGE_BYTES
from serving.middleware import BodyLimit, JsonErrors, RequestMetrics, SiteGuard, metrics
from serving.openapi import INFRASTRUCTURE, BodyInPieces, described
from serving.pages import (
    about,
    answer,
    beside,
    casebook,
    drafts,
    endpoints,
    home,
    reporting,
    result,
    stages,
    unknown,
    worklists,
)
from serving.pages.drafts import Draft
from serving.pages.rendering import static
from serving.requests import Entries, ManyBody, ScoreBody, TenderBody
from serving.served import BundleWatch, PinnedBundle, ServedBundle, pointed_bundle, served
from serving.sessions import SessionGate, note_absence
from tenders.errors import BundleError
from tenders.facts import STAGES

# Long work (many tenders, large bodies) runs in threads, so that health checks and other requests are answered
# meanwhile. More threads would only wait for the interpreter.
THREADS = 4
# Up to this size a tender is scored faster than a thread is found for it, and nobody waits noticeably.
QUICK_BYTES = 256 * 1024

SETTINGS: dict[str, Any] = {
    "threads": THREADS,
    "http": {"host": "127.0.0.1"},
    # Replaced by serving.middleware, which says why.
    "metrics": {"enabled": False},
    "logging": {"access": {"enabled": False}},
}


class TrustedService(bentoml.Service[Any]):  # type: ignore[misc]
    """A BentoML service without BentoML's own timeout, and with a `/readyz` that says what is served.

    The timeout starts a timer for each request and never stops it, so that every request stays in memory until its
    time is over. An upload takes as long as its line; `serving.middleware` sees to it that bodies go on.
    """

    def to_asgi(self, is_main: bool = True) -> Any:
        """The application, as BentoML makes it, without the middleware of the timeout."""
        application: Any = super().to_asgi(is_main)
        kept = [middleware for middleware in application.user_middleware if middleware.cls is not TimeoutMiddleware]
        application.user_middleware = kept
        # Before BentoML's own, which says nothing.
        application.router.routes.insert(0, Route("/readyz", readyz))
        return application


DESK = {
    "/answer": answer.answer_page,
    "/desk/stages": stages.stages_page,
    "/desk/suggestions": beside.suggestions_page,
    "/desk/comparables": beside.comparables_page,
    "/desk/unknown": unknown.unknown_page,
    "/desk/report": reporting.report_page,
    "/desk/save.json": drafts.save_json,
    "/desk/save.xlsx": drafts.save_xlsx,
    "/desk/save.csv": drafts.save_csv,
}
"""Pages of one tender, which comes with the request."""


async def openapi_document(_: Request) -> Response:
    """GET /docs.json."""
    return answers.json_response(_document())


async def docs_page(_: Request) -> Response:
    """GET /docs: the same for people to read."""
    return endpoints.docs_page(_document())


@functools.cache
def _document() -> dict[str, Any]:
    return openapi.document(TenderRisk, api.ROUTES)


def prepare_pages() -> None:
    """Computes what the pages need of a bundle."""
    home.render_form(Draft())
    for stage in STAGES:
        result.served_peers(stage)


def note_served(new: ServedBundle, old: ServedBundle | None = None) -> None:
    """Notes in the trail which bundle answers from now on."""
    note_bundle(new.version, new.bundle.sha256, new.bundle.signer, old.header if old else "")


def first_served() -> ServedBundle:
    """The bundle with which this process begins; the trail notes if it is refused. Raises BundleError."""
    try:
        return served()
    except BundleError as error:
        note_refused_bundle(*pointed_bundle(), str(error))
        raise


pages = Starlette(
    routes=[
        Route("/", home.start_page, methods=["GET"]),
        Route("/", home.endpoint(home.send), methods=["POST"]),
        *(Route(path, home.endpoint(page), methods=["GET", "POST"]) for path, page in DESK.items()),
        Route("/cpv", home.codes, methods=["GET"]),
        Route("/template.xlsx", drafts.template_xlsx, methods=["GET"]),
        Route("/template.csv", drafts.template_csv, methods=["GET"]),
        Route("/portfolio", worklists.upload_form, methods=["GET"]),
        Route("/portfolio", worklists.upload, methods=["POST"]),
        Route("/portfolio/{id}", worklists.job_page, methods=["GET"]),
        Route("/portfolio/{id}/cancel", worklists.cancel, methods=["POST"]),
        Route("/portfolio/{id}/delete", worklists.delete, methods=["POST"]),
        Route("/portfolio/{id}/review/{rank}", worklists.review, methods=["POST"]),
        Route("/portfolio/{id}/row/{rank}", worklists.open_row, methods=["GET"]),
        *openapi.starlette_routes(api.ROUTES),
        Route("/casebook", casebook.list_cases, methods=["GET"]),
        Route("/casebook/{case_id}", casebook.show_case, methods=["GET"]),
        Route("/about", about.about_page, methods=["GET"]),
        Route("/about/{name}", about.picture, methods=["GET"]),
        Route("/style.css", static("text/css", "style.css", "pictures.css"), methods=["GET"]),
        Route("/page.js", static("text/javascript", "page.js"), methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
        Route("/docs.json", openapi_document, methods=["GET"]),
        Route("/docs", docs_page, methods=["GET"]),
    ]
)


def with_middleware(service: Any) -> Any:
    """Decorates a BentoML service with the middleware of every service of ours, outermost first."""
    paths = {api.route for api in service.apis.values()} | {route.path for route in pages.routes}  # type: ignore[attr-defined]
    service.add_asgi_middleware(PinnedBundle)
    service.add_asgi_middleware(RequestMetrics, endpoints=[*INFRASTRUCTURE, *(p for p in paths if "{" not in p)])
    for middleware in (SiteGuard, JsonErrors, SessionGate, KeyGuard, AuditGate, BodyLimit):
        service.add_asgi_middleware(middleware)
    return service


async def _answered(action: str, answer: Callable[[bytes], Response], pieces: list[bytes]) -> Response:
    """The answer of a thread, or of the process for large bodies."""
    if sum(map(len, pieces)) > LARGE_BYTES:
        return await large.answered(action, pieces)
    raw = b"".join(pieces)
    if action == "score" and len(raw) <= QUICK_BYTES:
        return answer(raw)
    return await anyio.to_thread.run_sync(answer, raw, limiter=_threads())


@functools.cache
def _threads() -> anyio.CapacityLimiter:
    return anyio.CapacityLimiter(THREADS)


@with_middleware
@bentoml.asgi_app(pages, path="/")
@bentoml.service(service_class=TrustedService, **SETTINGS)
class TenderRisk:
    """The probability that a public tender fails, with reasons."""

    def __init__(self) -> None:
        # Templates are compiled and peers are scored at their first use, so this comes before the first request.
        note_absence()
        first = first_served()
        prepare_pages()
        note_served(first)
        self.watch = BundleWatch([prepare_pages], note_served, note_refused_bundle)
        self.watch.start()
        shadow.start()
        large.start()
        job_service.start()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """Queues the running job again, for the next service."""
        self.watch.stop()
        shadow.stop()
        job_service.stop()
        large.stop()

    @bentoml.api(route="/score", **described(ScoreBody, Score, BodyInPieces))  # type: ignore[untyped-decorator]
    async def score(self, pieces: list[bytes]) -> Response:
        """Scores one tender. 400 with JSON paths if it cannot be read, 413 if it is too large."""
        return await _answered("score", answers.score, pieces)

    @bentoml.api(  # type: ignore[untyped-decorator]
        route="/score_many", **described(ManyBody | Entries, list[Score | ErrorAnswer], BodyInPieces)
    )
    async def score_many(self, pieces: list[bytes]) -> Response:
        """Scores a list of tenders. The answer is a list in the same order; a bad tender is an error entry."""
        return await _answered("score_many", answers.score_many, pieces)

    @bentoml.api(route="/what_if", **described(WhatIfBody, WhatIf, BodyInPieces))  # type: ignore[untyped-decorator]
    async def what_if(self, pieces: list[bytes]) -> Response:
        """Scores one tender as it is and with some facts changed, in one scenario or several."""
        return await _answered("what_if", answers.what_if, pieces)

    @bentoml.api(route="/suggest", **described(TenderBody, Suggestions, BodyInPieces))  # type: ignore[untyped-decorator]
    async def suggest(self, pieces: list[bytes]) -> Response:
        """Lists changes that go with a lower probability of failure, with cases for and against."""
        return await _answered("suggest", answers.suggest, pieces)

    @bentoml.api(route="/comparables", **described(ComparablesBody, Comparables, BodyInPieces))  # type: ignore[untyped-decorator]
    async def comparables(self, pieces: list[bytes]) -> Response:
        """Lists the nearest casebook cases, how they ended, and their sources."""
        return await _answered("comparables", answers.comparables, pieces)
