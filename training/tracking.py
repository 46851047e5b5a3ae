"""What a training run leaves in MLflow, and how a run becomes a released bundle. Only here is mlflow imported."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import mlflow
import msgspec
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure as Plot
from mlflow.exceptions import MlflowException
from sklearn.metrics import roc_curve

from models import bundle as bundles
from tenders.errors import UnreachableError, UsageError
from training.result import Result, Trained, flat

STORE = "sqlite:///mlflow.db"
EXPERIMENT = "tender-risk"
BUNDLE = "bundle"


def log(result: Result) -> str:
    """Writes parameters, data fingerprints, figures, curves, the bundle and its card; returns the run's id."""
    _connect()
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run() as run:
        mlflow.log_params(msgspec.structs.asdict(result.recipe))
        for source in result.bundle.manifest.data:
            mlflow.log_params({f"data.{source.name}.{k}": v for k, v in msgspec.structs.asdict(source).items()})
        mlflow.log_text(result.bundle.card, bundles.CARD)
        _log_figures(result)
        with tempfile.TemporaryDirectory() as scratch:
            bundles.save(result.bundle, Path(scratch) / BUNDLE)
            mlflow.log_artifacts(str(Path(scratch) / BUNDLE), BUNDLE)
        for (outcome, stage), each in result.trained.items():
            plot = curves(each)
            mlflow.log_figure(plot, f"curves/{outcome}-{stage}.png")
            plt.close(plot)
        return str(run.info.run_id)


def release(run_id: str, today: datetime | None = None) -> Path:
    """Takes a run's bundle into models/released under the month's next version, and serves it by default.

    Raises UsageError if there is no such run, UnreachableError if the store cannot be read.
    """
    _connect()
    version = next_version(today or datetime.now(UTC))
    with tempfile.TemporaryDirectory() as scratch:
        try:
            got = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=BUNDLE, dst_path=scratch)
        except MlflowException as error:
            raise UsageError(f"run {run_id!r} has no bundle: {error.message}") from None
        except OSError as error:
            raise UnreachableError(f"the bundle of run {run_id!r} cannot be read: {error}") from None
        trained = bundles.load(Path(got))
        manifest = msgspec.structs.replace(trained.manifest, version=version)
        bundles.save(msgspec.structs.replace(trained, manifest=manifest), bundles.RELEASED / version)
    bundles.POINTER.write_text(version + "\n", encoding="utf-8")
    return bundles.RELEASED / version


def next_version(today: datetime) -> str:
    """year.month.n, n counting the month's releases from 1."""
    month = f"{today.year}.{today.month}."
    taken = [path.name.removeprefix(month) for path in bundles.RELEASED.glob(f"{month}*") if path.is_dir()]
    return month + str(1 + max((int(n) for n in taken if n.isdigit()), default=0))


def curves(each: Trained) -> Plot:
    """ROC on both kinds of rows, and reliability of the calibrated probabilities on cohort rows."""
    plot, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
    table = each.table
    for name, rows in (("cohort", table.cohort), ("picked", np.flatnonzero(table.labelled & table.picked))):
        x, y, _ = roc_curve(table.y[rows], each.margin[rows], sample_weight=table.case_weight[rows])
        left.plot(x, y, label=f"{name}: AUC {each.model[name].auc:.2f}", linestyle="-" if name == "cohort" else "--")
    left.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    left.set(
        xlabel="share of the others taken",
        ylabel="share of the failures taken",
        title=f"{table.outcome}, {table.stage}",
    )
    left.legend()
    rows = table.cohort
    parts = np.array_split(np.argsort(each.p, kind="stable"), 5)
    right.plot([each.p[i].mean() for i in parts], [table.y[rows][i].mean() for i in parts], marker="o")
    right.plot([0, 0.5], [0, 0.5], color="0.7", linewidth=0.8)
    right.set(xlabel="predicted", ylabel="observed", title="reliability, cohort rows in fifths")
    return plot


def _log_figures(result: Result) -> None:
    for (outcome, stage), each in result.trained.items():
        for name, kinds in {"model": each.model, **each.baselines}.items():
            for kind, figures in kinds.items():
                values = {k: v for k, v in flat(figures).items() if v is not None}
                mlflow.log_metrics({f"{outcome}.{stage}.{name}.{kind}.{k}": v for k, v in values.items()})
    for stage, kinds in result.failure.items():
        for kind, figures in kinds.items():
            values = {k: v for k, v in flat(figures).items() if v is not None}
            mlflow.log_metrics({f"failure.{stage}.model.{kind}.{k}": v for k, v in values.items()})


def _connect() -> None:
    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI", STORE))
