"""No more of a body than we read: 413, also for bodies that do not say how long they are.

Bodies are handed on whole, but for uploads of portfolios: those are handed on as they come, up to a bound of their own.
"""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.answers import answer, refusal
from serving.jobs.settings import settings
from tenders.errors import Problem, TenderRiskError, TooLargeError
from tenders.io.read import MAX_BYTES, too_many_bytes

UPLOADS = frozenset({"/jobs", "/portfolio"})
# A client that is still sending does not read: it would see a broken connection, not the 413. So the rest
# is received and thrown away, up to this many bytes.
DRAIN_BYTES = 8 * MAX_BYTES
# A form's fields around the file.
AROUND = 2**20
SECONDS_TO_SEND = 60
"""For a whole body, and for the next piece of an upload: who takes longer holds a connection for nothing."""


class BodyLimit:
    """ASGI middleware: hands on whole bodies of at most `reading.MAX_BYTES`, answers 413 to larger ones, 408 to slow.

    Of an upload, receiving more than its bound raises TooLargeError.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.upload = settings().upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        if scope["method"] == "POST" and scope["path"] in UPLOADS:
            await self.app(scope, _bounded(scope, receive, self.upload), send)
            return
        try:
            async with asyncio.timeout(SECONDS_TO_SEND):
                body, size = await _received(receive)
        except TimeoutError:
            said = f"the body did not come within {SECONDS_TO_SEND} seconds"
            await answer({"error": said, "problems": []}, 408)(scope, receive, send)
            return
        if body is None:
            await refusal(too_many_bytes(size))(scope, receive, send)
            return
        await self.app(scope, _replayed(body, receive), send)


async def drained(request: Request) -> None:
    """Receives what is left of an upload that is refused, up to DRAIN_BYTES, so that the sender reads why."""
    size = 0
    try:
        async for piece in request.stream():
            size += len(piece)
            if size > DRAIN_BYTES:
                return
    except (TenderRiskError, ClientDisconnect, RuntimeError):
        return


async def _received(receive: Receive) -> tuple[bytes | None, int]:
    """The body, or None if it is too large, and how many bytes came."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= MAX_BYTES:
            chunks.append(chunk)
        else:
            chunks.clear()
        if not message.get("more_body", False) or size > DRAIN_BYTES:
            break
    return (b"".join(chunks) if size <= MAX_BYTES else None), size


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _bounded(scope: Scope, receive: Receive, upload: int) -> Receive:
    """What comes, until it is more than an upload may be."""
    most = upload + AROUND
    headers = dict(scope["headers"])
    # The server refuses a length that is no number.
    over = int(headers.get(b"content-length", b"0")) > most
    # Who asks before sending is told at once; who sends anyway is heard first.
    asks = b"expect" in headers
    size = 0

    async def bounded() -> Message:
        nonlocal size, over, asks
        if over:
            if not asks:
                asks = True
                await _thrown_away(receive)
            raise _too_large(upload)
        try:
            async with asyncio.timeout(SECONDS_TO_SEND):
                message = await receive()
        except TimeoutError:
            raise ClientDisconnect from None
        size += len(message.get("body", b""))
        over = size > most
        return await bounded() if over else message

    return bounded


async def _thrown_away(receive: Receive) -> None:
    left, more = DRAIN_BYTES, True
    while more and left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        more = message.get("more_body", False)


def _too_large(upload: int) -> TooLargeError:
    problem = f"uploads of up to {upload // 2**20:,} MB are taken"
    return TooLargeError(Problem(path="/file", problem=problem, remedy="Compress it, split it, or run it where it is"))
