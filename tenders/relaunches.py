"""Relaunches: a procedure that ended without award, and the later one for the same need.

They are linked by buyer, near-equal title and time, because registers rarely state the link. It does not say whether
the first failed: `tenders.outcomes` tells a correction from a failure by how soon the notice was withdrawn and came
back.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from difflib import SequenceMatcher

from msgspec import Struct

from tenders import dates
from tenders.outcomes import Outcome, outcome
from tenders.process import Process
from tenders.tender import Tender

# Half a year: what comes later is as likely the next cycle of the same need.
WITHIN_DAYS = 182
# A corrected notice may be out before the faulty one is withdrawn.
BEFORE_DAYS = 7
# Titles of relaunches differ by a word or a typo; those of sister procedures by a number, which must be the same.
SIMILAR = 0.9

_AGAIN = re.compile(
    r"\b(?:re-?\s?(?:tender|issue|advert|run|launch|procurement|publish|bid)\w*|second attempt"
    r"|(?:v|version|round)\s?\d+)\b",
    re.IGNORECASE,
)


class Relaunch(Struct, frozen=True, kw_only=True):
    """The process at index `second` is for the need of the one at `first`. It was published on `on`, `days` after the
    first ended."""

    first: int
    second: int
    days: int
    on: str


class _Call(Struct, frozen=True):
    """What of a process is compared with others."""

    index: int
    published: date
    on: str
    title: str
    numbers: tuple[str, ...]


def relaunches(processes: Sequence[Process]) -> list[Relaunch]:
    """The relaunches among `processes`, in the order of the first; each first with its earliest relaunch.

    Raises DataError if a process cannot be read.
    """
    by_buyer: dict[str, list[_Call]] = defaultdict(list)
    ended: list[tuple[_Call, str, date]] = []
    for index, process in enumerate(processes):
        tender, result = process.compiled(), outcome(process)
        call, buyer = _call(index, process, tender), _buyer(tender)
        if call and buyer:
            by_buyer[buyer].append(call)
            end = dates.day(result.known_on) if result.no_award or result.kind == "re_issued" else None
            if end:
                ended.append((call, buyer, end))
    linked = (_relaunch_of(first, end, by_buyer[buyer]) for first, buyer, end in ended)
    return [relaunch for relaunch in linked if relaunch]


def outcomes_of(processes: Sequence[Process]) -> list[Outcome]:
    """The outcome of each process, with what is known of its relaunch. Raises DataError as `relaunches`."""
    again = {relaunch.first: relaunch.on for relaunch in relaunches(processes)}
    return [outcome(process, again.get(index)) for index, process in enumerate(processes)]


def _relaunch_of(first: _Call, end: date, others: Sequence[_Call]) -> Relaunch | None:
    candidates = [
        other
        for other in others
        if other.published > first.published
        and other.index != first.index
        and -BEFORE_DAYS <= (other.published - end).days <= WITHIN_DAYS
        and _similar(first, other)
    ]
    second = min(candidates, key=lambda other: (other.published, other.index), default=None)
    if second is None:
        return None
    return Relaunch(first=first.index, second=second.index, days=(second.published - end).days, on=second.on)


def _similar(one: _Call, other: _Call) -> bool:
    if one.numbers != other.numbers:
        return False
    matcher = SequenceMatcher(None, one.title, other.title, autojunk=False)
    return matcher.real_quick_ratio() >= SIMILAR and matcher.quick_ratio() >= SIMILAR and matcher.ratio() >= SIMILAR


def _call(index: int, process: Process, tender: Tender) -> _Call | None:
    period = tender.tender.tender_period
    first = process.releases[0].get("date")
    on = tender.tender.date_published or (period.start_date if period else None) or first
    published = dates.day(on)
    title = _AGAIN.sub(" ", tender.tender.title or "").lower()
    words = re.findall(r"[^\W\d_]+", title)
    if published is None or on is None or not words:
        return None
    return _Call(index, published, on, " ".join(words), tuple(re.findall(r"\d+", title)))


def _buyer(tender: Tender) -> str | None:
    """What a buyer is known by: the name, which differs less between notices than the identifiers do."""
    if tender.buyer is None:
        return None
    name = " ".join(re.findall(r"\w+", (tender.buyer.name or "").lower()))
    return name or (str(tender.buyer.id) if tender.buyer.id is not None else None)
