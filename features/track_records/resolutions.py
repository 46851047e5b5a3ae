"""What case records learn of a history: each case's failure or survival, on the day on which it became known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from features.procedure import is_competed
from features.track_records.case_records import NO_RECORD, ResolvedCase, keys_of
from features.value import value_gbp
from tenders import casebook
from tenders.history import LabelledTender
from tenders.tender import bidders


def resolved_cases(cases: Iterable[LabelledTender]) -> Iterator[ResolvedCase]:
    """The cases of which it is known whether they failed, and when. What ended by one decision counts once.

    A case that is too recent to have failed tells nothing yet.
    """
    seen = set()
    for case in cases:
        failed, decided = failure(case), decision(case)
        if failed is None or case.known_on is None or decided in seen:
            continue
        seen.add(decided)
        tender = case.as_of("awarded")
        yield ResolvedCase(
            on=case.known_on,
            keys=keys_of(tender, "awarded"),
            failed=failed,
            kind="register" if not case.cohort else "picked" if picked(case) else "cohort",
            # A single bidder by design says nothing about a market.
            bidders=None if is_competed(tender) is False else bidders(tender),
            value_gbp=value_gbp(tender, NO_RECORD),
        )


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
