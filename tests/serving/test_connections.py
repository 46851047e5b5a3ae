"""Connections that bring no request are closed, and hold nobody up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from serving import connections, running

WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SECONDS = 0.5


async def hello(request: Request) -> PlainTextResponse:
    """Answers with the length of the body."""
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server of the service's own settings, with little patience and few connections."""
    monkeypatch.setattr(connections, "HEADER_SECONDS", SECONDS)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 20)
    config = running.server_config(Starlette(routes=[Route("/", hello, methods=["GET", "POST"])]))
    config.lifespan = "off"
    server = uvicorn.Server(config)
    with running.listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()


def connect(port: int, sent: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(sent)
    return connection


def answered(port: int) -> bool:
    with connect(port, WHOLE) as connection:
        return connection.recv(1000).startswith(b"HTTP/1.1 200")


def closed_after(connection: socket.socket) -> float:
    """The seconds until the other side closes a connection."""
    began = time.monotonic()
    try:
        while connection.recv(1000):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - began


@pytest.mark.parametrize("sent", [b"", b"GET / HT", WHOLE[:-2], b"POST / HTTP/1.1\r\nHost: x\r\nContent-Le"])
def test_a_request_that_does_not_come_is_not_waited_for(port: int, sent: bytes) -> None:
    with connect(port, sent) as connection:
        assert SECONDS / 2 < closed_after(connection) < 5


def test_nor_one_whose_head_comes_drop_by_drop(port: int) -> None:
    with connect(port) as connection:
        began = time.monotonic()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() - began < 5:
                connection.sendall(b"a")
                time.sleep(0.05)
        assert time.monotonic() - began < 5


def test_nor_the_second_of_a_connection(port: int) -> None:
    with connect(port, WHOLE) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        connection.sendall(WHOLE[:10])
        assert closed_after(connection) < 5


def test_a_body_may_take_longer(port: int) -> None:
    with connect(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab") as connection:
        time.sleep(2 * SECONDS)
        connection.sendall(b"cd" + WHOLE)
        answers = b""
        while answers.count(b"HTTP/1.1 200") < 2:
            answers += connection.recv(1000) or pytest.fail(f"closed after {answers!r}")


def test_half_open_connections_deafen_nobody(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_SECONDS", 60)
    with ExitStack() as held:
        opened = [held.enter_context(connect(port, WHOLE[:10])) for _ in range(100)]
        began = time.monotonic()
        assert answered(port)
        assert time.monotonic() - began < 2
        # The oldest went for the newest.
        assert closed_after(opened[0]) < 2
    assert answered(port)
