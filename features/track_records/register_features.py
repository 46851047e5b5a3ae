"""The features that are read from a register's history: a measure of the earlier cases under a key, for every key.

`MEASURES` declares each once, with all the keys that it is taken of. `register_features` computes them for rows, and
`declared` lists them for the catalogue. Rates are over the register's own rate and shrunk to the rate of the key above,
so that a short record says little and every number means the same in every register. Where no register's history was
read, all are unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np

from features.categorical import Categorical
from features.feature import Direction, Feature, Theme
from features.table import TenderTable
from features.track_records.attributes import ATTRIBUTES, HashedAttributes, hash_attributes, title_words
from features.track_records.register_history import (
    GUESS,
    MONTH,
    OUTCOME_KEYS,
    PUBLICATION_KEYS,
    QUARTER,
    YEAR,
    Counts,
    Floats,
    HistoryCases,
    HistoryReading,
    Key,
    RegisterHistory,
    Singles,
    read_history,
)
from features.track_records.text_model import Phrases, tokens
from tenders.own_columns import PREFIX
from tenders.tender import Tender

PRIOR_TOP, PRIOR_BELOW = 8.0, 4.0
"""Cases that the rate above is worth: the register's own rate for a key at the top, the rate of the key above for one
below it."""
STEADY = 50.0
"""Cases at the year's rate that stand behind the quarter's: a handful of outcomes is no drift."""
LEAST_VARIANCE, NO_CASES = 0.05, 1e-9
ABOVE: Mapping[Key, tuple[Key, ...]] = {("unit",): (("division",), ("buyer",)), ("division",): (("buyer",),)}
"""The keys above a key, the nearest first. Above any other stands the key without its last attribute."""
LAG_KEYS: tuple[Key, ...] = (("buyer",), ("unit",), ("unit", "kind"))
"""The keys whose usual delay until the end is read."""


LEARNT = (
    "It was fitted in time order, on the outcomes known before. "
    "Source: track record (features.track_records.text_model)."
)
THEMES: tuple[Theme, ...] = ("wording", "buyer", "value", "procedure")
"""A key has the first of these themes that an attribute of it has."""


class OutcomeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What rows read of earlier outcomes under one key, each of shape (…, rows).

    `count` and `total` (half-lives, rows) are the cases and those with the outcome, `others` (measures, rows) what else
    their ends showed. `prior` is the rate of the key above, worth `prior_cases`. `usual` and `usual_others` are those
    of the register in the last year.
    """

    count: Singles
    total: Singles
    others: Singles
    prior: Singles
    prior_cases: float
    usual: Singles
    usual_others: list[Singles]

    def rate(self, span: int) -> Singles:
        """The rate at a half-life, shrunk to the prior, shape (rows,)."""
        shrunk: Singles = (self.total[span] + self.prior_cases * self.prior) / (self.count[span] + self.prior_cases)
        return shrunk

    def rate_over_usual(self, span: int) -> Singles:
        """The shrunk rate over the register's own, in points."""
        return self.rate(span) - self.usual

    def other_over_usual(self, measure: int) -> Singles:
        """The mean of another measure over the register's own, shrunk to it."""
        usual = self.usual_others[measure]
        mean: Singles = (self.others[measure] + PRIOR_TOP * usual) / (self.count[YEAR] + PRIOR_TOP)
        return mean - usual


class PublicationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What rows read of earlier publications under one key, each of shape (…, rows).

    `count` and `total` (half-lives, rows) are the tenders and the re-tenders among them, `others` the sums of window
    and value (`PUBLICATION_SUMS` of them), `last` (rows,) the days since the last. `usual` is the register's
    own share of re-tenders, `ended` (rows,) how many under the key have a known end, None if outcomes are not counted
    under it. `attributes` are those of the rows themselves.
    """

    count: Singles
    total: Singles
    others: Singles
    last: Singles
    usual: Singles
    ended: Singles | None
    attributes: HashedAttributes

    def trend(self) -> Singles:
        """Publications a day of the last month over those of the year, as logarithms."""
        trend: Singles = np.log1p(self.count[MONTH] / 30) - np.log1p(self.count[YEAR] / 365)
        return trend

    def again_over_usual(self) -> Singles:
        """The share of re-tenders over the register's own, shrunk to it."""
        again: Singles = (self.total[YEAR] + PRIOR_BELOW * self.usual) / (self.count[YEAR] + PRIOR_BELOW)
        return again - self.usual

    def compared(self, number: Floats, first: int) -> Floats:
        """A number of each row against the mean of earlier ones, in their spread; unknown if fewer than two are known.

        `first` is where its sums begin: how many are known, the sum, and the sum of the squares.
        """
        known, total, square = self.others[first : first + 3]
        mean = total / np.maximum(known, NO_CASES)
        spread = np.sqrt(np.maximum(square / np.maximum(known, NO_CASES) - mean**2, LEAST_VARIANCE))
        return np.where(known > 1, (number - mean) / spread, np.nan)

    def pending(self) -> Singles | None:
        """Logarithm of 1 + publications without a known end."""
        if self.ended is None:
            return None
        pending: Singles = np.log1p(np.maximum(self.count[0] - self.ended, 0))
        return pending


Record = TypeVar("Record", OutcomeRecord, PublicationRecord)


class Measure(msgspec.Struct, Generic[Record], frozen=True, kw_only=True):
    """One measure of the earlier cases under a key: a feature for each of `keys`.

    In `name`, `label` and `says`, `{key}` stands for the key.
    """

    name: str
    keys: tuple[Key, ...]
    unit: str
    label: str
    says: str
    doc: str
    compute: Callable[[Record], Any]
    direction: Direction = 0

    def feature_name(self, key: Key) -> str:
        """The name of the feature of a key."""
        return self.name.replace("{key}", "_".join(key))


def _rate(span: int, name: str, lately: str) -> Measure[OutcomeRecord]:
    return Measure(
        name=f"rate_{{key}}_{name}",
        keys=OUTCOME_KEYS,
        unit="points",
        label=f"Record of {{key}}, {name}",
        says=f"Cases with the same {{key}} have ended so {{value}} often than is usual in the register, {lately}.",
        doc="Share of earlier cases under the key that had the outcome, shrunk to that of the key above, over the "
        "register's own share of the last year. What failed before fails again. "
        "Source: track record, decayed by half-lives.",
        compute=lambda record: record.rate_over_usual(span),
        direction=1,
    )


OUTCOME_MEASURES: tuple[Measure[OutcomeRecord], ...] = (
    _rate(0, "ever", "ever"),
    _rate(MONTH, "month", "in the last weeks"),
    _rate(QUARTER, "quarter", "in the last months"),
    _rate(YEAR, "year", "in the last year"),
    Measure(
        name="cases_{key}",
        keys=OUTCOME_KEYS,
        unit="log cases",
        label="Cases of {key}",
        says="The register knows {value} earlier cases with the same {key}.",
        doc="Logarithm of 1 + earlier cases under the key whose end is known. Source: track record.",
        compute=lambda record: np.log1p(record.count[0]),
    ),
    Measure(
        name="lag_{key}",
        keys=LAG_KEYS,
        unit="days more",
        label="Delay of {key}",
        says="Cases with the same {key} take {value} until their end is known than is usual.",
        doc="Days from publication to the end of earlier cases, over the register's own. Source: track record.",
        compute=lambda record: record.other_over_usual(0),
    ),
    Measure(
        name="other_{key}",
        keys=OUTCOME_KEYS,
        unit="ratio",
        label="Other endings of {key}",
        says="Called off, or with fewer bidders, than usual in cases with the same {key}: {value}.",
        doc="For no_award the share that the buyer called off itself, else the mean logarithm of the bidders, over the "
        "register's own. Source: track record.",
        compute=lambda record: record.other_over_usual(1),
    ),
)

PUBLICATION_MEASURES: tuple[Measure[PublicationRecord], ...] = (
    Measure(
        name="load_{key}",
        keys=PUBLICATION_KEYS,
        unit="log cases",
        label="Load of {key}",
        says="{value} tenders with the same {key} came out of late.",
        doc="Logarithm of 1 + publications, half-life 30 days. Who publishes much has little time for each. "
        "Source: track record.",
        compute=lambda record: np.log1p(record.count[MONTH]),
    ),
    Measure(
        name="trend_{key}",
        keys=PUBLICATION_KEYS,
        unit="ratio",
        label="Trend of {key}",
        says="Of late more tenders with the same {key} come out than over the year, by a factor of e to the {value}.",
        doc="Publications of the last month over those of the year, a day, as logarithms. Source: track record.",
        compute=PublicationRecord.trend,
    ),
    Measure(
        name="since_{key}",
        keys=PUBLICATION_KEYS,
        unit="days",
        label="Last call of {key}",
        says="The last tender with the same {key} came out {value} days before.",
        doc="Days since the last publication under the key. What is bought again soon was not got, or is routine. "
        "Source: track record.",
        compute=lambda record: record.last,
    ),
    Measure(
        name="again_{key}",
        keys=PUBLICATION_KEYS,
        unit="points",
        label="Re-tenders of {key}",
        says="Tenders with the same {key} are re-tenders {value} often than is usual.",
        doc="Share of re-tenders among publications, over the register's own. Source: track record.",
        compute=PublicationRecord.again_over_usual,
    ),
    Measure(
        name="window_to_{key}",
        keys=PUBLICATION_KEYS,
        unit="spreads",
        label="Time to bid against {key}",
        says="Bidders have {value} time than is usual with the same {key}.",
        doc="Logarithm of the days to bid against the mean of the key's earlier tenders, in their spread. "
        "Source: track record.",
        compute=lambda record: record.compared(record.attributes.log_window, 0),
    ),
    Measure(
        name="value_to_{key}",
        keys=PUBLICATION_KEYS,
        unit="spreads",
        label="Value against {key}",
        says="The value is {value} than is usual with the same {key}.",
        doc="Logarithm of the value against the mean of the key's earlier tenders, in their spread. "
        "Source: track record.",
        compute=lambda record: record.compared(record.attributes.log_value, 3),
    ),
    Measure(
        name="open_{key}",
        keys=tuple(key for key in PUBLICATION_KEYS if key in OUTCOME_KEYS),
        unit="log cases",
        label="Open cases of {key}",
        says="{value} tenders with the same {key} have not ended yet.",
        doc="Logarithm of 1 + publications whose end is not known yet. Source: track record.",
        compute=PublicationRecord.pending,
    ),
)
MEASURES: tuple[Measure[Any], ...] = (*OUTCOME_MEASURES, *PUBLICATION_MEASURES)
Compute = Callable[[Any], Any]


def _computes(measures: tuple[Measure[Record], ...], keys: tuple[Key, ...]) -> dict[Key, list[tuple[str, Compute]]]:
    """The features of each key: name and function, in the order of the measures."""
    return {key: [(m.feature_name(key), m.compute) for m in measures if key in m.keys] for key in keys}


_OF_OUTCOMES = _computes(OUTCOME_MEASURES, OUTCOME_KEYS)
_OF_PUBLICATIONS = _computes(PUBLICATION_MEASURES, PUBLICATION_KEYS)


def register_features(reading: HistoryReading) -> dict[str, Singles]:
    """The features of rows by name, shape (rows,), NaN for unknown: those that any of the rows can have."""
    features = {**dict(_outcome_features(reading)), **dict(_publication_features(reading))}
    scores = (reading.text_margin - reading.text_bias).astype(np.float32)
    features["value_in_register"] = reading.cases.attributes.log_value.astype(np.float32)
    features["words_score"], features["profile_score"] = scores
    features.update({PREFIX + name: column.astype(np.float32) for name, column in reading.own_scores.items()})
    return features


def register_level(reading: HistoryReading) -> Floats:
    """The register's rate of the last year in log-odds, and how far the last quarter's is from it: shape (2, rows).

    Of all that a snapshot, or the history of an older bundle, has counted. Where time orders a register it is
    `delays.levels` that says it: what is known so far is no rate.
    """
    total, count, year = reading.outcomes.total[:, 0], reading.outcomes.count[:, 0], _usual_rate(reading.outcomes)
    quarter = (total[QUARTER] + STEADY * year) / (count[QUARTER] + STEADY)
    usual = np.log(year / (1 - year))
    return np.asarray([usual, np.log(quarter / (1 - quarter)) - usual], dtype=np.float64)


def history_values(history: RegisterHistory, cases: HistoryCases) -> dict[str, Floats]:
    """All that a model reads of a register's history as it stands: the `register_features` of rows, and their
    `register_level` as "register_level" and "register_drift". Shape (rows,), NaN for unknown.

    The same `HistoryCases.unlabelled` can be read by several histories, and then share their keys and tokens.
    """
    reading = read_history(history, cases)
    rows = len(cases.y)
    level, drift = register_level(reading) if history.level is None else np.repeat([history.level], rows, axis=0).T
    features = {name: column.astype(np.float64) for name, column in register_features(reading).items()}
    return {"register_level": level, "register_drift": drift, **features}


def telling_phrases(history: RegisterHistory, tender: Tender) -> Phrases:
    """The words and pairs of words of a tender that count most in the register's model of words, each way."""
    return history.words.phrases(title_words(tender), tokens(hash_attributes([tender]), crossed=False).slots)


def _usual_rate(outcomes: Counts) -> Singles:
    """The register's own rate of the last year, GUESS before any case, shape (rows,)."""
    return np.asarray((outcomes.total[YEAR, 0] + GUESS) / (outcomes.count[YEAR, 0] + 1))


def _outcome_features(reading: HistoryReading) -> Iterator[tuple[str, Singles]]:
    counts, usual = reading.outcomes, _usual_rate(reading.outcomes)
    usual_others = [total[0] / (counts.count[YEAR, 0] + 1) for total in counts.others]
    rates: dict[Key, Singles] = {}
    for place, key in enumerate(reading.cases.outcome_keys.kinds, start=1):
        if not (reading.outcome_places[place] >= 0).any():
            continue
        above = next((rates[upper] for upper in (*ABOVE.get(key, ()), key[:-1]) if upper in rates), None)
        record = OutcomeRecord(
            count=counts.count[:, place],
            total=counts.total[:, place],
            others=counts.others[:, place],
            prior=usual if above is None else above,
            prior_cases=PRIOR_TOP if above is None else PRIOR_BELOW,
            usual=usual,
            usual_others=usual_others,
        )
        rates[key] = record.rate(YEAR)
        for name, compute in _OF_OUTCOMES[key]:
            yield name, compute(record).astype(np.float32, copy=False)


def _publication_features(reading: HistoryReading) -> Iterator[tuple[str, Singles]]:
    counts, ended = reading.publications, reading.cases.outcome_keys.kinds
    usual = counts.total[YEAR, 0] / (counts.count[YEAR, 0] + 1)
    for place, key in enumerate(reading.cases.publication_keys.kinds, start=1):
        if not (reading.publication_places[place] >= 0).any():
            continue
        record = PublicationRecord(
            count=counts.count[:, place],
            total=counts.total[:, place],
            others=counts.others[:, place],
            last=counts.last[place],
            usual=usual,
            ended=reading.outcomes.count[0, 1 + ended.index(key)] if key in ended else None,
            attributes=reading.cases.attributes,
        )
        for name, compute in _OF_PUBLICATIONS[key]:
            column = compute(record)
            if column is not None:
                yield name, column.astype(np.float32, copy=False)


def theme_of(key: Key) -> Theme:
    """The theme of the features of a key."""
    themes = {ATTRIBUTES[name].theme for name in key}
    return next(theme for theme in THEMES if theme in themes)


def words_of(key: Key) -> str:
    """A key in words, such as: buyer and kind of contract."""
    return " and ".join(ATTRIBUTES[name].words for name in key)


def declared() -> Iterator[Feature]:
    """The features of the catalogue that are read from a register's history, in the order of `register_features`."""
    for keys, measures in ((OUTCOME_KEYS, OUTCOME_MEASURES), (PUBLICATION_KEYS, PUBLICATION_MEASURES)):
        for key in keys:
            yield from (_of_key(measure, key) for measure in measures if key in measure.keys)
    yield _declare(
        "value_in_register",
        theme="value",
        unit="log amount",
        label="Value in the register's money",
        path="/tender/value",
        also=("/tender/lots", "/planning/budget"),
        says="The value is {value} in the register's own money.",
        doc="Natural logarithm of the value of lot or tender in its own currency; known where a register was read.\n\n"
        "Source: OCDS `value`.",
    )
    yield _declare(
        "words_score",
        theme="wording",
        unit="log-odds",
        label="Words",
        path="/tender/title",
        also=("/tender/description",),
        says="The wording counts {value} in log-odds: {record}.",
        direction=1,
        evidence=_phrases,
        doc=f"The forecast of the register's model of words and pairs of words, over its mean.\n\n{LEARNT}",
    )
    yield _declare(
        "profile_score",
        theme="wording",
        unit="log-odds",
        label="Words with who buys what and how",
        path="/tender/title",
        also=("/tender/description", "/buyer"),
        says="Wording together with buyer, kind and procedure counts {value} in log-odds.",
        direction=1,
        doc="The forecast of the register's model of words with buyer and kind, and of pairs of attributes, over its "
        f"mean.\n\n{LEARNT}",
    )


def _of_key(measure: Measure[Any], key: Key) -> Feature:
    return _declare(
        measure.feature_name(key),
        theme=theme_of(key),
        unit=measure.unit,
        label=measure.label.replace("{key}", words_of(key)),
        path=ATTRIBUTES[key[-1]].path,
        says=measure.says.replace("{key}", words_of(key)),
        direction=measure.direction,
        doc=measure.doc,
    )


def _declare(name: str, **about: Any) -> Feature:
    """A feature that is known at draft and read by its name."""
    return Feature(
        name=name,
        measure=lambda table: table.register_feature(name),
        reads="register_history",
        stage="draft",
        **about,
    )


def _phrases(table: TenderTable) -> Categorical[Any]:
    """The words behind the score of words, for tenders whose register's history was read."""
    phrases = table.records.phrases if table.records else None
    return phrases(table) if phrases else Categorical.single(Phrases(), len(table))
