"""Processes that begin with the program imported: each is a fork of one that has, in a fraction of a new one's time.

A start from nothing takes two seconds of processor time, nearly all of it imports, and tests start services and commands
by the hundred. A fork has an environment, a folder, files and a process number of its own, and ends as any process does. That
the program starts from nothing as well is proven where that is the subject: tests/cli/test_process.py, test_running.py,
test_wheel.py, test_bento.py, and the servers and training commands of test_docs.py.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).parents[1]
# What services and commands import. Not `cli`: its consoles take their width from the environment as they are imported.
IMPORTED = (
    "openpyxl", "typer", "rich.console", "rich.table", "rich.progress", "models.score", "portfolio.run",
    "portfolio.workers", "serving.audit.trail", "serving.pages.drafts", "serving.running", "serving.served",
    "serving.service", "serving.sessions", "serving.shadow",
)  # fmt: skip
# Variables that are read as modules are imported: with others than ours, a process must start from nothing.
READ_AT_IMPORT = ("TENDER_RISK_BUNDLES", "PYTHON", "OMP_", "BENTOML")
NUMBER = 8
COMMAND = """#!{python} -IS
import json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
code = "import sys; from tender_risk.command import run; sys.exit(run())"
request = json.dumps([code, sys.argv, os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(request).to_bytes(8, "big")], [0, 1, 2])
server.sendall(request)
numbers = server.makefile("rb")
numbers.read(8)
status = int.from_bytes(numbers.read(8), "big", signed=True)
if status < 0:
    os.kill(os.getpid(), -status)
os._exit(status)
"""


class Forked:
    """A fork that runs `code`, with what a `subprocess.Popen` of `python -c` with pipes for its output has."""

    def __init__(self, code: str, environment: Mapping[str, str]) -> None:
        assert can_run(environment)
        request = json.dumps([code, ["-c"], str(ROOT), dict(environment)]).encode()
        (out, to_out), (err, to_err) = os.pipe(), os.pipe()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(_address())
        files = [os.open(os.devnull, os.O_RDONLY), to_out, to_err]
        socket.send_fds(self._server, [len(request).to_bytes(NUMBER, "big")], files)
        for file in files:
            os.close(file)
        self._server.sendall(request)
        self.stdout: TextIO = os.fdopen(out, encoding="utf-8")
        self.stderr: TextIO = os.fdopen(err, encoding="utf-8")
        self.returncode: int | None = None
        self.pid = _number(self._server)

    def poll(self) -> int | None:
        """The exit code, minus the signal that ended it, or None while it runs."""
        if self.returncode is None and select.select([self._server], [], [], 0)[0]:
            self.returncode = _number(self._server)
            self._server.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            select.select([self._server], [], [], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("a fork", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Asks it to end."""
        self.send_signal(signal.SIGTERM)

    def communicate(self, timeout: float = 120) -> tuple[str, str]:
        """What is left of its output and of its errors, once it has ended. Raises subprocess.TimeoutExpired."""
        texts = ["", ""]

        def read(place: int, file: TextIO) -> None:
            with file:
                texts[place] = file.read()

        files = [(place, file) for place, file in enumerate((self.stdout, self.stderr)) if not file.closed]
        readers = [threading.Thread(target=read, args=file, daemon=True) for file in files]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
        return texts[0], texts[1]


def can_run(environment: Mapping[str, str]) -> bool:
    """Whether what is read of this environment as modules are imported is what the forks' modules have read."""
    return _read_at_import(environment) == _read_at_import(_environment())


@functools.cache
def command() -> Path:
    """`tender-risk`, alone in a folder: it does in a fork what the installed one does."""
    place = Path(_address()).with_name("bin") / "tender-risk"
    place.parent.mkdir()
    place.write_text(COMMAND.format(python=sys.executable, address=_address()), encoding="utf-8")
    place.chmod(0o755)
    return place


def _read_at_import(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_IMPORT)}


@functools.cache
def _environment() -> dict[str, str]:
    """The environment in which the program is imported."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TENDER_RISK")}


@functools.cache
def _address() -> str:
    """Where the process that forks listens. It ends with this one."""
    folder = tempfile.mkdtemp(prefix="forks-")
    address = f"{folder}/socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        code = f"from tests import forks; exec(forks.serve({listener.fileno()}))"
        command = [sys.executable, "-c", code]
        forks = subprocess.Popen(
            command, cwd=ROOT, env=_environment(), stdin=subprocess.PIPE, pass_fds=[listener.fileno()]
        )

    def end() -> None:
        assert forks.stdin is not None
        forks.stdin.close()
        forks.wait(60)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return address


def _number(server: socket.socket) -> int:
    """The next number that the process that forks says: a process number, or an exit code."""
    raw = server.recv(NUMBER, socket.MSG_WAITALL)
    assert len(raw) == NUMBER, "the process that forks has ended"
    return int.from_bytes(raw, "big", signed=True)


def serve(listening: int) -> str:
    """Forks for every connection until standard input ends. Returns in the forks alone, with the code to run."""
    with socket.socket(fileno=listening) as listener:
        for name in IMPORTED:
            importlib.import_module(name)
        gc.collect()
        gc.freeze()
        # The keepers of forks are waited for by nobody.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while listener in select.select([listener, 0], [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    listener.close()
                    return _forked(connection)
    os._exit(0)


def _forked(connection: socket.socket) -> str:
    """Returns the code to run in the fork, and keeps the fork in this process: says its number and how it ended."""
    raw, files, _, _ = socket.recv_fds(connection, NUMBER, 3)
    size = int.from_bytes(raw, "big")
    request = bytearray()
    while len(request) < size:
        request += (part := connection.recv(size - len(request)))
        if not part:
            os._exit(0)
    code, argv, folder, environment = json.loads(request)
    # A signal writes to the pipe: whoever keeps the fork waits for its end and for that of the connection at once.
    ended, ends = os.pipe()
    os.set_blocking(ends, False)
    signal.set_wakeup_fd(ends)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child = os.fork()
    if child == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(ended)
        os.close(ends)
        connection.close()
        for place, file in enumerate(files):
            os.dup2(file, place)
            os.close(file)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None
        sys.argv[:] = argv
        return str(code)
    for file in files:
        os.close(file)
    connection.sendall(child.to_bytes(NUMBER, "big"))
    if ended not in select.select([ended, connection], [], [])[0]:
        # Whoever wanted the fork is gone.
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        connection.sendall(status.to_bytes(NUMBER, "big", signed=True))
    finally:
        os._exit(0)
