"""A PostgreSQL of our own: a cluster in a temporary folder, on a free port of loopback, gone after the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOUND = [*sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres")), shutil.which("postgres")]
BINARIES = Path(FOUND[0]).parent if FOUND[0] else None


@contextmanager
def cluster() -> Iterator[str]:
    """Its URL. PostgreSQL does not run as root, so that another user runs it then."""
    assert BINARIES
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        other: list[str] = []
        if os.geteuid() == 0:
            names = {user.pw_name for user in pwd.getpwall()}
            user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
            os.chown(folder, user.pw_uid, user.pw_gid)
            other = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        data = f"{folder}/data"
        made = [
            *other,
            str(BINARIES / "initdb"),
            "-D",
            data,
            "-U",
            "auditor",
            "-A",
            "trust",
            "--no-sync",
            "--no-locale",
        ]
        subprocess.run(made, cwd=folder, check=True, capture_output=True)
        port = free_port()
        command = [str(BINARIES / "postgres"), "-D", data, "-p", str(port), "-k", folder, "-c", "fsync=off"]
        log = Path(folder) / "log"
        with log.open("w") as output:
            process = subprocess.Popen([*other, *command, "-h", "127.0.0.1"], cwd=folder, stdout=output, stderr=output)
        try:
            yield ready(f"postgresql://auditor@127.0.0.1:{port}/postgres", log)
        finally:
            process.terminate()
            process.wait(30)


def ready(url: str, log: Path) -> str:
    """The URL, once it answers."""
    import psycopg

    for _ in range(200):
        try:
            with psycopg.connect(url, connect_timeout=2):
                return url
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
