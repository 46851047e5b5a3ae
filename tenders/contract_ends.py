"""Whether a contract ended before its time: the termination against the end that was planned at signature.

The planned end is read from the tender as it stood at the award, because a later notice may move the end date to the
day of the termination. A contract about which nothing more was published is not known to have run its term.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from msgspec import Struct

from tenders import dates
from tenders.endings import Step, since
from tenders.tender import Classification, Contract, Period, Tender

# The same midnight is one day in Greenwich and another in summer time; a day short is not an early end.
SLACK_DAYS = 1

_COMPLETED_CODES = frozenset({"contractcompleted", "completed", "completion", "contractexpired", "expired", "expiry"})
_COMPLETED = re.compile(r"\b(?:complet(?:ed|ion)|expir(?:ed|y)|(?:reached|at) (?:its|the) end)\b", re.IGNORECASE)
_NOT_COMPLETED = re.compile(r"\b(?:not|never|before|prior|early|without|unable|fail\w*|until)\b", re.IGNORECASE)
_NOTICES = frozenset({"UK11", "contractTerminationNotice"})


class End(Struct, frozen=True, kw_only=True):
    """How a contract ended: early or not (None if that cannot be told), since when it is known, where, why."""

    early: bool | None
    on: str | None
    path: str
    reason: str | None = None


def end_of(contract: Contract, planned: str | None, history: Sequence[Step], *, alone: bool) -> End | None:
    """The end of a contract in force, None if nothing says that it ended. `alone`: it is the only one of its process.

    `planned` is the end date at signature. A contract that was cancelled before signature has no end.
    """
    own = _notice_date(contract) or contract.date_terminated
    said_on, path = since(history, lambda tender: _place(tender, contract), own)
    if not path:
        tagged = next((step for step in history if _tagged(step, contract, alone)), None)
        if tagged is None:
            return None
        said_on, path = tagged.date, f"{tagged.where}/tag"
    grounds = _grounds(contract)
    reason = ", ".join(str(g.description or g.id) for g in grounds) or contract.termination_rationale
    return End(early=_early(contract, planned, said_on, grounds), on=said_on, path=path, reason=reason)


def planned_end(contract: Contract, at_award: Tender) -> str | None:
    """The end date planned at signature: the contract's, its award's, its lot's, or the tender's. None if unknown."""
    signed = next((each for each in at_award.contracts if each.id == contract.id), contract)
    award = next((each for each in at_award.awards if each.id == contract.award_id), None)
    lots = set(signed.related_lots or (award.related_lots if award else ()))
    periods = [
        signed.period,
        award.contract_period if award else None,
        *(lot.contract_period for lot in at_award.tender.lots if lot.id in lots or len(at_award.tender.lots) == 1),
        at_award.tender.contract_period,
    ]
    return next(filter(None, map(_end, periods)), None)


def _end(period: Period | None) -> str | None:
    if period is None or period.end_date:
        return period.end_date if period else None
    start = dates.day(period.start_date)
    if start is None or not period.duration_in_days or period.duration_in_days > 100 * 366:
        return None
    return (start + timedelta(days=period.duration_in_days)).isoformat()


def _place(tender: Tender, contract: Contract) -> str | None:
    for i, each in enumerate(tender.contracts):
        if each.id == contract.id:
            if each.date_terminated:
                return f"/contracts/{i}/dateTerminated"
            if each.status == "terminated":
                return f"/contracts/{i}/status"
            if _notices(each):
                return f"/contracts/{i}/documents"
    return None


def _tagged(step: Step, contract: Contract, alone: bool) -> bool:
    return "contractTermination" in step.tags and (alone or [c.id for c in step.tender.contracts] == [contract.id])


def _notices(contract: Contract) -> list[str | None]:
    return [d.date_published for d in contract.documents if d.notice_type in _NOTICES or d.document_type in _NOTICES]


def _notice_date(contract: Contract) -> str | None:
    return next(filter(None, _notices(contract)), None)


def _grounds(contract: Contract) -> list[Classification]:
    old = contract.termination_rationale_classification
    return [*contract.termination_rationale_classifications, *([old] if old else [])]


def _early(contract: Contract, planned: str | None, said_on: str | None, grounds: list[Classification]) -> bool | None:
    if _completed(contract, grounds):
        return False
    ended = contract.date_terminated
    if planned and ended:
        return (dates.earliest(planned) - dates.latest(ended)).days > SLACK_DAYS
    # Without the day of the end, a notice before the planned end still proves that the end came before it.
    if planned and said_on and (dates.earliest(planned) - dates.latest(said_on)).days > SLACK_DAYS:
        return True
    return True if grounds and not planned else None


def _completed(contract: Contract, grounds: list[Classification]) -> bool:
    if grounds:
        return all(
            re.sub(r"[^a-z]", "", str(text or "").lower()) in _COMPLETED_CODES
            for ground in grounds
            for text in [ground.id if ground.description is None else ground.id or ground.description]
        )
    prose = contract.termination_rationale or ""
    return bool(_COMPLETED.search(prose)) and not _NOT_COMPLETED.search(prose)
