"""No more of a body than we read: 413, whether or not the sender says how long it is."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tenders.io.read import MAX_BYTES


def _chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 2**20):
        yield b" " * 2**20


@pytest.mark.parametrize("path", ["/score", "/score_many", "/"])
def test_a_body_over_the_limit_is_413(http: httpx.Client, path: str) -> None:
    answer = http.post(path, content=b" " * (MAX_BYTES + 1))
    assert answer.status_code == 413
    assert answer.json()["problems"][0]["problem"].endswith("32 MB are read")


def test_also_in_chunks_without_a_length(http: httpx.Client) -> None:
    answer = http.post("/score", content=_chunks(50 * 2**20))
    assert answer.status_code == 413


def test_a_body_of_the_limit_is_read(http: httpx.Client) -> None:
    body = b'{"tender": {"title": "x"}}'
    assert http.post("/score", content=body + b" " * (MAX_BYTES - len(body))).status_code == 200


def test_a_client_that_leaves_does_no_harm(url: str, http: httpx.Client) -> None:
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)) as connection:
        connection.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    assert http.get("/readyz").status_code == 200


def test_a_length_that_is_none_is_refused(url: str) -> None:
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=10) as connection:
        connection.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n{}")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400")
