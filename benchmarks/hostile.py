"""Does a hostile upload harm the service? `python -m benchmarks.hostile` gives a real one, as it is set by default,
every file of `tests/serving/jobs/hostile.py`, and then an honest portfolio.

It prints how each ended, the most memory that any process took, the most of all of them together (what they share
counted once, files not at all), and the most that the data directory held; it ends with 1 if memory or disk went above
its bound, an answer was no documented one, or the honest portfolio was not scored.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from serving.jobs.limits import folder_bytes
from tests.serving.conftest import address, running
from tests.serving.jobs import made
from tests.serving.jobs.hostile import CORPUS, MB, Hostile

MEMORY_MB, DISK_MB = 1_000, 20_480
HONEST_ROWS = 50
REFUSED = (400, 413)
WAIT_SECONDS = 600.0


class Ended(NamedTuple):
    """How an upload ended: the state of its job or the status of its refusal, the words, its seconds, and the most
    bytes of memory that all processes had meanwhile, what they share counted once and files not at all."""

    what: str
    state: str
    words: str
    seconds: float
    anonymous: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether it was refused, failed or done in words, and not by an error of ours."""
        return bool(self.words) and "an unexpected error" not in self.words and "given up" not in self.words


class Attack(NamedTuple):
    """What became of all uploads, the honest job after them and its rows, and the peaks in bytes."""

    ended: list[Ended]
    honest: dict[str, Any]
    rows: int
    memory: int
    anonymous: int
    disk: int


class _Peaks(threading.Thread):
    """Measures the processes below one, and a folder, until it is stopped."""

    def __init__(self, process: int, folder: Path) -> None:
        super().__init__(daemon=True)
        self.memory = self.anonymous = self.disk = 0
        self._upload = 0
        self.stopped = threading.Event()
        self._process, self._folder = process, folder

    def run(self) -> None:
        while not self.stopped.wait(0.2):
            processes = process_tree(self._process)
            self.memory = max(self.memory, *map(_peak_memory, processes))
            anonymous = sum(map(anonymous_memory, processes))
            self.anonymous, self._upload = max(self.anonymous, anonymous), max(self._upload, anonymous)
            self.disk = max(self.disk, folder_bytes(self._folder))

    def of_upload(self) -> int:
        """The most memory of all processes since this was last asked."""
        most, self._upload = self._upload, 0
        return most


def process_tree(root: int) -> list[int]:
    """A process and all that it started, as Linux knows them."""
    parents = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(process.name)] = int((process / "stat").read_bytes().rpartition(b") ")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    tree = [root]
    for known in tree:
        tree.extend(child for child, parent in parents.items() if parent == known)
    return tree


def _peak_memory(process: int) -> int:
    """The most memory that a process ever had resident, in bytes; 0 once it is gone."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def anonymous_memory(process: int) -> int:
    """The memory of a process that no file backs, in bytes; of what it shares with others, its part. 0 once it is
    gone."""
    try:
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    parts = (line.split() for line in rollup.splitlines() if line.startswith(("Pss_Anon", "Pss_Shmem")))
    return sum(int(part[1]) for part in parts) * 1024


def attack(corpus: Sequence[Hostile], on_end: Callable[[Ended], None] = lambda _: None) -> Attack:
    """Gives a service of its own these files, one after the other, and then an honest portfolio."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        data = Path(folder) / "data"
        with running(from_nothing=True, TENDER_RISK_DATA=str(data)) as process:
            # Of the service's processes alone: what makes the files does not count.
            peaks = _Peaks(process.pid, data)
            with httpx.Client(base_url=address(process), timeout=WAIT_SECONDS) as http:
                peaks.start()
                ended = []
                for hostile in corpus:
                    ended.append(_uploaded(http, hostile)._replace(anonymous=peaks.of_upload()))
                    on_end(ended[-1])
                honest = made.ended(http, made.upload(http, made.portfolio(HONEST_ROWS))["id"], WAIT_SECONDS)
                answer = http.get(f"/jobs/{honest['id']}/output", params={"format": "jsonl"})
                peaks.stopped.set()
                peaks.join()
    rows = answer.text.count("\n") if answer.status_code == 200 else 0
    return Attack(ended, honest, rows, peaks.memory, peaks.anonymous, peaks.disk)


def _uploaded(http: httpx.Client, hostile: Hostile) -> Ended:
    content = hostile.make()
    began = time.monotonic()
    answer = http.post("/jobs", files={"file": (hostile.name, content)})
    if answer.status_code != 202:
        refused = answer.json()["problems"][0]["problem"] if answer.status_code in REFUSED else ""
        return Ended(hostile.what, str(answer.status_code), refused, time.monotonic() - began)
    job = made.ended(http, answer.json()["id"], WAIT_SECONDS)
    words = job["message"] or ""
    if job["state"] == "done":
        words = f"{job['rows']:,} rows; {http.get(job['links']['errors']).text[:300]}"
    assert http.delete(f"/jobs/{job['id']}").status_code == 204
    return Ended(hostile.what, job["state"], words, time.monotonic() - began)


def _show(ended: Ended) -> None:
    mark = "" if ended.is_clean else "BAD "
    print(
        f"{mark}{ended.seconds:5.1f} s {ended.anonymous // MB:5} MB  {ended.what}: {ended.state}: {ended.words[:200]}",
        flush=True,
    )


def main() -> int:
    """Attacks with all of them, or those whose name holds the first argument; the exit code."""
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    seen = attack([hostile for hostile in CORPUS if part in hostile.what], _show)
    print(f"{len(seen.ended)} hostile uploads; disk {seen.disk // MB} MB at most")
    print(f"memory: {seen.memory // MB} MB of one process, {seen.anonymous // MB} MB of all together, at most")
    print(f"the honest job after them: {seen.honest['state']}, {seen.rows} rows")
    held = seen.memory < MEMORY_MB * MB and seen.disk < DISK_MB * MB and seen.rows == HONEST_ROWS
    return 0 if held and all(ended.is_clean for ended in seen.ended) else 1


if __name__ == "__main__":
    sys.exit(main())
