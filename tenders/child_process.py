"""Processes of our own modules that answer messages: the parent's end (`ChildProcess`) and the child's (`connect`).

A child runs `python -m MODULE`, with a socket as its standard input on which both ends send whole messages of bytes. It
has no secret in its environment and a bound of memory, and it ends when its parent ends, whatever it is doing.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

SECRETS = ("TENDER_RISK_AUDIT", "TENDER_RISK_JOBS", "TENDER_RISK_KEYS")
"""Beginnings of the names of environment variables that no process but the service needs: addresses of databases may
hold a password."""
METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""Where processes share metrics: those of a child would be added to the service's."""
MEMORY = 2 * 2**30
"""Bytes that a child may take beyond what its libraries take."""
END_SECONDS = 10.0
STDIN = 0
ROOT = Path(__file__).parents[__name__.count(".")]


class ChildEndedError(Exception):
    """A child ended before it had answered; `ending` says how: the name of a signal, or `exit` and a number.

    `is_late` where it was ended because it took too long.
    """

    def __init__(self, code: int, is_late: bool) -> None:
        self.ending, self.is_late = signal.Signals(-code).name if code < 0 else f"exit {code}", is_late
        super().__init__(self.ending)


class ChildProcess:
    """A child, and how it is asked: by one thread at a time. Raises OSError if it cannot be started.

    `environment` is `child_environment()` by default. What the child prints is dropped, and with `is_logged` only what
    it prints to standard output: a traceback could hold what was sent.
    """

    def __init__(
        self, module: str, *arguments: str, environment: Mapping[str, str] | None = None, is_logged: bool = False
    ) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", module, *arguments],
                env={**(environment or child_environment()), "OMP_NUM_THREADS": "1"},
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=None if is_logged else subprocess.DEVNULL,
            )
            self._connection = Connection(ours.detach())
        self._asking = threading.Lock()

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def ask(self, *messages: bytes, seconds: float, answers: int = 1) -> list[bytes]:
        """Sends messages, and gives as many answers as are awaited.

        Raises ChildEndedError if the child ends before that, or is not done within so many seconds and is ended.
        Whatever is raised, the child is ended: what it still sends would be taken for the next answer.
        """
        late = threading.Event()
        timer = threading.Timer(seconds, self._end_late, (late,))
        try:
            with self._asking:
                timer.start()
                for message in messages:
                    self._connection.send_bytes(message)
                return [self._connection.recv_bytes() for _ in range(answers)]
        except (EOFError, OSError):
            # Its socket is closed a moment before it has ended, and how it ends is to be known.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
            raise ChildEndedError(self.end(), late.is_set()) from None
        except BaseException:
            self.end()
            raise
        finally:
            timer.cancel()

    def _end_late(self, late: threading.Event) -> None:
        late.set()
        self._process.kill()

    def end(self) -> int:
        """Ends the process, also while another thread waits for its answer; its exit code, negative for a signal."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        # Not while it is read: its number could be another file's by then.
        with self._asking:
            self._connection.close()
        code = self._process.returncode
        return -signal.SIGKILL if code is None else code


def child_environment(names: Collection[str] | None = None) -> dict[str, str]:
    """The environment without secrets, in which our packages are found; of variables only `names`, if given."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(SECRETS) and name != METRICS and (names is None or name in names)
    }
    return {**ours, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [ours.get("PYTHONPATH")])])}


# In the child.


def connect(memory: int = MEMORY) -> Connection:
    """The connection of a child to its parent. From now on it may take `memory` more bytes, and ends with its parent.

    To be called once its libraries are imported.
    """
    # Sent to all processes of a terminal or a unit: the parent may want an answer until it has ended.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit_memory(memory)
    return Connection(STDIN)


def requests(connection: Connection) -> Iterator[bytes]:
    """Every message of the parent until that is gone."""
    while True:
        try:
            yield connection.recv_bytes()
        except (EOFError, OSError):
            return


def _end_with_parent() -> None:
    poll = select.poll()
    # Nothing but that the other end is closed.
    poll.register(STDIN, 0)
    poll.poll()
    os._exit(1)


def _limit_memory(more: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    if pages:
        most = pages * resource.getpagesize() + more
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    # A crash is told by how the process ends. Its memory, which could hold what was sent, is of no use to anybody.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
