"""What registers have in common: pooled models, how each register does by them, and what each theme of features adds.

A pooled model answers the question of the last window: each register's rows as known at its own cut, a bounded sample
of each, all registers with the same weight. The register's own rate, with the score of its own online model, is the
base margin, so the trees learn what lifts a tender above or below that. Trained without one register, the model shows
what is known of a register never seen.

What a few registers have in common by chance does not hold in the next: free trees undo there what the register's own
track records say. So features keep to their direction, trees are stumps and few, and each register's base margin is
first moved to its own level, which the next one will not share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from features.catalogue import catalogue
from features.feature import THEMES
from features.matrix import Matrix
from tenders.facts import Stage
from training import metrics
from training.calibrate import fit_line, intercept_for_rate
from training.datasets import RegisterDataset
from training.fit import booster_margin, fit_booster
from training.recipe import BoosterParams
from training.rolling import rolling_splits

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

MOST_POOLED = 15_000
"""Rows of one register that are pooled: the latest."""
POOL_PARAMS = BoosterParams(depth=1, learning_rate=0.05, trees=30, smallest_leaf=20, column_share=0.3)
THEME_PARAMS = BoosterParams(depth=4, learning_rate=0.05, trees=150, smallest_leaf=20, column_share=0.3)


class PoolRows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a register: `x` of shape (rows, names), and for each row its outcome, its base margin in log-odds, the
    weight that its outcome has because it is known, and the cluster whose fate it shares."""

    register: str
    names: tuple[str, ...]
    x: Matrix
    y: Floats
    base_margin: Floats
    weight: Floats
    cluster: Numbers


class PoolSample(msgspec.Struct, frozen=True, kw_only=True):
    """One register's share of a pool: rows to learn from, and those of its last window to test on.

    `unseen` are the rows that judge a model that has seen nothing of the register: of a snapshot all of them, since
    time does not part them.
    """

    outcome: str
    stage: Stage
    learn: PoolRows
    test: PoolRows
    unseen: PoolRows


class TransferScore(msgspec.Struct, frozen=True, kw_only=True):
    """The AUC of a model of the `kind` named, with its 95 % interval, on one register's last window.

    A snapshot that the model learnt nothing from is judged on all its rows.
    """

    register: str
    outcome: str
    kind: str
    n: int
    auc: float
    auc_ci: tuple[float, float]


class PooledFit(msgspec.Struct, frozen=True, kw_only=True):
    """The pooled model of an outcome, and the evidence for it.

    `left_out_lines` are lines from margins to log-odds, one for each register that was left out: how far off the level
    and the spread may be on a new register. They rest on `cases`, of which `positives` had the outcome.
    """

    outcome: str
    booster: xgb.Booster
    scores: tuple[TransferScore, ...]
    left_out_lines: tuple[tuple[float, float], ...]
    cases: int
    positives: int


class ThemeAblation(msgspec.Struct, frozen=True, kw_only=True):
    """The AUC with all features, and how much of it is lost without each theme that the register has."""

    register: str
    outcome: str
    stage: Stage
    auc: float
    auc_loss: Mapping[str, float]


class _Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A pool of one set of columns; `left_out_auc` is the mean AUC on registers that were left out."""

    booster: xgb.Booster
    scores: tuple[TransferScore, ...]
    left_out_auc: float
    left_out_lines: tuple[tuple[float, float], ...]


def pool_sample(data: RegisterDataset, steps: int) -> PoolSample:
    """The last split of a register, with at most MOST_POOLED rows to learn from."""
    *_, last = rolling_splits(data, steps)
    chosen = np.argsort(data.published[last.train], kind="stable")[-MOST_POOLED:]
    learn = pool_rows(data, last.train[chosen])
    test = pool_rows(data, last.test)
    return PoolSample(
        outcome=data.outcome,
        stage=data.stage,
        learn=msgspec.structs.replace(learn, y=last.y[chosen], weight=last.weight[chosen]),
        test=test,
        unseen=pool_rows(data, np.flatnonzero(data.labelled)) if data.snapshot else test,
    )


def pool_rows(data: RegisterDataset, rows: Numbers) -> PoolRows:
    """Some rows of a dataset, by their numbers. Columns that its own mapping declares mean nothing elsewhere."""
    known = catalogue()
    columns = [column for column, name in enumerate(data.names) if name in known]
    return PoolRows(
        register=data.register,
        names=tuple(data.names[column] for column in columns),
        x=data.x[rows][:, columns],
        y=data.y[rows],
        base_margin=data.level[rows] + data.x[rows, data.names.index("profile_score")],
        weight=np.ones(len(rows)),
        cluster=(data.buyer if data.snapshot else data.cluster)[rows],
    )


def fit_pooled(
    outcome: str, samples: Sequence[PoolSample], seed: int, other_registers: Sequence[PoolRows] = ()
) -> PooledFit:
    """Fits and judges: all registers together, and each by a model of the others; `other_registers` by a model of all.

    Both with all features and with those that travel; what does better on registers that were left out is kept.
    """
    everything, travelling = (_candidate(outcome, samples, seed, other_registers, only) for only in (False, True))
    better = travelling if travelling.left_out_auc >= everything.left_out_auc else everything
    return PooledFit(
        outcome=outcome,
        booster=better.booster,
        scores=(*everything.scores, *travelling.scores),
        left_out_lines=better.left_out_lines,
        cases=sum(len(sample.unseen.y) for sample in samples),
        positives=int(sum(sample.unseen.y.sum() for sample in samples)),
    )


def _candidate(
    outcome: str, samples: Sequence[PoolSample], seed: int, other_registers: Sequence[PoolRows], travelling: bool
) -> _Candidate:
    columns = "what travels" if travelling else "all features"
    pooled, by_others = f"pooled, {columns}", f"by the others, {columns}"
    together = _fit(samples, travelling, seed)
    scores = [_score(outcome, sample.test, together, pooled) for sample in samples]
    scores += [_score(outcome, rows, together, by_others) for rows in other_registers]
    left_out, lines = [], []
    for sample in samples:
        booster = _fit([other for other in samples if other is not sample], travelling, seed)
        left_out.append(_score(outcome, sample.unseen, booster, by_others))
        lines.append(_line(sample.unseen, booster))
    return _Candidate(
        booster=together,
        scores=(*scores, *left_out),
        left_out_auc=float(np.mean([score.auc for score in left_out])),
        left_out_lines=tuple(lines),
    )


def _fit(samples: Sequence[PoolSample], travelling: bool, seed: int) -> xgb.Booster:
    names = shared_columns(samples, travelling)
    return fit_booster(
        np.concatenate([align_columns(sample.learn.x, sample.learn.names, names) for sample in samples]),
        np.concatenate([sample.learn.y for sample in samples]),
        np.concatenate([sample.learn.weight * MOST_POOLED / sample.learn.weight.sum() for sample in samples]),
        names,
        POOL_PARAMS,
        seed,
        base_margin=np.concatenate([margin_at_own_level(sample.learn) for sample in samples]),
        monotone=True,
    )


def margin_at_own_level(rows: PoolRows) -> Floats:
    """The base margin of rows, moved so that its mean probability is the rows' own rate."""
    return rows.base_margin + intercept_for_rate(rows.base_margin, rows.y, rows.weight, 1.0)


def shared_columns(samples: Sequence[PoolSample], travelling: bool) -> list[str]:
    """Columns that differ in at least one register, or in two where there are more, in order of first appearance."""
    counts: dict[str, int] = {}
    for sample in samples:
        low, high = np.fmin.reduce(sample.learn.x), np.fmax.reduce(sample.learn.x)
        for name, differs in zip(sample.learn.names, low < high, strict=True):
            counts[name] = counts.get(name, 0) + int(differs)
    least = min(2, len(samples))
    return [name for name, n in counts.items() if n >= least and (travels(name) or not travelling)]


def travels(name: str) -> bool:
    """Whether a feature means the same in every register.

    It does if it compares a tender with its own register's records and has a direction.
    """
    known = catalogue()[name]
    return known.reads == "register_history" and known.direction != 0


def align_columns(x: Matrix, names: Sequence[str], wanted: Sequence[str]) -> Matrix:
    """The wanted columns in their order, NaN where there is none."""
    place = {name: column for column, name in enumerate(names)}
    aligned = np.full((len(x), len(wanted)), np.nan, dtype=np.float32)
    for column, name in enumerate(wanted):
        if name in place:
            aligned[:, column] = x[:, place[name]]
    return aligned


def _line(rows: PoolRows, booster: xgb.Booster) -> tuple[float, float]:
    """The line that would have been right for a register, from the margin of a model that had not seen it."""
    margin = _margin(rows, booster)
    a, b = fit_line(margin, rows.y, np.ones(len(margin)), float(margin.std()))
    return round(a, 4), round(b, 4)


def _margin(rows: PoolRows, booster: xgb.Booster) -> Floats:
    names = booster.feature_names or []
    return booster_margin(booster, align_columns(rows.x, rows.names, names), names) + rows.base_margin


def _score(outcome: str, rows: PoolRows, booster: xgb.Booster, kind: str) -> TransferScore:
    margin = _margin(rows, booster)
    ones = np.ones(len(margin))
    low, high = metrics.bootstrap_interval(metrics.auc, rows.y, margin, ones, rows.cluster, draws=100)
    return TransferScore(
        register=rows.register,
        outcome=outcome,
        kind=kind,
        n=len(margin),
        auc=round(metrics.auc(rows.y, margin, ones), 4),
        auc_ci=(round(low, 4), round(high, 4)),
    )


def ablate_themes(sample: PoolSample, seed: int) -> ThemeAblation:
    """Fits once on all columns and once without each theme, and judges on the last window."""
    known = catalogue()
    themes = [theme for theme in THEMES if any(known[name].theme == theme for name in sample.learn.names)]
    whole = _auc_with(sample, list(range(len(sample.learn.names))), seed)
    auc_loss: dict[str, float] = {}
    for theme in themes:
        kept = [column for column, name in enumerate(sample.learn.names) if known[name].theme != theme]
        auc_loss[theme] = round(whole - _auc_with(sample, kept, seed), 4)
    return ThemeAblation(
        register=sample.learn.register,
        outcome=sample.outcome,
        stage=sample.stage,
        auc=round(whole, 4),
        auc_loss=auc_loss,
    )


def _auc_with(sample: PoolSample, columns: list[int], seed: int) -> float:
    names = [sample.learn.names[column] for column in columns]
    learn = sample.learn
    booster = fit_booster(learn.x[:, columns], learn.y, learn.weight, names, THEME_PARAMS, seed)
    margin = booster_margin(booster, sample.test.x[:, columns], names)
    return metrics.auc(sample.test.y, margin, np.ones(len(margin)))
