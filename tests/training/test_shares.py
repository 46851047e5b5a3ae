"""What the workers of a cluster fit together forecasts as well as what one process fits."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

pytest.importorskip("distributed")

from training import metrics
from training.boosting import fit, margins
from training.recipe import Boost, Recipe, written
from training.shares import _client

NAMES = ("bidders", "value_gbp", "term_years", "lots")
BOOST = Boost(trees=60, depth=3, smallest_leaf=5)


def register(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Four columns with gaps, two of which tell the outcome."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, len(NAMES))).astype(np.float32)
    y = (rng.random(rows) < 1 / (1 + np.exp(1 - x[:, 0] - x[:, 1] * (x[:, 0] > 0)))).astype(float)
    x[rng.random(x.shape) < 0.2] = np.nan
    return x, y


@pytest.mark.parametrize("base", [None, 0.4], ids=["without an offset", "with one"])
def test_shares_forecast_as_well_as_the_whole(base: float | None) -> None:
    x, y = register(4000, 1)
    later, ends = register(4000, 2)
    offset = None if base is None else np.full(len(y), base)
    auc = {}
    for shares in (0, 2):
        booster = fit(x, y, np.ones(len(y)), NAMES, replace(BOOST, shares=shares), 7, offset)
        assert sorted(booster.feature_names or ()) == sorted(NAMES)
        auc[shares] = metrics.auc(ends, margins(booster, later, NAMES), np.ones(len(ends)))
    assert auc[0] > 0.7
    # Two models of one recipe on other rows differ by more: the standard error of such an AUC is 0.008.
    assert abs(auc[2] - auc[0]) < 0.016


@pytest.fixture(scope="module", autouse=True)
def end() -> object:
    """Ends the cluster with the tests."""
    yield
    if _client.cache_info().currsize:
        client = _client(2)
        _client.cache_clear()
        client.close()
        client.cluster.close()


def test_a_recipe_asks_for_shares_by_a_number_that_a_run_keeps() -> None:
    assert Boost().shares == 0
    assert "shares = 2" in written(Recipe(registers={"ours": Boost(shares=2)}))
