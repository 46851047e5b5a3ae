"""What case records learn of a history: each case's failure or survival, on the day on which it became known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import date

from features.advisers import adviser_keys
from features.buyer import buyer_keys, market_keys, supplier_keys
from features.procedure import is_competed
from features.table import TenderTable
from features.table_builder import of_tenders
from features.track_records.case_records import INHERITED, ResolvedCase
from features.value import value_gbp
from tenders import casebook
from tenders.history import LabelledTender
from tenders.tender import bidders


def resolved_cases(cases: Iterable[LabelledTender]) -> Iterator[ResolvedCase]:
    """The cases of which it is known whether they failed, and when. What ended by one decision counts once.

    A case that is too recent to have failed tells nothing yet.
    """
    decided: dict[tuple[object, ...], tuple[LabelledTender, date]] = {}
    for case in cases:
        if failure(case) is not None and case.known_on is not None:
            decided.setdefault(decision(case), (case, case.known_on))
    tenders = [case.as_of("awarded") for case, _ in decided.values()]
    table = of_tenders(tenders)
    facts = zip(keys_of(table), is_competed(table).tolist(), value_gbp(table).tolist(), strict=True)
    for (case, known_on), tender, (keys, competed, value) in zip(decided.values(), tenders, facts, strict=True):
        yield ResolvedCase(
            on=known_on,
            keys=keys,
            failed=bool(failure(case)),
            kind="register" if not case.cohort else "picked" if picked(case) else "cohort",
            # A single bidder by design says nothing about a market.
            bidders=None if competed == 0 else bidders(tender),
            value_gbp=None if math.isnan(value) else value,
        )


def keys_of(table: TenderTable) -> list[tuple[str, ...]]:
    """Every key under which the outcome of each tender counts, as far as known at the stage of the table."""
    rows = zip(*(keys(table).rows() for keys in (buyer_keys, adviser_keys, market_keys, supplier_keys)), strict=True)
    return [
        tuple(
            key
            for key in dict.fromkeys(
                (*buyers, *advisers, *markets, *(f"{a}|{m}" for a in advisers for m in markets), *suppliers)
            )
            if not key.startswith(INHERITED)
        )
        for buyers, advisers, markets, suppliers in rows
    ]


def decision(case: LabelledTender) -> tuple[object, ...]:
    """Equal for cases that failed by one decision: those of one fate and day. Cases that survived each stand alone."""
    return (case.cluster_id, case.known_on) if failure(case) else (case.row, case.cluster_id, case.known_on)


def failure(case: LabelledTender) -> bool | None:
    """Whether a case failed: as its history says, else whether any of its parts did; None if neither is known."""
    if "failure" in case.outcomes:
        return case.outcomes["failure"]
    parts = [case.outcomes[name] for name in ("no_award", "early_end") if name in case.outcomes]
    known = [part for part in parts if part is not None]
    return any(known) if known else None


def picked(case: LabelledTender) -> bool:
    """Whether a case of the casebook entered because of how it ended."""
    return case.cohort == casebook.PICKED
