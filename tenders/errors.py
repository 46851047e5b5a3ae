"""Every error a user can meet, in one tree. Each knows its exit code and its HTTP status.

TenderRiskError
├── DataError           the data was refused                exit 1, HTTP 400
│   ├── StageError      a stage that is not reached         exit 1, HTTP 400
│   └── TooLargeError   more data than we read              exit 1, HTTP 413
├── UsageError          the command or request was wrong    exit 2, HTTP 400
└── UnreachableError    a file or service cannot be read    exit 3, HTTP 503
    └── BundleError     a model bundle is missing or does not verify
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong: where (a JSON path such as `/tender/lots/3/value`), what, what to do."""

    path: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.path or '/'}: {self.problem}"
        return f"{text}. {self.remedy}" if self.remedy else text


class TenderRiskError(Exception):
    """Anything that Tender Risk refuses or cannot do."""

    exit_code = 1
    http_status = 500


class DataError(TenderRiskError, ValueError):
    """The data was refused; `problems` says where and why, first problem first."""

    http_status = 400

    def __init__(self, problems: Sequence[Problem] | Problem) -> None:
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__("; ".join(map(str, self.problems)))

    @classmethod
    def at(cls, path: str, problem: str, remedy: str = "") -> DataError:
        """One problem at one place."""
        return cls(Problem(path=path, problem=problem, remedy=remedy))

    def under(self, where: str) -> DataError:
        """The same error with `where` put before its paths."""
        return type(self)([msgspec.structs.replace(problem, path=where + problem.path) for problem in self.problems])


class StageError(DataError):
    """The tender has not reached the stage that it is to be scored at."""

    def under(self, where: str) -> StageError:  # noqa: ARG002
        """The same error: the stage stands beside the tender, not in it."""
        return self


class TooLargeError(DataError):
    """More data than we read; the limit is in the message."""

    http_status = 413


class UsageError(TenderRiskError):
    """The command or request was wrong, whatever the data."""

    exit_code = 2
    http_status = 400


class UnreachableError(TenderRiskError, OSError):
    """A file or service could not be reached."""

    exit_code = 3
    http_status = 503


class BundleError(UnreachableError):
    """A model bundle is missing, damaged, or made for other features."""
