"""A job: one uploaded portfolio, how it is to be scored, and how far that is."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import Literal

import msgspec

from portfolio.worklist import DEFAULT_CAPACITY, RankBy
from tenders.facts import Stage

State = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")
MOST_CAPACITY = 100_000
"""Rows of a worklist: each of them is explained."""
_ID = re.compile(r"[A-Za-z0-9_-]{32}")


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """The earlier job that one is compared with: of which file and when, how many tenders it scored, how and by what.

    Its id is not kept: who is sent the address of the later job would have the earlier one with it.
    """

    name: str
    created: datetime
    rows: int
    stage: Stage | None
    bundle: str


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a portfolio is scored and ranked; `register` says whose columns its tables have.

    `capacity` is how many reviews there are people for, `most_per_buyer` how many of them one buyer may get, `sample`
    the share of them that is drawn at random, and `seed` settles the draw. `since` is what it is compared with.
    """

    stage: Stage | None = None
    register: str | None = None
    capacity: int = DEFAULT_CAPACITY
    rank_by: RankBy = "failure"
    most_per_buyer: int | None = None
    sample: float = 0.0
    seed: int = 0
    since: Since | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job as its row in the database has it.

    `home` is the data directory that has its files, `rows` the tenders scored, `bytes` those of `size` that are read.
    `runner` is who runs it, and `attempts` how often it was begun.
    """

    id: str
    home: str
    created: datetime
    name: str
    size: int
    options: Options = Options()
    state: State = "queued"
    rows: int = 0
    bytes: int = 0
    message: str = ""
    runner: str = ""
    attempts: int = 0

    @property
    def stem(self) -> str:
        """What the names of its files begin with when they are taken away."""
        return self.name.partition(".")[0] or "tenders"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state in ENDED


def new_id() -> str:
    """A name that nobody guesses: 192 random bits. Who knows it sees the job."""
    return secrets.token_urlsafe(24)


def is_id(text: str) -> bool:
    """Whether it can be a job's name, and so a folder's."""
    return bool(_ID.fullmatch(text))


def now() -> datetime:
    """The instant, in UTC."""
    return datetime.now(UTC)
