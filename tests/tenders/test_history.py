"""A history's file gives its cases, and says what of it could not be read as it stands."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tenders.errors import Problem
from tenders.history import HistoryFile, Register

PROBLEMS = [Problem(path=f"row {row}, /category", problem="'Consultoria' is none of goods, works") for row in (8, 9)]


def source(problems: list[Problem]) -> Register:
    return Register(
        name="made",
        title="made",
        credit="",
        outcomes={},
        read=lambda _: HistoryFile(cases=[], rows=2, problems=problems),
    )


def test_problems_are_counted_and_the_first_is_named(caplog: pytest.LogCaptureFixture) -> None:
    assert source(PROBLEMS).cases(Path("somewhere/calls.toml")) == []
    [message] = caplog.messages
    assert message.startswith("calls.toml: problems: 2. The first is at row 8, /category: 'Consultoria'")


def test_where_there_are_none_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        source([]).cases(Path("calls.toml"))
    assert not caplog.messages
