"""A run is in MLflow with all that made it, and a release is that run's bundle under the month's next version."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import mlflow
import msgspec
import pytest
from mlflow.entities import Run

from models import bundle as bundles
from tenders.errors import UsageError
from tests.training.conftest import QUICK
from training import tracking
from training.result import Result

NOVEMBER = datetime(2026, 11, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def run_id(store: str, result: Result) -> str:
    """A quick run, logged once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        return tracking.log(result)


@pytest.fixture
def run(run_id: str) -> Run:
    """The run as MLflow tells it."""
    return mlflow.get_run(run_id)


@pytest.fixture
def home(tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for releases that is not the project's own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setattr(bundles, "RELEASED", tmp_path)
    monkeypatch.setattr(bundles, "POINTER", tmp_path / "current")
    return tmp_path


def artefacts(run_id: str, path: str = "") -> set[str]:
    """Names of a run's artefacts."""
    return {each.path for each in mlflow.artifacts.list_artifacts(run_id=run_id, artifact_path=path or None)}


def test_parameters_and_data_fingerprints_are_there(run: Run, result: Result) -> None:
    params = run.data.params
    assert {name: params[name] for name in msgspec.structs.asdict(QUICK)} == {
        name: str(value) for name, value in msgspec.structs.asdict(QUICK).items()
    }
    source = result.bundle.manifest.data[0]
    assert params["data.casebook_uk.sha256"] == source.sha256
    assert params["data.casebook_uk.rows"] == str(source.rows)


def test_every_figure_is_there_and_no_figure_that_is_not(run: Run, result: Result) -> None:
    metrics = run.data.metrics
    for (outcome, stage), each in result.trained.items():
        assert metrics[f"{outcome}.{stage}.model.cohort.auc"] == each.model["cohort"].auc
        assert metrics[f"{outcome}.{stage}.model.cohort.auc_low"] == each.model["cohort"].auc_ci[0]
        assert metrics[f"{outcome}.{stage}.logistic_regression.picked.n"] == each.model["picked"].n
        assert f"{outcome}.{stage}.model.picked.brier" not in metrics
    assert metrics["failure.draft.model.cohort.base_rate"] == result.failure["draft"]["cohort"].base_rate


def test_curves_card_and_bundle_are_there(run_id: str, result: Result) -> None:
    assert {bundles.CARD, "curves", tracking.BUNDLE} <= artefacts(run_id)
    assert artefacts(run_id, "curves") == {f"curves/{outcome}-{stage}.png" for outcome, stage in result.trained}
    assert f"{tracking.BUNDLE}/{bundles.MANIFEST}" in artefacts(run_id, tracking.BUNDLE)
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/{bundles.CARD}") == result.bundle.card


def test_a_release_is_the_run_s_bundle_and_is_served_from_then_on(run_id: str, home: Path, result: Result) -> None:
    released = tracking.release(run_id, NOVEMBER)
    assert released == home / "2026.11.1" == bundles.released()
    loaded = bundles.load(released)
    assert loaded.manifest.version == "2026.11.1"
    assert loaded.log.resolved == result.bundle.log.resolved
    for key, booster in result.bundle.boosters.items():
        assert loaded.boosters[key].save_raw("ubj") == booster.save_raw("ubj")


def test_releases_of_a_month_are_counted_and_none_is_overwritten(run_id: str, home: Path) -> None:
    first, second = (tracking.release(run_id, NOVEMBER) for _ in range(2))
    next_month = tracking.release(run_id, datetime(2026, 12, 1, tzinfo=UTC))
    assert [path.name for path in (first, second, next_month)] == ["2026.11.1", "2026.11.2", "2026.12.1"]
    assert first.is_dir() and bundles.released() == next_month


@pytest.mark.parametrize(
    ("taken", "version"),
    [
        ([], "2026.11.1"),
        (["2026.11.9"], "2026.11.10"),
        (["2026.11.9", "2026.11.10"], "2026.11.11"),
        (["2026.1.5", "2026.11.x"], "2026.11.1"),
    ],
)
def test_the_next_version_counts_on(home: Path, taken: list[str], version: str) -> None:
    for name in taken:
        (home / name).mkdir()
    assert tracking.next_version(NOVEMBER) == version


@pytest.mark.parametrize("run_id", ["none", "", "../../etc", "0" * 32])
def test_a_run_that_is_not_there_cannot_be_released(home: Path, run_id: str) -> None:
    with pytest.raises(UsageError, match="has no bundle"):
        tracking.release(run_id, NOVEMBER)
    assert not list(home.iterdir())
