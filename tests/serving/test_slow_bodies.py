"""A client that sends its body drop by drop is not waited for, whatever it uploads."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from serving import middleware, running
from serving.answers import error_response
from serving.jobs.settings import settings
from serving.middleware import BodyLimit
from tenders.errors import TenderRiskError, UsageError

LIMIT = BodyLimit(Starlette())


async def size(request: Request) -> Response:
    """How many bytes came, as an upload takes them."""
    count = 0
    try:
        async for chunk in request.stream():
            count += len(chunk)
    except TenderRiskError as error:
        return error_response(error)
    return PlainTextResponse(str(count))


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server of the service's own settings that has half a second of patience where the service has a minute."""
    monkeypatch.setattr(middleware, "TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(LIMIT, "upload_seconds", 60.0)
    LIMIT.app = Starlette(routes=[Route(path, size, methods=["POST"]) for path in ("/jobs", "/score")])
    config = running.server_config(LIMIT)
    config.lifespan = "off"
    server = uvicorn.Server(config)
    with running.listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(20)


def dripped(port: int, path: str, drop: bytes, seconds: float = 5.0) -> tuple[bytes, float]:
    """What a client is answered that sends a drop every 50 ms, and after how long."""
    with socket.create_connection(("127.0.0.1", port), timeout=0.05) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {10**9}\r\n\r\n".encode())
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            connection.sendall(drop)
            try:
                answer, after = connection.recv(1000), time.monotonic() - began
            except TimeoutError:
                continue
            connection.settimeout(5)
            while b"}" not in answer:
                answer += connection.recv(1000) or pytest.fail(f"no whole answer: {answer!r}")
            return answer, after
    return b"", seconds


@pytest.mark.parametrize("path", ["/jobs", "/score"])
def test_a_byte_at_a_time_is_408_soon(port: int, path: str) -> None:
    answer, after = dripped(port, path, b"x")
    assert answer.startswith(b"HTTP/1.1 408")
    assert 0.3 < after < 4
    assert (b"less than 1,024 bytes a second" if path == "/jobs" else b"did not come within") in answer


def test_so_is_one_that_stops(port: int) -> None:
    assert dripped(port, "/jobs", b"")[0].startswith(b"HTTP/1.1 408")


def test_an_upload_that_goes_on_is_waited_for_but_not_for_ever(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LIMIT, "upload_seconds", 1.5)
    answer, after = dripped(port, "/jobs", b"x" * 2_000)
    assert answer.startswith(b"HTTP/1.1 408")
    assert after > 1.2
    assert b"see TENDER_RISK_UPLOAD_MINUTES" in answer


def test_the_time_is_set_in_minutes() -> None:
    assert (settings({}).upload_minutes, settings({"TENDER_RISK_UPLOAD_MINUTES": "5"}).upload_minutes) == (120, 5)
    with pytest.raises(UsageError, match="TENDER_RISK_UPLOAD_MINUTES: expected a whole number"):
        settings({"TENDER_RISK_UPLOAD_MINUTES": "soon"})
