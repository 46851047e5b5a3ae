"""What to expect of the scores: the mean probability with its bounds, and what validation found; weak groups."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from models.bundle import Bundle
from portfolio.expectations import (
    WeakGroup,
    expected_precision,
    model_evidence,
    validation_metrics,
    validation_result,
    weak_groups,
)

METRICS = validation_metrics(
    "uk",
    {
        "dncp_py/no_award/draft": {"n": 500.0, "base_rate": 0.1, "lift_at_5": 3.0, "lift_at_10": 2.0},
        "failure/draft/cohort": {"n": 231.0, "base_rate": 0.218},
        "fpds_dod_us/early_end/awarded": {"n": 90.0, "base_rate": None},
    },
)


def test_what_is_expected_is_the_mean_probability_with_bounds_that_chance_widens() -> None:
    precision = expected_precision(np.full(100, 0.4), np.full(100, 0.3), np.full(100, 0.5))
    assert precision is not None
    assert (precision.rows, precision.expected, precision.interval) == (100, 0.4, (0.3, 0.5))
    # 1.96 standard deviations of a share of 100.
    assert precision.prediction_interval == pytest.approx((0.3 - 1.96 * 0.0458, 0.5 + 1.96 * 0.05), abs=1e-3)


def test_no_tenders_have_no_expected_precision() -> None:
    assert expected_precision(np.empty(0), np.empty(0), np.empty(0)) is None


@pytest.mark.parametrize(("length", "share", "precision"), [(0.04, 0.05, 0.3), (0.09, 0.1, 0.2), (0.5, None, None)])
def test_validation_measured_precision_at_some_shares(length: float, share: float | None, precision: float | None) -> None:
    validation = validation_result(METRICS, "dncp_py", "draft", length)
    assert validation is not None
    assert (validation.outcome, validation.rows, validation.base_rate, validation.share, validation.precision) == ("no_award", 500, 0.1, share, precision)


def test_the_bundles_own_register_is_judged_on_its_cohorts() -> None:
    validation = validation_result(METRICS, "uk", "draft", 0.01)
    assert validation is not None
    assert (validation.outcome, validation.rows, validation.precision) == ("failure", 231, None)


@pytest.mark.parametrize(("register", "stage"), [("uk", "awarded"), ("elsewhere", "draft"), ("fpds_dod_us", "awarded")])
def test_missing_metrics_give_no_validation_result(register: str, stage: str) -> None:
    assert validation_result(METRICS, register, stage, 0.01) is None


CARD = """# Card

## Results by group: no_award at draft

| cases | n | positives | base rate | AUC | ECE |
|---|---|---|---|---|---|
| Category: goods | 1,000 | 100 | 0.1 | 0.690 | 0.010 |
| Category: works | 500 | 50 | 0.1 | 0.590 | 0.010 |
| Category: services | 400 | 40 | 0.1 | 0.660 | 0.010 |
| Year of publication: 2019 | 300 | 30 | 0.1 | 0.720 | 0.090 |
| Year of publication: 2015 | 3 | too few | – | – | – |
| Kind of ending: void, against all others | 300 | 30 | 0.1 | 0.500 | 0.250 |

## Reliability
"""


def test_weak_groups_have_a_low_auc_or_a_high_calibration_error() -> None:
    assert weak_groups(CARD, "no_award", "draft", 0.7) == (
        WeakGroup(name="Category: works", rows="500", auc=0.59, ece=0.01),
        WeakGroup(name="Category: services", rows="400", auc=0.66, ece=0.01),
        WeakGroup(name="Year of publication: 2019", rows="300", auc=0.72, ece=0.09),
    )


def test_without_a_table_in_the_card_weak_groups_are_unknown() -> None:
    assert weak_groups(CARD, "no_award", "bids_in", 0.7) is None
    assert weak_groups("", "no_award", "draft", None) is None


def test_a_register_has_its_own_metrics_statement_and_diagram(bundle: Bundle) -> None:
    name = "sicoes_bo"
    evidence = model_evidence(bundle, name, "draft", 10, 0.01)
    own = bundle.registers[name]
    assert (evidence.statement, evidence.rows) == (own.manifest.evidence, 10)
    assert evidence.validated is not None
    assert evidence.validated.rows == bundle.manifest.metrics[f"{name}/no_award/draft"]["n"]
    assert base64.b64decode(evidence.picture.removeprefix("data:image/svg+xml;base64,")) == own.pictures["reliability.svg"]
    assert evidence.weak is not None


def test_the_uk_has_metrics_of_its_cohorts_and_none_by_group(bundle: Bundle) -> None:
    evidence = model_evidence(bundle, "uk", "awarded", 10, 0.01)
    assert evidence.validated is not None
    assert (evidence.validated.outcome, evidence.validated.precision) == ("failure", None)
    assert evidence.positives == bundle.manifest.metrics["failure/awarded/cohort"]["positives"]
    assert evidence.weak is None


def test_a_register_without_metrics_has_no_evidence(bundle: Bundle) -> None:
    evidence = model_evidence(bundle, "any", "draft", 10, 0.01)
    assert (evidence.validated, evidence.auc, evidence.ece) == (None, None, None)
