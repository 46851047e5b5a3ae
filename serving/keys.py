"""API keys, required on every address that is not loopback.

TENDER_RISK_KEYS holds keys separated by commas; TENDER_RISK_KEYS_FILE names a file with one key a line. Programs send
`Authorization: Bearer KEY`; browsers ask for a password, which is the key, under any name.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.answers import ErrorAnswer, json_response
from tenders.errors import UnreachableError

KEYS, KEYS_FILE = "TENDER_RISK_KEYS", "TENDER_RISK_KEYS_FILE"
# Monitoring has no key.
OPEN_PATHS = frozenset({"/healthz", "/livez", "/readyz"})


def configured(environment: Mapping[str, str] = os.environ) -> frozenset[bytes]:
    """The keys in the environment and the key file. Raises UnreachableError if the file cannot be read."""
    keys = environment.get(KEYS, "").split(",")
    if file := environment.get(KEYS_FILE):
        try:
            lines = Path(file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UnreachableError(f"{KEYS_FILE}: {file} cannot be read: {type(error).__name__}") from None
        keys += [line for line in lines if not line.startswith("#")]
    return frozenset(key.strip().encode() for key in keys if key.strip())


def is_loopback(host: str | None) -> bool:
    """Whether an address can only be reached from this machine. A socket file (None) can."""
    if host is None or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


class KeyGuard:
    """ASGI middleware: 401 without a valid key.

    Without configured keys, only connections that arrive over loopback are answered. The address at which a connection
    arrives decides, so that this holds however the service was started.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.keys = configured()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS or self._admits(scope):
            await self.app(scope, receive, send)
            return
        text = "no valid key" if self.keys else f"no keys are configured, and this is not loopback: set {KEYS}"
        response = json_response(ErrorAnswer(error=text), 401)
        response.headers["WWW-Authenticate"] = 'Basic realm="Tender Risk", charset="UTF-8", Bearer'
        await response(scope, receive, send)

    def _admits(self, scope: Scope) -> bool:
        if not self.keys:
            return is_loopback((scope.get("server") or (None,))[0])
        sent = _sent_key(dict(scope["headers"]).get(b"authorization", b""))
        # Every key is compared, each in constant time: the time of an answer reveals nothing.
        return sum(hmac.compare_digest(sent, key) for key in self.keys) > 0


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
