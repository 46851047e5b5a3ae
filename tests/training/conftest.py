"""The casebook as tables, replayed once for all tests of training; and a recipe that is quick rather than good."""

from __future__ import annotations

import msgspec
import pytest

from tests.training import made
from training import registers, tracking
from training import train as training
from training.datasets import Casebook, load_casebook
from training.recipe import BoosterParams, Recipe
from training.registers import RegistersResult
from training.results import TrainingResult

QUICK = Recipe(trees=4, copies=3, folds=3, repeats=1, resamples=20)


@pytest.fixture(scope="session")
def book() -> Casebook:
    """The whole casebook."""
    return load_casebook()


@pytest.fixture(scope="session")
def result(book: Casebook) -> TrainingResult:
    """A quick training run."""
    return training.train(book, QUICK)


@pytest.fixture(scope="session")
def registers_result(tmp_path_factory: pytest.TempPathFactory) -> RegistersResult:
    """Two made-up registers, trained after a search of two trials each."""
    directory = tmp_path_factory.mktemp("registers")
    files = []
    for seed, name in enumerate(("made", "other")):
        file = directory / f"{name}.csv"
        file.write_text(name)
        files.append((made.source(made.register(1200, seed=seed, name=name), name=name), file))
    quick = BoosterParams(trees=20, depth=3)
    recipe = msgspec.structs.replace(QUICK, trials=2, registers={"made": quick, "other": quick})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registers, "register_files", lambda _: files)
        return registers.train_registers(directory, recipe, lambda _: None)


@pytest.fixture(scope="session")
def run_id(store: str, result: TrainingResult) -> str:
    """The quick run, logged once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        return tracking.log(result)
