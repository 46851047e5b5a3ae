"""What the service says about itself: metrics, one log line a request, and errors as JSON.

BentoML's own metrics take every requested path as a label, so that a scan of random paths fills the memory,
and its access log writes the path as it came, line breaks included. These two stand in their place.
"""

from __future__ import annotations

import logging
import os
from http import HTTPStatus
from time import perf_counter

import prometheus_client
from prometheus_client import multiprocess
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.answers import UNEXPECTED, answer

# Every other path counts as "other".
ASKED = ("/score", "/score_many", "/what_if", "/suggest", "/comparables")
PAGES = (
    "/desk/stages",
    "/desk/what-if",
    "/desk/suggestions",
    "/desk/comparables",
    "/desk/unknown",
    "/desk/report",
    "/portfolio",
    "/casebook",
    "/about",
)
ENDPOINTS = frozenset({"/", *ASKED, *PAGES, "/jobs", "/docs.json", "/healthz", "/livez", "/readyz", "/metrics"})
JOBS = ("/jobs/", "/portfolio/")
"""What the address of a job begins with. Who knows it sees the job, so that no log and no metric has it."""
METHODS = frozenset({"GET", "HEAD", "POST", "DELETE"})
# From an empty answer to 10,000 tenders on a busy machine; uploads take longer.
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)

REQUESTS = prometheus_client.Histogram(
    "tender_risk_request_seconds", "Time to answer a request.", ("endpoint", "method", "status"), buckets=SECONDS
)
log = logging.getLogger("tender_risk.access")


async def metrics(_: Request) -> Response:
    """All metrics in Prometheus' text format; of all workers, if BentoML runs several."""
    registry = prometheus_client.REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = prometheus_client.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(prometheus_client.generate_latest(registry), media_type=prometheus_client.CONTENT_TYPE_LATEST)


class Observed:
    """ASGI middleware: times and counts each request, logs it, and answers what nobody caught."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            log.exception("%s %r", scope["method"], _unnamed(scope["path"]))
            if status:
                raise
            await answer({"error": UNEXPECTED, "problems": []}, 500)(scope, receive, watched)
        finally:
            _note(scope, status, perf_counter() - started)


def _note(scope: Scope, status: int, seconds: float) -> None:
    path = _unnamed(scope["path"])
    endpoint = path if path in ENDPOINTS or path.startswith(JOBS) else "other"
    method = scope["method"] if scope["method"] in METHODS else "other"
    REQUESTS.labels(endpoint, method, status).observe(seconds)
    # %r: a path may hold line breaks, which would forge a line of the log.
    log.info("%s %.200r %d %.1f ms", method, path, status, seconds * 1000)


def _unnamed(path: str) -> str:
    """A path without the job that it names."""
    begin = next((each for each in JOBS if path.startswith(each)), None)
    return f"{begin}ID" if begin else path


class JsonErrors:
    """ASGI middleware: errors of routing (404, 405) and of BentoML (415) in the shape of all our errors."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        replaced: Response | None = None

        async def translated(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and _is_foreign(message):
                replaced = answer(_said(message["status"], scope["path"]), message["status"])
                replaced.raw_headers += [(k, v) for k, v in message["headers"] if k == b"allow"]
            elif replaced is None:
                await send(message)
            elif not message.get("more_body", False):
                await replaced(scope, receive, send)

        await self.app(scope, receive, translated)


def _is_foreign(message: Message) -> bool:
    status: int = message["status"]
    kind: bytes = dict(message["headers"]).get(b"content-type", b"")
    return status == 415 or (status >= 400 and kind.startswith(b"text/plain"))


def _said(status: int, path: str) -> dict[str, object]:
    return {"error": f"{path[:200]}: {HTTPStatus(status).phrase.lower()}", "problems": []}
