"""From tenders to probabilities, many at a time: each is measured, and every booster is asked once.

    tenders, track records → features → boosters → calibration → probabilities

Tenders are measured as they come and need not be held: a portfolio's fill no memory then, and stay in the cache while
they are read. One tender is a batch of one, so that a page, a portfolio and an evaluation cannot differ.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Sequence
from itertools import compress

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.catalogue import Feature
from features.categorical import Categorical
from features.matrix import Matrix, Rows
from features.table import Columns
from features.track_records.case_records import TrackRecord
from models.bundle import FAILURE_OUTCOMES, Bundle, ModelPart
from models.calibration import INTERVAL, Floats
from tenders.facts import STAGES, Stage
from tenders.tender import Tender


class Batch:
    """Tenders of one bundle at one stage, measured as they come: all that its boosters and rules read of them.

    With `only`, no other outcomes are told.
    """

    def __init__(self, bundle: Bundle, stage: Stage, only: Collection[str] | None = None) -> None:
        self.bundle, self.stage = bundle, stage
        self.parts = {part.outcome: part for part in _asked(bundle, stage) if only is None or part.outcome in only}
        known = STAGES[: STAGES.index(stage) + 1]
        self._known = [each.stage in known for each in bundle.weighed]
        self._rows = {"": self._unfilled(compress(bundle.weighed, self._known))}
        self._beforehand = {outcome: array("d") for outcome in self.parts}

    def _unfilled(self, features: Iterable[Feature]) -> Rows:
        return Rows(tuple(features), self.stage)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def columns(self) -> Columns:
        """What was read of the tenders."""
        return self._rows[""].columns()

    @property
    def by_column(self) -> bool:
        """Whether nothing is read of a tender but what no later stage takes away (`features.table`)."""
        return self._rows[""].by_column

    def add(self, tenders: Sequence[Tender], records: Sequence[TrackRecord]) -> None:
        """Measures tenders as of the stage, each by its track record."""
        for outcome in set().union(*(record.others for record in records if record.others)):
            # An outcome with records of its own is measured by those.
            if outcome in self.parts:
                own = self._rows.setdefault(outcome, self._unfilled(self._rows[""].features))
                own.add(tenders, [record.about(outcome) for record in records])
        self._rows[""].add(tenders, records)
        numbered = any(record.numbers for record in records)
        for outcome, found in self._beforehand.items():
            part = self.parts[outcome]
            found.extend([known_beforehand(part, each.about(outcome)) if numbered else 0.0 for each in records])

    def add_strangers(self, tenders: Sequence[Tender], records: Sequence[TrackRecord]) -> None:
        """Measures tenders of no known register, of which nothing is known beforehand: where all is `by_column`."""
        self._rows[""].add(tenders, records)
        self._nothing_beforehand(len(tenders))

    def add_columns(self, columns: Columns) -> None:
        """Takes such tenders that were read by column as of the stage."""
        self._rows[""].add_columns(columns)
        self._nothing_beforehand(len(columns))

    def _nothing_beforehand(self, count: int) -> None:
        for found in self._beforehand.values():
            found.extend(array("d", bytes(8 * count)))

    def measured(self) -> dict[str, NDArray[np.float64]]:
        """What every outcome is told of each tender, shape (tenders, weighed); those told the same share it."""
        found = {}
        for outcome, rows in self._rows.items():
            found[outcome] = np.full((len(self), len(self._known)), np.nan)
            found[outcome][:, self._known] = rows.measured()
        return {outcome: found.get(outcome, found[""]) for outcome in self.parts}

    def beforehand(self, outcome: str) -> Floats:
        """What is known beforehand of each tender's outcome, in log-odds."""
        return np.array(self._beforehand[outcome])

    def bid_counts(self) -> Floats:
        """How many bids each tender has, NaN where that is not known."""
        return self.columns.bidders if self.stage != "draft" else np.full(len(self), np.nan)


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """What one bundle says of tenders at one stage, unrounded: a row a tender.

    `probability` holds the outcomes by name, shape (tenders,): NaN where nothing is said of `single_bid`. `measured` is
    what is weighed of each tender, shape (tenders, weighed), NaN for unknown: for the first outcome of failure, if they
    differ. `margin` and `matrix` are what the boosters gave and read, for the outcomes that have one. `no_bid` marks
    the tenders that the rule ends: without a bid there is no award.
    """

    measured: NDArray[np.float64]
    matrix: dict[str, Matrix]
    margin: dict[str, Floats]
    probability: dict[str, Floats]
    interval: NDArray[np.float64]
    no_bid: NDArray[np.bool_]

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

    def unknown(self) -> Categorical[list[bool]]:
        """What is unknown of each tender, of the features that are weighed."""
        unknown = np.isnan(self.measured)
        return Categorical.of_rows(unknown).map(lambda row: unknown[row].tolist())


def predictions(batch: Batch) -> Predictions:
    """The probabilities of measured tenders as of their stage.

    Every number that is shown or judged anywhere comes from here.
    """
    bundle, stage, parts = batch.bundle, batch.stage, batch.parts
    measured = batch.measured()
    matrix = _matrices(bundle, parts, measured)
    margin = {
        outcome: batch.beforehand(outcome)
        + bundle.boosters[outcome, part.stage].inplace_predict(
            matrix[outcome], predict_type="margin", validate_features=False
        )
        for outcome, part in parts.items()
    }
    calibrated = {
        outcome: bundle.calibration[outcome, part.stage].probabilities(margin[outcome])
        for outcome, part in parts.items()
    }
    counts = batch.bid_counts()
    no_bid = (counts == 0) & (stage == "bids_in")
    nothing = np.zeros(len(batch))
    never = np.full(len(batch), np.nan)
    probability = {
        # 0 where the outcome cannot happen any more: no award, once there is one.
        "no_award": np.where(no_bid, 1.0, calibrated.get("no_award", nothing)),
        "early_end": calibrated.get("early_end", nothing),
        # A fact once the bids are counted, a prediction before.
        "single_bid": np.where(np.isnan(counts), calibrated.get("single_bid", never), counts == 1),
    }
    return Predictions(
        measured=next(measured[outcome] for outcome in (*FAILURE_OUTCOMES, *measured) if outcome in measured),
        matrix=matrix,
        margin=margin,
        probability=probability,
        interval=_interval(bundle, stage, {name: margin[name] for name in FAILURE_OUTCOMES if name in parts}, no_bid),
        no_bid=no_bid,
    )


def measured(bundle: Bundle, stage: Stage, tenders: Sequence[Tender], records: Sequence[TrackRecord]) -> Batch:
    """Tenders as of a stage, each measured by its track record."""
    batch = Batch(bundle, stage)
    batch.add(tenders, records)
    return batch


def known_beforehand(part: ModelPart, record: TrackRecord) -> float:
    """What the register's own rates add to a margin, in log-odds; 0 where no register was read."""
    known = record.numbers
    if not known:
        return 0.0
    weights = {"register_level": part.level, "register_drift": part.drift, "profile_score": part.profile}
    return sum(weight * known.get(name, 0.0) for name, weight in weights.items() if weight)


def _asked(bundle: Bundle, stage: Stage) -> list[ModelPart]:
    """The parts that speak at a stage. Whether there will be one bid is asked of the draft, whenever it is asked."""
    return [
        part
        for part in bundle.manifest.parts
        if (part.outcome in FAILURE_OUTCOMES and part.stage == stage)
        or (part.outcome, part.stage) == ("single_bid", "draft")
    ]


def _matrices(
    bundle: Bundle, parts: dict[str, ModelPart], measured: dict[str, NDArray[np.float64]]
) -> dict[str, Matrix]:
    """What each booster reads: NaN for unknown. Boosters that read the same of the same rows share a matrix."""
    made: dict[tuple[int, tuple[str, ...]], Matrix] = {}
    found = {}
    for outcome, part in parts.items():
        key = id(measured[outcome]), part.features
        if key not in made:
            made[key] = np.ascontiguousarray(measured[outcome][:, bundle.columns_of(part)], dtype=np.float32)
        found[outcome] = made[key]
    return found


def _interval(bundle: Bundle, stage: Stage, margin: dict[str, Floats], no_bid: NDArray[np.bool_]) -> Floats:
    """The bounds of each tender's failure by the margins of its endings, shape (tenders, 2).

    They are drawn once for all tenders of the same margins, which are few: a booster is a small number of steps.
    """
    told = np.column_stack([no_bid, *margin.values()])
    kinds = Categorical.of_rows(told)
    none, *margins = told[kinds.categories].T
    survive = np.ones((len(none), 1), dtype=np.float32)
    for outcome, each in zip(margin, margins, strict=True):
        drawn = bundle.calibration[outcome, stage].draws(each)
        survive = np.subtract(1, drawn, out=drawn) * survive
    ordered = np.subtract(1, survive)
    ordered.sort(axis=1)
    places = [round(percent / 100 * (ordered.shape[1] - 1)) for percent in INTERVAL]
    bounds = ordered[:, places].astype(np.float64)
    bounds[none == 1] = 1.0
    found: Floats = bounds[kinds.codes]
    return found
