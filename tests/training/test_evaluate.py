"""Evaluating: the straight line on unseen cases, with nothing known that was not known on the day."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from features.track_records.case_records import CaseHistory, in_order
from features.track_records.resolutions import decision, failure, resolved_cases
from models import score as scoring
from models.bundle import Bundle
from tenders import casebook
from tenders.errors import DataError, UsageError
from tenders.history import HistoryFile, LabelledTender, Register
from tenders.registers import casebook_uk
from training.evaluate import Evaluation, evaluate, probabilities

FILE = Path("made.csv")
CASES = [casebook_uk.labelled_tender(case, row) for row, case in enumerate(casebook.cases())]
DATED = [case for case in CASES if case.published > date(1990, 1, 1)]


def source(history: list[LabelledTender], test: list[LabelledTender]) -> Register:
    """A register whose files hold these cases."""
    held = {"history": history, "test": test}
    return replace(
        casebook_uk.REGISTER, read=lambda path: HistoryFile(cases=held[path.stem], rows=len(held[path.stem]))
    )


def judged(
    bundle: Bundle, history: list[LabelledTender], test: list[LabelledTender], outcome: str = "failure"
) -> Evaluation:
    return evaluate(bundle, source(history, test), Path("history.csv"), Path("test.csv"), outcome, "draft")


def test_the_figures_are_those_of_cohort_rows_and_picked_rows_stand_apart(bundle: Bundle) -> None:
    found = judged(bundle, [], CASES)
    labels = {picked: [c for c in CASES if (c.cohort == "picked") == picked] for picked in (False, True)}
    for figures, cases in ((found, labels[False]), (found.picked, labels[True])):
        assert figures is not None
        told = [case.outcomes["failure"] for case in cases if case.outcomes["failure"] is not None]
        assert (figures.n, figures.positives) == (len(told), sum(told))
        assert figures.censored == len(cases) - len(told)
        decisions = Counter(decision(case) for case in cases if case.outcomes["failure"] is not None)
        failed = sum(
            failure(case) / decisions[decision(case)] for case in cases if case.outcomes["failure"] is not None
        )
        assert figures.base_rate == pytest.approx(failed / len(decisions))
        assert figures.auc is not None
        assert figures.auc_ci is not None
        assert figures.auc_ci[0] <= figures.auc <= figures.auc_ci[1]


def test_the_contract_s_keys_are_printed(bundle: Bundle) -> None:
    printed = msgspec.to_builtins(judged(bundle, [], CASES))
    assert printed.keys() >= {
        "register", "outcome", "stage", "n", "positives", "base_rate", "auc", "auc_ci", "average_precision", "brier",
        "ece", "lift_at_5", "lift_at_10", "picked",
    }  # fmt: skip


def test_a_probability_is_what_scoring_says_of_the_case_on_its_day(bundle: Bundle) -> None:
    log = CaseHistory(resolved=tuple(in_order(resolved_cases(CASES))))
    told = [case for case in DATED[:40] if case.outcomes["failure"] is not None]
    found = probabilities(bundle, casebook_uk.REGISTER, CASES, DATED[:40], "failure", "draft")
    for case, p in zip(told, found, strict=True):
        scored = scoring.score(replace(bundle, log=log), casebook.cases()[case.row].process(), "draft")
        assert round(p, 4) == scored.failure


@pytest.mark.parametrize("index", range(0, len(DATED), 60))
def test_what_was_resolved_on_or_after_the_day_changes_nothing(bundle: Bundle, index: int) -> None:
    case = DATED[index]
    later = [c for c in CASES if c.known_on is not None and c.known_on >= case.published]
    turned = [replace(c, outcomes={"failure": not failure(c)}) if c in later else c for c in CASES]
    assert later
    expected = probabilities(bundle, casebook_uk.REGISTER, CASES, [case], "failure", "draft")
    for before in (turned, [c for c in CASES if c not in later]):
        assert list(probabilities(bundle, casebook_uk.REGISTER, before, [case], "failure", "draft")) == list(expected)


def test_what_a_register_cannot_tell_is_refused(bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="cannot tell no_award at awarded"):
        evaluate(bundle, casebook_uk.REGISTER, FILE, FILE, "no_award", "awarded")
    with pytest.raises(UsageError, match="cannot tell delay"):
        evaluate(bundle, casebook_uk.REGISTER, FILE, FILE, "delay", None)


def test_a_file_without_a_told_case_is_refused(bundle: Bundle) -> None:
    with pytest.raises(DataError, match="no case of which failure is known"):
        judged(bundle, CASES, [c for c in CASES if c.outcomes["failure"] is None])
