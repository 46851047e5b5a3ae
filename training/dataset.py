"""The casebook as tables: one row a case at a stage, with its outcome, its weight and whose fate it shares."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.catalogue import known_at
from features.matrix import Matrix, measured
from features.track_records.case_records import CaseHistory
from features.track_records.resolutions import resolved_cases
from models.bundle import TrainingSource
from tenders import casebook
from tenders.casebook import CasebookCase
from tenders.facts import STAGES, Stage
from tenders.registers.casebook_uk import labelled_tender
from training.splits import components, numbered

OUTCOMES = ("no_award", "early_end", "single_bid")
STAGES_OF: dict[str, tuple[Stage, ...]] = {
    "no_award": ("draft", "bids_in"),
    "early_end": ("draft", "bids_in", "awarded"),
    "single_bid": ("draft",),
}
"""The stages at which an outcome is still open."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """All dated cases with their features by stage, and the log of what was learnt from them.

    `x[stage]` has shape (cases, features known at the stage). `group` numbers the cases that may share fate in any way;
    `cluster` those of one programme and buyer; `fate` those that ended by one decision.
    """

    cases: tuple[CasebookCase, ...]
    features: dict[Stage, tuple[str, ...]]
    x: dict[Stage, Matrix]
    picked: NDArray[np.bool_]
    group: NDArray[np.int64]
    cluster: NDArray[np.int64]
    fate: NDArray[np.int64]
    log: CaseHistory
    source: TrainingSource

    def label(self, outcome: str) -> NDArray[np.float64]:
        """1, 0 or NaN (censored or ambiguous) for every case, shape (cases,)."""
        if outcome == "failure":
            values = [None if not c.fail or (c.censored and c.fail == "0") else c.fail == "1" for c in self.cases]
        else:
            values = [getattr(c, outcome) for c in self.cases]
        return np.array([np.nan if value is None else float(value) for value in values])


def history(cases: Sequence[CasebookCase] | None = None) -> History:
    """The casebook, each case with the track records of its day. Cases without a date are left out: they have none."""
    read = [(c, c.process()) for c in (casebook.cases() if cases is None else cases)]
    dated = [(c, process, day) for c, process in read if (day := process.published_on())]
    chosen = [c for c, _, _ in dated]
    processes = [process for _, process, _ in dated]
    days = [day for _, _, day in dated]
    known = {stage: known_at(stage) for stage in STAGES}
    log = CaseHistory.of(resolved_cases(labelled_tender(case, row) for row, case in enumerate(chosen)))
    records = [log.as_of(day) for day in days]
    return History(
        cases=tuple(chosen),
        features={stage: tuple(f.name for f in known[stage]) for stage in STAGES},
        x={
            stage: measured(known[stage], [each.as_of(stage) for each in processes], records, stage).astype(np.float32)
            for stage in STAGES
        },
        picked=np.array([c.picked for c in chosen]),
        group=components([[_programme(c), f"buyer:{c.buyer}"] for c in chosen]),
        cluster=numbered([(_programme(c), c.buyer) for c in chosen]),
        fate=numbered([_decision(c) for c in chosen]),
        log=log,
        source=source(chosen, days),
    )


def source(cases: Sequence[CasebookCase], days: Sequence[date]) -> TrainingSource:
    """The fingerprint of the casebook's three files, its rows and dates."""
    files = (casebook.CASES, casebook.CHANGES, casebook.SECTORS)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    return TrainingSource(
        name="casebook_uk", sha256=digest, rows=len(cases), first=min(days).isoformat(), last=max(days).isoformat()
    )


def _programme(case: CasebookCase) -> str:
    return f"case:{case.case_id}" if case.picked else f"cohort:{case.cohort}"


def _decision(case: CasebookCase) -> tuple[str, ...]:
    """Failures of one programme and buyer on one day are one decision; survivors survive one by one."""
    if case.picked or case.fail != "1":
        return (case.case_id,)
    return (case.cohort, case.buyer, case.outcome_date)
