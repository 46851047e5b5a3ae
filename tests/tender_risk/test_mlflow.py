"""A released model in MLflow, as people who know MLflow try it first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

import tender_risk
from benchmarks import made_tenders
from cli.main import app
from models import bundle as bundles
from models import score as scoring
from models.bundle import Bundle
from serving import running
from serving.shadow import ChallengerProcess, ShadowRequest, ShadowScore, chosen_shadow
from tenders.errors import UsageError
from tenders.facts import STAGES
from tenders.io.read import to_process
from training import tracking

CHAMPION = "models:/tender-risk@champion"


@pytest.fixture(scope="module", autouse=True)
def champion(store: str) -> Iterator[str]:
    """The released bundle as champion of a store; the id of its run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        mlflow.set_tracking_uri(store)
        run_id = tracking.adopt(bundles.released())
        tracking.set_alias("champion", tracking.register(bundles.released().name, run_id))
        yield run_id
        MlflowClient().delete_registered_model(tracking.MODEL)


@pytest.fixture(scope="module")
def logged() -> mlflow.pyfunc.PyFuncModel:
    return mlflow.pyfunc.load_model(CHAMPION)


def test_the_champion_scores_a_frame(logged):
    frame = pd.DataFrame(
        {"title": ["Care", "Road"], "value": ["£240m", 12e6], "lots": pd.array([1, None], dtype="Int64")}
    )
    result = logged.predict(frame)
    assert result.equals(tender_risk.load().predict_proba(frame))
    assert result.equals(tender_risk.load(CHAMPION).predict_proba(frame))


@pytest.mark.parametrize("stage", STAGES)
def test_it_says_of_a_thousand_tenders_what_score_says(logged, bundle: Bundle, stage):
    releases = list(made_tenders.releases(1000, stage="awarded"))
    documents = pd.DataFrame({"ocds": [pd.io.json.ujson_dumps(release) for release in releases]})
    result = logged.predict(documents, params={"stage": stage})
    cases = [scoring.case(bundle, to_process(release), stage) for release in releases]
    expected = scoring.scores(cases)
    assert result.failure.tolist() == [score.failure for score in expected]
    assert result.no_award.tolist() == [score.outcomes.no_award for score in expected]
    assert scoring.score(bundle, to_process(releases[7]), stage).failure == result.failure[7]


def test_its_signature_says_what_it_takes(logged):
    inputs, params = logged.metadata.get_input_schema(), logged.metadata.get_params_schema()
    assert {"title", "value", "lots", "ocid", "ocds"} <= set(inputs.input_names())
    assert not inputs.required_input_names() and [param.name for param in params] == ["stage"]
    assert logged.metadata.get_output_schema().input_names() == list(tracking.PROBABILITIES)
    example = mlflow.models.Model.load(CHAMPION).load_input_example()
    assert logged.predict(example).failure.between(0, 1).all()


def test_nothing_of_it_is_pickled_and_its_requirements_are_named(tmp_path):
    path = mlflow.artifacts.download_artifacts(CHAMPION, dst_path=str(tmp_path))
    model = mlflow.models.Model.load(path)
    assert model.flavors["python_function"]["loader_module"] == "tender_risk.pyfunc"
    assert (Path(path) / "requirements.txt").read_text().splitlines()[-1].startswith("tender-risk==")
    names = [file.suffix for file in tmp_path.rglob("*") if file.is_file()]
    assert ".ubj" in names and not {".pkl", ".pickle", ".joblib"} & set(names)


def test_mlflow_evaluates_it(logged):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"value": rng.uniform(1e5, 1e8, 60), "title": "Care", "failed": rng.random(60) < 0.3})
    evaluation = mlflow.models.evaluate(
        model=CHAMPION,
        data=frame.astype({"failed": float}),
        targets="failed",
        predictions="failure",
        model_type="regressor",
        evaluator_config={"log_explainer": False, "log_model_explainability": False},
    )
    brier = float(((logged.predict(frame.drop(columns="failed")).failure - frame.failed) ** 2).mean())
    assert evaluation.metrics["mean_squared_error"] == pytest.approx(brier)


def test_it_is_found_among_the_logged_models(champion):
    experiment = mlflow.get_experiment_by_name(tracking.EXPERIMENT).experiment_id
    models = mlflow.search_logged_models(experiment_ids=[experiment], output_format="list")
    mine = [model for model in models if model.source_run_id == champion]
    assert mine and {model.name for model in mine} == {"tender-risk"}


def test_versions_rise_with_time(champion):
    first = MlflowClient().get_model_version_by_alias(tracking.MODEL, "champion")
    again = tracking.register(bundles.released().name, champion)
    assert int(again.number) == int(first.version) + 1
    assert MlflowClient().get_model_version(tracking.MODEL, again.number).source.startswith("models:/m-")


def test_a_bundle_is_fetched_by_any_of_its_addresses(champion, tmp_path):
    number = MlflowClient().get_model_version_by_alias(tracking.MODEL, "champion").version
    for n, address in enumerate((CHAMPION, f"models:/tender-risk/{number}", champion, f"runs:/{champion}")):
        into = tmp_path / str(n)
        into.mkdir()
        assert bundles.load(tracking.fetch(address, into)).manifest.version == bundles.released().name


@pytest.fixture
def command(monkeypatch) -> CliRunner:
    """Runs `tender-risk` without variables that name a bundle."""
    for name in ("TENDER_RISK_BUNDLE", "TENDER_RISK_SHADOW"):
        monkeypatch.setenv(name, "")
    return CliRunner()


def test_a_challenger_at_any_address_scores_in_the_shadow(monkeypatch, command, bundle):
    number = MlflowClient().get_model_version_by_alias(tracking.MODEL, "champion").version
    request = ShadowRequest("score", b'{"tender": {"title": "Care", "lots": 1}, "stage": "draft"}')
    score = scoring.score(bundle, to_process({"title": "Care", "lots": 1}), "draft")
    copies, shadowed = [], []

    def serve(*_):
        copies.append(Path(chosen_shadow()))
        assert bundles.load(copies[-1]).sha256 == bundle.sha256
        if len(copies) == 1:
            challenger = ChallengerProcess(copies[-1])
            shadowed.append((challenger.bundle.version, *challenger.scores(request)))
            challenger.end()

    monkeypatch.setattr(running, "serve", serve)
    for address in (CHAMPION, f"models:/tender-risk/{number}"):
        assert command.invoke(app, ["serve", "--shadow", address]).exit_code == 0
    assert shadowed == [(bundle.manifest.version, ShadowScore(score.stage, score.failure, score.band))]
    # What was copied goes with the service.
    assert len(set(copies)) == 2 and not any(copy.exists() for copy in copies)


@pytest.mark.parametrize("address", ["models:/tender-risk@nobody", "models:/tender-risk/999", "models:/tender-risk"])
def test_an_address_without_a_bundle_is_refused_before_anything_is_served(monkeypatch, command, address):
    monkeypatch.setattr(running, "serve", lambda *_: pytest.fail("served"))
    result = command.invoke(app, ["serve", "--shadow", address])
    assert isinstance(result.exception, UsageError) and address in str(result.exception)


def test_the_service_starts_from_the_champion(monkeypatch, command):
    started = []
    monkeypatch.setattr(
        running, "serve", lambda host, port: started.append(bundles.load(bundles.released()).manifest.version)
    )
    result = command.invoke(app, ["serve", "--bundle", CHAMPION])
    assert result.exit_code == 0 and started == [bundles.RELEASED.joinpath("current").read_text().strip()]
