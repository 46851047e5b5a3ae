"""A tender among its peers: a strip of the casebook's cohort cases on the scale of its score."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import msgspec

from models.bundle import Bundle
from models.comparables import Peers, peers
from models.score import Score
from serving.answers import held
from serving.pages.result import Scale, scale
from tenders.facts import Stage

COLUMNS, MIDDLE, TALLEST = 50, 44, 40
"""Columns of the strip; where its middle line lies and how high a column may be, in its own units."""


class Column(msgspec.Struct, frozen=True):
    """Cases of about the same score: where they stand in percent, and how high those that failed and held reach."""

    x: float
    up: float
    down: float


class Strip(msgspec.Struct, frozen=True):
    """The peers of one score: their picture, and how many there are of either kind, all and below it."""

    scale: Scale
    columns: list[Column]
    failed: int
    held: int
    failed_below: int
    held_below: int


@cache
def of_held(stage: Stage) -> Peers:
    """The peers under the bundle that is served: found once, for they are some hundreds of scores."""
    return peers(held(), stage)


def strip(score: Score, bundle: Bundle, found_at: Callable[[Stage], Peers]) -> Strip | None:
    """The peers on the scale of a score, in columns of a fiftieth of it; what lies beyond it stands in the last.

    None for a score of another register than the bundle's own: of its cases the bundle keeps none.
    """
    if score.register != bundle.manifest.register:
        return None
    found, on = found_at(score.stage), scale(score)
    end = 1.0 if on.end == "100%" else 0.5
    up, down = ([_column(failure, end) for failure in each] for each in (found.failed, found.held))
    most = max(*(up.count(column) for column in range(COLUMNS)), *(down.count(column) for column in range(COLUMNS)), 1)
    failed_below, held_below = found.below(score.failure)
    return Strip(
        scale=on,
        columns=[
            Column(
                x=100 * column / COLUMNS,
                up=round(TALLEST * up.count(column) / most, 1),
                down=round(TALLEST * down.count(column) / most, 1),
            )
            for column in sorted({*up, *down})
        ],
        failed=len(up),
        held=len(down),
        failed_below=failed_below,
        held_below=held_below,
    )


def _column(failure: float, end: float) -> int:
    return min(int(failure / end * COLUMNS), COLUMNS - 1)
