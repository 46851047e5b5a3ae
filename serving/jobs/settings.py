"""Settings of the service for its jobs, read from the environment: where files are kept, how much, and how long."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import msgspec

from tenders.errors import UsageError

DATA, DATABASE = "TENDER_RISK_DATA", "TENDER_RISK_JOBS"
UPLOAD_MB, DAYS = "TENDER_RISK_UPLOAD_MB", "TENDER_RISK_JOB_DAYS"
UPLOAD_MINUTES = "TENDER_RISK_UPLOAD_MINUTES"
HOSTS = "TENDER_RISK_HOSTS"
JOB_MB, JOB_DISK_MB = "TENDER_RISK_JOB_MB", "TENDER_RISK_JOB_DISK_MB"
HOURS, ROWS = "TENDER_RISK_JOB_HOURS", "TENDER_RISK_JOB_ROWS"
WORKERS, NICENESS = "TENDER_RISK_JOB_WORKERS", "TENDER_RISK_JOB_NICENESS"
JOB_BASE_MB, JOB_WORKER_MB = 1_200, 300
"""Megabytes for the process that cuts and ranks, and for each that scores; docs/decisions.md has what was measured."""
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:]+")
POSTGRESQL = ("postgresql://", "postgres://")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings. `database` is blank for SQLite in the data directory; `upload` is in bytes, and may take
    `upload_minutes`.

    `niceness` is how far jobs give way to everything else on the machine, from 0 to 19. `hosts` are the names, beside
    those of loopback, under which the service is asked. `job_memory` and `job_disk` (bytes), `job_hours` and
    `job_rows` are what one job may take.
    """

    data: Path
    database: str = ""
    upload: int = 2048 * 2**20
    upload_minutes: int = 120
    days: int = 30
    workers: int = 1
    niceness: int = 10
    hosts: frozenset[str] = frozenset()
    job_memory: int = 1_500 * 2**20
    job_disk: int = 20_480 * 2**20
    job_hours: int = 12
    job_rows: int = 20_000_000

    @property
    def lifetime(self) -> timedelta:
        """How long a job and its files are kept."""
        return timedelta(days=self.days)


def settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in the environment. Raises UsageError for a value that is not valid."""
    database = environment.get(DATABASE, "")
    if database and not database.startswith(POSTGRESQL):
        # The value may hold a password, so the message leaves it out.
        raise UsageError(f"{DATABASE}: expected {POSTGRESQL[0]}…; leave it out for SQLite")
    # As the XDG base directories say: state that outlives a restart.
    state = Path(environment.get("XDG_STATE_HOME") or "~/.local/state")
    return Settings(
        data=Path(environment.get(DATA) or state / "tender-risk").expanduser(),
        database=database,
        upload=_whole_number(environment, UPLOAD_MB, 2048) * 2**20,
        upload_minutes=_whole_number(environment, UPLOAD_MINUTES, 120),
        days=_whole_number(environment, DAYS, 30),
        # One core is left to requests that score a single tender.
        workers=(workers := _whole_number(environment, WORKERS, max((os.cpu_count() or 1) - 1, 1))),
        niceness=_whole_number(environment, NICENESS, 10, least=0, most=19),
        hosts=_hosts(environment),
        job_memory=_whole_number(environment, JOB_MB, default_memory(workers)) * 2**20,
        job_disk=_whole_number(environment, JOB_DISK_MB, 20_480) * 2**20,
        job_hours=_whole_number(environment, HOURS, 12),
        job_rows=_whole_number(environment, ROWS, 20_000_000, most=10**12),
    )


def default_memory(workers: int) -> int:
    """Megabytes of a job: what a million tenders take with so many processes and a fifth more, and no more than half of
    what the machine has."""
    needed = JOB_BASE_MB + JOB_WORKER_MB * workers
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    except (OSError, ValueError):
        return needed
    return max(min(needed, machine // 2), 1)


def _hosts(environment: Mapping[str, str]) -> frozenset[str]:
    names = [name.strip().lower().removesuffix(".") for name in environment.get(HOSTS, "").split(",") if name.strip()]
    for name in names:
        if not _HOST.fullmatch(name):
            raise UsageError(f"{HOSTS}: expected names or addresses, as in tenders.example.org, got {name[:80]!r}")
    return frozenset(names)


def _whole_number(
    environment: Mapping[str, str], name: str, default: int, least: int = 1, most: int = 1_000_000
) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or not least <= int(text[:10]) <= most:
        raise UsageError(f"{name}: expected a whole number from {least:,} to {most:,}, got {text[:40]!r}")
    return int(text)
