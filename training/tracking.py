"""Runs and released bundles in MLflow. This is the only module that imports mlflow.

Released bundles are versions of one registered model. Each has a run, and its bundle's version as the tag `bundle`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import matplotlib as mpl

mpl.use("Agg")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from models import bundle as bundles
from tenders.errors import UnreachableError, UsageError
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
EXPERIMENT = "tender-risk"
MODEL = "tender-risk"
BUNDLE = "bundle"
RECIPE = "recipe.toml"
TAG = "bundle"

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
    with _client():
        mlflow.set_experiment(EXPERIMENT)
        with mlflow.start_run() as run:
            mlflow.log_params(_params(result.recipe))
            for source in result.bundle.manifest.data:
                mlflow.log_params({f"data.{source.name}.{k}": v for k, v in msgspec.structs.asdict(source).items()})
            mlflow.log_text(result.bundle.card, bundles.CARD)
            _log_casebook(result)
            if result.registers:
                _log_registers(result.registers)
                _log_search(result.recipe, result.registers)
            with tempfile.TemporaryDirectory() as scratch:
                bundles.save(result.bundle, Path(scratch) / BUNDLE)
                mlflow.log_artifacts(str(Path(scratch) / BUNDLE), BUNDLE)
                table = forecasts_table(list(unseen_forecasts(result)))
                pq.write_table(table, Path(scratch) / FORECASTS, compression="zstd")
                mlflow.log_artifact(str(Path(scratch) / FORECASTS))
                if result.registers and result.registers.asked:
                    asked = forecasts_table(result.registers.asked, result.registers.asked_of)
                    pq.write_table(asked, Path(scratch) / ASKED, compression="zstd")
                    mlflow.log_artifact(str(Path(scratch) / ASKED))
            return str(run.info.run_id)


def fetch(run_id: str, into: Path) -> Path:
    """Copies a run's bundle into a directory, and returns where it is.

    Raises UsageError if there is no such run, UnreachableError if the store cannot be read.
    """
    try:
        _connect()
        return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=BUNDLE, dst_path=str(into)))
    except MlflowException as error:
        raise UsageError(f"run {run_id!r} has no bundle: {error.message}") from None
    except OSError as error:
        raise UnreachableError(f"the bundle of run {run_id!r} cannot be read: {error}") from None


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
            mlflow.log_artifacts(str(directory), BUNDLE)
            return str(run.info.run_id)


def register(version: str, run_id: str) -> RegisteredModel:
    """Makes a run's bundle a version of the registered model."""
    with _client() as client:
        if not client.search_registered_models(f"name = '{MODEL}'"):
            client.create_registered_model(MODEL)
        source = f"{client.get_run(run_id).info.artifact_uri}/{BUNDLE}"
        created = client.create_model_version(MODEL, source, run_id, tags={TAG: version})
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
                _log_metrics(f"{outcome}.{stage}.{model}.{kind}", flat_metrics(row))
        mlflow.log_figure(cards.plot_casebook(fit), f"curves/{outcome}-{stage}.png")
    for stage, fit in result.headline.items():
        for kind, row in fit.metrics.items():
            _log_metrics(f"failure.{stage}.model.{kind}", flat_metrics(row))


def _log_registers(result: RegistersResult) -> None:
    for name, bundle in result.bundles.items():
        mlflow.log_text(bundle.card, f"{name}/{bundles.CARD}")
    for row in result.metrics:
        values = msgspec.structs.asdict(row)
        where = ".".join(values.pop(part) for part in ("register", "outcome", "stage"))
        values["auc_low"], values["auc_high"] = values.pop("auc_ci")
        _log_metrics(where, values)
    for forecasts in result.forecasts:
        name = f"curves/{forecasts.register}-{forecasts.outcome}-{forecasts.stage}.png"
        mlflow.log_figure(cards.plot_register(forecasts), name)
    for pooled in result.pooled:
        for score in pooled.scores:
            kind = score.kind.replace(", ", ".").replace(" ", "_")
            _log_metrics(f"{score.register}.{score.outcome}.{kind}", {"auc": score.auc})
    for ablation in result.ablations:
        where = f"{ablation.register}.{ablation.outcome}.{ablation.stage}.without"
        _log_metrics(where, {theme: -loss for theme, loss in ablation.auc_loss.items()})


def _log_search(recipe: Recipe, result: RegistersResult) -> None:
    """A nested run for every trial, and the recipe with what was found, for `tender-risk train` to read."""
    found = {search.name: search.params for search in result.searches if search.trials}
    mlflow.log_text(recipe_toml(recipe.with_params(found)), RECIPE)
    for trial in (trial for search in result.searches for trial in search.trials):
        title = f"{trial.register}/{trial.outcome}, trial {trial.number + 1}"
        with mlflow.start_run(run_name=title, nested=True):
            mlflow.log_params({"register": trial.register, "outcome": trial.outcome, "stage": trial.stage})
            mlflow.log_params(msgspec.structs.asdict(trial.params))
            mlflow.log_metrics({"auc": trial.auc, "seconds": trial.seconds})


def _log_metrics(where: str, values: Mapping[str, float | None]) -> None:
    mlflow.log_metrics({f"{where}.{k}": float(v) for k, v in values.items() if v is not None})


@contextmanager
def _client() -> Iterator[MlflowClient]:
    """A client of the store. Raises UnreachableError if a call to the store fails."""
    try:
        _connect()
        yield MlflowClient()
    except MlflowException as error:
        raise UnreachableError(f"MLflow at {_store()}: {error.message}") from None


def _connect() -> None:
    mlflow.set_tracking_uri(_store())


def _store() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI", STORE)
