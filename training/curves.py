"""Pictures of how forecasts turned out."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Plot
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from training.register import Judged
from training.result import Trained

Floats = NDArray[np.float64]

FIFTHS, TENTHS = 5, 10


def casebook(each: Trained) -> Plot:
    """ROC on both kinds of rows, and reliability of the calibrated probabilities on cohort rows."""
    plot = Plot(figsize=(10, 4.5), layout="constrained")
    left, right = plot.subplots(1, 2)
    table = each.table
    for name, rows in (("cohort", table.cohort), ("picked", np.flatnonzero(table.labelled & table.picked))):
        weight = table.case_weight[rows]
        label = f"{name}: AUC {each.model[name].auc:.2f}"
        _roc(left, table.y[rows], each.margin[rows], label, "-" if name == "cohort" else "--", weight)
    left.set_title(f"{table.outcome}, {table.stage}")
    left.legend()
    _reliable(right, table.y[table.cohort], each.p, FIFTHS)
    right.set_title("reliability, cohort rows in fifths")
    return plot


def register(each: Judged) -> Plot:
    """ROC and reliability of what a register's model forecast out of time."""
    plot = Plot(figsize=(10, 4.5), layout="constrained")
    left, right = plot.subplots(1, 2)
    _roc(left, each.y, each.p, "", "-")
    left.set_title(f"{each.register}: {each.outcome}, {each.stage}")
    _reliable(right, each.y, each.p, TENTHS)
    right.set_title("reliability, cases in tenths")
    return plot


def reliability(judged: Sequence[Judged]) -> bytes:
    """One SVG, a reliability diagram for each outcome and stage of a register. The same forecasts, the same bytes."""
    with mpl.rc_context({"svg.hashsalt": "tender-risk", "svg.fonttype": "none", "font.family": "sans-serif"}):
        plot = Plot(figsize=(4.2 * len(judged), 4.2), layout="constrained")
        for axes, each in zip(np.atleast_1d(plot.subplots(1, len(judged))), judged, strict=True):
            _reliable(axes, each.y, each.p, TENTHS)
            axes.set_title(f"{each.outcome}, {each.stage}")
        file = io.BytesIO()
        plot.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def _roc(axes: Axes, y: Floats, p: Floats, label: str, style: str, weight: Floats | None = None) -> None:
    x, hits, _ = roc_curve(y, p, sample_weight=weight)
    axes.plot(x, hits, label=label, linestyle=style)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    axes.set(xlabel="share of the others taken", ylabel="share of the positives taken")


def _reliable(axes: Axes, y: Floats, p: Floats, count: int) -> None:
    """Predicted against observed in groups of equal size, with what counting alone would move (95 %)."""
    parts = [part for part in np.array_split(np.argsort(p, kind="stable"), count) if len(part)]
    said = np.array([p[part].mean() for part in parts])
    seen = np.array([y[part].mean() for part in parts])
    slack = np.array([1.96 * np.sqrt(max(s * (1 - s), 1e-9) / len(part)) for s, part in zip(said, parts, strict=True)])
    top = float(max(said.max(), (seen + slack).max())) * 1.05
    axes.plot([0, top], [0, top], color="0.7", linewidth=0.8)
    axes.errorbar(said, seen, yerr=slack, marker="o", capsize=2)
    axes.set(xlabel="predicted", ylabel="observed", xlim=(0, top), ylim=(0, top))
