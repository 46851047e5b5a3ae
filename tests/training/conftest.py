"""The casebook as tables, replayed once for all tests of training; and a recipe that is quick rather than good."""

from __future__ import annotations

import msgspec
import pytest

from tests.training import made
from training import dataset, registers, tracking
from training import train as training
from training.recipe import Boost, Recipe
from training.registers import Registers
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


@pytest.fixture(scope="session")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Registers:
    """Two made-up registers, learnt after a search of two trials each."""
    directory = tmp_path_factory.mktemp("registers")
    given = []
    for seed, name in enumerate(("made", "other")):
        file = directory / f"{name}.csv"
        file.write_text(name)
        given.append((made.source(made.register(1200, seed=seed, name=name), name=name), file))
    quick = Boost(trees=20, depth=3)
    recipe = msgspec.structs.replace(QUICK, trials=2, registers={"made": quick, "other": quick})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registers, "found", lambda _: given)
        return registers.train(directory, recipe, lambda _: None)


@pytest.fixture(scope="session")
def run_id(store: str, result: Result) -> str:
    """The quick run, logged once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        return tracking.log(result)
