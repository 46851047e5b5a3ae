"""Runs and released bundles in MLflow. This is the only module that imports mlflow.

Every run logs its bundle as a model that `mlflow.pyfunc.load_model` loads (by `tender_risk.pyfunc`, without pickle).
Released bundles are versions of one registered model. Each has a run, and its bundle's version as the tag `bundle`.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Literal

import matplotlib as mpl

mpl.use("Agg")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import DataType
from mlflow.types.schema import AnyType, ColSpec, ParamSchema, ParamSpec, Schema

from models import bundle as bundles
from models.bundle import BundleManifest, TrainingSource
from tenders.columns import FORM
from tenders.errors import UnreachableError, UsageError
from tenders.own_columns import PLACE
from training import cards
from training.recipe import BoosterParams, Recipe, recipe_toml
from training.registers import RegistersResult
from training.results import (
    ASKED,
    FORECASTS,
    TrainingResult,
    flat_metrics,
    forecasts_of,
    forecasts_table,
    read_forecasts,
    unseen_forecasts,
)
from training.rolling import Forecasts

STORE = "sqlite:///mlflow.db"
RETRIES, FEW_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES", 3
"""A command that waits for a store gives it up after some fifteen seconds, unless the variable says otherwise.

By MLflow's own default that takes nearly five; what a training has learnt is worth them.
"""
EXPERIMENT = "tender-risk"
MODEL = "tender-risk"
BUNDLE = "bundle"
RECIPE = "recipe.toml"
TAG = "bundle"
DIGEST = 36
"""Characters of a digest that MLflow keeps of a dataset."""
HEADLINE = "brier_skill"
"""The one metric without a prefix: the Brier skill of the headline outcome."""
LOADER = "tender_risk.pyfunc"
"""The module by which MLflow loads a model."""
PROBABILITIES = ("failure", "no_award", "early_end", "single_bid")
EXAMPLE = {"title": "Community care for adults", "value": "£240m", "lots": 1, "term_years": 10}

Alias = Literal["champion", "challenger", "former"]


class RegisteredModel(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the registered model: its number there, the bundle's version, and the run it came from."""

    number: str
    version: str
    run_id: str


def log(result: TrainingResult) -> str:
    """Writes parameters, data fingerprints, metrics, curves, forecasts, the bundle and its cards; returns the run's id.

    Raises UnreachableError if the store cannot be written.
    """
    with _client(patient=True):
        mlflow.set_experiment(EXPERIMENT)
        manifest = result.bundle.manifest
        with mlflow.start_run(run_name=_run_name(manifest), description=_description(result)) as run:
            with tempfile.TemporaryDirectory() as scratch:
                bundles.save(result.bundle, Path(scratch) / BUNDLE)
                model_id = _log_model(Path(scratch) / BUNDLE, manifest.version)
            if skill := _headline(result):
                mlflow.log_metrics({HEADLINE: skill[1]}, model_id=model_id)
                mlflow.set_tag("headline", skill[0])
            mlflow.set_tag("mlflow.source.git.commit", manifest.commit)
            mlflow.log_params(_params(result.recipe))
            for source in manifest.data:
                mlflow.log_params({f"data.{source.name}.{k}": v for k, v in msgspec.structs.asdict(source).items()})
                mlflow.log_input(_dataset(source), context="training", tags={"rows": str(source.rows)})
            mlflow.log_text(result.bundle.card, bundles.CARD)
            _log_casebook(result)
            if result.registers:
                _log_registers(result.registers)
                _log_search(result.recipe, result.registers)
            with tempfile.TemporaryDirectory() as scratch:
                table = forecasts_table(list(unseen_forecasts(result)))
                pq.write_table(table, Path(scratch) / FORECASTS, compression="zstd")
                mlflow.log_artifact(str(Path(scratch) / FORECASTS))
                if result.registers and result.registers.served_forecasts:
                    served_table = forecasts_table(result.registers.served_forecasts, result.registers.served_version)
                    pq.write_table(served_table, Path(scratch) / ASKED, compression="zstd")
                    mlflow.log_artifact(str(Path(scratch) / ASKED))
            return str(run.info.run_id)


def _run_name(manifest: BundleManifest) -> str:
    """What a run has learnt from, in words, such as `casebook_uk, 231 cases and own, 4,875 cases`."""
    named = [f"{source.name}, {source.rows:,} cases" for source in manifest.data]
    if len(named) <= 2:
        return " and ".join(named) or "no data"
    rows = sum(source.rows for source in manifest.data[1:])
    return f"{named[0]} and {len(named) - 1} other histories, {rows:,} cases"


def _description(result: TrainingResult) -> str:
    manifest = result.bundle.manifest
    judged = "".join(f"\n- {name}" for name in result.fresh_metrics)
    return f"Failure probabilities for public tenders. {manifest.evidence}\n\nJudged, each a prefix of metrics:{judged}"


def _headline(result: TrainingResult) -> tuple[str, float] | None:
    """The Brier skill of failure as of a draft, else of the first that was judged, and of what it is."""
    rows = result.fresh_metrics
    for name in sorted(rows, key=lambda name: name != "failure/draft/cohort"):
        skill = rows[name].get(HEADLINE)
        if skill is not None and math.isfinite(skill):
            return name, skill
    return None


def _dataset(source: TrainingSource) -> MetaDataset:
    """A history as MLflow names it: by its digest, cut to what MLflow keeps."""
    origin = CodeDatasetSource(tags={"name": source.name, "first": source.first, "last": source.last})
    return MetaDataset(origin, name=source.name, digest=source.sha256[:DIGEST])


def _log_model(directory: Path, version: str) -> str:
    """Logs a bundle as a model of the active run; returns the model's id.

    Columns are optional and of any type, as `tender_risk.Model.predict_proba` takes them: keys of the form, `ocid`,
    `ocds` for whole documents, and the places of columns that histories of one's own declare.
    """
    names = (*(field.name for field in FORM), "ocid", "ocds", *_own_columns(directory))
    signature = ModelSignature(
        inputs=Schema([ColSpec(AnyType(), name, required=False) for name in names]),
        outputs=Schema([ColSpec(DataType.double, name) for name in PROBABILITIES]),
        params=ParamSchema([ParamSpec("stage", DataType.string, None)]),
    )
    logged = mlflow.pyfunc.log_model(
        name=MODEL,
        loader_module=LOADER,
        data_path=str(directory),
        signature=signature,
        input_example=pd.DataFrame([EXAMPLE]),
        pip_requirements=[f"tender-risk=={installed_version('tender-risk')}"],
        metadata={TAG: version},
    )
    return str(logged.model_id)


def _own_columns(directory: Path) -> list[str]:
    """The places of declared columns in a release (`tenders.own_columns`), of all registers of a bundle."""
    files = sorted(directory.glob(f"*/{bundles.MANIFEST}"))
    manifests = [msgspec.json.decode(file.read_bytes(), type=BundleManifest) for file in files]
    return [f"{PLACE}/{name}".strip("/") for manifest in manifests for name in manifest.own_columns or ()]


def fetch(address: str, into: Path) -> Path:
    """Copies the bundle of a run, or at an address such as `models:/tender-risk@champion`, into a directory.

    Returns where it is. Raises UsageError if there is none, UnreachableError if the store cannot be read.
    """
    run_id = address.removeprefix("runs:/").partition("/")[0]
    try:
        _connect()
        model_id = None if address.startswith("models:/") else _model_id(run_id)
        uri = address if address.startswith("models:/") else f"models:/{model_id}" if model_id else None
        if uri is None:
            # A run before models were logged, or one that somebody wrote.
            return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=BUNDLE, dst_path=str(into)))
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(into)))
    except MlflowException as error:
        raise UsageError(f"{address!r} has no bundle: {error.message}") from None
    except OSError as error:
        raise UnreachableError(f"the bundle of {address!r} cannot be read: {error}") from None
    if not (folder / "MLmodel").is_file():
        return folder
    return folder / str(mlflow.models.Model.load(str(folder)).flavors["python_function"]["data"])


def _model_id(run_id: str) -> str | None:
    """The model that a run logged first; None if it logged none."""
    outputs = mlflow.get_run(run_id).outputs
    return outputs.model_outputs[0].model_id if outputs and outputs.model_outputs else None


def run_forecasts(run_id: str) -> Mapping[str, Forecasts] | None:
    """What a run forecast of cases that it had not seen; None for a run without forecasts."""
    table = _run_table(run_id, FORECASTS)
    return None if table is None else read_forecasts(table)


def asked_forecasts(run_id: str) -> tuple[str, Mapping[str, Forecasts]]:
    """What the bundle that was served at a run's time forecast of the cases that judge the run's new models, behind
    that bundle's version. Empty if none was asked."""
    table = _run_table(run_id, ASKED)
    return ("", {}) if table is None else (forecasts_of(table), read_forecasts(table))


def _run_table(run_id: str, name: str) -> pa.Table | None:
    with _client(), tempfile.TemporaryDirectory() as scratch:
        if name not in {file.path for file in mlflow.artifacts.list_artifacts(run_id=run_id)}:
            return None
        path = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=name, dst_path=scratch)
        return pq.read_table(path)


def adopt(directory: Path) -> str:
    """Writes a released bundle that this store does not know as a run of its own; returns the run's id."""
    with _client():
        mlflow.set_experiment(EXPERIMENT)
        with mlflow.start_run(run_name=f"{directory.name}, found on disk") as run:
            _log_model(directory, directory.name)
            return str(run.info.run_id)


def register(version: str, run_id: str) -> RegisteredModel:
    """Makes a run's bundle, as it was released, a version of the registered model."""
    with _client() as client:
        if not client.search_registered_models(f"name = '{MODEL}'"):
            client.create_registered_model(MODEL, description="Failure probabilities for public tenders.")
        with mlflow.start_run(run_id=run_id):
            model_id = _log_model(bundles.RELEASED / version, version)
        created = client.create_model_version(
            MODEL, f"models:/{model_id}", run_id, tags={TAG: version}, model_id=model_id
        )
        return RegisteredModel(number=str(created.version), version=version, run_id=run_id)


def registered(version: str) -> RegisteredModel | None:
    """The latest version of the registered model with that bundle; None if the store does not know it."""
    with _client() as client:
        versions = [row for row in client.search_model_versions(f"name = '{MODEL}'") if row.tags.get(TAG) == version]
        latest = max(versions, key=lambda row: int(row.version), default=None)
        return _registered(latest) if latest else None


def model_of(alias: Alias) -> RegisteredModel | None:
    """The version that an alias points to; None if it points to nothing."""
    with _client() as client:
        for model in client.search_registered_models(f"name = '{MODEL}'"):
            if alias in model.aliases:
                return _registered(client.get_model_version_by_alias(MODEL, alias))
    return None


def set_alias(alias: Alias, model: RegisteredModel | None) -> None:
    """Points an alias to a version, or removes it."""
    with _client() as client:
        if model:
            client.set_registered_model_alias(MODEL, alias, model.number)
        elif client.search_registered_models(f"name = '{MODEL}'"):
            client.delete_registered_model_alias(MODEL, alias)


def _registered(row: object) -> RegisteredModel:
    number, tags, run_id = (getattr(row, part) for part in ("version", "tags", "run_id"))
    return RegisteredModel(number=str(number), version=tags.get(TAG, ""), run_id=run_id or "")


def _params(recipe: Recipe) -> dict[str, object]:
    """The recipe's numbers by name, those of a register behind its own."""
    values = msgspec.structs.asdict(recipe)
    registers: dict[str, BoosterParams] = values.pop("registers")
    return values | {
        f"{name}.{k}": v for name, params in registers.items() for k, v in msgspec.structs.asdict(params).items()
    }


def _log_casebook(result: TrainingResult) -> None:
    for (outcome, stage), fit in result.fits.items():
        for model, kinds in {"model": fit.metrics, **fit.baselines}.items():
            for kind, row in kinds.items():
                _log_metrics(f"{outcome}/{stage}/{model}/{kind}", flat_metrics(row))
        mlflow.log_figure(cards.plot_casebook(fit), f"curves/{outcome}-{stage}.png")
    for stage, fit in result.headline.items():
        for kind, row in fit.metrics.items():
            _log_metrics(f"failure/{stage}/model/{kind}", flat_metrics(row))


def _log_registers(result: RegistersResult) -> None:
    for name, bundle in result.bundles.items():
        mlflow.log_text(bundle.card, f"{name}/{bundles.CARD}")
    for row in result.metrics:
        values = msgspec.structs.asdict(row)
        where = "/".join(values.pop(part) for part in ("register", "outcome", "stage"))
        values["auc_low"], values["auc_high"] = values.pop("auc_ci")
        _log_metrics(where, values)
    for forecasts in result.forecasts:
        name = f"curves/{forecasts.register}-{forecasts.outcome}-{forecasts.stage}.png"
        mlflow.log_figure(cards.plot_register(forecasts), name)
    for pooled in result.pooled:
        for score in pooled.scores:
            kind = score.kind.replace(", ", "/").replace(" ", "_")
            _log_metrics(f"{score.register}/{score.outcome}/{kind}", {"auc": score.auc})
    for ablation in result.ablations:
        where = f"{ablation.register}/{ablation.outcome}/{ablation.stage}/without"
        _log_metrics(where, {theme: -loss for theme, loss in ablation.auc_loss.items()})


def _log_search(recipe: Recipe, result: RegistersResult) -> None:
    """A nested run for every trial, and the recipe with what was found, for `tender-risk train` to read."""
    params = {search.name: search.params for search in result.searches if search.trials}
    mlflow.log_text(recipe_toml(recipe.with_params(params)), RECIPE)
    for trial in (trial for search in result.searches for trial in search.trials):
        title = f"{trial.register}/{trial.outcome}, trial {trial.number + 1}"
        with mlflow.start_run(run_name=title, nested=True):
            mlflow.log_params({"register": trial.register, "outcome": trial.outcome, "stage": trial.stage})
            mlflow.log_params(msgspec.structs.asdict(trial.params))
            mlflow.log_metrics({"auc": trial.auc, "seconds": trial.seconds})


def _log_metrics(where: str, values: Mapping[str, float | None]) -> None:
    mlflow.log_metrics({f"{where}/{k}": float(v) for k, v in values.items() if v is not None})


@contextmanager
def _client(patient: bool = False) -> Iterator[MlflowClient]:
    """A client of the store. Raises UnreachableError if a call to the store fails."""
    is_ours = not patient and RETRIES not in os.environ
    try:
        if is_ours:
            # MLflow reads it at each request.
            os.environ[RETRIES] = str(FEW_RETRIES)
        _connect()
        yield MlflowClient()
    except MlflowException as error:
        raise UnreachableError(f"MLflow at {_store()}: {error.message}") from None
    finally:
        if is_ours:
            del os.environ[RETRIES]


def _connect() -> None:
    mlflow.set_tracking_uri(_store())


def _store() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI", STORE)
