"""Does the service lose, forget or invent anything when all goes wrong? `python -m benchmarks.faults`.

100 kills at moments of chance (of the service, of the process of a job, or of one of its workers), and then one fault
after the other: a full disk, databases that are gone, locked, damaged and old, a clock 40 days off, a memory limit,
MLflow out of reach, promotions. Clients ask all the while and keep what they are told. Nobody puts anything right by
hand, unless the fault itself is that something was taken away: then it is put back. `--only NAME` runs one. It ends
with 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.fault_service import (
    Clients,
    Held,
    Service,
    answers_held,
    asked_json,
    chance_of,
    portfolio,
    service,
    verified,
)
from benchmarks.tables import ResultTable, add_output_options, markdown, provenance, show, write
from models import bundle as bundles
from serving.large import MOST_SECONDS
from tests.serving.jobs import made

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
TRUE_SLEEP = """
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *rest)
{
    return syscall(SYS_clock_nanosleep, clock, flags, time, rest) ? errno : 0;
}
"""
"""libfaketime 0.9.10 answers EINVAL to whoever sleeps until a moment of the monotonic clock, as Python does.

It takes the faked day from that moment, also where the monotonic clock is not faked. This goes before it.
"""
TMPFS_MB = 96
SECONDS = 4.0
"""For so long clients ask before, during and after a fault."""
LIVE_SECONDS = 1.0
"""In so long `/livez` has to answer whatever is wrong; on a machine that other work shares."""
RECOVERY_SECONDS = 90.0


# Kills.


class Jobs(threading.Thread):
    """Uploads one portfolio after the other, and keeps the ids of those that were taken in."""

    def __init__(self, served: Service) -> None:
        super().__init__(daemon=True)
        self.ids: dict[str, int] = {}
        self.stopped = threading.Event()
        self._served = served

    def run(self) -> None:
        number = 0
        while not self.stopped.wait(0.5):
            try:
                status, job = self._served.upload(portfolio(number))
                if status == 202:
                    self.ids[job["id"]] = number
                    number += 1
                    self._served.ended(job["id"], 15)
            except (OSError, ValueError):
                continue


def kills(folder: Path, count: int, seed: int) -> list[Held]:
    """Kills under load; whoever runs the service starts it again, as systemd does, and does nothing else."""
    chance = chance_of(seed)
    victims: dict[str, int] = {"the service": 0, "a job's process": 0, "a worker of a job": 0}
    with service(folder / "data") as served:
        expected = {number: _reference(served, number) for number in range(5)}
        jobs = Jobs(served)
        jobs.start()
        with Clients(served) as clients:
            for _ in range(count):
                time.sleep(chance.uniform(0.05, 5))
                victims[_kill_one(served, chance.random())] += 1
            jobs.stopped.set()
            jobs.join(60)
        ended = {job_id: served.ended(job_id) for job_id in jobs.ids}
        undone = [job for job in ended.values() if job["state"] != "done"]
        outputs = {job_id: served.output(job_id) for job_id, job in ended.items() if job["state"] == "done"}
        differ = [job_id for job_id, output in outputs.items() if output != expected[jobs.ids[job_id] % 5]]
        whom = ", ".join(f"{number} of {whom}" for whom, number in victims.items())
        return [
            Held(f"{count} kills", whom, sum(victims.values()) == count),
            *answers_held(clients, served),
            Held("every job that was taken in is done", _summary(ended, undone), not undone and bool(ended)),
            Held("its rows are those of an unbroken run", f"{len(outputs)} outputs, {len(differ)} differ", not differ),
            verified(served),
            Held("it starts by itself", f"{len(served.starts)} times, in {max(served.starts):.1f} s at most", True),
        ]


def _kill_one(served: Service, chance: float) -> str:
    assert served.process is not None
    children = served.children()
    if chance < 0.6 or not children:
        served.stop(signal.SIGKILL)
        served.start()
        return "the service"
    whom = "a job's process" if chance < 0.8 else "a worker of a job"
    try:
        os.kill(children[0] if chance < 0.8 else children[-1], signal.SIGKILL)
    except ProcessLookupError:
        served.stop(signal.SIGKILL)
        served.start()
        return "the service"
    return whom


def _reference(served: Service, number: int) -> str:
    status, job = served.upload(portfolio(number))
    assert status == 202, job
    assert served.ended(job["id"])["state"] == "done"
    return served.output(job["id"])


def _summary(ended: dict[str, Any], undone: list[Any]) -> str:
    words = f": {undone[0]['state']}, {undone[0]['message'][:80]}" if undone else ""
    return f"{len(ended)} jobs, {len(undone)} are not{words}"


# A job that was done before a fault, and what must hold of it afterwards.


@contextmanager
def faulty(folder: Path, **settings: str) -> Iterator[tuple[Service, Clients, str, str]]:
    """A service with clients, a job that is done, and the digest of its rows."""
    with service(folder / "data", **settings) as served:
        _, job = served.upload(portfolio(0))
        assert served.ended(job["id"])["state"] == "done"
        rows = served.output(job["id"])
        with Clients(served, 2) as clients:
            time.sleep(SECONDS)
            yield served, clients, job["id"], rows


def kept(served: Service, job_id: str, rows: str) -> Held:
    """Whether the job of before is still served as it was."""
    output = served.output(job_id)
    return Held("the job of before is served as it was", "the same rows" if output == rows else output, output == rows)


def recovered(served: Service, seconds: float = RECOVERY_SECONDS) -> Held:
    """Whether scores, jobs and readiness come back by themselves."""
    begun, why = time.monotonic(), ""
    while time.monotonic() - begun < seconds:
        try:
            ready, words = served.ask("GET", "/readyz")
            status, job = served.upload(portfolio(1))
            state = served.ended(job["id"], seconds)["state"] if status == 202 else f"{status}: {job}"
            why = f"readyz {ready} {words[:200]!r}, job {state}"
            if ready == 200 and state == "done":
                return Held("it recovers by itself", f"after {time.monotonic() - begun:.0f} s", True)
        except OSError as error:
            why = str(error)
        time.sleep(1)
    return Held("it recovers by itself", why[:200], False)


def live(served: Service) -> Held:
    """Whether the process answers for its life."""
    begun = time.monotonic()
    status, _ = served.ask("GET", "/livez")
    taken = time.monotonic() - begun
    return Held("/livez answers", f"{status} in {1000 * taken:.0f} ms", status == 200 and taken < LIVE_SECONDS)


def words_of(status: int, answer: bytes | dict[str, Any], *allowed: int) -> Held:
    """Whether an answer is a clear refusal."""
    error = (answer if isinstance(answer, dict) else json.loads(answer)).get("error", "")
    return Held("a clear error", f"{status}: {error[:120]}", status in allowed and len(error) > 10)


# Faults.


def full_disk(folder: Path) -> list[Held]:
    """The disk has no room: a real one where one may be mounted, else no file may grow."""
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MB}m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    try:
        with faulty(disk) as (served, clients, job_id, rows):
            _, running = served.upload(made.long(2), "long.jsonl.gz")
            time.sleep(1)
            _fill(disk, served, mounted.returncode == 0)
            time.sleep(SECONDS)
            seen = [live(served), words_of(*served.upload(portfolio(2) * 40), 503, 507)]
            code, words = served.command("audit", "verify")
            seen.append(Held("the trail can be read meanwhile", words.splitlines()[-1][:100], code == 0))
            _empty(disk, served, mounted.returncode == 0)
            seen += [recovered(served), kept(served, job_id, rows)]
            job = served.ended(running["id"])
            seen.append(Held("the job that ran is done", f"{job['state']} {job['message']}", job["state"] == "done"))
        how = f"a file system of {TMPFS_MB} MB" if mounted.returncode == 0 else "a limit on the size of files"
        return [Held("how", how, True), *seen, *answers_held(clients, served), verified(served)]
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", str(disk)], check=False)


def _fill(disk: Path, served: Service, mounted: bool) -> None:
    if not mounted:
        for pid in [served.process.pid if served.process else 0, *served.children()]:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (4_096, resource.RLIM_INFINITY))
        return
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"\0" * 4_096)
        except OSError:
            return


def _empty(disk: Path, served: Service, mounted: bool) -> None:
    if mounted:
        (disk / "ballast").unlink()
        return
    for pid in [served.process.pid if served.process else 0, *served.children()]:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def jobs_database_gone(folder: Path) -> list[Held]:
    """The jobs' database is deleted while the service runs, which is then started again, and comes back."""
    with faulty(folder) as (served, clients, job_id, rows):
        away = folder / "away"
        away.mkdir()
        _move(served.data, away, "jobs.sqlite")
        status, answer = served.ask("GET", f"/jobs/{job_id}")
        seen = [words_of(status, answer, 404, 503), live(served)]
        served.stop()
        served.start()
        seen.append(recovered(served))
        folders = [path for path in served.data.rglob("*scored.parquet") if job_id in str(path)]
        seen.append(Held("the files of the job are kept", f"{len(folders)} of 1", len(folders) == 1))
        served.stop()
        _move(away, served.data, "jobs.sqlite")
        served.start()
        seen.append(kept(served, job_id, rows))
    return [*seen, *answers_held(clients, served), verified(served)]


def trail_gone(folder: Path) -> list[Held]:
    """The audit trail is moved away while the service runs: a new one names the last entry of the old."""
    with faulty(folder) as (served, clients, job_id, rows):
        head = served.command("audit", "head")[1]
        away = folder / "away"
        away.mkdir()
        _move(served.data, away, "audit.sqlite")
        time.sleep(SECONDS)
        seen = [recovered(served), kept(served, job_id, rows)]
    trails = (served.data / "audit.sqlite", away / "audit.sqlite")
    with closing(sqlite3.connect(trails[0])) as database:
        first = database.execute("SELECT entry FROM audit_entries ORDER BY seq LIMIT 1").fetchone()[0]
    before = json.loads(first).get("before", "")
    later = bool(before) and int(before.partition(":")[0]) >= int(head.partition(":")[0])
    seen.append(Held("the new trail names the old one's end", before[:40], later))
    return [*seen, *answers_held(clients, served, *trails), verified(served), verified(served, trails[1])]


def _move(source: Path, target: Path, name: str) -> None:
    for file in source.glob(f"{name}*"):
        file.rename(target / file.name)


def databases_locked(folder: Path) -> list[Held]:
    """Another process holds each database's lock for some seconds."""
    seen = []
    with faulty(folder) as (served, clients, job_id, rows):
        for name in ("audit.sqlite", "jobs.sqlite"):
            with closing(sqlite3.connect(served.data / name, timeout=30, isolation_level=None)) as database:
                database.execute("BEGIN EXCLUSIVE")
                time.sleep(0.5)
                slowest = max((live(served) for _ in range(20)), key=lambda held: int(held.seen.split()[2]))
                seen.append(Held(f"/livez answers while {name} is locked", slowest.seen, slowest.held))
                time.sleep(SECONDS)
                database.execute("ROLLBACK")
        seen += [recovered(served), kept(served, job_id, rows)]
    return [*seen, *answers_held(clients, served), verified(served)]


def jobs_database_damaged(folder: Path) -> list[Held]:
    """The jobs' database is overwritten: no jobs, but scores; it is put back."""
    with faulty(folder) as (served, clients, job_id, rows):
        served.stop()
        file = served.data / "jobs.sqlite"
        good = file.read_bytes()
        file.write_bytes(b"This is no database. " * 500)
        served.start()
        status, answer = served.ask("GET", f"/jobs/{job_id}")
        seen = [words_of(status, answer, 503), live(served)]
        ready = served.ask("GET", "/readyz")[0]
        seen.append(Held("readiness says so", f"{ready}", ready == 503))
        file.write_bytes(good)
        seen += [recovered(served), kept(served, job_id, rows)]
    return [*seen, *answers_held(clients, served), verified(served)]


def trail_damaged(folder: Path) -> list[Held]:
    """The trail is overwritten: the service does not start on it, and says why; it is put back."""
    with faulty(folder) as (served, clients, job_id, rows):
        backup = folder / "backup"
        code, words = served.command("backup", str(backup))
        seen = [Held("a back-up is made", words[-80:], code == 0)]
        file = served.data / "audit.sqlite"
        served.stop()
        good = {path: path.read_bytes() for path in served.data.glob("audit.sqlite*")}
        for path in good:
            path.unlink()
        file.write_bytes(b"This is no database. " * 2_000)
        served.start(wait=False)
        assert served.process is not None
        code = served.process.wait(60)
        log = served.log.read_text(errors="replace")[-600:]
        clear = "cannot be used" in log and code == 3
        seen.append(Held("it does not start on it, in words", f"{code}: {log.strip().splitlines()[-1][-100:]}", clear))
        for path, content_of in good.items():
            path.write_bytes(content_of)
        served.start()
        seen += [recovered(served), kept(served, job_id, rows)]
    return [*seen, *answers_held(clients, served), verified(served)]


def old_database(folder: Path) -> list[Held]:
    """A table of jobs of an earlier version, which lacks columns."""
    with faulty(folder) as (served, clients, job_id, rows):
        served.stop()
        with closing(sqlite3.connect(served.data / "jobs.sqlite")) as database:
            for column in ("owner", "outputs"):
                database.execute(f"ALTER TABLE tender_risk_jobs DROP COLUMN {column}")
        served.start()
        seen = [recovered(served), kept(served, job_id, rows)]
    return [*seen, *answers_held(clients, served), verified(served)]


def clock(folder: Path) -> list[Held]:
    """The machine's clock is 40 days ahead, and then 40 days behind."""
    if not FAKETIME.is_file() or not shutil.which("cc"):
        return [Held("how", "libfaketime or a C compiler is not here: apt-get install libfaketime gcc", False)]
    sleep = folder / "sleep.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", sleep, "-xc", "-"], input=TRUE_SLEEP, text=True, check=True)
    preloaded = f"{sleep} {FAKETIME}"
    seen = []
    with faulty(folder) as (served, clients, job_id, rows):
        for days in ("+40d", "-40d", ""):
            served.stop()
            faked = {"LD_PRELOAD": preloaded, "FAKETIME": days, "DONT_FAKE_MONOTONIC": "1"} if days else {}
            served.settings = faked
            served.start()
            time.sleep(SECONDS)
            held = kept(served, job_id, rows)
            seen.append(held._replace(what=f"{held.what}, clock {days or 'right'}"))
            warnings = asked_json(served, "/readyz")["warnings"]
            doubt = next((text for text in warnings if "clock" in text), "no doubt")
            seen.append(Held(f"the jump is told, clock {days or 'right'}", doubt[:60], "jumped" in doubt))
            held = recovered(served)
            seen.append(held._replace(what=f"{held.what}, clock {days or 'right'}"))
    return [*seen, *answers_held(clients, served), verified(served)]


def memory_limit(folder: Path) -> list[Held]:
    """The service may take no more memory than it has, and large bodies come."""
    body = b'{"tender": {"tender": {"lots": [' + b'{"id": "1", "value": {"amount": 1}},' * 800_000 + b'{"id": "2"}]}}}'
    with faulty(folder) as (served, clients, job_id, rows):
        assert served.process is not None
        pages = int(Path(f"/proc/{served.process.pid}/statm").read_text(encoding="ascii").split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + 100 * 2**20
        resource.prlimit(served.process.pid, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
        answers = []
        for _ in range(3):
            try:
                answers.append(served.ask("POST", "/score", body, timeout=MOST_SECONDS + 30)[0])
            except OSError as error:
                answers.append(type(error).__name__)
        clear = all(answer in (400, 413, 503) for answer in answers)
        seen = [Held("large bodies are refused in words", f"{answers}", clear), live(served)]
        resource.prlimit(served.process.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        seen += [recovered(served), kept(served, job_id, rows)]
    return [*seen, *answers_held(clients, served), verified(served)]


def _copy_of_released(folder: Path) -> Path:
    released = folder / "released"
    shutil.copytree(bundles.RELEASED, released, symlinks=True)
    return released


def mlflow_gone(folder: Path) -> list[Held]:
    """The store of runs is out of reach: the service answers, `promote` and `rollback` say so, nothing changes."""
    released = _copy_of_released(folder)
    away = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "TENDER_RISK_BUNDLES": str(released)}
    with faulty(folder, **away) as (served, clients, job_id, rows):
        before = (released / "current").read_bytes()
        begun = time.monotonic()
        code, words = served.command("promote", timeout=300)
        taken, last = time.monotonic() - begun, words.splitlines()[-1][:120] if words else ""
        clear = code == 3 and "Traceback" not in words
        seen = [
            Held("promote says so", f"{code} in {taken:.0f} s: {last}", clear and taken < 60),
            Held("the pointer stays", "the same", (released / "current").read_bytes() == before),
            live(served),
            recovered(served),
            kept(served, job_id, rows),
        ]
    return [*seen, *answers_held(clients, served), verified(served)]


def promotion(folder: Path) -> list[Held]:
    """Bundles are changed ten times under load, once for a broken one; every answer is that of the bundle it names."""
    released = _copy_of_released(folder)
    versions = sorted(path.name for path in released.iterdir() if (path / bundles.MANIFEST).is_file())[-2:]
    broken = released / "broken"
    shutil.copytree(released / versions[-1], broken)
    with (broken / bundles.MANIFEST).open("ab") as manifest:
        manifest.write(b" ")
    slowest = 0.0
    with faulty(folder, TENDER_RISK_BUNDLES=str(released)) as (served, clients, job_id, rows):
        for turn in range(10):
            wanted = "broken" if turn == 5 else versions[turn % 2]
            (released / "current.new").write_text(wanted)
            (released / "current.new").rename(released / "current")
            begun = time.monotonic()
            while wanted != "broken" and asked_json(served, "/readyz?of=scoring")["bundle"] != wanted:
                if time.monotonic() - begun > 60:
                    break
                time.sleep(0.1)
            slowest = max(slowest, time.monotonic() - begun)
            time.sleep(1.5)
            if wanted == "broken":
                warnings = asked_json(served, "/readyz?of=scoring")["warnings"]
                refused = next((text for text in warnings if "refused" in text), "")
        seen = [
            Held("a broken bundle is refused, the old one serves", refused[:100], bool(refused)),
            Held("a change takes less than 10 s", f"{slowest:.1f} s at most", slowest < 10),
            recovered(served),
            kept(served, job_id, rows),
        ]
    used = sorted({answer.bundle for answer in clients.answers})
    seen.append(Held("both bundles answered", ", ".join(used), used == versions))
    return [*seen, *answers_held(clients, served), verified(served)]


FAULTS: dict[str, Callable[[Path], list[Held]]] = {
    "disk full": full_disk,
    "jobs' database gone": jobs_database_gone,
    "trail gone": trail_gone,
    "databases locked": databases_locked,
    "jobs' database damaged": jobs_database_damaged,
    "trail damaged": trail_damaged,
    "old database": old_database,
    "clock 40 days off": clock,
    "memory limit": memory_limit,
    "MLflow gone": mlflow_gone,
    "promotion under load": promotion,
}


def save(name: str, table: ResultTable, folder: Path) -> None:
    """Keeps the table of one fault in `faults.md`, with those of the others that are there already."""
    file = folder / "faults.md"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    kept = {part.partition(" (")[0]: f"**{part.strip()}" for part in text.split("\n\n**")[1:]}
    kept[name] = markdown(table)
    folder.mkdir(parents=True, exist_ok=True)
    parts = ["# faults", *(kept[name] for name in ("kills", *FAULTS) if name in kept)]
    file.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def main() -> int:
    """Runs all of it, or one fault; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", default=[], choices=["kills", *FAULTS], help="may be given again")
    add_output_options(parser)
    chosen = parser.parse_args()
    tables = []
    for name in chosen.only or ["kills", *FAULTS]:
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
            held = kills(Path(folder), chosen.kills, chosen.seed) if name == "kills" else FAULTS[name](Path(folder))
        # The folder has another name each time.
        held = [law._replace(seen=law.seen.replace(f"{folder}/", "")) for law in held]
        rows = [{"what must hold": law.what, "seen": law.seen, "held": "yes" if law.held else "NO"} for law in held]
        table = ResultTable(title=f"{name} ({time.monotonic() - begun:.0f} s)", rows=rows, notes=(provenance(),))
        show(table)
        tables.append(table)
        if chosen.save:
            # Now, and not once all have run: some take minutes.
            save(name, table, chosen.save)
    chosen.save = None
    write("faults", tables, chosen)
    return 1 if any(row["held"] == "NO" for table in tables for row in table.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
