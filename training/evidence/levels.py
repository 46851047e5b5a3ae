"""Rates of the UK's reference classes: large services from the casebook's cohorts, ordinary contracts from notices.

Of cases that ended by one decision one counts. Where no history of notices is at hand, the rates are those that
`factors.toml` states. A rate is (positives + 1/2) / (cases + 1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from features.table import Floats
from features.table_builder import of_tenders
from models.bundle import TrainingSource
from models.reference_classes import BEFORE, LARGE, ORDINARY, ClassRate, ClassRates, placement
from tenders.history import LabelledTender, Register
from training.evidence.documented import StatedRates, evidence

LARGE_SPREAD = 0.3
"""The least standard error of a rate of large services: other ways of counting give 14 to 32 % early ends."""
LEAST_CASES = 50
"""Cases below which a history says nothing of a class."""


class UkHistory:
    """A register of the UK beside the casebook: `every` case, and the blind `cases` that can be judged."""

    def __init__(self, register: Register, every: Sequence[LabelledTender], source: TrainingSource) -> None:
        self.register, self.every, self.source = register, tuple(every), source
        self.cases = [case for case in every if not case.cohort and register.judged(case, "no_award")]


def class_rates(large: Mapping[str, tuple[Floats, Floats]], histories: Sequence[UkHistory]) -> ClassRates:
    """The rates of all classes. `large` holds outcomes and weights of the casebook's cohort rows, by outcome."""
    stated = evidence().ordinary
    rates: ClassRates = {}
    for outcome, (y, weight) in large.items():
        rates[outcome] = {LARGE: _cohort_rate(y, weight), **_stated_rates(stated[outcome])}
        if outcome == "no_award":
            rates[outcome] |= _notice_rates(histories)
    return rates


def _cohort_rate(y: Floats, weight: Floats) -> ClassRate:
    """The rate of cohort rows, weighted; `positives` and `cases` count weights, rounded."""
    cases, positives = float(weight.sum()), float(weight @ y)
    return _rate(positives, cases, "the casebook's cohorts; what ended by one decision counts once", LARGE_SPREAD)


def _stated_rates(stated: StatedRates) -> dict[str, ClassRate]:
    return {
        name: ClassRate(rate=rate, spread=stated.spread, basis=stated.source) for name, rate in stated.rates.items()
    }


def _notice_rates(histories: Sequence[UkHistory]) -> dict[str, ClassRate]:
    """What notices tell of no award, by class; nothing of large services, of which they hold few."""
    ended: dict[str, list[float]] = {}
    names: dict[str, list[str]] = {}
    for history in histories:
        if not history.cases:
            continue
        days = [case.published for case in history.cases]
        table = of_tenders([case.as_of("draft") for case in history.cases], "draft", days)
        for case, name in zip(history.cases, placement(table).published.rows(), strict=True):
            ended.setdefault(name, []).append(float(bool(case.outcomes["no_award"])))
            if history.register.title not in names.setdefault(name, []):
                names[name].append(history.register.title)
    # Of digital call-offs most ends are never told: their rate is stated, between that of all and of those told.
    return {
        name: _rate(sum(ended[name]), len(ended[name]), f"blind cases of {' and '.join(names[name])} with an end", 0.0)
        for name in (ORDINARY, BEFORE)
        if len(ended.get(name, ())) >= LEAST_CASES
    }


def _rate(positives: float, cases: float, basis: str, least_spread: float) -> ClassRate:
    rate = (positives + 0.5) / (cases + 1)
    spread = math.sqrt(1 / (positives + 0.5) + 1 / (cases - positives + 0.5))
    return ClassRate(
        rate=round(rate, 5),
        spread=round(max(spread, least_spread), 4),
        basis=basis,
        cases=round(cases),
        positives=round(positives),
    )
