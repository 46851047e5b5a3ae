"""Track records: what buyers, advisers and markets had done before a date.

Outcomes are learnt in the order in which they became known, and how every record stood after each is kept. Features
read the state on the day of publication: nothing that was not yet known can reach them, and training and serving read
the same object.

A record counts cases, failures, and the failures *expected* of those cases from the base rate of
the kind of case (a picked case fails three times in four because of how it was picked). What a feature reads is the
shrunk ratio `(observed + PRIOR) / (expected + PRIOR)`: 1 means as the rest, 2 means twice
as many failures as expected. So records compare across registers, and picked cases do not inflate them.
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

# Failures added to both sides of the ratio: with it, one failure where 0.2 were expected reads
# 1.7 rather than 5. About the size of record at which UK buyers begin to differ from chance.
PRIOR = 1.0
# What a kind of case is taken to fail at before any is known, and how many cases that is worth.
PRIOR_RATE, PRIOR_CASES = 0.2, 5.0


class Record(msgspec.Struct):
    """The resolved cases under one key: how many, how many failed, how many were expected to.

    `bidders` is the sum over the `counted` cases whose number of bidders is known, `log_value` the sum of
    the natural logarithms of the `valued` cases' value in pounds.
    """

    cases: int = 0
    failed: float = 0.0
    expected: float = 0.0
    counted: int = 0
    bidders: float = 0.0
    valued: int = 0
    log_value: float = 0.0

    @property
    def ratio(self) -> float:
        """Observed to expected failures, shrunk to 1."""
        return (self.failed + PRIOR) / (self.expected + PRIOR)

    @property
    def rate(self) -> float:
        """Share that failed, shrunk to PRIOR_RATE."""
        return (self.failed + PRIOR_CASES * PRIOR_RATE) / (self.cases + PRIOR_CASES)

    def learn(self, resolved: Resolved, rate: float) -> None:
        """Takes in one outcome; `rate` is the share of its kind that failed so far."""
        self.cases += 1
        self.failed += resolved.failed
        self.expected += rate
        if resolved.bidders is not None:
            self.counted += 1
            self.bidders += resolved.bidders
        if resolved.value_gbp:
            self.valued += 1
            self.log_value += math.log(resolved.value_gbp)

    @property
    def seen(self) -> str:
        """The record and its size in words."""
        return f"{self.failed:.0f} of {self.cases} resolved cases failed where {self.expected:.1f} were expected"


class Seen(Protocol):
    """What stands behind a number, in words."""

    @property
    def seen(self) -> str: ...


class Phrases(msgspec.Struct, frozen=True):
    """The words of a tender that speak most for and against the outcome, with what each counts."""

    counted: tuple[tuple[str, float], ...] = ()

    @property
    def seen(self) -> str:
        """The phrases in their order."""
        return ", ".join(f"“{phrase}” {count:+.2f}" for phrase, count in self.counted) or "no word that is known"


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome that became known `on` a day, under which keys, and what else the case showed.

    `kind` names how the case was selected; cases are compared with the rest of their kind only.
    """

    on: date
    keys: tuple[str, ...]
    failed: bool
    kind: str = "register"
    bidders: float | None = None
    value_gbp: float | None = None


class TrackRecord(msgspec.Struct):
    """What is known on a day: records by key, e.g. `buyer:ministry justice`.

    For a tender of a register, `numbers` and `phrases` are what the register's records of an outcome said of it on its
    day (`features.track_records.register_history`), and `others` the same for outcomes that have records of their own.
    """

    records: Mapping[str, Record] = msgspec.field(default_factory=dict)
    numbers: Mapping[str, float] = {}
    phrases: Phrases = Phrases()
    others: Mapping[str, TrackRecord] = {}

    def about(self, outcome: str) -> TrackRecord:
        """The record that speaks of an outcome: one of its own, or this one."""
        return self.others.get(outcome, self)

    @property
    def ever(self) -> Mapping[str, Any]:
        """What holds every key under which there is a record, and maybe keys of which there is none yet."""
        return self.records.history if isinstance(self.records, AsOf) else self.records

    def of(self, keys: Sequence[str]) -> Record | None:
        """The longest record among several keys; None if none of them has a case.

        Not their sum: one case may stand under several of them, as under two advisers.
        """
        if len(keys) == 1:
            return self.records.get(keys[0])
        found = [record for key in keys if (record := self.records.get(key))]
        return max(found, key=lambda record: (record.cases, record.failed), default=None)


def recorded(records: Categorical[TrackRecord], keys: Categorical[tuple[str, ...]]) -> Categorical[Record | None]:
    """What each track record says of the keys beside it (`TrackRecord.of`): asked once for all that are alike."""
    if len(keys) == 1:
        (record,), (named,) = records.rows(), keys.rows()
        return Categorical([record.of(named)], np.zeros(1, dtype=np.int32))
    # Nearly all keys are of none of the logs, of which there is one for all days.
    ever = set[str]().union(*{id(each.ever): each.ever for each in records.categories}.values())
    rows = np.flatnonzero(keys.where(lambda each: not ever.isdisjoint(each)))
    count = len(keys.categories)
    pairs, place = np.unique(records.codes[rows].astype(np.int64) * count + keys.codes[rows], return_inverse=True)
    whole = np.zeros(len(keys), dtype=np.int32)
    whole[rows] = place + 1
    asked = (divmod(pair, count) for pair in pairs.tolist())
    return Categorical([None, *(records.categories[day].of(keys.categories[each]) for day, each in asked)], whole)


def in_order(resolved: Iterable[Resolved]) -> list[Resolved]:
    """Outcomes as they are learnt: by day, and those of one day in an order of their own, however they were listed."""
    return sorted(resolved, key=lambda r: (r.on, r.kind, r.keys, r.failed))


NO_RECORD = TrackRecord()
"""Where nothing is known of anybody, or nothing need be."""


class Log(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Everything that was learnt, in time order: the track record as it stood on any day.

    The state on a day holds what was resolved strictly before it: nothing of that day or later can reach a feature.
    """

    resolved: tuple[Resolved, ...] = ()

    @classmethod
    def of(cls, resolved: Iterable[Resolved]) -> Log:
        """The log of outcomes, in whatever order they are listed."""
        return cls(resolved=tuple(in_order(resolved)))

    def on(self, day: date | None) -> TrackRecord:
        """The state on a day; all that was learnt without a day. Not to be changed."""
        found = self._states.get(day)
        if found is None:
            known = len(self.resolved) if day is None else bisect_left(self._days, day)
            found = TrackRecord(records=AsOf(self._history, known))
            if len(self._states) < MOST_DAYS:
                self._states[day] = found
        return found

    def on_each(self, days: Iterable[date | None]) -> list[TrackRecord]:
        """The state on each of many days."""
        states = self._states
        return [states.get(day) or self.on(day) for day in days]

    @cached_property
    def _states(self) -> dict[date | None, TrackRecord]:
        return {}

    @cached_property
    def _days(self) -> list[date]:
        return [each.on for each in self.resolved]

    @cached_property
    def _history(self) -> History:
        return histories(self.resolved)


History = Mapping[str, tuple[list[int], list[Record]]]
"""By key, each record as it stood after every outcome that it took in, and the numbers of those outcomes from 1."""


def histories(resolved: Iterable[Resolved]) -> History:
    """What is learnt of outcomes in time order. What was expected of a case is the rate of its kind so far."""
    found: dict[str, tuple[list[int], list[Record]]] = {}
    kinds: dict[str, Record] = {}
    for number, each in enumerate(resolved, start=1):
        kind = kinds.setdefault(each.kind, Record())
        rate = kind.rate
        kind.learn(each, rate)
        for key in each.keys:
            numbers, records = found.setdefault(key, ([], []))
            record = copy(records[-1]) if records else Record()
            record.learn(each, rate)
            numbers.append(number)
            records.append(record)
    return found


class AsOf(Mapping[str, Record]):
    """Records by key as they stood when so many outcomes were known."""

    def __init__(self, history: History, known: int) -> None:
        self.history, self._known = history, known

    def get(self, key: str, default: Any = None) -> Any:
        """The record under a key."""
        held = self.history.get(key)
        if held is None:
            return default
        at = bisect_right(held[0], self._known)
        return held[1][at - 1] if at else default

    def __getitem__(self, key: str) -> Record:
        found: Record | None = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        return (key for key, (numbers, _) in self.history.items() if numbers[0] <= self._known)

    def __len__(self) -> int:
        return sum(1 for _ in self)


MOST_DAYS = 20_000
"""Days whose state is kept: more than half a century's."""
