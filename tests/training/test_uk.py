"""The UK model from documents and the casebook alone: what the brief's tenders get, and how much rests on case reports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.score import Score, score
from tenders.facts import STAGES, Stage
from tenders.io.read import read_file, to_process
from training.datasets import Casebook
from training.evidence.documented import REPORTS
from training.uk import UkEvidence, uk_bundle

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module", params=[(), REPORTS], ids=["as documented", "case reports halved"])
def uk(request: pytest.FixtureRequest, book: Casebook) -> Bundle:
    """The UK model of all rows."""
    return uk_bundle(*UkEvidence(book).model(np.arange(len(book.cases)), request.param), book.case_history)


def example(bundle: Bundle, name: str, stage: Stage) -> Score:
    """An example as of a stage."""
    return score(bundle, read_file(EXAMPLES / f"{name}.json")[0], stage)


def test_unitingcare_rises_at_each_stage_and_ends_far_above_its_class(uk: Bundle) -> None:
    """A check of consistency and no validation: the case is itself a source of some priors."""
    scores = [example(uk, "cambridgeshire-unitingcare", stage) for stage in STAGES]
    failures = [scored.failure for scored in scores]
    assert failures == sorted(failures) and failures[0] < failures[1] < failures[2]
    assert failures[2] >= 1.5 * scores[2].base_rate
    named = {reason.feature for reason in scores[2].reasons if reason.effect > 0}
    assert {"legal_form_changed", "tax_unresolved", "assurance_holds"} <= named


def test_south_warwickshire_and_staffordshire_stand_above_plymouth(uk: Bundle) -> None:
    held = example(uk, "plymouth-integrated-care", "draft")
    for name in ("south-warwickshire-older-people", "staffordshire-cancer"):
        failed = example(uk, name, "draft")
        assert failed.reference_class == held.reference_class and failed.failure > held.failure


def test_the_record_of_advisers_is_named_as_of_the_day(uk: Bundle) -> None:
    named = {r.feature: r for r in example(uk, "south-warwickshire-older-people", "draft").reasons}
    assert "3 earlier cases that had ended by then; 3 failed" in named["adviser_record"].text
    assert named["adviser_record"].effect > 0 and named["adviser_record"].evidence == ("documented",)
    staffordshire = example(uk, "staffordshire-cancer", "draft")
    assert "adviser_record" not in {reason.feature for reason in staffordshire.reasons}


def test_each_factor_alone_moves_the_probability_by_its_pooled_effect(uk: Bundle) -> None:
    """From nothing known to one fact: the log-odds move by coefficient × (dose − centre), and by nothing else."""
    effect = uk.effect_of("market_engagement")
    assert effect
    bare, engaged = (
        score(uk, to_process({"value": 500e6, "category": "services", **facts}), "draft", explain=False)
        for facts in ({}, {"market_engagement": "yes"})
    )
    for outcome in ("no_award", "early_end"):
        before, after = (getattr(scored.outcomes, outcome) for scored in (bare, engaged))
        moved = np.log(after / (1 - after)) - np.log(before / (1 - before))
        expected = effect.outcomes[outcome].coefficient * (1 - effect.centre[1])
        assert moved == pytest.approx(expected, abs=0.002)


def test_class_rates_are_forecast_where_nothing_is_known(uk: Bundle) -> None:
    for facts in ({"value": 60_000, "category": "services"}, {"title": "Care"}, {"outsourced_service": "yes"}):
        scored = score(uk, to_process(facts), "draft", explain=False)
        # Value and kind of purchase are facts too, near the usual ones of their class.
        assert scored.failure == pytest.approx(scored.base_rate, abs=0.01)
