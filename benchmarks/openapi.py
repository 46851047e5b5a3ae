"""Sends a real service what its OpenAPI document allows, and what it does not, for longer than the tests do.

`python -m benchmarks.openapi` starts the service on a free port and runs Schemathesis against it twice: against every
endpoint with valid and invalid requests, and then against those that score, with tenders that the document allows. It
prints how often which endpoint answered with which status, as the service's own log has it. It ends with 1 if fewer
cases ran than were asked for, fewer than half of them were scored, or an answer is none that the document allows.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.tables import ResultTable, Row, add_output_options, show, write

START = "from serving.running import serve; serve('127.0.0.1', 0, lambda url: print(url, flush=True))"
MEANING = "positive_data_acceptance,negative_data_rejection"
"""Whether an object is a tender, no schema tells."""
SCORING = ("/score", "/score_many", "/what_if", "/suggest")
CASES, SHARE = 20_000, 0.5
OF_ALL, OF_SCORING = 0.04, 0.6
"""The share of the cases that is made by chance for all endpoints, about as many each, beside those that cover the
document; and the least share for those that score."""
ENDPOINTS = 21
LINE = re.compile(r" INFO (\w+) '([^'?]*)[^']*' (\d{3}) ")
SECONDS = 7_200


def schemathesis(url: str, examples: int, seed: int, *more: str) -> int:
    """Runs it; its exit code."""
    command = [
        str(Path(sys.executable).with_name("st")), "run", f"{url}/docs.json", "--max-examples", str(examples),
        "--seed", str(seed), "--exclude-checks", MEANING, "--suppress-health-check", "all",
        # A list of 10,000 tenders takes more than the ten seconds that Schemathesis waits.
        "--request-timeout", "120", *more,
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(command, cwd=folder, check=False, timeout=SECONDS).returncode


def answered(log: Path) -> Counter[tuple[str, str]]:
    """How often which path was answered with which status."""
    counts: Counter[tuple[str, str]] = Counter()
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            match = LINE.search(line)
            if match:
                path = match[2] if match[2] in SCORING else "others"
                counts[path, match[3]] += 1
    return counts


def main() -> int:
    """Runs both, and prints; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--seed", type=int, default=1)
    add_output_options(parser)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TENDER_RISK")}
        settings = {"TENDER_RISK_DATA": str(Path(folder) / "data"), "TENDER_RISK_LOG": "INFO"}
        with log.open("wb") as lines:
            service = subprocess.Popen(
                [sys.executable, "-c", START], text=True, stdout=subprocess.PIPE, stderr=lines, env={**kept, **settings}
            )
        try:
            assert service.stdout is not None
            url = service.stdout.readline().strip().rstrip("/")
            per_endpoint = max(int(chosen.cases * OF_ALL / ENDPOINTS), 1)
            codes = [schemathesis(url, per_endpoint, chosen.seed, "--phases", "examples,coverage,fuzzing")]
            ran = sum(answered(log).values())
            left = max(chosen.cases - ran, int(chosen.cases * OF_SCORING))
            only = ["--phases", "fuzzing", "--mode", "positive"]
            for path in SCORING:
                # Of what is valid, some cases are thrown away as repetitions: a tenth more are asked for.
                more = int(left / len(SCORING) * 1.1) + 1
                codes.append(schemathesis(url, more, chosen.seed, *only, "--include-path", path))
            counts = answered(log)
        finally:
            service.terminate()
            service.wait(60)
    return reported(counts, codes, chosen)


def reported(counts: Counter[tuple[str, str]], codes: list[int], chosen: argparse.Namespace) -> int:
    """Prints what came, and says whether it is what must come."""
    statuses = sorted({status for _, status in counts})
    rows: list[Row] = [
        {"endpoint": path, **{status: f"{counts[path, status]:,}" for status in statuses}}
        for path in (*SCORING, "others")
    ]
    cases, scored = sum(counts.values()), sum(counts[path, "200"] for path in SCORING)
    failed = sum(count for (_, status), count in counts.items() if status.startswith("5"))
    notes = [
        f"{cases:,} cases, {scored:,} scored ({100 * scored / max(cases, 1):.0f} %), {failed} answered with 5xx",
        f"Schemathesis ended with {', '.join(map(str, codes))}",
    ]
    table = ResultTable(title=f"{chosen.cases:,} cases, seed {chosen.seed}", rows=rows, notes=notes)
    show(table)
    write("openapi", [table], chosen)
    held = cases >= chosen.cases and scored >= SHARE * cases and not failed and not any(codes)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
