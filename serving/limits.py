"""No more of a body than we read: 413, also for bodies that do not say how long they are."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.answers import refusal
from tenders import reading

# A client that is still sending does not read: it would see a broken connection, not the 413. So the rest
# is received and thrown away, up to this many bytes.
DRAIN_BYTES = 8 * reading.MAX_BYTES


class BodyLimit:
    """ASGI middleware: hands on whole bodies of at most `reading.MAX_BYTES`, answers 413 to larger ones."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        body, size = await _received(receive)
        if body is None:
            await refusal(reading.too_large(size))(scope, receive, send)
            return
        await self.app(scope, _replayed(body, receive), send)


async def _received(receive: Receive) -> tuple[bytes | None, int]:
    """The body, or None if it is too large, and how many bytes came."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= reading.MAX_BYTES:
            chunks.append(chunk)
        else:
            chunks.clear()
        if not message.get("more_body", False) or size > DRAIN_BYTES:
            break
    return (b"".join(chunks) if size <= reading.MAX_BYTES else None), size


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
