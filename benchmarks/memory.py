"""Whether the service keeps what it has answered: `python -m benchmarks.memory [--requests 200000]`.

A few clients send `/score` over kept connections, and the memory of the service (resident) is read after every tenth
of the requests. The first tenth fills caches; from then on it must stay as it is.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

from benchmarks.service import DRAFT
from benchmarks.tables import ResultTable, Row, add_output_options, show, write

CLIENTS, STEPS = 4, 10
# What is promised: more than this after the first tenth is a leak. A timer for each request kept 4 KB: 700 MB in all.
MOST_GROWTH_MB = 30.0
START = "from serving.running import serve; serve('127.0.0.1', 0, lambda url: print(url, flush=True))"


def resident_megabytes(pid: int) -> float:
    """The resident memory of a process, as Linux counts it."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def send(address: str, requests: int) -> None:
    """Sends scores over one connection. Raises SystemExit if one is not answered with 200."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = json.dumps({"tender": DRAFT, "explain": False}).encode()
    for _ in range(requests):
        connection.request("POST", "/score", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"/score answered {answer.status}")
    connection.close()


def measured(address: str, pid: int, requests: int) -> list[Row]:
    """The memory after every tenth of the requests, and how many a second were answered."""
    rows: list[Row] = []
    for step in range(1, STEPS + 1):
        started = perf_counter()
        clients = [threading.Thread(target=send, args=(address, requests // STEPS // CLIENTS)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        count = requests // STEPS // CLIENTS * CLIENTS
        memory = resident_megabytes(pid)
        rows.append(
            {"requests": f"{count * step:,}", "MB": memory, "requests a second": count / (perf_counter() - started)}
        )
    return rows


def main() -> None:
    """Starts the service, sends, prints; exit 1 if its memory grew by more than MOST_GROWTH_MB."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--requests", type=int, default=200_000)
    add_output_options(arguments)
    chosen = arguments.parse_args()
    server = subprocess.Popen([sys.executable, "-c", START], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        rows = measured(server.stdout.readline().strip(), server.pid, chosen.requests)
    finally:
        server.terminate()
        server.wait(30)
    growth = rows[-1]["MB"] - rows[0]["MB"]
    note = f"From the first tenth to the last it grew by {growth:.1f} MB; up to {MOST_GROWTH_MB:.0f} MB are allowed."
    table = ResultTable(title=f"{CLIENTS} clients, {chosen.requests:,} scores", rows=rows, notes=[note])
    show(table)
    write("memory", [table], chosen)
    raise SystemExit(0 if growth <= MOST_GROWTH_MB else 1)


if __name__ == "__main__":
    main()
