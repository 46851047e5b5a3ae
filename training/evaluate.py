"""How a bundle does on a register's cases that it has not seen.

Test cases are scored as any tender is, with track records replayed from both files: each knows what was resolved before
it was published, and nothing later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from features.categorical import Categorical
from features.table import TrackRecords
from features.table_builder import of_tenders
from features.track_records import delays
from features.track_records import register_history as histories
from features.track_records.attributes import hash_attributes
from features.track_records.case_records import NO_RECORDS, CaseHistory
from features.track_records.register_features import register_features, register_level
from features.track_records.register_history import HistoryCases, RegisterHistory, read_history
from features.track_records.resolutions import decision, picked, resolved_cases
from models.bundle import ANY, Bundle
from models.level import FOLLOWED, Known, Level, follow, level_day, shifts
from models.predict import Predictions, predict
from tenders.errors import DataError, UsageError
from tenders.facts import Stage
from tenders.held_cases import without_tenders
from tenders.history import UNDATED, LabelledTender, Register
from training import metrics
from training.datasets import clocks, empty_history, outcome_days, replay_cases
from training.splits import group_numbers

Floats = NDArray[np.float64]
BATCH = 25_000
"""Cases that are predicted at once, as in a portfolio: an interval takes some hundred numbers of each."""


class EvaluationResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Metrics of one outcome at one stage. `auc_ci` is 95 %, by bootstrap of cases that share their fate.

    `n` and `positives` count rows; in the casebook's other metrics what ended by one decision counts as one case. For a
    history of which part was picked, the metrics are those of the rest, and the picked cases are in `picked`.
    `censored` counts the cases that are left out, those without a call among them. `brier_skill` is 1 less the Brier
    score over that of the rate of the class, or of the register so far, as known when the forecast was made. `mean` is
    the mean forecast. `coverage` is the share of 15 bins of equal mass in which the observed rate lies within the mean
    interval, what counting alone moves allowed for.

    A register's level is followed over the test cases, by what was known on the day of each (`models.level`);
    `level_shift` is how far it had moved in the end, in log-odds, None where it is not followed, and `level_stale`
    whether that is farther than served intervals allow for: then the bundle needs outcomes, or a new fit.
    """

    register: str
    outcome: str
    stage: Stage
    n: int
    positives: int
    censored: int
    base_rate: float
    auc: float | None
    auc_ci: tuple[float, float] | None
    average_precision: float | None
    brier: float
    brier_skill: float | None
    ece: float
    mean: float
    lift_at_5: float | None
    lift_at_10: float | None
    coverage: float | None
    level_shift: float | None = None
    level_stale: bool | None = None
    picked: EvaluationResult | None = None


def evaluate(
    bundle: Bundle, register: Register, history: Path, test: Path, outcome: str | None, stage: Stage | None
) -> EvaluationResult:
    """The metrics of a bundle on a test file. Without an outcome or stage, on the first that the register can tell.

    Raises UsageError if the register cannot tell the outcome at the stage, DataError if no test case has it.
    """
    outcome, stage = _target(register, outcome, stage)
    before, cases = register.cases(history), register.cases(test)
    labelled = [case for case in cases if is_judged(register, case, outcome, stage)]
    if not labelled:
        raise DataError.at(test.name, f"no case of which {outcome} is known", "Check the register and the outcome")
    forecast = forecasts(bundle, register, before, cases, outcome, stage)
    parts: dict[bool, EvaluationResult] = {}
    for kind in (False, True):
        rows = np.flatnonzero([picked(case) == kind for case in labelled])
        if len(rows):
            censored = sum(picked(case) == kind for case in cases) - len(rows)
            chosen = [labelled[row] for row in rows]
            parts[kind] = _result(register.name, outcome, stage, chosen, forecast.take(rows), censored)
    return msgspec.structs.replace(parts[False], picked=parts.get(True)) if False in parts else parts[True]


def _target(register: Register, outcome: str | None, stage: Stage | None) -> tuple[str, Stage]:
    """The outcome and stage to judge. Raises UsageError if the source cannot tell that outcome at that stage."""
    outcome = outcome or next(iter(register.outcomes))
    stages = register.outcomes.get(outcome, ())
    if not stages or (stage and stage not in stages):
        known = "; ".join(f"{name} at {', '.join(at)}" for name, at in register.outcomes.items())
        raise UsageError(f"{register.name} cannot tell {outcome} at {stage or 'any stage'}. It tells {known}")
    return outcome, stage or stages[0]


class JudgedForecast(msgspec.Struct, frozen=True, kw_only=True):
    """What was forecast of cases: the probability, its interval, and the base rate as known then, each (rows,)."""

    p: Floats
    low: Floats
    high: Floats
    base: Floats
    level: Level | None = None

    def take(self, rows: NDArray[np.int64]) -> JudgedForecast:
        """The forecasts of some rows."""
        taken = {name: getattr(self, name)[rows] for name in ("p", "low", "high", "base")}
        return msgspec.structs.replace(self, **taken)

    def moved(self, shift: Floats, level: Level) -> JudgedForecast:
        """The forecasts, each with the level of its day."""
        p, low, high = (
            np.where(shift == 0, values, expit(logit(np.clip(values, 1e-9, 1 - 1e-9)) + shift))
            for values in (self.p, self.low, self.high)
        )
        return msgspec.structs.replace(self, p=p, low=low, high=high, level=level)


def is_judged(register: Register, case: LabelledTender, outcome: str, stage: Stage) -> bool:
    """Whether a forecast of this case can be judged. At award, a tender that came to none is no case."""
    return register.judged(case, outcome) and not (stage == "awarded" and case.outcomes.get("no_award"))


def forecasts(
    bundle: Bundle,
    register: Register,
    before: Sequence[LabelledTender],
    cases: Sequence[LabelledTender],
    outcome: str,
    stage: Stage,
) -> JudgedForecast:
    """What is forecast of an outcome for each case that can be judged, as of its day of publication.

    Raises UsageError if the bundle has no model of the outcome at the stage.
    """
    known = without_tenders(cases)
    labelled = [row for row, case in enumerate(known) if is_judged(register, case, outcome, stage)]
    own = bundle.registers.get(register.name) or (bundle if register.uk else bundle.registers.get(ANY, bundle))
    if (outcome, stage) not in (*own.predicted, ("failure", stage)):
        raise UsageError(f"bundle {bundle.manifest.version} has no model of {outcome} at {stage} for {register.name}")
    records = replayed_records(own, register, before, cases, labelled, outcome)
    parts = [
        _predicted(own, [cases[row] for row in labelled[at : at + BATCH]], stage, _part(records, at), outcome)
        for at in range(0, max(1, len(labelled)), BATCH)
    ]
    p, low, high, base = (np.concatenate(column) for column in zip(*parts, strict=True))
    judged = JudgedForecast(p=p, low=low, high=high, base=base)
    everything = [*without_tenders(before), *known]
    return _at_level(own, judged, everything, [len(before) + row for row in labelled], outcome)


def _predicted(
    own: Bundle, cases: Sequence[LabelledTender], stage: Stage, records: TrackRecords, outcome: str
) -> tuple[Floats, Floats, Floats, Floats]:
    """Of some cases the probability of an outcome, its bounds, and the base rate."""
    days = [case.published if case.published > UNDATED else None for case in cases]
    predicted = predict(own, of_tenders([case.as_of(stage) for case in cases], stage, days, records=records))
    low, high = predicted.interval_of(outcome).T
    return predicted.of(outcome), low, high, _base_rate(predicted, outcome)


def _part(records: TrackRecords, at: int) -> TrackRecords:
    """The track records of BATCH rows from one on."""
    rows = slice(at, at + BATCH)
    return TrackRecords(
        cases=Categorical(records.cases.categories, records.cases.codes[rows]),
        register={name: column[rows] for name, column in records.register.items()},
    )


def _at_level(
    own: Bundle, judged: JudgedForecast, everything: Sequence[LabelledTender], rows: Sequence[int], outcome: str
) -> JudgedForecast:
    """The forecasts at the level of their day, if the bundle is one that outcomes move: they must not take years, and
    time must order them."""
    history = own.histories.get(outcome)
    timed = own.manifest.register == ANY or (history is not None and not history.timeless)
    if outcome not in FOLLOWED or not timed:
        return judged
    published, known, y = outcome_days(everything, outcome)
    logits = np.full(len(everything), np.nan)
    logits[rows] = logit(np.clip(judged.p, 1e-9, 1 - 1e-9))
    cluster = group_numbers([case.cluster_id for case in everything])
    seen = Known(logit=logits, published=published, known=known, y=y, cluster=cluster)
    days = published[rows]
    start, end = Level(day=level_day(own) or int(days.min())), int(max(known.max(), published.max())) + 1
    return judged.moved(shifts(seen, days, start), follow(seen, end, start))


def _base_rate(predicted: Predictions, outcome: str) -> Floats:
    """The rate that was known of each tender's class when it was published: in a register, its own of the last year."""
    base = predicted.base_of(outcome)
    records = predicted.table.records
    if outcome != "failure" and records and "register_level" in records.register:
        level = predicted.table.register_feature("register_level")
        return np.where(np.isnan(level), base, expit(level))
    return base


def replayed_records(
    own: Bundle,
    register: Register,
    before: Sequence[LabelledTender],
    cases: Sequence[LabelledTender],
    rows: Sequence[int],
    outcome: str,
) -> TrackRecords:
    """The track records of `rows` (of `cases`), each on its day, replayed from both files.

    If time cannot order the register, they are those that the bundle holds.
    """
    history = own.histories.get(outcome)
    everything = [*before, *cases] if before else cases
    if not own.histories and own.manifest.register != ANY:
        known = CaseHistory.of(resolved_cases(everything))
        return TrackRecords(cases=Categorical.of([cases[row].published for row in rows]).map(known.as_of))
    if history is not None and history.timeless:
        attributes = hash_attributes((cases[row].tender for row in rows), own.own_texts)
        reading = read_history(history, HistoryCases.unlabelled(attributes, np.full(len(rows), history.day)))
        at = list(range(len(rows)))
        level, drift = register_level(reading)
    else:
        replay = replay_cases(everything, outcome, register.called_off, own.own_texts)
        empty = empty_history(replay) if history is None else RegisterHistory.empty(replay, history.passes)
        reading = histories.replay(empty, replay)
        at = [len(before) + row for row in rows]
        level, drift = delays.levels(*clocks(replay), replay.published[at])
    return TrackRecords(
        cases=Categorical.single(NO_RECORDS, len(rows)),
        register={
            "register_level": level,
            "register_drift": drift,
            **{name: column[at] for name, column in register_features(reading).items()},
        },
    )


def _result(
    name: str, outcome: str, stage: Stage, cases: Sequence[LabelledTender], forecast: JudgedForecast, censored: int
) -> EvaluationResult:
    y = np.array([float(bool(case.outcomes[outcome])) for case in cases])
    cluster = group_numbers([case.cluster_id for case in cases])
    # In the casebook one decision is one case; in a register every row is one.
    decisions = group_numbers([decision(case) if case.cohort else (row,) for row, case in enumerate(cases)])
    weight = 1 / np.bincount(decisions)[decisions]
    values = metrics.compute_metrics(y, forecast.p, cluster, weight=weight)
    of_base = metrics.brier(y, forecast.base, weight)
    return EvaluationResult(
        register=name,
        outcome=outcome,
        stage=stage,
        n=values.n,
        positives=values.positives,
        censored=censored,
        base_rate=values.base_rate,
        auc=_known(values.auc),
        auc_ci=None if math.isnan(values.auc) else values.auc_ci,
        average_precision=_known(values.average_precision),
        brier=values.brier,
        brier_skill=1 - values.brier / of_base if of_base else None,
        ece=values.ece,
        mean=float(np.average(forecast.p, weights=weight)),
        lift_at_5=_known(values.lift_at_5),
        lift_at_10=_known(values.lift_at_10),
        coverage=metrics.coverage(y, forecast.p, forecast.low, forecast.high),
        level_shift=forecast.level.shift if forecast.level else None,
        level_stale=forecast.level.stale if forecast.level else None,
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
