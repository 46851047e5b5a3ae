"""The straight line: a process and a stage in, a score with its reasons out.

    release → Tender → as_of(stage) → features → booster → calibration → score and reasons

A draft on the command line, a request and a page come through `score`, a portfolio through `scores`, an evaluation
through `predictions` within both.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import repeat
from typing import Literal

import msgspec
import numpy as np

from models.bundle import Bundle
from models.calibration import failure_of
from models.knowing import record_of, records_of
from models.predicting import ENDINGS, Predictions, predictions
from models.reasons import Reason, Unknown, margins_of, reasons, unknowns
from models.signs.judging import Judged, judged
from tenders.checks import remarks
from tenders.errors import DataError
from tenders.facts import STAGES, Stage
from tenders.process import Process
from tenders.tender import Tender

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
    signs: tuple[Judged, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    warnings: tuple[str, ...] = ()


class Numbers(msgspec.Struct, frozen=True):
    """What is told of one tender at one stage in numbers, rounded to 4 places.

    `single_bid` is NaN where it is not told. `unknown` names what the bundle weighs and the tender does not state, or
    not yet.
    """

    failure: float
    low: float
    high: float
    no_award: float
    early_end: float
    single_bid: float
    no_bid: bool
    band: Band
    unknown: tuple[str, ...]
    base_rate: float


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A process made ready for a bundle at a stage, with what has to be said of that."""

    process: Process
    bundle: Bundle
    stage: Stage
    tender: Tender
    published: date | None
    said: tuple[str, ...]

    def warned(self, told: Numbers) -> tuple[str, ...]:
        """Everything that has to be said of the score."""
        return (*self.said, NO_BID) if told.no_bid else self.said


def case(bundle: Bundle, process: Process, stage: Stage | None = None) -> Case:
    """A process ready to be scored at a stage: by default the latest of which it holds a fact.

    Raises DataError that names the place if the process cannot be read as a tender, or if the stage is none.
    """
    if stage is not None and stage not in STAGES:
        raise DataError.at("/stage", f"{str(stage)[:40]!r} is no stage", f"Use one of {', '.join(STAGES)}")
    asked = stage or process.latest_stage()
    tender = process.as_of(asked)
    bundle, at, limits = _able(bundle, tender, asked)
    if at != asked:
        tender = process.as_of(at)
    return Case(
        process=process,
        bundle=bundle,
        stage=at,
        tender=tender,
        published=process.published_on(),
        said=(*process.warnings, *limits, *remarks(tender)),
    )


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
    """The score of one case with its reasons, its signs and what is unknown."""
    record = record_of(one.bundle, one.tender, one.published)
    found = predictions(one.bundle, one.stage, [one.tender], [(0, record)])
    (told,) = _numbers(one.bundle, one.stage, found)
    margins = margins_of(one.bundle, one.stage, found)
    values = dict(zip((feature.name for feature in one.bundle.weighed), found.rows[0], strict=True))
    return msgspec.structs.replace(
        _score(one, told),
        reasons=tuple(reasons(margins, values, one.tender, record, one.process)),
        signs=judged(one.tender, record, one.stage),
        unknown=tuple(unknowns(values, one.stage)),
    )


def scores(cases: Sequence[Case]) -> list[Score]:
    """The scores of many cases, in their order and without reasons: what `score` says of each."""
    return [_score(one, told) for one, told in zip(cases, numbers(cases), strict=True)]


def numbers(cases: Sequence[Case]) -> list[Numbers]:
    """The numbers of many cases, in their order: those of one bundle and stage are predicted together."""
    together: dict[tuple[str, Stage], list[int]] = defaultdict(list)
    for place, each in enumerate(cases):
        together[each.bundle.manifest.register, each.stage].append(place)
    found: dict[int, Numbers] = {}
    for places in together.values():
        alike = [cases[place] for place in places]
        bundle, stage, tenders = alike[0].bundle, alike[0].stage, [each.tender for each in alike]
        records = records_of(bundle, tenders, [each.published for each in alike])
        found.update(zip(places, _numbers(bundle, stage, predictions(bundle, stage, tenders, records)), strict=True))
    return [found[place] for place in range(len(cases))]


def _numbers(bundle: Bundle, stage: Stage, found: Predictions) -> Iterator[Numbers]:
    base_rate = failure_of(*(_base_rate(bundle, outcome, stage) for outcome in ENDINGS))
    failure = found.failure
    bounds = np.column_stack([failure, found.interval])
    # The interval holds the score itself, whatever the resamples say.
    exact = [
        failure,
        bounds.min(axis=1),
        bounds.max(axis=1),
        *(found.of(name) for name in Outcomes.__struct_fields__),
    ]
    rounded = (np.round(column, 4).tolist() for column in exact)
    bands = (band(each, base_rate) for each in failure.tolist())
    for row in zip(*rounded, found.no_bid.tolist(), bands, found.unknown(bundle), repeat(round(base_rate, 4))):
        yield Numbers(*row)


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
        warnings=one.warned(told),
    )


def _able(bundle: Bundle, tender: Tender, asked: Stage) -> tuple[Bundle, Stage, tuple[str, ...]]:
    """The bundle and stage at which failure can be told of a tender, and what has to be said of that.

    A register tells what it records: some nothing of contracts, some nothing after the call, some no failure at all.
    """
    own = bundle.of(tender)
    name = own.manifest.register
    for at in reversed(STAGES[: STAGES.index(asked) + 1]):
        told = [outcome for outcome in ENDINGS if (outcome, at) in own.boosters]
        if told and own is bundle:
            return bundle, at, ()
        if told:
            said = [f"{name} has no model at {asked}: this is its score at {at}"] if at != asked else []
            if len(told) == 1 and at != "awarded":
                said.append(f"failure counts {told[0]} alone: {name} tells no other")
            return own, at, tuple(said)
    return bundle, asked, (f"{name} tells no failure at {asked}: this is scored as a tender of no known register",)


def band(failure: float, base_rate: float) -> Band:
    """How a probability stands against the register's base rate."""
    for times, name in BANDS:
        if failure < times * base_rate:
            return name
    return "very high"


def _base_rate(bundle: Bundle, outcome: str, stage: Stage) -> float:
    calibration = bundle.calibration.get((outcome, stage))
    return calibration.base_rate if calibration else 0.0
