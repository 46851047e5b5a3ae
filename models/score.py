"""The straight line: a process and a stage in, a score with its reasons out.

    release → Tender → as_of(stage) → features → booster → calibration → score and reasons

A draft on the command line, a request and a page come through `score`, changes of it through `numbers`, a portfolio
through `told`, an evaluation through `predictions` within all of them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from itertools import compress
from typing import Literal

import msgspec
import numpy as np

from features.categorical import Categorical
from features.remarks import remarks
from models.bundle import FAILURE_OUTCOMES, Bundle
from models.calibration import Floats, failure_probability
from models.cases import Case, Queue, case
from models.factors import Factor, factors
from models.knowing import record_of
from models.predict import Batch, Predictions, measured, predictions
from models.reasons import Reason, Unknown, margins_of, reasons, unknowns
from tenders.facts import Stage
from tenders.process import Process

__all__ = ["Case", "case", "explained", "numbers", "score", "scores", "told"]

NO_BID = "no bid came in, so there can be no award: a rule, not a prediction"

Band = Literal["low", "typical", "high", "very high"]

# Times the register's base rate at which the next band begins: half as often again as usual is worth a second look,
# two and a half times is as rare as the highest tenth of the casebook's cohorts.
BANDS: tuple[tuple[float, Band], ...] = ((0.75, "low"), (1.5, "typical"), (2.5, "high"))


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """Probabilities by outcome. `early_end` is given an award; `single_bid` is no part of failure."""

    no_award: float
    early_end: float
    single_bid: float | None


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What Tender Risk says about one tender at one stage. Probabilities are 0 to 1, rounded to 4 places."""

    ocid: str | None
    stage: Stage
    failure: float
    interval: tuple[float, float]
    outcomes: Outcomes
    base_rate: float
    band: Band
    register: str
    bundle: str
    evidence: str
    reasons: tuple[Reason, ...] = ()
    factors: tuple[Factor, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    warnings: tuple[str, ...] = ()


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of tenders of one bundle at one stage in numbers, a row a tender, rounded to 4 places.

    `single_bid` is NaN where it is not told. `unknown` names what the bundle weighs and the tender does not state, or
    not yet. `warnings` is what has to be said of what it
    states, and of the score, by the place of the tender: of most there is nothing to say.
    """

    failure: Floats
    low: Floats
    high: Floats
    no_award: Floats
    early_end: Floats
    single_bid: Floats
    band: Categorical[Band]
    unknown: Categorical[tuple[str, ...]]
    warnings: dict[int, tuple[str, ...]]
    base_rate: float

    def rows(self) -> Iterator[Numbers]:
        """What is told of each tender."""
        numbers = np.column_stack([getattr(self, name) for name in _NUMBERS])
        rows = zip(numbers.tolist(), self.band.rows(), self.unknown.rows(), strict=True)
        for place, (row, band, unknown) in enumerate(rows):
            said = self.warnings.get(place, ())
            yield Numbers(*row, band, unknown, said, self.base_rate)  # type: ignore[call-arg]


_NUMBERS = ("failure", "low", "high", *Outcomes.__struct_fields__)


class Numbers(msgspec.Struct, frozen=True):
    """What is told of one tender, as in `Told`."""

    failure: float
    low: float
    high: float
    no_award: float
    early_end: float
    single_bid: float
    band: Band
    unknown: tuple[str, ...]
    warnings: tuple[str, ...]
    base_rate: float


def score(bundle: Bundle, process: Process, stage: Stage | None = None, explain: bool = True) -> Score:
    """The score of a process at a stage: by default the latest of which it holds a fact.

    Raises DataError that names the place if the process cannot be read as a tender, or if the stage is none.
    """
    one = case(bundle, process, stage)
    if explain:
        return explained(one)
    (plain,) = scores([one])
    return plain


def explained(one: Case) -> Score:
    """The score of one case with its reasons, its factors and what is unknown."""
    record = record_of(one.bundle, one.tender, one.published)
    batch = measured(one.bundle, one.stage, [one.tender], [record])
    found = predictions(batch)
    (numbers,) = told(batch, found).rows()
    margins = margins_of(one.bundle, one.stage, found)
    weighed = (None if math.isnan(value) else value for value in found.measured[0].tolist())
    values = dict(zip((feature.name for feature in one.bundle.weighed), weighed, strict=True))
    return msgspec.structs.replace(
        _score(one, numbers),
        reasons=tuple(reasons(margins, values, one.tender, record, one.process)),
        factors=factors(one.tender, record, one.stage),
        unknown=tuple(unknowns(values, one.stage)),
    )


def scores(cases: Sequence[Case]) -> list[Score]:
    """The scores of many cases, in their order and without reasons: what `score` says of each."""
    return [_score(one, told) for one, told in zip(cases, numbers(cases), strict=True)]


def numbers(cases: Sequence[Case], only: Collection[str] | None = None) -> list[Numbers]:
    """The numbers of many cases, in their order; with `only`, those of no other outcomes."""
    queue = Queue(only)
    queue.add(cases)
    found: dict[int, Numbers] = {}
    for places, batch, predicted in queue.told():
        found.update(zip(places, told(batch, predicted).rows(), strict=True))
    return [found[place] for place in range(len(cases))]


def told(batch: Batch, found: Predictions) -> Told:
    """What is told of measured tenders by what is predicted of them."""
    bundle = batch.bundle
    base_rate = failure_probability(*(_base_rate(bundle, outcome, batch.stage) for outcome in FAILURE_OUTCOMES))
    failure, unknown, warnings = found.failure, found.unknown(), remarks(batch.columns)
    for place in np.flatnonzero(found.no_bid).tolist():
        warnings[place] = (*warnings.get(place, ()), NO_BID)
    names = [feature.name for feature in bundle.weighed]
    # The interval holds the score itself, whatever the resamples say.
    low, high = np.minimum(failure, found.interval[:, 0]), np.maximum(failure, found.interval[:, 1])
    parts = [found.of(name) for name in Outcomes.__struct_fields__]
    numbers = np.round(np.array([failure, low, high, *parts]), 4)
    return Told(
        **dict(zip(_NUMBERS, numbers, strict=True)),
        band=bands(failure, base_rate),
        unknown=unknown.map(lambda row: tuple(compress(names, row))),
        warnings=warnings,
        base_rate=round(base_rate, 4),
    )


def _score(one: Case, told: Numbers) -> Score:
    manifest = one.bundle.manifest
    return Score(
        ocid=one.process.ocid,
        stage=one.stage,
        failure=told.failure,
        interval=(told.low, told.high),
        outcomes=Outcomes(
            no_award=told.no_award,
            early_end=told.early_end,
            single_bid=None if math.isnan(told.single_bid) else told.single_bid,
        ),
        base_rate=told.base_rate,
        band=told.band,
        register=manifest.register,
        bundle=manifest.version,
        evidence=manifest.evidence,
        warnings=(*one.said, *told.warnings),
    )


def bands(failure: Floats, base_rate: float) -> Categorical[Band]:
    """How probabilities stand against the register's base rate."""
    above = np.searchsorted([times * base_rate for times, _ in BANDS], failure, side="right")
    return Categorical([*(name for _, name in BANDS), "very high"], above.astype(np.int32))


def _base_rate(bundle: Bundle, outcome: str, stage: Stage) -> float:
    calibration = bundle.calibration.get((outcome, stage))
    return calibration.base_rate if calibration else 0.0
