"""Starts the service in one process: uvicorn around BentoML's own application.

`bentoml serve` starts a supervisor and then workers; one process starts in half the time. For several workers or
containers use `bentoml serve serving.service:TenderRisk`. With a certificate it speaks TLS alone (`serving.tls`).
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import uvicorn
from starlette.types import ASGIApp

from serving import keys
from serving.connections import BoundedProtocol
from serving.jobs.settings import settings
from serving.key_file import KEYS_FILE
from serving.tls import CERTIFICATE, tls_context
from tenders.errors import UnreachableError, UsageError

LOG, LEVELS = "TENDER_RISK_LOG", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_FORMAT, FORMATS = "TENDER_RISK_LOG_FORMAT", ("text", "json")
# A client that never finishes its request does not hold up the end.
SHUTDOWN_SECONDS = 10
log = logging.getLogger("tender_risk")


class JsonLines(logging.Formatter):
    """Each record as one line of JSON; what a request's record says of it are fields of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode({**line, **getattr(record, "about", {})}).decode()


def print_address(url: str) -> None:
    """Prints the address at once, also into a pipe."""
    print(f"Tender Risk answers at {url} (Ctrl+C stops it)", flush=True)


def serve(host: str = "127.0.0.1", port: int = 3000, announce: Callable[[str], None] = print_address) -> None:
    """Serves until SIGTERM or SIGINT; `announce` gets the address as soon as requests are answered.

    Port 0 takes a free one. Raises UsageError for an address beyond loopback without keys or for a setting that is not
    valid, UnreachableError if the address or the key file cannot be used, BundleError without a model to serve.
    """
    if not keys.configured() and not keys.is_loopback(host):
        raise UsageError(
            f"{host} can be reached from other machines, so keys are required: set {KEYS_FILE}, or make a key with: "
            "tender-risk keys add NAME"
        )
    # A setting that is not valid is an error of the command, not of the first upload.
    settings()
    tls = tls_context()
    level = _choice(LOG, LEVELS, "WARNING")
    as_json = _choice(LOG_FORMAT, FORMATS, "text") == "json"
    with listen(host, port) as listener:
        # Imported late: it takes a second or two, and the checks above should not wait for it.
        from serving.audit.trail import served_trail
        from serving.middleware import SERVED_HOSTS, host_name
        from serving.pages.drafts import draft_place
        from serving.service import TenderRisk, first_served
        from serving.sessions import SessionGate
        from serving.shadow import chosen_shadow

        chosen_shadow()
        draft_place()
        # A trail that cannot be written, like a bad bundle, is an error of the command and not of the first request.
        served_trail()
        # Loaded here, so that a bad bundle is an error of the command and not of the server inside it.
        first_served()
        # One line a request, on stderr; never headers, so never a key.
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.basicConfig(level=level, handlers=[handler])
        SessionGate.is_on = True
        SERVED_HOSTS.add(host_name(f"[{host}]" if ":" in host else host))
        if not tls and not keys.is_loopback(host):
            log.warning("what is sent here can be read on the way, unless a proxy ends TLS: set %s", CERTIFICATE)
        url = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"
        application = TenderRisk.to_asgi()  # type: ignore[attr-defined]
        run(application, listener, lambda: announce(url), tls)


def _choice(name: str, choices: tuple[str, ...], default: str) -> str:
    """The value of a variable, in whatever letters. Raises UsageError."""
    value = os.environ.get(name, "").strip() or default
    known = next((choice for choice in choices if choice.lower() == value.lower()), None)
    if known is None:
        raise UsageError(f"{name}: expected one of {', '.join(choices)}, got {value[:40]!r}")
    return known


def run(
    application: ASGIApp, listener: socket.socket, on_ready: Callable[[], None], tls: ssl.SSLContext | None = None
) -> None:
    """Runs an ASGI application on a listening socket until SIGTERM or SIGINT; calls `on_ready` once it answers."""
    config = server_config(application, tls)
    # Once it has shut down, uvicorn raises the signal again for whoever handled it before: nobody, so that the command
    # ends with 0.
    handlers = {number: signal.signal(number, _ignore) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        _Server(config, on_ready).run(sockets=[listener])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def server_config(application: ASGIApp, tls: ssl.SSLContext | None = None) -> uvicorn.Config:
    """uvicorn's settings for an application; with `tls`, nothing is answered without it."""
    # `serving.middleware` logs requests, and leaves out what names a job.
    config = uvicorn.Config(
        application,
        http=BoundedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # A page's address holds its draft (`serving.pages.drafts.MAX_ADDRESS`).
        h11_max_incomplete_event_size=2**17,
        lifespan="on",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        # No request sees what an earlier one of its connection set.
        reset_contextvars=True,
    )
    config.load()
    config.ssl = tls
    return config


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.on_ready()


def _ignore(*_: object) -> None:
    pass


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises UnreachableError."""
    try:
        # The port is left out: getaddrinfo would take 70,000 for 4,464.
        family, kind, protocol, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UnreachableError(f"{host!r} is no address to listen at: {error}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address[0], port, *address[2:]))
        # Now, and not when the model is loaded: a second process would get the port as well until then.
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreachableError(f"cannot listen at {host}:{port}: {why}. Choose another with --port") from None
    return listener
