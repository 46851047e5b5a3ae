"""What training leaves in MLflow: runs, and which released bundle is champion. Only here is mlflow imported.

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
from training import curves, forecasts
from training.recipe import Boost, Recipe, written
from training.registers import Registers
from training.result import Result, flat

STORE = "sqlite:///mlflow.db"
EXPERIMENT = "tender-risk"
MODEL = "tender-risk"
BUNDLE = "bundle"
RECIPE = "recipe.toml"
TAG = "bundle"

Alias = Literal["champion", "challenger", "former"]


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the registered model: its number there, the bundle's version, and the run it came from."""

    number: str
    version: str
    run_id: str


def log(result: Result) -> str:
    """Writes parameters, data fingerprints, figures, curves, forecasts, the bundle and its cards; returns the run's id.

    Raises UnreachableError if the store cannot be written.
    """
    with _reaching():
        mlflow.set_experiment(EXPERIMENT)
        with mlflow.start_run() as run:
            mlflow.log_params(_flat(result.recipe))
            for source in result.bundle.manifest.data:
                mlflow.log_params({f"data.{source.name}.{k}": v for k, v in msgspec.structs.asdict(source).items()})
            mlflow.log_text(result.bundle.card, bundles.CARD)
            _log_figures(result)
            for (outcome, stage), each in result.trained.items():
                mlflow.log_figure(curves.casebook(each), f"curves/{outcome}-{stage}.png")
            if result.registers:
                _log_registers(result.registers)
                _log_search(result.recipe, result.registers)
            with tempfile.TemporaryDirectory() as scratch:
                bundles.save(result.bundle, Path(scratch) / BUNDLE)
                mlflow.log_artifacts(str(Path(scratch) / BUNDLE), BUNDLE)
                told = forecasts.table(list(forecasts.of(result)))
                pq.write_table(told, Path(scratch) / forecasts.FILE, compression="zstd")
                mlflow.log_artifact(str(Path(scratch) / forecasts.FILE))
            return str(run.info.run_id)


def fetch(run_id: str, into: Path) -> Path:
    """A run's bundle, copied into a directory.

    Raises UsageError if there is no such run, UnreachableError if the store cannot be read.
    """
    try:
        _connect()
        return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=BUNDLE, dst_path=str(into)))
    except MlflowException as error:
        raise UsageError(f"run {run_id!r} has no bundle: {error.message}") from None
    except OSError as error:
        raise UnreachableError(f"the bundle of run {run_id!r} cannot be read: {error}") from None


def forecasts_of(run_id: str) -> Mapping[str, forecasts.Forecasts] | None:
    """What a run forecast of cases that it had not seen; None for a run that has left nothing of it."""
    with _reaching(), tempfile.TemporaryDirectory() as scratch:
        if forecasts.FILE not in {each.path for each in mlflow.artifacts.list_artifacts(run_id=run_id)}:
            return None
        got = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=forecasts.FILE, dst_path=scratch)
        found: pa.Table = pq.read_table(got)
    return forecasts.read(found)


def adopt(directory: Path) -> str:
    """Writes a released bundle that this store does not know as a run of its own; returns the run's id."""
    with _reaching():
        mlflow.set_experiment(EXPERIMENT)
        with mlflow.start_run(run_name=f"{directory.name}, found on disk") as run:
            mlflow.log_artifacts(str(directory), BUNDLE)
            return str(run.info.run_id)


def register(version: str, run_id: str) -> Registered:
    """Makes a run's bundle a version of the registered model."""
    with _reaching() as client:
        if not client.search_registered_models(f"name = '{MODEL}'"):
            client.create_registered_model(MODEL)
        source = f"{client.get_run(run_id).info.artifact_uri}/{BUNDLE}"
        made = client.create_model_version(MODEL, source, run_id, tags={TAG: version})
        return Registered(number=str(made.version), version=version, run_id=run_id)


def registered(version: str) -> Registered | None:
    """The latest version of the registered model with that bundle; None if the store does not know it."""
    with _reaching() as client:
        found = [each for each in client.search_model_versions(f"name = '{MODEL}'") if each.tags.get(TAG) == version]
        latest = max(found, key=lambda each: int(each.version), default=None)
        return _registered(latest) if latest else None


def named(alias: Alias) -> Registered | None:
    """What an alias stands for; None if it stands for nothing."""
    with _reaching() as client:
        for model in client.search_registered_models(f"name = '{MODEL}'"):
            if alias in model.aliases:
                return _registered(client.get_model_version_by_alias(MODEL, alias))
    return None


def name(alias: Alias, what: Registered | None) -> None:
    """Lets an alias stand for a version, or for nothing."""
    with _reaching() as client:
        if what:
            client.set_registered_model_alias(MODEL, alias, what.number)
        elif client.search_registered_models(f"name = '{MODEL}'"):
            client.delete_registered_model_alias(MODEL, alias)


def _registered(found: object) -> Registered:
    number, tags, run_id = (getattr(found, part) for part in ("version", "tags", "run_id"))
    return Registered(number=str(number), version=tags.get(TAG, ""), run_id=run_id or "")


def _flat(recipe: Recipe) -> dict[str, object]:
    """The recipe's numbers by name, those of a register behind its own."""
    given = msgspec.structs.asdict(recipe)
    boosts: dict[str, Boost] = given.pop("registers")
    return given | {
        f"{name}.{k}": v for name, boost in boosts.items() for k, v in msgspec.structs.asdict(boost).items()
    }


def _log_figures(result: Result) -> None:
    for (outcome, stage), each in result.trained.items():
        for model, kinds in {"model": each.model, **each.baselines}.items():
            for kind, figures in kinds.items():
                _metrics(f"{outcome}.{stage}.{model}.{kind}", flat(figures))
    for stage, kinds in result.failure.items():
        for kind, figures in kinds.items():
            _metrics(f"failure.{stage}.model.{kind}", flat(figures))


def _log_registers(learnt: Registers) -> None:
    for register_, bundle in learnt.bundles.items():
        mlflow.log_text(bundle.card, f"{register_}/{bundles.CARD}")
    for each in learnt.figures:
        values = msgspec.structs.asdict(each)
        where = ".".join(values.pop(part) for part in ("register", "outcome", "stage"))
        values["auc_low"], values["auc_high"] = values.pop("auc_ci")
        _metrics(where, values)
    for judged in learnt.judged:
        name_ = f"curves/{judged.register}-{judged.outcome}-{judged.stage}.png"
        mlflow.log_figure(curves.register(judged), name_)
    for pooled in learnt.pooled:
        for found in pooled.found:
            kind = found.kind.replace(", ", ".").replace(" ", "_")
            _metrics(f"{found.register}.{found.outcome}.{kind}", {"auc": found.auc})
    for ablated in learnt.ablated:
        where = f"{ablated.register}.{ablated.outcome}.{ablated.stage}.without"
        _metrics(where, {theme: -lost for theme, lost in ablated.lost.items()})


def _log_search(recipe: Recipe, learnt: Registers) -> None:
    """A nested run for every trial, and the recipe with what was found, for `tender-risk train` to read."""
    found = {each.name: each.boost for each in learnt.searched if each.trials}
    mlflow.log_text(written(recipe.settled(found)), RECIPE)
    for trial in (trial for each in learnt.searched for trial in each.trials):
        title = f"{trial.register}/{trial.outcome}, trial {trial.number + 1}"
        with mlflow.start_run(run_name=title, nested=True):
            mlflow.log_params({"register": trial.register, "outcome": trial.outcome, "stage": trial.stage})
            mlflow.log_params(msgspec.structs.asdict(trial.boost))
            mlflow.log_metrics({"auc": trial.auc, "seconds": trial.seconds})


def _metrics(where: str, values: Mapping[str, float | None]) -> None:
    mlflow.log_metrics({f"{where}.{k}": float(v) for k, v in values.items() if v is not None})


@contextmanager
def _reaching() -> Iterator[MlflowClient]:
    """A client of the store. Raises UnreachableError if the store does not do what it is asked."""
    try:
        _connect()
        yield MlflowClient()
    except MlflowException as error:
        raise UnreachableError(f"MLflow at {_store()}: {error.message}") from None


def _connect() -> None:
    mlflow.set_tracking_uri(_store())


def _store() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI", STORE)
