"""From a process to a score, and from many to many: which model speaks of a tender, and what is said of it.

    process → Case (bundle, stage) → table → Predictions → Scores → Score

A draft on the command line, a request and a page come through `score`, changes of it through `forecasts`, a portfolio
through `BatchScorer`. All of them pass through `predict`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date
from functools import cache, cached_property
from itertools import compress
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.categorical import Categorical
from features.competition import bidders
from features.table import Floats, TenderTable
from features.table_builder import TableBuilder, columns_asked, of_tenders
from features.value import NO_CURRENCY, net_or_gross
from models.bundle import Bundle
from models.factors import Factor, factors
from models.predict import Predictions, predict
from models.reasons import Reason, Unknown, margins_of, reasons, unknowns
from tenders import cpv
from tenders.advisers import find_advisers
from tenders.ended import remarks
from tenders.errors import DataError
from tenders.facts import STAGES, Stage
from tenders.process import Process
from tenders.stages import require_stage
from tenders.tender import Tender
from tenders.tender_chunk import TenderChunk

FOREIGN = (
    "/ocid: no register that the models have learnt owns it, so this is scored as a tender of no known register, by "
    "what all of them have in common"
)
NO_BID = "no bid came in, so there can be no award: a rule, not a prediction"
NO_CURRENCY_STATED = "/tender/value: an amount without a currency cannot be compared, so it is not used"

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
    reference_class: str
    band: Band
    register: str
    bundle: str
    evidence: str
    reasons: tuple[Reason, ...] = ()
    factors: tuple[Factor, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    warnings: tuple[str, ...] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A process with the bundle and stage that score it, its day of publication, and what has to be said of it."""

    process: Process
    bundle: Bundle
    stage: Stage
    published: date | None
    warnings: tuple[str, ...]

    @cached_property
    def tender(self) -> Tender:
        """The tender as of the stage."""
        return self.process.as_of(self.stage)

    @property
    def readable(self) -> Tender:
        """The tender that columns are read of. Of a single release that may know more than the stage: what came later
        is not read."""
        return self.process.compiled() if self.process.is_one_release else self.tender


def case(bundle: Bundle, process: Process, stage: Stage | None = None, check_stage: bool = True) -> Case:
    """A process ready to be scored at a stage: by default the latest of which it holds a fact.

    Raises DataError that names the place if the process cannot be read as a tender, or if the stage is none, and
    StageError if the process has not reached it. Without `check_stage` that is not checked: for cases that have ended.
    """
    if stage is not None and stage not in STAGES:
        raise DataError.at("/stage", f"{str(stage)[:40]!r} is no stage", f"Use one of {', '.join(STAGES)}")
    if stage is not None and check_stage:
        require_stage(process.has_reached, stage)
    chosen, at, limits = model_of_ocid(bundle, process.ocid, stage or process.latest_stage())
    made = Case(
        process=process,
        bundle=chosen,
        stage=at,
        published=process.published_on(),
        warnings=(*process.all_warnings(), *remarks(process), *limits),
    )
    # Valid releases can be compiled into a tender that is not valid.
    made.readable  # noqa: B018
    return made


def model_of_ocid(bundle: Bundle, ocid: str | None, stage: Stage) -> tuple[Bundle, Stage, tuple[str, ...]]:
    """The bundle and stage that score a tender by its ocid, and what has to be said of that."""
    chosen, at, limits = select_model(bundle, bundle.for_ocid(ocid), stage)
    return chosen, at, (FOREIGN, *limits) if bundle.is_foreign(ocid) else limits


def select_model(bundle: Bundle, own: Bundle, stage: Stage) -> tuple[Bundle, Stage, tuple[str, ...]]:
    """The bundle and stage that predict failure for a tender of the register of `own`, and what has to be said of that.

    A register tells what it records: some nothing of contracts, some nothing after the call, some no failure at all.
    """
    name, unknown = own.manifest.register, bundle.unknown_register
    for earlier in reversed(STAGES[: STAGES.index(stage) + 1]):
        outcomes = own.failure_outcomes(earlier)
        if outcomes and own is bundle:
            return bundle, earlier, ()
        if outcomes:
            limits = [f"{name} has no model at {stage}: this is its score at {earlier}"] if earlier != stage else []
            if len(outcomes) == 1 and earlier != "awarded":
                limits.append(f"failure counts {outcomes[0]} alone: {name} tells no other")
            return own, earlier, tuple(limits)
    no_failure = f"{name} tells no failure at {stage}: this is scored as a tender of no known register"
    if unknown is bundle or own is unknown:
        return bundle, stage, (no_failure,)
    chosen, at, more = select_model(bundle, unknown, stage)
    return chosen, at, (no_failure, *more)


def score(
    bundle: Bundle,
    process: Process,
    stage: Stage | None = None,
    explain: bool = True,
    watch: Callable[[Predictions], None] = lambda _: None,
) -> Score:
    """The score of a process at a stage: by default the latest of which it holds a fact.

    `watch` is given what was predicted, of one tender. Raises DataError that names the place if the process cannot be
    read as a tender, or if the stage is none.
    """
    one = case(bundle, process, stage)
    predicted = _predict([one])
    watch(predicted)
    return _explained(one, predicted) if explain else Scores.of(predicted).score(0, one)


def explained(one: Case) -> Score:
    """The score of one case with its reasons, its factors and what is unknown."""
    return _explained(one, _predict([one]))


def _explained(one: Case, predicted: Predictions) -> Score:
    weighed = (feature.name for feature in one.bundle.weighed)
    known = (None if math.isnan(value) else value for value in predicted.feature_values[0].tolist())
    values = dict(zip(weighed, known, strict=True))
    margins = margins_of(predicted)
    top_reasons = tuple(reasons(one.bundle, margins, values, predicted.table, one.process))
    return msgspec.structs.replace(
        Scores.of(predicted).score(0, one),
        reasons=top_reasons,
        factors=factors(one.bundle, predicted.table, {reason.feature: reason.effect for reason in top_reasons}),
        unknown=tuple(unknowns(one.bundle, values, one.stage)),
    )


def scores(cases: Sequence[Case]) -> list[Score]:
    """The scores of many cases, in their order and without reasons: what `score` says of each."""
    by_row: dict[int, Score] = {}
    for rows, predicted in predict_cases(cases):
        of_rows = Scores.of(predicted)
        by_row.update((row, of_rows.score(place, cases[row])) for place, row in enumerate(rows))
    return [by_row[row] for row in range(len(cases))]


class Forecast(msgspec.Struct, frozen=True):
    """The failure probability of one case, rounded as a score is, and the weighed features that are unknown."""

    failure: float
    unknown: tuple[str, ...]


def forecasts(cases: Sequence[Case], only: Collection[str] | None = None) -> list[Forecast]:
    """The forecasts of many cases, in their order; with `only`, no other outcomes are asked."""
    by_row: dict[int, Forecast] = {}
    for rows, predicted in predict_cases(cases, only):
        of_rows = Scores.of(predicted)
        by_row.update(zip(rows, map(Forecast, of_rows.failure.tolist(), of_rows.unknown.rows()), strict=True))
    return [by_row[row] for row in range(len(cases))]


def predict_cases(
    cases: Sequence[Case], only: Collection[str] | None = None
) -> Iterator[tuple[list[int], Predictions]]:
    """What is predicted of cases: those of one bundle and stage together, each group with the indices of its cases."""
    groups: dict[tuple[str, Stage], list[int]] = defaultdict(list)
    for row, one in enumerate(cases):
        groups[one.bundle.manifest.register, one.stage].append(row)
    for rows in groups.values():
        yield rows, _predict([cases[row] for row in rows], only)


def _predict(cases: Sequence[Case], only: Collection[str] | None = None) -> Predictions:
    """What is predicted of cases of one bundle and stage."""
    first, published = cases[0], [one.published for one in cases]
    return predict(first.bundle, of_tenders([one.readable for one in cases], first.stage, published), only)


class BatchScorer:
    """Tenders that come some at a time and are let go; those of one bundle and stage are predicted at once.

    `also` are other functions of the table that will be needed: their columns are read too.
    """

    def __init__(self, also: Sequence[Callable[[TenderTable], Any]] = ()) -> None:
        self._also = tuple(also)
        self._groups: dict[tuple[str, Stage], tuple[Bundle, TableBuilder, list[int]]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add_cases(self, cases: Sequence[Case]) -> None:
        """Takes more cases."""
        groups: dict[tuple[str, Stage], list[int]] = defaultdict(list)
        for place, one in enumerate(cases):
            groups[one.bundle.manifest.register, one.stage].append(place)
        for places in groups.values():
            some = [cases[place] for place in places]
            builder, rows = self._group(some[0].bundle, some[0].stage)
            builder.add(TenderChunk([one.readable for one in some]), [one.published for one in some])
            rows += [self._size + place for place in places]
        self._size += len(cases)

    def add_tenders(self, bundle: Bundle, stage: Stage, tenders: TenderChunk, published: Sequence[date | None]) -> None:
        """Takes more tenders of one bundle and stage, each with its day of publication.

        They are sound but for the fields in `checked`: raises ValueError if one of those is not, and then takes none.
        """
        builder, rows = self._group(bundle, stage)
        builder.add(tenders, published)
        rows += range(self._size, self._size + len(tenders))
        self._size += len(tenders)

    def checked(self, bundle: Bundle, stage: Stage) -> frozenset[tuple[type, str]]:
        """The fields, by struct and name, of which `add_tenders` notices what is wrong."""
        return self._group(bundle, stage)[0].checked

    def predictions(self) -> Iterator[tuple[list[int], Predictions]]:
        """What is predicted of each group, with the rows of its tenders in the order in which they came."""
        for bundle, builder, rows in self._groups.values():
            if rows:
                yield rows, predict(bundle, builder.table())

    def _group(self, bundle: Bundle, stage: Stage) -> tuple[TableBuilder, list[int]]:
        key = bundle.manifest.register, stage
        if key not in self._groups:
            columns = bundle.columns_read(stage) | _columns_of_scores(stage, self._also)
            self._groups[key] = bundle, TableBuilder(columns, stage, keep=bool(bundle.histories)), []
        _, builder, rows = self._groups[key]
        return builder, rows


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of tenders of one bundle at one stage, a row a tender, probabilities rounded to 4 places.

    `single_bid` is NaN where it is not predicted. `unknown` names what the bundle weighs and the tender does not state,
    or not yet. `warnings` are those of a row: most have none.
    """

    bundle: Bundle
    stage: Stage
    failure: Floats
    low: Floats
    high: Floats
    no_award: Floats
    early_end: Floats
    single_bid: Floats
    band: Categorical[Band]
    unknown: Categorical[tuple[str, ...]]
    warnings: dict[int, tuple[str, ...]]
    base_rate: Floats
    reference_class: Categorical[str]

    @classmethod
    def of(cls, predicted: Predictions) -> Scores:
        """What is said of what is predicted."""
        bundle, stage = predicted.bundle, predicted.table.stage
        base_rate = predicted.base_rate
        failure, names = predicted.failure, [feature.name for feature in bundle.weighed]
        # The interval holds the score itself, whatever the resamples say.
        low, high = np.minimum(failure, predicted.interval[:, 0]), np.maximum(failure, predicted.interval[:, 1])
        outcomes = (predicted.probability[name] for name in Outcomes.__struct_fields__)
        rounded = np.round(np.array([failure, low, high, *outcomes]), 4)
        unknown = np.isnan(predicted.feature_values)
        return cls(
            bundle=bundle,
            stage=stage,
            failure=rounded[0],
            low=rounded[1],
            high=rounded[2],
            no_award=rounded[3],
            early_end=rounded[4],
            single_bid=rounded[5],
            band=bands(failure, base_rate),
            unknown=Categorical.of_rows(unknown).map(lambda row: tuple(compress(names, unknown[row].tolist()))),
            warnings=_warnings(predicted),
            base_rate=np.round(base_rate, 4),
            reference_class=predicted.reference_class,
        )

    def score(self, row: int, one: Case) -> Score:
        """The score of the case in a row."""
        manifest, single_bid = self.bundle.manifest, float(self.single_bid[row])
        return Score(
            ocid=one.process.ocid,
            stage=self.stage,
            failure=float(self.failure[row]),
            interval=(float(self.low[row]), float(self.high[row])),
            outcomes=Outcomes(
                no_award=float(self.no_award[row]),
                early_end=float(self.early_end[row]),
                single_bid=None if math.isnan(single_bid) else single_bid,
            ),
            base_rate=float(self.base_rate[row]),
            reference_class=self.reference_class.categories[self.reference_class.codes[row]],
            band=self.band.categories[self.band.codes[row]],
            register=manifest.register,
            bundle=manifest.version,
            evidence=manifest.evidence,
            warnings=(*one.warnings, *self.warnings.get(row, ()), *map(str, find_advisers(one.tender))),
        )


def table_warnings(table: TenderTable) -> dict[int, tuple[str, ...]]:
    """What can be scored and yet looks wrong, by row: it is not used. Of nearly all tenders nothing."""
    warnings: dict[int, tuple[str, ...]] = {}
    for name, start, end in (
        ("tenderPeriod", "tender_start", "tender_end"),
        ("enquiryPeriod", "enquiry_start", "enquiry_end"),
        ("contractPeriod", "contract_start", "contract_end"),
    ):
        for row in np.flatnonzero(table.days(end) < table.days(start)).tolist():
            warnings[row] = (*warnings.get(row, ()), f"/tender/{name}: ends before it starts, so it is not used")
    for message, rows in _contradictions(table):
        for row in np.flatnonzero(rows).tolist():
            warnings[row] = (*warnings.get(row, ()), message)
    amount, currency = net_or_gross(table, "value", "value_gross"), table.text("currency").codes
    for row in np.flatnonzero((currency == NO_CURRENCY) & ~np.isnan(amount)).tolist():
        warnings[row] = (*warnings.get(row, ()), NO_CURRENCY_STATED)
    return warnings


def _contradictions(table: TenderTable) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Facts that do not agree, or that cannot be so: what is wrong, and in which rows."""
    for name, what, stated, start, end, tolerance in PERIODS:
        days, length = table.number(stated), table.days(end) - table.days(start)
        yield (
            f"/tender/{name}: the {what} that is stated and that of the dates differ; the stated one is used",
            (length >= 0) & (np.abs(days - length) > np.maximum(tolerance, 0.1 * length)),
        )
    yield "/tender/contractPeriod: a term of more than 100 years", table.number("contract_days") > MAX_DAYS
    yield "/tender/value: more than £1 trillion", net_or_gross(table, "value", "value_gross") > MAX_VALUE
    lots, whole = table.number("lots"), table.number("single_block")
    yield "/tender/lots: there are several lots, and one contract for the whole scope", (lots > 1) & (whole == 1)
    words = table.text("cpv_codes").where(lambda codes: not all(map(cpv.is_code, codes)))
    yield "/tender/items/0/classification: what is bought is no CPV code, so it is not used", words


PERIODS = (
    ("tenderPeriod", "number of days to bid", "tender_period_days", "tender_start", "tender_end", 2),
    ("contractPeriod", "term", "contract_days", "contract_start", "contract_end", 45),
)
"""Periods: place, words, columns of stated days, the first and the last day, and how many days they may differ by."""
MAX_DAYS, MAX_VALUE = 100 * 366, 1e12
"""More is a slip of the keyboard: all that the United Kingdom buys in a year is less than half of that value."""


@cache
def _columns_of_scores(stage: Stage, also: tuple[Callable[[TenderTable], Any], ...]) -> frozenset[str]:
    return columns_asked((table_warnings, bidders, *also), stage)


def _warnings(predicted: Predictions) -> dict[int, tuple[str, ...]]:
    warnings = table_warnings(predicted.table)
    for row in np.flatnonzero(predicted.no_bid).tolist():
        warnings[row] = (*warnings.get(row, ()), NO_BID)
    return warnings


def bands(failure: Floats, base_rate: Floats) -> Categorical[Band]:
    """How probabilities stand against the base rates of their classes."""
    above = np.sum([failure >= times * base_rate for times, _ in BANDS], axis=0)
    return Categorical([*(name for _, name in BANDS), "very high"], above.astype(np.int32))
