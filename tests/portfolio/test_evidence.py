"""What the scores rest on: the bundle's own figures and picture, and the groups of which its card says they are weak."""

from __future__ import annotations

import base64

from models.bundle import Bundle
from portfolio.evidence import Weak, evidence, weak

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


def test_weak_is_told_apart_worse_or_off_by_much() -> None:
    assert weak(CARD, "no_award", "draft", 0.7) == (
        Weak(name="Category: works", rows="500", auc=0.59, ece=0.01),
        Weak(name="Category: services", rows="400", auc=0.66, ece=0.01),
        Weak(name="Year of publication: 2019", rows="300", auc=0.72, ece=0.09),
    )


def test_a_card_without_the_table_leaves_it_unknown() -> None:
    assert weak(CARD, "no_award", "bids_in", 0.7) is None
    assert weak("", "no_award", "draft", None) is None


def test_a_register_has_its_figures_its_sentence_and_its_picture(bundle: Bundle) -> None:
    name = "sicoes_bo"
    found = evidence(bundle, name, "draft", 10, 0.01)
    own = bundle.registers[name]
    assert (found.told, found.rows) == (own.manifest.evidence, 10)
    assert found.validated is not None
    assert found.validated.rows == bundle.manifest.metrics[f"{name}/no_award/draft"]["n"]
    assert base64.b64decode(found.picture.removeprefix("data:image/svg+xml;base64,")) == own.pictures["reliability.svg"]
    assert found.weak is not None


def test_the_uk_is_judged_on_its_cohorts_and_by_group_not_at_all(bundle: Bundle) -> None:
    found = evidence(bundle, "uk", "awarded", 10, 0.01)
    assert found.validated is not None
    assert (found.validated.outcome, found.validated.precision) == ("failure", None)
    assert found.positives == bundle.manifest.metrics["failure/awarded/cohort"]["positives"]
    assert found.weak is None


def test_of_a_register_that_was_never_judged_nothing_is_said(bundle: Bundle) -> None:
    found = evidence(bundle, "any", "draft", 10, 0.01)
    assert (found.validated, found.auc, found.ece) == (None, None, None)
