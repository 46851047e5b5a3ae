"""Standing: what a register's records say of a tender on its day, as numbers.

One walk in time order over all rows of a register, for one outcome. On its publication day a row reads: how often cases
under each of its keys (buyer, unit, kind of contract, market, wording, and pairs of them) had the outcome, against the
register's own rate; how many there were; how much was published; how its window and value compare with its peers'; and
what the language models think. When its outcome becomes known, the row is written in. Rates are shrunk towards those of
the key above, so that a short record says little. Everything is relative to the register, and so travels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.track_records.attributes import Described, Hashes, mixed
from features.track_records.counts import FOREVER, Ledger, Seen
from features.track_records.text_model import Language, Tokens, tokens

Floats = NDArray[np.float64]
Days = NDArray[np.int64]
Numbers = NDArray[np.int64]
Table = tuple[str, ...]

HALF_LIVES = (FOREVER, 30, 90, 365)
"""Half-lives of rates in days; the last is that of every other sum."""
YEAR = 3
PRIOR_TOP, PRIOR_BELOW = 8.0, 4.0
"""Cases that the key above is worth: the register's rate for a key at the top, its own key above for one below."""

TABLES: tuple[Table, ...] = (
    ("buyer",), ("name",), ("division",), ("unit",), ("buyer", "kind"), ("unit", "kind"), ("unit", "kind", "method"),
    ("buyer", "method"), ("kind", "method"), ("buyer", "again"), ("again", "method"),
    ("first",), ("opening",), ("subject",), ("ending",), ("buyer", "first"), ("buyer", "opening"), ("buyer", "subject"),
    ("buyer", "ending"), ("place", "opening"), ("place",), ("locality",), ("unit", "locality"), ("kind", "place"),
    ("sector",), ("branch",), ("group",), ("market",), ("sector", "method"), ("sector", "place"),
    ("sector", "authority"), ("market", "kind"), ("market", "kind", "method"),
    ("market", "kind", "method", "authority"),
    ("market", "kind", "criteria"), ("market", "kind", "topic"), ("criteria", "kind"), ("unit", "market"),
    ("buyer", "market"), ("unit", "band"), ("market", "band"), ("form",), ("buyer", "term"), ("unit", "fee"),
    ("pricing",), ("system",), ("vehicle",), ("service",), ("instrument",), ("service", "band"),
)  # fmt: skip
"""The keys under which outcomes are kept. Above a key stands its own first part, above the unit the buyer."""

ACTIVITY: tuple[Table, ...] = (
    ("buyer",), ("unit",), ("unit", "kind"), ("buyer", "method"), ("buyer", "opening"), ("place", "kind"), ("market",),
    ("locality",), ("unit", "locality"),
)  # fmt: skip
"""The keys under which publications are kept."""
EARLY, GUESS = 200, 0.2
"""Outcomes that are known before the language models begin: they begin at the share of those. GUESS is for none, and
what the register's rate counts as one case more."""

MANY = 10_000
"""Keys from which on it pays to find first what repeats."""


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of rows in the `tables` that can have any: row i has `distinct[place[0, i]]`, the register's own, and
    `distinct[place[1 + t, i]]` in table t; 0 is unknown. They repeat a great deal, and each is looked up once."""

    tables: tuple[Table, ...]
    distinct: Hashes
    place: NDArray[np.int64]


class Cases(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The rows of one register for one outcome.

    `published` and `known` are days as ordinals, `y` the outcome (1, 0 or NaN), `also` (measures, rows) what else the
    end showed, `weight` what a row counts: lots that share one fate are not so many cases.
    """

    described: Described
    published: Days
    known: Days
    y: Floats
    also: Floats
    weight: Floats

    @cached_property
    def shown(self) -> Floats:
        """What publication shows of a tender, shape (7, rows): whether it is a re-tender; of
        window and value whether they are known, their logarithms and the squares."""
        described = self.described
        shown = [np.nan_to_num(described.again)]
        for number in (np.log1p(np.clip(described.window, 0, 200)), described.log_value):
            shown += [~np.isnan(number), np.nan_to_num(number), np.nan_to_num(number) ** 2]
        return np.array(shown, dtype=np.float64)

    @cached_property
    def outcome_keys(self) -> Keys:
        """The keys under which outcomes are kept: a state is made for them, and then read by them."""
        return keys_of(self.described, TABLES)

    @cached_property
    def activity_keys(self) -> Keys:
        """The keys under which publications are kept."""
        return keys_of(self.described, ACTIVITY)


class State(msgspec.Struct, kw_only=True):
    """Everything that was learnt: outcomes and publications under keys, and the language models.

    `rate` is the share of the outcome at which the language models began, None before they have; `day` the last day
    on which anything was published or known, `passes` how often the models go over each outcome: more than once where
    outcomes are few. A `timeless` state is that of a snapshot: it is read as it stands, whatever the day.
    """

    outcomes: Ledger
    activity: Ledger
    words: Language
    profile: Language
    rate: float | None
    day: int
    passes: int = 1
    timeless: bool = False

    @classmethod
    def empty(cls, cases: Cases, passes: int = 1) -> State:
        """A state that knows nothing yet, with room for these cases."""
        origin = int(np.median(cases.published))
        return cls(
            outcomes=Ledger.empty(cases.outcome_keys.distinct, HALF_LIVES, len(cases.also), origin),
            activity=Ledger.empty(cases.activity_keys.distinct, HALF_LIVES, 6, origin),
            words=Language.untaught(GUESS, origin),
            profile=Language.untaught(GUESS, origin),
            rate=None,
            day=origin,
            passes=passes,
        )


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What all rows read of a state, and how they read it: the places of their keys have shape (keys, rows)."""

    cases: Cases
    outcome_places: Numbers
    activity_places: Numbers
    words: Tokens
    profile: Tokens
    outcomes: Seen
    activity: Seen
    said: Floats
    bias: Floats


def keys_of(described: Described, tables: Sequence[Table]) -> Keys:
    """The keys of every row in the tables of whose attributes something is known, the register's own in front."""
    columns, kept = [np.full(described.rows, 1, dtype=np.uint64)], []
    for number, names in enumerate(tables, start=2):
        if all(name in described.hashes for name in names):
            salt = np.full(described.rows, number, dtype=np.uint64)
            columns.append(mixed(salt, *(described.hashes[name] for name in names)))
            kept.append(names)
    distinct, place = _told_apart(np.concatenate(columns))
    return Keys(tables=tuple(kept), distinct=distinct, place=place.reshape(len(columns), -1))


def _told_apart(keys: Hashes) -> tuple[Hashes, Numbers]:
    """The distinct keys in order, and the place of each key among them. Where they are many, what repeats is found by
    hashing first: to sort them all takes five times as long."""
    if len(keys) < MANY:
        return np.unique(keys, return_inverse=True)
    coded = pa.array(keys).dictionary_encode()
    distinct, order = np.unique(coded.dictionary.to_numpy(), return_inverse=True)
    return distinct, order[coded.indices.to_numpy()]


def opened(state: State, cases: Cases) -> Read:
    """Rows with the places of their keys in a state, ready to read it."""
    outcome_keys, activity_keys = cases.outcome_keys, cases.activity_keys
    outcome_places = state.outcomes.places(outcome_keys.distinct)[outcome_keys.place]
    activity_places = state.activity.places(activity_keys.distinct)[activity_keys.place]
    return Read(
        cases=cases,
        outcome_places=outcome_places,
        activity_places=activity_places,
        words=tokens(cases.described, crossed=False),
        profile=tokens(cases.described, crossed=True),
        outcomes=state.outcomes.blank(*outcome_places.shape),
        activity=state.activity.blank(*activity_places.shape),
        said=np.zeros((2, cases.described.rows)),
        bias=np.zeros((2, cases.described.rows)),
    )


def consult(state: State, read: Read, rows: Numbers, day: int) -> None:
    """The given rows read the state on a day."""
    if state.timeless:
        day = state.day + 1
    state.outcomes.read(read.outcome_places[:, rows], day, read.outcomes, rows)
    state.activity.read(read.activity_places[:, rows], day, read.activity, rows)
    read.said[0, rows] = state.words.think(read.words, rows)
    read.said[1, rows] = state.profile.think(read.profile, rows)
    read.bias[:, rows] = [[state.words.bias], [state.profile.bias]]


def resolve(state: State, read: Read, rows: Numbers) -> None:
    """The outcomes of the given rows are written in."""
    cases = read.cases
    on, y = cases.known[rows], cases.y[rows]
    state.day = max(state.day, int(on.max(initial=state.day)))
    state.outcomes.write(read.outcome_places[:, rows], on, np.vstack([y, cases.also[:, rows]]), cases.weight[rows])


def study(state: State, read: Read, rows: Numbers) -> None:
    """The language models learn the outcomes of the given rows, in their order; the first tell where they begin."""
    cases = read.cases
    on, y = cases.known[rows], cases.y[rows]
    if state.rate is None and len(rows):
        state.rate = float(np.clip(y.mean(), 0.005, 0.8))
        state.words.bias = state.profile.bias = float(np.log(state.rate / (1 - state.rate)))
    for _ in range(state.passes):
        state.words.learn(read.words, rows, y, on, cases.weight[rows])
        state.profile.learn(read.profile, rows, y, on, cases.weight[rows])


def publish(state: State, read: Read, rows: Numbers) -> None:
    """The publication of the given rows is written in."""
    published = read.cases.published[rows]
    state.day = max(state.day, int(published.max(initial=state.day)))
    state.activity.write(read.activity_places[:, rows], published, read.cases.shown[:, rows], np.ones(len(rows)))


def learning_order(cases: Cases) -> Numbers:
    """The rows that tell, by the day on which they did; those of one day by what they say, not by their place."""
    described, y = cases.described, cases.y
    prime = np.uint64(0x9E3779B97F4A7C15)
    place = np.arange(len(described.words)) - np.repeat(described.start[:-1], np.diff(described.start))
    said = np.append(np.uint64(0), np.cumsum(described.words * (2 * place + 1).astype(np.uint64), dtype=np.uint64))
    content = said[described.start[1:]] - said[described.start[:-1]]
    for column in (*described.hashes.values(), cases.published.astype(np.uint64), np.nan_to_num(y).astype(np.uint64)):
        content = content * prime + column
    told = np.flatnonzero(~np.isnan(y))
    return told[np.lexsort((told, content[told], cases.known[told]))]


def replay(state: State, cases: Cases) -> Read:
    """All rows in time order: each reads what was published and known strictly before its own day."""
    read = opened(state, cases)
    learnt = learning_order(cases)
    order = np.argsort(cases.published, kind="stable")
    days, starts = np.unique(cases.published[order], return_index=True)
    upto = np.searchsorted(cases.known[learnt], days)
    at = studied = 0
    for day, rows, to in zip(days, np.split(order, starts[1:]), upto, strict=True):
        resolve(state, read, learnt[at:to])
        at = to
        if at >= EARLY:
            study(state, read, learnt[studied:at])
            studied = at
        consult(state, read, rows, int(day))
        publish(state, read, rows)
    resolve(state, read, learnt[at:])
    study(state, read, learnt[studied:])
    return read


def consulted(state: State, described: Described, days: Days) -> Read:
    """What rows read of a state as it stands, each on its day, or on the state's own last day if that is later."""
    rows = described.rows
    nothing = np.full(rows, np.nan)
    cases = Cases(
        described=described,
        published=days,
        known=days,
        y=nothing,
        also=np.zeros((len(state.outcomes.also), rows)),
        weight=np.ones(rows),
    )
    read = opened(state, cases)
    for day in np.unique(days):
        consult(state, read, np.flatnonzero(days == day), max(int(day), state.day))
    return read
