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
from functools import cached_property
from typing import Literal

import msgspec
import numpy as np

from features.columns import Columns
from features.remarks import remarks
from models.bundle import ENDINGS, Bundle
from models.calibration import Floats, failure_of
from models.knowing import record_of, records_of
from models.predicting import Batch, Predictions, measured, predictions
from models.reasons import Reason, Unknown, margins_of, reasons, unknowns
from models.signs.judging import Judged, judged
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


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of tenders of one bundle at one stage in numbers, a row a tender, rounded to 4 places.

    `single_bid` is NaN where it is not told. `unknown` names what the bundle weighs and the tender does not state, or
    not yet; `warnings` is what has to be said of what it states, and of the score.
    """

    failure: Floats
    low: Floats
    high: Floats
    no_award: Floats
    early_end: Floats
    single_bid: Floats
    band: list[Band]
    unknown: list[tuple[str, ...]]
    warnings: list[tuple[str, ...]]
    base_rate: float

    def rows(self) -> Iterator[Numbers]:
        """What is told of each tender."""
        numbers = np.column_stack([self.failure, self.low, self.high, self.no_award, self.early_end, self.single_bid])
        for row, *names in zip(numbers.tolist(), self.band, self.unknown, self.warnings, strict=True):
            yield Numbers(*row, *names, self.base_rate)  # type: ignore[call-arg]


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


class Case(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A process made ready for a bundle at a stage, with the day of its track records and what has to be said of it."""

    process: Process
    bundle: Bundle
    stage: Stage
    published: date | None
    said: tuple[str, ...]

    @property
    def alone(self) -> bool:
        """Whether it is a single release, of which a stage takes away what came later and nothing else."""
        return len(self.process.releases) <= 1

    @property
    def at_any_stage(self) -> Tender:
        """The tender, to read only what is the same at every stage: to take away what came later is dear."""
        return self.process.compiled() if self.alone else self.tender

    @cached_property
    def tender(self) -> Tender:
        """The tender as of the stage."""
        return self.process.as_of(self.stage)


class Queue:
    """Cases measured as they come and told together: those of one bundle and stage are predicted at once.

    The cases need not be held. But a register's records are read for many at once, so its tenders are held until then.
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[str, Stage], _Group] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, cases: Sequence[Case]) -> None:
        """Takes more cases."""
        together: dict[tuple[str, Stage], list[int]] = defaultdict(list)
        for place, each in enumerate(cases):
            together[each.bundle.manifest.register, each.stage].append(place)
        for places in together.values():
            first = cases[places[0]]
            group = self._group(first.bundle, first.stage)
            group.add([cases[place] for place in places])
            group.places += [self._size + place for place in places]
        self._size += len(cases)

    def add_drafts(self, bundle: Bundle, columns: Columns, published: Sequence[date | None]) -> None:
        """Takes drafts that were read by column, of no known register: where the bundle is `read_by_column`."""
        columns.records = list(map(bundle.log.on, published))
        group = self._group(bundle, "draft")
        group.batch.add_columns(columns)
        group.places += range(self._size, self._size + len(columns))
        self._size += len(columns)

    def _group(self, bundle: Bundle, stage: Stage) -> _Group:
        key = bundle.manifest.register, stage
        if key not in self._groups:
            self._groups[key] = _Group(bundle, stage)
        return self._groups[key]

    def told(self) -> Iterator[tuple[list[int], Batch, Predictions]]:
        """What is predicted of each group of them, with their places in the order in which they came."""
        for group in self._groups.values():
            yield group.places, *group.told()


def read_by_column(bundle: Bundle) -> bool:
    """Whether a draft of no known register is scored by what `features.columns` holds of it, and nothing else."""
    return bool(bundle.tells("draft")) and not bundle.states and Batch(bundle, "draft").by_column


class _Group:
    """Cases of one bundle and stage."""

    def __init__(self, bundle: Bundle, stage: Stage) -> None:
        self.places: list[int] = []
        self.batch = Batch(bundle, stage)
        self._held: list[Case] = []

    def add(self, cases: Sequence[Case]) -> None:
        if self.batch.bundle.states:
            self._held += cases
        else:
            self._measure(cases)

    def told(self) -> tuple[Batch, Predictions]:
        if self._held:
            self._measure(self._held)
            self._held = []
        return self.batch, predictions(self.batch)

    def _measure(self, cases: Sequence[Case]) -> None:
        batch = self.batch
        tenders = [each.at_any_stage if batch.by_column else each.tender for each in cases]
        batch.add(tenders, records_of(batch.bundle, tenders, [each.published for each in cases]))


def case(bundle: Bundle, process: Process, stage: Stage | None = None) -> Case:
    """A process ready to be scored at a stage: by default the latest of which it holds a fact.

    Raises DataError that names the place if the process cannot be read as a tender, or if the stage is none.
    """
    if stage is not None and stage not in STAGES:
        raise DataError.at("/stage", f"{str(stage)[:40]!r} is no stage", f"Use one of {', '.join(STAGES)}")
    bundle, at, limits = _able(bundle, bundle.of(process.ocid), stage or process.latest_stage())
    said = (*process.warnings, *limits)
    made = Case(process=process, bundle=bundle, stage=at, published=process.published_on(), said=said)
    if not made.alone:
        # Releases that are sound each can make a tender that is not.
        made.tender  # noqa: B018
    return made


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
    batch = measured(one.bundle, one.stage, [one.tender], [record])
    found = predictions(batch)
    (numbers,) = told(batch, found).rows()
    margins = margins_of(one.bundle, one.stage, found)
    weighed = (None if math.isnan(value) else value for value in found.measured[0].tolist())
    values = dict(zip((feature.name for feature in one.bundle.weighed), weighed, strict=True))
    return msgspec.structs.replace(
        _score(one, numbers),
        reasons=tuple(reasons(margins, values, one.tender, record, one.process)),
        signs=judged(one.tender, record, one.stage),
        unknown=tuple(unknowns(values, one.stage)),
    )


def scores(cases: Sequence[Case]) -> list[Score]:
    """The scores of many cases, in their order and without reasons: what `score` says of each."""
    return [_score(one, told) for one, told in zip(cases, numbers(cases), strict=True)]


def numbers(cases: Sequence[Case]) -> list[Numbers]:
    """The numbers of many cases, in their order."""
    queue = Queue()
    queue.add(cases)
    found: dict[int, Numbers] = {}
    for places, batch, predicted in queue.told():
        found.update(zip(places, told(batch, predicted).rows(), strict=True))
    return [found[place] for place in range(len(cases))]


def told(batch: Batch, found: Predictions) -> Told:
    """What is told of measured tenders by what is predicted of them."""
    bundle = batch.bundle
    base_rate = failure_of(*(_base_rate(bundle, outcome, batch.stage) for outcome in ENDINGS))
    failure = found.failure
    bounds = np.column_stack([failure, found.interval])
    no_bid = found.no_bid.tolist()
    return Told(
        failure=np.round(failure, 4),
        # The interval holds the score itself, whatever the resamples say.
        low=np.round(bounds.min(axis=1), 4),
        high=np.round(bounds.max(axis=1), 4),
        **{name: np.round(found.of(name), 4) for name in Outcomes.__struct_fields__},
        band=bands(failure, base_rate),
        unknown=found.unknown(bundle),
        warnings=[(*said, NO_BID) if none else said for said, none in zip(remarks(batch.columns), no_bid, strict=True)],
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


def _able(bundle: Bundle, own: Bundle, asked: Stage) -> tuple[Bundle, Stage, tuple[str, ...]]:
    """The bundle and stage at which failure can be told of a tender of its `own`, and what has to be said of that.

    A register tells what it records: some nothing of contracts, some nothing after the call, some no failure at all.
    """
    if own is bundle and own.tells(asked):
        return own, asked, ()
    name = own.manifest.register
    for at in reversed(STAGES[: STAGES.index(asked) + 1]):
        told = own.tells(at)
        if told and own is bundle:
            return bundle, at, ()
        if told:
            said = [f"{name} has no model at {asked}: this is its score at {at}"] if at != asked else []
            if len(told) == 1 and at != "awarded":
                said.append(f"failure counts {told[0]} alone: {name} tells no other")
            return own, at, tuple(said)
    return bundle, asked, (f"{name} tells no failure at {asked}: this is scored as a tender of no known register",)


def bands(failure: Floats, base_rate: float) -> list[Band]:
    """How probabilities stand against the register's base rate."""
    names = (*(name for _, name in BANDS), "very high")
    above = np.searchsorted([times * base_rate for times, _ in BANDS], failure, side="right")
    return [names[each] for each in above.tolist()]


def _base_rate(bundle: Bundle, outcome: str, stage: Stage) -> float:
    calibration = bundle.calibration.get((outcome, stage))
    return calibration.base_rate if calibration else 0.0
