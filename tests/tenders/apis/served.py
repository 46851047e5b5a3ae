"""APIs as they answer, on this machine: release packages by day and cursor, and notices of TED by day and token."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SIZE = 3
"""Releases a page."""


class Api:
    """What an API has, by day, what it was asked for, and what it answers before it answers properly."""

    def __init__(self, days: dict[str, list[dict[str, Any]]]) -> None:
        self.days = days
        self.queries: list[dict[str, Any]] = []
        self.before: list[tuple[int, dict[str, str], bytes]] = []
        self.url = ""

    def package(self, query: dict[str, str]) -> dict[str, Any]:
        """A page of a day as a release package."""
        day = (query.get("updatedFrom") or query["publishedFrom"])[:10]
        at = int(query.get("cursor", "0=").rstrip("="))
        releases = self.days.get(day, [])
        links = {"next": f"https://elsewhere.example/?limit=9&cursor={at + SIZE}="} if at + SIZE < len(releases) else {}
        return {"uri": "x", "version": "1.1", "releases": releases[at : at + SIZE], "links": links}

    def notices(self, query: dict[str, Any]) -> dict[str, Any]:
        """A page of a day as TED answers: there is always a token."""
        day = query["query"].removeprefix("publication-date=")
        at = int(query.get("iterationNextToken", "0"))
        notices = self.days.get(f"{day[:4]}-{day[4:6]}-{day[6:]}", [])
        return {
            "notices": notices[at : at + SIZE],
            "totalNoticeCount": len(notices),
            "iterationNextToken": str(at + SIZE),
        }


@contextmanager
def served(days: dict[str, list[dict[str, Any]]]) -> Iterator[Api]:
    """An API on a free port of this machine."""
    api = Api(days)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            self.answer(query, api.package)

        def do_POST(self) -> None:
            self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))), api.notices)

        def answer(self, query: dict[str, Any], page: Any) -> None:
            api.queries.append(query)
            status, headers, content = api.before.pop(0) if api.before else (200, {}, b"")
            content = content or json.dumps(page(query)).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.url = f"http://127.0.0.1:{server.server_port}/api"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()


def release(ocid: str, name: str, date: str = "2026-11-02", **tender: Any) -> dict[str, Any]:
    """A release of a call."""
    return {
        "ocid": ocid,
        "id": name,
        "date": f"{date}T09:00:00Z",
        "tag": ["tender"],
        "buyer": {"name": "Borough of A"},
        "tender": {"title": name, "datePublished": f"{date}T09:00:00Z", "lots": [{"id": "1"}], **tender},
    }
