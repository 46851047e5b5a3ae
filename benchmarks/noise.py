"""How noisy outcomes are: tenders that no model could tell apart, and how often they ended differently.

Two tenders are identical here if one buyer called for the same title within a year, in the same procedure and as the
same call (a re-tender is not its first call). Pairs that ended by one decision are left out. So are pairs whose earlier
tender failed: those are called again because they failed, and say nothing of chance.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from tenders.history import LabelledTender

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

WORD = re.compile(r"[\W_]+")
YEAR = 365
FEWEST = 200
"""Repeated tenders below which nothing is bounded."""
DRAWS = 200
GRID = 20_001


class Repeats(msgspec.Struct, frozen=True, kw_only=True):
    """What repeated tenders show: how many were called again after a success, and how many of those then failed.

    `base_rate` is that of all cases. `bound` is the AUC that knowing every tender's own probability would give, if
    repeated tenders are as likely to fail as all are. All but `pairs` and `base_rate` are None where there are too few.
    """

    pairs: int
    base_rate: float
    failed: float | None = None
    bound: float | None = None
    bound_ci: tuple[float, float] | None = None


def repeats(past: Sequence[LabelledTender], outcome: str) -> Repeats:
    """The noise among all told cases of a register."""
    resolved = [case for case in past if case.known_on and case.outcomes.get(outcome) is not None]
    y = np.array([float(bool(case.outcomes[outcome])) for case in resolved])
    group, fate = _numbers([_identity(case) for case in resolved]), _numbers([case.cluster_id for case in resolved])
    day = np.array([case.published.toordinal() for case in resolved])
    order = np.lexsort((day, group))
    first, second = order[:-1], order[1:]
    paired = (group[first] == group[second]) & (fate[first] != fate[second]) & (day[second] - day[first] <= YEAR)
    after_success = paired & (y[first] == 0)
    base, ends, group = float(y.mean()), y[second[after_success]], group[second[after_success]]
    if len(ends) < FEWEST:
        return Repeats(pairs=len(ends), base_rate=base)
    return Repeats(
        pairs=len(ends),
        base_rate=base,
        failed=float(ends.mean()),
        bound=bound(base, _discordant(base, float(ends.mean()))),
        bound_ci=_interval(ends, group, base),
    )


def _discordant(base: float, failed: float) -> float:
    """How often two identical tenders differ: each order of success and failure is as likely as the other."""
    return 2 * (1 - base) * failed


def _identity(case: LabelledTender) -> tuple[object, ...]:
    tender, facts = case.tender, case.tender.tender_risk
    own = tender.tender.lots[0].title if case.lot and tender.tender.lots else None
    title = WORD.sub(" ", (own or tender.tender.title or f"row {case.row}").casefold()).strip()
    buyer = (tender.buyer and (tender.buyer.id or tender.buyer.name)) or f"row {case.row}"
    method = tender.tender.procurement_method_details or tender.tender.procurement_method
    return buyer, title, method, facts.call_number, facts.retender


def _numbers(keys: Sequence[object]) -> Numbers:
    numbers = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], dtype=np.int64)


def discordance(group: Numbers, fate: Numbers, y: Floats) -> Floats:
    """For each row the share of its group's rows of another fate that ended otherwise; NaN where there is none."""
    rate, others = rate_of_others(group, fate, y)
    return np.where(others > 0, np.where(y == 1, 1 - rate, rate), np.nan)


def rate_of_others(group: Numbers, fate: Numbers, y: Floats) -> tuple[Floats, Floats]:
    """For each row how often the rows of its group, but of another fate, had the outcome, and how many there are."""
    together = np.unique(np.stack([group, fate]), axis=1, return_inverse=True)[1].ravel()
    others = np.bincount(group)[group] - np.bincount(together)[together]
    failed = np.bincount(group, y)[group] - np.bincount(together, y)[together]
    return failed / np.maximum(others, 1), others.astype(np.float64)


def bound(base: float, discordant: float) -> float:
    """The AUC of knowing every tender's probability, if these spread like a beta distribution.

    Two draws from one probability p differ with chance 2 p (1 - p). Its mean over tenders and the base rate give the
    distribution's mean and variance; the AUC is the chance that a failure's p lies above a success's.
    """
    variance = base * (1 - base) - discordant / 2
    if variance <= 0:
        return 0.5
    if discordant <= 0:
        return 1.0
    strength = base * (1 - base) / variance - 1
    a, b = base * strength, (1 - base) * strength
    p = beta.ppf((np.arange(GRID) + 0.5) / GRID, a, b)
    success = np.cumsum(1 - p) - (1 - p) / 2
    return float(np.sum(p * success) / (np.sum(p) * np.sum(1 - p)))


def _interval(ends: Floats, group: Numbers, base: float) -> tuple[float, float]:
    """95 % interval of the bound, identical tenders drawn together."""
    numbers = np.unique(group, return_inverse=True)[1]
    n, failed = np.bincount(numbers), np.bincount(numbers, ends)
    rng = np.random.default_rng(0)
    bounds = []
    for _ in range(DRAWS):
        times = np.bincount(rng.integers(0, len(n), len(n)), minlength=len(n))
        bounds.append(bound(base, _discordant(base, float((times * failed).sum() / (times * n).sum()))))
    low, high = np.percentile(bounds, [2.5, 97.5])
    return float(low), float(high)
