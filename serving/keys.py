"""API keys, required on every address that is not loopback.

TENDER_RISK_KEYS_FILE names a key file (`serving.key_file`), by default `keys.jsonl` in the data directory;
TENDER_RISK_KEYS holds keys separated by commas. Programs send `Authorization: Bearer KEY`; browsers ask for a password,
which is the key, under any name.

The file is read again when it changes, so that a key is added and revoked without a restart. Where keys should be and
are not valid, nobody is let in.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ipaddress
import logging
import os
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TypeAlias

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.answers import ErrorAnswer, json_response
from serving.audit.noting import note_keys
from serving.callers import current_caller
from serving.key_file import KEYS, KEYS_FILE, REMEDY, ApiKey, digest, key_place, plain_keys, read_keys, today
from tenders.errors import TenderRiskError, UsageError

# Monitoring has no key.
OPEN_PATHS = frozenset({"/healthz", "/livez", "/readyz"})
PUBLIC_FILES = frozenset({"/style.css"})
"""What the page to sign in needs, where nobody has sent a key yet."""
PORTFOLIO_PATHS = ("/jobs", "/portfolio")
"""Beginnings of the addresses that need the scope portfolio."""
SCORE_PATHS = ("/score", "/score_many", "/what_if", "/suggest", "/comparables", "/answer", "/desk/", "/")
"""Addresses that need the scope score; those that end with a slash begin others."""
MAX_WRONG, WRONG_SECONDS = 20, 60.0
"""So many wrong keys of one address in so many seconds; further ones are not looked at until these have passed."""
WRONG_DELAY = 0.1
"""Seconds that the answer to a wrong key waits."""
MAX_CLIENTS = 10_000
"""Addresses of which is known which keys they sent."""

KEY_NAME = "tender_risk.key"
"""Where a request's scope has the name of its key, for the log."""

FileState: TypeAlias = tuple[int, ...]
KeyNote: TypeAlias = Callable[[set[str], str], None]

log = logging.getLogger("tender_risk.keys")


def configured(environment: Mapping[str, str] = os.environ) -> dict[str, ApiKey]:
    """The keys in the environment and the key file, by their digests; none only if there is no place with keys.

    Raises UsageError for a key that is too short, a file that other users can read, and where there should be keys and
    are none; UnreachableError if the file cannot be read.
    """
    keys: list[ApiKey] = []
    if environment.get(KEYS):
        keys += _some(plain_keys(environment.get(KEYS, "").split(","), KEYS), KEYS)
    file = key_place(environment)
    if environment.get(KEYS_FILE) or file.exists():
        where = KEYS_FILE if environment.get(KEYS_FILE) else "keys"
        keys += _some(read_keys(file, where), f"{where}: {file}")
    return {key.sha256: key for key in keys}


def _some(keys: list[ApiKey], where: str) -> list[ApiKey]:
    if not keys:
        raise UsageError(f"{where} holds no key. {REMEDY}")
    return keys


def is_loopback(host: str | None) -> bool:
    """Whether an address can only be reached from this machine. A socket file (None) can."""
    if host is None or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


class CurrentKeys:
    """The keys as they are now. Once there are some, there is no way in without one, also if they are lost.

    Raises as `configured` does when it is made. A file that is not valid later leaves no key at all. `note` is given
    the keys that open, and what has changed: a file that was edited by hand leaves no other trace.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ, note: KeyNote = lambda *_: None) -> None:
        self._environment = dict(environment)
        self._note = note
        self._file = key_place(environment)
        self._state = self._file_state()
        self._keys = configured(self._environment)
        self.required = bool(self._keys)
        if self.required:
            self._note(_labels(self._keys), "")

    def current(self) -> Mapping[str, ApiKey]:
        """The keys that open, by their digests; the file is read again if it has changed."""
        if (state := self._file_state()) != self._state:
            self._state = state
            before = _labels(self._keys)
            try:
                self._keys = configured(self._environment)
                log.warning("the key file was read again: %d keys", len(self._keys))
            except TenderRiskError as error:
                self._keys = {}
                log.error("no key opens until this is mended: %s", error)
            self.required = True
            now = _labels(self._keys)
            new, gone = ", ".join(sorted(now - before)), ", ".join(sorted(before - now))
            self._note(now, "; ".join(filter(None, [new and f"new: {new}", gone and f"gone: {gone}"])))
        return self._keys

    def _file_state(self) -> FileState:
        try:
            status = self._file.stat()
        except OSError:
            status = None
        return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_mode) if status else ()


def _labels(keys: Mapping[str, ApiKey]) -> set[str]:
    """How the trail calls keys: by name, id and scopes."""
    return {f"{key.name} {key.id} ({', '.join(key.scopes)})" for key in keys.values()}


class KeyUse:
    """How much each key is used now: requests at once, and in this minute. Each process counts for itself."""

    def __init__(self) -> None:
        self._running: dict[str, int] = {}
        self._minutes: dict[str, tuple[int, int]] = {}

    def begin(self, key: ApiKey) -> int:
        """Counts a request; 0 if it may go on, else the seconds after which it may."""
        if self._running.get(key.sha256, 0) >= key.at_once:
            return 1
        now = time.monotonic()
        minute, used = self._minutes.get(key.sha256, (0, 0))
        if minute != int(now // 60):
            minute, used = int(now // 60), 0
        if key.per_minute is not None and used >= key.per_minute:
            return 60 - int(now % 60)
        self._minutes[key.sha256] = (minute, used + 1)
        self._running[key.sha256] = self._running.get(key.sha256, 0) + 1
        return 0

    def end(self, key: ApiKey) -> None:
        """Counts the end of a request that had begun."""
        self._running[key.sha256] -= 1
        if not self._running[key.sha256]:
            del self._running[key.sha256]


class _Client(msgspec.Struct):
    """What one address sent: how many wrong keys since a time, and the keys that opened."""

    since: float = 0.0
    wrong: int = 0
    opened: set[str] = msgspec.field(default_factory=set)


class WrongKeys:
    """Counts the wrong keys of each address, and lets it wait after MAX_WRONG.

    A key that has opened from the address before opens meanwhile: behind one proxy, one user must not lock out another.
    """

    def __init__(self) -> None:
        self._clients: dict[str, _Client] = {}

    def seconds_left(self, address: str) -> float:
        """How long the keys of an address are not looked at; 0 if they are."""
        client = self._clients.get(address)
        if client is None or client.wrong < MAX_WRONG:
            return 0.0
        return max(client.since + WRONG_SECONDS - time.monotonic(), 0.0)

    def opened(self, address: str) -> set[str]:
        """The digests of the keys that have opened from an address."""
        client = self._clients.get(address)
        return client.opened if client else set()

    def note(self, address: str, key: str, is_right: bool) -> None:
        """Counts a key that was looked at."""
        client = self._clients.get(address)
        if client is None:
            if len(self._clients) >= MAX_CLIENTS:
                self._clients.pop(next(iter(self._clients)))
            client = self._clients[address] = _Client()
        if is_right:
            client.opened.add(key)
            return
        if time.monotonic() - client.since >= WRONG_SECONDS:
            client.since, client.wrong = time.monotonic(), 0
        client.wrong += 1


class KeyGuard:
    """ASGI middleware: 401 without a valid key, 403 without the scope, 429 after too many wrong keys or requests.

    Without configured keys, only connections that arrive over loopback are answered. The address at which a connection
    arrives decides, so that this holds however the service was started.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.keys = CurrentKeys(note=note_keys)
        self.wrong = WrongKeys()
        self.use = KeyUse()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS | PUBLIC_FILES:
            await self.app(scope, receive, send)
            return
        keys = self.keys.current()
        if self.keys.required:
            await self._with_key(keys, scope, receive, send)
        elif is_loopback((scope.get("server") or (None,))[0]):
            await self.app(scope, receive, send)
        else:
            await _refuse(f"no keys are configured, and this is not loopback: set {KEYS_FILE}")(scope, receive, send)

    async def _with_key(self, keys: Mapping[str, ApiKey], scope: Scope, receive: Receive, send: Send) -> None:
        sent, address = _sent_key(dict(scope["headers"]).get(b"authorization", b"")), _network(scope)
        # Keys are compared by their digests: how long that takes tells nothing of the keys.
        sent_digest = digest(sent) if sent else ""
        key, wait = keys.get(sent_digest), self.wrong.seconds_left(address)
        if wait and sent_digest not in self.wrong.opened(address):
            key = None
        if sent and not wait:
            self.wrong.note(address, sent_digest, key is not None)
        if key is None:
            await self._without(sent, wait)(scope, receive, send)
        elif key.has_expired(today()):
            log.warning("the key %s of %s expired on %s", key.id, key.name, key.expires)
            await _refuse("the key has expired")(scope, receive, send)
        elif not key.caller.may(needed := scope_of(scope["path"])):
            await json_response(ErrorAnswer(error=f"this key has not the scope {needed}"), HTTPStatus.FORBIDDEN)(
                scope, receive, send
            )
        else:
            await self._counted(key, scope, receive, send)

    async def _counted(self, key: ApiKey, scope: Scope, receive: Receive, send: Send) -> None:
        if seconds := self.use.begin(key):
            await _too_many("this key has too many requests", seconds)(scope, receive, send)
            return
        scope[KEY_NAME] = key.name
        token = current_caller.set(key.caller)
        try:
            await self.app(scope, receive, send)
        finally:
            current_caller.reset(token)
            self.use.end(key)

    def _without(self, sent: bytes, wait: float) -> ASGIApp:
        if sent and wait:
            return _too_many("too many wrong keys", int(wait) + 1)
        refusal = _refuse("no valid key")

        async def later(scope: Scope, receive: Receive, send: Send) -> None:
            if sent:
                await asyncio.sleep(WRONG_DELAY)
            await refusal(scope, receive, send)

        return later


def scope_of(path: str) -> str:
    """The scope that an address needs; blank if any key opens it."""
    if any(path == start or path.startswith(f"{start}/") for start in PORTFOLIO_PATHS):
        return "portfolio"
    is_score = any(
        path == start or (len(start) > 1 and start.endswith("/") and path.startswith(start)) for start in SCORE_PATHS
    )
    return "score" if is_score else ""


def _refuse(text: str) -> ASGIApp:
    response = json_response(ErrorAnswer(error=text), HTTPStatus.UNAUTHORIZED)
    response.headers["WWW-Authenticate"] = 'Basic realm="Tender Risk", charset="UTF-8", Bearer'
    return response


def _too_many(text: str, seconds: int) -> ASGIApp:
    response = json_response(ErrorAnswer(error=text), HTTPStatus.TOO_MANY_REQUESTS)
    response.headers["Retry-After"] = str(seconds)
    return response


def _network(scope: Scope) -> str:
    """The address of the client; of IPv6 the half that names its network, because the other half is its own choice."""
    host = str((scope.get("client") or ("",))[0])
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else host


def _sent_key(header: bytes) -> bytes:
    scheme, _, credentials = header.partition(b" ")
    if scheme.lower() == b"bearer":
        return credentials.strip()
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""
