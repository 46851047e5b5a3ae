"""The command in the process of the tests."""

from __future__ import annotations

import io
import json
import sys
from typing import Any, NamedTuple

import pytest

from cli import main


class CommandResult(NamedTuple):
    """What a run left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """The JSON of each line of output."""
        return [json.loads(line) for line in self.out.splitlines()]


class Run:
    """The real entry point, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capfd = monkeypatch, capfd

    def __call__(self, *arguments: object, stdin: bytes = b"") -> CommandResult:
        self.monkeypatch.setattr(sys, "argv", ["tender-risk", *map(str, arguments)])
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code: object = 0
        try:
            main.run()
        except SystemExit as left:
            code = left.code or 0
        sys.stdout.flush()
        assert isinstance(code, int)
        return CommandResult(code, *self.capfd.readouterr())


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """`tender-risk`, with its output caught."""
    monkeypatch.setenv("COLUMNS", "200")
    return Run(monkeypatch, capfd)
