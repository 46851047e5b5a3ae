"""Which of many tenders have to be looked at one by one: nearly none, and that is seen of all at once.

A portfolio reads millions of tenders, so their dates, amounts, counts and states are compared all at once, dates as
texts, by the rules of `tenders.defaults`, `tenders.settled` and `tenders.ended`. A row that is not named here holds
nothing for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from operator import attrgetter
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
from tenders.tender import Tender

Columns = Sequence[Sequence[Any]]

_IN_FORCE = frozenset({None, "planning", "planned", "active", "complete"})
"""States in which nothing has ended."""
_NO_END = frozenset(
    {None, "UK1", "UK2", "UK3", "UK4", "UK5", "UK6", "UK7", "tenderNotice", "contractNotice", "awardNotice",
     "biddingDocuments", "contractSigned"}
)  # fmt: skip
"""Kinds of documents that are no end, and that most tenders have."""
_METHODS = frozenset({None, *PROCUREMENT_METHODS})

# Fields by the kind of object that has them. Each is read in one step an object.
_OF_TENDER = attrgetter("tender", "date", "buyer", "parties", "awards", "contracts", "bids", "planning", "tag")
_OF_SECTION = attrgetter(
    "lots", "items", "documents", "value", "tender_period", "contract_period", "date_published", "number_of_tenderers",
    "procurement_method", "status", "description",
)  # fmt: skip
_RARE_OF_SECTION = attrgetter(
    "enquiry_period", "submission_terms", "additional_classifications", "final_status", "status_details", "amendments"
)
_OF_LOT = attrgetter("value", "contract_period", "status")
_RARE_OF_LOT = attrgetter(
    "tender_period", "enquiry_period", "techniques", "submission_terms", "final_status", "status_details"
)
_OF_AWARD = attrgetter("status", "date", "value", "suppliers", "contract_period", "documents")
_RARE_OF_AWARD = attrgetter("standstill_period", "final_status", "status_details")
_OF_CONTRACT = attrgetter("status", "date_signed", "value", "period", "documents")
_RARE_OF_CONTRACT = attrgetter("date_terminated", "final_status")
_OF_PERIOD = attrgetter("start_date", "end_date", "duration_in_days", "duration_in_months")
_OF_VALUE = attrgetter("amount", "amount_gross")
_OF_DOCUMENT = attrgetter("notice_type", "document_type")
_MORE_CODES, _ROLES, _STATISTICS, _COUNT = map(
    attrgetter, ("additional_classifications", "roles", "statistics", "value")
)
_BUDGET, _AMOUNT = attrgetter("budget"), attrgetter("amount")


class Doubts(msgspec.Struct, frozen=True):
    """Rows of many tenders: those in which `tenders.settled.settle` may change something or has something to say, those
    in which only a count may be a default, and those of which `tenders.ended.remarks` may say something."""

    to_settle: frozenset[int] = frozenset()
    to_count: frozenset[int] = frozenset()
    may_have_ended: frozenset[int] = frozenset()


def find_doubts(tenders: Sequence[Tender]) -> Doubts:
    """Which of many tenders have to be looked at."""
    if not tenders:
        return Doubts()
    gathered = _Gathered(tenders)
    is_settled, is_open = gathered.is_settled(), gathered.is_open()
    to_count = frozenset() if gathered.counts_are_plain() else gathered.rows_of_odd_counts()
    if is_settled and is_open:
        return Doubts(to_count=to_count)
    alone = [_Gathered([tender]) for tender in tenders]
    to_settle = frozenset() if is_settled else frozenset(r for r, each in enumerate(alone) if not each.is_settled())
    return Doubts(
        to_settle=to_settle,
        to_count=to_count - to_settle,
        may_have_ended=frozenset() if is_open else frozenset(r for r, each in enumerate(alone) if not each.is_open()),
    )


class _Gathered:
    """The fields of some tenders as columns, read by the interpreter's own loops. A rare field is only tested."""

    def __init__(self, tenders: Sequence[Tender]) -> None:
        sections, self.dates, self.buyers, self.parties, awards, contracts, bids, planning, self.tags = zip(
            *map(_OF_TENDER, tenders), strict=True
        )
        self.sections, self.bids, self.planning = sections, bids, planning
        (
            lots, items, documents, values, tender_periods, contract_periods, self.published, self.counts, self.methods,
            statuses, self.descriptions,
        ) = zip(*map(_OF_SECTION, sections), strict=True)  # fmt: skip
        self.lots, self.items = _all(lots), _all(items)
        self.awards, self.contracts = _all(awards), _all(contracts)
        lot_values, lot_periods, lot_statuses = _columns(_OF_LOT, self.lots, 3)
        award_statuses, award_dates, award_values, self.suppliers, award_periods, award_documents = _columns(
            _OF_AWARD, self.awards, 6
        )
        contract_statuses, signed, contract_values, periods, contract_documents = _columns(
            _OF_CONTRACT, self.contracts, 5
        )
        self.states = (*statuses, *lot_statuses, *award_statuses, *contract_statuses)
        self.values = (*values, *lot_values, *award_values, *contract_values)
        self.notice_periods = tender_periods
        self.contract_periods = (*contract_periods, *lot_periods, *award_periods, *periods)
        self.notice_dates = (*self.published, *award_dates, *signed)
        self.documents = [*_all(documents), *_all(award_documents), *_all(contract_documents)]

    def is_settled(self) -> bool:
        """Whether nothing but a count may be a default, stands in another place, or has to be remarked."""
        return (
            None not in self.published
            and None not in self.buyers
            and not any(map(_MORE_CODES, self.items))
            and self.has_nothing_rare
            and _METHODS.issuperset(self.methods)
            and all(self.suppliers)
            and not self.has_joint_buyers()
            and self.amounts_are_plain()
            and self.dates_are_plain()
        )

    def is_open(self) -> bool:
        """Whether nothing says that a tender has ended, or that its award is still to be made.

        Of sentences only the description is read, and of the words only *abandon*, which stands for an end where no
        status does.
        """
        return (
            _IN_FORCE.issuperset(self.states)
            and self.has_nothing_rare
            and not any(map(any, map(_RARE_OF_AWARD, self.awards)))
            and not any(map(any, map(_RARE_OF_CONTRACT, self.contracts)))
            and CLOSING_TAGS.isdisjoint(chain.from_iterable(self.tags))
            and _NO_END.issuperset(chain.from_iterable(map(_OF_DOCUMENT, self.documents)))
            and not any([text is not None and "bandon" in text for text in self.descriptions])  # noqa: C419
        )

    @cached_property
    def has_nothing_rare(self) -> bool:
        """Whether no tender and no lot has one of the fields that most lack."""
        return not any(map(any, map(_RARE_OF_SECTION, self.sections))) and not any(
            map(any, map(_RARE_OF_LOT, self.lots))
        )

    def has_joint_buyers(self) -> bool:
        """Whether several parties of a tender are buyers."""
        return any(map(_are_joint, [tuple(map(_ROLES, parties)) for parties in self.parties if len(parties) > 1]))

    def counts_are_plain(self) -> bool:
        """Whether bids are counted, and in no doubtful number, or not at all."""
        if _any_stated(self.counts) and any(map(_is_odd, self.counts)):
            return False
        if not any(self.bids):
            return True
        counts = map(_COUNT, _all(map(_STATISTICS, filter(None, self.bids))))
        return not any(map(_is_odd, counts))

    def rows_of_odd_counts(self) -> frozenset[int]:
        """The rows in which a count may be a default."""
        of_bids = ([each.value for each in bids.statistics] if bids else [] for bids in self.bids)
        listed = zip(self.counts, of_bids, strict=True)
        return frozenset(row for row, (count, counts) in enumerate(listed) if any(map(_is_odd, [count, *counts])))

    def amounts_are_plain(self) -> bool:
        """Whether every amount is one that a person would state."""
        values = [value for value in self.values if value is not None]
        if any(self.planning) and (budgets := list(filter(None, map(_BUDGET, filter(None, self.planning))))):
            values += filter(None, map(_AMOUNT, budgets))
        amounts = [amount for amount in chain.from_iterable(map(_OF_VALUE, values)) if amount is not None]
        return not amounts or (
            min(amounts) > LEAST_AMOUNT and max(amounts) <= MOST_MONEY and FILLERS.isdisjoint(amounts)
        )

    def dates_are_plain(self) -> bool:
        """Whether all dates lie near those of the releases, no period is empty or long, and no duration in doubt."""
        if None in self.dates:
            return False
        first, last = min(self.dates)[:4], max(self.dates)[:4]
        if not (first.isdecimal() and last.isdecimal() and int(first) >= FIRST_YEAR and int(last) <= LAST_YEAR):
            return False
        starts, ends, days, months = _columns(_OF_PERIOD, list(filter(None, self.notice_periods)), 4)
        firsts, lasts, lengths, in_months = _columns(_OF_PERIOD, list(filter(None, self.contract_periods)), 4)
        if any(months) or any(in_months) or (_any_stated((*days, *lengths)) and not _are_plain((*days, *lengths))):
            return False
        earliest, latest = int(last) - 4, int(first) + NOTICE_YEARS - 1
        return (
            _lie_between((*self.notice_dates, *starts, *ends), earliest, min(latest, 2037))
            and _lie_between(firsts, max(earliest, 2002), min(latest + 10, 2037))
            and _lie_between(lasts, max(earliest, 2002), 2037)
            and not any([s and e and (s[:10] == e[:10] or s[:3] != e[:3]) for s, e in zip(starts, ends, strict=True)])  # noqa: C419
        )


@lru_cache(maxsize=10_000)
def _are_joint(roles: tuple[tuple[str, ...], ...]) -> bool:
    """Whether several parties, given by their roles, are buyers."""
    return sum("buyer" in each for each in roles) > 1


def _is_odd(count: float | None) -> bool:
    return count is not None and not 0 < count < LONG_COUNT


def _any_stated(numbers: Sequence[float | None]) -> bool:
    """Whether any number is there."""
    return numbers.count(None) < len(numbers)


def _are_plain(days: Sequence[float | None]) -> bool:
    return all([number is None or 0 < number < 3_650 for number in days])  # noqa: C419


def _lie_between(dates: Sequence[str | None], first: int, last: int) -> bool:
    """Whether all dates lie in the years from `first` to `last`."""
    texts = list(filter(None, dates))
    return not texts or (min(texts) >= str(first) and max(texts)[:4] <= str(last))


def _columns(get: Callable[[Any], Any], objects: Sequence[Any], count: int) -> Columns:
    """Fields of objects as columns; empty ones without objects."""
    return tuple(zip(*map(get, objects), strict=True)) or ((),) * count


def _all(lists: Any) -> list[Any]:
    """The entries of lists."""
    return list(chain.from_iterable(lists))
