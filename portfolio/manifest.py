"""The manifest of a portfolio run: what was scored with which bundle, options and versions, to be checked later."""

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

from models.bundle_files import MANIFEST
from portfolio.work import RunOptions, ScoredPart
from portfolio.worklist import WorklistSummary
from tenders.errors import UnreachableError
from tenders.io.blocks import InputFile, describe_file

ROOT = Path(__file__).parents[__name__.count(".")]
CODE = ("tenders", "features", "models", "portfolio")
"""The packages that a score depends on."""
LIBRARIES = ("tender-risk", "xgboost-cpu", "numpy", "pyarrow", "msgspec", "ocdsmerge")
CURRENCY = "value_gbp is in pounds sterling at the average rate of the tender's year; null where it is unknown"


class RunCounts(msgspec.Struct, kw_only=True):
    """Tenders scored and rows refused.

    `repeated` counts rows whose ocid an earlier row has already: each row is scored. `without_value` counts rows
    without a value in pounds.
    """

    scored: int = 0
    refused: int = 0
    repeated: int = 0
    without_value: int = 0
    bands: dict[str, int] = {}
    registers: dict[str, int] = {}
    stages: dict[str, int] = {}


class RunManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What was run on what. Only `created` differs when the same is run again.

    `since` is the earlier output or worklist that the run was compared with, by its name without its folder.
    """

    created: str
    inputs: list[InputFile]
    bundle: str
    bundle_sha256: str
    options: RunOptions
    counts: RunCounts
    output: str
    output_sha256: str
    currency: str
    versions: dict[str, str]
    worklist: WorklistSummary | None = None
    since: InputFile | None = None


class PartCounter:
    """Counts the rows of a run, part by part."""

    def __init__(self) -> None:
        self._counts = RunCounts()
        self._ocids: list[np.ndarray[Any, Any]] = []

    def add(self, part: ScoredPart) -> None:
        """Counts one part."""
        counts, table = self._counts, part.table
        counts.scored += table.num_rows
        # A row with several problems is one row.
        counts.refused += len({(row.file, row.line, row.place) for row in part.refused})
        counts.without_value += table["value_gbp"].null_count
        for column, count in (("band", counts.bands), ("register", counts.registers), ("stage", counts.stages)):
            for row in pc.value_counts(table[column]).to_pylist():
                count[row["values"]] = count.get(row["values"], 0) + row["counts"]
        ocids = table["ocid"].drop_null().to_pylist()
        # Hashes of 8 bytes: among a million ocids, two collide in one of tens of millions of runs.
        self._ocids.append(np.fromiter(map(hash, ocids), dtype=np.int64, count=len(ocids)))

    def total(self) -> RunCounts:
        """The counts of all parts."""
        ocids = np.concatenate([*self._ocids, np.zeros(0, dtype=np.int64)])
        # Sorting takes a small part of the time of `np.unique`.
        ocids.sort()
        self._counts.repeated = int((ocids[1:] == ocids[:-1]).sum())
        return self._counts


def bundle_digest(bundle: Path) -> str:
    """The SHA-256 of a bundle's manifest, which holds the digests of its other files.

    Raises UnreachableError if there is none.
    """
    if not (bundle / MANIFEST).is_file():
        raise UnreachableError(f"no bundle at {bundle}")
    return describe_file(bundle / MANIFEST).sha256


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that a score depends on, and the digest of our own code."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}, "code": code_digest()}


@cache
def code_digest() -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the code that scores: two runs of one version may differ."""
    sha256 = hashlib.sha256()
    for package in CODE:
        for path in sorted((ROOT / package).rglob("*.py")):
            sha256.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return sha256.hexdigest()[:16]


def utc_now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
