"""A real service on a free loopback port, started once for all tests of a worker, and a PostgreSQL where there is one."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.forks import Forked, can_run
from tests.serving.jobs import postgres

ROOT = Path(__file__).parents[2]
Service = Forked | subprocess.Popen[str]
START = "{first}import socket; socket.gethostname = lambda: {machine!r}; from serving.running import serve; serve({host!r}, 0, lambda url: print(url, flush=True))"


@contextmanager
def running(
    host: str = "127.0.0.1",
    machine: str = socket.gethostname(),
    first: str = "",
    from_nothing: bool = False,
    **environment: str,
) -> Iterator[Service]:
    """A process that starts the service on a free port; its first line of output is the address.

    It takes itself to run on `machine`, and does `first` before it starts. Jobs are kept in a folder of its own, and stand back behind nobody: the machine may be busy with other tests. It is a fork that need not import the service, unless it is to start from nothing.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TENDER_RISK")}
    code = START.format(host=host, machine=machine, first=first)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as data:
        ours = {**kept, "TENDER_RISK_DATA": data, "TENDER_RISK_JOB_NICENESS": "0", **environment}
        process: Service = started(code, ours) if from_nothing or not can_run(ours) else Forked(code, ours)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def started(code: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """A process that begins with nothing and runs the code."""
    command = [sys.executable, "-c", code]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def address(process: Service) -> str:
    """Where a started service answers."""
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url, process.communicate()[1]
    return url


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """The address of the service without keys."""
    with running() as process:
        yield address(process)


@pytest.fixture(scope="session")
def http(url: str) -> Iterator[httpx.Client]:
    """A client of the service without keys."""
    with httpx.Client(base_url=url, timeout=60, follow_redirects=True) as client:
        yield client


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL that runs for these tests."""
    if postgres.BINARIES is None:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("no driver of PostgreSQL here: install tender-risk[postgresql]")
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no setpriv")
    with postgres.cluster() as url:
        yield url
