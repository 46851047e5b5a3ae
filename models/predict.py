"""The one door to a probability: a bundle and a table of tenders in, the probabilities of each outcome out.

    table → track records → features → class rate + pooled effects + boosters → calibration → Predictions

One tender is a table of one row, so that a draft, a page, a portfolio and an evaluation cannot differ.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.categorical import Categorical
from features.competition import bidders
from features.matrix import Matrix, feature_values
from features.table import Floats, TenderTable, TrackRecords
from features.track_records.attributes import hash_attributes
from features.track_records.case_records import NO_RECORDS, CaseRecords
from features.track_records.register_features import history_values, telling_phrases
from features.track_records.register_history import HistoryCases, RegisterHistory
from features.track_records.text_model import Phrases
from models.bundle import FAILURE_OUTCOMES, Bundle, ModelPart
from models.calibration import INTERVAL, Draws, sigmoid
from models.effects import Z95, EffectParts
from models.reference_classes import placement
from tenders.facts import Stage


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """What one bundle predicts of the tenders of a table, unrounded: a row a tender.

    `table` has the track records that were read. `probability` holds the outcomes by name, shape (tenders,); NaN where
    `single_bid` is not predicted. `feature_values` are those of the features that are weighed, shape (tenders,
    weighed), NaN for unknown; where outcomes of failure have records of their own, those of the first. `margin` and
    `matrix` are what the boosters gave and read, by outcome that had to be predicted. `interval` (tenders, 2) holds the
    bounds of failure. `no_bid` marks tenders that a rule decides: without a bid there is no award.
    """

    bundle: Bundle
    table: TenderTable
    feature_values: Floats
    matrix: dict[str, Matrix]
    margin: dict[str, Floats]
    probability: dict[str, Floats]
    interval: Floats
    no_bid: NDArray[np.bool_]
    base: dict[str, Floats]
    reference_class: Categorical[str]
    effects: EffectParts | None = None

    @property
    def failure(self) -> Floats:
        """The headline: no award, or an award that ends early."""
        return self.of("failure")

    def of(self, outcome: str) -> Floats:
        """The probability of an outcome, or of failure, by name."""
        if outcome != "failure":
            return self.probability[outcome]
        return _either(self.probability)

    def base_of(self, outcome: str) -> Floats:
        """The base rate of an outcome, or of failure, in the class of each tender."""
        if outcome == "failure":
            return self.base_rate
        if outcome in self.base:
            return self.base[outcome]
        if self.effects is not None:
            return expit(self.level(outcome))
        return np.full(len(self.table), self.bundle.calibration[self._part(outcome)].base_rate)

    def interval_of(self, outcome: str) -> Floats:
        """The bounds of an outcome, or of failure, for each tender, shape (tenders, 2)."""
        if outcome == "failure":
            return self.interval
        if outcome not in self.margin:
            return np.column_stack([self.of(outcome)] * 2)
        if self.effects is not None:
            return _effect_interval(self.effects, {outcome: self.probability[outcome]}, self.levels, self.no_bid)
        drawn = np.sort(self.bundle.calibration[self._part(outcome)].draws(self.margin[outcome]), axis=1)
        places = [round(percent / 100 * (drawn.shape[1] - 1)) for percent in INTERVAL]
        return drawn[:, places].astype(np.float64)

    def _part(self, outcome: str) -> tuple[str, Stage]:
        """Which part predicted an outcome: whether there will be one bid is asked of the draft."""
        return outcome, "draft" if outcome == "single_bid" else self.table.stage

    @property
    def levels(self) -> dict[str, tuple[Floats, Floats]]:
        """The log-odds of each outcome in the class of each tender and their variance, of a bundle with classes."""
        classes = placement(self.table)
        return {outcome: classes.level(self.bundle.manifest.rates, outcome) for outcome in self.margin}

    def level(self, outcome: str) -> Floats:
        """The log-odds of an outcome in the class of each tender, of a bundle with classes."""
        return placement(self.table).level(self.bundle.manifest.rates, outcome)[0]

    @property
    def base_rate(self) -> Floats:
        """The base rate of failure in the class of each tender."""
        return _either(self.base)


def predict(bundle: Bundle, table: TenderTable, only: Collection[str] | None = None) -> Predictions:
    """The probabilities of tenders as of the stage of their table; with `only`, of no other outcomes.

    Track records are looked up unless the table has them. Every number that is shown or judged anywhere comes from
    here.
    """
    stage = table.stage
    if table.records is None:
        table = table.with_records(track_record_lookup(bundle, table))
    counts = bidders(table)
    parts = {part.outcome: part for part in _parts(bundle, stage) if only is None or part.outcome in only}
    if "single_bid" in parts and len(parts) > 1 and not np.isnan(counts).any():
        # Bids that are counted need no prediction.
        del parts["single_bid"]
    values = _values_by_outcome(bundle, table, parts)
    matrix = _matrices(bundle, parts, values)
    boosted = _boosted(bundle, parts, matrix)
    margin = {outcome: base_margin(part, table.about(outcome)) + boosted[outcome] for outcome, part in parts.items()}
    first = next(values[outcome] for outcome in (*FAILURE_OUTCOMES, *values) if outcome in values)
    effects, levels = None, {}
    if bundle.effect_table is not None:
        classes = placement(table)
        effects = bundle.effect_table.parts(first, classes.large)
        levels = {outcome: classes.level(bundle.manifest.rates, outcome) for outcome in parts}
        for outcome, (level, _) in levels.items():
            margin[outcome] = margin[outcome] + level + effects.margin(outcome)
    calibrated = {
        outcome: bundle.calibration[outcome, part.stage].probabilities(margin[outcome])
        for outcome, part in parts.items()
    }
    no_bid = (counts == 0) & (stage == "bids_in")
    probability = {
        # 0 where the outcome cannot happen any more: no award, once there is one.
        "no_award": np.where(no_bid, 1.0, calibrated.get("no_award", 0.0)),
        "early_end": calibrated["early_end"] if "early_end" in calibrated else np.zeros(len(table)),
        # A fact once the bids are counted, a prediction before.
        "single_bid": np.where(np.isnan(counts), calibrated.get("single_bid", np.nan), counts == 1),
    }
    failing = {outcome: margin[outcome] for outcome in FAILURE_OUTCOMES if outcome in parts}
    if effects is not None:
        base = {o: bundle.calibration[o, parts[o].stage].probabilities(levels[o][0]) for o in failing}
        of_failure = {outcome: probability[outcome] for outcome in failing}
        interval = _effect_interval(effects, of_failure, levels, no_bid)
        names = placement(table).title
    else:
        base = {o: np.full(len(table), bundle.calibration[o, stage].base_rate) for o in failing}
        interval = _interval(bundle, stage, failing, no_bid)
        names = Categorical.single(bundle.class_title, len(table))
    return Predictions(
        bundle=bundle,
        table=table,
        feature_values=first,
        matrix=matrix,
        margin=margin,
        probability=probability,
        interval=interval,
        no_bid=no_bid,
        base={outcome: base.get(outcome, np.zeros(len(table))) for outcome in FAILURE_OUTCOMES},
        reference_class=names,
        effects=effects,
    )


def track_record_lookup(bundle: Bundle, table: TenderTable) -> TrackRecords:
    """The track records that a bundle holds of the tenders of a table, each as of its day of publication.

    For a register that has a history, what its history says, never as of before its last day; then the table has to
    hold its tenders. Else the case records.
    """
    if not bundle.histories:
        return TrackRecords(cases=table.published_on.map(bundle.case_history.as_of))
    tenders = table.source.tenders
    if tenders is None:
        raise ValueError(f"the tenders of {bundle.manifest.register} have to be held until their history is read")
    # A day before the last of a history reads as the last; so does an unknown one.
    days = table.published_on.numbers(lambda day: day.toordinal() if day else 0).astype(np.int64)
    cases = HistoryCases.unlabelled(hash_attributes(tenders, bundle.own_texts), days)
    values = {outcome: history_values(history, cases) for outcome, history in bundle.histories.items()}
    first = next(iter(values))
    none: Categorical[CaseRecords] = Categorical.single(NO_RECORDS, len(table))
    return TrackRecords(
        cases=none,
        register=values[first],
        outcomes=values,
        phrases=partial(_phrases, bundle.histories[first]),
    )


def _phrases(history: RegisterHistory, table: TenderTable) -> Categorical[Phrases]:
    tenders = table.source.tenders or ()
    return Categorical.by_identity([telling_phrases(history, tender) for tender in tenders])


def base_margin(part: ModelPart, table: TenderTable) -> Floats:
    """What the register's own rates add to a margin, in log-odds, shape (tenders,); 0 where no history was read."""
    weights = {"register_level": part.level, "register_drift": part.drift, "profile_score": part.profile}
    base = np.zeros(len(table))
    for name, weight in weights.items():
        if weight and table.records and name in table.records.register:
            base += weight * np.nan_to_num(table.register_feature(name))
    return base


def _parts(bundle: Bundle, stage: Stage) -> list[ModelPart]:
    """The parts that are asked at a stage. Whether there will be one bid is asked of the draft, at every stage."""
    return [
        part
        for part in bundle.manifest.parts
        if (part.outcome in FAILURE_OUTCOMES and part.stage == stage)
        or (part.outcome, part.stage) == ("single_bid", "draft")
    ]


def _values_by_outcome(bundle: Bundle, table: TenderTable, parts: Mapping[str, ModelPart]) -> dict[str, Floats]:
    """The values of the weighed features for each outcome; outcomes without records of their own share one array."""
    by_table: dict[int, Floats] = {}
    values = {}
    for outcome in parts:
        own = table.about(outcome)
        if id(own) not in by_table:
            by_table[id(own)] = feature_values(bundle.weighed, own)
        values[outcome] = by_table[id(own)]
    return values


def _matrices(bundle: Bundle, parts: Mapping[str, ModelPart], values: Mapping[str, Floats]) -> dict[str, Matrix]:
    """What each booster reads. Boosters that read the same features of the same values share a matrix."""
    made: dict[tuple[int, tuple[str, ...]], Matrix] = {}
    matrices = {}
    for outcome, part in parts.items():
        if not part.features:
            continue
        key = id(values[outcome]), part.features
        if key not in made:
            made[key] = np.ascontiguousarray(values[outcome].T[bundle.columns_of(part)].T, dtype=np.float32)
        matrices[outcome] = made[key]
    return matrices


def _boosted(
    bundle: Bundle, parts: Mapping[str, ModelPart], matrix: Mapping[str, Matrix]
) -> dict[str, NDArray[np.float32]]:
    """The margins that the boosters give, by outcome, 0 without one. Those that read one matrix are asked at once."""
    groups: dict[int, list[ModelPart]] = {}
    margins: dict[str, NDArray[np.float32]] = {}
    for outcome, part in parts.items():
        if outcome not in matrix:
            margins[outcome] = np.zeros(1, dtype=np.float32)
            continue
        groups.setdefault(id(matrix[outcome]), []).append(part)
    for group in groups.values():
        rows = matrix[group[0].outcome]
        joint = bundle.joint_booster(group) if len(group) > 1 else None
        if joint is not None:
            columns = joint.inplace_predict(rows, predict_type="margin", validate_features=False)
            margins.update(zip([part.outcome for part in group], columns.reshape(-1, len(group)).T, strict=True))
        else:
            for part in group:
                booster = bundle.boosters[part.outcome, part.stage]
                margins[part.outcome] = booster.inplace_predict(rows, predict_type="margin", validate_features=False)
    return margins


def difference_bounds(predicted: Predictions) -> Floats:
    """The bounds of how far the failure of each tender differs from that of the first, shape (tenders, 2).

    Both are drawn under the same resamples: what is uncertain of both alike leaves their difference alone.
    """
    margin = {outcome: values for outcome, values in predicted.margin.items() if outcome in FAILURE_OUTCOMES}
    drawn = _failure_draws(predicted.bundle, predicted.table.stage, margin, len(predicted.table))
    drawn[predicted.no_bid] = 1.0
    bounds: Floats = np.percentile((drawn - drawn[0]).astype(np.float64), INTERVAL, axis=1).T
    return bounds


def _failure_draws(bundle: Bundle, stage: Stage, margin: Mapping[str, Floats], rows: int) -> Draws:
    """The failure of each tender under each resample of the calibration, shape (rows, resamples)."""
    survive = np.ones((rows, 1), dtype=np.float32)
    for outcome, margins in margin.items():
        drawn = bundle.calibration[outcome, stage].draws(margins)
        survive = np.subtract(1, drawn, out=drawn) * survive
    failure: Draws = np.subtract(1, survive)
    return failure


def _interval(bundle: Bundle, stage: Stage, margin: Mapping[str, Floats], no_bid: NDArray[np.bool_]) -> Floats:
    """The bounds of each tender's failure by the margins of its outcomes, shape (tenders, 2).

    They are drawn once for all tenders of the same margins, which are few: a booster is a small number of steps.
    """
    rows = np.column_stack([no_bid, *margin.values()])
    distinct = Categorical.of_rows(rows)
    decided, *margins = rows[distinct.categories].T
    ordered = _failure_draws(bundle, stage, dict(zip(margin, margins, strict=True)), len(decided))
    ordered.sort(axis=1)
    places = [round(percent / 100 * (ordered.shape[1] - 1)) for percent in INTERVAL]
    bounds = ordered[:, places].astype(np.float64)
    bounds[decided == 1] = 1.0
    interval: Floats = bounds[distinct.codes]
    return interval


def _effect_interval(
    effects: EffectParts,
    probability: Mapping[str, Floats],
    levels: Mapping[str, tuple[Floats, Floats]],
    no_bid: NDArray[np.bool_],
) -> Floats:
    """The bounds for each tender of any of some outcomes, where pooled effects are the model, shape (tenders, 2).

    The log-odds of each outcome has the variance of its class's level and of its effects. That of any of them follows
    by the delta method: its derivative by the log-odds of an outcome is p / (p of any), in log-odds.
    """
    survive, variance = np.ones(len(no_bid)), np.zeros(len(no_bid))
    for p in probability.values():
        survive = survive * (1 - p)
    any_of = np.clip(1 - survive, 1e-9, 1 - 1e-9)
    for outcome, p in probability.items():
        variance += (p / any_of) ** 2 * (levels[outcome][1] + effects.variance(outcome))
    half, middle = Z95 * np.sqrt(variance), np.log(any_of / (1 - any_of))
    bounds = expit(np.column_stack([middle - half, middle + half]))
    bounds[no_bid] = 1.0
    return bounds


def _either(probability: Mapping[str, Floats]) -> Floats:
    """The probability of no award, or of an award that ends early."""
    failure: Floats = 1 - (1 - probability["no_award"]) * (1 - probability["early_end"])
    return failure


def expit(logit: Floats) -> Floats:
    """Log-odds to probabilities."""
    return sigmoid(np.clip(logit, -50.0, 50.0))
