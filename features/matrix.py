"""Tenders as matrices of features: the one transformer, of training and of `tender_risk.TenderFeatures`.

chosen = TableFeatures.of(stage).that_differ(tenders)
chosen.values(chosen.table(tenders, records=records))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import islice
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.catalogue import trained_at
from features.feature import Feature
from features.table import Floats, TenderTable, TrackRecords
from features.table_builder import TableBuilder, columns_asked
from tenders.facts import STAGES, Stage
from tenders.tender import Tender
from tenders.tender_chunk import TenderChunk

Matrix = NDArray[np.float32]
"""What boosters read: a row a tender, a column a feature, NaN for unknown."""
CHUNK = 1_000
"""Tenders that are made and read at once."""


class TableFeatures(msgspec.Struct, frozen=True):
    """Some features, in their order, of tenders as of a stage."""

    stage: Stage
    features: tuple[Feature, ...]

    @classmethod
    def of(cls, stage: Stage, features: Iterable[Feature] | None = None) -> TableFeatures:
        """Those of the features that can be known at a stage; by default of all that training offers to a model."""
        offered = trained_at(stage) if features is None else features
        return cls(stage, tuple(feature for feature in offered if is_known_at(feature, stage)))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(feature.name for feature in self.features)

    def that_differ(self, table: TenderTable) -> TableFeatures:
        """Those that differ between the tenders of a table."""
        columns = feature_values(self.features, table).T
        kept = (feature for feature, values in zip(self.features, columns, strict=True) if len(np.unique(values)) > 1)
        return msgspec.structs.replace(self, features=tuple(kept))

    def table(
        self,
        tenders: Iterable[Tender],
        published_on: Iterable[date | None] | None = None,
        records: TrackRecords | None = None,
    ) -> TenderTable:
        """The table of tenders that come one after the other. None is kept, and they may know more than the stage."""
        table = table_of(tenders, [feature.measure for feature in self.features], self.stage, published_on)
        return table if records is None else table.with_records(records)

    def values(self, table: TenderTable) -> Floats:
        """The features of a table, shape (tenders, features), NaN for unknown."""
        return feature_values(self.features, table)

    def matrix(self, table: TenderTable) -> Matrix:
        """The same in the 32 bits that boosters read, and no larger on the way."""
        matrix = np.empty((len(table), len(self.features)), dtype=np.float32)
        for column, feature in enumerate(self.features):
            matrix[:, column] = feature.measure(table)
        return matrix


def table_of(
    tenders: Iterable[Tender],
    functions: Iterable[Callable[[TenderTable], Any]],
    stage: Stage,
    published_on: Iterable[date | None] | None = None,
) -> TenderTable:
    """The table that functions need of tenders that come one after the other: they are read a chunk at a time, and let
    go."""
    builder = TableBuilder(columns_asked(functions, stage), stage)
    left, days = iter(tenders), None if published_on is None else iter(published_on)
    while some := list(islice(left, CHUNK)):
        builder.add(TenderChunk(some), None if days is None else list(islice(days, len(some))))
    return builder.table()


def is_known_at(feature: Feature, stage: Stage) -> bool:
    """Whether a feature's fact can be known at a stage."""
    return STAGES.index(feature.stage) <= STAGES.index(stage)


def feature_values(features: Sequence[Feature], table: TenderTable) -> Floats:
    """The values of features, shape (tenders, features); NaN for unknown, and for what a later stage adds."""
    values = np.full((len(features), len(table)), np.nan)
    reached = STAGES[: STAGES.index(table.stage) + 1]
    for row, feature in enumerate(features):
        if feature.stage in reached:
            values[row] = feature.measure(table)
    return values.T
