"""What each theme of features adds: the same fit without it, on a register's last window."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from features.catalogue import THEMES, catalogue
from tenders.facts import Stage
from training import metrics
from training.boosting import fit, margins
from training.pooling import Sample
from training.recipe import Boost

BOOST = Boost(depth=4, learning_rate=0.05, trees=150, smallest_leaf=20, column_share=0.3)


class Ablated(msgspec.Struct, frozen=True, kw_only=True):
    """AUC with everything, and what it loses without each theme that the register has."""

    register: str
    outcome: str
    stage: Stage
    auc: float
    lost: Mapping[str, float]


def ablated(each: Sample, seed: int) -> Ablated:
    """Fits once on all columns, and once without each theme."""
    known = catalogue()
    themes = [theme for theme in THEMES if any(known[name].theme == theme for name in each.learn.names)]
    whole = _auc(each, list(range(len(each.learn.names))), seed)
    lost: dict[str, float] = {}
    for theme in themes:
        kept = [column for column, name in enumerate(each.learn.names) if known[name].theme != theme]
        lost[theme] = round(whole - _auc(each, kept, seed), 4)
    return Ablated(register=each.learn.register, outcome=each.outcome, stage=each.stage, auc=round(whole, 4), lost=lost)


def _auc(each: Sample, columns: list[int], seed: int) -> float:
    names = [each.learn.names[column] for column in columns]
    booster = fit(each.learn.x[:, columns], each.learn.y, np.ones(len(each.learn.y)), names, BOOST, seed)
    margin = margins(booster, each.test.x[:, columns], names)
    return metrics.auc(each.test.y, margin, np.ones(len(margin)))
