"""Comparables: the nearest casebook cases whose end is known, how they compare in words, how they ended, and sources.

The distance is that of `models.alike`, as of the same stage. Cases that are too recent to tell, or whose end could be
argued either way, are left out. Cohort and picked cases are both shown and say which they are: a picked case is in the
casebook because of how it ended, so the share of failures among comparables is no rate.
"""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np

from models import alike
from models.alike import Crowd, Likeness, Measured
from models.cited import Cited, sources
from tenders import casebook
from tenders.casebook import Case
from tenders.facts import Stage
from tenders.process import Process
from tenders.registers.casebook_uk import past
from tenders.tender import Tender

NEAREST = 6
NOTE = (
    "Comparable cases are examples, not evidence of a rate: the casebook is small, and its picked cases were chosen "
    "because of how they ended."
)


class Comparable(msgspec.Struct, frozen=True, kw_only=True):
    """One case beside a tender. `cohort` is `picked`, or the rule by which it entered the casebook.

    `recalled` says that its end, or why, was partly recalled by researchers and not read in a source.
    """

    case: str
    name: str
    buyer: str
    provider: str
    published: str
    failed: bool
    outcome: str
    outcome_date: str
    account: str
    cohort: str
    recalled: bool
    likeness: Likeness
    sources: tuple[Cited, ...]


class Comparables(msgspec.Struct, frozen=True, kw_only=True):
    """A tender's nearest cases at a stage, nearest first."""

    ocid: str | None
    stage: Stage
    cases: tuple[Comparable, ...]
    note: str = NOTE
    warnings: tuple[str, ...] = ()


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """One case whose end is known: its tender and facts as of a stage, whether it failed, whose fate it shares, and
    whether it was picked by how it ended."""

    case: Case
    tender: Tender
    facts: Measured
    failed: bool
    fate: str
    picked: bool


def comparables(process: Process, stage: Stage | None = None, count: int = NEAREST) -> Comparables:
    """The `count` nearest cases of a process as of a stage (the latest known by default), itself left out.

    Deterministic: ties go by case id. Raises DataError if the process cannot be read as a tender.
    """
    at = stage or process.latest_stage()
    facts = alike.measured(process.as_of(at))
    found = tuple(comparable(each, alike.likeness(facts, each.facts)) for each in nearest(process, at)[:count])
    return Comparables(ocid=process.ocid, stage=at, cases=found)


def nearest(process: Process, stage: Stage) -> list[Known]:
    """Every case whose end is known as of a stage, nearest first; the case that the process is of is left out."""
    cases = known(stage)
    apart = alike.distances(alike.measured(process.as_of(stage)), _crowd(stage))
    # Stable: of two as near the one whose id comes first.
    ordered, itself = (cases[place] for place in np.argsort(apart, kind="stable").tolist()), process.ocid
    return [each for each in ordered if itself is None or each.tender.ocid != itself]


@cache
def known(stage: Stage) -> tuple[Known, ...]:
    """Every case whose end is known, as of a stage, in the order of their ids."""
    found = []
    for row, case in enumerate(casebook.cases()):
        told = past(case, row)
        failed, tender = told.outcomes["failure"], told.as_of(stage)
        if failed is not None:
            facts = alike.measured(tender)
            found.append(
                Known(case=case, tender=tender, facts=facts, failed=failed, fate=told.shares_fate, picked=case.picked)
            )
    return tuple(sorted(found, key=lambda each: each.case.case_id))


@cache
def _crowd(stage: Stage) -> Crowd:
    return alike.crowded([each.facts for each in known(stage)])


def comparable(each: Known, likeness: Likeness) -> Comparable:
    """One case as it is shown beside a tender."""
    case = each.case
    return Comparable(
        case=case.case_id,
        name=case.name,
        buyer=case.buyer,
        provider=case.provider,
        published=case.published,
        failed=each.failed,
        outcome=case.outcome,
        outcome_date=case.outcome_date,
        account=case.account,
        cohort=case.cohort,
        recalled=case.remembered == "yes",
        likeness=likeness,
        sources=tuple(sources(case)),
    )
