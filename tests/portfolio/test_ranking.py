"""What rows are ordered by: hashes of a tender that only the seed decides, and one code a buyer."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from portfolio.ranking import NO_BUYER, RankingKeys, rank_order, read_ranking_keys, tender_hashes
from tests.portfolio.scored_rows import portfolio, table


def keys(rows: pa.Table, seed: int = 0) -> RankingKeys:
    return read_ranking_keys(ds.dataset(rows), seed)


def test_a_tender_has_the_same_hashes_wherever_it_stands_and_others_for_another_seed() -> None:
    rows = table({"ocid": "a"}, {"ocid": "b"}, {"ocid": "a", "file": "other"})
    row_keys = keys(rows, 1)
    for hashes in (row_keys.tender, row_keys.draw):
        assert hashes[0] == hashes[2] != hashes[1]
    assert row_keys.tender[0] != row_keys.draw[0]
    assert tender_hashes(rows, 1).tolist() == row_keys.tender.tolist()
    assert keys(rows, 2).tender[0] != row_keys.tender[0]


def test_without_an_ocid_the_place_stands_for_the_tender() -> None:
    rows = table({"ocid": None, "line": 1}, {"ocid": "", "line": 2}, {"ocid": None, "line": 1, "place": "/records/1"})
    assert len(set(tender_hashes(rows, 0).tolist())) == 3


def test_unknown_values_and_buyers_stay_unknown() -> None:
    row_keys = keys(table({"buyer": None, "value_gbp": None}, {"buyer": "Leeds", "value_gbp": 5.0}))
    assert row_keys.buyer.tolist() == [NO_BUYER, 0]
    assert np.isnan(row_keys.value).tolist() == [True, False]


def test_a_buyer_has_one_code_over_all_batches() -> None:
    rows = portfolio(500)
    whole, pieces = keys(rows), keys(pa.Table.from_batches(rows.to_batches(max_chunksize=7)))
    assert whole.buyer.tolist() == pieces.buyer.tolist()
    assert rank_order(whole, True).tolist() == rank_order(pieces, True).tolist()
