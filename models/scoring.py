"""The straight line: a process and a stage in, a score with its reasons out.

    release → Tender → as_of(stage) → features → booster → calibration → score and reasons

One draft, a portfolio, a page and an evaluation all come through `score`.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from features.competition import bidders
from models.bundle import Bundle
from models.calibration import INTERVAL, Draws, failure_of
from models.reasons import Margins, Reason, Unknown, Values, margins_of, measured, reasons, unknowns
from tenders.checks import remarks
from tenders.errors import DataError
from tenders.facts import STAGES, Stage
from tenders.process import Process

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
    signs: tuple[object, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    warnings: tuple[str, ...] = ()


def score(bundle: Bundle, process: Process, stage: Stage | None = None, explain: bool = True) -> Score:
    """The score of a process at a stage: by default the latest of which it holds a fact.

    Raises DataError that names the place if the process cannot be read as a tender, or if the stage is none.
    """
    if stage is not None and stage not in STAGES:
        raise DataError.at("/stage", f"{str(stage)[:40]!r} is no stage", f"Use one of {', '.join(STAGES)}")
    at = stage or process.latest_stage()
    tender = process.as_of(at)
    record = bundle.log.on(process.published_on())
    values = measured(bundle, tender, record, at)
    margins = {
        outcome: margins_of(bundle, outcome, at, values, explain)
        for outcome in ("no_award", "early_end")
        if (outcome, at) in bundle.boosters
    }
    draws = {outcome: each.calibration.draws(each.margin) for outcome, each in margins.items()}
    no_award, early_end = (_probability(margins.get(outcome)) for outcome in ("no_award", "early_end"))
    count = bidders(tender, record) if at != "draft" else None
    warnings = [*process.warnings, *remarks(tender)]
    if at == "bids_in" and count == 0:
        no_award, draws["no_award"] = 1.0, np.ones(1)
        warnings.append("no bid came in, so there can be no award: a rule, not a prediction")
    failure = failure_of(no_award, early_end)
    base_rate = failure_of(*(_base_rate(bundle, outcome, at) for outcome in ("no_award", "early_end")))
    return Score(
        ocid=process.ocid,
        stage=at,
        failure=round(failure, 4),
        interval=_interval(draws, failure),
        outcomes=Outcomes(
            no_award=round(no_award, 4),
            early_end=round(early_end, 4),
            single_bid=_single_bid(bundle, values, count),
        ),
        base_rate=round(base_rate, 4),
        band=band(failure, base_rate),
        register=bundle.manifest.register,
        bundle=bundle.manifest.version,
        evidence=bundle.manifest.evidence,
        reasons=tuple(reasons(margins, values, tender, record, process)) if explain else (),
        unknown=tuple(unknowns(values, at)) if explain else (),
        warnings=tuple(warnings),
    )


def band(failure: float, base_rate: float) -> Band:
    """How a probability stands against the register's base rate."""
    for times, name in BANDS:
        if failure < times * base_rate:
            return name
    return "very high"


def _probability(margins: Margins | None) -> float:
    """0 where the outcome cannot happen any more (no award, once there is one)."""
    return margins.calibration.probability(margins.margin) if margins else 0.0


def _base_rate(bundle: Bundle, outcome: str, stage: Stage) -> float:
    calibration = bundle.calibration.get((outcome, stage))
    return calibration.base_rate if calibration else 0.0


def _interval(draws: dict[str, Draws], failure: float) -> tuple[float, float]:
    none = np.zeros(1)
    together = 1 - (1 - draws.get("no_award", none)) * (1 - draws.get("early_end", none))
    ordered = np.sort(together)
    low, high = (float(ordered[round(percent / 100 * (len(ordered) - 1))]) for percent in INTERVAL)
    return round(min(low, failure), 4), round(max(high, failure), 4)


def _single_bid(bundle: Bundle, values: Values, count: float | None) -> float | None:
    """A fact once the bids are counted, a prediction before."""
    if count is not None:
        return float(count == 1)
    if ("single_bid", "draft") not in bundle.boosters:
        return None
    return round(_probability(margins_of(bundle, "single_bid", "draft", values, False)), 4)
