"""ASGI middleware for every request: limits on the body, errors as JSON, metrics, and one log line each.

BentoML's own metrics take every requested path as a label, so that a scan of random paths fills the memory, and its
access log writes the path as it came, line breaks included. These take their place.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Collection
from http import HTTPStatus
from time import perf_counter
from urllib.parse import urlsplit

import prometheus_client
from prometheus_client import multiprocess
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import metering
from serving.answers import PIECE_BYTES, ErrorAnswer, error_response, json_response, unexpected_response
from serving.jobs.settings import HOSTS, UPLOAD_MINUTES, settings
from serving.keys import KEY_NAME, OPEN_PATHS, is_loopback
from serving.pages.rendering import missing_page
from serving.served import served_bundle
from serving.tls import HSTS
from tenders.errors import Problem, TenderRiskError, TooLargeError
from tenders.io.read import MAX_BYTES, too_many_bytes

UPLOADS = frozenset({"/jobs", "/portfolio"})
# A client that is still sending does not read: it would see a broken connection instead of the 413. So the rest is
# received and thrown away, up to this many bytes.
DRAIN_BYTES = 8 * MAX_BYTES
FORM_BYTES = 2**20
"""Bytes of an upload that are not the file: the form's other fields."""
TIMEOUT_SECONDS = 60
"""For a whole body, and for the next piece of an upload."""
SLOWEST = 2**10
"""Bytes of an upload that have to come in a second, on average over each TIMEOUT_SECONDS."""
JOBS = ("/jobs/", "/portfolio/")
"""Beginnings of the address of a job. Whoever knows the address sees the job, so no log and no metric has it."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""They change nothing."""
STATIC_TYPES = ("text/css", "text/javascript", "image/")
"""What is the same for everybody; browsers may keep it."""
SERVED_HOSTS: set[str] = set()
"""Names that the service was started with."""
TWO_LENGTHS = "a request has Content-Length or Transfer-Encoding, and not both"
CROSS_SITE = "another site's page sent this"
OTHER_HOST = f"the service does not answer to this name: set {HOSTS}"
METHODS = frozenset({"GET", "HEAD", "POST", "DELETE"})
# From an empty answer to 10,000 tenders on a busy machine; uploads take longer.
BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)

REQUESTS = prometheus_client.Histogram(
    "tender_risk_request_seconds", "Time to answer a request.", ("endpoint", "method", "status"), buckets=BUCKETS
)
log = logging.getLogger("tender_risk.access")


async def metrics(_: Request) -> Response:
    """All metrics in Prometheus' text format; of all workers, if BentoML runs several."""
    metering.show_recent(served_bundle())
    registry = prometheus_client.REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = prometheus_client.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(prometheus_client.generate_latest(registry), media_type=prometheus_client.CONTENT_TYPE_LATEST)


class RequestMetrics:
    """Times, counts and logs each request, and answers exceptions that nothing else caught.

    Paths that are not in `endpoints` are counted together, as "other".
    """

    def __init__(self, app: ASGIApp, endpoints: Collection[str]) -> None:
        self.app = app
        self.endpoints = frozenset(endpoints)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            if len(message.get("body", b"")) > PIECE_BYTES:
                await _send_in_pieces(message, send)
            else:
                await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            log.exception("%s %r", scope["method"], _without_id(scope["path"]))
            response = unexpected_response(error)
            if status:
                raise
            await response(scope, receive, watch)
        finally:
            self._note(scope, status, perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        path = _without_id(scope["path"])
        endpoint = path if path in self.endpoints or path.startswith(JOBS) else "other"
        method = scope["method"] if scope["method"] in METHODS else "other"
        REQUESTS.labels(endpoint, method, status).observe(seconds)
        key, milliseconds = scope.get(KEY_NAME, ""), round(seconds * 1000, 1)
        about = {"method": method, "path": path[:200], "status": status, "ms": milliseconds, "key": key}
        # %r: a path may hold line breaks, which would forge a line of the log.
        text = "%s %.200r %d %.1f ms, key %r"
        log.info(text, method, path, status, milliseconds, key, extra={"about": about})


async def _send_in_pieces(message: Message, send: Send) -> None:
    """Sends a large part of an answer in pieces. asyncio copies what the line does not take at once, whole."""
    body, more = message["body"], message.get("more_body", False)
    for start in range(0, len(body), PIECE_BYTES):
        end = start + PIECE_BYTES
        await send({"type": message["type"], "body": body[start:end], "more_body": more or end < len(body)})


def _without_id(path: str) -> str:
    """A path without the job that it names."""
    start = next((start for start in JOBS if path.startswith(start)), None)
    return f"{start}ID" if start else path


class JsonErrors:
    """Gives errors of routing (404, 405) and of BentoML (415) the shape of all our errors."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        replaced: Response | None = None

        async def translate(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and _is_foreign(message):
                status: int = message["status"]
                text = f"{scope['path'][:200]}: {HTTPStatus(status).phrase.lower()}"
                browser = _accepts_pages(scope)
                replaced = missing_page(status) if browser else json_response(ErrorAnswer(error=text), status)
                replaced.raw_headers += [(k, v) for k, v in message["headers"] if k == b"allow"]
            elif replaced is None:
                await send(message)
            elif not message.get("more_body", False):
                await replaced(scope, receive, send)

        await self.app(scope, receive, translate)


def _accepts_pages(scope: Scope) -> bool:
    """Whether a person's browser asks: it names pages first, and programs do not."""
    accepted: bytes = dict(scope["headers"]).get(b"accept", b"")
    return accepted.startswith(b"text/html")


def _is_foreign(message: Message) -> bool:
    status: int = message["status"]
    media_type: bytes = dict(message["headers"]).get(b"content-type", b"")
    return status == 415 or (status >= 400 and media_type.startswith(b"text/plain"))


class SlowUploadError(TenderRiskError):
    """An upload that holds its connection for too long."""

    http_status = HTTPStatus.REQUEST_TIMEOUT


class BodyLimit:
    """Passes on whole bodies of at most `MAX_BYTES`; answers 413 to larger ones and 408 to slow ones.

    Uploads of portfolios are passed on as they come; more than their own limit raises TooLargeError, and what takes too
    long SlowUploadError.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.upload = settings().upload
        self.upload_seconds = settings().upload_minutes * 60.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        if scope["method"] == "POST" and scope["path"] in UPLOADS:
            await self.app(scope, _limited(scope, _hurried(receive, self.upload_seconds), self.upload), send)
            return
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                body, size = await _receive_body(receive)
        except TimeoutError:
            text = f"the body did not come within {TIMEOUT_SECONDS} seconds"
            await json_response(ErrorAnswer(error=text), 408)(scope, receive, send)
            return
        if body is None:
            await error_response(too_many_bytes(size))(scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)


class SiteGuard:
    """Answers requests to the names of this service alone, changes nothing for another site's page, and marks answers.

    A page elsewhere can send a browser here under a name of its own (DNS rebinding), or post a form: 421 and 403.
    Uploads check the site themselves, because their sender does not listen before the file is sent.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.hosts = settings().hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        app: ASGIApp = self.app
        if "Content-Length" in headers and "Transfer-Encoding" in headers:
            # Proxies that read one of them and servers that read the other take parts of a body for requests.
            app = refused = json_response(ErrorAnswer(error=TWO_LENGTHS), HTTPStatus.BAD_REQUEST)
            refused.headers["Connection"] = "close"
        elif scope["path"] not in OPEN_PATHS and not self._is_ours(headers.getlist("Host"), scope):
            app = json_response(ErrorAnswer(error=OTHER_HOST), HTTPStatus.MISDIRECTED_REQUEST)
        elif scope["method"] not in SAFE_METHODS and scope["path"] not in UPLOADS and is_cross_site(headers):
            app = json_response(ErrorAnswer(error=CROSS_SITE), HTTPStatus.FORBIDDEN)

        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                marked = MutableHeaders(scope=message)
                marked.setdefault("X-Content-Type-Options", "nosniff")
                if scope.get("scheme") == "https":
                    marked.setdefault("Strict-Transport-Security", HSTS)
                if not marked.get("Content-Type", "").startswith(STATIC_TYPES):
                    marked.setdefault("Cache-Control", "no-store")
            await send(message)

        await app(scope, receive, mark)

    def _is_ours(self, hosts: list[str], scope: Scope) -> bool:
        if len(hosts) != 1:
            return False
        name = host_name(hosts[0])
        # A name can be led here by anyone who owns it; the address that was connected to cannot.
        return is_loopback(name) or name == (scope.get("server") or ("",))[0] or name in self.hosts | SERVED_HOSTS


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    address, bracket, _ = host.removeprefix("[").partition("]")
    return address if host.startswith("[") and bracket else host.partition(":")[0].lower().removesuffix(".")


def is_cross_site(headers: Headers) -> bool:
    """Whether a browser sends this for another site's page. Programs send none of the headers that tell."""
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None:
        return site not in ("none", "same-origin")
    # Browsers leave the first header out where the connection is not secret.
    try:
        return origin is not None and urlsplit(origin).netloc != headers.get("Host")
    except ValueError:
        return True


async def drain(request: Request) -> None:
    """Receives the rest of an upload that is refused, up to DRAIN_BYTES, so that the sender reads why."""
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > DRAIN_BYTES:
                return
    except (TenderRiskError, ClientDisconnect, RuntimeError):
        return


async def _receive_body(receive: Receive) -> tuple[deque[bytes] | None, int]:
    """The body in pieces, or None if it is too large, and how many bytes came."""
    pieces: deque[bytes] = deque()
    part = bytearray()
    size, more = 0, True
    while more and size <= DRAIN_BYTES:
        message = await receive()
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > MAX_BYTES:
            pieces.clear()
            part.clear()
        elif more or part:
            # Many small ones would take more memory than what is in them.
            part += chunk
            if len(part) >= PIECE_BYTES or not more:
                pieces.append(bytes(part))
                part.clear()
        else:
            pieces.append(chunk)
    return (pieces if size <= MAX_BYTES else None), size


def _replay(pieces: deque[bytes], receive: Receive) -> Receive:
    """Receives the pieces, and then what comes after them. They are in memory once: who receives them has them."""

    async def replay() -> Message:
        if not pieces:
            return await receive()
        piece = pieces.popleft()
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    return replay


def _hurried(receive: Receive, seconds: float) -> Receive:
    """Receives an upload until it has been waited for too long: in all, for its next piece, or for too few bytes.

    What the service itself takes, such as for writing to a busy disk, does not count.
    """
    waited = waited_lately = 0.0
    lately = 0
    slow: SlowUploadError | None = None

    async def hurried() -> Message:
        nonlocal waited, waited_lately, lately, slow
        if slow:
            raise slow
        began = perf_counter()
        try:
            async with asyncio.timeout(min(TIMEOUT_SECONDS, max(seconds - waited, 0.0))):
                message = await receive()
        except TimeoutError:
            message = None
        took = perf_counter() - began
        waited, waited_lately = waited + took, waited_lately + took
        lately += len(message.get("body", b"")) if message else 0
        if message and not message.get("more_body", False):
            return message
        if waited >= seconds:
            slow = SlowUploadError(f"the upload took more than {seconds / 60:,.0f} minutes; see {UPLOAD_MINUTES}")
        elif message is None or (waited_lately >= TIMEOUT_SECONDS and lately < SLOWEST * waited_lately):
            slow = SlowUploadError(f"the upload came at less than {SLOWEST:,} bytes a second")
        elif waited_lately >= TIMEOUT_SECONDS:
            waited_lately, lately = 0.0, 0
        if slow or message is None:
            raise slow or ClientDisconnect
        return message

    return hurried


def _limited(scope: Scope, receive: Receive, limit: int) -> Receive:
    """Receives an upload until it is larger than `limit`."""
    most = limit + FORM_BYTES
    headers = dict(scope["headers"])
    # The server refuses a length that is no number.
    is_over = int(headers.get(b"content-length", b"0")) > most
    # A client that asks before it sends is told at once; one that sends anyway is heard first.
    is_heard = b"expect" in headers
    size = 0

    async def limited() -> Message:
        nonlocal size, is_over, is_heard
        if is_over:
            if not is_heard:
                is_heard = True
                await _discard(receive)
            problem = f"uploads of up to {limit // 2**20:,} MB are taken"
            remedy = "Compress it, split it, or run it where it is"
            raise TooLargeError(Problem(path="/file", problem=problem, remedy=remedy))
        message = await receive()
        size += len(message.get("body", b""))
        is_over = size > most
        return await limited() if is_over else message

    return limited


async def _discard(receive: Receive) -> None:
    left, more = DRAIN_BYTES, True
    while more and left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        more = message.get("more_body", False)
