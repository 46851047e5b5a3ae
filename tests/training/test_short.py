"""A short history is judged on its last month, and one that time cannot judge on other buyers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from tenders.history import LabelledTender
from tenders.registers import find_register
from tests.training import short_history
from training.datasets import RegisterDataset, register_dataset
from training.recipe import BoosterParams
from training.registers import BY_BUYERS, judgeable, shortfalls
from training.rolling import backtest, calibrated_forecasts, month_of, rolling_splits
from training.short import FEWEST, FOLDS, is_short

OWN = find_register("own")
QUICK = BoosterParams(trees=5, depth=2)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledTender]:
    """A made history of 1,200 calls over four months."""
    return OWN.cases(short_history.write(tmp_path_factory.mktemp("history"), calls=1200) / "own.toml")


def dataset(cases: list[LabelledTender]) -> RegisterDataset:
    return register_dataset(OWN, cases, "no_award", "draft")


def test_the_last_month_is_judged_by_what_was_known_when_it_began(cases: list[LabelledTender]) -> None:
    data = dataset(cases)
    *folds, last = rolling_splits(data, 3)
    month = month_of(data)
    assert month and not month.in_the_end
    assert data.published[last.test].min() >= last.cut and last.window == 1
    assert data.published[last.test].max() - last.cut < 30
    assert (data.known[last.train] < last.cut).all()
    assert {fold.window for fold in folds} == {0} and len(folds) == FOLDS
    assert "as known on the first of these days" in month.words(data.published)


def test_folds_that_calibrate_are_of_whole_buyers_before_the_month(cases: list[LabelledTender]) -> None:
    data = dataset(cases)
    *folds, last = rolling_splits(data, 3)
    for fold in folds:
        assert not set(data.buyer[fold.train]) & set(data.buyer[fold.test])
        assert set(fold.train) | set(fold.test) == set(last.train)
    assert sum(len(fold.test) for fold in folds) == len(last.train)


def test_only_the_last_month_is_judged(cases: list[LabelledTender]) -> None:
    data = dataset(cases)
    *_, last = rolling_splits(data, 3)
    forecasts = calibrated_forecasts(data, backtest(data, QUICK, 3, 7), 7, 20)
    assert set(forecasts.key) == set(data.key[last.test])
    assert ((forecasts.low <= forecasts.p) & (forecasts.p <= forecasts.high)).all()


def test_where_hardly_anything_had_ended_the_endings_of_the_whole_history_teach(cases: list[LabelledTender]) -> None:
    late = [replace(c, known_on=c.published + timedelta(300)) for c in cases]
    data = dataset(late)
    month = month_of(data)
    assert month and month.in_the_end
    assert (data.published[month.train.rows] < month.cut).all()
    assert "as the history tells them in the end" in month.words(data.published)


def test_what_time_cannot_judge_is_judged_on_other_buyers(cases: list[LabelledTender]) -> None:
    """All was published within three days."""
    at_once = [replace(c, published=cases[0].published + timedelta(c.row % 3)) for c in cases]
    data, how = judgeable(OWN, at_once, "no_award", "draft")
    assert how == BY_BUYERS and data.snapshot
    for split in rolling_splits(data, 3):
        assert not set(data.buyer[split.train]) & set(data.buyer[split.test])


def test_a_year_has_windows(cases: list[LabelledTender]) -> None:
    first = min(c.published for c in cases)
    spread = [
        replace(
            c, published=first + 5 * (c.published - first), known_on=first + 5 * (c.published - first) + timedelta(20)
        )
        for c in cases
    ]
    data, how = judgeable(OWN, spread, "no_award", "draft")
    assert not is_short(data.published) and how == ""
    assert [split.window for split in rolling_splits(data, 3)] == [None] * 3


def test_a_history_that_is_too_small_says_how_many_more_outcomes_it_needs(tmp_path: Path) -> None:
    few = OWN.cases(short_history.write(tmp_path, calls=90) / "own.toml")
    deserted = sum(c.outcomes["no_award"] is True for c in few)
    (text,) = shortfalls(OWN, few)
    assert text.startswith(f"own: no_award is known of {deserted} cases that had it")
    assert text.endswith(f"it needs {FEWEST - deserted} more with it")


def test_days_without_their_outcomes_are_said_once(tmp_path: Path) -> None:
    mapping = short_history.MAPPING.replace('known_on = "fecha_estado"\n', "")
    read = OWN.read(short_history.write(tmp_path, mapping, calls=50) / "own.toml")
    assert [problem.path for problem in read.problems] == ["all rows"]
    assert np.all([c.known_on == c.published + timedelta(365) for c in read.cases])
