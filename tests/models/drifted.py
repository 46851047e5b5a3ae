"""Made-up tables for drift: features of several shapes, drawn afresh for the past and for a portfolio."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.drift import Drift, DriftCounts, drift
from models.training_profile import TrainingProfile, feature_quantiles, quantiles

PART = "no_award-draft"
FEATURES = 60
NAMES = tuple(f"feature_{place}" for place in range(FEATURES))

Table = NDArray[np.float32]


def table(rows: int, made: np.random.Generator) -> Table:
    """A third continuous, a third counts, a third yes or no; each unknown in up to half of the rows."""
    columns = []
    for place in range(FEATURES):
        values = (
            made.lognormal(sigma=1.5, size=rows),
            made.poisson(0.5 + place / 20, rows) / 3,
            made.random(rows) < 0.02 + place / 100,
        )[place % 3].astype(np.float32)
        values[made.random(rows) < place / (2 * FEATURES)] = np.nan
        columns.append(values)
    return np.column_stack(columns)


def scores(rows: int, made: np.random.Generator) -> NDArray[np.float64]:
    """Probabilities, most of them low."""
    probabilities: NDArray[np.float64] = made.beta(2, 8, rows)
    return probabilities


def training_profile(rows: int, made: np.random.Generator) -> TrainingProfile:
    """The training profile of so many past rows."""
    past = table(rows, made)
    return TrainingProfile(
        rows=rows,
        first="2024-01-01",
        last="2024-12-31",
        features={PART: {name: feature_quantiles(past[:, place]) for place, name in enumerate(NAMES)}},
        scores={PART: quantiles(scores(rows, made))},
        codes={"category": {"goods": 0.5, "services": 0.3, "works": 0.2}},
    )


def compared(
    past: TrainingProfile, matrix: Table, p: NDArray[np.float64], codes: dict[str, int] | None = None
) -> Drift:
    """The drift of a portfolio that is told as a table."""
    counts = DriftCounts(past)
    counts.rows = len(matrix)
    # In two helpings, as a portfolio comes in blocks.
    for some in (slice(0, len(matrix) // 2), slice(len(matrix) // 2, None)):
        counts.add_features(PART, NAMES, matrix[some])
        counts.add_scores(PART, p[some])
    counts.codes["category"].update(codes or {})
    return drift(counts)
