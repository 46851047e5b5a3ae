"""What /score costs beside an empty async endpoint of the same server: `python -m benchmarks.service [RELEASE]`.

One process serves both, one client asks over one kept connection, and the kinds of request take turns in short runs,
so that whatever else the machine does weighs on all alike.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

from benchmarks.tables import ResultTable, add_output_options, show, write

REPEATS, REQUESTS, WARM_UP = 40, 25, 100
# What is promised: /score takes less than this many times the empty endpoint, at the median.
BAR = 3.0
DRAFT = {
    "title": "Integrated community services",
    "buyer": "An integrated care board",
    "cpv": "85000000",
    "category": "services",
    "value": 590_000_000,
    "currency": "GBP",
    "lots": 1,
    "service_lines": 12,
    "tender_period_days": 35,
    "term_years": 10,
    "procurement_method": "selective",
}


def serve_with_ping() -> None:
    """Serves the product's service with one endpoint more, `/ping`; prints its address."""
    import bentoml

    from serving import running, service

    @service.with_middleware
    @bentoml.service(service_class=service.TrustedService, **service.SETTINGS)
    class WithPing(service.TenderRisk.inner):  # type: ignore[misc, name-defined]
        @bentoml.api(route="/ping")  # type: ignore[untyped-decorator]
        async def ping(self) -> str:
            return ""

    with running.listen("127.0.0.1", 0) as opened:
        address = f"http://127.0.0.1:{opened.getsockname()[1]}"
        running.run(WithPing.to_asgi(), opened, lambda: print(address, flush=True))


def measured(address: str, document: object) -> dict[str, list[float]]:
    """Milliseconds of each request, by kind of request."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    kinds: dict[str, Callable[[], float]] = {
        "ping": lambda: _timed(connection, "/ping", b"{}"),
        "score, explain false": lambda: _timed(connection, "/score", _body(document, False)),
        "score, explain true": lambda: _timed(connection, "/score", _body(document, True)),
    }
    for once in kinds.values():
        for _ in range(WARM_UP):
            once()
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(REPEATS):
        for kind, once in kinds.items():
            times[kind] += [once() for _ in range(REQUESTS)]
    return times


def _body(document: object, explain: bool) -> bytes:
    return json.dumps({"tender": document, "explain": explain}).encode()


def _timed(connection: http.client.HTTPConnection, path: str, body: bytes) -> float:
    started = perf_counter()
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    taken = perf_counter() - started
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}")
    return taken * 1000


def compared(times: dict[str, list[float]]) -> ResultTable:
    """Each kind of request beside the empty endpoint."""
    medians = {kind: statistics.median(taken) for kind, taken in times.items()}
    rows = [
        {
            "request": kind,
            "p50 ms": medians[kind],
            "p99 ms": statistics.quantiles(taken, n=100)[98],
            "p50 / ping": medians[kind] / medians["ping"],
        }
        for kind, taken in times.items()
    ]
    return ResultTable(title=f"one client, {REPEATS} x {REQUESTS} requests of each kind", rows=rows)


def main() -> None:
    """Starts the server, measures, prints; exit 1 if /score takes BAR times the ping or more."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("release", nargs="?", type=Path, help="an OCDS file to score instead of a form")
    arguments.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    add_output_options(arguments)
    chosen = arguments.parse_args()
    if chosen.serve:
        serve_with_ping()
        return
    document = json.loads(chosen.release.read_bytes()) if chosen.release else DRAFT
    command = [sys.executable, "-m", "benchmarks.service", "--serve"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        table = compared(measured(server.stdout.readline().strip(), document))
    finally:
        server.terminate()
        server.wait()
    show(table)
    write("service", [table], chosen)
    raise SystemExit(0 if all(row["p50 / ping"] < BAR for row in table.rows) else 1)


if __name__ == "__main__":
    main()
