"""What every request passes: limits on the body, metrics, the log, and health."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from serving import middleware
from serving.answers import PIECE_BYTES
from tenders.io.read import MAX_BYTES
from tests.serving.conftest import address, running


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


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_it_is_healthy(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code == 200


def test_requests_are_counted_by_endpoint_and_status(http: httpx.Client) -> None:
    http.post("/score", json={"tender": {"title": "x"}})
    http.post("/score", json={})
    text = http.get("/metrics").text
    assert 'tender_risk_request_seconds_count{endpoint="/score",method="POST",status="200"}' in text
    assert 'tender_risk_request_seconds_count{endpoint="/score",method="POST",status="400"}' in text


def test_random_paths_do_not_fill_the_metrics(http: httpx.Client) -> None:
    http.get("/random-path-0")
    before = http.get("/metrics").text.count("\n")
    for number in range(1, 100):
        assert http.request("GET" if number % 2 else f"M{number}", f"/random-path-{number}").status_code in (404, 405)
    text = http.get("/metrics").text
    assert "random-path" not in text
    # One more method ("other"), one series of a histogram.
    assert text.count("\n") - before < 50


def test_answers_say_no_version_of_the_server(http: httpx.Client) -> None:
    for path in ("/", "/nowhere", "/healthz"):
        assert "uvicorn" not in http.get(path).headers.get("server", "").lower()
    assert not any(character.isdigit() for character in http.post("/score", json={}).headers["server"])


def test_one_request_is_one_line_of_the_log() -> None:
    with running(TENDER_RISK_LOG="INFO", TENDER_RISK_LOG_FORMAT="json") as process:
        url = address(process)
        httpx.get(f"{url}line%0Abreak%0d%0a2026-01-01 GET '/forged' 200")
        process.terminate()
        text = process.communicate()[1]
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    [one] = [line for line in lines if "forged" in line["message"]]
    assert (one["method"], one["status"], one["key"], one["level"]) == ("GET", 404, "", "INFO")
    assert one["path"].startswith("/line\nbreak") and one["ms"] > 0
    # As text it is one line too.
    assert "\n" not in one["message"]


@pytest.mark.parametrize("path", ["/docs.json", "/readyz", "/nowhere", "/metrics", "/jobs", "/jobs/x", "/cpv?q=care"])
def test_an_answer_is_not_kept_and_is_what_it_says(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("body", [{"tender": {"title": "x"}}, {}, []])
def test_neither_is_a_score(http: httpx.Client, body: object) -> None:
    answer = http.post("/score", json=body)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers.get_list("Cache-Control") == ["no-store"]


def test_a_browser_keeps_what_is_the_same_for_everybody(http: httpx.Client) -> None:
    assert "Cache-Control" not in http.get("/style.css").headers


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1:3000", "127.1.2.3", "[::1]", "[::1]:99", "localhost."]
)
def test_it_answers_to_the_names_of_loopback(http: httpx.Client, host: str) -> None:
    assert http.get("/about", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "192.0.2.1", "localhost.evil.example", "127.0.0.1.evil.example", "[::2]", "[::1", "", "x y"],
)
@pytest.mark.parametrize("path", ["/", "/score/", "/jobs/"])
def test_it_answers_to_no_other_name(http: httpx.Client, host: str, path: str) -> None:
    answer = http.get(path, headers={"Host": host}, follow_redirects=False)
    assert answer.status_code in (400, 421)
    assert "location" not in answer.headers


def test_health_checks_may_use_any_name(http: httpx.Client) -> None:
    assert http.get("/readyz", headers={"Host": "balancer.example"}).status_code == 200


def test_other_names_are_a_setting_and_without_a_trail_nothing_is_kept(tmp_path: Path) -> None:
    settings = {"TENDER_RISK_AUDIT": "off", "TENDER_RISK_DATA": str(tmp_path / "data")}
    with running(TENDER_RISK_HOSTS="Tenders.example.org, 192.0.2.1", **settings) as process:
        url = address(process)
        statuses = [httpx.get(f"{url}about", headers={"Host": host}).status_code for host in HOSTS]
        assert httpx.post(f"{url}score", json={"title": "x", "lots": 1}, timeout=60).status_code == 200
    assert statuses == [200, 200, 200, 421]
    assert not (tmp_path / "data").exists()


HOSTS = ("tenders.example.org", "TENDERS.example.org:443", "192.0.2.1:3000", "example.org")
CROSS_SITE = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://["},
]
CHANGES = [
    ("POST", "/jobs/x/cancel"),
    ("DELETE", "/jobs/x"),
    ("POST", "/portfolio/x/cancel"),
    ("POST", "/portfolio/x/delete"),
]


@pytest.mark.parametrize("headers", CROSS_SITE)
@pytest.mark.parametrize(("method", "path"), [*CHANGES, ("POST", "/score"), ("POST", "/")])
def test_another_sites_page_changes_nothing(
    http: httpx.Client, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = http.request(method, path, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["error"] == "another site's page sent this"


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_our_own_pages_and_programs_do(http: httpx.Client, url: str, method: str, path: str) -> None:
    ours = [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": url.rstrip("/")}]
    assert [http.request(method, path, headers=headers).status_code for headers in ours] == [404] * 4


def test_a_link_from_another_site_is_followed(http: httpx.Client) -> None:
    assert http.get("/about", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


@pytest.mark.parametrize("rank", ["9" * 5_000, "9" * 20, "x", "-1", "%D9%A1"])
def test_a_row_that_cannot_be_is_not_found(http: httpx.Client, rank: str) -> None:
    assert http.get(f"/portfolio/x/row/{rank}").status_code == 404


def test_a_request_with_two_lengths_is_refused_and_its_connection_closed(url: str) -> None:
    head = b"POST /score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=10) as connection:
        connection.sendall(head + b"0\r\n\r\nGET /about HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answer = b""
        while piece := connection.recv(10_000):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400") and answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("sizes", [[0], [5], [2**19], [1, 2, 3], [2**17] * 9, [2**18, 1, 2**19, 7]])
def test_a_body_is_received_in_pieces_that_are_neither_joined_nor_many(sizes: list[int]) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    messages = [{"body": chunk, "more_body": number < len(chunks)} for number, chunk in enumerate(chunks, 1)]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    pieces, size = asyncio.run(middleware._receive_body(receive))
    assert pieces is not None
    assert b"".join(pieces) == b"".join(chunks)
    assert size == sum(sizes)
    assert all(len(piece) >= PIECE_BYTES for piece in list(pieces)[:-1])


def test_a_large_part_of_an_answer_is_sent_in_pieces() -> None:
    body, sent = bytes(range(256)) * 3_000, []

    async def send(message: Any) -> None:
        sent.append((message["body"], message["more_body"]))

    asyncio.run(middleware._send_in_pieces({"type": "http.response.body", "body": body}, send))
    assert b"".join(piece for piece, _ in sent) == body
    assert max(len(piece) for piece, _ in sent) == PIECE_BYTES
    assert [more for _, more in sent] == [True] * (len(sent) - 1) + [False]
