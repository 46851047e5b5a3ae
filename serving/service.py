"""The service: `bentoml serve serving.service:TenderRisk`, or `tender-risk serve`.

The endpoints under BentoML, the pages beside them, and around all of it what a public server needs.
"""

from __future__ import annotations

from typing import Any

import anyio.to_thread
import bentoml
from starlette.responses import Response

from serving import answers, desk
from serving.desk_schema import Compared, CompareRequest, Suggested, SuggestRequest, WhatIfAnswer, WhatIfRequest
from serving.jobs import office
from serving.keys import KeyGuard
from serving.limits import BodyLimit
from serving.observing import JsonErrors, Observed
from serving.pages import home, peers
from serving.pages.app import pages
from serving.pages.drafts import Draft
from serving.schema import ManyRequest, ManyScored, Scored, ScoreRequest
from tenders.facts import STAGES

# Long work (many tenders, large bodies) runs in threads, so that health checks and others are answered
# meanwhile. More would only queue for the interpreter.
THREADS = 4
# Up to this size a tender is scored faster than a thread is found for it, and no one waits noticeably.
QUICK_BYTES = 256 * 1024


SETTINGS: dict[str, Any] = {
    "threads": THREADS,
    # An upload takes as long as its line; `serving.limits` sees to it that it goes on, and that others do not wait.
    "traffic": {"timeout": 6 * 3600},
    "http": {"host": "127.0.0.1"},
    # Replaced by serving.observing, which says why.
    "metrics": {"enabled": False},
    "logging": {"access": {"enabled": False}},
}


def guarded(service: Any) -> Any:
    """Decorates a BentoML service with the middleware that every one of ours runs behind, outermost first."""
    for each in (Observed, JsonErrors, KeyGuard, BodyLimit):
        service.add_asgi_middleware(each)
    return service


@guarded
@bentoml.asgi_app(pages, path="/")
@bentoml.service(**SETTINGS)
class TenderRisk:
    """The probability that a public tender fails, with reasons."""

    def __init__(self) -> None:
        answers.held()
        # Templates are compiled and peers are scored at their first use; no user should wait for that.
        home.shown(Draft())
        for stage in STAGES:
            peers.of_held(stage)
        office.begin()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def end(self) -> None:
        """Lets the job that runs wait for the next service."""
        office.end()

    @bentoml.api(route="/score", input_spec=ScoreRequest, output_spec=Scored)  # type: ignore[untyped-decorator]
    async def score(self, raw: bytes) -> Response:
        """Scores one tender. 400 with JSON paths if it cannot be read, 413 if it is too large."""
        if len(raw) <= QUICK_BYTES:
            return answers.score(raw)
        return await anyio.to_thread.run_sync(answers.score, raw)

    @bentoml.api(route="/score_many", input_spec=ManyRequest, output_spec=ManyScored)  # type: ignore[untyped-decorator]
    def score_many(self, raw: bytes) -> Response:
        """Scores a list of tenders. The answer is a list in the same order; a bad tender is an error entry."""
        return answers.score_many(raw)

    @bentoml.api(route="/what_if", input_spec=WhatIfRequest, output_spec=WhatIfAnswer)  # type: ignore[untyped-decorator]
    def what_if(self, raw: bytes) -> Response:
        """Scores one tender as it is and with facts set otherwise, in one scenario or several."""
        return desk.what_if(raw)

    @bentoml.api(route="/suggest", input_spec=SuggestRequest, output_spec=Suggested)  # type: ignore[untyped-decorator]
    def suggest(self, raw: bytes) -> Response:
        """Names the changes that go with a lower probability, with cases for and against."""
        return desk.suggest(raw)

    @bentoml.api(route="/comparables", input_spec=CompareRequest, output_spec=Compared)  # type: ignore[untyped-decorator]
    def comparables(self, raw: bytes) -> Response:
        """Names the nearest casebook cases, how they ended, and their sources."""
        return desk.comparables(raw)
