"""Histories: procurement that has ended, with how it ended and when that became known.

Every history is read by a `Source`: a register (see `tenders.registers`), the casebook, or a user's own files.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import msgspec

from tenders import stages
from tenders.errors import Problem
from tenders.facts import Stage
from tenders.process import Process
from tenders.tender import Tender

log = logging.getLogger("tender_risk")

UNDATED = date.min
"""The publication day of a case that has none: it stands before every other, so that no track record reaches it."""


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """One case of a history: a tender or lot with every fact known by its award, and its outcomes.

    `outcomes` holds no_award, early_end, single_bid or failure as the register can tell them; None is censored.
    `published` and `known_on` are clocks: a source that wants the day used as a fact gives it in the tender too.
    `known_on` is the day on which the outcomes became known: the clock of track records, never a feature; without it
    no track record learns from the case. `kind` is the register's own class of ending. Cases with the same
    `shares_fate` ended, or may have ended, by one decision. `row` counts from 0. `lot` is the id of the lot that the
    case is about, which then stands first in `tender.tender.lots`; None is the whole. `cohort` says how the case
    entered a history that was picked; else it is empty. `process` holds the releases, where there are several.
    """

    tender: Tender
    published: date
    known_on: date | None
    outcomes: Mapping[str, bool | None]
    kind: str
    shares_fate: str
    row: int
    lot: str | None = None
    cohort: str = ""
    process: Process | None = None

    def as_of(self, stage: Stage) -> Tender:
        """The tender as it was known at a stage, rebuilt from its releases where they are held."""
        return self.process.as_of(stage) if self.process else stages.as_of(self.tender, stage)


def beginnings(ocid: str) -> tuple[str, str]:
    """What may name a register in an ocid: its first part, and its first two, such as `ocds-h6vhtk`."""
    first, _, rest = ocid.partition("-")
    return first, f"{first}-{rest.partition('-')[0]}"


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What one file gave: its cases in the order of their rows, how many rows it had, and what was wrong with which.

    A row that cannot be read is a problem and no case. A problem may also say how a doubtful cell was taken.
    """

    cases: list[Past]
    rows: int
    problems: list[Problem] = []


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A register: its name, the outcomes it can tell with the stages at which they are open, and its reader.

    `snapshot` says that all cases ended within one short window, so that time cannot order them: what is learnt of one
    buyer's cases is then judged on other buyers'. `gaps_tell` are OCDS paths whose being empty tells the outcome: no
    model may learn from their missing values.
    The reader raises UnreachableError if the file cannot be read, DataError if it is not a file of this register.
    """

    name: str
    outcomes: Mapping[str, tuple[Stage, ...]]
    read: Callable[[Path], Read]
    gaps_tell: tuple[str, ...] = ()
    snapshot: bool = False

    def cases(self, path: Path) -> list[Past]:
        """The cases of a file. How many problems it has, and the first of them, is logged as a warning.

        Raises as the reader does.
        """
        found = self.read(path)
        if found.problems:
            count, first = f"{len(found.problems):,}", found.problems[0]
            log.warning("%s: problems: %s. The first is at %s. tender-risk check tells more", path.name, count, first)
        return found.cases
