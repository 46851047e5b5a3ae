"""A bounded search for the parameters of a register's model, on windows before those that judge it.

Optuna proposes (TPE, seeded) and rolling validation decides: the mean AUC of the windows that end before the first
judged one begins. A snapshot has no such windows and is not searched, nor is a register too short to have them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import xgboost as xgb

from tenders.facts import Stage
from training import metrics
from training.datasets import RegisterDataset
from training.recipe import BoosterParams
from training.rolling import STEPS, fit_split, predict_margin, recent_rows, rolling_splits
from training.splits import Split

if TYPE_CHECKING:
    import optuna

Progress = Callable[[str], None]

WINDOWS = 3
"""Windows that judge a trial, at most."""
MOST_ROWS = 40_000
"""Rows that a trial is fitted on in a window, the latest; and judged on, spread evenly."""
MIN_GAIN = 0.001
"""What a trial must gain in mean AUC over the parameters that are there: the best of many is lucky."""

INTEGERS: Mapping[str, tuple[int, int]] = {"trees": (20, 500), "depth": (2, 8)}
REALS: Mapping[str, tuple[float, float, bool]] = {
    "learning_rate": (0.01, 0.2, True),
    "smallest_leaf": (1.0, 100.0, True),
    "l2": (0.5, 50.0, True),
    "row_share": (0.4, 1.0, False),
    "column_share": (0.1, 1.0, False),
}
"""From, to, and whether on a logarithmic scale."""
CHOICES: Mapping[str, tuple[int, ...]] = {
    "half_life_days": (0, 180, 365, 900, 1825),
    "years": (0, 2, 4, 6, 8),
    "max_columns": (0, 40, 80, 160),
}


class SearchTrial(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters that were tried, their mean AUC over the windows, and the seconds it took."""

    register: str
    outcome: str
    stage: Stage
    number: int
    params: BoosterParams
    auc: float
    seconds: float


class SearchResult(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters to fit with, and all trials; no trials if there was nothing to try on."""

    params: BoosterParams
    trials: tuple[SearchTrial, ...] = ()

    @property
    def name(self) -> str:
        """The recipe's name for these parameters: register/outcome."""
        return f"{self.trials[0].register}/{self.trials[0].outcome}" if self.trials else ""


def search(
    data: RegisterDataset,
    start: BoosterParams,
    trials: int,
    seconds: float,
    seed: int,
    progress: Progress = lambda _: None,
) -> SearchResult:
    """Tries `start` and then others, at most `trials`, and begins none after `seconds`.

    The best is kept if it gains MIN_GAIN, else `start`.
    """
    splits = search_splits(data) if trials else []
    if not splits:
        return SearchResult(params=start)
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial({name: getattr(start, name) for name in (*INTEGERS, *REALS, *CHOICES)})
    tried: list[SearchTrial] = []

    def objective(trial: optuna.Trial) -> float:
        begun = time.monotonic()
        proposed = suggest_params(trial, start)
        params = start if trial.number == 0 else proposed
        auc = mean_auc(data, splits, params, seed)
        tried.append(
            SearchTrial(
                register=data.register,
                outcome=data.outcome,
                stage=data.stage,
                number=trial.number,
                params=params,
                auc=auc,
                seconds=round(time.monotonic() - begun, 2),
            )
        )
        return auc

    def report(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        text = f"trial {trial.number + 1} of {trials}, AUC {trial.value or 0:.4f}, best {study.best_value:.4f}"
        progress(f"{data.register}: {data.outcome}, {text}")

    study.optimize(objective, n_trials=trials, timeout=seconds, callbacks=[report])
    if not tried:
        return SearchResult(params=start)
    best = max(tried, key=lambda trial: trial.auc)
    gain = best.auc - tried[0].auc
    return SearchResult(params=best.params if gain >= MIN_GAIN else start, trials=tuple(tried))


def search_splits(data: RegisterDataset) -> list[Split]:
    """The windows that end before the first judged one begins, at most WINDOWS, each of bounded size."""
    if data.snapshot:
        return []
    judged_from = [split.cut for split in rolling_splits(data, STEPS)][1:]
    if not judged_from:
        return []
    earlier = [split for split in rolling_splits(data, STEPS + WINDOWS - 1) if split.cut < judged_from[0]]
    return [_bounded(data, split) for split in earlier if 0 < data.y[split.test].sum() < len(split.test)]


def mean_auc(data: RegisterDataset, splits: Sequence[Split], params: BoosterParams, seed: int) -> float:
    """Mean AUC over windows, each forecast by a model fitted at its cut; 0.5 where none can be fitted."""
    aucs = []
    for split in splits:
        y = split.y[recent_rows(data, split, params)]
        if not 0 < y.sum() < len(y):
            aucs.append(0.5)
            continue
        try:
            booster = fit_split(data, split, params, seed)
        except xgb.core.XGBoostError:
            # With leaves too large for any split no column has a gain, and none is left to fit on.
            aucs.append(0.5)
            continue
        margin = predict_margin(data, booster, split.test, params)
        aucs.append(metrics.auc(data.y[split.test], margin, np.ones(len(margin))))
    return float(np.mean(aucs))


def suggest_params(trial: optuna.Trial, start: BoosterParams) -> BoosterParams:
    """What Optuna proposes, rounded to what a recipe can hold; the rest as it is in `start`."""
    values: dict[str, float] = {name: trial.suggest_int(name, *span) for name, span in INTEGERS.items()}
    for name, (low, high, log) in REALS.items():
        values[name] = float(f"{trial.suggest_float(name, low, high, log=log):.3g}")
    for name, choices in CHOICES.items():
        values[name] = int(trial.suggest_categorical(name, sorted({*choices, getattr(start, name)})))
    return msgspec.structs.replace(start, **values)


def _bounded(data: RegisterDataset, split: Split) -> Split:
    latest = np.sort(np.argsort(data.published[split.train], kind="stable")[-MOST_ROWS:])
    spread = np.unique(np.linspace(0, len(split.test) - 1, min(MOST_ROWS, len(split.test))).astype(np.int64))
    return Split(
        cut=split.cut,
        train=split.train[latest],
        y=split.y[latest],
        weight=split.weight[latest],
        test=split.test[spread],
    )
