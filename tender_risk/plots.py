"""Pictures of forecasts and models, by matplotlib: each function draws into `ax`, or into axes of its own.

from tender_risk import plots
plots.reliability(labels.failure, probabilities.failure)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from numpy.typing import ArrayLike, NDArray
from sklearn.calibration import CalibrationDisplay

from portfolio.drift import DriftReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST = 40
"""Characters of a name at an axis."""


def reliability(y: ArrayLike, p: ArrayLike, n_bins: int = 10, ax: Axes | None = None) -> CalibrationDisplay:
    """How often what was forecast happened: scikit-learn's display, with bins of equal size.

    `y` is 1 where it happened, 0 where not, NaN or NA where that is not known: such rows are left out. `p` are the
    probabilities, of the same length.
    """
    happened, forecast = _known(y, p)
    return CalibrationDisplay.from_predictions(happened, forecast, n_bins=n_bins, strategy="quantile", ax=ax, name="")


def gain(y: ArrayLike, p: ArrayLike, ax: Axes | None = None) -> Axes:
    """Which share of the failures is among the first so many tenders, if the riskiest are reviewed first.

    `y` and `p` as for `reliability`. The thin lines are a perfect order and one by chance.
    """
    happened, forecast = _known(y, p)
    axes = ax or plt.subplots()[1]
    reviewed = np.arange(len(happened) + 1) / max(len(happened), 1)
    caught = np.concatenate([[0.0], np.cumsum(happened[np.argsort(-forecast, kind="stable")])]) / max(happened.sum(), 1)
    axes.plot(reviewed, caught)
    axes.plot([0, happened.mean(), 1], [0, 1, 1], color="0.6", linewidth=0.8)
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
    axes.set(xlabel="share of tenders reviewed", ylabel="share of failures among them")
    return axes


def effects(table: pd.DataFrame, most: int = 20, ax: Axes | None = None) -> Axes:
    """Pooled odds ratios with their 95 % intervals, the strongest first, of `Model.effects`."""
    shown = table.loc[np.log(table.odds_ratio).abs().sort_values(ascending=False).index[:most]]
    axes = ax or plt.subplots(layout="constrained")[1]
    places = np.arange(len(shown))[::-1]
    axes.hlines(places, shown.low, shown.high)
    axes.plot(shown.odds_ratio, places, "o")
    axes.axvline(1, color="0.6", linewidth=0.8)
    axes.set_yticks(places, shown.feature + ": " + shown.unit + ", " + shown.outcome)
    axes.set(xscale="log", xlabel="odds ratio, with its 95 % interval")
    return axes


def drift(report: DriftReport, most: int = 20, ax: Axes | None = None) -> Axes:
    """What moved most against what the models learnt from, of `Model.drift`, as shares of tenders."""
    shifts = [shift for stage in report.compared if stage.drift for shift in stage.drift.shifts]
    shown = sorted(shifts, key=lambda shift: -shift.size)[:most]
    axes = ax or plt.subplots(layout="constrained")[1]
    places = np.arange(len(shown))[::-1]
    axes.barh(places, [shift.size for shift in shown])
    axes.set_yticks(places, [f"{shift.name} {shift.code} ({shift.kind})"[:LONGEST] for shift in shown])
    axes.set(xlabel="share of tenders by which it moved", title=report.answer)
    return axes


def _known(y: ArrayLike, p: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    happened: Any = pd.Series(np.asarray(y, dtype=object)).astype("Float64").to_numpy(np.float64, na_value=np.nan)
    forecast: Any = np.asarray(p, dtype=np.float64)
    if happened.shape != forecast.shape:
        raise ValueError(
            f"{len(happened)} outcomes and {len(forecast)} probabilities: they have to be of the same rows"
        )
    known = ~np.isnan(happened) & ~np.isnan(forecast)
    return happened[known], forecast[known]
