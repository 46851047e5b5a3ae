"""The files of a job that is done are served as they were written: its row and the audit trail have their digests.

A file is read once for its digest, and again when its time, size or place on the disk has changed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from serving.jobs.paths import JobPaths
from tenders.errors import UnreachableError

MAX_KEPT = 1_000
"""Files of which the digest is remembered."""
SETTLED_SECONDS = 2.0
"""A file that changed less long ago is read each time: a second change could have the same time as the first."""
FileMark: TypeAlias = tuple[int, ...]
log = logging.getLogger("tender_risk.jobs")
_known: OrderedDict[Path, tuple[FileMark, str]] = OrderedDict()


class DamagedResultError(UnreachableError):
    """A file of a job is not what was written."""


def digests(paths: JobPaths) -> dict[str, str]:
    """The SHA-256 of each file that is served of a job, by its name."""
    served = (
        paths.scored,
        paths.worklist,
        paths.ranked,
        paths.choices,
        paths.gone,
        paths.errors,
        paths.manifest,
        paths.report,
    )
    return {file.name: digest(file) for file in served if file.is_file()}


def check_results(paths: JobPaths, outputs: Mapping[str, str]) -> None:
    """Raises DamagedResultError if a file is not what was written, FileNotFoundError if one is gone."""
    for name, written in outputs.items():
        if digest(paths.folder / name) != written:
            log.error("a job's file %s is not as it was written", name)
            raise DamagedResultError(f"{name} of this job is not as it was written, so nothing of it is served")


def digest(file: Path) -> str:
    """The SHA-256 of a file. Raises FileNotFoundError."""
    mark = _mark(file.stat())
    kept = _known.pop(file, None)
    if kept is None or kept[0] != mark:
        with file.open("rb") as content:
            # Of the file that is open: it may be another than the one before.
            mark = _mark(os.fstat(content.fileno()))
            kept = (mark, hashlib.file_digest(content, "sha256").hexdigest())
    if time.time_ns() - mark[0] > SETTLED_SECONDS * 1e9:
        _known[file] = kept
    while len(_known) > MAX_KEPT:
        _known.popitem(last=False)
    return kept[1]


def _mark(status: os.stat_result) -> FileMark:
    # The time of the last change of the file's entry cannot be set by whoever changes the file.
    return status.st_ctime_ns, status.st_mtime_ns, status.st_size, status.st_ino
