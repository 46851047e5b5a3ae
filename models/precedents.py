"""Precedents: casebook cases that had what a change would bring, and how they ended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

import msgspec

from features.catalogue import catalogue
from models.comparables import Citation, KnownCase, citations, known_cases, known_table
from models.levers import FactValue, Lever
from tenders.facts import Stage

SHOWN = 3
# Of most levers the same few values are tried, whatever the tender.
MAX_CACHED = 1024
Change = tuple[Lever, FactValue]


class Precedent(msgspec.Struct, frozen=True, kw_only=True):
    """One case that had it. `cohort` is `picked`, or the rule by which the case entered the casebook."""

    case: str
    name: str
    outcome: str
    account: str
    cohort: str
    sources: tuple[Citation, ...]


class Precedents(msgspec.Struct, frozen=True, kw_only=True):
    """Cases with the changed value: (failed, all) among cohort and among picked cases, and the nearest on either side.

    `events` is how many programmes and buyers the cohort cases are: those of one share their outcome. The picked cases
    were chosen because of how they ended, so their share is no rate.
    """

    cohort: tuple[int, int]
    events: int
    picked: tuple[int, int]
    held: tuple[Precedent, ...]
    failed: tuple[Precedent, ...]


def precedents(cases: Sequence[KnownCase], stage: Stage, changes: Sequence[Change]) -> Precedents:
    """Those of `cases`, which come nearest first and as of a stage, that had all of `changes`."""
    ids = frozenset.intersection(*(_cases_with(lever, value, stage) for lever, value in changes))
    matches = [known for known in cases if known.case.case_id in ids]
    cohort, picked = ([known for known in matches if known.picked is side] for side in (False, True))
    held, failed = ([known for known in matches if known.failed is side][:SHOWN] for side in (False, True))
    return Precedents(
        cohort=_counts(cohort),
        events=len({known.cluster_id for known in cohort}),
        picked=_counts(picked),
        held=tuple(map(_precedent, held)),
        failed=tuple(map(_precedent, failed)),
    )


@cache
def _feature_values(feature: str, stage: Stage) -> Mapping[str, float]:
    """The value of a feature in every case that states it as of a stage, by case id."""
    values = catalogue()[feature].measure(known_table(stage)).tolist()
    cases = zip(known_cases(stage), values, strict=True)
    return {known.case.case_id: value for known, value in cases if not math.isnan(value)}


@lru_cache(MAX_CACHED)
def _cases_with(lever: Lever, value: FactValue, stage: Stage) -> frozenset[str]:
    measured = _feature_values(lever.feature, stage)
    return frozenset(case for case, its_value in measured.items() if lever.reached(its_value, value))


def _counts(cases: Sequence[KnownCase]) -> tuple[int, int]:
    return sum(known.failed for known in cases), len(cases)


def _precedent(known: KnownCase) -> Precedent:
    case = known.case
    return Precedent(
        case=case.case_id,
        name=case.name,
        outcome=case.outcome,
        account=case.account,
        cohort=case.cohort,
        sources=tuple(citations(case)),
    )
