"""Sessions of people: a browser that has shown a key is known by a cookie until it signs out or its time is over.

`/sign-in` takes a key in the body of a form, `/sign-out` ends the session. The cookie holds 256 random bits and nothing
else; the key stays in the memory of this process, which is why a restart ends every session, and why `bentoml serve`,
which may start several, leaves people with the browser's own dialogue (Basic). Each request of a session goes on
with its key, so that a key that is revoked or has expired ends its sessions with the next request.

A browser keeps the cookie only of a connection that nobody can read: over TLS, or on the machine itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import ClassVar
from urllib.parse import parse_qs

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.callers import in_session
from serving.key_file import has_keys, key_place, keys_are_named
from serving.keys import is_loopback
from serving.pages.rendering import page

COOKIE = "__Host-session"
"""The prefix makes browsers refuse it unless it is secure, of this host alone and for all paths."""
ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict"
IDLE_SECONDS, MOST_SECONDS = 30 * 60, 8 * 3600
"""A session ends after so long without a request, and after so long in any case."""
MAX_SESSIONS, MAX_FORM_BYTES, FORM_SECONDS = 10_000, 4_096, 10.0
SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
log = logging.getLogger("tender_risk")
CHECKED = "/page.js"
"""What is asked for with a key to see whether it opens: it has no scope, and costs nothing."""


class Session(msgspec.Struct):
    """A key, and when its session began and was last used (monotonic seconds)."""

    key: str
    began: float
    used: float


class Sessions:
    """The sessions of this process, by the digests of their tokens."""

    def __init__(self) -> None:
        self._sessions: dict[bytes, Session] = {}

    def begin(self, key: str) -> str:
        """The token of a new session. The oldest one ends where there are too many."""
        now, token = time.monotonic(), secrets.token_urlsafe(32)
        for digest in [digest for digest, session in self._sessions.items() if _is_over(session, now)]:
            del self._sessions[digest]
        if len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[_digest(token)] = Session(key, now, now)
        return token

    def key(self, token: str) -> str:
        """The key of a session; blank for one that is over or never was. It is used by this."""
        session, now = self._sessions.get(_digest(token)), time.monotonic()
        if session is None or _is_over(session, now):
            self.end(token)
            return ""
        session.used = now
        return session.key

    def end(self, token: str) -> None:
        """Ends a session, if there is one."""
        self._sessions.pop(_digest(token), None)


def _is_over(session: Session, now: float) -> bool:
    return now - session.used >= IDLE_SECONDS or now - session.began >= MOST_SECONDS


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def note_absence() -> None:
    """Says in the log where keys are required and people get no sessions."""
    if not SessionGate.is_on and has_keys():
        log.warning("people get no sessions, their browsers send the key with each request: use 'tender-risk serve'")


class SessionGate:
    """ASGI middleware before the keys: it signs in and out, and puts the key of a session to its requests."""

    is_on: ClassVar[bool] = False
    """Whether this process is the only one that answers; `serving.running` says so."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.sessions = Sessions()
        self._keys, self._file = keys_are_named(), key_place()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.is_on or scope["type"] != "http" or not (self._keys or self._file.exists()):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        token = _token(headers)
        if scope["path"] == SIGN_IN and scope["method"] == "POST":
            await (await self._sign_in(scope, receive, token))(scope, receive, send)
        elif scope["path"] == SIGN_IN and scope["method"] in ("GET", "HEAD"):
            await _sign_in_page(HTTPStatus.OK)(scope, receive, send)
        elif scope["path"] == SIGN_OUT and scope["method"] == "POST":
            self.sessions.end(token)
            await _signed_out()(scope, receive, send)
        elif "Authorization" in headers:
            await self.app(scope, receive, send)
        elif key := self.sessions.key(token) if token else "":
            await self._with_session(key, scope, receive, send)
        else:
            await self._without(headers, scope, receive, send)

    async def _sign_in(self, scope: Scope, receive: Receive, earlier: str) -> Response:
        try:
            async with asyncio.timeout(FORM_SECONDS):
                body = await _body(receive)
        except TimeoutError:
            return _sign_in_page(HTTPStatus.REQUEST_TIMEOUT)
        key = parse_qs(body.decode("utf-8", "replace")).get("key", [""])[0].strip()
        status = await self._status_with(key, scope) if key else HTTPStatus.UNAUTHORIZED
        if status != HTTPStatus.OK:
            return _sign_in_page(status)
        # A token of before is of no use any more: whoever planted it knows none of this session.
        self.sessions.end(earlier)
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
        response.headers["Set-Cookie"] = f"{COOKIE}={self.sessions.begin(key)}; {ATTRIBUTES}; Max-Age={MOST_SECONDS}"
        return response

    async def _status_with(self, key: str, scope: Scope) -> int:
        """What the keys' own guard answers with this key: it counts wrong ones and lets them wait."""
        inner = {**scope, "method": "GET", "path": CHECKED, "raw_path": CHECKED.encode(), "query_string": b""}
        inner["headers"] = [*((b"host", host) for name, host in scope["headers"] if name == b"host"), _bearer(key)]
        statuses: list[int] = []

        async def nothing() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def look(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await self.app(inner, nothing, look)
        return statuses[0]

    async def _with_session(self, key: str, scope: Scope, receive: Receive, send: Send) -> None:
        async def unkept(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Nothing of a session is in the browser once it has ended.
                MutableHeaders(scope=message)["Cache-Control"] = "no-store"
            await send(message)

        known = in_session.set(True)
        try:
            await self.app({**scope, "headers": [*scope["headers"], _bearer(key)]}, receive, unkept)
        finally:
            in_session.reset(known)

    async def _without(self, headers: Headers, scope: Scope, receive: Receive, send: Send) -> None:
        """A person who has no session is asked for a key where a browser would keep the cookie."""
        server = (scope.get("server") or (None,))[0]
        is_person = headers.get("Accept", "").startswith("text/html")
        if not is_person or not (scope.get("scheme") == "https" or is_loopback(server)):
            await self.app(scope, receive, send)
            return
        is_refused = False

        async def ask(message: Message) -> None:
            nonlocal is_refused
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.UNAUTHORIZED:
                is_refused = True
                await _sign_in_page(HTTPStatus.UNAUTHORIZED)(scope, receive, send)
            elif not is_refused:
                await send(message)

        await self.app(scope, receive, ask)


def _bearer(key: str) -> tuple[bytes, bytes]:
    return b"authorization", b"Bearer " + key.encode("utf-8", "surrogateescape")


def _token(headers: Headers) -> str:
    try:
        cookie = SimpleCookie(headers.get("Cookie", "")[:MAX_FORM_BYTES]).get(COOKIE)
    except CookieError:
        return ""
    return cookie.value if cookie else ""


async def _body(receive: Receive) -> bytes:
    """The body of a form, up to MAX_FORM_BYTES of it."""
    body, more = b"", True
    while more and len(body) < MAX_FORM_BYTES:
        message = await receive()
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)
    return body[:MAX_FORM_BYTES]


def _sign_in_page(status: int) -> Response:
    response = page("sign_in.html", status, here=SIGN_IN, wrong=status != HTTPStatus.OK)
    response.headers["Cache-Control"] = "no-store"
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _signed_out() -> Response:
    response = RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
    response.headers["Set-Cookie"] = f"{COOKIE}=; {ATTRIBUTES}; Max-Age=0"
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response
