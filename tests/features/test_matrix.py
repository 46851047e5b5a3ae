"""Rows of features: in the order asked for, unknown as NaN, however many tenders are measured at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import catalogue, known_at
from features.matrix import Rows, measured
from features.track_records.case_records import NO_RECORD
from tenders.io.read import to_process
from tenders.tender import Tender
from tests.features import made

FORM = to_process({"lots": 3, "value": 9e8, "currency": "GBP"}).as_of("draft")
RECORD = made.record()
EVERY = known_at("awarded")
whole = made.known_at("awarded")


def test_a_row_has_the_features_in_the_order_asked_for() -> None:
    known = catalogue()
    named = [known[name] for name in ("lot_count", "advisers_named", "single_block")]
    assert np.array_equal(measured(named, [FORM], [NO_RECORD], "draft"), [[3, np.nan, 0]], equal_nan=True)
    assert np.array_equal(measured(named[::-1], [FORM], [NO_RECORD], "draft"), [[0, np.nan, 3]], equal_nan=True)


def test_unknown_is_nan_and_never_zero() -> None:
    assert np.isnan(measured(EVERY, [Tender()], [NO_RECORD], "awarded")).all()


def test_no_tender_is_no_row_and_keeps_the_width() -> None:
    assert measured(EVERY, [], [], "awarded").shape == (0, len(EVERY))


@settings(max_examples=40, deadline=None)
@given(tenders=st.lists(whole, max_size=6), cut=st.integers(0, 6))
def test_a_tender_is_measured_as_if_it_were_alone(tenders: list[made.Json], cut: int) -> None:
    read = [to_process(each).as_of("awarded") for each in tenders]
    alone = [measured(EVERY, [each], [RECORD], "awarded") for each in read]
    rows = Rows(EVERY)
    rows.add(read[:cut], [RECORD] * len(read[:cut]))
    rows.add(read[cut:], [RECORD] * len(read[cut:]))
    together = rows.measured()
    assert together.shape == (len(read), len(EVERY))
    assert all(np.array_equal(row, single[0], equal_nan=True) for row, single in zip(together, alone, strict=True))
    by_one = [[each.measure(tender, RECORD) for each in EVERY] for tender in read]
    assert np.array_equal(together, np.array(by_one, dtype=float).reshape(together.shape), equal_nan=True)
