"""How a bundle does on a register's cases that it has not seen.

Test cases are scored along the straight line, with track records replayed from both files: what was resolved before a
test case was published is known to it, nothing later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.track_records import register_history as histories
from features.track_records.attributes import hash_attributes
from features.track_records.case_records import CaseHistory, TrackRecord
from features.track_records.register_history import HistoryCases, RegisterHistory, read_cases
from features.track_records.resolutions import decision, picked, resolved_cases
from models import knowing
from models.bundle import ANY, Bundle
from models.predict import measured, predictions
from tenders.errors import DataError, UsageError
from tenders.facts import Stage
from tenders.history import LabelledTender, Register
from training import metrics
from training.frames import cases_of, fresh
from training.splits import numbered

Floats = NDArray[np.float64]

UK = ("casebook_uk",)
"""The sources of which the bundle itself is the model."""


class Evaluation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Figures of one outcome at one stage. `auc_ci` is 95 %, cases that share fate resampled together.

    `n` and `positives` count rows. In the other figures what ended by one decision counts as one case, in the casebook.
    For a history of which part was picked, the figures are those of the rest, and the picked cases stand in `picked`.
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
    picked: Evaluation | None = None


def evaluate(
    bundle: Bundle, source: Register, history: Path, test: Path, outcome: str | None, stage: Stage | None
) -> Evaluation:
    """The figures. Without an outcome or stage, the first that the register can tell.

    Raises UsageError if the register cannot tell the outcome at the stage, DataError if no test case has it.
    """
    asked = outcome or next(iter(source.outcomes))
    open_at = source.outcomes.get(asked, ())
    if not open_at or (stage and stage not in open_at):
        told = "; ".join(f"{name} at {', '.join(stages)}" for name, stages in source.outcomes.items())
        raise UsageError(f"{source.name} cannot tell {asked} at {stage or 'any stage'}. It tells {told}")
    at = stage or open_at[0]
    before, cases = source.cases(history), source.cases(test)
    told_cases = [case for case in cases if case.outcomes.get(asked) is not None]
    if not told_cases:
        raise DataError.at(test.name, f"no case of which {asked} is known", "Check the register and the outcome")
    p = probabilities(bundle, source, before, cases, asked, at)
    parts = {
        kind: _figures(source.name, asked, at, told_cases, p, rows, _censored(cases, asked, kind))
        for kind in (False, True)
        if len(rows := np.flatnonzero([picked(case) == kind for case in told_cases]))
    }
    return msgspec.structs.replace(parts[False], picked=parts.get(True)) if False in parts else parts[True]


def probabilities(
    bundle: Bundle,
    source: Register,
    before: Sequence[LabelledTender],
    cases: Sequence[LabelledTender],
    outcome: str,
    stage: Stage,
) -> Floats:
    """The predicted probability of an outcome for each case that can tell it, as it was on its publication day."""
    told = [row for row, case in enumerate(cases) if case.outcomes.get(outcome) is not None]
    own = bundle.registers.get(source.name) or (bundle if source.name in UK else bundle.registers.get(ANY, bundle))
    if (outcome, stage) not in (*own.boosters, ("failure", stage)):
        raise UsageError(f"bundle {bundle.manifest.version} has no model of {outcome} at {stage} for {source.name}")
    tenders = [cases[row].as_of(stage) for row in told]
    records = known(own, source, before, cases, told, outcome)
    return predictions(measured(own, stage, tenders, records)).of(outcome)


def known(
    own: Bundle,
    source: Register,
    before: Sequence[LabelledTender],
    cases: Sequence[LabelledTender],
    rows: Sequence[int],
    outcome: str,
) -> list[TrackRecord]:
    """For each of `rows` the track record of that case's day: replayed from both files, or, where time cannot
    order a register, as the bundle holds it."""
    state = own.histories.get(outcome)
    everything = [*before, *cases]
    if not own.histories and own.manifest.register != ANY:
        log = CaseHistory.of(resolved_cases(everything))
        return [log.as_of(cases[row].published) for row in rows]
    if state is not None and state.timeless:
        read = read_cases(
            state,
            HistoryCases.unlabelled(hash_attributes(cases[row].tender for row in rows), np.full(len(rows), state.day)),
        )
        at = list(range(len(rows)))
    else:
        walked = cases_of(everything, outcome)
        empty = fresh(walked) if state is None else RegisterHistory.empty(walked, state.passes)
        read = histories.replay(empty, walked)
        at = [len(before) + row for row in rows]
    return [TrackRecord(numbers=numbers) for numbers in knowing.numbers(read, at)]


def _censored(cases: Sequence[LabelledTender], outcome: str, kind: bool) -> int:
    return sum(case.outcomes.get(outcome) is None for case in cases if picked(case) == kind)


def _figures(
    register: str,
    outcome: str,
    stage: Stage,
    cases: Sequence[LabelledTender],
    p: Floats,
    rows: NDArray[np.int64],
    censored: int,
) -> Evaluation:
    y = np.array([float(bool(cases[row].outcomes[outcome])) for row in rows])
    cluster = numbered([cases[row].cluster_id for row in rows])
    # In the casebook one decision is one case; in a register every row is one.
    decided = numbered([decision(cases[row]) if cases[row].cohort else (int(row),) for row in rows])
    found = metrics.summary(y, p[rows], cluster, weight=1 / np.bincount(decided)[decided])
    return Evaluation(
        register=register,
        outcome=outcome,
        stage=stage,
        n=found.n,
        positives=found.positives,
        censored=censored,
        base_rate=found.base_rate,
        auc=_told(found.auc),
        auc_ci=None if math.isnan(found.auc) else found.auc_ci,
        average_precision=_told(found.average_precision),
        brier=found.brier,
        ece=found.ece,
        lift_at_5=_told(found.lift_at_5),
        lift_at_10=_told(found.lift_at_10),
    )


def _told(figure: float) -> float | None:
    return None if math.isnan(figure) else figure
