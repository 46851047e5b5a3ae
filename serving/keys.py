"""API keys, required on every address that is not loopback.

TENDER_RISK_KEYS holds keys separated by commas; TENDER_RISK_KEYS_FILE names a file with one key a line. Programs send
`Authorization: Bearer KEY`; browsers ask for a password, which is the key, under any name.

The file is read again when it changes, so that a key is added and removed without a restart. Where keys should be and
are not valid, nobody is let in.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import logging
import os
import stat
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TypeAlias

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.answers import ErrorAnswer, json_response
from tenders.errors import TenderRiskError, UnreachableError, UsageError

KEYS, KEYS_FILE = "TENDER_RISK_KEYS", "TENDER_RISK_KEYS_FILE"
# Monitoring has no key.
OPEN_PATHS = frozenset({"/healthz", "/livez", "/readyz"})
MIN_LENGTH = 16
"""Characters of a key. Drawn at random, so many cannot be guessed over a network."""
MAX_FILE_BYTES = 2**20
REMEDY = 'Make one with: python3 -c "import secrets; print(secrets.token_urlsafe(32))"'
MAX_WRONG, WRONG_SECONDS = 20, 60.0
"""So many wrong keys of one address in so many seconds; further ones are not looked at until these have passed."""
MAX_CLIENTS = 10_000
"""Addresses of which is known which keys they sent."""

FileState: TypeAlias = tuple[int, ...]

log = logging.getLogger("tender_risk.keys")


def configured(environment: Mapping[str, str] = os.environ) -> frozenset[bytes]:
    """The keys in the environment and the key file; none only if both are left out.

    Raises UsageError for a key that is too short, a file that other users can read, and where there should be keys and
    are none; UnreachableError if the file cannot be read.
    """
    keys = _checked(environment.get(KEYS, "").split(","), KEYS) if environment.get(KEYS) else frozenset()
    if file := environment.get(KEYS_FILE):
        lines = _read(Path(file)).splitlines()
        keys |= _checked([line for line in lines if not line.startswith("#")], f"{KEYS_FILE}: {file}")
    return keys


def _checked(texts: list[str], where: str) -> frozenset[bytes]:
    """Keys without the space around them. Raises UsageError, which never quotes a key."""
    keys = [text.strip() for text in texts if text.strip()]
    if not keys:
        raise UsageError(f"{where} holds no key. {REMEDY}")
    if any(len(key) < MIN_LENGTH for key in keys):
        raise UsageError(f"{where}: a key has fewer than {MIN_LENGTH} characters. {REMEDY}")
    return frozenset(key.encode("utf-8", "surrogateescape") for key in keys)


def _read(file: Path) -> str:
    try:
        # Before it is opened: to open a pipe would wait for who writes into it.
        if not stat.S_ISREG(file.stat().st_mode):
            raise UsageError(f"{KEYS_FILE}: {file} is no plain file")
        with file.open("rb") as content:
            if os.fstat(content.fileno()).st_mode & stat.S_IRWXO:
                raise UsageError(f"{KEYS_FILE}: every user of this machine can open {file}. Run: chmod 600 {file}")
            data = content.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise UsageError(f"{KEYS_FILE}: {file} is larger than {MAX_FILE_BYTES // 2**20} MB")
        return data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreachableError(f"{KEYS_FILE}: {file} cannot be read: {type(error).__name__}") from None


def is_loopback(host: str | None) -> bool:
    """Whether an address can only be reached from this machine. A socket file (None) can."""
    if host is None or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


class CurrentKeys:
    """The keys as they are now. Without any at the start there are none later either.

    Raises as `configured` does when it is made. A file that is not valid later leaves no key at all.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = dict(environment)
        self._file = environment.get(KEYS_FILE)
        self._state = self._file_state()
        self._keys = configured(self._environment)
        self.required = bool(self._keys)

    def current(self) -> frozenset[bytes]:
        """The keys that open; the file is read again if it has changed."""
        if self._file and (state := self._file_state()) != self._state:
            self._state = state
            try:
                self._keys = configured(self._environment)
                log.warning("the key file was read again: %d keys", len(self._keys))
            except TenderRiskError as error:
                self._keys = frozenset()
                log.error("no key opens until this is mended: %s", error)
        return self._keys

    def _file_state(self) -> FileState:
        try:
            found = Path(self._file).stat() if self._file else None
        except OSError:
            found = None
        return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_mode) if found else ()


class _Client(msgspec.Struct):
    """What one address sent: how many wrong keys since a time, and the keys that opened."""

    since: float = 0.0
    wrong: int = 0
    opened: set[bytes] = msgspec.field(default_factory=set)


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

    def opened(self, address: str) -> set[bytes]:
        """The keys that have opened from an address."""
        client = self._clients.get(address)
        return client.opened if client else set()

    def note(self, address: str, key: bytes, is_right: bool) -> None:
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
    """ASGI middleware: 401 without a valid key, 429 after too many wrong ones.

    Without configured keys, only connections that arrive over loopback are answered. The address at which a connection
    arrives decides, so that this holds however the service was started.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.keys = CurrentKeys()
        self.wrong = WrongKeys()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self.app(scope, receive, send)
            return
        if not self.keys.required:
            if is_loopback((scope.get("server") or (None,))[0]):
                await self.app(scope, receive, send)
            else:
                await _refuse(f"no keys are configured, and this is not loopback: set {KEYS}")(scope, receive, send)
            return
        sent, address = _sent_key(dict(scope["headers"]).get(b"authorization", b"")), _network(scope)
        keys, wait = self.keys.current(), self.wrong.seconds_left(address)
        is_right = _is_one_of(sent, keys & self.wrong.opened(address) if wait else keys)
        if sent and not wait:
            self.wrong.note(address, sent, is_right)
        if is_right:
            await self.app(scope, receive, send)
        elif sent and wait:
            answer = json_response(ErrorAnswer(error="too many wrong keys"), HTTPStatus.TOO_MANY_REQUESTS)
            answer.headers["Retry-After"] = str(int(wait) + 1)
            await answer(scope, receive, send)
        else:
            await _refuse("no valid key")(scope, receive, send)


def _refuse(text: str) -> ASGIApp:
    response = json_response(ErrorAnswer(error=text), HTTPStatus.UNAUTHORIZED)
    response.headers["WWW-Authenticate"] = 'Basic realm="Tender Risk", charset="UTF-8", Bearer'
    return response


def _is_one_of(sent: bytes, keys: frozenset[bytes]) -> bool:
    # Every key is compared, each in constant time: the time of an answer reveals nothing.
    return sum(hmac.compare_digest(sent, key) for key in keys) > 0


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
