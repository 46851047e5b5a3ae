"""Precedents: casebook cases that had what a change would bring, and how they ended."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from features.catalogue import catalogue
from models.alike import NO_RECORD
from models.cited import Cited, sources
from models.comparables import Known, known, nearest
from models.levers import Lever, Value
from tenders.facts import Stage
from tenders.process import Process
from tenders.tender import Tender

SHOWN = 3
Change = tuple[Lever, Value]


class Precedent(msgspec.Struct, frozen=True, kw_only=True):
    """One case that had it. `cohort` is `picked`, or the rule by which the case entered the casebook."""

    case: str
    name: str
    outcome: str
    account: str
    cohort: str
    sources: tuple[Cited, ...]


class Precedents(msgspec.Struct, frozen=True, kw_only=True):
    """Cases with the changed value: (failed, all) among cohort and among picked cases, and the nearest on either side.

    `events` is how many programmes and buyers the cohort cases are: those of one share their fate. The picked cases
    were chosen because of how they ended, so that their share is no rate.
    """

    cohort: tuple[int, int]
    events: int
    picked: tuple[int, int]
    held: tuple[Precedent, ...]
    failed: tuple[Precedent, ...]


def precedents(process: Process, tender: Tender, stage: Stage, changes: Sequence[Change]) -> Precedents:
    """The cases that had all of `changes`, nearest to the tender first; the case that the process is of is left out."""
    had = [each for each in known(stage) if all(_had(each, change) for change in changes)]
    near = [each for each, _ in nearest(process, tender, had)]
    sides = [[each for each in near if each.failed is failed] for failed in (False, True)]
    held, failed = (tuple(_precedent(each) for each in side[:SHOWN]) for side in sides)
    cohort, picked = (_counted([each for each in near if each.case.picked is side]) for side in (False, True))
    events = len({each.fate for each in had if not each.case.picked})
    return Precedents(cohort=cohort, events=events, picked=picked, held=held, failed=failed)


def _had(each: Known, change: Change) -> bool:
    lever, new = change
    value = catalogue()[lever.told_by].measure(each.tender, NO_RECORD)
    return value is not None and lever.with_it(value, new if isinstance(new, int | float) else 1.0)


def _counted(cases: Sequence[Known]) -> tuple[int, int]:
    return sum(each.failed for each in cases), len(cases)


def _precedent(each: Known) -> Precedent:
    case = each.case
    return Precedent(
        case=case.case_id,
        name=case.name,
        outcome=case.outcome,
        account=case.account,
        cohort=case.cohort,
        sources=tuple(sources(case)),
    )
