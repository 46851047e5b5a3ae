"""Suggestions: they lower the number, name only what was told, and claim no cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import catalogue
from models.bundle import Bundle
from models.levers import LEVERS, levers
from models.score import score
from models.suggest import MIN_DIFFERENCE, Trials, suggest
from models.what_if import what_if, with_overrides
from tenders import casebook
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.io.read import read_file, to_process
from tests.features import made
from tests.models.test_directions import CONTEXT

EXAMPLES = Path(__file__).parents[2] / "examples"
BLOCK: dict[str, Any] = {"title": "x", "value": 5.9e9, "lots": 1, "term_years": 10, "published": "2024-06-03"}
each_stage = pytest.mark.parametrize("stage", STAGES)
each_lever = pytest.mark.parametrize("lever", LEVERS, ids=lambda lever: lever.key)


@each_lever
def test_a_lever_is_a_key_of_the_form_and_its_facts_are_features(lever: Any) -> None:
    assert lever.key in form.BY_KEY and lever.text(2).endswith(".")
    assert catalogue()[lever.feature].evidence is None
    assert all(STAGES.index(form.BY_KEY[lever.key].stage) <= STAGES.index(stage) for stage in lever.stages)


def test_once_bids_are_in_little_is_left_to_change() -> None:
    assert len(levers("draft")) > 10
    assert {lever.key for lever in levers("bids_in")} == {"parent_guarantee_required"}
    assert {lever.key for lever in levers("awarded")} == {"parent_guarantee_required", "tax_unresolved"}


@each_stage
@settings(max_examples=25)
@given(context=CONTEXT)
def test_each_suggestion_lowers_the_number_that_what_if_gives(bundle: Bundle, stage: Stage, context: Any) -> None:
    process = to_process(context)
    advice = suggest(bundle, process, stage)
    assert advice.failure == score(bundle, process, stage).failure
    differences = [suggestion.difference for suggestion in advice.single]
    assert differences == sorted(differences)
    for suggestion in (*advice.single, *([advice.pair] if advice.pair else [])):
        scenario = what_if(bundle, process, [suggestion.settings], stage).scenarios[0]
        assert (
            suggestion.failure == scenario.score.failure and suggestion.difference == scenario.difference <= -MIN_DIFFERENCE + 1e-9
        )
    if advice.pair:
        assert advice.pair.difference < differences[0] and len(advice.pair.settings) == 2


@each_stage
@settings(max_examples=40)
@given(data=st.data())
def test_nothing_is_suggested_that_the_tender_does_not_state(bundle: Bundle, stage: Stage, data: Any) -> None:
    process = to_process(data.draw(made.known_at(stage)))
    tender = process.as_of(stage)
    stated = {lever.key for lever in LEVERS if made.value(catalogue()[lever.feature], tender) is not None}
    unknown = score(bundle, process, stage).unknown
    advice = suggest(bundle, process, stage)
    for suggestion in (*advice.single, *([advice.pair] if advice.pair else [])):
        assert set(suggestion.settings) <= stated
        assert score(bundle, with_overrides(process, suggestion.settings, stage), stage).unknown == unknown


def test_a_tender_of_which_nothing_is_known_gets_no_suggestion_and_is_told_so(bundle: Bundle) -> None:
    advice = suggest(bundle, to_process({"title": "Community nursing"}))
    assert (advice.single, advice.pair, advice.without_effect) == ((), None, ())
    assert advice.text == "Nothing lowers the probability: no fact is stated that can still be changed."


def test_where_nothing_lowers_it_that_is_said(bundle: Bundle) -> None:
    advice = suggest(bundle, to_process({"title": "x", "tender_period_days": 20}), "draft")
    assert not advice.single and len(advice.without_effect) == 1
    assert advice.text == "Nothing lowers the probability: one kind of change was tried, and none does."


def test_what_the_model_does_not_weigh_is_not_tried_and_that_is_said(bundle: Bundle) -> None:
    advice = suggest(bundle, to_process({"title": "x", "enquiry_period_days": 7}), "draft")
    assert not advice.single and not advice.without_effect
    assert advice.unweighed == ("Give bidders 14 days for questions.",)
    assert advice.text == (
        "Nothing lowers the probability: the model weighs none of the facts that are stated and can be changed."
    )


@each_stage
@settings(max_examples=40)
@given(data=st.data())
def test_what_is_not_weighed_moves_no_score(bundle: Bundle, stage: Stage, data: Any) -> None:
    process = to_process(data.draw(made.known_at(stage)))
    plain = score(bundle, process, stage, explain=False)
    trials = Trials(bundle, process, plain)
    for lever in levers(stage):
        if not trials.weighs(lever):
            for value in trials.options(lever):
                changed = with_overrides(process, lever.overrides(value), stage)
                assert score(bundle, changed, stage, explain=False).failure == plain.failure


def test_what_a_change_is_worth_does_not_hang_on_what_else_is_told(bundle: Bundle) -> None:
    """No effect of the UK model is about two facts at once, so that none is held back as entangled."""
    for facts in (BLOCK, {key: value for key, value in BLOCK.items() if key != "term_years"}):
        advice = suggest(bundle, to_process(facts), "draft")
        assert any("lots" in suggestion.settings for suggestion in advice.single) and not advice.entangled


def test_of_two_equal_changes_the_smaller_is_suggested(bundle: Bundle) -> None:
    advice = suggest(bundle, to_process(BLOCK), "draft")
    (lots,) = [suggestion for suggestion in advice.single if "lots" in suggestion.settings]
    best = lots.settings["lots"]
    tried = what_if(bundle, to_process(BLOCK), [{"lots": n} for n in range(2, 9)], "draft", explain=False).scenarios
    assert all(
        scenario.score.failure > lots.failure
        for scenario in tried
        if scenario.settings["lots"] < best and scenario.settings["lots"] in (2, 3, 4, 6)
    )


@pytest.mark.parametrize("name", ["manchester-lco", "cambridgeshire-unitingcare"])
def test_cases_for_and_against_are_those_that_had_it(bundle: Bundle, name: str) -> None:
    process = read_file(EXAMPLES / f"{name}.json")[0]
    advice = suggest(bundle, process, "draft")
    assert advice.single
    for suggestion in advice.single:
        for failed, side in ((False, suggestion.cases.held), (True, suggestion.cases.failed)):
            for precedent in side:
                case = casebook.case(precedent.case)
                assert case.fail == ("1" if failed else "0") and f"casebook-{precedent.case}" != process.ocid
                if "lots" in suggestion.settings:
                    assert int(case.lots) >= suggestion.settings["lots"]
                if "term_years" in suggestion.settings:
                    assert float(case.term_years) <= suggestion.settings["term_years"]
        assert suggestion.cases.cohort[0] <= suggestion.cases.cohort[1] and suggestion.cases.picked[0] <= suggestion.cases.picked[1]


def test_no_cause_is_claimed(bundle: Bundle) -> None:
    advice = suggest(bundle, to_process(BLOCK), "draft")
    assert "not causes" in advice.note and advice.evidence
    text = msgspec.json.encode([advice.text, [suggestion.text for suggestion in advice.single]]).decode().lower()
    for word in ("because", "cause", "reduce", "prevent", "will"):
        assert word not in text
    assert suggest(bundle, to_process(BLOCK), "draft") == advice
