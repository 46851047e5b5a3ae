"""A run is in MLflow with all that made it."""

from __future__ import annotations

import os
from pathlib import Path

import mlflow
import msgspec
import numpy as np
import pytest
from mlflow.entities import Run

from models import bundle as bundles
from tenders.errors import UnreachableError
from tests.training.conftest import QUICK
from training import cards, tracking
from training.recipe import read_recipe
from training.registers import RegistersResult
from training.results import FORECASTS, TrainingResult


@pytest.fixture(autouse=True)
def at_the_store(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own store."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)


@pytest.fixture(scope="module")
def run_id(store: str, result: TrainingResult) -> str:
    """A run of this module's own: another module releases the shared one, which adds to it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        return tracking.log(result)


@pytest.fixture
def run(run_id: str) -> Run:
    """The run as MLflow tells it."""
    return mlflow.get_run(run_id)


def artefacts(run_id: str, path: str = "") -> set[str]:
    """Names of a run's artefacts."""
    return {artefact.path for artefact in mlflow.artifacts.list_artifacts(run_id=run_id, artifact_path=path or None)}


def test_parameters_and_data_fingerprints_are_there(run: Run, result: TrainingResult) -> None:
    params = run.data.params
    given = {name: str(value) for name, value in msgspec.structs.asdict(QUICK).items() if name != "registers"}
    assert {name: params[name] for name in given} == given
    assert params["sicoes_bo.depth"] == str(QUICK.register_params("sicoes_bo").depth)
    source = result.bundle.manifest.data[0]
    assert params["data.casebook_uk.sha256"] == source.sha256
    assert params["data.casebook_uk.rows"] == str(source.rows)


def test_every_figure_is_there_and_no_figure_that_is_not(run: Run, result: TrainingResult) -> None:
    metrics = run.data.metrics
    for (outcome, stage), fit in result.fits.items():
        assert metrics[f"{outcome}/{stage}/model/cohort/auc"] == fit.metrics["cohort"].auc
        assert metrics[f"{outcome}/{stage}/model/cohort/auc_low"] == fit.metrics["cohort"].auc_ci[0]
        assert metrics[f"{outcome}/{stage}/logistic_regression/picked/n"] == fit.metrics["picked"].n
        assert f"{outcome}/{stage}/model/picked/brier" not in metrics
    assert metrics["failure/draft/model/cohort/base_rate"] == result.headline["draft"].metrics["cohort"].base_rate


def test_a_run_says_what_it_is(run: Run, result: TrainingResult) -> None:
    source = result.bundle.manifest.data[0]
    assert run.info.run_name == f"casebook_uk, {source.rows:,} cases"
    assert result.bundle.manifest.evidence in run.data.tags["mlflow.note.content"]
    assert run.data.tags["mlflow.source.git.commit"] == result.bundle.manifest.commit
    assert run.data.metrics["brier_skill"] == result.headline["draft"].metrics["cohort"].brier_skill
    assert run.data.tags["headline"] == "failure/draft/cohort"
    assert [name for name in run.data.metrics if "/" not in name] == ["brier_skill"]


def test_datasets_are_inputs_and_the_model_is_an_output(run: Run, result: TrainingResult) -> None:
    (used,) = run.inputs.dataset_inputs
    source = result.bundle.manifest.data[0]
    assert (used.dataset.name, used.dataset.digest) == (source.name, source.sha256[:36])
    assert {tag.key: tag.value for tag in used.tags} == {"mlflow.data.context": "training", "rows": str(source.rows)}
    (model,) = run.outputs.model_outputs
    logged = mlflow.get_logged_model(model.model_id)
    assert logged.name == "tender-risk" and {metric.key for metric in logged.metrics} >= {"brier_skill"}


def test_curves_card_and_bundle_are_there(run_id: str, result: TrainingResult, tmp_path: Path) -> None:
    assert {bundles.CARD, "curves"} <= artefacts(run_id)
    assert artefacts(run_id, "curves") == {f"curves/{outcome}-{stage}.png" for outcome, stage in result.fits}
    fetched = bundles.load(tracking.fetch(run_id, tmp_path)).manifest
    assert msgspec.structs.replace(fetched, digests={}) == msgspec.structs.replace(result.bundle.manifest, digests={})
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/{bundles.CARD}") == result.bundle.card


def test_what_was_forecast_is_there(run_id: str, result: TrainingResult) -> None:
    by_name = tracking.run_forecasts(run_id)
    assert by_name is not None
    assert set(by_name) == {f"casebook_uk/{o}/{s}" for o, s in [*result.fits, *(("failure", s) for s in result.headline)]}
    for (outcome, stage), fit in result.fits.items():
        got = by_name[f"casebook_uk/{outcome}/{stage}"]
        assert np.array_equal(got.p, fit.p)
        assert np.array_equal(got.y, fit.data.y[fit.data.cohort])
    assert run_id and FORECASTS in artefacts(run_id)


@pytest.fixture(scope="module")
def both(store: str, result: TrainingResult, registers_result: RegistersResult) -> str:
    """A run that has learnt from registers too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        bundle = msgspec.structs.replace(result.bundle, registers=cards.add_register_cards(registers_result))
        return tracking.log(msgspec.structs.replace(result, bundle=bundle, registers=registers_result))


def test_registers_leave_their_figures_curves_cards_and_forecasts(both: str, registers_result: RegistersResult) -> None:
    run = mlflow.get_run(both)
    for figures in registers_result.metrics:
        where = f"{figures.register}/{figures.outcome}/{figures.stage}"
        assert run.data.metrics[f"{where}/auc"] == figures.auc
        assert run.data.metrics[f"{where}/auc_low"] == figures.auc_ci[0]
        assert f"curves/{figures.register}-{figures.outcome}-{figures.stage}.png" in artefacts(both, "curves")
        assert f"{figures.register}/{bundles.CARD}" in artefacts(both, figures.register)
    by_name = tracking.run_forecasts(both)
    assert by_name is not None
    for judged in registers_result.forecasts:
        got = by_name[f"{judged.register}/{judged.outcome}/{judged.stage}"]
        assert np.array_equal(got.key, judged.key) and np.array_equal(got.p, judged.p)
        assert (got.groups["year"] == judged.groups["year"]).all()


def test_every_trial_is_a_nested_run_and_the_found_recipe_reads_back(
    both: str, registers_result: RegistersResult, tmp_path: Path
) -> None:
    experiment = mlflow.get_run(both).info.experiment_id
    nested = mlflow.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{both}'", output_format="list")
    trials = [trial for search in registers_result.searches for trial in search.trials]
    assert len(trials) == 4 and sorted(run.data.metrics["auc"] for run in nested) == sorted(t.auc for t in trials)
    (tmp_path / "recipe.toml").write_text(mlflow.artifacts.load_text(f"runs:/{both}/{tracking.RECIPE}"))
    again = read_recipe(tmp_path / "recipe.toml")
    assert again.trials == 0
    for search in registers_result.searches:
        assert again.register_params(*search.name.split("/")) == search.params


@pytest.mark.parametrize("chosen", [None, "0"])
def test_a_store_that_does_not_answer_is_given_up_soon_unless_the_variable_says_otherwise(
    chosen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.delenv(tracking.RETRIES, raising=False)
    # With seven retries, as MLflow has them, or three, as we do, this would take its time.
    monkeypatch.setattr(tracking, "FEW_RETRIES", 0 if chosen is None else 7)
    if chosen is not None:
        monkeypatch.setenv(tracking.RETRIES, chosen)
    with pytest.raises(UnreachableError, match=r"^MLflow at http://127\.0\.0\.1:9: .*refused"):
        tracking.model_of("challenger")
    assert os.environ.get(tracking.RETRIES) == chosen
