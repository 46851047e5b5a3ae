"""From tenders to numbers: one row a tender, one column a feature, NaN for unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.catalogue import Feature
from features.table import Columns, Floats, joined
from features.table_builder import Reader, alone
from features.track_records.case_records import TrackRecord
from tenders.facts import Stage
from tenders.tender import Tender

Matrix = NDArray[np.float32]
"""What boosters read."""


class Rows:
    """Features measured of tenders as they come, as of a stage; the tenders need not be held.

    Where all are `by_column`, tenders may tell more than that stage knows.
    """

    def __init__(self, features: Sequence[Feature], stage: Stage = "awarded") -> None:
        self.features, self._stage = features, stage
        self._single = [(feature.measure, list[float]()) for feature in features if feature.column is None]
        self._read: list[Columns] = []
        self._growing: Reader | None = None

    @property
    def by_column(self) -> bool:
        """Whether nothing but `Columns` is read of a tender."""
        return not self._single

    def add(self, tenders: Sequence[Tender], records: Sequence[TrackRecord]) -> None:
        """Measures more tenders, each by its track record."""
        if len(tenders) == 1:
            self.add_columns(alone(tenders[0], records[0]))
        else:
            # While they are in the cache: lists that are joined later are fetched anew.
            if self._growing is None:
                self._growing = Reader(self._stage)
            self._growing.add(tenders, records)
        for measure, found in self._single:
            values = map(measure, tenders, records)
            found += [math.nan if value is None else value for value in values]

    def add_columns(self, columns: Columns) -> None:
        """Takes tenders of which `columns` are read already: for features that are all by column."""
        self._settle()
        self._read.append(columns)

    def columns(self) -> Columns:
        """What was read of all of them."""
        self._settle()
        if len(self._read) != 1:
            self._read = [joined(self._read or [Reader(self._stage).columns()])]
        return self._read[0]

    def _settle(self) -> None:
        if self._growing is not None:
            self._read.append(self._growing.columns())
            self._growing = None

    def measured(self) -> NDArray[np.float64]:
        """All rows, shape (tenders, features)."""
        columns, single = self.columns(), (found for _, found in self._single)
        given = [feature.column(columns) if feature.column else next(single) for feature in self.features]
        return np.array(given, dtype=np.float64).reshape(len(given), len(columns)).T


def measured(
    features: Sequence[Feature], tenders: Sequence[Tender], records: Sequence[TrackRecord], stage: Stage
) -> Floats:
    """The features of tenders as of a stage, in order, each by its track record; shape (tenders, features)."""
    rows = Rows(features, stage)
    rows.add(tenders, records)
    return rows.measured()
