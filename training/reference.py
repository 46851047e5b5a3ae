"""The reference of a bundle: what the rows looked like that its models have learnt from (`models.training_profile`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from features.matrix import Matrix
from models.training_profile import FeatureQuantiles, TrainingProfile, code_shares, feature_quantiles, quantiles
from tenders.history import LabelledTender
from training.dataset import History

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Spreads = dict[str, FeatureQuantiles]

YEAR = 365
"""Days before the last publication that count: what a register looked like long ago is no measure of today."""
FEWEST = 2000
"""Rows of a year below which all rows count: the ends of a spread rest on one in twenty."""


def of_register(
    past: Sequence[LabelledTender], features: Mapping[str, Spreads], p: Mapping[str, Floats]
) -> TrainingProfile:
    """The reference of a register's bundle: the `spreads` of its models and what they forecast, by part."""
    told = [case for case in past if case.known_on and any(end is not None for end in case.outcomes.values())]
    rows = [told[row] for row in latest(np.array([case.published.toordinal() for case in told]))]
    days = [case.published for case in rows]
    return TrainingProfile(
        rows=len(rows),
        first=min(days).isoformat(),
        last=max(days).isoformat(),
        features=dict(features),
        scores={name: quantiles(each) for name, each in p.items()},
        codes=code_shares(case.as_of("draft") for case in rows),
    )


def of_casebook(history: History, features: Mapping[str, Spreads], p: Mapping[str, Floats]) -> TrainingProfile:
    """The reference of the UK's bundle: all dated cases, picked ones too."""
    return TrainingProfile(
        rows=history.source.rows,
        first=history.source.first,
        last=history.source.last,
        features=dict(features),
        scores={name: quantiles(each) for name, each in p.items()},
        codes=code_shares(case.process().as_of("draft") for case in history.cases),
    )


def latest(published: Numbers) -> Numbers:
    """The rows of the last year, or all where those are few. `published` are days as ordinals, shape (rows,)."""
    recent = np.flatnonzero(published > published.max(initial=0) - YEAR)
    return recent if len(recent) >= FEWEST else np.arange(len(published))


def spreads(x: Matrix, names: Sequence[str], wanted: Sequence[str], rows: Numbers) -> Spreads:
    """How the wanted columns of a table lie over the given rows. `x` has shape (all rows, names)."""
    place = {name: column for column, name in enumerate(names)}
    return {name: feature_quantiles(x[rows, place[name]]) for name in wanted}
