"""The casebook as tables, replayed once for all tests of training; and a recipe that is quick rather than good."""

from __future__ import annotations

import pytest

from training import dataset
from training import train as training
from training.recipe import Recipe
from training.result import Result

QUICK = Recipe(trees=4, copies=3, folds=3, repeats=1, resamples=20)


@pytest.fixture(scope="session")
def history() -> dataset.History:
    """The whole casebook."""
    return dataset.history()


@pytest.fixture(scope="session")
def result(history: dataset.History) -> Result:
    """A quick training run."""
    return training.train(history, QUICK)
