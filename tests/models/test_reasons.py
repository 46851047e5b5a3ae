"""Reasons: facts that the tender states, the weightiest first, each in words and with the place it came from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import catalogue
from features.categorical import Categorical
from features.table import TenderTable, TrackRecords
from features.table_builder import one_row
from models.bundle import Bundle
from models.reasons import SMALLEST_EFFECT, path_in
from models.score import score
from tenders.facts import STAGES, Stage
from tenders.io.read import to_process, to_processes
from tenders.process import Process
from tests import samples
from tests.features import made

Json = dict[str, Any]
BLOCK: Json = {
    "published": "2017-03-14", "lots": 1, "value": 5.9e9, "currency": "GBP", "term_years": 10,
    "tender_period_days": 45, "bidders": 1, "competition": "yes",
}  # fmt: skip


def table_of(bundle: Bundle, process: Process, stage: Stage) -> TenderTable:
    """The table of one process as of a stage, with the track records of its day."""
    records = TrackRecords(cases=Categorical.single(bundle.case_history.as_of(process.published_on())))
    return one_row(process.as_of(stage), stage, records=records)


@pytest.mark.parametrize("stage", STAGES)
@settings(max_examples=60)
@given(data=st.data())
def test_only_known_facts_are_reasons_and_the_weightiest_come_first(bundle: Bundle, stage: Stage, data: Any) -> None:
    process = to_process(data.draw(made.known_at(stage)))
    scored = score(bundle, process, stage)
    table = table_of(bundle, process, stage)
    effects = [abs(reason.effect) for reason in scored.reasons]
    assert effects == sorted(effects, reverse=True)
    assert all(effect >= SMALLEST_EFFECT / 2 for effect in effects)
    for reason in scored.reasons:
        feature = catalogue()[reason.feature]
        value = feature.measure(table)[0]
        assert not np.isnan(value)
        assert reason.value == pytest.approx(value, rel=1e-4, abs=1e-4)
        assert reason.text == feature.text(value, table)
    assert {reason.feature for reason in scored.reasons}.isdisjoint(unknown.feature for unknown in scored.unknown)
    assert len({reason.feature for reason in scored.reasons}) == len(scored.reasons)


@pytest.mark.parametrize("stage", STAGES)
@settings(max_examples=40)
@given(data=st.data())
def test_what_is_unknown_is_listed_with_why(bundle: Bundle, stage: Stage, data: Any) -> None:
    process = to_process(data.draw(made.known_at(stage)))
    table = table_of(bundle, process, stage)
    for unknown in score(bundle, process, stage).unknown:
        feature = catalogue()[unknown.feature]
        if STAGES.index(feature.stage) > STAGES.index(stage):
            assert unknown.why == f"not known at {stage}"
        else:
            assert unknown.why == ("not stated" if feature.reads == "tender" else "no record yet")
            assert np.isnan(feature.measure(table)[0])


def test_a_reason_names_the_single_bidder(bundle: Bundle) -> None:
    scored = score(bundle, to_process(BLOCK), "bids_in")
    texts = {reason.feature: reason.text for reason in scored.reasons}
    assert any("single bidder" in text or text == "Bidders: 1." for text in texts.values())


def test_effects_have_the_sign_of_what_they_do(bundle: Bundle) -> None:
    effects = {reason.feature: reason.effect for reason in score(bundle, to_process(BLOCK), "draft").reasons}
    assert effects["term_years"] > 0
    assert effects["value_gbp"] > 0 and effects["single_block"] > 0


def _path(document: Any, name: str) -> str:
    return path_in(to_process(document), catalogue()[name])


RELEASE = {
    "ocid": "a", "tender": {"lots": [{"id": "1"}], "numberOfTenderers": 1},
    "tenderRisk": {"serviceLines": 5, "singleBlock": True},
}  # fmt: skip


@pytest.mark.parametrize(
    ("document", "name", "path"),
    [
        (RELEASE, "bidders", "/tender/numberOfTenderers"),
        (RELEASE, "single_block", "/tender/lots"),
        (RELEASE, "service_lines", "/tenderRisk/serviceLines"),
        ({"releases": [RELEASE]}, "bidders", "/releases/0/tender/numberOfTenderers"),
        (
            {"records": [{"ocid": "a", "releases": [RELEASE]}]},
            "bidders",
            "/records/0/releases/0/tender/numberOfTenderers",
        ),
        (
            {"records": [{"ocid": "a", "compiledRelease": RELEASE}]},
            "single_block",
            "/records/0/compiledRelease/tender/lots",
        ),
        ([RELEASE], "single_block", "/0/tender/lots"),
        ({"lots": 1}, "single_block", "/lots"),
        ({"lots": 1}, "largest_lot_share", "/lots"),
        ({"bidders": 1}, "single_bidder", "/bidders"),
        ({"term_years": 10}, "term_years", "/term_years"),
        ([{"title": "x"}, {"bidders": 1}], "bidders", "/1/bidders"),
    ],
)
def test_a_path_leads_to_the_fact_in_what_was_given(document: Any, name: str, path: str) -> None:
    process: Process = to_processes(document)[-1]
    assert path_in(process, catalogue()[name]) == path


@pytest.mark.parametrize(
    ("document", "name", "path"),
    [
        ({"tender": {}, "tenderRisk": {"singleBlock": True}}, "single_block", "/tenderRisk/singleBlock"),
        ({"single_block": "yes"}, "single_block", "/single_block"),
        ({"single_block": "yes"}, "lot_count", "/single_block"),
        ({"tender": {}, "bids": {"statistics": [samples.count(2)]}}, "bidders", "/bids/statistics"),
        ({"tender": {}, "tenderRisk": {"competition": True}}, "direct_award", "/tenderRisk/competition"),
        ({"price_to_former_cost": 0.9}, "savings_assumed", "/price_to_former_cost"),
        ({"tender": {"classification": {"id": "85140000"}}}, "market_record", "/tender/classification"),
        ({"tender": {"lots": []}, "tenderRisk": {"singleBlock": True}}, "single_block", "/tenderRisk/singleBlock"),
    ],
)
def test_a_fact_that_stands_elsewhere_is_found_there(document: Any, name: str, path: str) -> None:
    assert _path(document, name) == path


def test_a_fact_that_stands_nowhere_is_placed_where_it_would_be_looked_for() -> None:
    assert _path({"tender": {}}, "single_block") == "/tender/lots"
    assert _path({"title": "x"}, "single_block") == "/lots"


def test_of_several_releases_it_is_the_last_that_has_the_fact() -> None:
    second = samples.update("2024-04-01T09:00:00Z", "tenderUpdate", tender={"value": {"amount": 1, "currency": "GBP"}})
    package = {"releases": [samples.draft(), second]}
    assert _path(package, "value_gbp") == "/releases/1/tender/value"
    assert _path(package, "single_block") == "/releases/0/tender/lots"
