"""A job: one uploaded portfolio, the options it is scored with, and how far the work is."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, get_args

import msgspec

from portfolio.worklist import DEFAULT_CAPACITY, RankBy
from tenders.errors import DataError, Problem
from tenders.facts import STAGES, Stage
from tenders.registers import own, register_names

State = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")
MAX_CAPACITY = 100_000
"""Rows of a worklist: each of them gets reasons, which take time."""
REGISTERS = tuple(name for name in register_names() if name != own.NAME)
"""Registers whose columns an upload may have. An `own` mapping names files of the machine, so it is not taken."""
EARLIER_PATH = "/since"
_ID = re.compile(r"[A-Za-z0-9_-]{32}")
_ADDRESS = re.compile(r"(?:.*/)?(?:portfolio|jobs)/([A-Za-z0-9_-]{32})(?:[/?#].*)?", re.S)


class EarlierJob(msgspec.Struct, frozen=True, kw_only=True):
    """The job that another is compared with: its file and time, the tenders it scored, its stage and bundle.

    Its id is left out: whoever gets the address of the later job must not get the earlier one with it.
    """

    name: str
    created: datetime
    rows: int
    stage: Stage | None
    bundle: str


class JobOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a portfolio is scored and ranked.

    `register` names the register whose own columns the tables have. `capacity` is the number of reviews,
    `most_per_buyer` how many of them one buyer may get, `sample` the share of them that is drawn at random (0 to 1),
    and `seed` fixes the draw. `since` is the job that this one is compared with.
    """

    stage: Stage | None = None
    register: str | None = None
    capacity: int = DEFAULT_CAPACITY
    rank_by: RankBy = "failure"
    most_per_buyer: int | None = None
    sample: float = 0.0
    seed: int = 0
    since: EarlierJob | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job, as its row in the database has it.

    `home` is the name of the data directory with its files. `rows` counts scored tenders, `bytes` how much of the
    upload's `size` has been read. `runner` is the service that works on it, `attempts` how often work began. `owner`
    is the name of the key that it came with, `outputs` has the SHA-256 of each file of a job that is done.
    """

    id: str
    home: str
    created: datetime
    name: str
    size: int
    options: JobOptions = JobOptions()
    state: State = "queued"
    rows: int = 0
    bytes: int = 0
    message: str = ""
    runner: str = ""
    attempts: int = 0
    owner: str = ""
    outputs: Mapping[str, str] = {}

    @property
    def stem(self) -> str:
        """The beginning of the names of its files when they are downloaded."""
        return self.name.partition(".")[0] or "tenders"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state in ENDED


def new_id() -> str:
    """A job's id: 192 random bits that nobody guesses, because whoever knows the id sees the job."""
    return secrets.token_urlsafe(24)


def is_id(text: str) -> bool:
    """Whether a text has the form of a job's id, so that it is safe as a folder's name."""
    return bool(_ID.fullmatch(text))


def now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


def read_options(
    fields: Mapping[str, str], find: Callable[[str], Job | None] = lambda _: None
) -> tuple[JobOptions, Job | None]:
    """The options in a form's fields or a query, and the earlier job that `since` names. Blank fields count as absent.

    `find` looks up a job by id. Raises DataError with one problem for each wrong field.
    """
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    parsers: dict[str, Callable[[str], Any]] = {**_PARSERS, "since": partial(earlier_job, find=find)}
    for name, parse in parsers.items():
        text = fields.get(name, "").strip()
        if not text:
            continue
        try:
            values[name] = parse(text)
        except DataError as error:
            problems += error.problems
        except ValueError as error:
            problems.append(Problem(path=f"/{name}", problem=str(error)))
    if problems:
        raise DataError(problems)
    earlier = values.pop("since", None)
    return JobOptions(**values), earlier


def form_fields(options: JobOptions) -> dict[str, str]:
    """Options as the fields of a form: what `read_options` reads back."""
    values = {name: getattr(options, name) for name in _PARSERS}
    return {name: str(value) for name, value in values.items() if value}


def earlier_job(text: str, find: Callable[[str], Job | None]) -> Job | None:
    """The finished job that an id or one of its addresses names; None for a blank text.

    Raises DataError with the path `/since` if there is no such job or it is not done.
    """
    if not text.strip():
        return None
    job = find(_id_in(text.strip()))
    if job is None:
        problem = "there is no such job: it was deleted, has expired, or its address is incomplete"
        raise DataError.at(EARLIER_PATH, problem, "Upload the earlier file again, or leave this empty")
    if job.state != "done":
        remedy = "It has no result" if job.ended else "Wait until it is done"
        raise DataError.at(EARLIER_PATH, f"the job of {job.name} is {job.state}, not done", remedy)
    return job


def _id_in(text: str) -> str:
    address = _ADDRESS.fullmatch(text)
    job_id = address[1] if address else text
    if not is_id(job_id):
        remedy = "Give the id of an earlier job, or the address of its page"
        raise DataError.at(EARLIER_PATH, f"{text[:40]!r} names no job", remedy)
    return job_id


def _parse_choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text[:40]!r} is none of {', '.join(choices)}")
        return text

    return parse


def _parse_count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:10]) <= MAX_CAPACITY:
        raise ValueError(f"expected a whole number from 1 to {MAX_CAPACITY:,}, got {text[:40]!r}")
    return int(text)


def _parse_share(text: str) -> float:
    """0.1 or 10%."""
    number = text.removesuffix("%").rstrip()
    try:
        share = float(number) / (100 if number != text else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"expected a share from 0 to 1, such as 0.1, or a percentage, such as 10%, got {text[:40]!r}")
    return share


def _parse_seed(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 20 or int(text) >= 2**64:
        raise ValueError(f"expected a whole number from 0 to {2**64 - 1}, got {text[:40]!r}")
    return int(text)


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "stage": _parse_choice(*STAGES),
    "register": _parse_choice(*REGISTERS),
    "capacity": _parse_count,
    "rank_by": _parse_choice(*get_args(RankBy)),
    "most_per_buyer": _parse_count,
    "sample": _parse_share,
    "seed": _parse_seed,
}
