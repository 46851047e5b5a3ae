"""The search tries numbers on windows before the judged ones, keeps to its bounds, and says all that it tried."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from tests.training import made
from training import search
from training.datasets import RegisterDataset, register_dataset
from training.recipe import BoosterParams
from training.rolling import STEPS, rolling_splits

QUICK = BoosterParams(trees=20, depth=2)


@pytest.fixture(scope="module")
def data() -> RegisterDataset:
    """A made-up register."""
    cases = made.register(1000)
    return register_dataset(made.source(cases), cases, "no_award", "draft")


def test_no_window_reaches_into_a_judged_one(data: RegisterDataset) -> None:
    parts = search.search_splits(data)
    judged = list(rolling_splits(data, STEPS))[1:]
    assert 1 <= len(parts) <= search.WINDOWS
    first = min(data.published[part.test].min() for part in judged)
    for part in parts:
        assert data.published[part.test].max() < first
        assert data.known[part.train].max() < part.cut <= data.published[part.test].min()
    assert not set(np.concatenate([p.test for p in parts])) & set(np.concatenate([p.test for p in judged]))


def test_the_first_trial_is_what_is_there_and_the_best_is_kept(data: RegisterDataset) -> None:
    messages: list[str] = []
    result = search.search(data, QUICK, 4, 3600, 1, messages.append)
    assert [trial.number for trial in result.trials] == [0, 1, 2, 3]
    assert result.trials[0].params == QUICK
    best = max(result.trials, key=lambda trial: trial.auc)
    assert result.params == (best.params if best.auc >= result.trials[0].auc + search.MIN_GAIN else QUICK)
    assert result.name == "made/no_award"
    assert len(messages) == 4 and "trial 4 of 4" in messages[-1]


def test_the_same_seed_tries_the_same(data: RegisterDataset) -> None:
    one, two, other = ([t.params for t in search.search(data, QUICK, 3, 3600, seed).trials] for seed in (1, 1, 2))
    assert one == two != other


def test_time_is_bounded_and_no_trial_is_no_search(data: RegisterDataset) -> None:
    assert search.search(data, QUICK, 50, 0.0, 1).params == QUICK
    assert not search.search(data, QUICK, 0, 60, 1).trials


def test_a_snapshot_has_no_window_before_the_judged(data: RegisterDataset) -> None:
    assert not search.search(msgspec.structs.replace(data, snapshot=True), QUICK, 3, 60, 1).trials


def test_rows_are_bounded(data: RegisterDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_ROWS", 50)
    whole = {part.cut: part for part in rolling_splits(data, STEPS + search.WINDOWS - 1)}
    for part in search.search_splits(data):
        assert len(part.train) <= 50 and len(part.test) <= 50
        left_out = np.setdiff1d(whole[part.cut].train, part.train)
        assert data.published[left_out].max() <= data.published[part.train].min()
        assert (data.y[part.train] == part.y).all()
