"""What all tests share: repeatable hypothesis, and what is dear to make, made once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Two test processes share two cores. With more threads than cores OpenMP's threads wait for one another, many times longer
# than they compute. Set before anything imports xgboost, and inherited by the services that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Commands and services keep their state, such as the audit trail, where it goes with the tests.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="tender-risk-tests-")

import pytest
from hypothesis import settings

from models import bundle as bundles
from models.bundle import Bundle

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

# Tests save bundles by the dozen, and release some with a key of the user's own, which is none of the real user's.
os.environ["TENDER_RISK_UNSIGNED"] = "allow"
os.environ["XDG_CONFIG_HOME"] = str(Path(os.environ["XDG_STATE_HOME"]) / "config")


# Where tests wait for services and commands. They begin, so that no long file of theirs is left alone at the end.
FIRST = (
    "test_docs.py",
    "test_worked_examples.py",
    "test_wheel.py",
    "serving",
    "training",
    "cli",
    "portfolio",
    "benchmarks",
)

# Files that share what takes long to make, such as trained models or jobs that are done: one test process runs them all,
# so that it is made once and not by each.
TOGETHER = {
    "serving/jobs": ("test_api", "test_browser", "test_job_service", "test_results", "test_reviews", "test_worklists"),
    "training": (
        "test_cards", "test_evaluate", "test_promotion", "test_registers", "test_released", "test_results", "test_tracking",
        "test_train",
    ),
}  # fmt: skip
SHARED = {f"tests/{folder}/{name}.py": folder for folder, names in TOGETHER.items() for name in names}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests that wait before those that compute; the order of either stays."""
    places = {name: place for place, name in enumerate(FIRST)}
    folder = Path(__file__).parent
    items.sort(key=lambda item: places.get(item.path.relative_to(folder).parts[0], len(FIRST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file's tests, or those of files that share something, go to one process."""
    from xdist.scheduler import LoadFileScheduling

    class SharedScheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return SHARED.get(file, file)

    return SharedScheduling(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def state() -> Iterator[Path]:
    """Where commands and services keep their state; it goes with the tests."""
    folder = Path(os.environ["XDG_STATE_HOME"])
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def serving_setup() -> None:
    """Processes that tests start find what a service has; those that train are given a PYTHONPATH of their own."""
    tests = Path(__file__).parent
    os.environ["PYTHONPATH"] = os.pathsep.join([str(tests / "serving_setup"), str(tests.parent)])


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    """The bundle that is served by default."""
    return bundles.load(bundles.released())


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A real MLflow store of its own: a database and a place for artefacts."""
    import mlflow

    from training import tracking

    home = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{home / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    mlflow.create_experiment(tracking.EXPERIMENT, artifact_location=(home / "artefacts").as_uri())
    return uri
