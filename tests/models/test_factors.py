"""Factors stand beside a score: every one is there, in order, with its record, and none moves the number."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from features.catalogue import catalogue, factor_features
from features.table_builder import one_row
from models.bundle import Bundle
from models.factor_records import factor_records
from models.factors import factors
from models.score import score
from tenders.facts import STAGES, Stage
from tenders.io.read import read_file, to_process
from tests import samples

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("stage", STAGES)
def test_a_score_lists_every_factor_in_the_order_of_the_catalogue(bundle: Bundle, stage: Stage) -> None:
    listed = score(bundle, to_process(samples.draft(awards=[samples.award()])), stage).factors
    assert [factor.feature for factor in listed] == [feature.name for feature, _ in factor_features()]
    for factor in listed:
        assert factor.cases == factor_records()[factor.feature]
        declared = catalogue()[factor.feature].factor
        assert declared and factor.sources == declared.sources and factor.seen_with == declared.seen_with
        assert factor.text


def test_without_reasons_there_are_no_factors(bundle: Bundle) -> None:
    assert score(bundle, to_process(samples.draft()), explain=False).factors == ()


def test_it_says_what_is_not_known_yet(bundle: Bundle) -> None:
    by_name = {factor.feature: factor for factor in score(bundle, to_process(samples.draft()), "draft").factors}
    assert by_name["single_bidder_in_competition"].state == "unknown"
    assert "known once bids are counted" in by_name["single_bidder_in_competition"].text
    assert by_name["single_block"].state == "absent"
    assert by_name["predecessor_failed"].text == "Cannot be judged: how the contract before this one ended is not known."
    assert "no field of a notice" in by_name["joint_governance"].text


def test_the_contract_s_shape_is_kept(bundle: Bundle) -> None:
    tender = to_process({"bidders": 1, "competition": "yes"}).as_of("bids_in")
    listed = msgspec.to_builtins(factors(bundle, one_row(tender, "bids_in"), {"lone_bidder": 0.05}))
    (lone,) = [entry for entry in listed if entry["feature"] == "single_bidder_in_competition"]
    assert lone["state"] == "shown" and lone["sources"]
    assert set(lone["cases"]) >= {"with", "without"} and len(lone["cases"]["with"]) == 2


@pytest.mark.parametrize(
    ("name", "factor"),
    [("manchester-lco", "single_bidder_in_competition"), ("cambridgeshire-unitingcare", "legal_form_changed")],
)
def test_the_brief_s_tenders_show_what_they_are_known_for(bundle: Bundle, name: str, factor: str) -> None:
    process = read_file(EXAMPLES / f"{name}.json")[0]
    states = {entry.feature: entry.state for entry in score(bundle, process, process.latest_stage()).factors}
    assert states[factor] == "shown"
