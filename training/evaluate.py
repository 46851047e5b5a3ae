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

from features.categorical import Categorical
from features.table import TrackRecords
from features.table_builder import of_tenders
from features.track_records import register_history as histories
from features.track_records.attributes import hash_attributes
from features.track_records.case_records import NO_RECORDS, CaseHistory
from features.track_records.register_features import register_features, register_level
from features.track_records.register_history import HistoryCases, RegisterHistory, read_history
from features.track_records.resolutions import decision, picked, resolved_cases
from models.bundle import ANY, Bundle
from models.predict import predict
from tenders.errors import DataError, UsageError
from tenders.facts import Stage
from tenders.history import LabelledTender, Register
from training import metrics
from training.datasets import empty_history, replay_cases
from training.splits import group_numbers

Floats = NDArray[np.float64]


class EvaluationResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Metrics of one outcome at one stage. `auc_ci` is 95 %, by bootstrap of cases that share their fate.

    `n` and `positives` count rows; in the casebook's other metrics what ended by one decision counts as one case. For a
    history of which part was picked, the metrics are those of the rest, and the picked cases are in `picked`.
    `censored` counts the cases that are left out, those without a call among them.
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
    ece: float
    lift_at_5: float | None
    lift_at_10: float | None
    picked: EvaluationResult | None = None


def evaluate(
    bundle: Bundle, register: Register, history: Path, test: Path, outcome: str | None, stage: Stage | None
) -> EvaluationResult:
    """The metrics of a bundle on a test file. Without an outcome or stage, on the first that the register can tell.

    Raises UsageError if the register cannot tell the outcome at the stage, DataError if no test case has it.
    """
    outcome, stage = _target(register, outcome, stage)
    before, cases = register.cases(history), register.cases(test)
    labelled = [case for case in cases if register.judged(case, outcome)]
    if not labelled:
        raise DataError.at(test.name, f"no case of which {outcome} is known", "Check the register and the outcome")
    p = probabilities(bundle, register, before, cases, outcome, stage)
    parts: dict[bool, EvaluationResult] = {}
    for kind in (False, True):
        rows = np.flatnonzero([picked(case) == kind for case in labelled])
        if len(rows):
            censored = sum(not register.judged(case, outcome) for case in cases if picked(case) == kind)
            chosen = [labelled[row] for row in rows]
            parts[kind] = _result(register.name, outcome, stage, chosen, p[rows], censored)
    return msgspec.structs.replace(parts[False], picked=parts.get(True)) if False in parts else parts[True]


def _target(register: Register, outcome: str | None, stage: Stage | None) -> tuple[str, Stage]:
    """The outcome and stage to judge. Raises UsageError if the source cannot tell that outcome at that stage."""
    outcome = outcome or next(iter(register.outcomes))
    stages = register.outcomes.get(outcome, ())
    if not stages or (stage and stage not in stages):
        known = "; ".join(f"{name} at {', '.join(at)}" for name, at in register.outcomes.items())
        raise UsageError(f"{register.name} cannot tell {outcome} at {stage or 'any stage'}. It tells {known}")
    return outcome, stage or stages[0]


def probabilities(
    bundle: Bundle,
    register: Register,
    before: Sequence[LabelledTender],
    cases: Sequence[LabelledTender],
    outcome: str,
    stage: Stage,
) -> Floats:
    """The predicted probability of an outcome for each case that can be judged, as of its day of publication.

    Raises UsageError if the bundle has no model of the outcome at the stage.
    """
    labelled = [row for row, case in enumerate(cases) if register.judged(case, outcome)]
    own = bundle.registers.get(register.name) or (bundle if register.uk else bundle.registers.get(ANY, bundle))
    if (outcome, stage) not in (*own.boosters, ("failure", stage)):
        raise UsageError(f"bundle {bundle.manifest.version} has no model of {outcome} at {stage} for {register.name}")
    tenders = [cases[row].as_of(stage) for row in labelled]
    records = replayed_records(own, register, before, cases, labelled, outcome)
    return predict(own, of_tenders(tenders, stage, records=records)).of(outcome)


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
    everything = [*before, *cases]
    if not own.histories and own.manifest.register != ANY:
        known = CaseHistory.of(resolved_cases(everything))
        return TrackRecords(cases=Categorical.of([cases[row].published for row in rows]).map(known.as_of))
    if history is not None and history.timeless:
        attributes = hash_attributes(cases[row].tender for row in rows)
        reading = read_history(history, HistoryCases.unlabelled(attributes, np.full(len(rows), history.day)))
        at = list(range(len(rows)))
    else:
        replay = replay_cases(everything, outcome, register.called_off)
        empty = empty_history(replay) if history is None else RegisterHistory.empty(replay, history.passes)
        reading = histories.replay(empty, replay)
        at = [len(before) + row for row in rows]
    level, drift = register_level(reading)
    columns = {"register_level": level, "register_drift": drift, **register_features(reading)}
    return TrackRecords(
        cases=Categorical.single(NO_RECORDS, len(rows)),
        register={name: column[at] for name, column in columns.items()},
    )


def _result(
    name: str, outcome: str, stage: Stage, cases: Sequence[LabelledTender], p: Floats, censored: int
) -> EvaluationResult:
    y = np.array([float(bool(case.outcomes[outcome])) for case in cases])
    cluster = group_numbers([case.cluster_id for case in cases])
    # In the casebook one decision is one case; in a register every row is one.
    decisions = group_numbers([decision(case) if case.cohort else (row,) for row, case in enumerate(cases)])
    values = metrics.compute_metrics(y, p, cluster, weight=1 / np.bincount(decisions)[decisions])
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
        ece=values.ece,
        lift_at_5=_known(values.lift_at_5),
        lift_at_10=_known(values.lift_at_10),
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
