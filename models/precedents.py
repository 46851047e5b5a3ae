"""Precedents: casebook cases that had what a change would bring, and how they ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

import msgspec

from features.catalogue import catalogue
from features.track_records.case_records import NO_RECORD
from models.cited import Cited, sources
from models.comparables import Known, known
from models.levers import Lever, Value
from tenders.facts import Stage

SHOWN = 3
# What is tried of most levers is the same few values, whatever the tender.
MOST_CHANGES = 1024
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


def precedents(cases: Sequence[Known], stage: Stage, changes: Sequence[Change]) -> Precedents:
    """Those of the `cases`, which come nearest first and as of a stage, that had all of `changes`."""
    ids = frozenset.intersection(*(_had(*change, stage) for change in changes))
    had = [each for each in cases if each.case.case_id in ids]
    sides = [[each for each in had if each.failed is failed] for failed in (False, True)]
    held, failed = (tuple(_precedent(each) for each in side[:SHOWN]) for side in sides)
    cohort, picked = ([each for each in had if each.picked is side] for side in (False, True))
    events = len({each.fate for each in cohort})
    return Precedents(cohort=_counted(cohort), events=events, picked=_counted(picked), held=held, failed=failed)


@cache
def _told(feature: str, stage: Stage) -> Mapping[str, float]:
    """What a feature says of every case that states it as of a stage, by case id."""
    measure = catalogue()[feature].measure
    values = ((each.case.case_id, measure(each.tender, NO_RECORD)) for each in known(stage))
    return {case: value for case, value in values if value is not None}


@lru_cache(MOST_CHANGES)
def _had(lever: Lever, new: Value, stage: Stage) -> frozenset[str]:
    wanted = new if isinstance(new, int | float) else 1.0
    return frozenset(case for case, value in _told(lever.told_by, stage).items() if lever.with_it(value, wanted))


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
