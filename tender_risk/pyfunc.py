"""How MLflow loads a logged model: `mlflow.pyfunc.load_model("models:/tender-risk@champion").predict(frame)`.

MLflow imports this module by its name, which `training.tracking` writes into the model, and gives it the directory of a
bundle. Nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from models import bundle as bundles
from tender_risk.api import Model


class LoggedModel:
    """A model as MLflow asks it."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """The probabilities of `Model.predict_proba`; the parameter `stage` is that of it, None for each row's own."""
        return self.model.predict_proba(model_input, (params or {}).get("stage") or None)


def _load_pyfunc(path: str) -> LoggedModel:
    """MLflow's hook."""
    return LoggedModel(Model(bundles.load(Path(path))))
