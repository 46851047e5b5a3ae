"""A bounded search for the numbers that a register's model is fitted with, on windows before those that judge it.

Optuna proposes (TPE, seeded), rolling validation decides: the mean AUC of the windows that end before the first judged
one begins. A snapshot has no such windows and is not searched; nor is a register too short to have them.
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
from training.frames import Frame
from training.recipe import Boost
from training.register import STEPS
from training.rolling import Slice, fitted, recent, said, slices

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as Asked

Progress = Callable[[str], None]

WINDOWS = 3
"""Windows that a trial is judged by, at most."""
MOST = 40_000
"""Rows that a trial learns from in a window, the latest; and is judged by, spread evenly."""
WORTH = 0.001
"""What a trial must gain in mean AUC over the numbers that are there: the best of many is lucky."""

WHOLE: Mapping[str, tuple[int, int]] = {"trees": (20, 500), "depth": (2, 8)}
REAL: Mapping[str, tuple[float, float, bool]] = {
    "learning_rate": (0.01, 0.2, True),
    "smallest_leaf": (1.0, 100.0, True),
    "l2": (0.5, 50.0, True),
    "row_share": (0.4, 1.0, False),
    "column_share": (0.1, 1.0, False),
}
"""From, to, and whether by the logarithm."""
ONE_OF: Mapping[str, tuple[int, ...]] = {
    "half_life_days": (0, 180, 365, 900, 1825),
    "years": (0, 2, 4, 6, 8),
    "widest": (0, 40, 80, 160),
}


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that were tried: their mean AUC over the windows, and how long that took."""

    register: str
    outcome: str
    stage: Stage
    number: int
    boost: Boost
    auc: float
    seconds: float


class Searched(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers to fit with, and all that were tried; none if there was nothing to try on."""

    boost: Boost
    trials: tuple[Trial, ...] = ()

    @property
    def name(self) -> str:
        """What the recipe calls the found numbers by: register/outcome."""
        return f"{self.trials[0].register}/{self.trials[0].outcome}" if self.trials else ""


def search(
    frame: Frame, start: Boost, trials: int, seconds: float, seed: int, progress: Progress = lambda _: None
) -> Searched:
    """Tries `start` and then others, at most `trials` and no new one after `seconds`; the best, if it is worth it."""
    parts = before_judged(frame)
    if not parts or trials < 1:
        return Searched(boost=start)
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial({name: getattr(start, name) for name in (*WHOLE, *REAL, *ONE_OF)})
    tried: list[Trial] = []

    def judge(asked: Asked) -> float:
        begun = time.monotonic()
        given = proposed(asked, start)
        boost = start if asked.number == 0 else given
        auc = judged(frame, parts, boost, seed)
        tried.append(
            Trial(
                register=frame.register,
                outcome=frame.outcome,
                stage=frame.stage,
                number=asked.number,
                boost=boost,
                auc=auc,
                seconds=round(time.monotonic() - begun, 2),
            )
        )
        return auc

    def tell(study: Study, done: FrozenTrial) -> None:
        said = f"trial {done.number + 1} of {trials}, AUC {done.value or 0:.4f}, best {study.best_value:.4f}"
        progress(f"{frame.register}: {frame.outcome}, {said}")

    study.optimize(judge, n_trials=trials, timeout=seconds, callbacks=[tell])
    if not tried:
        return Searched(boost=start)
    best = max(tried, key=lambda each: each.auc)
    gained = best.auc - tried[0].auc
    return Searched(boost=best.boost if gained >= WORTH else start, trials=tuple(tried))


def before_judged(frame: Frame) -> list[Slice]:
    """The windows that end before the first judged one begins, at most WINDOWS, each of bounded size."""
    if frame.snapshot:
        return []
    judged_from = [part.cut for part in slices(frame, STEPS)][1:]
    if not judged_from:
        return []
    earlier = [part for part in slices(frame, STEPS + WINDOWS - 1) if part.cut < judged_from[0]]
    return [_bounded(frame, part) for part in earlier if 0 < frame.y[part.test].sum() < len(part.test)]


def judged(frame: Frame, parts: Sequence[Slice], boost: Boost, seed: int) -> float:
    """Mean AUC over windows, each forecast by a model fitted at its cut."""
    found = []
    for part in parts:
        y = part.y[recent(frame, part, boost)]
        if not 0 < y.sum() < len(y):
            found.append(0.5)
            continue
        try:
            booster = fitted(frame, part, boost, seed)
        except xgb.core.XGBoostError:
            # With leaves too large for any split no column has a gain, and none is left to fit on.
            found.append(0.5)
            continue
        margin = said(frame, booster, part.test, boost)
        found.append(metrics.auc(frame.y[part.test], margin, np.ones(len(margin))))
    return float(np.mean(found))


def proposed(asked: Asked, start: Boost) -> Boost:
    """What Optuna proposes, rounded so that a recipe can say it; the rest as it is in `start`."""
    given: dict[str, float] = {name: asked.suggest_int(name, *span) for name, span in WHOLE.items()}
    for name, (low, high, log) in REAL.items():
        given[name] = float(f"{asked.suggest_float(name, low, high, log=log):.3g}")
    for name, values in ONE_OF.items():
        choices = sorted({*values, getattr(start, name)})
        given[name] = int(asked.suggest_categorical(name, choices))
    return msgspec.structs.replace(start, **given)


def _bounded(frame: Frame, part: Slice) -> Slice:
    latest = np.sort(np.argsort(frame.published[part.train], kind="stable")[-MOST:])
    spread = np.unique(np.linspace(0, len(part.test) - 1, min(MOST, len(part.test))).astype(np.int64))
    return Slice(cut=part.cut, train=part.train[latest], y=part.y[latest], test=part.test[spread])
