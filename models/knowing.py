"""What is known of a tender beside its own facts: the casebook's track records, or its register's, as of its day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from features.track_records.attributes import hash_attributes, title_words
from features.track_records.case_records import TrackRecord
from features.track_records.register_features import register_features, register_level
from features.track_records.register_history import HistoryCases, HistoryReading, RegisterHistory, read_cases
from features.track_records.text_model import Phrases
from models.bundle import Bundle
from tenders.tender import Tender


def record_of(bundle: Bundle, tender: Tender, published: date | None) -> TrackRecord:
    """The track record that a tender is scored by. A register's records are never read as of before their last day."""
    if not bundle.histories:
        return bundle.log.as_of(published)
    found = {outcome: read_of(state, tender, published) for outcome, state in bundle.histories.items()}
    return together(found)


def records_of(bundle: Bundle, tenders: Sequence[Tender], published: Sequence[date | None]) -> list[TrackRecord]:
    """The record that `record_of` gives of each tender, but for the phrases if there are several: made at once."""
    if len(tenders) == 1:
        return [record_of(bundle, tenders[0], published[0])]
    if not bundle.histories:
        return list(map(bundle.log.as_of, published))
    described = hash_attributes(tenders)
    found: dict[str, list[dict[str, float]]] = {}
    for outcome, state in bundle.histories.items():
        days = np.array([state.day if day is None else day.toordinal() for day in published])
        found[outcome] = numbers(read_cases(state, HistoryCases.unlabelled(described, days)), range(len(tenders)))
    return [
        together({outcome: TrackRecord(numbers=each[place]) for outcome, each in found.items()})
        for place in range(len(tenders))
    ]


def together(found: Mapping[str, TrackRecord]) -> TrackRecord:
    """One record that speaks of several outcomes: of the first, if it is not asked about another."""
    first, *others = found
    named = {outcome: found[outcome] for outcome in others}
    return TrackRecord(numbers=found[first].numbers, phrases=found[first].phrases, others=named)


def read_of(state: RegisterHistory, tender: Tender, published: date | None) -> TrackRecord:
    """What a register's records of one outcome say of a tender."""
    day = state.day if published is None else published.toordinal()
    read = read_cases(state, HistoryCases.unlabelled(hash_attributes([tender]), np.array([day])))
    return TrackRecord(numbers=numbers(read)[0], phrases=phrases(state, read, tender))


def numbers(read: HistoryReading, rows: Sequence[int] = (0,)) -> list[dict[str, float]]:
    """For each of the given rows the numbers that are known, by feature."""
    usual, drift = register_level(read)
    found: list[dict[str, float]] = [{} for _ in rows]
    for name, column in (("register_level", usual), ("register_drift", drift), *register_features(read).items()):
        values = np.asarray(column, dtype=np.float64)[list(rows)]
        for place in np.flatnonzero(~np.isnan(values)):
            found[place][name] = float(values[place])
    return found


def phrases(state: RegisterHistory, read: HistoryReading, tender: Tender) -> Phrases:
    """The words and pairs of words of one tender that count most in the model of words, each way."""
    return state.words.phrases(title_words(tender), read.cases.words.slots)
