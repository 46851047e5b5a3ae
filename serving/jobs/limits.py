"""What one job may take of the machine: memory, disk, time and rows. The worker ends one that takes more."""

from __future__ import annotations

import os
import time
from pathlib import Path

from serving.jobs.settings import HOURS, JOB_DISK_MB, JOB_MB, ROWS, Settings

DISK_SECONDS = 3.0
"""Seconds between two measurements of a folder."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
MB = 2**20


class JobLimits:
    """The limits of a job whose process has just begun."""

    def __init__(self, settings: Settings, session: int, folder: Path) -> None:
        self._settings, self._session, self._folder = settings, session, folder
        self._began = self._measured = time.monotonic()

    def exceeded(self, rows: int) -> str:
        """What of it the job has taken too much, in words; blank while it has not. Called every half second or so."""
        limits, elapsed = self._settings, time.monotonic() - self._began
        if private_bytes(self._session) > limits.job_memory:
            return _too_much(f"{limits.job_memory // MB:,} MB of memory", JOB_MB)
        if elapsed > limits.job_hours * 3600:
            return _too_much(f"{limits.job_hours:,} hours", HOURS)
        if rows > limits.job_rows:
            return _too_much(f"{limits.job_rows:,} rows", ROWS)
        if time.monotonic() - self._measured >= DISK_SECONDS:
            self._measured = time.monotonic()
            if folder_bytes(self._folder) > limits.job_disk:
                return _too_much(f"{limits.job_disk // MB:,} MB on the disk", JOB_DISK_MB)
        return ""


def _too_much(what: str, setting: str) -> str:
    return f"stopped: it took more than {what}. Split the file, or raise {setting}"


def private_bytes(session: int) -> int:
    """The memory that the processes of a session do not share with files, as Linux counts it; 0 elsewhere."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            # The name, in brackets, may hold blanks; the session is the fourth field behind it.
            if int((process / "stat").read_bytes().rpartition(b") ")[2].split()[3]) != session:
                continue
            _, resident, shared, *_ = (process / "statm").read_bytes().split()
        except (OSError, ValueError, IndexError):
            continue
        total += max(int(resident) - int(shared), 0) * _PAGE
    return total


def folder_bytes(folder: Path) -> int:
    """What a folder takes on the disk."""
    total = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(directory) / name).lstat().st_blocks * 512
            except OSError:
                continue
    return total
