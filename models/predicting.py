"""From tenders to probabilities, many at a time: each is measured, and every booster is asked once.

    tenders, track records → features → boosters → calibration → probabilities

One tender is a batch of one, so that a page, a portfolio and an evaluation cannot differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.catalogue import Measure
from features.competition import bidders
from features.matrix import Matrix
from features.track_records import TrackRecord
from models.bundle import Bundle, Part
from models.calibration import INTERVAL, Draws, Floats
from tenders.facts import STAGES, Stage
from tenders.tender import Tender

ENDINGS = ("no_award", "early_end")
"""The outcomes that are failure."""

Measured = list[float | None]
"""What is measured of one tender, in the order of `Bundle.weighed`; None for unknown."""


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """What one bundle says of tenders at one stage, unrounded: a row a tender.

    `probability` holds the outcomes by name, shape (tenders,): NaN where nothing is said of `single_bid`. `margin` and
    `matrix` are what the boosters gave and read, for the outcomes that have one. `no_bid` marks the tenders that the
    rule ends: without a bid there is no award.
    """

    measured: dict[str, list[Measured]]
    matrix: dict[str, Matrix]
    margin: dict[str, Floats]
    probability: dict[str, Floats]
    interval: NDArray[np.float64]
    no_bid: NDArray[np.bool_]

    @property
    def rows(self) -> list[Measured]:
        """What is measured of each tender: for the first outcome of failure, if they differ."""
        return next(self.measured[outcome] for outcome in (*ENDINGS, *self.measured) if outcome in self.measured)

    @property
    def failure(self) -> Floats:
        """The headline: no award, or an award that ends early."""
        return self.of("failure")

    def of(self, outcome: str) -> Floats:
        """The probability of an outcome, or of failure, by name."""
        if outcome != "failure":
            return self.probability[outcome]
        found: Floats = 1 - (1 - self.probability["no_award"]) * (1 - self.probability["early_end"])
        return found

    def unknown(self, bundle: Bundle) -> Iterator[tuple[str, ...]]:
        """The names of the features that are unknown, a tuple a tender. Tenders of one shape share it."""
        names = [feature.name for feature in bundle.weighed]
        by_shape: dict[tuple[bool, ...], tuple[str, ...]] = {}
        for row in self.rows:
            shape = tuple([value is None for value in row])
            if shape not in by_shape:
                by_shape[shape] = tuple(name for name, lacks in zip(names, shape, strict=True) if lacks)
            yield by_shape[shape]


def predictions(
    bundle: Bundle, stage: Stage, tenders: Sequence[Tender], records: Iterable[tuple[int, TrackRecord]]
) -> Predictions:
    """The probabilities of tenders as of a stage. `records` gives each place once, with that tender's track record.

    Every number that is shown or judged anywhere comes from here.
    """
    parts = {part.outcome: part for part in _asked(bundle, stage)}
    measured, beforehand = _measured(bundle, stage, tenders, records, parts)
    matrix = _matrices(bundle, parts, measured)
    margin = {
        outcome: beforehand[outcome]
        + bundle.boosters[outcome, part.stage].inplace_predict(
            matrix[outcome], predict_type="margin", validate_features=False
        )
        for outcome, part in parts.items()
    }
    calibrated = {
        outcome: bundle.calibration[outcome, part.stage].probabilities(margin[outcome])
        for outcome, part in parts.items()
    }
    counts = _bid_counts(stage, tenders)
    no_bid = (counts == 0) & (stage == "bids_in")
    nothing = np.zeros(len(tenders))
    never = np.full(len(tenders), np.nan)
    probability = {
        # 0 where the outcome cannot happen any more: no award, once there is one.
        "no_award": np.where(no_bid, 1.0, calibrated.get("no_award", nothing)),
        "early_end": calibrated.get("early_end", nothing),
        # A fact once the bids are counted, a prediction before.
        "single_bid": np.where(np.isnan(counts), calibrated.get("single_bid", never), counts == 1),
    }
    draws = (bundle.calibration[outcome, stage].draws(margin[outcome]) for outcome in ENDINGS if outcome in parts)
    return Predictions(
        measured=measured,
        matrix=matrix,
        margin=margin,
        probability=probability,
        interval=_interval(draws, no_bid),
        no_bid=no_bid,
    )


def known_beforehand(part: Part, record: TrackRecord) -> float:
    """What the register's own rates add to a margin, in log-odds; 0 where no register was read."""
    known = record.numbers
    if not known:
        return 0.0
    weights = {"register_level": part.level, "register_drift": part.drift, "profile_score": part.profile}
    return sum(weight * known.get(name, 0.0) for name, weight in weights.items() if weight)


def _asked(bundle: Bundle, stage: Stage) -> list[Part]:
    """The parts that speak at a stage. Whether there will be one bid is asked of the draft, whenever it is asked."""
    return [
        part
        for part in bundle.manifest.parts
        if (part.outcome in ENDINGS and part.stage == stage) or (part.outcome, part.stage) == ("single_bid", "draft")
    ]


def _measured(
    bundle: Bundle,
    stage: Stage,
    tenders: Sequence[Tender],
    records: Iterable[tuple[int, TrackRecord]],
    parts: dict[str, Part],
) -> tuple[dict[str, list[Measured]], dict[str, Floats]]:
    """What every outcome is told of each tender, and what is known of it beforehand.

    The records are read as they come: the state behind them may move on with the next.
    """
    known = STAGES[: STAGES.index(stage) + 1]
    measures = [each.measure if each.stage in known else None for each in bundle.weighed]
    rows: list[Measured] = [[] for _ in tenders]
    measured = dict.fromkeys(parts, rows)
    beforehand = {outcome: np.zeros(len(tenders)) for outcome in parts}
    for place, record in records:
        tender = tenders[place]
        rows[place] = _row(measures, tender, record)
        for outcome, other in record.others.items():
            # An outcome with records of its own is measured by those.
            if outcome in parts:
                if measured[outcome] is rows:
                    measured[outcome] = [[] for _ in tenders]
                measured[outcome][place] = _row(measures, tender, other)
        if record.numbers:
            for outcome, part in parts.items():
                beforehand[outcome][place] = known_beforehand(part, record.about(outcome))
    return measured, beforehand


def _row(measures: Sequence[Measure | None], tender: Tender, record: TrackRecord) -> Measured:
    return [measure(tender, record) if measure else None for measure in measures]


def _matrices(bundle: Bundle, parts: dict[str, Part], measured: dict[str, list[Measured]]) -> dict[str, Matrix]:
    """What each booster reads: NaN for unknown. Boosters that read the same of the same rows share a matrix."""
    whole: dict[int, Matrix] = {}
    made: dict[tuple[int, tuple[str, ...]], Matrix] = {}
    found = {}
    for outcome, part in parts.items():
        rows = measured[outcome]
        if id(rows) not in whole:
            whole[id(rows)] = np.array(rows, dtype=np.float32).reshape(len(rows), len(bundle.weighed))
        key = id(rows), part.features
        if key not in made:
            made[key] = np.ascontiguousarray(whole[id(rows)][:, bundle.places(part)])
        found[outcome] = made[key]
    return found


def _bid_counts(stage: Stage, tenders: Sequence[Tender]) -> Floats:
    if stage == "draft":
        return np.full(len(tenders), np.nan)
    nobody = TrackRecord()
    counts = (bidders(tender, nobody) for tender in tenders)
    return np.array([math.nan if count is None else count for count in counts])


def _interval(draws: Iterable[Draws], no_bid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The bounds of each tender's failure, shape (tenders, 2)."""
    survive = np.ones((len(no_bid), 1), dtype=np.float32)
    for drawn in draws:
        survive = survive * (1 - drawn)
    ordered = np.sort(1 - survive, axis=1)
    places = [round(percent / 100 * (ordered.shape[1] - 1)) for percent in INTERVAL]
    bounds = ordered[:, places].astype(np.float64)
    bounds[no_bid] = 1.0
    return bounds
