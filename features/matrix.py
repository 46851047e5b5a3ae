"""From tenders to numbers: one row a tender, one column a feature, NaN for unknown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from features.catalogue import Feature
from features.track_records import TrackRecord
from tenders.tender import Tender

Matrix = NDArray[np.float32]


def row(tender: Tender, track_record: TrackRecord, features: Iterable[Feature]) -> list[float]:
    """The features of one tender, in order; NaN for unknown."""
    return filled(feature.measure(tender, track_record) for feature in features)


def filled(values: Iterable[float | None]) -> list[float]:
    """Measured values as a row: NaN for unknown."""
    return [math.nan if value is None else value for value in values]


def matrix(rows: Sequence[Sequence[float]], width: int) -> Matrix:
    """Rows as float32 of shape (len(rows), width)."""
    return np.asarray(rows, dtype=np.float32).reshape(len(rows), width)
