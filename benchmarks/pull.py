"""Is a pull complete, whatever its service does? 20,000 made procedures of each service, every fault, a hundred kills.

`python -m benchmarks.pull` serves the register of `tests/tenders/apis/stand_in.py` on this machine, with 2,000
procedures published a day, and pulls it while a quarter of all answers meets a fault and the pull is killed a hundred
times. What must hold is measured at the server: when each request came, and what it had been told. It ends with 1 if
something did not hold.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.tables import ResultTable, Row, add_output_options, show, write
from tests.tenders.apis.stand_in import (
    FAULTS,
    FIRST_DAY,
    SERVICES,
    Pulls,
    killed_pulls,
    made_register,
    published_releases,
    serving,
    without_amounts,
    written,
)

PAUSE = 0.02
STATED_WAITS = ("429", "503")
"""Faults that are waited for by the second: they come once in a while, or the benchmark takes an hour."""


def main() -> None:
    """Pulls from each service and prints what held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--procedures", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    add_output_options(parser)
    options = parser.parse_args()
    rows = [pulled(service, options.procedures, options.kills, options.seed) for service in SERVICES]
    notes = [
        "Lost and doubled: releases at the end, against those that the service has.",
        f"Too soon: requests that came before the pause of {PAUSE} s was over, or before the service had said.",
    ]
    title = f"{options.procedures:,} procedures a service, a quarter of the answers with a fault"
    table = ResultTable(title=title, rows=rows, notes=notes)
    show(table)
    write("pull", [table], options)
    sys.exit(any(row["held"] == "NO" for row in rows))


def pulled(name: str, procedures: int, kills: int, seed: int) -> Row:
    """One service, pulled through everything."""
    days = max(1, procedures // 2_000)
    register = made_register(name, procedures, seed=seed, days=days)
    last = FIRST_DAY + timedelta(days=days)
    expected = published_releases(register, FIRST_DAY, last)
    faults = [fault for fault in FAULTS if fault not in STATED_WAITS] * 4 + list(STATED_WAITS)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(register, pause=PAUSE, rate=0.25, seed=seed, faults=faults) as service,
    ):
        out, begun = Path(folder) / "notices.jsonl", time.monotonic()
        pulls = Pulls(service, FIRST_DAY, last, out, PAUSE * 1.1, stated=1.5)
        try:
            met = killed_pulls(service, pulls, kills, random.Random(seed), 0.05)
        finally:
            pulls.close()
        seconds = time.monotonic() - begun
        held, count = written(out)
    same = without_amounts([held.get(key) for key in expected]) == without_amounts(list(expected.values()))
    lost, doubled = len(expected.keys() - held.keys()), count - len(held)
    fine = not (lost or doubled or service.too_soon or service.unknown or held.keys() - expected.keys()) and same
    return {
        "service": name,
        "releases": len(expected),
        "requests": service.requests,
        "faults": service.requests - service.shown["sound"],
        "kills": met,
        "lost": lost,
        "doubled": doubled,
        "changed": "no" if same else "YES",
        "too soon": service.too_soon,
        "seconds": seconds,
        "held": "yes" if fine else "NO",
    }


if __name__ == "__main__":
    main()
