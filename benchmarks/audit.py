"""What the audit trail, and a challenger in the shadow, cost `/score`: `python -m benchmarks.audit`.

Services run side by side, one without the trail, others with it, synced to disk at each commit. They are asked in
turns, in short runs, so that whatever else the machine does weighs on both alike. With several clients the trail puts
many entries into one transaction, so that what it costs is little; one client alone waits for the disk each time. The
processor time is that of the service's own process: a challenger computes in another.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter, sleep
from urllib.parse import urlsplit
from urllib.request import urlopen

from benchmarks.service import DRAFT
from benchmarks.tables import ResultTable, Row, add_output_options, show, write
from models import bundle as bundles
from serving.shadow import SHADOW

CLIENTS, ROUNDS, REQUESTS = (1, 16), 20, 320
# What is promised with several clients: the time of so many scores with the trail, over that without.
BAR = 1.2
KINDS = {
    "without": {"TENDER_RISK_AUDIT": "off"},
    "with": {},
    "with, not synced": {"TENDER_RISK_AUDIT_SYNC": "off"},
    "with, and a challenger": {SHADOW: str(bundles.released())},
}
READY_SECONDS = 120
START = "from serving.running import serve; serve('127.0.0.1', 0, lambda url: print(url, flush=True))"
BODY = json.dumps({"tender": DRAFT, "explain": True}).encode()


def started(stack: ExitStack, settings: dict[str, str]) -> tuple[str, int]:
    """The address of a service with these settings, and its process; it ends with the stack."""
    data = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TENDER_RISK")}
    process = subprocess.Popen(
        [sys.executable, "-c", START],
        env={**kept, "TENDER_RISK_DATA": data, **settings},
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.callback(process.wait, 30)
    stack.callback(process.terminate)
    assert process.stdout is not None
    return process.stdout.readline().strip(), process.pid


def wait_for_challenger(address: str) -> None:
    """Waits until the service says that its challenger scores."""
    end = perf_counter() + READY_SECONDS
    while "tender_risk_shadow_bundle{" not in urlopen(f"{address}metrics", timeout=60).read().decode():
        if perf_counter() > end:
            raise SystemExit("the challenger does not score")
        sleep(0.2)


def request_scores(address: str, count: int) -> None:
    """Asks so many scores over one connection."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    for _ in range(count):
        connection.request("POST", "/score", BODY)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"/score answered {answer.status}")
    connection.close()


def round_of(address: str, clients: int, requests: int) -> float:
    """Milliseconds a request when so many clients ask at once."""
    begun = perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for future in [pool.submit(request_scores, address, requests // clients) for _ in range(clients)]:
            future.result()
    return (perf_counter() - begun) / requests * 1000


def processor_seconds(pid: int) -> float:
    """What a process has computed so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(rounds: int, requests: int) -> list[Row]:
    """A row for each kind of service and number of clients."""
    rows: list[Row] = []
    with ExitStack() as stack:
        services = {kind: started(stack, settings) for kind, settings in KINDS.items()}
        wait_for_challenger(services["with, and a challenger"][0])
        for address, _ in services.values():
            round_of(address, 4, requests)
        for clients in CLIENTS:
            times: dict[str, list[float]] = {kind: [] for kind in services}
            computed = dict.fromkeys(services, 0.0)
            for _ in range(rounds):
                for kind, (address, pid) in services.items():
                    before = processor_seconds(pid)
                    times[kind].append(round_of(address, clients, requests))
                    computed[kind] += processor_seconds(pid) - before
            rows += [
                {
                    "clients": clients,
                    "trail": kind,
                    "ms a score": statistics.median(taken),
                    "times without": statistics.median(
                        mine / plain for mine, plain in zip(taken, times["without"], strict=True)
                    ),
                    "processor ms": computed[kind] / (rounds * requests) * 1000,
                    "processor, times without": computed[kind] / computed["without"],
                }
                for kind, taken in times.items()
            ]
    return rows


def main() -> None:
    """Measures and prints; exit 1 if the synced trail costs more than BAR with several clients."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    arguments.add_argument("--requests", type=int, default=REQUESTS)
    add_output_options(arguments)
    chosen = arguments.parse_args()
    rows = measured(chosen.rounds, chosen.requests)
    table = ResultTable(title=f"{chosen.rounds} x {chosen.requests} scores of each kind, in turns", rows=rows)
    show(table)
    write("audit", [table], chosen)
    costs = [row["times without"] for row in rows if row["clients"] > 1 and row["trail"] == "with"]
    raise SystemExit(0 if max(costs) <= BAR else 1)


if __name__ == "__main__":
    main()
