"""What rows are ordered by: one number a tender that only the seed decides, and one name a buyer."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from portfolio.ranking import UNNAMED, hashed, order, standing
from tests.portfolio.scored import portfolio, table


def test_a_tender_has_the_same_numbers_wherever_it_stands_and_others_for_another_seed() -> None:
    rows = table({"ocid": "a"}, {"ocid": "b"}, {"ocid": "a", "file": "other"})
    found = hashed(rows, 1)
    assert found[0].tolist() == found[2].tolist() != found[1].tolist()
    assert hashed(rows, 2)[0].tolist() != found[0].tolist()


def test_without_an_ocid_the_place_stands_for_the_tender() -> None:
    rows = table({"ocid": None, "line": 1}, {"ocid": "", "line": 2}, {"ocid": None, "line": 1, "place": "/records/1"})
    assert len({tuple(each) for each in hashed(rows, 0).tolist()}) == 3


def test_unknown_values_and_buyers_stay_unknown() -> None:
    found = standing(ds.dataset(table({"buyer": None, "value_gbp": None}, {"buyer": "Leeds", "value_gbp": 5.0})), 0)
    assert found.buyer.tolist() == [UNNAMED, 0]
    assert np.isnan(found.value).tolist() == [True, False]


def test_a_buyer_is_one_over_all_batches() -> None:
    rows = portfolio(500)
    parts = pa.Table.from_batches(rows.to_batches(max_chunksize=7))
    whole, pieces = standing(ds.dataset(rows), 0), standing(ds.dataset(parts), 0)
    assert whole.buyer.tolist() == pieces.buyer.tolist()
    assert order(whole, True).tolist() == order(pieces, True).tolist()
