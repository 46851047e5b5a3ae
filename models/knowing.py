"""What is known of a tender beside its own facts: the casebook's track records, or its register's, as of its day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise

import numpy as np

from features.track_records import register_features as records
from features.track_records.attributes import describe, spoken
from features.track_records.case_records import Phrases, TrackRecord
from features.track_records.register_history import Read, State, consulted
from models.bundle import Bundle
from tenders.tender import Tender

MOST_PHRASES = 3
"""Phrases that a reason shows on either side."""


def record_of(bundle: Bundle, tender: Tender, published: date | None) -> TrackRecord:
    """The track record that a tender is scored by. A register's records are never read as of before their last day."""
    if not bundle.histories:
        return bundle.log.on(published)
    found = {outcome: read_of(state, tender, published) for outcome, state in bundle.histories.items()}
    return together(found)


def records_of(bundle: Bundle, tenders: Sequence[Tender], published: Sequence[date | None]) -> list[TrackRecord]:
    """The record that `record_of` gives of each tender, but for the phrases if there are several: made at once."""
    if len(tenders) == 1:
        return [record_of(bundle, tenders[0], published[0])]
    if not bundle.histories:
        return list(map(bundle.log.on, published))
    described = describe(tenders)
    found: dict[str, list[dict[str, float]]] = {}
    for outcome, state in bundle.histories.items():
        days = np.array([state.day if day is None else day.toordinal() for day in published])
        found[outcome] = numbers(consulted(state, described, days), range(len(tenders)))
    return [
        together({outcome: TrackRecord(numbers=each[place]) for outcome, each in found.items()})
        for place in range(len(tenders))
    ]


def together(found: Mapping[str, TrackRecord]) -> TrackRecord:
    """One record that speaks of several outcomes: of the first, if it is not asked about another."""
    first, *others = found
    named = {outcome: found[outcome] for outcome in others}
    return TrackRecord(numbers=found[first].numbers, phrases=found[first].phrases, others=named)


def read_of(state: State, tender: Tender, published: date | None) -> TrackRecord:
    """What a register's records of one outcome say of a tender."""
    day = state.day if published is None else published.toordinal()
    read = consulted(state, describe([tender]), np.array([day]))
    return TrackRecord(numbers=numbers(read)[0], phrases=phrases(state, read, tender))


def numbers(read: Read, rows: Sequence[int] = (0,)) -> list[dict[str, float]]:
    """For each of the given rows the numbers that are known, by feature."""
    usual, drift = records.level(read)
    found: list[dict[str, float]] = [{} for _ in rows]
    for name, column in (("register_level", usual), ("register_drift", drift), *records.columns(read)):
        values = np.asarray(column, dtype=np.float64)[list(rows)]
        for place in np.flatnonzero(~np.isnan(values)):
            found[place][name] = float(values[place])
    return found


def phrases(state: State, read: Read, tender: Tender) -> Phrases:
    """The words and pairs of words of one tender that count most in the model of words, each way."""
    words = spoken(tender)
    slots = read.words.slots
    said = [*words, *(" ".join(pair) for pair in pairwise(words))]
    if not said:
        return Phrases()
    counts = state.words.weight[slots] / np.sqrt(len(slots) + 1)
    by_phrase = dict(zip(said, map(float, counts), strict=True))
    ordered = sorted(by_phrase.items(), key=lambda item: -item[1])
    up = [item for item in ordered[:MOST_PHRASES] if item[1] > 0]
    down = [item for item in ordered[::-1][:MOST_PHRASES] if item[1] < 0]
    return Phrases(counted=tuple((phrase, round(count, 3)) for phrase, count in up + down))
