"""How contracts ended, and how they were performed, as far as a process states it.

A contract ended early only if that is stated: by a ground, or by a credible day of the end before the end that was
planned at signature. The status `terminated`, the tag contractTermination and the notice UK11 say that a contract is
over, and nearly always it has simply been completed. The planned end is read from the tender as it stood at the award,
because a later notice may move it to the day of the termination. A contract about which nothing more was published is
not known to have run its term.

Performance is what notices UK9 say: ratings of key performance indicators (regulation 39 of SI 2024/692), breaches,
failures to perform. The worst of them counts. A later good rating does not undo that a contract was once performed
badly, and several good indicators do not make up for one that is not. A corrected rating, with the id of the first,
replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any, Literal, get_args

from msgspec import Struct

from tenders import dates
from tenders.ending_words import says_completed
from tenders.endings import DatedRelease, first_stated, meaning
from tenders.tender import Classification, Contract, Period, Tender

Rating = Literal["good", "approaching target", "requires improvement", "inadequate"]
RATINGS: tuple[Rating, ...] = get_args(Rating)
"""The ratings of regulation 39, the best first. It also has *other*, which says neither."""

# The same midnight is one day in Greenwich and another in summer time; a day short is not an early end.
SLACK_DAYS = 1

_RATING_CODES: dict[str, Rating] = {
    **{re.sub(r"[^a-z]", "", rating): rating for rating in RATINGS},
    "met": "good",
    "slightlybelow": "approaching target",
    "below": "requires improvement",
    "significantlybelow": "inadequate",
}
# Section 80 of the Procurement Act calls every end a termination, discharge and expiry included.
_COMPLETED_CODES = frozenset(
    {
        *("contractcompleted", "complete", "completed", "completion", "contractcompletion", "performed"),
        *("contractexpired", "expired", "expiry", "contractexpiry", "endofterm", "endofcontract"),
        *("discharge", "discharged", "contractdischarged"),
    }
)
_NO_GROUND = frozenset({"", "other", "none", "unknown", "notspecified", "notstated", "notapplicable", "terminated"})
_BAD_END = re.compile(r"breach|terminat|insolv")


class ContractEnd(Struct, frozen=True, kw_only=True):
    """How a contract ended: early or not (None if that cannot be told), since when it is known, where, why.

    `doubt` says why it cannot be told.
    """

    early: bool | None
    on: str | None
    path: str
    reason: str | None = None
    doubt: str | None = None


class Performance(Struct, frozen=True, kw_only=True):
    """How a contract was performed at its worst, since when that is known, where, and in what words."""

    rating: Rating
    on: str | None
    path: str
    reason: str


def contract_end(
    contract: Contract, planned: str | None, history: Sequence[DatedRelease], *, only: bool
) -> ContractEnd | None:
    """The end of a contract in force, None if nothing states that it ended. `only`: it is the only one of its process.

    `planned` is the end date at signature. A contract that was cancelled before signature has no end.
    """
    over_on, over_path = _over(contract, history, only)
    day, day_on, day_path, doubt = _end_day(contract, planned, history)
    if not over_path and not day:
        return None
    if not over_path:
        over_on, over_path = day_on, day_path
    completed, ground, ground_name = _ground(contract)
    if completed and not _before_start(over_on, contract):
        return ContractEnd(early=False, on=over_on, path=over_path, reason=ground)
    if planned and day:
        early = (dates.earliest(planned) - dates.latest(day)).days > SLACK_DAYS
        words = f"ended {day[:10]}, planned {planned[:10]}" if early else None
        reason = "; ".join(filter(None, (words, ground))) or None
        return ContractEnd(early=early, on=day_on, path=day_path, reason=reason)
    if completed is False:
        on, path = first_stated(history, partial(_place, contract, ground_name), _notice_date(contract))
        return ContractEnd(early=True, on=on or over_on, path=path or over_path, reason=ground)
    return ContractEnd(early=None, on=over_on, path=over_path, reason=ground, doubt=doubt or _doubt(contract, day))


def planned_end(contract: Contract, at_award: Tender) -> str | None:
    """The end date planned at signature: the contract's, its award's, its lot's, or the tender's. None if unknown."""
    signed = next((other for other in at_award.contracts if _same(other, contract)), contract)
    award = next((award for award in at_award.awards if award.id == contract.award_id), None)
    lots = set(signed.related_lots or (award.related_lots if award else ()))
    periods = [
        signed.period,
        award.contract_period if award else None,
        *(lot.contract_period for lot in at_award.tender.lots if lot.id in lots or len(at_award.tender.lots) == 1),
        at_award.tender.contract_period,
    ]
    return next(filter(None, map(_end, periods)), None)


def _end(period: Period | None) -> str | None:
    if period is None:
        return None
    start = period.start_date if period.start_date and not dates.is_placeholder(period.start_date) else None
    if period.end_date:
        backwards = start and dates.latest(period.end_date) < dates.earliest(start)
        return None if backwards or dates.is_placeholder(period.end_date) else period.end_date
    first = dates.day(start)
    if first is None or not period.duration_in_days or period.duration_in_days > 100 * 366:
        return None
    return (first + timedelta(days=period.duration_in_days)).isoformat()


# What is stated of an end.


def _over(contract: Contract, history: Sequence[DatedRelease], only: bool) -> tuple[str | None, str]:
    """Since when a contract is said to be over, and where; no path if nothing says so."""
    on, path = first_stated(history, partial(_over_place, contract), _notice_date(contract))
    if path:
        return on, path
    tagged = next((release for release in history if _tagged(release, contract, only)), None)
    return (tagged.date, f"{tagged.where}/tag") if tagged else (None, "")


def _over_place(contract: Contract, tender: Tender) -> str | None:
    for i, stated in enumerate(tender.contracts):
        if _same(stated, contract):
            if stated.date_terminated:
                return f"/contracts/{i}/dateTerminated"
            if stated.status == "terminated":
                return f"/contracts/{i}/status"
            if stated.final_status in ("complete", "incomplete"):
                return f"/contracts/{i}/finalStatus"
            if any(meaning(document) == "contract end" for document in stated.documents):
                return f"/contracts/{i}/documents"
    return None


def _tagged(release: DatedRelease, contract: Contract, only: bool) -> bool:
    return "contractTermination" in release.tags and (only or [c.id for c in release.tender.contracts] == [contract.id])


def _same(one: Contract, other: Contract) -> bool:
    return one.id == other.id


def _notice_date(contract: Contract) -> str | None:
    notices = (d.date_published for d in contract.documents if meaning(d) == "contract end")
    return next(filter(None, notices), None)


# The day of the end.


def _end_day(
    contract: Contract, planned: str | None, history: Sequence[DatedRelease]
) -> tuple[str | None, str | None, str, str | None]:
    """The credible day of the end, since when it is known and where; or None, and why there is none."""
    doubt = None
    for name, day in (("dateTerminated", contract.date_terminated), ("implementation/endDate", _actual_end(contract))):
        if day is None:
            continue
        stated_on, path = first_stated(history, partial(_place, contract, name))
        wrong = _not_credible(day, contract, stated_on)
        if wrong is None:
            notice = _notice_date(contract) if len(history) == 1 else None
            return day, notice or (day if len(history) == 1 and name == "dateTerminated" else stated_on), path, None
        doubt = wrong
    return None, None, "", doubt


def _not_credible(day: str, contract: Contract, stated_on: str | None) -> str | None:
    """Why a day cannot be that on which the contract ended; None if it can."""
    if dates.problem(day) or dates.is_placeholder(day):
        return f"{day[:10]} is no day of an end but a default"
    began = _began(contract)
    if began and dates.latest(day) < began:
        return f"{day[:10]} is before the contract began"
    if stated_on and (dates.earliest(day) - dates.latest(stated_on)).days > SLACK_DAYS:
        return f"{day[:10]} is later than the release that states it"
    return None


def _began(contract: Contract) -> date | None:
    """The first day on which the contract can have ended: that of its signature, else its start."""
    texts = (contract.date_signed, contract.period.start_date if contract.period else None)
    days = (dates.earliest(text) for text in texts if text and not dates.is_placeholder(text))
    return next(days, None)


def _before_start(stated_on: str | None, contract: Contract) -> bool:
    """Whether something was published before the contract's own start: so it cannot be of a contract that has run."""
    start = contract.period.start_date if contract.period else None
    if not start or not stated_on or dates.is_placeholder(start):
        return False
    return dates.latest(stated_on) < dates.earliest(start)


def _actual_end(contract: Contract) -> str | None:
    ended = contract.implementation.ended if contract.implementation else None
    return ended if isinstance(ended, str) else None


def _place(contract: Contract, name: str, tender: Tender) -> str | None:
    """The place of one of the fields of a contract, by its name in JSON, where a release states it."""
    for i, stated in enumerate(tender.contracts):
        if _same(stated, contract):
            values = {
                "dateTerminated": stated.date_terminated,
                "implementation/endDate": _actual_end(stated),
                "finalStatus": stated.final_status,
                "statusDetails": stated.status_details,
                "terminationRationale": stated.termination_rationale,
                "terminationRationaleClassification": stated.termination_rationale_classification,
                "terminationRationaleClassifications": stated.termination_rationale_classifications,
            }
            return f"/contracts/{i}/{name}" if values[name] else None
    return None


# The ground of the end.


def _ground(contract: Contract) -> tuple[bool | None, str | None, str]:
    """Whether a stated ground is completion (None if no ground is stated), its words, and the field that holds it."""
    if contract.final_status in ("complete", "incomplete"):
        words = contract.status_details or f"final status {contract.final_status}"
        return contract.final_status == "complete", words, "finalStatus"
    name = "terminationRationaleClassifications"
    grounds = contract.termination_rationale_classifications
    if not grounds and contract.termination_rationale_classification:
        grounds, name = (contract.termination_rationale_classification,), "terminationRationaleClassification"
    known = [_is_completion(ground) for ground in grounds]
    words = ", ".join(str(ground.description or ground.id) for ground in grounds)
    if False in known:
        return False, words, name
    if True in known:
        return True, words, name
    for field, text in (
        ("terminationRationale", contract.termination_rationale),
        ("statusDetails", contract.status_details if contract.status == "terminated" else None),
    ):
        if text and (completed := says_completed(text)) is not None:
            return completed, text, field
    return None, words or contract.termination_rationale, name


def _is_completion(ground: Classification) -> bool | None:
    """Whether a classified ground is completion; None if it says nothing, as *other* does."""
    code = re.sub(r"[^a-z]", "", str(ground.id or "").lower())
    if code in _COMPLETED_CODES:
        return True
    if code in _NO_GROUND or not code:
        return says_completed(ground.description or "")
    return says_completed(ground.description or "") is True and not _BAD_END.search(code)


def _doubt(contract: Contract, day: str | None) -> str:
    if day:
        return "it is said to have ended, and the end that was planned is not known"
    return "it is said to have ended, without a ground and without a day: it may have been completed"


# Performance.


def performance(contract: Contract, history: Sequence[DatedRelease]) -> Performance | None:
    """The worst that was published of how a contract was performed; None if nothing was."""
    worst = max(_ratings(contract), key=lambda entry: RATINGS.index(entry[0]), default=None)
    if worst is None:
        return None
    rating, steps, reason = worst

    def place(tender: Tender) -> str | None:
        for i, stated in enumerate(tender.contracts):
            if _same(stated, contract):
                return next((f"/contracts/{i}/implementation/{at}" for at in _places(stated, steps, rating)), None)
        return None

    on, path = first_stated(history, place, _performance_date(contract))
    return Performance(rating=rating, on=on, path=path, reason=reason)


def unrated(contract: Contract) -> bool:
    """Whether indicators were published of a contract, and none with a rating of the scale."""
    metrics = [metric for metric in _objects(contract, "metrics") if _members(metric, "observations")]
    return bool(metrics) and not any(True for _ in _ratings(contract))


_Steps = tuple[Any, ...]
"""The ids of the objects on the way to a rating: a metric and an observation of it, or a failure alone."""


def _ratings(contract: Contract) -> Iterator[tuple[Rating, _Steps, str]]:
    for metric in _objects(contract, "metrics"):
        for observation in _members(metric, "observations"):
            if rating := _rating(observation):
                named = metric.get("title") or metric.get("description")
                note = observation.get("notes")
                words = ": ".join(str(part) for part in (rating, named, note) if part)
                yield rating, (metric.get("id"), observation.get("id")), words
    for failure in _objects(contract, "performance_failures"):
        if failure.get("events") != 0:
            names = ("category", "requirement", "description", "partialTermination")
            words = ": ".join(str(failure[name]) for name in names if failure.get(name))
            yield "inadequate", (failure.get("id"),), words or "breach or failure to perform"


def _places(contract: Contract, steps: _Steps, rating: Rating) -> Iterator[str]:
    if len(steps) == 1:
        for i, failure in enumerate(_objects(contract, "performance_failures")):
            if failure.get("id") == steps[0] and failure.get("events") != 0:
                yield f"performanceFailures/{i}"
        return
    for i, metric in enumerate(_objects(contract, "metrics")):
        for j, observation in enumerate(_members(metric, "observations")):
            if (metric.get("id"), observation.get("id")) == steps and _rating(observation) == rating:
                yield f"metrics/{i}/observations/{j}"


def _rating(observation: Mapping[str, Any]) -> Rating | None:
    classified = observation.get("measureClassification")
    texts = [observation.get("measure")]
    if isinstance(classified, Mapping):
        texts = [classified.get("id"), classified.get("description"), *texts]
    codes = (re.sub(r"[^a-z]", "", text.lower()) for text in texts if isinstance(text, str))
    return next((_RATING_CODES[code] for code in codes if code in _RATING_CODES), None)


def _performance_date(contract: Contract) -> str | None:
    published = [
        document.date_published
        for document in contract.documents
        if document.date_published
        and (document.notice_type == "UK9" or document.document_type == "implementationNotice")
    ]
    return max(published, key=dates.latest, default=None)


def _objects(contract: Contract, name: str) -> list[Mapping[str, Any]]:
    listed = getattr(contract.implementation, name) if contract.implementation else None
    return [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list | tuple) else []


def _members(part: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    listed = part.get(name)
    return [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list | tuple) else []
