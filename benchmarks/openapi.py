"""Sends a real service what its OpenAPI document allows, and what it does not, for longer than the tests do.

`python -m benchmarks.openapi` starts the service on a free port and runs Schemathesis against it: against every
endpoint with valid and invalid requests, and then against those that score, with tenders that the document allows and,
until they are three of ten cases, with such as it does not. It prints how often which endpoint answered with which
status, as the service's own log has it, and how often with a probability, as `benchmarks.openapi_hooks` notes it. It
ends with 1 if fewer cases ran than were asked for, fewer than half of them were scored, fewer than three of ten were
invalid, or an answer is none that the document allows.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.openapi_hooks import ANSWERS, SCORING
from benchmarks.tables import ResultTable, Row, add_output_options, show, write

START = "from serving.running import serve; serve('127.0.0.1', 0, lambda url: print(url, flush=True))"
MEANING = "positive_data_acceptance,negative_data_rejection"
"""Whether an object is a tender, no schema tells."""
CASES, SHARE, INVALID = 20_000, 0.5, 0.3
"""How many, and the least shares that are scored and that the document does not allow."""
OF_ALL = 0.04
"""The share of the cases that is made by chance for all endpoints, about as many each, beside those that cover the
document."""
MORE = 1.15
"""Some cases are thrown away as repetitions: more are asked for."""
ROOT = Path(__file__).parents[1]
ENDPOINTS = 21
LINE = re.compile(r" INFO (\w+) '([^'?]*)[^']*' (\d{3}) ")
SECONDS, LINE_CHARACTERS = 7_200, 1_000


Noted = Counter[tuple[str, str, bool]]
"""How many answers by path, whether the case was valid, and whether the answer carries a probability."""


def schemathesis(url: str, answers: Path, seed: int, runs: Sequence[Sequence[str]]) -> list[int]:
    """Runs it with each list of options, side by side; the exit codes."""
    environment = {
        **os.environ, "SCHEMATHESIS_HOOKS": "benchmarks.openapi_hooks", ANSWERS: str(answers), "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
    }  # fmt: skip

    def run(options: Sequence[str]) -> int:
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", f"{url}/docs.json", "--seed", str(seed),
            "--exclude-checks", MEANING, "--suppress-health-check", "all", "--no-color",
            # A list of 10,000 tenders takes a minute, and several where the machine is busy.
            "--request-timeout", "900", *options,
        ]  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            ended = subprocess.run(
                command, cwd=folder, check=False, timeout=SECONDS, env=environment, capture_output=True, text=True
            )
        if ended.returncode:
            print(shortened(ended.stdout), ended.stderr[-5_000:], flush=True)
        return ended.returncode

    with ThreadPoolExecutor(len(runs)) as threads:
        return list(threads.map(run, runs))


def shortened(text: str) -> str:
    """A report without the ends of long lines: some bodies hold thousands of tenders."""
    return "\n".join(line[:LINE_CHARACTERS] for line in text.splitlines())


def noted(answers: Path) -> Noted:
    """What the hooks wrote."""
    with answers.open(encoding="utf-8") as lines:
        return Counter((path, kind, scored) for path, kind, _, scored in map(json.loads, lines))


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


def still_to_send(so_far: Noted, cases: int) -> dict[str, dict[str, int]]:
    """How many invalid and valid cases each endpoint that scores gets on top, until there are as many as promised."""
    invalid = sum(count for (_, kind, _), count in so_far.items() if kind == "invalid")
    scored = sum(count for (_, _, is_scored), count in so_far.items() if is_scored)
    aimed, total = INVALID + 0.02, so_far.total()
    # More cases lower the share of the invalid ones, but for those that are invalid themselves.
    negative = max(int(cases * aimed) - invalid, int((total * aimed - invalid) / (1 - aimed)), 0)
    total += negative
    # One that is scored lifts the share only if others are not too many.
    positive = max(cases - total, int(MORE * (SHARE * total - scored) / (1 - SHARE)), 0)
    have = {path: sum(count for (of, _, _), count in so_far.items() if of == path) for path in SCORING}
    more = {"negative": spread(negative, dict.fromkeys(SCORING, 0)), "positive": spread(positive, have)}
    return {mode: {path: max(count, chances(cases)) for path, count in of.items()} for mode, of in more.items()}


def chances(cases: int) -> int:
    """How many cases each endpoint gets by chance at least."""
    return max(int(cases * OF_ALL / ENDPOINTS), 1)


def spread(count: int, have: Mapping[str, int]) -> dict[str, int]:
    """How many of `count` each gets, so that in the end all have as many, or as nearly as can be."""
    lowest = sorted(have.values())
    levels = ((count + sum(lowest[:few])) / few for few in range(len(lowest), 0, -1))
    level = next(level for level, most in zip(levels, reversed(lowest), strict=True) if level >= most)
    return {name: max(math.ceil(level - now), 0) for name, now in have.items()}


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
            answers = Path(folder) / "answers"
            examples = ["--max-examples", str(chances(chosen.cases))]
            others = [part for path in SCORING for part in ("--exclude-path", path)]
            runs = [["--phases", "examples,coverage", "--include-path", path] for path in SCORING]
            runs.append([*examples, "--phases", "examples,coverage,fuzzing", *others])
            codes = schemathesis(url, answers, chosen.seed, runs)
            runs = [
                ["--phases", "fuzzing", "--mode", mode, "--max-examples", str(int(MORE * count) + 1),
                 "--include-path", path]
                for mode, counts in still_to_send(noted(answers), chosen.cases).items()
                for path, count in counts.items()
            ]  # fmt: skip
            codes += schemathesis(url, answers, chosen.seed, runs)
            counts, kinds = answered(log), noted(answers)
        finally:
            service.terminate()
            service.wait(60)
    return reported(counts, kinds, codes, chosen)


def reported(counts: Counter[tuple[str, str]], kinds: Noted, codes: list[int], chosen: argparse.Namespace) -> int:
    """Prints what came, and says whether it is what must come."""
    statuses = sorted({status for _, status in counts})
    by_path: dict[str, Counter[str]] = {path: Counter() for path in (*SCORING, "others")}
    for (path, kind, is_scored), count in kinds.items():
        of_path = by_path.get(path, by_path["others"])
        of_path[kind] += count
        of_path["scored"] += count if is_scored else 0
    rows: list[Row] = [
        {
            "endpoint": path,
            **{name: f"{of_path[name]:,}" for name in ("valid", "invalid", "scored")},
            **{status: f"{counts[path, status]:,}" for status in statuses},
        }
        for path, of_path in by_path.items()
    ]
    cases = sum(counts.values())
    scored, invalid = (sum(of_path[name] for of_path in by_path.values()) for name in ("scored", "invalid"))
    failed = sum(count for (_, status), count in counts.items() if status.startswith("5"))
    notes = [
        f"{cases:,} cases: {scored:,} scored ({100 * scored / max(cases, 1):.0f} %), "
        f"{invalid:,} invalid ({100 * invalid / max(cases, 1):.0f} %), {failed} answered with 5xx",
        f"Schemathesis ended with {', '.join(map(str, codes))}",
    ]
    table = ResultTable(title=f"{chosen.cases:,} cases, seed {chosen.seed}", rows=rows, notes=notes)
    show(table)
    write("openapi", [table], chosen)
    enough = cases >= chosen.cases and scored >= SHARE * cases and invalid >= INVALID * cases
    held = enough and not failed and not any(codes)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
