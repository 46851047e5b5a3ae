"""How good the models are on cases they have not seen: out of fold, whole groups held out, cohort apart from picked.

Only cohort rows say anything about rates and about ordinary contracts. Picked rows stand beside them because the
two disagree, and that is the most important thing to know about the casebook.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from features.matrix import Matrix
from models.bundle import FAILURE_OUTCOMES
from tenders.facts import Stage
from training import metrics
from training.calibrate import line
from training.dataset import History
from training.fit import Rows, eligible, fit, margins, offsets
from training.recipe import Recipe
from training.splits import grouped_folds

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Predict = Callable[[Matrix], Floats]
Fitter = Callable[[Rows, Recipe, int], Predict]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures on one kind of rows. Probabilities are judged on cohort rows only; None on picked ones.

    `auc` and `auc_ci` (95 %, clusters resampled) count what ended by one decision as one case.
    """

    n: int
    positives: int
    base_rate: float
    auc: float
    auc_ci: tuple[float, float]
    average_precision: float
    brier: float | None = None
    brier_of_base_rate: float | None = None
    ece: float | None = None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """All dated cases as rows for one outcome at one stage. `y` is NaN where the outcome is not known."""

    outcome: str
    stage: Stage
    names: tuple[str, ...]
    x: Matrix
    y: Floats
    picked: Flags
    weight: Floats
    case_weight: Floats
    group: NDArray[np.int64]
    cluster: NDArray[np.int64]
    learnt: float

    def rows(self, chosen: NDArray[Any]) -> Rows:
        """The chosen rows, to be fitted on."""
        return Rows(
            names=self.names,
            x=self.x[chosen],
            y=self.y[chosen],
            picked=self.picked[chosen],
            weight=self.weight[chosen],
            learnt=self.learnt,
        )

    @property
    def labelled(self) -> Flags:
        """Rows with a known outcome."""
        return ~np.isnan(self.y)

    @property
    def cohort(self) -> NDArray[np.int64]:
        """Labelled row numbers that entered by a rule."""
        return np.flatnonzero(self.labelled & ~self.picked)


def table(history: History, outcome: str, stage: Stage, recipe: Recipe) -> Table:
    """The eligible features of a stage with the labels of an outcome."""
    columns = eligible(history.x[stage], history.features[stage], recipe)
    return Table(
        outcome=outcome,
        stage=stage,
        names=tuple(history.features[stage][column] for column in columns),
        x=history.x[stage][:, columns],
        y=history.label(outcome),
        picked=history.picked,
        weight=np.asarray(np.bincount(history.cluster)[history.cluster] ** -recipe.sharing, dtype=np.float64),
        case_weight=1 / np.bincount(history.fate)[history.fate],
        group=history.group,
        cluster=history.cluster,
        # The directions are those of failure: of a single bid they say nothing.
        learnt=recipe.learnt if outcome in (*FAILURE_OUTCOMES, "failure") else 1.0,
    )


def out_of_fold(table: Table, recipe: Recipe, fitter: Fitter) -> Floats:
    """A margin for every row from models that saw nothing of its group: the mean over repeated folds."""
    found = np.zeros(len(table.y))
    for repeat in range(recipe.repeats):
        for train, test in grouped_folds(table.group, recipe.folds, recipe.seed + repeat):
            known = train[table.labelled[train]]
            predict = fitter(table.rows(known), recipe, recipe.seed + repeat)
            found[test] += predict(table.x[test]) / recipe.repeats
    return found


def unseen(table: Table, booster: xgb.Booster, recipe: Recipe) -> Floats:
    """A margin for every row that owes nothing to how its group ended: the served booster's own where it has learnt of
    no outcome, else out of fold."""
    return margins(booster, table.x) if table.learnt == 0 else out_of_fold(table, recipe, boosted)


def boosted(rows: Rows, recipe: Recipe, seed: int) -> Predict:
    """The served model as a fitter."""
    booster = fit(rows, recipe, seed)
    return lambda x: margins(booster, x)


def learnt(rows: Rows, recipe: Recipe, seed: int) -> Predict:
    """Baseline: the same trees grown on the outcomes alone."""
    return boosted(msgspec.structs.replace(rows, learnt=1.0), recipe, seed)


def logistic(rows: Rows, recipe: Recipe, seed: int) -> Predict:
    """Baseline: logistic regression on standardised features, unknown at the median, kind taken out as a column."""
    known = [column[~np.isnan(column)] for column in rows.x.T]
    middle = np.array([np.median(column) if len(column) else 0.0 for column in known])
    spread = np.array([column.std() if len(column) else 0.0 for column in known]) + 1e-9

    def scaled(x: Matrix) -> Floats:
        return np.asarray(np.nan_to_num((x - middle) / spread), dtype=np.float64)

    kind = offsets(rows.y, rows.picked, rows.weight)[:, None]
    weight = rows.weight * np.where(rows.picked, recipe.picked_weight, 1.0)
    model = LogisticRegression(C=0.05, max_iter=1000)
    model.fit(np.hstack([scaled(rows.x), kind]), rows.y, sample_weight=weight)
    coefficients: Floats = model.coef_[0][:-1]
    return lambda x: np.asarray(scaled(x) @ coefficients, dtype=np.float64)


FLAGS: Mapping[str, Callable[[Floats], Flags]] = {
    "single_block": lambda v: v == 1,
    "largest_contract": lambda v: v >= 500e6,
    "term_years": lambda v: v >= 8,
    "tender_period_days": lambda v: v < 35,
    "market_engagement": lambda v: v == 0,
    "service_lines": lambda v: v >= 3,
    "outcome_based_payment": lambda v: v == 1,
    "joint_buyers": lambda v: v == 1,
    "new_legal_vehicle_required": lambda v: v == 1,
    "single_bidder_in_competition": lambda v: v == 1,
    "structure_changes": lambda v: v >= 1,
    "assurance_holds": lambda v: v >= 1,
}
"""Red flags that the field names, with the thresholds that it names: a baseline that fits nothing."""


def red_flags(history: History, stage: Stage) -> Floats:
    """How many red flags each case shows, shape (cases,). Unknown shows none."""
    names = history.features[stage]
    shown = [
        test(history.x[stage][:, names.index(name)].astype(float)) for name, test in FLAGS.items() if name in names
    ]
    return np.asarray(np.sum(shown, axis=0), dtype=np.float64)


def calibrated(table: Table, margin: Floats, recipe: Recipe) -> Floats:
    """Probabilities of the cohort rows, each from a line fitted without its group. Shape (cohort rows,)."""
    rows = table.cohort
    found = np.full(len(rows), float(np.average(table.y[rows], weights=table.case_weight[rows])))
    for train, test in grouped_folds(table.group[rows], recipe.folds, recipe.seed):
        known = rows[train]
        a, b = line(margin[known], table.y[known], table.case_weight[known], float(margin[rows].std()))
        found[test] = expit(a + b * margin[rows[test]])
    return found


def figures(table: Table, margin: Floats, rows: NDArray[np.int64], p: Floats | None = None) -> Figures:
    """Figures of margins on chosen labelled rows; `p` are their calibrated probabilities, if they are to be judged."""
    y, weight = table.y[rows], table.case_weight[rows]
    rate = float(np.average(y, weights=weight))
    return Figures(
        n=len(rows),
        positives=int(y.sum()),
        base_rate=round(rate, 4),
        auc=round(metrics.auc(y, margin[rows], weight), 3),
        auc_ci=_rounded(metrics.interval(metrics.auc, y, margin[rows], weight, table.cluster[rows])),
        average_precision=round(metrics.average_precision(y, margin[rows], weight), 3),
        brier=None if p is None else round(metrics.brier(y, p, weight), 4),
        brier_of_base_rate=None if p is None else round(metrics.brier(y, np.full(len(y), rate), weight), 4),
        ece=None if p is None else round(metrics.ece(y, p, weight), 4),
    )


def by_kind(table: Table, margin: Floats, p: Floats) -> dict[str, Figures]:
    """Figures of cohort rows and of picked rows, apart; `p` are the calibrated probabilities of the cohort rows."""
    picked = np.flatnonzero(table.labelled & table.picked)
    return {"cohort": figures(table, margin, table.cohort, p), "picked": figures(table, margin, picked)}


def _rounded(pair: tuple[float, float]) -> tuple[float, float]:
    return round(pair[0], 3), round(pair[1], 3)
