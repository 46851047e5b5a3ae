"""What a portfolio run is given: what to score, how, and what to leave where."""

from __future__ import annotations

from pathlib import Path

import msgspec

from portfolio.work import Asked
from portfolio.worklist import Wish
from tenders.io.streams import BOUNDS, Bounds


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `format` is one of `writing.FORMATS`; `since` an earlier run's Parquet, `outcomes` one of
    `ocid` and `failed`; `report` says where a report goes, and needs a `wish`.
    """

    source: Path
    out: Path
    asked: Asked
    format: str
    workers: int = 1
    bounds: Bounds = BOUNDS
    wish: Wish | None = None
    explains_worklist: bool = True
    since: Path | None = None
    report: Path | None = None
    outcomes: Path | None = None

    @property
    def parts(self) -> Path:
        """The folder of the scored blocks, beside the output."""
        return self.out.with_name(f"{self.out.name}.parts")

    @property
    def refused(self) -> Path:
        """The file of the rows that could not be scored, as JSON lines."""
        return self.out.with_name(f"{self.out.name}.errors")

    @property
    def manifest(self) -> Path:
        """The file that says what was run on what."""
        return self.out.with_name(f"{self.out.name}.manifest.json")

    @property
    def listed(self) -> Path:
        """The worklist."""
        return self.out.with_name(f"{self.out.stem}.worklist.{self.format}")

    @property
    def gone(self) -> Path:
        """What an earlier run had and this one has not."""
        return self.out.with_name(f"{self.out.stem}.gone.{self.format}")
