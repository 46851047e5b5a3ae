"""Every error knows its exit code and its HTTP status, and says where and what to do."""

from __future__ import annotations

import pytest

from tenders.errors import (
    BundleError,
    DataError,
    Problem,
    TenderRiskError,
    TooLargeError,
    UnreachableError,
    UsageError,
)


@pytest.mark.parametrize(
    ("kind", "exit_code", "http_status", "builtin"),
    [
        (DataError, 1, 400, ValueError),
        (TooLargeError, 1, 413, ValueError),
        (UsageError, 2, 400, Exception),
        (UnreachableError, 3, 503, OSError),
        (BundleError, 3, 503, OSError),
    ],
)
def test_an_error_knows_its_codes(
    kind: type[TenderRiskError], exit_code: int, http_status: int, builtin: type[Exception]
) -> None:
    assert (kind.exit_code, kind.http_status) == (exit_code, http_status)
    assert issubclass(kind, TenderRiskError)
    assert issubclass(kind, builtin)


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem(path="/tender/lots", problem="no list"), "/tender/lots: no list"),
        (Problem(path="", problem="empty", remedy="Fill it"), "/: empty. Fill it"),
    ],
)
def test_a_problem_reads_as_place_trouble_remedy(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_a_refusal_says_all_its_problems_first_first() -> None:
    refusal = DataError([Problem(path="/a", problem="one"), Problem(path="/b", problem="two")])
    assert str(refusal) == "/a: one; /b: two"
    assert [problem.path for problem in refusal.problems] == ["/a", "/b"]


def test_one_problem_needs_no_list() -> None:
    assert DataError(Problem(path="/a", problem="one")).problems == DataError.at("/a", "one").problems
