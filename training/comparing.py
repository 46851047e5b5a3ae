"""Whether one model is worse than another: both judged on the same cases, which neither had seen.

Every figure is compared in every register, outcome and stage, and in every large group of its cases. Chance alone would
make some of so many differences look bad, so the intervals are wide enough to hold all together 95 times in a hundred
(Bonferroni), from the spread of the differences when whole clusters are drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from statistics import NormalDist

import msgspec
import numpy as np
from numpy.typing import NDArray

from training import metrics
from training.forecasts import Forecasts
from training.splits import resamples

Floats = NDArray[np.float64]
Progress = Callable[[str], None]

LARGE, ENOUGH = 500, 30
"""A group counts from so many common cases, with so many of either outcome."""
FEWEST, LEAST, CLUSTERS = 50, 10, 10
"""Common cases, cases of either outcome, and clusters below which a whole register's outcome is not compared."""
DRAWS = 100
TOLD_BY_OUTCOME = ("ending",)
"""Groups that are no groups of cases before they end: within one there is no outcome to tell apart."""

MEASURES: Mapping[str, metrics.Figure] = {"auc": metrics.auc, "brier": metrics.brier, "ece": metrics.ece}
BETTER = {"auc": 1, "brier": -1, "ece": -1}


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both models on the same cases; `difference` is challenger less champion, with its interval.

    `group` is `all` or for example `year 2019`. `worse` if the whole interval lies on the bad side of 0.
    """

    register: str
    outcome: str
    stage: str
    group: str
    measure: str
    n: int
    positives: int
    champion: float
    challenger: float
    difference: float
    interval: tuple[float, float]
    worse: bool

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{self.measure} {self.challenger:.4f} against {self.champion:.4f}, {self.difference:+.4f} "
            f"({low:+.4f} to {high:+.4f}), on {self.n:,} cases"
        )

    @property
    def where(self) -> str:
        """What was compared, in words."""
        return f"{self.register}/{self.outcome}/{self.stage}, {self.group}"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All that could be compared, and in words what could not; `too_few` has what no two models could be told by."""

    compared: tuple[Compared, ...]
    not_compared: tuple[str, ...]
    too_few: tuple[str, ...] = ()

    @property
    def worse(self) -> tuple[Compared, ...]:
        """Where the challenger is worse beyond the interval."""
        return tuple(each for each in self.compared if each.worse)


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Both models' forecasts of the same cases."""

    first: Forecasts
    group: str
    y: Floats
    champion: Floats
    challenger: Floats
    cluster: NDArray[np.int64]


def compare(
    champion: Mapping[str, Forecasts],
    challenger: Mapping[str, Forecasts],
    progress: Progress = lambda _: None,
    seed: int = 0,
) -> Comparison:
    """Compares in everything that the champion forecasts. What the challenger forecasts besides is nobody's loss."""
    pairs: list[Pair] = []
    without: list[str] = []
    few: list[str] = []
    for name, before in champion.items():
        whole = paired(before, challenger[name]) if name in challenger else None
        if whole is None:
            without.append(f"{name}: the challenger has no forecasts of it")
        elif not _enough(paired(before, before), FEWEST, LEAST):
            few.append(f"{name}: {len(before.y):,} cases, too few to tell models apart")
        elif not _enough(whole, FEWEST, LEAST):
            without.append(f"{name}: {len(whole.y):,} cases in common, too few")
        else:
            pairs += [whole, *groups(whole)]
    count = len(pairs) * len(MEASURES)
    found: list[Compared] = []
    for pair in pairs:
        progress(f"comparing {pair.first.name}, {pair.group}")
        found += judged(pair, NormalDist().inv_cdf(1 - 0.025 / count), seed)
    return Comparison(compared=tuple(found), not_compared=tuple(without), too_few=tuple(few))


def paired(champion: Forecasts, challenger: Forecasts) -> Pair:
    """Cases that both forecast; outcomes and groups as the challenger, which knows them later, has them."""
    _, old, new = np.intersect1d(champion.key, challenger.key, return_indices=True)
    return Pair(
        first=msgspec.structs.replace(
            challenger, groups={name: labels[new] for name, labels in challenger.groups.items()}
        ),
        group="all",
        y=challenger.y[new],
        champion=champion.p[old],
        challenger=challenger.p[new],
        cluster=challenger.cluster[new],
    )


def groups(whole: Pair) -> Iterator[Pair]:
    """The large groups of a pair's cases."""
    for kind, labels in whole.first.groups.items():
        names = [] if kind in TOLD_BY_OUTCOME else sorted(set(labels) - {""})
        for name in names:
            rows = np.flatnonzero(labels == name)
            part = Pair(
                first=whole.first,
                group=f"{kind} {name}",
                y=whole.y[rows],
                champion=whole.champion[rows],
                challenger=whole.challenger[rows],
                cluster=whole.cluster[rows],
            )
            if len(rows) < len(whole.y) and _enough(part, LARGE, ENOUGH):
                yield part


def judged(pair: Pair, z: float, seed: int) -> Iterator[Compared]:
    """Every figure of a pair, with the interval of its difference: `z` standard errors to either side."""
    ones = np.ones(len(pair.y))
    drawn: dict[str, list[float]] = {name: [] for name in MEASURES}
    for rows in resamples(pair.cluster, DRAWS, seed):
        y, one = pair.y[rows], ones[rows]
        for name, figure in MEASURES.items():
            drawn[name].append(figure(y, pair.challenger[rows], one) - figure(y, pair.champion[rows], one))
    for name, figure in MEASURES.items():
        before, after = figure(pair.y, pair.champion, ones), figure(pair.y, pair.challenger, ones)
        spread = z * float(np.nanstd(drawn[name]))
        difference = after - before
        low, high = difference - spread, difference + spread
        yield Compared(
            register=pair.first.register,
            outcome=pair.first.outcome,
            stage=pair.first.stage,
            group=pair.group,
            measure=name,
            n=len(pair.y),
            positives=int(pair.y.sum()),
            champion=before,
            challenger=after,
            difference=difference,
            interval=(low, high),
            worse=(high if BETTER[name] > 0 else -low) < 0,
        )


def _enough(pair: Pair, rows: int, either: int) -> bool:
    hits = int(pair.y.sum())
    return len(pair.y) >= rows and min(hits, len(pair.y) - hits) >= either and len(np.unique(pair.cluster)) >= CLUSTERS
