"""Inductive Venn-Abers predictor: a case's probability by isotonic regression, had it failed and had it not.

Source: Vovk and Petej 2014, Venn-Abers predictors (UAI), section 3. The isotonic fits of all cases with lower, and of
all with higher scores are found once; the case itself is then put between them and merged with what it violates, which
gives the same as fitting anew with the case added.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Blocks = list[tuple[float, float, int]]
"""For each place the block of the isotonic fit that ends there: its sum, its cases, and the place beyond it."""


def venn_abers(score: Floats, y: Floats, test: Floats) -> tuple[Floats, Floats]:
    """For each test score, shape (tests,), the probability with the case added as 0 and as 1. Scores rise with risk."""
    known, which = np.unique(score, return_inverse=True)
    positive, cases = np.bincount(which, y), np.bincount(which).astype(float)
    below = _blocks(positive, cases)
    mirrored = _blocks((cases - positive)[::-1], cases[::-1])
    above = [(n - total, n, len(known) - 1 - beyond) for total, n, beyond in mirrored][::-1]
    places, back = np.unique(
        np.stack([np.searchsorted(known, test, "left"), np.searchsorted(known, test, "right")]),
        axis=1,
        return_inverse=True,
    )
    bounds = np.array(list(_both(places, positive, cases, below, above)))
    low, high = bounds[back.ravel()].T
    return low, high


def _blocks(positive: Floats, cases: Floats) -> Blocks:
    """Pool adjacent violators from the left, remembering the last block at every place."""
    blocks: Blocks = []
    for at in range(len(cases)):
        total, n, beyond = float(positive[at]), float(cases[at]), at - 1
        while beyond >= 0 and blocks[beyond][0] * n >= total * blocks[beyond][1]:
            more, many, further = blocks[beyond]
            total, n, beyond = total + more, n + many, further
        blocks.append((total, n, beyond))
    return blocks


def _both(
    places: NDArray[np.int64], positive: Floats, cases: Floats, below: Blocks, above: Blocks
) -> Iterator[tuple[float, float]]:
    for left, right in places.T.tolist():
        tied = slice(left, right)
        total, n = float(positive[tied].sum()), float(cases[tied].sum()) + 1
        yield (
            _with(total, n, left - 1, right, below, above),
            _with(total + 1, n, left - 1, right, below, above),
        )


def _with(total: float, n: float, left: int, right: int, below: Blocks, above: Blocks) -> float:
    """The fitted value of a case between the places `left` and `right`, merged with all that it violates."""
    while True:
        if left >= 0 and below[left][0] * n >= total * below[left][1]:
            more, many, left = below[left]
        elif right < len(above) and above[right][0] * n <= total * above[right][1]:
            more, many, right = above[right]
        else:
            return total / n
        total, n = total + more, n + many
