"""Long work says how far it is, in a log too."""

from __future__ import annotations

import io
import time

from rich.console import Console

from cli.progress import working


def test_without_a_terminal_a_line_is_printed_every_so_often() -> None:
    log = io.StringIO()
    with working("reading", Console(file=log), seconds=0.02) as shown:
        wait_for(log, "00:00 reading\n")
        shown.update("training: [own] no_award at draft")
        wait_for(log, "00:00 training: [own] no_award at draft\n")
    printed = log.getvalue()
    time.sleep(0.06)
    assert log.getvalue() == printed


def test_work_that_is_quick_prints_nothing() -> None:
    log = io.StringIO()
    with working("reading", Console(file=log)):
        pass
    assert log.getvalue() == ""


def test_on_a_terminal_one_line_changes() -> None:
    log = io.StringIO()
    with working("reading", Console(file=log, force_terminal=True), seconds=0.01) as shown:
        wait_for(log, "reading")
        shown.update("training")
        wait_for(log, "training")
    assert "00:00" not in log.getvalue()


def wait_for(log: io.StringIO, text: str) -> None:
    end = time.monotonic() + 10
    while text not in log.getvalue():
        assert time.monotonic() < end, log.getvalue()
        time.sleep(0.005)
