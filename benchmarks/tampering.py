"""Is every change found that somebody makes on the disk? `python -m benchmarks.tampering [--changes 2000]`.

So many changes at random of each of three: files of the released bundle, which is then loaded as a service loads it;
files of a job that is done, which a running service is then asked for; and columns of entries of that service's audit
trail, which is then verified. Nine in ten change one byte of a file, the others cut or lengthen it; times of files are
put back. Each change is undone, and between changes all must be whole. It ends with 1 if one was not found.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.fault_service import Service, portfolio, request_body, service
from benchmarks.tables import ResultTable, Row, add_output_options, show, write
from models import bundle as bundles
from serving.audit.checking import verify
from serving.audit.store import AuditStore, SqliteTrail
from tenders.errors import BundleError

SCORES, WHOLE_EVERY = 30, 100
"""Entries of scores in the trail; after so many changes it is asked whether what was put back is whole."""


class Tampering:
    """Counts changes, and keeps what was changed where nobody found it."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.made: Counter[str] = Counter()
        self.missed: list[str] = []

    def note(self, part: str, change: str, is_found: bool) -> None:
        """Counts one change of a part."""
        self.made[part] += 1
        if not is_found:
            self.missed.append(f"{part}: {change}")

    def row(self) -> Row:
        """The row of the table."""
        return {
            "changed": self.what,
            "parts": len(self.made),
            "changes": self.made.total(),
            "not found": len(self.missed),
        }


def changed(content: bytes, chance: random.Random) -> tuple[bytes, str]:
    """Other bytes than those of a file, and in words what is other."""
    place, kind = chance.randrange(len(content)), chance.random()
    if kind < 0.05:
        return content[:place], f"cut at {place:,}"
    if kind < 0.1:
        return content + chance.randbytes(1 + place % 9), "lengthened"
    other = content[place] ^ chance.randrange(1, 256)
    return content[:place] + bytes([other]) + content[place + 1 :], f"byte {place:,}"


def tampered(
    tampering: Tampering, files: list[Path], changes: int, chance: random.Random, is_whole: Callable[[], bool]
) -> Tampering:
    """Changes files one at a time and asks whether all is whole."""
    for number in range(changes):
        # Every file as often as any other: most bytes are those of a few.
        file = chance.choice(files)
        before, status = file.read_bytes(), file.stat()
        after, change = changed(before, chance)
        file.write_bytes(after)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        tampering.note(f"{file.parent.name}/{file.name}", change, not is_whole())
        file.write_bytes(before)
        if number % WHOLE_EVERY == 0 and not is_whole():
            raise SystemExit(f"{file.name} was put back, and {tampering.what} is not whole")
    return tampering


def of_bundle(folder: Path, changes: int, chance: random.Random) -> Tampering:
    """Changes of the released bundle."""
    copy = shutil.copytree(bundles.released(), folder / "bundle")

    def is_whole() -> bool:
        try:
            bundles.load(copy)
        except BundleError:
            return False
        return True

    files = sorted(file for file in copy.rglob("*") if file.is_file())
    return tampered(Tampering("files of the released bundle"), files, changes, chance, is_whole)


def of_results(served: Service, changes: int, chance: random.Random) -> Tampering:
    """Changes of the files of a job that is done."""
    _, job = served.upload(portfolio(0))
    if served.ended(job["id"])["state"] != "done":
        raise SystemExit("the job is not done")
    with closing(sqlite3.connect(served.data / "jobs.sqlite")) as database:
        [[outputs]] = database.execute("SELECT outputs FROM tender_risk_jobs").fetchall()
    folder = served.data / "jobs" / job["id"]

    def is_whole() -> bool:
        status, content = served.ask("GET", f"/jobs/{job['id']}/output")
        if status not in (200, 503) or (status == 503 and b"is not as it was written" not in content):
            raise SystemExit(f"an answer that nobody expects: {status} {content[:200]!r}")
        return status == 200

    files = [folder / name for name in msgspec.json.decode(outputs, type=dict[str, str])]
    return tampered(Tampering("files of a job that is done"), files, changes, chance, is_whole)


def of_trail(file: Path, changes: int, chance: random.Random) -> Tampering:
    """Changes of any column of any entry of a trail."""
    database = SqliteTrail(file, synced=False)
    store, tampering = AuditStore(database), Tampering("columns of entries of the audit trail")
    entries = store.head().seq
    for _ in range(changes):
        seq, column = chance.randint(1, entries), chance.choice(("seq", "entry", "digest"))
        [[before]] = database.run(f"SELECT {column} FROM audit_entries WHERE seq = ?", (seq,))
        after: Any
        if column == "seq":
            after, change = chance.choice((-before, before + entries + chance.randint(1, 9))), "numbered otherwise"
        else:
            content, change = changed(before.encode(), chance)
            after = content.decode("utf-8", "replace")
        database.run("BEGIN")
        database.run(f"UPDATE audit_entries SET {column} = ? WHERE seq = ?", (after, seq))
        problem = verify(store).problem
        database.run("ROLLBACK")
        # Found is not enough: the entry has to be named.
        named = problem is not None and problem.seq in ((seq, after) if column == "seq" else (seq,))
        tampering.note(column, f"entry {seq}, {change}", named)
    if not verify(store).is_whole:
        raise SystemExit("the changes were undone, and the trail is not whole")
    store.close()
    return tampering


def main() -> int:
    """Makes all changes and prints how many were found; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=23)
    add_output_options(parser)
    chosen = parser.parse_args()
    chance = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory(prefix="tampering-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with service(folder / "data") as served:
            for number in range(SCORES):
                served.ask("POST", "/score", request_body(number))
            results = of_results(served, chosen.changes, chance)
            served.stop()
        trail = of_trail(folder / "data" / "audit.sqlite", chosen.changes, chance)
        every = [of_bundle(folder, chosen.changes, chance), results, trail]
    missed = tuple(f"- not found: {text}" for tampering in every for text in tampering.missed[:20])
    table = ResultTable(title="changes on the disk", rows=[tampering.row() for tampering in every], notes=missed)
    show(table)
    write("tampering", [table], chosen)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
