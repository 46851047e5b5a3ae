"""What each page costs beside /score, and what it weighs: `python -m benchmarks.pages`.

One client over one kept connection; the pages take turns in short runs, so that whatever else the machine does weighs
on all alike.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter
from urllib.parse import urlencode, urlsplit

from benchmarks.service import DRAFT
from benchmarks.tables import ResultTable, add_output_options, show, write

REPEATS, REQUESTS, WARM_UP = 20, 5, 10
# What is promised: a page takes less than this many times /score, at the median, and weighs less than this.
BAR, LIGHT = 3.0, 150_000
FORM = urlencode(DRAFT).encode()
PAGES = {
    "/answer": FORM,
    "/desk/stages": FORM,
    "/": FORM,
    "/desk/suggestions": FORM,
    "/desk/comparables": FORM,
    "/desk/unknown": FORM,
    "/desk/report": FORM,
    "/casebook": None,
    "/casebook/NHS002": None,
    "/about": None,
    "/portfolio": None,
}
"""None is a GET."""


def measured(address: str) -> dict[str, tuple[float, int]]:
    """Median milliseconds and bytes of each kind of request."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    body = json.dumps({"tender": DRAFT}).encode()
    kinds: dict[str, Callable[[], tuple[float, int]]] = {
        name: lambda name=name: _timed(connection, name, body, "application/json") for name in ("/score", "/suggest")
    }
    kinds |= {
        f"page {path}": lambda path=path, sent=sent: _timed(connection, path, sent, "application/x-www-form-urlencoded")
        for path, sent in PAGES.items()
    }
    times: dict[str, list[tuple[float, int]]] = {kind: [] for kind in kinds}
    for once in kinds.values():
        for _ in range(WARM_UP):
            once()
    for _ in range(REPEATS):
        for kind, once in kinds.items():
            times[kind] += [once() for _ in range(REQUESTS)]
    return {kind: (statistics.median(ms for ms, _ in rounds), rounds[-1][1]) for kind, rounds in times.items()}


def _timed(connection: http.client.HTTPConnection, path: str, body: bytes | None, kind: str) -> tuple[float, int]:
    started = perf_counter()
    connection.request("POST" if body else "GET", path, body, {"Content-Type": kind} if body else {})
    answer = connection.getresponse()
    size = len(answer.read())
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}")
    return (perf_counter() - started) * 1000, size


def main() -> None:
    """Starts the service, measures, prints; exit 1 if a page is dearer or heavier than promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_output_options(parser)
    options = parser.parse_args()
    start = "from serving.running import serve; serve('127.0.0.1', 0, lambda url: print(url, flush=True))"
    server = subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        medians = measured(server.stdout.readline().strip())
    finally:
        server.terminate()
        server.wait()
    score = medians["/score"][0]
    rows = [
        {"request": kind, "p50 ms": taken, "p50 / score": taken / score, "bytes": size}
        for kind, (taken, size) in medians.items()
    ]
    table = ResultTable(title=f"one client, {REPEATS} x {REQUESTS} requests of each kind", rows=rows)
    show(table)
    write("pages", [table], options)
    pages = [costs for kind, costs in medians.items() if kind.startswith("page")]
    raise SystemExit(0 if all(taken < BAR * score and size < LIGHT for taken, size in pages) else 1)


if __name__ == "__main__":
    main()
