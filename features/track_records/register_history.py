"""A register's history: what its earlier cases tell of a tender on the day on which it was published.

The rows of a register are walked once in time order, for one outcome. On its publication day each row reads what stands
under its keys (buyer, unit, kind of contract, market, words of the title, and pairs of them): how many earlier cases
there were, how many had the outcome, how many tenders were published, and what the text models forecast. When its own
outcome becomes known, the row is added. So nothing of its day or later can reach a row.

The counts are kept by hand, for no library counts down by half-lives under half a million keys and reads the state of
any day.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import msgspec
import numpy as np
import pyarrow as pa
from msgspec.structs import replace
from numpy.typing import NDArray

from features.track_records.attributes import HashedAttributes, Hashes, mixed
from features.track_records.text_model import TextModel, Tokens, tokens

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Days = NDArray[np.int64]
Rows = NDArray[np.int64]
Key = tuple[str, ...]
"""The names of the attributes that make a key: cases whose attributes agree stand under the same one."""

FOREVER = 0
"""The half-life that does not end."""
HALF_LIVES = (FOREVER, 30, 90, 365)
"""Half-lives of rates in days; the last is that of every other sum."""
MONTH, QUARTER, YEAR = 1, 2, 3
"""Where they stand in HALF_LIVES."""
FURTHEST = 512.0
"""Half-lives from the origin beyond which a day is an error of the register: 42 years of months."""

OUTCOME_KEYS: tuple[Key, ...] = (
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
"""The keys under which outcomes are counted. Their order salts the hashes that a bundle holds: add at the end."""
PUBLICATION_KEYS: tuple[Key, ...] = (
    ("buyer",), ("unit",), ("unit", "kind"), ("buyer", "method"), ("buyer", "opening"), ("place", "kind"), ("market",),
    ("locality",), ("unit", "locality"),
)  # fmt: skip
"""The keys under which publications are counted, in an order that must stay as well."""
PUBLICATION_SUMS = 6
"""Sums beside the share of re-tenders: of window and of value how many are known, their logarithms and the squares."""
EARLY, GUESS = 200, 0.2
"""Outcomes that are known before the text models begin: they begin at the share of those. GUESS is the share before
any is known, and counts as one case in the register's own rate."""
MANY = 10_000
"""Keys from which on it pays to find repeats before sorting."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What rows read under their keys.

    `values` has shape (2 * half-lives + measures + 1, keys, rows), so that one number of one key is one piece of
    memory. The properties are views of it.
    """

    half_lives: int
    values: Singles

    @property
    def count(self) -> Singles:
        """Cases under the key, shape (half-lives, keys, rows)."""
        return self.values[: self.half_lives]

    @property
    def total(self) -> Singles:
        """The sum of their first measure, shape (half-lives, keys, rows)."""
        return self.values[self.half_lives : 2 * self.half_lives]

    @property
    def others(self) -> Singles:
        """The sums of their other measures at the last half-life, shape (measures, keys, rows)."""
        return self.values[2 * self.half_lives : -1]

    @property
    def last(self) -> Singles:
        """Days since the key was last written, shape (keys, rows); NaN if never."""
        last: Singles = self.values[-1]
        return last


class DecayedCounts(msgspec.Struct, kw_only=True):
    """Counts under sorted `keys`, all as of the day `origin`: a case of day d weighs 2 ** ((d - origin) / half-life).

    `values` has shape (keys, 2 * half-lives + measures + 1): what a row reads under a key lies side by side, because
    fetching it from memory costs more than the arithmetic. The properties are views of it.
    """

    half_lives: tuple[int, ...]
    keys: Hashes
    values: Floats
    origin: int

    @classmethod
    def empty(cls, keys: Hashes, half_lives: Sequence[int], measures: int, origin: int) -> DecayedCounts:
        """No counts yet, with room for these keys. `keys` need not be sorted or unique; 0 is no key."""
        known = np.unique(keys)
        known = known[known != 0]
        values = np.zeros((len(known), 2 * len(half_lives) + measures + 1))
        values[:, -1] = -np.inf
        return cls(half_lives=tuple(half_lives), keys=known, values=values, origin=origin)

    @property
    def count(self) -> Floats:
        """Cases under each key, shape (half-lives, keys)."""
        return self.values.T[: len(self.half_lives)]

    @property
    def total(self) -> Floats:
        """The sum of their first measure, shape (half-lives, keys)."""
        return self.values.T[len(self.half_lives) : 2 * len(self.half_lives)]

    @property
    def others(self) -> Floats:
        """The sums of their other measures at the last half-life, shape (measures, keys)."""
        return self.values.T[2 * len(self.half_lives) : -1]

    @property
    def last(self) -> Floats:
        """The day on which each key was last written, counted from `origin`, shape (keys,); -inf if never."""
        return self.values[:, -1]

    def find(self, keys: Hashes) -> Rows:
        """The places of keys of any shape, -1 for those that are not there."""
        if not len(self.keys):
            return np.full(keys.shape, -1, dtype=np.int64)
        places = np.searchsorted(self.keys, keys)
        places[places == len(self.keys)] = 0
        return np.where(self.keys[places] == keys, places, -1)

    def add(self, places: Rows, days: Days, measures: Floats, weight: Floats) -> None:
        """Adds rows: the places of their keys (keys, rows), their days (rows,), their measures (1 + others, rows), and
        what each row counts (rows,)."""
        columns, rows = np.nonzero(places >= 0)
        at = places[columns, rows]
        since = (days - self.origin).astype(np.float64)
        masses = [
            weight * (np.exp2(np.minimum(since / half_life, FURTHEST)) if half_life else 1.0)
            for half_life in self.half_lives
        ]
        parts = np.array([*masses, *(mass * measures[0] for mass in masses), *(masses[-1] * measures[1:])]).T
        # One row after the other: added many at once, the last bit would depend on how many there were.
        width = self.values.shape[1]
        cells = (at * width)[:, None] + np.arange(width - 1)
        np.add.at(self.values.reshape(-1), cells.reshape(-1), parts[rows].reshape(-1))
        np.maximum.at(self.last, at, since[rows])

    def read(self, places: Rows, day: int, counts: Counts, rows: Rows) -> None:
        """Writes what stands at these places (keys, rows) on a day into the given rows of `counts`."""
        if not len(self.keys):
            counts.last[:, rows] = np.nan
            return
        since = day - self.origin
        fades = [np.exp2(min(-since / half_life, FURTHEST)) if half_life else 1.0 for half_life in self.half_lives]
        values, unknown = self.values.take(places, axis=0), places < 0
        values[unknown, :-1], values[unknown, -1] = 0.0, -np.inf
        for number, fade in enumerate((*fades, *fades, *fades[-1:] * len(self.others))):
            counts.values[number][:, rows] = values[..., number] * fade
        last = since - values[..., -1]
        counts.last[:, rows] = np.where(np.isfinite(last), last, np.nan)

    def room(self, keys: int, rows: int) -> Counts:
        """Empty counts for `rows` rows that read `keys` keys each."""
        values = np.zeros((self.values.shape[1], keys, rows), dtype=np.float32)
        values[-1] = np.nan
        return Counts(half_lives=len(self.half_lives), values=values)


class RowKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of rows, as hashes, of those `kinds` of key that any row has.

    Row i has `distinct[place[1 + k, i]]` for kind k, where 0 is unknown, and `distinct[place[0, i]]` for the register
    as a whole. Keys repeat a great deal, and each distinct one is looked up once.
    """

    kinds: tuple[Key, ...]
    distinct: Hashes
    place: Rows


class HistoryCases(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The rows of one register for one outcome.

    `published` and `known` are days as ordinals, `y` is the outcome (1, 0 or NaN for censored), all of shape (rows,).
    `others` (measures, rows) is what else the end of a case showed. `weight` is what a row counts: lots that ended by
    one decision are not so many cases.
    """

    attributes: HashedAttributes
    published: Days
    known: Days
    y: Floats
    others: Floats
    weight: Floats

    @cached_property
    def publication_measures(self) -> Floats:
        """What publication shows of a tender, shape (1 + PUBLICATION_SUMS, rows): whether it is a re-tender; of
        window and value whether they are known, their logarithms and the squares."""
        attributes = self.attributes
        measures = [np.nan_to_num(attributes.again)]
        for number in (attributes.log_window, attributes.log_value):
            measures += [~np.isnan(number), np.nan_to_num(number), np.nan_to_num(number) ** 2]
        return np.array(measures, dtype=np.float64)

    @cached_property
    def outcome_keys(self) -> RowKeys:
        """The keys under which outcomes are counted. Making a history and reading it both need them."""
        return keys_of(self.attributes, OUTCOME_KEYS)

    @cached_property
    def publication_keys(self) -> RowKeys:
        """The keys under which publications are counted."""
        return keys_of(self.attributes, PUBLICATION_KEYS)

    @cached_property
    def words(self) -> Tokens:
        """What the model of words reads."""
        return tokens(self.attributes, crossed=False)

    @cached_property
    def profile(self) -> Tokens:
        """What the model of words with buyer and kind reads."""
        return tokens(self.attributes, crossed=True)

    @cached_property
    def own_texts(self) -> dict[str, Tokens]:
        """What the models of declared texts read, by the name of the column."""
        return {
            name: tokens(replace(self.attributes, words=text.words, start=text.start), crossed=False)
            for name, text in self.attributes.own_texts.items()
        }

    @classmethod
    def unlabelled(cls, attributes: HashedAttributes, days: Days) -> HistoryCases:
        """Rows that only read, each on its day (an ordinal)."""
        rows = attributes.rows
        return cls(
            attributes=attributes,
            published=days,
            known=days,
            y=np.full(rows, np.nan),
            others=np.zeros((0, rows)),
            weight=np.ones(rows),
        )


class RegisterHistory(msgspec.Struct, kw_only=True):
    """Everything that one register has shown of one outcome: decayed counts under keys, and two text models.

    `outcomes` counts cases whose end is known, `publications` all that were published. `words` is the model of words,
    `profile` that of words with buyer and kind. `rate` is the share of the outcome at which they began, None before.
    `day` is the last day on which anything was published or known. `passes` is how often the text models go over each
    outcome: more than once where outcomes are few. A `timeless` history is that of a snapshot: it reads the same on
    every day. `level` is what `delays.level_as_of` says after its last day; None where time does not order it.
    `own_texts` are models of words, one for each declared column of text.
    """

    outcomes: DecayedCounts
    publications: DecayedCounts
    words: TextModel
    profile: TextModel
    rate: float | None
    day: int
    passes: int = 1
    timeless: bool = False
    level: tuple[float, float] | None = None
    own_texts: dict[str, TextModel] = {}

    @property
    def text_models(self) -> list[TextModel]:
        """All models of texts."""
        return [self.words, self.profile, *self.own_texts.values()]

    @classmethod
    def empty(cls, cases: HistoryCases, passes: int = 1) -> RegisterHistory:
        """A history that knows nothing yet, with room for these cases."""
        origin = int(np.median(cases.published))
        return cls(
            outcomes=DecayedCounts.empty(cases.outcome_keys.distinct, HALF_LIVES, len(cases.others), origin),
            publications=DecayedCounts.empty(cases.publication_keys.distinct, HALF_LIVES, PUBLICATION_SUMS, origin),
            words=TextModel.empty(GUESS, origin),
            profile=TextModel.empty(GUESS, origin),
            rate=None,
            day=origin,
            passes=passes,
            own_texts={name: TextModel.empty(GUESS, origin) for name in cases.attributes.own_texts},
        )


class HistoryReading(msgspec.Struct, frozen=True, kw_only=True):
    """What rows read of a history, and where they read it.

    `outcome_places` and `publication_places` (keys, rows) are the places of their keys, `outcomes` and `publications`
    the counts read. `text_margin` and `text_bias` (2, rows) are the log-odds of the model of words and of that of
    profiles, and those of a row without a token. `own_scores` (rows,) are the log-odds of the models of declared texts
    over those of a row without a token, by the name of the column, NaN where there is no word.
    """

    cases: HistoryCases
    outcome_places: Rows
    publication_places: Rows
    outcomes: Counts
    publications: Counts
    text_margin: Floats
    text_bias: Floats
    own_scores: dict[str, Floats] = {}


def keys_of(attributes: HashedAttributes, kinds: Sequence[Key]) -> RowKeys:
    """The keys of all rows, of those kinds of which every attribute is known of some row."""
    columns, kept = [np.full(attributes.rows, 1, dtype=np.uint64)], []
    for number, names in enumerate(kinds, start=2):
        if all(name in attributes.hashes for name in names):
            salt = np.full(attributes.rows, number, dtype=np.uint64)
            columns.append(mixed(salt, *(attributes.hashes[name] for name in names)))
            kept.append(names)
    distinct, place = _distinct(np.concatenate(columns))
    return RowKeys(kinds=tuple(kept), distinct=distinct, place=place.reshape(len(columns), -1))


def _distinct(keys: Hashes) -> tuple[Hashes, Rows]:
    """The distinct keys in order, and the place of each key among them.

    Many keys are first reduced to distinct ones by hashing: sorting them all takes five times as long.
    """
    if len(keys) < MANY:
        return np.unique(keys, return_inverse=True)
    coded = pa.array(keys).dictionary_encode()
    distinct, order = np.unique(coded.dictionary.to_numpy(), return_inverse=True)
    return distinct, order[coded.indices.to_numpy()]


def start_reading(history: RegisterHistory, cases: HistoryCases) -> HistoryReading:
    """Finds the keys of rows in a history, ready for `read_as_of`."""
    outcome_keys, publication_keys = cases.outcome_keys, cases.publication_keys
    outcome_places = history.outcomes.find(outcome_keys.distinct)[outcome_keys.place]
    publication_places = history.publications.find(publication_keys.distinct)[publication_keys.place]
    return HistoryReading(
        cases=cases,
        outcome_places=outcome_places,
        publication_places=publication_places,
        outcomes=history.outcomes.room(*outcome_places.shape),
        publications=history.publications.room(*publication_places.shape),
        text_margin=np.zeros((2, cases.attributes.rows)),
        text_bias=np.zeros((2, cases.attributes.rows)),
        own_scores={name: np.full(cases.attributes.rows, np.nan) for name in history.own_texts},
    )


def read_as_of(history: RegisterHistory, reading: HistoryReading, rows: Rows, day: int) -> None:
    """Fills the given rows of a reading with what the history says on a day."""
    if history.timeless:
        day = history.day + 1
    history.outcomes.read(reading.outcome_places[:, rows], day, reading.outcomes, rows)
    history.publications.read(reading.publication_places[:, rows], day, reading.publications, rows)
    reading.text_margin[0, rows] = history.words.log_odds(reading.cases.words, rows)
    reading.text_margin[1, rows] = history.profile.log_odds(reading.cases.profile, rows)
    reading.text_bias[:, rows] = [[history.words.bias], [history.profile.bias]]
    for name, model in history.own_texts.items():
        if name in reading.cases.own_texts:
            texts = reading.cases.own_texts[name]
            spoken = rows[texts.start[rows + 1] > texts.start[rows]]
            reading.own_scores[name][spoken] = model.log_odds(texts, spoken) - model.bias


def add_outcomes(history: RegisterHistory, reading: HistoryReading, rows: Rows) -> None:
    """Counts the outcomes of the given rows."""
    cases = reading.cases
    days, y = cases.known[rows], cases.y[rows]
    history.day = max(history.day, int(days.max(initial=history.day)))
    measures = np.vstack([y, cases.others[:, rows]])
    history.outcomes.add(reading.outcome_places[:, rows], days, measures, cases.weight[rows])


def update_text_models(history: RegisterHistory, reading: HistoryReading, rows: Rows) -> None:
    """Updates both text models with the outcomes of the given rows, in their order. The first call also sets the share
    at which they begin."""
    cases = reading.cases
    days, y = cases.known[rows], cases.y[rows]
    if history.rate is None and len(rows):
        history.rate = float(np.clip(y.mean(), 0.005, 0.8))
        for model in history.text_models:
            model.bias = float(np.log(history.rate / (1 - history.rate)))
    for _ in range(history.passes):
        history.words.update(cases.words, rows, y, days, cases.weight[rows])
        history.profile.update(cases.profile, rows, y, days, cases.weight[rows])
        for name, model in history.own_texts.items():
            model.update(cases.own_texts[name], rows, y, days, cases.weight[rows])


def add_publications(history: RegisterHistory, reading: HistoryReading, rows: Rows) -> None:
    """Counts the publication of the given rows."""
    days, measures = reading.cases.published[rows], reading.cases.publication_measures[:, rows]
    history.day = max(history.day, int(days.max(initial=history.day)))
    history.publications.add(reading.publication_places[:, rows], days, measures, np.ones(len(rows)))


def learning_order(cases: HistoryCases) -> Rows:
    """The rows with a known outcome by the day on which it became known. Those of one day are ordered by their content,
    so that the order of the file does not matter."""
    attributes, y = cases.attributes, cases.y
    prime = np.uint64(0x9E3779B97F4A7C15)
    place = np.arange(len(attributes.words)) - np.repeat(attributes.start[:-1], np.diff(attributes.start))
    weighted = attributes.words * (2 * place + 1).astype(np.uint64)
    sums = np.append(np.uint64(0), np.cumsum(weighted, dtype=np.uint64))
    content = sums[attributes.start[1:]] - sums[attributes.start[:-1]]
    for column in (*attributes.hashes.values(), cases.published.astype(np.uint64), np.nan_to_num(y).astype(np.uint64)):
        content = content * prime + column
    known = np.flatnonzero(~np.isnan(y))
    return known[np.lexsort((known, content[known], cases.known[known]))]


def replay(history: RegisterHistory, cases: HistoryCases) -> HistoryReading:
    """Walks all rows in time order: each reads what was published and known strictly before its own day."""
    reading = start_reading(history, cases)
    ended = learning_order(cases)
    order = np.argsort(cases.published, kind="stable")
    days, starts = np.unique(cases.published[order], return_index=True)
    ends = np.searchsorted(cases.known[ended], days)
    counted = learnt = 0
    for day, rows, end in zip(days, np.split(order, starts[1:]), ends, strict=True):
        add_outcomes(history, reading, ended[counted:end])
        counted = end
        if counted >= EARLY:
            update_text_models(history, reading, ended[learnt:counted])
            learnt = counted
        read_as_of(history, reading, rows, int(day))
        add_publications(history, reading, rows)
    add_outcomes(history, reading, ended[counted:])
    update_text_models(history, reading, ended[learnt:])
    return reading


def read_history(history: RegisterHistory, cases: HistoryCases) -> HistoryReading:
    """What rows read of a history as it stands, each on its day of publication or, if later, the last day of the
    history."""
    reading = start_reading(history, cases)
    for day in np.unique(cases.published):
        read_as_of(history, reading, np.flatnonzero(cases.published == day), max(int(day), history.day))
    return reading
