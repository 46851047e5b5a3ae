"""The options of a job, as a form's fields or a query give them: a blank is nothing said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, get_args

from portfolio.worklist import RankBy
from serving.jobs import since
from serving.jobs.job import MOST_CAPACITY, Job, Options
from tenders.errors import DataError, Problem
from tenders.facts import STAGES
from tenders.registers import own, register_names

REGISTERS = tuple(name for name in register_names() if name != own.NAME)
"""Whose columns an upload may have. An office's own come with a mapping that names files of the machine it runs on."""


def options(fields: Mapping[str, str]) -> Options:
    """The options that are given. Raises DataError with a problem a field."""
    return Options(**_read(fields, _READ))


def wanted(fields: Mapping[str, str], find: Callable[[str], Job | None]) -> tuple[Options, Job | None]:
    """The options that are given, and the earlier job that is named. Raises DataError with a problem a field."""
    found = _read(fields, {**_READ, "since": partial(since.job, find=find)})
    earlier = found.pop("since", None)
    return Options(**found), earlier


def fields(given: Options) -> dict[str, str]:
    """Options as a form's fields hold them: what `options` reads back."""
    held = {name: getattr(given, name) for name in _READ}
    return {name: str(value) for name, value in held.items() if value}


def _read(fields: Mapping[str, str], readers: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    problems: list[Problem] = []
    found: dict[str, Any] = {}
    for name, read in readers.items():
        text = fields.get(name, "").strip()
        if not text:
            continue
        try:
            found[name] = read(text)
        except DataError as error:
            problems += error.problems
        except ValueError as error:
            problems.append(Problem(path=f"/{name}", problem=str(error)))
    if problems:
        raise DataError(problems)
    return found


def _one_of(*known: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in known:
            raise ValueError(f"{text[:40]!r} is none of {', '.join(known)}")
        return text

    return read


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:10]) <= MOST_CAPACITY:
        raise ValueError(f"expected a whole number from 1 to {MOST_CAPACITY:,}, got {text[:40]!r}")
    return int(text)


def _share(text: str) -> float:
    """0.1 or 10%, within the bounds of `WorklistOptions`."""
    number = text.removesuffix("%").rstrip()
    try:
        share = float(number) / (100 if number != text else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"expected a share from 0 to 1, such as 0.1, or a percentage, such as 10%, got {text[:40]!r}")
    return share


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 20 or int(text) >= 2**64:
        raise ValueError(f"expected a whole number from 0 to {2**64 - 1}, got {text[:40]!r}")
    return int(text)


_READ: Mapping[str, Callable[[str], Any]] = {
    "stage": _one_of(*STAGES),
    "register": _one_of(*REGISTERS),
    "capacity": _count,
    "rank_by": _one_of(*get_args(RankBy)),
    "most_per_buyer": _count,
    "sample": _share,
    "seed": _seed,
}
