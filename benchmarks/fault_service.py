"""A real service that is killed and started again, and clients that keep what they are told (`benchmarks.faults`)."""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks.service import DRAFT
from models import bundle as bundles
from models.bundle import Bundle
from serving.answers import json_bytes, score_answer
from serving.audit.entry import read_entry
from tests.serving.jobs import made

COMMAND = str(Path(sys.executable).with_name("tender-risk"))
READY_SECONDS = 60.0
"""Seconds in which a service has to answer after it was started."""
JOB_SECONDS = 240.0
PAUSE = 0.02
"""Seconds between two scores of a client: enough to be at work at every moment, and the checks have to keep up."""
TENDERS, ROWS = 400, 60
"""Different tenders that are asked for, and those of a portfolio."""
DOCUMENTED = {408, 429, 503, 507}
"""What a service in trouble may answer."""


class Held(NamedTuple):
    """One thing that must hold, what was seen, and whether it did."""

    what: str
    seen: str
    held: bool


class KeptAnswer(NamedTuple):
    """An answer that a client has received whole."""

    number: int
    input: str
    output: str
    bundle: str


class Service:
    """A service in a data directory, at one address however often it is started."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data, self.settings = data, settings
        self.port = free_port()
        self.process: subprocess.Popen[str] | None = None
        self.log = data.with_name(f"{data.name}.log")
        self.starts: list[float] = []

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the service and of commands beside it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TENDER_RISK")}
        return {**kept, "OMP_NUM_THREADS": "1", "TENDER_RISK_DATA": str(self.data), **self.settings}

    def start(self, wait: bool = True) -> None:
        """Starts it, and waits until it answers. Raises SystemExit with its log if it does not."""
        with self.log.open("ab") as log:
            command = [COMMAND, "serve", "--port", str(self.port)]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, text=True)
        if wait:
            self.starts.append(self.wait_ready())

    def wait_ready(self) -> float:
        """The seconds until it answers."""
        begun = time.monotonic()
        while time.monotonic() - begun < READY_SECONDS:
            if self.process is not None and self.process.poll() is not None:
                break
            try:
                if self.ask("GET", "/livez", timeout=5)[0] == 200:
                    return time.monotonic() - begun
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"the service does not start: {self.log.read_text(errors='replace')[-2000:]}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends it; its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        code, self.process = self.process.wait(60), None
        return code

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> tuple[int, bytes]:
        """The status and body of an answer. Raises OSError."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from None
        finally:
            connection.close()

    def upload(self, content: bytes, name: str = "register.jsonl") -> tuple[int, dict[str, Any]]:
        """The status of an upload, and its job or its error. Raises OSError."""
        mark = "tender-risk-faults"
        head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{mark}--\r\n".encode()
        status, answer = self.ask("POST", "/jobs", body, {"Content-Type": f"multipart/form-data; boundary={mark}"})
        return status, json.loads(answer)

    def job(self, id: str) -> dict[str, Any]:
        """A job as the service tells it; its status where it does not. Raises OSError."""
        status, answer = self.ask("GET", f"/jobs/{id}")
        return json.loads(answer) if status == 200 else {"state": f"status {status}", "message": answer.decode()}

    def ended(self, id: str, seconds: float = JOB_SECONDS) -> dict[str, Any]:
        """A job once it has ended, or as it stands after so long."""
        until = time.monotonic() + seconds
        job: dict[str, Any] = {"state": "not asked", "message": ""}
        while time.monotonic() < until:
            try:
                job = self.job(id)
            except OSError as error:
                job = {"state": "unreachable", "message": str(error)}
            if job["state"] in ("done", "failed", "cancelled"):
                break
            time.sleep(0.2)
        return job

    def output(self, id: str) -> str:
        """The digest of a job's rows; in words why there is none."""
        status, content = self.ask("GET", f"/jobs/{id}/output")
        return digest(content) if status == 200 else f"{status}: {content[:300].decode(errors='replace')}"

    def command(self, *arguments: str, timeout: float = 120) -> tuple[int, str]:
        """The exit code and the words of a command beside the service."""
        ended = subprocess.run(
            [COMMAND, *arguments], env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        return ended.returncode, (ended.stdout + ended.stderr).strip()

    def children(self) -> list[int]:
        """The processes that it has started, and those that these have."""
        from benchmarks.hostile import process_tree

        return process_tree(self.process.pid)[1:] if self.process else []


@contextmanager
def service(data: Path, **settings: str) -> Iterator[Service]:
    """A service that has been started; it ends with the block."""
    made_service = Service(data, **settings)
    made_service.start()
    try:
        yield made_service
    finally:
        if made_service.process is not None and made_service.process.poll() is None:
            made_service.process.kill()
            made_service.process.wait(30)


class Clients:
    """Clients that ask for scores without a pause worth the name, from the beginning of a `with` block to its end."""

    def __init__(self, served: Service, count: int = 4) -> None:
        self.answers: list[KeptAnswer] = []
        self.refused: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.broken = 0
        self._served, self._numbers = served, itertools.count()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(count)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(70)

    def _ask(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._stopped.wait(PAUSE):
            number = next(self._numbers)
            body = request_body(number)
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self._served.port, timeout=60)
                connection.request("POST", "/score", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                self.broken += 1
                connection = None
                continue
            if answer.status == 200:
                bundle = answer.headers.get("X-Tender-Risk-Bundle", "").partition(";")[0]
                self.answers.append(KeptAnswer(number, digest(body), digest(content), bundle))
            elif answer.status in DOCUMENTED and _is_clear(content):
                self.refused[f"{answer.status}: {json.loads(content)['error'][:80]}"] += 1
            else:
                self.wrong.append(f"{answer.status}: {content[:200]!r}")


def _is_clear(content: bytes) -> bool:
    """Whether an error says what is wrong, and is none of ours."""
    try:
        return len(json.loads(content)["error"]) > 10 and "unexpected" not in json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        return False


def request_body(number: int) -> bytes:
    """A request for one of TENDERS tenders, with blanks that no other request has."""
    tender = {**DRAFT, "title": f"Integrated community services {number % TENDERS}"}
    body = json.dumps({"tender": tender, "explain": number % 2 == 0})
    return f"{body}{format(number, 'b').replace('0', ' ').replace('1', chr(9))}".encode()


def lost(answers: list[KeptAnswer], *trails: Path) -> int:
    """How many answers have no entry in the trails."""
    known: set[tuple[str, str]] = set()
    for trail in trails:
        with closing(sqlite3.connect(trail, timeout=30)) as database:
            entries = database.execute("SELECT entry FROM audit_entries").fetchall()
        known |= {(entry.input, entry.output) for entry in map(read_entry, (row[0] for row in entries))}
    return sum((answer.input, answer.output) not in known for answer in answers)


def wrong(answers: list[KeptAnswer], directories: Mapping[str, Path] | None = None) -> int:
    """How many answers are not what the bundle that they name gives, byte by byte."""
    expected: dict[tuple[str, int], str] = {}
    loaded: dict[str, Bundle] = {}
    count = 0
    for answer in answers:
        key = (answer.bundle, answer.number % (2 * TENDERS))
        if answer.bundle not in loaded:
            named = (directories or {}).get(answer.bundle, bundles.RELEASED / answer.bundle)
            loaded[answer.bundle] = bundles.load(named)
        if key not in expected:
            expected[key] = digest(json_bytes(score_answer(request_body(key[1]), loaded[answer.bundle])[0]))
        count += expected[key] != answer.output
    return count


def verified(served: Service, trail: Path | None = None) -> Held:
    """Whether `audit verify` passes."""
    code, words = served.command("audit", "verify", *(["--trail", str(trail)] if trail else []))
    return Held("audit verify passes", words.splitlines()[0][:100] if words else str(code), code == 0)


def answers_held(clients: Clients, served: Service, *trails: Path) -> list[Held]:
    """What must hold of all answers: their entries are there, they are right, and errors were clear."""
    missing = lost(clients.answers, *(trails or [served.data / "audit.sqlite"]))
    bad = wrong(clients.answers)
    refused = "; ".join(f"{count} x {words}" for words, count in clients.refused.most_common(3)) or "none"
    return [
        Held("every answer has its entry", f"{len(clients.answers):,} answers, {missing} without", missing == 0),
        Held("every answer is right", f"{bad} wrong", bad == 0 and bool(clients.answers)),
        Held("refusals are documented and clear", refused, not clients.wrong),
        *([Held("other answers", clients.wrong[0], False)] if clients.wrong else []),
    ]


def portfolio(number: int) -> bytes:
    """A portfolio that differs from others in its size."""
    return made.portfolio(ROWS + number % 5)


def digest(content: bytes) -> str:
    """The SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def chance_of(seed: int) -> random.Random:
    """A source of chance, the same for the same seed."""
    return random.Random(seed)


def asked_json(served: Service, path: str) -> dict[str, Any]:
    """A JSON answer of the service. Raises OSError."""
    content: dict[str, Any] = msgspec.json.decode(served.ask("GET", path)[1])
    return content
