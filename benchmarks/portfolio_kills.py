"""Does a portfolio run lose anything? The real command, killed at moments of chance, and bad rows among good ones.

`python -m benchmarks.portfolio_kills` makes 200,000 releases, scores them once unbroken, and once more while it is
killed 50 times and resumed; then it sprinkles 1 % of bad rows of every kind in `tests/bad_input.py` that fits a line.
It says for each whether it held, and ends with 1 if one did not.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import made_tenders
from benchmarks.tables import CONSOLE, ResultTable, add_output_options, show, write
from tests.bad_input import BAD

COMMAND = str(Path(sys.executable).with_name("tender-risk"))
KINDS = [bad for bad in BAD if bad.suffix == ".json" and b"\n" not in bad.data and bad.data.strip(b"\xef\xbb\xbf \t")]
"""What is wrong within one line; blank lines are no rows."""


class Held(NamedTuple):
    """One thing that must hold, what was seen, and whether it did."""

    what: str
    seen: str
    held: bool


def main() -> None:
    """Runs both and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--bad", type=float, default=0.01, help="the share of bad rows")
    add_output_options(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "made.jsonl"
        made_tenders.write(source, options.rows, options.seed)
        seconds = scored(source, source.with_name("whole.parquet"))
        laws = [killed(source, seconds, options.kills, random.Random(options.seed))]
        laws += sprinkled(source, options.bad, random.Random(options.seed))
    rows = [{"what must hold": law.what, "seen": law.seen, "held": "yes" if law.held else "NO"} for law in laws]
    table = ResultTable(title=f"{options.rows:,} tenders, seed {options.seed}", rows=rows)
    show(table)
    write("portfolio_kills", [table], options)
    sys.exit(not all(law.held for law in laws))


def command(source: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
    """The command, its workers in a group of processes with it."""
    return subprocess.Popen(
        [COMMAND, "portfolio", str(source), str(out), *more],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def scored(source: Path, out: Path) -> float:
    """One unbroken run, and its seconds."""
    begun = time.monotonic()
    ended(command(source, out))
    return time.monotonic() - begun


def ended(running: subprocess.Popen[bytes], seconds: float | None = None) -> None:
    """Waits for it. Raises TimeoutExpired after so many seconds; ends all if the command failed."""
    errors = running.communicate(timeout=seconds)[1]
    if running.returncode:
        raise SystemExit(errors.decode())


def killed(source: Path, seconds: float, kills: int, chance: random.Random) -> Held:
    """Runs that are killed at any moment of a whole run and resumed until they are through, `kills` times in all."""
    done = same = runs = 0
    through = False
    whole, out = source.with_name("whole.parquet"), source.with_name("killed.parquet")
    with CONSOLE.status("") as status:
        while done < kills or not through:
            status.update(f"{done} of {kills} kills, {same} of {runs} runs the same")
            running = command(source, out, "--resume")
            through = False
            try:
                ended(running, chance.uniform(0, seconds) if done < kills else None)
            except subprocess.TimeoutExpired:
                # The machine may kill the run alone, or all that it started.
                (os.kill if chance.random() < 0.5 else os.killpg)(running.pid, signal.SIGKILL)
                running.communicate()
                done += 1
                continue
            runs, same = runs + 1, same + (contents(out) == contents(whole))
            out.unlink()
            through = True
    return Held(f"{kills} kills: the bytes of an unbroken run", f"{same} of {runs} outputs", same == runs)


def contents(out: Path) -> tuple[bytes, bytes]:
    """The output and its errors."""
    return out.read_bytes(), out.with_name(f"{out.name}.errors").read_bytes()


def sprinkled(source: Path, share: float, chance: random.Random) -> list[Held]:
    """The same releases with bad rows among them."""
    mixed, out = source.with_name("mixed.jsonl"), source.with_name("mixed.parquet")
    good, bad = mix(source, mixed, share, chance)
    scored(mixed, out)
    table = pq.read_table(out)
    reported = {json.loads(line)["line"] for line in out.with_name(f"{out.name}.errors").open("rb")}
    kept = table.filter(pc.is_in(table["line"], pa.array(good)))
    where = ["file", "line"]
    same = kept.drop(where).equals(pq.read_table(source.with_name("whole.parquet")).drop(where))
    silent = set(range(1, len(good) + len(bad) + 1)) - reported - set(table["line"].to_pylist())
    kinds = len(set(bad.values()))
    return [
        Held("good rows scored as without the bad ones", f"{kept.num_rows:,} of {len(good):,}", same),
        Held(
            f"bad rows of {kinds} kinds reported", f"{len(reported & set(bad)):,} of {len(bad):,}", set(bad) <= reported
        ),
        Held("good rows reported as bad", f"{len(reported & set(good)):,}", not reported & set(good)),
        Held("rows neither scored nor reported", f"{len(silent):,}", not silent),
    ]


def mix(source: Path, mixed: Path, share: float, chance: random.Random) -> tuple[list[int], dict[int, str]]:
    """Writes the lines with bad ones among them; answers the numbers of the good, and of the bad with their kinds."""
    good: list[int] = []
    bad: dict[int, str] = {}
    kinds = itertools.cycle(KINDS)
    with source.open("rb") as lines, mixed.open("wb") as file:
        for line in lines:
            if chance.random() < share:
                kind = next(kinds)
                file.write(kind.data + b"\n")
                bad[len(good) + len(bad) + 1] = kind.name
            file.write(line)
            good.append(len(good) + len(bad) + 1)
    return good, bad


if __name__ == "__main__":
    main()
