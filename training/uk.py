"""The UK model: rates of reference classes, pooled effects of factors on top, and trees beyond them if they gain.

Judged on the casebook's cohort rows, each forecast by rates and effects that saw nothing of its group: of UK cases only
the layer `cases` and the rates of large services change from fold to fold. Everything passes through `predict`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.catalogue import catalogue
from features.categorical import Categorical
from features.table import TenderTable, TrackRecords
from features.table_builder import of_tenders
from features.track_records.case_records import CaseHistory
from features.track_records.resolutions import resolved_cases
from models.bundle import UNRELEASED, Bundle, BundleManifest, ModelPart
from models.calibration import Calibration
from models.effects import FactorEffect
from models.predict import predict
from models.reference_classes import ClassRates
from tenders import casebook
from tenders.facts import STAGES, Stage
from tenders.history import UNDATED
from training.datasets import STAGES_OF, Casebook, CasebookDataset
from training.evidence.documented import evidence
from training.evidence.levels import UkHistory, class_rates
from training.evidence.pooled import UkCases, pooled_effects, usual_doses
from training.evidence.registers import RegisterEstimate, dose
from training.recipe import Recipe
from training.registers import fingerprint, history_files
from training.splits import group_numbers, stratified_group_folds

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

LAST: Mapping[str, Stage] = {outcome: stages[-1] for outcome, stages in STAGES_OF.items()}


class UkEvidence:
    """Everything that the UK model is made of: the casebook, other histories of the UK, and estimates of registers."""

    def __init__(
        self, book: Casebook, histories: Sequence[UkHistory] = (), registers: Sequence[RegisterEstimate] = ()
    ) -> None:
        self.book, self.histories, self.registers = book, tuple(histories), tuple(registers)
        self.sources = tuple(history.source for history in self.histories)
        self._doses = {stage: doses(table) for stage, table in book.tables.items()}
        self._programme = group_numbers([case.cohort for case in book.cases])
        self._notices = [_history_cases(history) for history in self.histories]

    def model(self, rows: Numbers, halved: Sequence[str] = ()) -> tuple[ClassRates, tuple[FactorEffect, ...]]:
        """Rates and effects from some rows of the casebook, of which the cohort rows count, and all other evidence."""
        large: dict[str, tuple[Floats, Floats]] = {}
        cases: dict[str, list[UkCases]] = {}
        for outcome, stage in LAST.items():
            y = self.book.labels(outcome)
            chosen = rows[~self.book.picked[rows] & ~np.isnan(y[rows])]
            weight = 1 / np.bincount(self.book.decision)[self.book.decision]
            shared = np.bincount(self.book.cluster)[self.book.cluster] ** -0.5
            large[outcome] = y[chosen], weight[chosen]
            of_book = UkCases(doses=self._doses[stage], y=y, programme=self._programme, weight=weight * shared)
            cases[outcome] = [of_book.take(chosen)]
        cases["no_award"] += self._notices
        rates = class_rates(large, self.histories)
        cohort = rows[~self.book.picked[rows]]
        usual = usual_doses(
            {name: dose[cohort] for name, dose in self._doses["awarded"].items()},
            {
                name: np.concatenate([notice.doses[name] for notice in self._notices])
                for name in (self._notices[0].doses if self._notices else ())
            },
        )
        return rates, pooled_effects(self.registers, cases, usual, halved)

    def out_of_fold(self, data: CasebookDataset, recipe: Recipe) -> tuple[Floats, Floats]:
        """Log-odds of every row by models that saw nothing of its group, and those of its class. Shape (rows,) each.

        The mean over repeated folds.
        """
        margin, level = np.zeros(len(data.y)), np.zeros(len(data.y))
        table = self.book.tables[data.stage]
        for repeat in range(recipe.repeats):
            for train, test in stratified_group_folds(data.y, data.group, recipe.folds, recipe.seed + repeat):
                bundle = uk_bundle(*self.model(train), self.book.case_history)
                predicted = predict(bundle, table, only=[data.outcome])
                margin[test] += predicted.margin[data.outcome][test] / recipe.repeats
                level[test] += predicted.level(data.outcome)[test] / recipe.repeats
        return margin, level


def uk_histories(directory: Path) -> list[UkHistory]:
    """The histories of the UK in a directory, beside the casebook. Raises as their readers do."""
    histories = []
    for register, file in history_files(directory):
        if register.uk and register.name != casebook.NAME:
            cases = register.cases(file)
            dated = [case for case in cases if case.published > UNDATED]
            histories.append(UkHistory(register, cases, fingerprint(register, file, dated)))
    return histories


def uk_bundle(
    rates: ClassRates, effects: tuple[FactorEffect, ...], history: CaseHistory, evidence_line: str = ""
) -> Bundle:
    """A bundle of rates and effects alone, without boosters."""
    parts = tuple(ModelPart(outcome=o, stage=s, features=()) for o, stages in STAGES_OF.items() for s in stages)
    return Bundle(
        manifest=BundleManifest(
            version=UNRELEASED,
            created="",
            commit="",
            register="uk",
            parts=parts,
            data=(),
            metrics={},
            evidence=evidence_line,
            effects=effects,
            rates=rates,
        ),
        boosters={},
        calibration={(part.outcome, part.stage): as_it_is(rates, part.outcome) for part in parts},
        case_history=history,
    )


def as_it_is(rates: ClassRates, outcome: str) -> Calibration:
    """The calibration of margins that are log-odds of the class and of pooled effects: they stay as they are."""
    large = rates[outcome]["large"]
    return Calibration(
        intercept=0.0,
        slope=1.0,
        resampled=((0.0, 1.0),),
        base_rate=large.rate,
        cases=large.cases,
        positives=large.positives,
        groups=0,
    )


def doses(table: TenderTable) -> dict[str, Floats]:
    """The doses of the factors that can be known at the stage of a table, by feature, each of shape (rows,)."""
    known, by_factor = catalogue(), {}
    for factor in evidence().factors:
        if STAGES.index(known[factor.feature].stage) <= STAGES.index(table.stage):
            values = {name: known[name].measure(table) for name in (factor.feature, factor.unless) if name}
            by_factor[factor.feature] = dose(factor, values)
    return by_factor


def _history_cases(history: UkHistory) -> UkCases:
    """The blind cases of a history as UK cases of no award, with the track records of their own register."""
    cases = history.cases
    days = [case.published for case in cases]
    known = CaseHistory.of(resolved_cases(history.every))
    records = TrackRecords(cases=Categorical.of(days).map(known.as_of))
    table = of_tenders([case.as_of("bids_in") for case in cases], "bids_in", days, records=records)
    return UkCases(
        doses=doses(table),
        y=np.array([float(bool(case.outcomes["no_award"])) for case in cases]),
        programme=group_numbers([case.cluster_id for case in cases]),
        weight=np.ones(len(cases)),
    )
