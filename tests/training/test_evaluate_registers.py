"""Evaluating a register: every case by what its own history told before its day, as scoring itself would say it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from models import knowing
from models.bundle import ANY, Bundle
from models.predict import measured, predictions
from tenders.errors import UsageError
from tenders.history import LabelledTender
from tests.training import made
from training.evaluate import evaluate, known, probabilities
from training.registers import Registers

CASES = made.register(1200)
BEFORE, AFTER = CASES[:900], CASES[900:]
SOURCE = made.source()


@pytest.fixture(scope="module")
def whole(learnt: Registers) -> Bundle:
    """A bundle of the UK's shape that holds the made-up registers."""
    return replace(learnt.bundles["made"], registers=learnt.bundles)


def judged(
    bundle: Bundle, before: list[LabelledTender], cases: list[LabelledTender], name: str = made.NAME
) -> np.ndarray:
    return probabilities(bundle, made.source(name=name), before, cases, "no_award", "draft")


def turned(case: LabelledTender) -> LabelledTender:
    return replace(case, outcomes={"no_award": not case.outcomes["no_award"]})


@pytest.mark.parametrize("name", ["made", "never seen"])
@pytest.mark.parametrize("row", [0, 120, 299])
def test_what_became_known_on_or_after_its_day_changes_no_probability(whole: Bundle, row: int, name: str) -> None:
    day = AFTER[row].published
    later = [bool(c.known_on and c.known_on >= day) for c in CASES]
    changed = [turned(c) if each else c for c, each in zip(CASES, later, strict=True)]
    expected, found = judged(whole, BEFORE, AFTER, name), judged(whole, changed[:900], changed[900:], name)
    assert np.array_equal(found[: row + 1], expected[: row + 1])


def test_what_became_known_the_day_before_changes_them(whole: Bundle) -> None:
    expected = judged(whole, BEFORE, AFTER[-1:])
    assert judged(whole, [turned(c) for c in BEFORE], AFTER[-1:]) != expected


def test_every_probability_is_what_scoring_predicts_from_the_replay(whole: Bundle, learnt: Registers) -> None:
    own = learnt.bundles["made"]
    found = judged(whole, BEFORE, AFTER)
    rows = range(len(AFTER))
    for place, record in enumerate(known(own, SOURCE, BEFORE, AFTER, rows, "no_award")):
        batch = measured(own, "draft", [AFTER[place].as_of("draft")], [record])
        assert found[place] == predictions(batch).of("no_award")[0]


def test_a_new_tender_scores_by_the_frozen_bundle_as_the_replay_would_say(learnt: Registers) -> None:
    own = learnt.bundles["made"]
    last = max(c.known_on for c in CASES if c.known_on)
    new = replace(CASES[5], published=last + timedelta(days=1), known_on=None, row=99_999)
    (replayed,) = known(own, SOURCE, CASES, [new], [0], "no_award")
    frozen = knowing.record_of(own, new.tender, new.published)
    assert frozen.numbers.keys() == replayed.numbers.keys()
    assert list(frozen.numbers.values()) == pytest.approx(list(replayed.numbers.values()), rel=1e-4, abs=1e-5)
    batch = measured(own, "draft", [new.as_of("draft")] * 2, [replayed, frozen])
    one, other = predictions(batch).of("no_award")
    assert one == pytest.approx(other, abs=1e-3)


def test_the_planted_signal_is_found_on_cases_that_were_not_seen(whole: Bundle) -> None:
    held = {"history": BEFORE, "test": AFTER}
    found = evaluate(whole, made.source(held=held), Path("history.csv"), Path("test.csv"), None, None)
    assert found.auc is not None and found.auc > 0.7
    assert (found.n, found.censored) == (len(AFTER), 0)
    assert found.positives == sum(bool(c.outcomes["no_award"]) for c in AFTER)


def test_a_register_that_is_not_known_is_judged_by_what_all_know_together(whole: Bundle) -> None:
    y = np.array([bool(c.outcomes["no_award"]) for c in AFTER])
    p = judged(whole, BEFORE, AFTER, "never seen")
    assert whole.registers[ANY].manifest.register == ANY
    assert p[y].mean() > p[~y].mean() + 0.1


def test_one_probability_a_case_that_tells(whole: Bundle) -> None:
    censored = [replace(c, outcomes={"no_award": None}) if i % 2 else c for i, c in enumerate(AFTER[:20])]
    assert len(judged(whole, BEFORE, censored)) == 10


def test_an_outcome_without_a_model_is_refused_by_name(whole: Bundle) -> None:
    with pytest.raises(UsageError, match="has no model of single_bid at draft for made"):
        single = [replace(c, outcomes={"single_bid": True}) for c in AFTER[:2]]
        probabilities(whole, SOURCE, BEFORE, single, "single_bid", "draft")


def test_scoring_picks_the_register_by_the_ocid(whole: Bundle) -> None:
    for name in ("made", "other"):
        assert whole.for_ocid(f"{name}-1").manifest.register == name
    for ocid in (None, "", "ocds-1", "madeup-1"):
        assert whole.for_ocid(ocid) is whole
