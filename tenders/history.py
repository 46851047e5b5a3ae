"""Histories: procurement that has ended, with how it ended and when that became known.

Every history is read by a `Register` (see `tenders.registers`): an official source, the casebook, or the user's own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

import msgspec

from tenders import stages
from tenders.errors import Problem
from tenders.facts import Stage
from tenders.own_columns import OwnColumn
from tenders.process import Process
from tenders.tender import Tender

log = logging.getLogger("tender_risk")

UNDATED = date.min
"""The publication day of a case that has none: it is before every other day, so that no track record reaches it."""


class LabelledTender(msgspec.Struct, frozen=True, kw_only=True):
    """One case of a history: a tender or lot with every fact known by its award, and its outcomes.

    `outcomes` holds those of no_award, early_end, single_bid and failure that the register can tell; None is censored.
    `published` and `known_on` are clocks: a register that wants a day used as a fact also states it in the tender.
    `known_on` is the day on which the outcomes became known. It is never a feature, and no track record learns from a
    case without it. `kind` is the register's own class of ending. Cases of one `cluster_id` ended, or may have ended,
    by one decision: split and resample them together. `row` counts from 0. `lot` is the id of the lot that the case is
    about, which then is the first of `tender.tender.lots`; None is the whole tender. `cohort` says how the case entered
    a history that was picked; else it is empty. `process` holds the releases, where there are several.
    """

    tender: Tender
    published: date
    known_on: date | None
    outcomes: Mapping[str, bool | None]
    kind: str
    cluster_id: str
    row: int
    lot: str | None = None
    cohort: str = ""
    process: Process | None = None

    def as_of(self, stage: Stage) -> Tender:
        """The tender as it was known at a stage, rebuilt from its releases where they are held."""
        return self.process.as_of(stage) if self.process else stages.as_of(self.tender, stage)


class HistoryFile(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of one file: its cases in the order of their rows, how many rows it has, and its problems.

    A row that cannot be read is a problem and no case. A problem may also say how a doubtful cell was taken. `columns`
    are those that a mapping declares to be features, by their names.
    """

    cases: Sequence[LabelledTender]
    rows: int
    problems: list[Problem] = []
    columns: Mapping[str, OwnColumn] = {}


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """A source of histories: its name, the outcomes it can tell with the stages at which each is open, and its reader.

    `title` is what people call it, and `credit` says what its data are, who copied them, and on what terms. `snapshot`
    says that all cases ended within one short window, so that time cannot order them: what is learnt of one buyer's
    cases is then judged on other buyers' cases. `gaps_tell` are OCDS paths that are empty because of the outcome: no
    model may learn from their missing values. `called_off` are the beginnings, in lower case, of the kinds of ending
    that the buyer decided. `attributes` reads the register's codes (`tenderRisk.codes`) as attributes by neutral name.
    `uk` says that its tenders are the United Kingdom's: the UK models score them, and no models of its own are fitted.
    `dated_only` says that a case without a day of publication is an award without a call: it teaches track records, and
    no forecast of it is judged. The reader raises UnreachableError if the file cannot be read, DataError if it is not a
    file of this register.
    """

    name: str
    title: str
    credit: str
    outcomes: Mapping[str, tuple[Stage, ...]]
    read: Callable[[Path], HistoryFile]
    gaps_tell: tuple[str, ...] = ()
    snapshot: bool = False
    called_off: tuple[str, ...] = ()
    attributes: Callable[[Mapping[str, str]], Mapping[str, str]] = dict
    uk: bool = False
    dated_only: bool = False

    def judged(self, case: LabelledTender, outcome: str) -> bool:
        """Whether a forecast of an outcome of this case can be judged: it is known, and the case had a call."""
        return case.outcomes.get(outcome) is not None and not (self.dated_only and case.published == UNDATED)

    def cases(self, path: Path) -> Sequence[LabelledTender]:
        """The cases of a file, as `read_file` reads it."""
        return self.read_file(path).cases

    def read_file(self, path: Path) -> HistoryFile:
        """What is read of a file. The number of its problems, and the first of them, is logged as a warning.

        Raises as the reader does.
        """
        file = self.read(path)
        if file.problems:
            count, first = f"{len(file.problems):,}", file.problems[0]
            log.warning("%s: problems: %s. The first is at %s. tender-risk check tells more", path.name, count, first)
        return file


def ocid_prefixes(ocid: str) -> tuple[str, str]:
    """The beginnings of an ocid that may name a register: its first part, and its first two, such as `ocds-h6vhtk`."""
    first, _, rest = ocid.partition("-")
    return first, f"{first}-{rest.partition('-')[0]}"
