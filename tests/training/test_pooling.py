"""Pooling: what registers share, and that what some have by chance does not undo what another's records say."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from tests.training import made
from training.datasets import register_dataset
from training.pooling import PoolSample, align_columns, margin_at_own_level, pool_sample, shared_columns, travels
from training.rolling import STEPS


def two(rows: int) -> list[PoolSample]:
    """Samples of two made registers in which the same was planted."""
    return [
        pool_sample(
            register_dataset(made.source(name=n), made.register(rows, seed=s, name=n), "no_award", "draft"), STEPS
        )
        for s, n in enumerate("ab")
    ]


def test_columns_of_pools_are_those_of_several_registers_and_none_that_says_something_else_in_each() -> None:
    samples = two(400)
    names = shared_columns(samples, travelling=True)
    assert names and all(travels(name) for name in names)
    assert not travels("value_in_register") and not travels("bidders")
    assert set(names) < set(shared_columns(samples, travelling=False))
    first = samples[0]
    x = align_columns(first.learn.x, first.learn.names, ["unheard", first.learn.names[0]])
    assert np.isnan(x[:, 0]).all() and np.array_equal(x[:, 1], first.learn.x[:, 0], equal_nan=True)
    assert all(len(part.x) == len(part.y) == len(part.base_margin) for part in (first.learn, first.test, first.unseen))


def test_a_column_that_is_empty_or_the_same_everywhere_is_not_shared() -> None:
    samples = two(400)
    names = shared_columns(samples, travelling=False)
    for value in (np.nan, 1.0):
        x = samples[0].learn.x.copy()
        x[:, samples[0].learn.names.index(names[0])] = value
        dull = replace(samples[0], learn=replace(samples[0].learn, x=x))
        assert shared_columns([dull, samples[1]], travelling=False) == names[1:]


def test_a_snapshot_that_is_not_learnt_from_is_judged_whole() -> None:
    cases = made.register(400, seed=1)
    for snapshot in (True, False):
        whole = register_dataset(replace(made.source(), snapshot=snapshot), cases, "no_award", "draft")
        sample = pool_sample(whole, STEPS)
        assert len(sample.unseen.y) == (whole.labelled.sum() if snapshot else len(sample.test.y))


def test_an_offset_is_moved_to_its_registers_level_before_anything_is_learnt() -> None:
    for sample in two(400):
        moved = margin_at_own_level(sample.learn)
        forecast, known = (np.average(v, weights=sample.learn.weight) for v in (1 / (1 + np.exp(-moved)), sample.learn.y))
        assert forecast == pytest.approx(known, abs=1e-3)
        assert np.ptp(moved - sample.learn.base_margin) < 1e-9
