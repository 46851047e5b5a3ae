"""The manifest of a portfolio run: what was scored, by what, and how it was put, so that it can be defended later."""

from __future__ import annotations

import hashlib
import platform
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.compute as pc

from models.bundle import MANIFEST
from portfolio.work import Asked, Scored
from portfolio.worklist import Summary
from tenders.errors import UnreachableError
from tenders.io.blocks import InputFile

ROOT = Path(__file__).parents[1]
CODE = ("tenders", "features", "models", "portfolio")
"""The packages that a score depends on."""
LIBRARIES = ("tender-risk", "xgboost-cpu", "numpy", "pyarrow", "msgspec", "ocdsmerge")
CURRENCY = "value_gbp is in pounds sterling at the average rate of the tender's year; null where it cannot be told"


class Counts(msgspec.Struct, kw_only=True):
    """Tenders scored and rows refused, as counted while the output is written.

    `repeated` counts tenders whose ocid stood before: they are scored again, for each row is.
    """

    scored: int = 0
    refused: int = 0
    repeated: int = 0
    without_value: int = 0
    bands: dict[str, int] = {}
    registers: dict[str, int] = {}
    stages: dict[str, int] = {}


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was. `created` is the only fact in it that differs when the same is run again.

    `since` is the earlier output or worklist that it was compared with, by its name and not by where it lay.
    """

    created: str
    inputs: list[InputFile]
    bundle: str
    bundle_sha256: str
    asked: Asked
    counts: Counts
    output: str
    output_sha256: str
    currency: str
    versions: dict[str, str]
    worklist: Summary | None = None
    since: InputFile | None = None


class Counting:
    """Counts parts as they pass."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._ocids: list[np.ndarray[Any, Any]] = []

    def add(self, part: Scored) -> None:
        """Takes in one part."""
        counts, table = self.counts, part.table
        counts.scored += table.num_rows
        # A row with several problems is one row.
        counts.refused += len({(each.file, each.line, each.place) for each in part.refused})
        counts.without_value += table["value_gbp"].null_count
        for name, held in (("band", counts.bands), ("register", counts.registers), ("stage", counts.stages)):
            for each in pc.value_counts(table[name]).to_pylist():
                held[each["values"]] = held.get(each["values"], 0) + each["counts"]
        told = table["ocid"].drop_null().to_pylist()
        # Eight bytes that stand for a text: among a million, two are alike once in tens of millions of runs.
        self._ocids.append(np.fromiter(map(hash, told), dtype=np.int64, count=len(told)))

    def counted(self) -> Counts:
        """The counts, once all parts have passed."""
        every = np.concatenate([*self._ocids, np.zeros(0, dtype=np.int64)])
        # Numbers are put in order in a small part of the time that `np.unique` takes to tell them apart.
        every.sort()
        self.counts.repeated = int((every[1:] == every[:-1]).sum())
        return self.counts


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def bundle_digest(bundle: Path) -> str:
    """What stands for a bundle: its manifest holds the digest of every other file.

    Raises UnreachableError if there is none.
    """
    try:
        return digest(bundle / MANIFEST)
    except OSError as error:
        raise UnreachableError(f"no bundle at {bundle} ({error.strerror})") from None


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that a number depends on, and the digest of our own code."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}, "code": code()}


@cache
def code() -> str:
    """What stands for the code that scores, changed or not since its version: the beginning of its files' SHA-256."""
    every = hashlib.sha256()
    for package in CODE:
        for path in sorted((ROOT / package).rglob("*.py")):
            every.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return every.hexdigest()[:16]


def now() -> str:
    """The instant, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
