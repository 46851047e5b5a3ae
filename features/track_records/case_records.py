"""The records of resolved cases under each buyer, adviser, supplier and market, as they stood on any day.

Cases are added in the order in which their outcomes became known, and the record of every key after each is kept. A
tender reads the records of its publication day, so that nothing that was not yet known can reach it. Training and
serving read the same object.

A record counts cases, failures, and the failures *expected* of those cases from the base rate of their kind: a picked
case fails three times in four because of how it was picked. A feature reads the shrunk ratio
`(observed + PRIOR) / (expected + PRIOR)`: 1 is as the rest, 2 is twice as many failures as expected. So records compare
across registers, and picked cases do not inflate them.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import date
from functools import cached_property
from typing import Any, Protocol

import msgspec
import numpy as np

from features.categorical import Categorical
from tenders.memo import Memo
from tenders.organisations import adviser_name, inherits, organisation_key, plain_name

PRIOR = 1.0
"""Failures added to both sides of the ratio: one failure where 0.2 were expected then reads 1.7 rather than 5. About
the size of record at which UK buyers begin to differ from chance."""
PRIOR_RATE, PRIOR_CASES = 0.2, 5.0
"""The share of a kind of case that is taken to fail before any is known, and how many cases that is worth."""
INHERITED, INHERITED_SHARE = "inherited:", 0.5
"""Begins the key of a predecessor's record, and how much of it counts: people stay, contracts end."""
COMMISSIONERS = ("ccg", "icb", "commissioning", "integrated care", "pct", "primary care trust")
"""Words in the names of NHS bodies that have taken over from others."""
MOST_DAYS = 20_000
"""Days whose records are kept: more than half a century's."""


class ResolvedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case whose outcome became known `on` a day: the keys that it counts under, and what else it showed.

    `kind` names how the case was selected. Cases are compared with the rest of their kind only.
    """

    on: date
    keys: tuple[str, ...]
    failed: bool
    kind: str = "register"
    bidders: float | None = None
    value_gbp: float | None = None


class CaseRecord(msgspec.Struct):
    """The resolved cases under one key: how many, how many failed, how many were expected to.

    `bidders` is the sum over the `counted` cases whose number of bidders is known, `log_value` the sum of the natural
    logarithms of the value in pounds over the `valued` cases that have one.
    """

    cases: float = 0
    failed: float = 0.0
    expected: float = 0.0
    counted: float = 0
    bidders: float = 0.0
    valued: float = 0
    log_value: float = 0.0

    @property
    def ratio(self) -> float:
        """Observed to expected failures, shrunk to 1."""
        return (self.failed + PRIOR) / (self.expected + PRIOR)

    @property
    def rate(self) -> float:
        """Share that failed, shrunk to PRIOR_RATE."""
        return (self.failed + PRIOR_CASES * PRIOR_RATE) / (self.cases + PRIOR_CASES)

    def add(self, case: ResolvedCase, rate: float) -> None:
        """Adds a case of whose kind the share `rate` has failed so far."""
        self.cases += 1
        self.failed += case.failed
        self.expected += rate
        if case.bidders is not None:
            self.counted += 1
            self.bidders += case.bidders
        if case.value_gbp:
            self.valued += 1
            self.log_value += math.log(case.value_gbp)

    @property
    def summary(self) -> str:
        """The record and its size in words."""
        cases = f"{self.cases:.3g} earlier {'case' if self.cases == 1 else 'cases'} that had ended by then"
        return f"{cases}; {self.failed:.3g} failed, where {self.expected:.1f} of cases picked alike would have"

    def with_inherited(self, others: Iterable[CaseRecord], share: float) -> CaseRecord:
        """The record with a share of those that it takes over."""
        whole = copy(self)
        for other in others:
            for name in CaseRecord.__struct_fields__:
                setattr(whole, name, getattr(whole, name) + share * getattr(other, name))
        return whole


Timelines = Mapping[str, tuple[list[int], list[CaseRecord]]]
"""By key, the numbers (from 1) of the cases under it, and its record after each."""


class CaseRecords(Mapping[str, CaseRecord]):
    """The record under every key, e.g. `buyer:ministry justice`, when the first `known` cases were resolved."""

    def __init__(self, timelines: Timelines, known: int) -> None:
        self.timelines, self.known = timelines, known

    @classmethod
    def fixed(cls, records: Mapping[str, CaseRecord]) -> CaseRecords:
        """Records as they are given, without the cases behind them."""
        return cls({key: ([1], [record]) for key, record in records.items()}, 1)

    def get(self, key: str, default: Any = None) -> Any:
        """The record under a key."""
        timeline = self.timelines.get(key)
        if timeline is None:
            return default
        after = bisect_right(timeline[0], self.known)
        return timeline[1][after - 1] if after else default

    def __getitem__(self, key: str) -> CaseRecord:
        record: CaseRecord | None = self.get(key)
        if record is None:
            raise KeyError(key)
        return record

    def __iter__(self) -> Iterator[str]:
        return (key for key, (numbers, _) in self.timelines.items() if numbers[0] <= self.known)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def longest(self, keys: Sequence[str]) -> CaseRecord | None:
        """The longest record among several keys; None if no case stands under any of them.

        Records are not summed: one case may stand under several keys, as under two advisers. But a body takes over part
        of the record of those that went before it, of which the keys begin with INHERITED.
        """
        if len(keys) == 1:
            record: CaseRecord | None = self.get(keys[0])
            return record
        records = [record for key in keys if (record := self.get(key))]
        longest = max(records, key=lambda record: (record.cases, record.failed), default=None)
        before = [own for key in keys if key.startswith(INHERITED) and (own := self.get(key[len(INHERITED) :]))]
        return (longest or CaseRecord()).with_inherited(before, INHERITED_SHARE) if before else longest


def longest_records(
    records: Categorical[CaseRecords], keys: Categorical[tuple[str, ...]]
) -> Categorical[CaseRecord | None]:
    """`CaseRecords.longest` of the keys of each row, computed once for each distinct pair of records and keys."""
    if len(keys) == 1:
        (row_records,), (row_keys,) = records.rows(), keys.rows()
        return Categorical.single(row_records.longest(row_keys))
    # Nearly all tenders have no key with a record, and all days share one set of timelines.
    ever = set[str]().union(*{id(day.timelines): day.timelines for day in records.categories}.values())
    ever |= {f"{INHERITED}{key}" for key in ever}
    rows = np.flatnonzero(keys.where(lambda row_keys: not ever.isdisjoint(row_keys)))
    count = len(keys.categories)
    pairs, codes = np.unique(records.codes[rows].astype(np.int64) * count + keys.codes[rows], return_inverse=True)
    whole = np.zeros(len(keys), dtype=np.int32)
    whole[rows] = codes + 1
    split = (divmod(pair, count) for pair in pairs.tolist())
    return Categorical([None, *(records.categories[day].longest(keys.categories[key]) for day, key in split)], whole)


NO_RECORDS = CaseRecords({}, 0)
"""Where nothing is known of anybody, or nothing need be."""


class Summarised(Protocol):
    """What stands behind a feature's value and can be said in words."""

    @property
    def summary(self) -> str: ...


class CaseHistory(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """All resolved cases in time order, and from them the records as of any day.

    The records of a day count what was resolved strictly before it: nothing of that day or later can reach a feature.
    """

    resolved: tuple[ResolvedCase, ...] = ()

    @classmethod
    def of(cls, cases: Iterable[ResolvedCase]) -> CaseHistory:
        """The history of cases, in whatever order they are listed."""
        return cls(resolved=tuple(in_order(cases)))

    def as_of(self, day: date | None) -> CaseRecords:
        """The records of a day; of all cases without a day. The same object for the same day, not to be changed."""
        records = self._by_day.get(day)
        if records is None:
            known = len(self.resolved) if day is None else bisect_left(self._days, day)
            records = CaseRecords(self._timelines, known)
            if len(self._by_day) < MOST_DAYS:
                self._by_day[day] = records
        return records

    @cached_property
    def _by_day(self) -> dict[date | None, CaseRecords]:
        return {}

    @cached_property
    def _days(self) -> list[date]:
        return [case.on for case in self.resolved]

    @cached_property
    def _timelines(self) -> Timelines:
        return timelines(self.resolved)


def in_order(cases: Iterable[ResolvedCase]) -> list[ResolvedCase]:
    """Cases in the order in which they are added: by day, and within a day by content, however they were listed."""
    return sorted(cases, key=lambda case: (case.on, case.kind, case.keys, case.failed))


def timelines(resolved: Iterable[ResolvedCase]) -> Timelines:
    """The records after each of the cases, which come in time order. What was expected of a case is the rate of its
    kind so far."""
    by_key: dict[str, tuple[list[int], list[CaseRecord]]] = {}
    kinds: dict[str, CaseRecord] = {}
    for number, case in enumerate(resolved, start=1):
        kind = kinds.setdefault(case.kind, CaseRecord())
        rate = kind.rate
        kind.add(case, rate)
        for key in case.keys:
            numbers, records = by_key.setdefault(key, ([], []))
            record = copy(records[-1]) if records else CaseRecord()
            record.add(case, rate)
            numbers.append(number)
            records.append(record)
    return by_key


def _buyer_keys(names: tuple[str | None, ...]) -> tuple[str, ...]:
    stated = [name for name in names if name]
    plain = [f"buyer:{plain}" for name in stated if (plain := plain_name(name))]
    return tuple(dict.fromkeys([*plain, *(key for name in stated for key in _commissioners(name))]))


def _commissioners(name: str) -> Iterator[str]:
    """The key of an NHS board or group, and those of the bodies that it took over from."""
    lower = name.lower()
    if any(word in lower for word in COMMISSIONERS) and (key := organisation_key(name)):
        yield f"buyer:{key}"
        yield from (f"{INHERITED}buyer:{before.key}" for before in inherits(key))


def _adviser_keys(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        f"adviser:{plain}" for plain in dict.fromkeys(plain_name(adviser_name(name)) for name in names) if plain
    )


def _supplier_keys(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"supplier:{plain}" for name in names if (plain := plain_name(name)))


def _market_keys(codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"market:{prefix}" for prefix in sorted({code[:3] for code in codes if len(code) >= 3}))


BUYERS = Memo(_buyer_keys)
"""`buyer:` keys by the names of buyer and procuring entity, None for neither."""
ADVISERS = Memo(_adviser_keys)
"""`adviser:` keys by the advisers' names."""
SUPPLIERS = Memo(_supplier_keys)
"""`supplier:` keys by the suppliers' names."""
MARKETS = Memo(_market_keys)
"""`market:` keys by CPV codes: their groups (3 digits)."""
