"""What an office sets for its jobs: where files and rows are kept, how much, how long, and by how many processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import msgspec

from tenders.errors import UsageError

DATA, DATABASE = "TENDER_RISK_DATA", "TENDER_RISK_JOBS"
UPLOAD_MB, DAYS = "TENDER_RISK_UPLOAD_MB", "TENDER_RISK_JOB_DAYS"
WORKERS, NICENESS = "TENDER_RISK_JOB_WORKERS", "TENDER_RISK_JOB_NICENESS"
DATABASES = ("postgresql://", "postgres://")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings; `database` is blank for SQLite in the data directory, `upload` in bytes.

    `niceness` is how far jobs stand back behind everything else on the machine, from 0 to 19.
    """

    data: Path
    database: str = ""
    upload: int = 2048 * 2**20
    days: int = 30
    workers: int = 1
    niceness: int = 10

    @property
    def kept(self) -> timedelta:
        """How long a job and its files stay."""
        return timedelta(days=self.days)


def settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings that the environment gives. Raises UsageError for one that cannot be meant."""
    database = environment.get(DATABASE, "")
    if database and not database.startswith(DATABASES):
        # Not repeated: it may hold a password.
        raise UsageError(f"{DATABASE}: expected {DATABASES[0]}…; leave it out for SQLite")
    return Settings(
        data=Path(environment.get(DATA) or _state(environment) / "tender-risk").expanduser(),
        database=database,
        upload=_count(environment, UPLOAD_MB, 2048) * 2**20,
        days=_count(environment, DAYS, 30),
        # One core is left to those who score a single tender.
        workers=_count(environment, WORKERS, max((os.cpu_count() or 1) - 1, 1)),
        niceness=_count(environment, NICENESS, 10, least=0, most=19),
    )


def _state(environment: Mapping[str, str]) -> Path:
    """Where the XDG base directories put what outlives a restart."""
    return Path(environment.get("XDG_STATE_HOME") or "~/.local/state")


def _count(environment: Mapping[str, str], name: str, otherwise: int, least: int = 1, most: int = 1_000_000) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return otherwise
    if not text.isascii() or not text.isdecimal() or not least <= int(text[:10]) <= most:
        raise UsageError(f"{name}: expected a whole number from {least:,} to {most:,}, got {text[:40]!r}")
    return int(text)
