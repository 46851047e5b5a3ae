"""The released UK model as a specification: the four families of the mission, what is unknown, classes, and one fact once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bundle import Bundle
from models.score import Score, score
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.io.read import to_process

FROM_BIDS: tuple[Stage, ...] = ("bids_in", "awarded")
LARGE = {"value": 400e6, "category": "services", "term_years": 7}
ORDINARY = {"title": "Grounds maintenance", "value": 60_000, "category": "services", "published": "2026-01-05"}
classes = pytest.mark.parametrize("base", [LARGE, ORDINARY], ids=["large", "ordinary"])


def scored(bundle: Bundle, stage: Stage, *facts: dict[str, Any], explain: bool = False) -> Score:
    """A form at a stage that it has reached."""
    reached = {"draft": {}, "bids_in": {"bidders": 3}, "awarded": {"bidders": 3, "award_date": "2026-03-02"}}[stage]
    whole = {key: value for part in (reached, *facts) for key, value in part.items()}
    return score(bundle, to_process(whole), stage, explain=explain)


@classes
@pytest.mark.parametrize("stage", STAGES)
@given(lots=st.integers(2, 60))
@settings(max_examples=12, deadline=None)
def test_one_block_is_never_safer_than_lots(bundle: Bundle, stage: Stage, base: dict[str, Any], lots: int) -> None:
    block, divided = (scored(bundle, stage, base, {"lots": count}).failure for count in (1, lots))
    assert block > divided


@classes
@pytest.mark.parametrize("stage", FROM_BIDS)
@given(bidders=st.integers(2, 60))
@settings(max_examples=12, deadline=None)
def test_a_lone_bidder_in_competition_is_never_safer_than_several(
    bundle: Bundle, stage: Stage, base: dict[str, Any], bidders: int
) -> None:
    """Also at award, where more bidders go with more early ends: no count reaches what a lone bidder has."""
    alone, several = (
        scored(bundle, stage, base, {"competition": "yes", "bidders": count}).failure for count in (1, bidders)
    )
    assert alone >= several


@classes
@pytest.mark.parametrize("stage", FROM_BIDS)
@pytest.mark.parametrize("touches", ["scope", "lots", "value", "deadline", "legal_form", "consortium"])
def test_each_change_after_publication_raises_it(
    bundle: Bundle, stage: Stage, base: dict[str, Any], touches: str
) -> None:
    none, one = (scored(bundle, stage, base, facts).failure for facts in ({}, {"structure_changes": touches}))
    two = scored(bundle, stage, base, {"structure_changes": f"scope; {touches}"}).failure
    assert none < one < two


@classes
@pytest.mark.parametrize("stage", STAGES)
def test_advisers_count_by_their_record_as_of_the_day(bundle: Bundle, stage: Stage, base: dict[str, Any]) -> None:
    """The Strategic Projects Team had three failures by 2017 and none by 2012; a team never seen has no record."""
    later, before, unseen = (
        scored(bundle, stage, base, {"advisers": name, "published": day}, explain=True)
        for name, day in (
            ("GEM CSU", "2017-06-01"),
            ("NHS Strategic Projects Team", "2012-01-05"),
            ("A team never seen", "2017-06-01"),
        )
    )
    assert later.failure > unseen.failure and later.failure > before.failure
    (reason,) = [reason for reason in later.reasons if reason.feature == "adviser_record"]
    assert "had advised" in reason.text and "Strategic" not in reason.text and reason.effect > 0
    assert "adviser_record" not in {reason.feature for reason in (*unseen.reasons, *before.reasons)}


@pytest.mark.parametrize("stage", STAGES)
def test_division_and_bidders_are_one_reason_each(bundle: Bundle, stage: Stage) -> None:
    result = scored(bundle, stage, LARGE, {"lots": 1, "competition": "yes", "bidders": 1}, explain=True)
    named = [reason.feature for reason in result.reasons]
    assert len({"single_block", "lot_count"} & set(named)) == 1
    assert len({"lone_bidder", "bidders"} & set(named)) == (stage != "draft")


def test_every_reason_says_where_its_weight_comes_from(bundle: Bundle) -> None:
    result = scored(
        bundle, "awarded", LARGE, {"lots": 1, "staff_transfer": "yes", "tax_unresolved": "yes"}, explain=True
    )
    assert result.reasons and all(reason.evidence for reason in result.reasons)
    assert {layer for reason in result.reasons for layer in reason.evidence} <= {"documented", "registers", "cases"}


def test_an_ordinary_contract_has_the_rate_of_its_class_within_a_point(bundle: Bundle) -> None:
    for stage in ("draft", "bids_in"):
        result = scored(bundle, stage, ORDINARY)
        assert result.failure == pytest.approx(result.base_rate, abs=0.01) and result.base_rate < 0.08


def test_a_field_without_known_effect_moves_nothing(bundle: Bundle) -> None:
    """What the form marks so, and only that."""
    values = {"title": "Nursing", "description": "Nursing at home", "region": "UKH1", "risk_details": "Staff may leave"}
    without = {field.name for field in form.FIELDS} - bundle.moving_fields
    moving = {"lots", "bidders", "structure_changes", "advisers", "term_years", "cpv", "supplier"}
    assert values.keys() <= without and moving <= bundle.moving_fields
    bare = scored(bundle, "draft", LARGE).failure
    for key, value in values.items():
        assert scored(bundle, "draft", LARGE, {key: value}).failure == bare


def test_the_interval_holds_the_score_and_widens_with_what_is_stated(bundle: Bundle) -> None:
    bare = scored(bundle, "draft", {"outsourced_service": "yes"})
    stated = scored(bundle, "draft", LARGE, {"first_of_its_kind": "yes", "savings_assumed": "yes", "lots": 1})
    for result in (bare, stated):
        assert result.interval[0] < result.failure < result.interval[1]
    odds = [high / (1 - high) / (low / (1 - low)) for low, high in (bare.interval, stated.interval)]
    assert odds[1] > odds[0]
