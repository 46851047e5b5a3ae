"""What every benchmark of learning begins with: a directory of histories, the registers asked for, and their tables."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.tables import CONSOLE, add_output_options
from tenders import registers as sources
from tenders.errors import TenderRiskError
from tenders.history import LabelledTender, Register
from training import registers
from training.datasets import RegisterDataset, register_dataset
from training.recipe import BoosterParams
from training.rolling import Split, recent_rows

HISTORY = Path("../shared/history")
ROWS = 60_000
"""Rows to fit on at most, the latest: the slowest peers allow no more."""

Numbers = NDArray[np.int64]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One (register, outcome, stage): its table, and the cases that its rows are, in the same order."""

    data: RegisterDataset
    past: Sequence[LabelledTender]

    @property
    def name(self) -> dict[str, Any]:
        """Register, outcome and stage, as a table shows them."""
        return {"register": self.data.register, "outcome": self.data.outcome, "stage": self.data.stage}


def arguments(about: str | None, capped: bool = True) -> argparse.ArgumentParser:
    """The options that all benchmarks of learning share; `capped` ones fit on at most so many rows."""
    parser = argparse.ArgumentParser(description=(about or "").split("\n")[0])
    parser.add_argument("--history", type=Path, default=HISTORY, help="directory of files named after their register")
    parser.add_argument("--register", action="append", metavar="NAME", help="only this register (may repeat)")
    if capped:
        parser.add_argument("--rows", type=int, default=ROWS, help="rows to fit on at most: the latest")
    add_output_options(parser)
    return parser


def find_histories(directory: Path, wanted: Sequence[str] | None) -> list[tuple[Register, Path]]:
    """The registers asked for that the directory has; none, and a line that says so, if it has none."""
    try:
        for name in wanted or ():
            sources.find_register(name)
        there = [pair for pair in registers.register_files(directory) if wanted is None or pair[0].name in wanted]
    except TenderRiskError as error:
        CONSOLE.print(f"No data, so nothing was measured: {error}")
        return []
    if not there:
        CONSOLE.print(f"No data, so nothing was measured: {directory} has no history of {', '.join(wanted or ())}")
    return there


def cases(directory: Path, wanted: Sequence[str] | None) -> Iterator[Case]:
    """The table of every (register, outcome, stage) that the data can tell, one register in memory at a time."""
    for source, file in find_histories(directory, wanted):
        CONSOLE.print(f"reading {source.name}", style="dim")
        past = source.cases(file)
        for outcome, stage in registers.available_outcomes(source, past):
            CONSOLE.print(f"{source.name}: {outcome} at {stage}", style="dim")
            yield Case(data=register_dataset(source, past, outcome, stage), past=past)


def latest(table: RegisterDataset, part: Split, params: BoosterParams, rows: int) -> Numbers:
    """Which training rows of a slice are used, as places in it: not too old, and at most `rows`, the latest."""
    chosen = recent_rows(table, part, params)
    newest = np.argsort(-table.published[part.train[chosen]], kind="stable")[:rows]
    return np.asarray(np.sort(chosen[newest]), dtype=np.int64)


def clusters(table: RegisterDataset, rows: Numbers) -> Numbers:
    """Whose fate rows share: buyers in a snapshot, else what ended by one decision."""
    return (table.buyer if table.snapshot else table.cluster)[rows]
