"""The straight line: a process and a stage in, a score with its reasons out.

    release → Tender → as_of(stage) → features → booster → calibration → score and reasons

A draft on the command line, a request and a page come through `score`, an evaluation through `predict` within it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np

from features.competition import bidders
from features.track_records import TrackRecord
from models.bundle import Bundle
from models.calibration import INTERVAL, failure_of
from models.knowing import record_of
from models.reasons import Margins, Reason, Unknown, Values, margins_of, measured, reasons, unknowns
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


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """Probabilities, unrounded, with what they were made from. `no_bid` is the rule that ends a tender without bids."""

    values: Values
    margins: Mapping[str, Margins]
    no_award: float
    early_end: float
    single_bid: float | None
    no_bid: bool

    @property
    def failure(self) -> float:
        """The headline: no award, or an award that ends early."""
        return failure_of(self.no_award, self.early_end)

    def of(self, outcome: str) -> float | None:
        """The probability of an outcome by its name."""
        found: float | None = getattr(self, outcome)
        return found


def score(bundle: Bundle, process: Process, stage: Stage | None = None, explain: bool = True) -> Score:
    """The score of a process at a stage: by default the latest of which it holds a fact.

    Raises DataError that names the place if the process cannot be read as a tender, or if the stage is none.
    """
    if stage is not None and stage not in STAGES:
        raise DataError.at("/stage", f"{str(stage)[:40]!r} is no stage", f"Use one of {', '.join(STAGES)}")
    asked = stage or process.latest_stage()
    bundle, at, limits = _able(bundle, process.as_of(asked), asked)
    tender = process.as_of(at)
    record = record_of(bundle, tender, process.published_on())
    found = predict(bundle, tender, record, at, explain)
    base_rate = failure_of(*(_base_rate(bundle, outcome, at) for outcome in ("no_award", "early_end")))
    return Score(
        ocid=process.ocid,
        stage=at,
        failure=round(found.failure, 4),
        interval=_interval(found),
        outcomes=Outcomes(
            no_award=round(found.no_award, 4),
            early_end=round(found.early_end, 4),
            single_bid=None if found.single_bid is None else round(found.single_bid, 4),
        ),
        base_rate=round(base_rate, 4),
        band=band(found.failure, base_rate),
        register=bundle.manifest.register,
        bundle=bundle.manifest.version,
        evidence=bundle.manifest.evidence,
        reasons=tuple(reasons(found.margins, found.values, tender, record, process)) if explain else (),
        signs=judged(tender, record, at) if explain else (),
        unknown=tuple(unknowns(found.values, at)) if explain else (),
        warnings=(*process.warnings, *limits, *remarks(tender), *([NO_BID] if found.no_bid else [])),
    )


def _able(bundle: Bundle, tender: Tender, asked: Stage) -> tuple[Bundle, Stage, tuple[str, ...]]:
    """The bundle and stage at which failure can be told of a tender, and what has to be said of that.

    A register tells what it records: some nothing of contracts, some nothing after the call, some no failure at all.
    """
    own = bundle.of(tender)
    name = own.manifest.register
    for at in reversed(STAGES[: STAGES.index(asked) + 1]):
        told = [outcome for outcome in ("no_award", "early_end") if (outcome, at) in own.boosters]
        if told and own is bundle:
            return bundle, at, ()
        if told:
            said = [f"{name} has no model at {asked}: this is its score at {at}"] if at != asked else []
            if len(told) == 1 and at != "awarded":
                said.append(f"failure counts {told[0]} alone: {name} tells no other")
            return own, at, tuple(said)
    return bundle, asked, (f"{name} tells no failure at {asked}: this is scored as a tender of no known register",)


def predict(bundle: Bundle, tender: Tender, record: TrackRecord, stage: Stage, explain: bool = False) -> Prediction:
    """The probabilities of a tender as of a stage, with track records as of its publication.

    Every number that is shown or judged anywhere comes from here.
    """
    values = measured(bundle, tender, record, stage)
    margins = {
        outcome: _margins(bundle, outcome, stage, tender, record, values, explain)
        for outcome in ("no_award", "early_end")
        if (outcome, stage) in bundle.boosters
    }
    count = bidders(tender, record) if stage != "draft" else None
    no_bid = stage == "bids_in" and count == 0
    return Prediction(
        values=values,
        margins=margins,
        no_award=1.0 if no_bid else _probability(margins.get("no_award")),
        early_end=_probability(margins.get("early_end")),
        single_bid=_single_bid(bundle, tender, record, values, count),
        no_bid=no_bid,
    )


def band(failure: float, base_rate: float) -> Band:
    """How a probability stands against the register's base rate."""
    for times, name in BANDS:
        if failure < times * base_rate:
            return name
    return "very high"


def _margins(
    bundle: Bundle,
    outcome: str,
    stage: Stage,
    tender: Tender,
    record: TrackRecord,
    values: Values,
    explain: bool,
) -> Margins:
    """One booster's margins. An outcome with a record of its own is measured by that."""
    own = record.about(outcome)
    if own is not record:
        values = measured(bundle, tender, own, stage)
    return margins_of(bundle, outcome, stage, values, own, explain)


def _probability(margins: Margins | None) -> float:
    """0 where the outcome cannot happen any more (no award, once there is one)."""
    return margins.calibration.probability(margins.margin) if margins else 0.0


def _base_rate(bundle: Bundle, outcome: str, stage: Stage) -> float:
    calibration = bundle.calibration.get((outcome, stage))
    return calibration.base_rate if calibration else 0.0


def _interval(found: Prediction) -> tuple[float, float]:
    draws = {outcome: each.calibration.draws(each.margin) for outcome, each in found.margins.items()}
    no_award = np.ones(1) if found.no_bid else draws.get("no_award", np.zeros(1))
    ordered = np.sort(1 - (1 - no_award) * (1 - draws.get("early_end", np.zeros(1))))
    low, high = (float(ordered[round(percent / 100 * (len(ordered) - 1))]) for percent in INTERVAL)
    return round(min(low, found.failure), 4), round(max(high, found.failure), 4)


def _single_bid(
    bundle: Bundle, tender: Tender, record: TrackRecord, values: Values, count: float | None
) -> float | None:
    """A fact once the bids are counted, a prediction before."""
    if count is not None:
        return float(count == 1)
    if ("single_bid", "draft") not in bundle.boosters:
        return None
    return _probability(_margins(bundle, "single_bid", "draft", tender, record, values, False))
