"""Does the service hold under load? `python -m benchmarks.load` asks a real one, three ways one after the other:

- 64 clients ask `/score` for 60 s over kept connections: nothing but 200 and documented 429 or 503, and the slowest
  hundredth takes at most ten times the median;
- they ask until it is 200,000 requests: its memory, printed every tenth, does not grow after the first;
- `/livez` answers within 100 ms, on a connection of its own each time, while a job runs, six bodies of 31 MB are sent
  again and again, and 300 connections have sent half a request. A bare server, which does nothing but answer, takes
  turns with it: where that is late too, the machine was busy.

The clients are a process of their own that speaks HTTP over plain sockets, so that they cost little beside the service.
It ends with 1 if a promise is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.service import DRAFT
from benchmarks.tables import ResultTable, Row, add_output_options, show, write

CLIENTS, SECONDS, REQUESTS, STEPS = 64, 60.0, 200_000, 10
MOST_TIMES, MOST_LIVE_MS = 10.0, 100.0
MOST_GROWTH_MB = 30.0
"""More than this after the first tenth is a leak: a timer for each request kept 4 KB, 700 MB in all."""
BODIES, BODY_MB, HALF_OPEN, LIVE_SECONDS = 6, 31, 300, 30.0
ALLOWED = {200, 429, 503}
LARGE = ("one long text", "many lots", "many forms")
"""The kinds of large bodies: a description, a release with more lots than any has, and a list for /score_many."""
JOB_COPIES = 200
START = "from serving.running import serve; serve('127.0.0.1', 0, lambda url: print(url, flush=True))"


# In the process of the clients.


class Client(asyncio.Protocol):
    """One connection: sends a request, and the next once the answer is there."""

    def __init__(self, request: bytes, until: float, left: list[int], taken: list[float], seen: Counter[int]) -> None:
        self.request, self.until, self.left, self.taken, self.seen = request, until, left, taken, seen
        self.done = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self.buffer, self.begun = bytearray(), 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends the first request."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.send()

    def send(self) -> None:
        """Sends the next request, or ends."""
        assert self.transport is not None
        self.begun = time.perf_counter()
        if self.begun >= self.until or self.left[0] <= 0:
            self.transport.close()
            return
        self.left[0] -= 1
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        """Reads an answer, which says its length."""
        self.buffer += data
        head, blank, body = bytes(self.buffer).partition(b"\r\n\r\n")
        if not blank or len(body) < int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]):
            return
        self.taken.append(time.perf_counter() - self.begun)
        self.seen[int(head[9:12])] += 1
        self.buffer.clear()
        self.send()

    def connection_lost(self, _: Exception | None) -> None:
        """Counts a connection that was closed while an answer was awaited, as status 0."""
        if time.perf_counter() < self.until and self.left[0] > 0:
            self.seen[0] += 1
        if not self.done.done():
            self.done.set_result(None)


async def clients_ask(address: str, clients: int, seconds: float, requests: int) -> tuple[list[float], Counter[int]]:
    """The seconds of each answer, and how often each status came."""
    body = json.dumps({"tender": DRAFT, "explain": False}).encode()
    request = head_of("/score", len(body)) + body
    where = urlsplit(address)
    until, left = time.perf_counter() + seconds, [requests]
    taken: list[float] = []
    seen: Counter[int] = Counter()
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Client(request, until, left, taken, seen), where.hostname, where.port)
        for _ in range(clients)
    ]
    await asyncio.gather(*(client.done for _, client in made))
    return taken, seen


def head_of(path: str, length: int) -> bytes:
    """The head of a POST with so many bytes."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def client_process(address: str, clients: int, seconds: float, requests: int) -> None:
    """Asks, and prints what came of it as JSON."""
    taken, seen = asyncio.run(clients_ask(address, clients, seconds, requests))
    parts = statistics.quantiles(taken, n=1000) if len(taken) > 1 else [0.0] * 999
    summary = {
        "count": len(taken),
        "p50": parts[499],
        "p99": parts[989],
        "most": max(taken, default=0),
        "seen": dict(seen),
    }
    print(json.dumps(summary))


def prober_process(address: str, bare: str, seconds: float) -> None:
    """Asks `/livez` and the bare server in turns; prints the milliseconds of the answers of each as JSON."""
    until = time.monotonic() + seconds
    taken: list[list[float]] = [[], []]
    while time.monotonic() < until:
        for times, server in zip(taken, (address, bare), strict=True):
            times.append(live_milliseconds(server))
            time.sleep(0.02)
    print(json.dumps(taken))


def live_milliseconds(address: str) -> float:
    """How long a server takes to answer `/livez` on a new connection; infinitely long where it does not say 200."""
    where, begun = urlsplit(address), time.perf_counter()
    with socket.create_connection((where.hostname, where.port), timeout=30) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answer = connection.recv(4096)
    return (time.perf_counter() - begun) * 1000 if answer.startswith(b"HTTP/1.1 200") else 1e9


class BareAnswer(asyncio.Protocol):
    """Answers whatever comes, and closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the connection."""
        self.transport = transport

    def data_received(self, _: bytes) -> None:
        """Answers."""
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self.transport.close()


async def bare_server() -> None:
    """Serves nothing but bare answers, and prints its address."""
    server = await asyncio.get_running_loop().create_server(BareAnswer, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
    await server.serve_forever()


# In the process that measures.


def resident_megabytes(pid: int) -> float:
    """The resident memory of a process, as Linux counts it."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def run(*arguments: str, timeout: float) -> Any:
    """What a process of clients prints."""
    command = [sys.executable, "-m", "benchmarks.load", *arguments]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=timeout)
    return json.loads(ended.stdout)


def ask(address: str, seconds: float, requests: int, clients: int = CLIENTS) -> Any:
    """What so many clients see."""
    return run(
        "--client", address, "--seconds", str(seconds), "--requests", str(requests), "--clients", str(clients),
        timeout=seconds + 120,
    )  # fmt: skip


def under_load(address: str, seconds: float) -> tuple[ResultTable, bool]:
    """64 clients for a minute."""
    ask(address, 5, 2_000)
    summary = ask(address, seconds, 10**9)
    times = summary["p99"] / max(summary["p50"], 1e-9)
    seen = {int(status): count for status, count in summary["seen"].items()}
    row: Row = {
        "clients": CLIENTS,
        "answers": f"{summary['count']:,}",
        "a second": summary["count"] / seconds,
        "p50 ms": summary["p50"] * 1000,
        "p99 ms": summary["p99"] * 1000,
        "most ms": summary["most"] * 1000,
        "p99 / p50": times,
        "statuses": ", ".join(f"{count:,} x {status}" for status, count in sorted(seen.items())),
    }
    held = times <= MOST_TIMES and set(seen) <= ALLOWED and seen.get(200, 0) > 0
    note = f"at most {MOST_TIMES:g} times is promised, and no status but {', '.join(map(str, sorted(ALLOWED)))}"
    return ResultTable(title=f"{CLIENTS} clients for {seconds:.0f} s", rows=[row], notes=[note]), held


def memory(address: str, pid: int, requests: int) -> tuple[ResultTable, bool]:
    """The memory after every tenth of so many requests."""
    rows: list[Row] = []
    right = True
    for step in range(1, STEPS + 1):
        begun = time.perf_counter()
        summary = ask(address, 3_600, requests // STEPS)
        right &= set(summary["seen"]) == {"200"}
        rows.append(
            {
                "requests": f"{requests // STEPS * step:,}",
                "MB": resident_megabytes(pid),
                "requests a second": summary["count"] / (time.perf_counter() - begun),
            }
        )
        print(f"{rows[-1]['requests']} requests: {rows[-1]['MB']:.1f} MB", flush=True)
    growth = rows[-1]["MB"] - rows[0]["MB"]
    note = f"From the first tenth to the last it grew by {growth:.1f} MB; up to {MOST_GROWTH_MB:.0f} MB are allowed."
    table = ResultTable(title=f"Memory over {requests:,} requests", rows=rows, notes=[note])
    return table, right and growth <= MOST_GROWTH_MB


def large_body(kind: str) -> tuple[str, bytes]:
    """The path and the body of a large request, just below the 32 MB that are read."""
    size = BODY_MB * 2**20
    if kind == "one long text":
        document = {"ocid": "ocds-h6vhtk-1", "tender": {"title": "x", "rationale": "x" * size}}
        return "/score", json.dumps({"tender": document}).encode()
    if kind == "many lots":
        lot = {"id": "a", "value": {"amount": 1, "currency": "GBP"}}
        count = size // len(json.dumps(lot) + ", ")
        return "/score", json.dumps({"tender": {"ocid": "ocds-h6vhtk-1", "tender": {"lots": [lot] * count}}}).encode()
    form = {**DRAFT, "description": "x" * 4_000}
    return "/score_many", json.dumps([form] * (size // len(json.dumps(form) + ", "))).encode()


class Sender(threading.Thread):
    """Sends a large body again and again, and counts the statuses."""

    def __init__(self, address: str, kind: str, stopped: threading.Event) -> None:
        super().__init__(daemon=True)
        self.where, self.kind, self.stopped = urlsplit(address), kind, stopped
        self.seen: Counter[str] = Counter()

    def run(self) -> None:
        path, body = large_body(self.kind)
        while not self.stopped.is_set():
            try:
                with socket.create_connection((self.where.hostname, self.where.port), timeout=240) as connection:
                    connection.sendall(head_of(path, len(body)))
                    connection.sendall(body)
                    self.seen[f"{self.kind}: {connection.recv(65_536)[9:12].decode()}"] += 1
            except OSError as error:
                self.seen[f"{self.kind}: {type(error).__name__}"] += 1


def alive(address: str, seconds: float) -> tuple[ResultTable, bool]:
    """`/livez` beside a job, large bodies, and half-open connections."""
    stopped = threading.Event()
    senders = [Sender(address, LARGE[number % len(LARGE)], stopped) for number in range(BODIES)]
    with ExitStack() as stack:
        bare, _ = stack.enter_context(started("-m", "benchmarks.load", "--bare"))
        before, _ = run("--prober", address, bare, "--seconds", "3", timeout=60)
        job = start_job(address)
        for sender in senders:
            sender.start()
        where = urlsplit(address)
        refill = threading.Thread(target=half_open, args=(stack, where.hostname, where.port, stopped), daemon=True)
        refill.start()
        taken, floor = run("--prober", address, bare, "--seconds", str(seconds), timeout=seconds + 300)
        stopped.set()
        state = job_state(address, job)
        for sender in senders:
            sender.join(300)
        refill.join(60)
    seen: Counter[str] = sum((sender.seen for sender in senders), Counter())
    rows: list[Row] = [
        _live_row("nothing else", before),
        _live_row("all of it", taken),
        _live_row("all of it, a bare server", floor),
    ]
    notes = [
        f"at most {MOST_LIVE_MS:g} ms are promised",
        f"job {state}; bodies: {', '.join(f'{count} x {what}' for what, count in sorted(seen.items()))}",
    ]
    if max(floor) > MOST_LIVE_MS:
        notes.append("the bare server was late as well: on so busy a machine nothing is proven")
    title = (
        f"/livez beside a job, {BODIES} bodies of {BODY_MB} MB and {HALF_OPEN} half-open connections, {seconds:.0f} s"
    )
    held = max(taken) <= MOST_LIVE_MS and all(what[-3:] in ("200", "400", "413", "429", "503") for what in seen)
    return ResultTable(title=title, rows=rows, notes=notes), held and state in ("queued", "running", "done")


def _live_row(what: str, taken: Sequence[float]) -> Row:
    parts = statistics.quantiles(taken, n=100)
    late = sum(ms > MOST_LIVE_MS for ms in taken)
    return {
        "beside": what,
        "answers": len(taken),
        "p50 ms": parts[49],
        "p99 ms": parts[98],
        "most ms": max(taken),
        f"over {MOST_LIVE_MS:g} ms": late,
    }


@contextmanager
def started(*command: str, **environment: str) -> Iterator[tuple[str, int]]:
    """The address of a server that runs meanwhile, which it prints, and its process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TENDER_RISK")}
    with subprocess.Popen(
        [sys.executable, *command], env={**kept, **environment}, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip(), server.pid
        finally:
            server.terminate()
            server.wait(60)


def half_open(stack: ExitStack, host: str | None, port: int | None, stopped: threading.Event) -> None:
    """Keeps connections open that have sent half of a head; those that the service closes are opened again."""
    opened: list[socket.socket] = []
    while not stopped.is_set():
        opened = [connection for connection in opened if _is_open(connection)]
        while len(opened) < HALF_OPEN and not stopped.is_set():
            connection = stack.enter_context(socket.create_connection((host, port), timeout=30))
            connection.sendall(b"POST /score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Ty")
            connection.setblocking(False)
            opened.append(connection)
        stopped.wait(0.5)


def _is_open(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def start_job(address: str) -> str:
    """The id of a job that takes a while."""
    import httpx

    from tests.serving.jobs import made

    with httpx.Client(base_url=address, timeout=120) as http:
        return str(made.upload(http, made.portfolio(120) * JOB_COPIES)["id"])


def job_state(address: str, job: str) -> str:
    """How far a job is."""
    import httpx

    return str(httpx.get(f"{address}jobs/{job}", timeout=60).json()["state"])


def main() -> int:
    """Starts the service and asks it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--live-seconds", type=float, default=LIVE_SECONDS)
    parser.add_argument("--only", choices=("load", "memory", "livez"))
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--clients", type=int, default=CLIENTS, help=argparse.SUPPRESS)
    parser.add_argument("--prober", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    add_output_options(parser)
    chosen = parser.parse_args()
    if chosen.client:
        client_process(chosen.client, chosen.clients, chosen.seconds, chosen.requests)
        return 0
    if chosen.prober:
        prober_process(*chosen.prober, chosen.seconds)
        return 0
    if chosen.bare:
        asyncio.run(bare_server())
        return 0
    tables, held = [], []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as data, ExitStack() as stack:
        address, pid = stack.enter_context(started("-c", START, TENDER_RISK_DATA=data))
        parts = {
            "load": lambda: under_load(address, chosen.seconds),
            "memory": lambda: memory(address, pid, chosen.requests),
            "livez": lambda: alive(address, chosen.live_seconds),
        }
        for name in [chosen.only] if chosen.only else parts:
            table, kept_promise = parts[name]()
            show(table)
            tables.append(table)
            held.append(kept_promise)
    write("load", tables, chosen)
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
