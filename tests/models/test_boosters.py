"""Several boosters in one."""

from __future__ import annotations

import numpy as np
import xgboost as xgb

from models.boosters import join_boosters
from models.bundle import Bundle


def test_boosters_that_are_asked_at_once_give_the_same_margins_to_the_bit() -> None:
    rng = np.random.default_rng(5)
    matrix = rng.choice([np.nan, 0, 1, 2, 5, 30, 400, 5e8], (500, 6)).astype(np.float32)
    both = [
        xgb.train(
            {"objective": "binary:logistic", "base_score": 0.5}, xgb.DMatrix(matrix, rng.integers(0, 2, 500)), trees
        )
        for trees in (3, 5)
    ]
    joint = join_boosters(both)
    assert joint is not None
    margins = joint.inplace_predict(matrix, predict_type="margin", validate_features=False)
    shares = joint.predict(xgb.DMatrix(matrix, nthread=1), pred_contribs=True, validate_features=False)
    for place, alone in enumerate(both):
        assert np.array_equal(margins[:, place], alone.inplace_predict(matrix, predict_type="margin"))
        own = alone.predict(xgb.DMatrix(matrix, nthread=1), pred_contribs=True, validate_features=False)
        assert np.array_equal(shares[:, place], own)


def test_boosters_that_read_different_features_or_begin_elsewhere_are_not_joined(bundle: Bundle) -> None:
    register = bundle.registers["placsp_es"]
    assert register.joint_booster([register.part("no_award", "draft"), register.part("no_award", "bids_in")]) is None
    data = xgb.DMatrix(np.eye(4), np.array([0, 1, 0, 1]), nthread=1)
    two = [xgb.train({"objective": "binary:logistic", "base_score": base}, data, 2) for base in (0.5, 0.4)]
    assert join_boosters(two) is None and join_boosters([two[0], two[0]]) is not None
