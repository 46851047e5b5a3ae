"""What forecasts leave over, and whether calls of one unit share it: is there more to know in what had ended before?

A forecast that misses something which a unit's earlier calls tell leaves over residuals that agree with those of calls
whose ends were known. Where these agree and those do not, what ties calls together became known too late for any
record.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.tables import Row

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

APART = ((0, 0, "published the same day"), (1, 1, "a day apart"), (2, 7, "up to a week"), (8, 30, "up to a month"))
LARGE = 2_000
"""Calls of a unit that are paired at once: the first of a larger one with all its others."""


def ties(residual: Floats, unit: Numbers, published: Numbers, known: Numbers) -> list[Row]:
    """How far residuals of two calls of one unit agree, as a correlation: by the days between them, and where the end
    of the earlier was known when the later was published.

    Days are numbers; all arrays have shape (cases,).
    """
    left = residual - residual.mean()
    names = [name for *_, name in APART]
    total = dict.fromkeys([*names, "the end of one was known"], 0.0)
    count = dict.fromkeys(total, 0)
    for later, earlier in _pairs(unit, published):
        product, days = left[later] * left[earlier], published[later] - published[earlier]
        kinds = [(name, (days >= least) & (days <= most)) for least, most, name in APART]
        for name, some in [*kinds, ("the end of one was known", known[earlier] < published[later])]:
            total[name] += float(product[some].sum())
            count[name] += int(some.sum())
    spread = float(left.var())
    return [
        {"two calls of a unit": name, "pairs": count[name], "correlation": total[name] / count[name] / spread}
        for name in total
        if count[name] and spread
    ]


def _pairs(unit: Numbers, published: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs of rows of one unit, the later first: all of each, a unit at a time, in pieces."""
    order = np.lexsort((published, unit))
    for rows in np.split(order, np.flatnonzero(np.diff(unit[order])) + 1):
        for begin in range(0, len(rows), LARGE):
            some = rows[begin : begin + LARGE]
            later, earlier = np.meshgrid(some, rows[: begin + LARGE], indexing="ij")
            before = np.arange(begin + len(some)) < np.arange(begin, begin + len(some))[:, None]
            yield later[before], earlier[before]
