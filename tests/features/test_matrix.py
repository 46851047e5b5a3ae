"""Rows of features: in the order asked for, unknown as NaN, 32-bit."""

from __future__ import annotations

import math

import numpy as np

from features.catalogue import catalogue, known_at
from features.matrix import matrix, row
from features.track_records import TrackRecord
from tenders.reading import one
from tenders.tender import Tender

FORM = one({"lots": 3, "value": 9e8, "currency": "GBP"}).as_of("draft")


def test_a_row_has_the_features_in_the_order_asked_for() -> None:
    known = catalogue()
    assert row(FORM, TrackRecord(), [known["lot_count"], known["single_block"]]) == [3, 0]
    assert row(FORM, TrackRecord(), [known["single_block"], known["lot_count"]]) == [0, 3]


def test_unknown_is_nan_and_never_zero() -> None:
    assert all(math.isnan(value) for value in row(Tender(), TrackRecord(), known_at("awarded")))


def test_a_matrix_is_rows_by_features_in_32_bits() -> None:
    found = matrix([[1, math.nan], [0.5, 2]], 2)
    assert found.shape == (2, 2) and found.dtype == np.float32
    assert np.isnan(found[0, 1])


def test_a_matrix_of_no_rows_keeps_its_width() -> None:
    assert matrix([], 7).shape == (0, 7)
