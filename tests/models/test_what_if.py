"""What-if is the straight line on another draft: the same function, the same number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bundle import Bundle
from models.score import score
from models.what_if import MAX_SCENARIOS, MAX_SETTINGS, what_if
from tenders.errors import DataError
from tenders.facts import STAGES, Stage
from tenders.io.read import read_file, to_process
from tenders.process import Process
from tests.features import made
from tests.models.test_directions import CONTEXT

EXAMPLES = Path(__file__).parents[2] / "examples"
SAME = 1e-9
each_stage = pytest.mark.parametrize("stage", STAGES)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "lots": st.integers(1, 20),
        "tender_period_days": st.integers(1, 200),
        "term_years": st.integers(1, 30),
        "service_lines": st.integers(1, 12),
        "value": st.integers(10_000, 10**10),
        "first_of_its_kind": st.sampled_from(["yes", "no"]),
        "published": st.sampled_from(["2014-06-02", "2024-06-03"]),
    },
)


def manchester() -> Process:
    return read_file(EXAMPLES / "manchester-lco.json")[0]


@each_stage
@settings(max_examples=40)
@given(data=st.data())
def test_nothing_set_is_the_score_of_score(bundle: Bundle, stage: Stage, data: Any) -> None:
    process = to_process(data.draw(made.known_at(stage)))
    answer = what_if(bundle, process, [{}], stage)
    assert answer.base == score(bundle, process, stage)
    assert answer.scenarios[0].difference == 0 and answer.scenarios[0].score == answer.base
    assert answer.scenarios[0].difference_interval == (0, 0)


@each_stage
@settings(max_examples=60)
@given(context=CONTEXT, changes=CHANGES)
def test_the_number_is_that_of_the_tender_with_the_facts_filled_in(
    bundle: Bundle, stage: Stage, context: dict[str, Any], changes: dict[str, Any]
) -> None:
    scenario = what_if(bundle, to_process(context), [changes], stage).scenarios[0]
    filled = score(bundle, to_process({**context, **changes}), stage)
    assert scenario.score.failure == filled.failure
    assert scenario.score.interval == filled.interval and scenario.score.outcomes == filled.outcomes
    assert scenario.difference == pytest.approx(
        filled.failure - score(bundle, to_process(context), stage).failure, abs=SAME
    )


@each_stage
@settings(max_examples=40)
@given(context=CONTEXT, data=st.data())
def test_a_fact_set_to_its_present_value_changes_nothing(
    bundle: Bundle, stage: Stage, context: dict[str, Any], data: Any
) -> None:
    later = {"bidders", "bidders_interested", "structure_changes", "award_date", "supplier"}
    keys = [key for key in context if stage == "awarded" or key not in later]
    key = data.draw(st.sampled_from(keys))
    assert what_if(bundle, to_process(context), [{key: context[key]}], stage).scenarios[0].difference == 0


@each_stage
@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.json")), ids=lambda file: file.stem)
def test_the_lots_and_terms_of_an_example_set_to_what_they_are_change_nothing(
    bundle: Bundle, file: Path, stage: Stage
) -> None:
    process = read_file(file)[0]
    if not process.has_reached(stage):
        return
    scored = score(bundle, process, stage)
    held = {"lot_count", "term_years", "service_lines", "tender_period_days"}
    now = {reason.feature: reason.value for reason in scored.reasons if reason.feature in held}
    for feature, value in now.items():
        # A reason rounds its value to four places.
        assert abs(what_if(bundle, process, [{feature: value}], stage).scenarios[0].difference) <= 1e-4


def test_an_interval_holds_its_difference_and_is_narrower_than_two_scores_apart(bundle: Bundle) -> None:
    answer = what_if(bundle, manchester(), [{"lots": 8}, {"term_years": 5}], "draft")
    for scenario in answer.scenarios:
        low, high = scenario.difference_interval
        assert low <= scenario.difference <= high
        # Both are drawn under the same resamples: what is uncertain of both alike cancels out.
        apart = (
            scenario.score.interval[0] - answer.base.interval[1],
            scenario.score.interval[1] - answer.base.interval[0],
        )
        assert apart[0] < low and high < apart[1]


def test_what_is_wrong_in_every_scenario_is_said_at_once(bundle: Bundle) -> None:
    with pytest.raises(DataError) as refused:
        what_if(bundle, manchester(), [{"lots": "several"}, {"lots": 2}, {"value": "much"}], "draft")
    assert [problem.path for problem in refused.value.problems] == ["/scenarios/0/lots", "/scenarios/2/value"]


def test_scenarios_stand_side_by_side_in_their_order(bundle: Bundle) -> None:
    answer = what_if(bundle, manchester(), [{"lots": 8}, {"lots": 1}, {"lots": 8, "term_years": 5}], "draft")
    eight, one_block, both = (scenario.score.failure for scenario in answer.scenarios)
    assert both < eight < one_block == answer.base.failure
    assert [dict(scenario.settings) for scenario in answer.scenarios][1] == {"lots": 1}
    assert "a link seen in past cases" in answer.note


def test_a_feature_that_one_fact_decides_can_be_set_by_its_name(bundle: Bundle) -> None:
    process = to_process({"title": "x", "value": 5e8, "lots": 1, "term_years": 10})

    def failure(**facts: Any) -> float:
        return what_if(bundle, process, [facts], "draft").scenarios[0].score.failure

    assert failure(lot_count=4) == failure(lots=4)
    assert failure(value_gbp=1e6) == failure(value=1e6)
    assert failure(direct_award="yes") == failure(competition="no")
    assert failure(price_only="yes") == failure(award_criteria="priceOnly")


def test_reasons_of_a_changed_score_still_point_into_what_was_given(bundle: Bundle) -> None:
    reasons = what_if(bundle, manchester(), [{"lots": 4}], "draft").scenarios[0].score.reasons
    assert any(reason.path == "/tender/lots" and reason.effect < 0 for reason in reasons)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"lotz": 4}, "/lotz: there is no such fact to set. Did you mean lots?"),
        ({"largest_contract": 4}, "/largest_contract: this follows from other facts. Set value, "),
        ({"buyer_record": 4}, "/buyer_record: this follows from other facts. Set buyer"),
        ({"direct_award": "perhaps"}, "/direct_award: expected yes or no, got 'perhaps'"),
        ({"lots": "many"}, "/lots: expected a number, got 'many'"),
        ({"bidders": 2}, "/bidders: known at bids_in only"),
        ({f"k{i}": 1 for i in range(MAX_SETTINGS + 1)}, "/: 101 facts to set"),
        ({"x" * 10**6: 1}, "/xxx"),
    ],
)
def test_what_cannot_be_set_is_refused_by_its_key(bundle: Bundle, facts: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as refused:
        what_if(bundle, manchester(), [facts], "draft")
    assert str(refused.value).startswith(message) and len(str(refused.value)) < 1000


def test_of_several_scenarios_the_wrong_one_is_named(bundle: Bundle) -> None:
    with pytest.raises(DataError, match=r"^/scenarios/1/lots: expected a number"):
        what_if(bundle, manchester(), [{}, {"lots": "x"}])
    with pytest.raises(DataError, match="at most 20"):
        what_if(bundle, manchester(), [{}] * (MAX_SCENARIOS + 1))
