"""A child answers whole messages, has bounds and no secrets, and never outlives who asks it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenders.child_process import ROOT, ChildEndedError, ChildProcess, child_environment

MADE = """
import os, resource, signal, sys, time
from tenders.child_process import connect, requests

connection = connect(memory=2**26)
for message in requests(connection):
    if message == b"environment":
        connection.send_bytes(repr(sorted(os.environ)).encode())
    elif message == b"memory":
        try:
            bytearray(2**27)
        except MemoryError:
            connection.send_bytes(b"no memory")
    elif message == b"interrupt":
        os.kill(os.getpid(), signal.SIGINT)
        connection.send_bytes(b"still here")
    elif message == b"end":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif message == b"leave":
        sys.exit(7)
    elif message == b"work":
        print("working", file=sys.stderr, flush=True)
        time.sleep(60)
    else:
        connection.send_bytes(message)
        connection.send_bytes(",".join(sys.argv[1:]).encode())
"""
PARENT = """
from tenders.child_process import ChildProcess
ChildProcess("made_child", is_logged=True).ask(b"work", seconds=60)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a module to start, `made_child`, that is found there, and a secret in the environment."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "made_child.py").write_text(MADE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        patch.setenv("TENDER_RISK_AUDIT", "postgresql://clerk:secret@localhost/trail")
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
        yield folder


@pytest.fixture
def child(place: Path) -> Iterator[ChildProcess]:
    """A child of `made_child`."""
    assert place.is_dir()
    made = ChildProcess("made_child", "one", "two")
    yield made
    made.end()


def test_messages_of_any_size_are_answered_whole_without_secrets_and_within_memory(child: ChildProcess) -> None:
    for message in (b"", b"x", os.urandom(3 * 2**20)):
        assert child.ask(message, seconds=30, answers=2) == [message, b"one,two"]
    (environment,) = child.ask(b"environment", seconds=30)
    assert b"PYTHONPATH" in environment and b"AUDIT" not in environment and b"PROMETHEUS" not in environment
    assert child.ask(b"memory", seconds=30) == [b"no memory"]
    assert child.ask(b"interrupt", seconds=30) == [b"still here"]
    assert child.is_alive


@pytest.mark.parametrize(("message", "ending"), [(b"end", "SIGSEGV"), (b"leave", "exit 7")])
def test_how_it_ends_is_said(child: ChildProcess, message: bytes, ending: str) -> None:
    with pytest.raises(ChildEndedError, match=ending) as raised:
        child.ask(message, seconds=30)
    assert not raised.value.is_late and not child.is_alive
    with pytest.raises(ChildEndedError, match=ending):
        child.ask(b"x", seconds=30)


def test_one_that_takes_too_long_is_ended(child: ChildProcess) -> None:
    child.ask(b"x", seconds=30, answers=2)
    # The second is larger than what waits unread.
    with pytest.raises(ChildEndedError, match="SIGKILL") as raised:
        child.ask(b"work", bytes(2**24), seconds=0.2)
    assert raised.value.is_late and not child.is_alive


def test_it_is_ended_while_another_thread_waits_for_it(child: ChildProcess) -> None:
    endings: list[str] = []

    def ask() -> None:
        try:
            child.ask(b"work", seconds=30)
        except ChildEndedError as error:
            endings.append(f"{error}, late: {error.is_late}")

    asking = threading.Thread(target=ask)
    asking.start()
    child.end()
    asking.join(10)
    assert endings == ["SIGKILL, late: False"]


def test_it_ends_with_its_parent_whatever_it_does(place: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{place}{os.pathsep}{ROOT}"}
    parent = subprocess.Popen([sys.executable, "-c", PARENT], env=environment, stderr=subprocess.PIPE)
    assert parent.stderr is not None
    assert parent.stderr.readline() == b"working\n"
    parent.kill()
    # The end of what they both write to.
    parent.communicate(timeout=20)


def test_only_what_is_named_of_the_environment_if_names_are_given(place: Path) -> None:
    assert json.dumps(child_environment({"PYTHONPATH"})) == json.dumps({"PYTHONPATH": f"{ROOT}{os.pathsep}{place}"})
