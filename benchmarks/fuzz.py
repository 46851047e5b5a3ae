"""Does any parser break on what chance makes of real examples? `python -m benchmarks.fuzz --seconds 300`.

Each parser runs in a process of its own. Nothing but the product's own errors (TenderRiskError) may come of an input:
no other exception, also none that the product catches and logs as its own mistake, no case of more than MOST_SECONDS of
processor time, no memory above MOST_MB, no crash. What was found is printed with the number of its case, and kept as
a file with `--keep FOLDER`; `--parser NAME --case N` runs one case again and shows its traceback. It ends with 1 if
anything was found.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.tables import ResultTable, add_output_options, show, write

MOST_SECONDS, MOST_MB = 10.0, 1_000
START_SECONDS = 120.0
"""Seconds of processor time until the first case: the bundle and the examples are loaded."""
NUMBER = struct.Struct("<q")
POLL_SECONDS = 0.05
TICK = os.sysconf("SC_CLK_TCK")


class Finding(NamedTuple):
    """What a case did that no input may do."""

    parser: str
    case: int
    what: str
    where: str


class Ran(NamedTuple):
    """How many cases of a parser ran, the slowest in seconds of processor time, the most memory, and what was found."""

    parser: str
    cases: int
    slowest: float
    peak_mb: float
    findings: list[Finding]


# In the process of a parser.


def run_cases(name: str, seed: int, first: int, seconds: float, counter: Path, keep: Path | None) -> None:
    """Runs case after case, and prints each new kind of finding as a line of JSON."""
    from benchmarks.fuzz_parsers import Caught, parsers

    make, read = parsers()[name][1:]
    caught = Caught()
    listen_for_mistakes(caught)
    seen: set[str] = set()
    until = time.monotonic() + seconds
    with counter.open("r+b") as file, mmap.mmap(file.fileno(), NUMBER.size) as number:
        case = first
        while time.monotonic() < until:
            data = make(random.Random(f"{name} {seed} {case}"))
            number[:] = NUMBER.pack(case)
            for error in errors_of(read, data, caught):
                what = f"{type(error).__name__}: {str(error)[:200]}"
                where = place_of(error)
                if f"{type(error).__name__} {where}" not in seen:
                    seen.add(f"{type(error).__name__} {where}")
                    if keep:
                        (keep / f"{name.replace(' ', '_')}-{case}").write_bytes(data)
                    print(json.dumps([case, what, where]), flush=True)
            case += 1


def listen_for_mistakes(caught: Any) -> None:
    """Has the product's loggers give what they log to `caught` alone."""
    import logging

    root = logging.getLogger()
    root.handlers[:] = [caught]
    root.setLevel(logging.WARNING)


def errors_of(read: Any, data: bytes, caught: Any) -> list[BaseException]:
    """What an input raised, or had the product log, that is none of its own errors."""
    from tenders.errors import TenderRiskError

    caught.errors.clear()
    try:
        read(data)
    except TenderRiskError:
        pass
    except Exception as error:  # noqa: BLE001 - every other one is a finding
        return [*caught.errors, error]
    return list(caught.errors)


def place_of(error: BaseException) -> str:
    """The innermost lines of the product in a traceback."""
    root = Path(__file__).parents[1]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(root)]
    ours = [frame for frame in frames if ".venv" not in frame.filename]
    return " < ".join(f"{Path(f.filename).relative_to(root)}:{f.lineno}" for f in reversed(ours[-3:]))


def show_case(name: str, seed: int, case: int) -> int:
    """Runs one case, and prints what it raised; the exit code."""
    from benchmarks.fuzz_parsers import Caught, parsers

    parser, caught = parsers()[name], Caught()
    data = parser.make(random.Random(f"{name} {seed} {case}"))
    print(f"{len(data):,} bytes: {data[:2_000]!r}")
    listen_for_mistakes(caught)
    raised = errors_of(parser.read, data, caught)
    for error in raised:
        traceback.print_exception(error)
    return 1 if raised else 0


# In the process that watches.


def fuzzed(name: str, seed: int, seconds: float, keep: Path | None) -> Ran:
    """Runs a parser for so many seconds, and goes on behind a case that crashes, hangs or takes too much memory."""
    findings: list[Finding] = []
    until, case, begun, slowest, peak = time.monotonic() + seconds, 0, 0, 0.0, 0.0
    while time.monotonic() < until:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
            counter = Path(scratch) / "case"
            counter.write_bytes(NUMBER.pack(-1))
            child = start(name, seed, case, until - time.monotonic(), counter, keep)
            ended, seen_slowest, seen_peak = watched(child, counter, case)
            slowest, peak = max(slowest, seen_slowest), max(peak, seen_peak)
            last = NUMBER.unpack(counter.read_bytes())[0]
            output, errors = child.communicate()
        for line in output.splitlines():
            number, what, where = json.loads(line)
            findings.append(Finding(name, number, what, where))
        case = max(last + 1, case)
        if ended:
            findings.append(Finding(name, last, ended, errors[-300:].strip()))
            begun += 1
        if begun > 20:
            break
    return Ran(name, case, slowest, peak, findings)


def start(name: str, seed: int, case: int, seconds: float, counter: Path, keep: Path | None) -> subprocess.Popen[str]:
    """The process of a parser."""
    command = [
        sys.executable, "-m", "benchmarks.fuzz", "--child", str(counter), "--parser", name, "--seed", str(seed),
        "--case", str(case), "--seconds", str(seconds), *(["--keep", str(keep)] if keep else []),
    ]  # fmt: skip
    environment = {**os.environ, "TMPDIR": str(counter.parent), "TENDER_RISK_UNSIGNED": "allow", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def watched(child: subprocess.Popen[str], counter: Path, first: int) -> tuple[str, float, float]:
    """Why a process ended, blank if its time was over; the processor seconds of its slowest case; its most memory."""
    slowest, peak, at, since = 0.0, 0.0, first - 1, 0.0
    while child.poll() is None:
        time.sleep(POLL_SECONDS)
        try:
            used, memory = processor_seconds(child.pid), resident_mb(child.pid)
        except (OSError, IndexError):
            continue
        case = NUMBER.unpack(counter.read_bytes())[0]
        peak = max(peak, memory)
        if case != at:
            at, since = case, used
            continue
        spent = used - since
        if case >= first:
            slowest = max(slowest, spent)
        why = "hangs" if spent > (MOST_SECONDS if case >= first else START_SECONDS) else ""
        why = why or (f"takes {memory:,.0f} MB" if memory > MOST_MB else "")
        if why:
            child.kill()
            return why, slowest, peak
    return ("" if child.returncode == 0 else f"ends the process with {child.returncode}"), slowest, peak


def processor_seconds(pid: int) -> float:
    """What a process has computed so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_mb(pid: int) -> float:
    """The memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    """Runs all parsers, or one; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="for each parser")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parser", action="append", default=[], help="the name of one; may be given again")
    parser.add_argument("--case", type=int, help="run this one case again")
    parser.add_argument("--at-once", type=int, default=1, help="parsers that run at the same time")
    parser.add_argument("--keep", type=Path, help="a folder for the inputs that were found")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    add_output_options(parser)
    chosen = parser.parse_args()
    if chosen.child:
        run_cases(chosen.parser[0], chosen.seed, chosen.case, chosen.seconds, chosen.child, chosen.keep)
        return 0
    if chosen.case is not None:
        return show_case(chosen.parser[0], chosen.seed, chosen.case)
    if chosen.keep:
        chosen.keep.mkdir(parents=True, exist_ok=True)
    from benchmarks.fuzz_parsers import folder, parsers

    names = chosen.parser or list(parsers())
    shutil.rmtree(folder())
    results = []
    with ThreadPoolExecutor(chosen.at_once) as pool:
        for ran in pool.map(lambda name: fuzzed(name, chosen.seed, chosen.seconds, chosen.keep), names):
            results.append(ran)
            counted = Counter(finding.what.partition(":")[0] for finding in ran.findings)
            print(f"{ran.parser}: {ran.cases:,} cases, {dict(counted) or 'nothing found'}", flush=True)
            for finding in ran.findings:
                print(f"  case {finding.case}: {finding.what}\n    {finding.where}", flush=True)
    rows = [
        {
            "parser": ran.parser,
            "cases": f"{ran.cases:,}",
            "slowest case, s": ran.slowest,
            "memory, MB": ran.peak_mb,
            "found": len(ran.findings),
        }
        for ran in results
    ]
    table = ResultTable(title=f"{chosen.seconds:.0f} s a parser, seed {chosen.seed}", rows=rows)
    show(table)
    write("fuzz", [table], chosen)
    return 1 if any(ran.findings for ran in results) else 0


if __name__ == "__main__":
    sys.exit(main())
