"""Which of many tenders have to be looked at one by one: nearly none, and that is seen of all at once.

A portfolio reads millions of tenders, so their dates, amounts, counts and states are compared all at once, dates as
texts, by the rules of `tenders.defaults`, `tenders.settled` and `tenders.ended`. A row that is not named here holds
nothing for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain, compress
from operator import eq, itemgetter
from typing import Any

import msgspec

from tenders.codelists import CLOSING_TAGS, PROCUREMENT_METHODS
from tenders.defaults import (
    FILLERS,
    FIRST_YEAR,
    LAST_YEAR,
    LEAST_AMOUNT,
    LONG_COUNT,
    MOST_MONEY,
    NOTICE_YEARS,
)
from tenders.tender_chunk import ALL_AWARDS, Fields, TenderChunk

_IN_FORCE = frozenset({None, "planning", "planned", "active", "complete"})
"""States in which nothing has ended."""
_NO_END = frozenset(
    {None, "UK1", "UK2", "UK3", "UK4", "UK5", "UK6", "UK7", "tenderNotice", "contractNotice", "awardNotice",
     "biddingDocuments", "contractSigned"}
)  # fmt: skip
"""Kinds of documents that are no end, and that most tenders have."""
_METHODS = frozenset({None, *PROCUREMENT_METHODS})

_RARE = ("enquiryPeriod", "submissionTerms", "additionalClassifications", "finalStatus", "statusDetails", "amendments")
"""Fields of a procedure that most lack, and of which one may be odd."""
_RARE_OF_LOTS = ("tenderPeriod", "enquiryPeriod", "techniques", "submissionTerms", "finalStatus", "statusDetails")
_RARE_ENDS = (
    (f"{ALL_AWARDS}/*", ("standstillPeriod", "finalStatus", "statusDetails")),
    ("/contracts/*", ("dateTerminated", "finalStatus")),
)
_VALUES = ("/tender/value", "/tender/lots/*/value", f"{ALL_AWARDS}/*/value", "/contracts/*/value")
_BUDGET = "/planning/budget/amount"
_NOTICE_PERIOD = "/tender/tenderPeriod"
_CONTRACT_PERIODS = (
    "/tender/contractPeriod",
    "/tender/lots/*/contractPeriod",
    f"{ALL_AWARDS}/*/contractPeriod",
    "/contracts/*/period",
)
_STATES = ("/tender/status", "/tender/lots/*/status", f"{ALL_AWARDS}/*/status", "/contracts/*/status")
_NOTICE_DATES = ("/tender/datePublished", f"{ALL_AWARDS}/*/date", "/contracts/*/dateSigned")
_finds_abandoned = re.compile("bandon").search
"""Twice as fast as `in` on texts of some hundred letters."""
_LEAST_FILLER = min(FILLERS)
_day: Callable[[Any], Any] = itemgetter(slice(10))
_decade: Callable[[Any], Any] = itemgetter(slice(3))
FEW = 3
"""So few tenders are looked at one by one, if anything is odd about one of them."""
COUNTS = ("/tender/numberOfTenderers", "/bids/statistics/*/value")
"""The fields that may hold counts of bids which are defaults."""
_DOCUMENTS = ("/tender/documents/*", f"{ALL_AWARDS}/*/documents/*", "/contracts/*/documents/*")


class Doubts(msgspec.Struct, frozen=True):
    """Rows of many tenders: those in which `tenders.settled.settle` may change something or has something to say, those
    in which only a count may be a default, and those of which `tenders.ended.remarks` may say something."""

    to_settle: frozenset[int] = frozenset()
    to_count: frozenset[int] = frozenset()
    may_have_ended: frozenset[int] = frozenset()


def find_doubts(tenders: TenderChunk) -> Doubts:
    """Which of many tenders have to be looked at."""
    if not len(tenders):
        return Doubts()
    if _are_settled(tenders) and _are_open(tenders):
        return Doubts(to_count=_rows_of_odd_counts(tenders))
    if len(tenders) <= FEW:
        rows = frozenset(range(len(tenders)))
        return Doubts(to_settle=rows, may_have_ended=rows)
    half = len(tenders) // 2
    first, second = find_doubts(TenderChunk(tenders.tenders[:half])), find_doubts(TenderChunk(tenders.tenders[half:]))
    return Doubts(
        to_settle=first.to_settle.union(row + half for row in second.to_settle),
        to_count=first.to_count.union(row + half for row in second.to_count),
        may_have_ended=first.may_have_ended.union(row + half for row in second.may_have_ended),
    )


def hold_no_defaults(tenders: TenderChunk) -> bool:
    """Whether `tenders.defaults.find_defaults` is sure to find nothing in any of many tenders."""
    return (
        tenders.once(_have_nothing_rare)
        and not _rows_of_odd_counts(tenders)
        and _amounts_are_plain(tenders)
        and _dates_are_plain(tenders)
    )


def _are_settled(tenders: TenderChunk) -> bool:
    """Whether nothing but a count may be a default, stands in another place, or has to be remarked."""
    return (
        None not in tenders.column("/tender/datePublished")
        and all(tenders.column("/buyer"))
        and not any(tenders.column("/tender/items/*/additionalClassifications"))
        and tenders.once(_have_nothing_rare)
        and _METHODS.issuperset(tenders.column("/tender/procurementMethod"))
        and all(tenders.column(f"{ALL_AWARDS}/*/suppliers"))
        and not _have_joint_buyers(tenders)
        and _amounts_are_plain(tenders)
        and _dates_are_plain(tenders)
    )


def _are_open(tenders: TenderChunk) -> bool:
    """Whether nothing says that a tender has ended, or that its award is still to be made.

    Of sentences only the description is read, and of the words only *abandon*, which stands for an end where no status
    does.
    """
    return (
        all(map(_IN_FORCE.issuperset, map(tenders.column, _STATES)))
        and tenders.once(_have_nothing_rare)
        and not any(_have_any(tenders, path, names) for path, names in _RARE_ENDS)
        and CLOSING_TAGS.isdisjoint(chain.from_iterable(tenders.column("/tag")))
        and not any(_may_tell_an_end(tenders.fields(path)) for path in _DOCUMENTS)
        and not any(map(_finds_abandoned, filter(None, tenders.column("/tender/description"))))
    )


def _have_nothing_rare(tenders: TenderChunk) -> bool:
    """Whether no tender and no lot has one of the fields that most lack."""
    return not _have_any(tenders, "/tender", _RARE) and not _have_any(tenders, "/tender/lots/*", _RARE_OF_LOTS)


def _have_any(tenders: TenderChunk, path: str, names: Sequence[str]) -> bool:
    """Whether an object at a path has one of some fields."""
    fields = tenders.fields(path)
    return fields is not None and any(any(fields[name]) for name in names)


def _may_tell_an_end(documents: Fields | None) -> bool:
    """Whether one of the documents may tell of an end."""
    return documents is not None and not (
        _NO_END.issuperset(documents["noticeType"]) and _NO_END.issuperset(documents["documentType"])
    )


def _have_joint_buyers(tenders: TenderChunk) -> bool:
    """Whether several parties of a tender are buyers."""
    roles = tenders.column("/parties/*/roles")
    buying = list(compress(tenders.owners("/parties"), ["buyer" in some for some in roles]))
    return len(set(buying)) < len(buying)


def _rows_of_odd_counts(tenders: TenderChunk) -> frozenset[int]:
    """The rows in which a count may be a default: nearly none."""
    listed, counted = map(tenders.column, COUNTS)
    counts = chain(enumerate(listed), zip(tenders.owners("/bids/statistics"), counted, strict=True))
    return frozenset([row for row, count in counts if count is not None and not 0 < count < LONG_COUNT])


def _amounts_are_plain(tenders: TenderChunk) -> bool:
    """Whether every amount is one that a person would state."""
    values = filter(None, map(tenders.fields, (*_VALUES, _BUDGET)))
    columns = [value[name] for value in values for name in ("amount", "amountGross")]
    some = [column for column in columns if column.count(None) < len(column)]
    stated = [amount for column in some for amount in column if amount is not None]
    return not stated or (
        min(stated) > LEAST_AMOUNT
        and max(stated) <= MOST_MONEY
        and FILLERS.isdisjoint([amount for amount in stated if amount >= _LEAST_FILLER])
    )


def _dates_are_plain(tenders: TenderChunk) -> bool:
    """Whether all dates lie near those of the releases, no period is empty or long, and no duration in doubt."""
    written = tenders.column("/date")
    if None in written:
        return False
    first, last = min(written)[:4], max(written)[:4]
    if not (first.isdecimal() and last.isdecimal() and int(first) >= FIRST_YEAR and int(last) <= LAST_YEAR):
        return False
    notice, contracts = tenders.fields(_NOTICE_PERIOD), [*filter(None, map(tenders.fields, _CONTRACT_PERIODS))]
    for period in [notice, *contracts] if notice else contracts:
        if any(period["durationInMonths"]) or not _are_plain(period["durationInDays"]):
            return False
    earliest, latest = int(last) - 4, int(first) + NOTICE_YEARS - 1
    starts, ends = (notice["startDate"], notice["endDate"]) if notice else ((), ())
    return (
        all(
            _lie_between(days, earliest, min(latest, 2037))
            for days in (*map(tenders.column, _NOTICE_DATES), starts, ends)
        )
        and all(_lie_between(period["startDate"], max(earliest, 2002), min(latest + 10, 2037)) for period in contracts)
        and all(_lie_between(period["endDate"], max(earliest, 2002), 2037) for period in contracts)
        and _end_soon_after(starts, ends)
    )


def _end_soon_after(starts: Sequence[str | None], ends: Sequence[str | None]) -> bool:
    """Whether periods end after the day on which they start, in the decade in which they start."""
    if None in starts or None in ends:
        known = [pair for pair in zip(starts, ends, strict=True) if all(pair)]
        starts, ends = [start for start, _ in known], [end for _, end in known]
    same_days = map(eq, map(_day, starts), map(_day, ends))
    return not any(same_days) and list(map(_decade, starts)) == list(map(_decade, ends))


def _are_plain(days: Sequence[float | None]) -> bool:
    return days.count(None) == len(days) or all(number is None or 0 < number < 3_650 for number in days)


def _lie_between(dates: Sequence[str | None], first: int, last: int) -> bool:
    """Whether all dates lie in the years from `first` to `last`."""
    texts = list(filter(None, dates))
    return not texts or (min(texts) >= str(first) and max(texts)[:4] <= str(last))
