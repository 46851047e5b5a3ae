"""The straight line: the same facts, by whatever way they come in, give the same score; and a score adds up."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.table_builder import of_tenders
from models import score as scoring
from models.bundle import Bundle
from models.calibration import failure_probability
from models.comparables import comparables
from models.predict import predict
from models.score import BatchScorer, Score, Scores, bands, case, forecasts, score, scores, table_warnings
from models.suggest import suggest
from models.what_if import WhatIf, what_if
from tenders.errors import DataError, StageError
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.io.ocds import to_tender
from tenders.io.read import to_process, to_processes
from tenders.process import Process
from tests import samples
from tests.features import made
from tests.models.test_directions import CONTEXT

Json = dict[str, Any]
PLACES = 1e-4
each_stage = pytest.mark.parametrize("stage", STAGES)


def without_places(scored: Score) -> Json:
    """A score without where its facts stood and what it was called."""
    kept: Json = msgspec.to_builtins(scored)
    kept["ocid"] = None
    for reason in kept["reasons"]:
        reason["path"] = None
    return kept


@each_stage
@settings(max_examples=80)
@given(data=st.data())
def test_a_score_adds_up_for_any_tender(bundle: Bundle, stage: Stage, data: Any) -> None:
    scored = score(bundle, to_process(data.draw(made.known_at(stage))), stage)
    parts = scored.outcomes
    assert scored.failure == pytest.approx(failure_probability(parts.no_award, parts.early_end), abs=2 * PLACES)
    low, high = scored.interval
    assert 0 <= low <= scored.failure <= high <= 1
    assert all(0 <= p <= 1 for p in (parts.no_award, parts.early_end, scored.base_rate))
    assert parts.single_bid is None or 0 <= parts.single_bid <= 1
    (band,) = bands(np.array([scored.failure]), scored.base_rate).rows()
    assert scored.band == band or abs(scored.failure - scored.base_rate) < PLACES


@each_stage
@settings(max_examples=40)
@given(data=st.data())
def test_asking_for_reasons_does_not_change_the_number(bundle: Bundle, stage: Stage, data: Any) -> None:
    process = to_process(data.draw(made.known_at(stage)))
    plain, explained = (score(bundle, process, stage, explain=explain) for explain in (False, True))
    assert plain.failure == pytest.approx(explained.failure, abs=PLACES)
    assert plain.interval == pytest.approx(explained.interval, abs=PLACES)
    assert not plain.reasons and not plain.unknown


@each_stage
@settings(max_examples=40)
@given(context=CONTEXT)
def test_a_form_scores_as_the_release_with_the_same_facts(bundle: Bundle, stage: Stage, context: Json) -> None:
    release, unknown = form.to_release(context)
    assert not unknown
    assert without_places(score(bundle, to_process(context), stage)) == without_places(
        score(bundle, to_process(release), stage)
    )


@each_stage
def test_a_file_scores_as_the_same_release_in_a_package_record_or_list(bundle: Bundle, stage: Stage) -> None:
    release = samples.draft(awards=[samples.award()], contracts=[samples.contract()])
    release["tender"]["numberOfTenderers"] = 1
    alone = without_places(score(bundle, to_process(release), stage))
    assert alone["reasons"]
    for document in (
        {"releases": [release]},
        {"records": [{"ocid": samples.OCID, "compiledRelease": release}]},
        {"ocid": samples.OCID, "releases": [release]},
        [release],
    ):
        assert without_places(score(bundle, to_process(document), stage)) == alone


def test_a_tender_scores_in_company_as_alone(bundle: Bundle) -> None:
    documents = [samples.draft(), {"lots": 1, "value": 5.9e9, "currency": "GBP"}, samples.plain()]
    together = [without_places(score(bundle, process)) for process in to_processes(documents)]
    assert together == [without_places(score(bundle, to_process(document))) for document in documents]


@each_stage
@settings(max_examples=60)
@given(context=CONTEXT, names=st.lists(st.text("ABCDEFGHIJ", min_size=6, max_size=20), min_size=2, max_size=2))
def test_a_name_that_is_not_on_record_moves_nothing(
    bundle: Bundle, stage: Stage, context: Json, names: list[str]
) -> None:
    first, second = (
        score(
            bundle, to_process({**context, "buyer": name, "supplier": name, "advisers": name}), stage, explain=False
        ).failure
        for name in names
    )
    assert first == second


@each_stage
def test_a_tender_of_which_nothing_is_known_scores_near_the_base_rate_without_reasons(
    bundle: Bundle, stage: Stage
) -> None:
    scored = scoring.explained(case(bundle, to_process({"tender": {}}), stage, check_stage=False))
    assert scored.reasons == ()
    assert scored.failure == pytest.approx(scored.base_rate, rel=0.35)
    assert {unknown.feature for unknown in scored.unknown} == {feature.name for feature in bundle.weighed}


@pytest.mark.parametrize(("bidders", "single"), [(1, 1.0), (2, 0.0), (9, 0.0)])
@pytest.mark.parametrize("stage", ["bids_in", "awarded"])
def test_once_bids_are_counted_a_single_bid_is_a_fact(
    bundle: Bundle, stage: Stage, bidders: int, single: float
) -> None:
    process = to_process({"bidders": bidders, "supplier": "S plc"})
    assert score(bundle, process, stage).outcomes.single_bid == single


def test_at_draft_a_bid_count_is_not_read(bundle: Bundle) -> None:
    one_bidder, unknown = (score(bundle, to_process({"title": "x", **keys}), "draft") for keys in ({"bidders": 1}, {}))
    assert without_places(one_bidder) == without_places(unknown)
    assert one_bidder.outcomes.single_bid is not None and 0 < one_bidder.outcomes.single_bid < 1


def test_with_no_bid_at_all_there_is_no_award_and_that_is_said_to_be_a_rule(bundle: Bundle) -> None:
    scored = score(bundle, to_process({"bidders": 0}), "bids_in")
    assert scored.outcomes.no_award == scored.failure == 1
    assert scored.interval == (1, 1)
    assert any("a rule, not a prediction" in warning for warning in scored.warnings)


def test_once_awarded_no_award_is_out_of_the_question(bundle: Bundle) -> None:
    scored = score(bundle, to_process({"title": "x", "supplier": "S plc"}), "awarded")
    assert scored.outcomes.no_award == 0
    assert scored.failure == scored.outcomes.early_end


@pytest.mark.parametrize(
    ("document", "stage"),
    [
        ({"lots": 1}, "draft"),
        ({"lots": 1, "bidders": 2}, "bids_in"),
        ({"lots": 1, "bidders": 2, "supplier": "S"}, "awarded"),
    ],
)
def test_without_a_stage_it_is_the_latest_that_the_file_knows(bundle: Bundle, document: Json, stage: Stage) -> None:
    assert score(bundle, to_process(document)).stage == stage


def test_a_stage_that_is_none_is_refused(bundle: Bundle) -> None:
    with pytest.raises(DataError, match="/stage: 'signed' is no stage"):
        score(bundle, to_process({"lots": 1}), "signed")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("times", "name"), [(0.1, "low"), (0.8, "typical"), (1.49, "typical"), (2.0, "high"), (2.6, "very high")]
)
def test_a_band_is_how_often_the_base_rate(times: float, name: str) -> None:
    assert bands(np.array([times * 0.2]), 0.2).rows() == [name]


def test_an_outcome_of_the_case_itself_is_not_on_record_when_its_draft_is_scored(bundle: Bundle) -> None:
    """A tender of 2013 is scored by what was resolved before it."""
    early, today = (
        score(bundle, to_process({"published": day, "cpv": "85140000", "title": "x"}), "draft")
        for day in ("1995-01-01", "2026-01-01")
    )
    assert "market_record" not in {reason.feature for reason in early.reasons}
    assert ("market_record", "no record yet") in {(unknown.feature, unknown.why) for unknown in early.unknown}
    assert "market_record" not in {unknown.feature for unknown in today.unknown}


CONTRACT = {
    "ocid", "stage", "failure", "interval", "outcomes", "band", "register", "bundle", "reasons", "factors", "unknown",
    "warnings",
}  # fmt: skip
BESIDE = {"base_rate", "reference_class", "evidence"}


def test_the_json_has_the_keys_that_the_contract_names(bundle: Bundle) -> None:
    content = json.loads(msgspec.json.encode(score(bundle, to_process(samples.draft()), "draft")))
    assert CONTRACT <= set(content) <= CONTRACT | BESIDE
    assert set(content["outcomes"]) == {"no_award", "early_end", "single_bid"}
    assert all(set(reason) == {"feature", "value", "effect", "text", "path", "evidence"} for reason in content["reasons"])
    assert all(set(unknown) == {"feature", "why"} for unknown in content["unknown"])
    assert content["ocid"] == samples.OCID
    assert content["bundle"] == bundle.manifest.version
    assert content["register"] == "uk"
    assert scoring.score.__doc__


@each_stage
def test_no_tenders_have_no_predictions(bundle: Bundle, stage: Stage) -> None:
    predicted = predict(bundle, of_tenders([], stage, []))
    assert predicted.failure.shape == (0,) and predicted.interval.shape == (0, 2)


@each_stage
@settings(max_examples=30, deadline=None)
@given(documents=st.lists(made.known_at("awarded"), min_size=1, max_size=4))
def test_tenders_that_come_some_at_a_time_are_predicted_as_each_alone(
    bundle: Bundle, stage: Stage, documents: list[Json]
) -> None:
    cases = [case(bundle, to_process(document), stage) for document in documents]
    scorer = BatchScorer()
    for entry in cases:
        scorer.add_cases([entry])
    ((rows, predicted),) = scorer.predictions()
    of_rows = Scores.of(predicted)
    assert rows == list(range(len(cases))) and len(scorer) == len(cases)
    assert [of_rows.score(row, entry) for row, entry in enumerate(cases)] == scores(cases)
    assert scores(cases) == [score(bundle, entry.process, stage, explain=False) for entry in cases]
    plain = forecasts(cases)
    assert [entry.failure for entry in plain] == [entry.failure for entry in scores(cases)]
    explained = [score(bundle, entry.process, stage) for entry in cases]
    assert [set(entry.unknown) for entry in plain] == [{why.feature for why in entry.unknown} for entry in explained]


@pytest.mark.parametrize(
    ("section", "warning"),
    [
        ({"tenderPeriod": {"startDate": "2024-02-01", "endDate": "2024-01-01"}}, "/tender/tenderPeriod: ends before"),
        (
            {"contractPeriod": {"startDate": "2024-02-01", "endDate": "2024-01-01"}},
            "/tender/contractPeriod: ends before",
        ),
        ({"value": {"amount": 5}}, "/tender/value: an amount without a currency"),
    ],
)
def test_what_looks_wrong_is_a_warning_of_its_row(section: Json, warning: str) -> None:
    tenders = [to_tender({"tender": fields}) for fields in ({"title": "t"}, section, section)]
    warnings = table_warnings(of_tenders(tenders))
    assert list(warnings) == [1, 2]
    assert [text[: len(warning)] for text in warnings[1]] == [warning]
    assert warnings[1] == warnings[2]


@settings(max_examples=60)
@given(data=st.data())
def test_no_tender_has_a_number_for_a_stage_that_it_has_not_reached(bundle: Bundle, data: Any) -> None:
    process = to_process(data.draw(made.known_at(data.draw(st.sampled_from(STAGES)))))
    for stage in STAGES:
        if process.has_reached(stage):
            assert score(bundle, process, stage, explain=False).stage == stage
        else:
            for ask in (score, what_if_nothing, suggest):
                with pytest.raises(StageError, match=r"^/stage: "):
                    ask(bundle, process, stage=stage)
            with pytest.raises(StageError, match=r"^/stage: "):
                comparables(process, stage)


def what_if_nothing(bundle: Bundle, process: Process, stage: Stage) -> WhatIf:
    return what_if(bundle, process, [{}], stage)


def test_an_adviser_that_is_read_off_a_notice_is_named_with_its_place(bundle: Bundle) -> None:
    adviser = {"id": "9", "name": "Kestrel LLP", "roles": ["processContactPoint"], "roleDetails": "Procurement adviser"}
    draft = samples.draft()
    (process,) = to_processes({**draft, "parties": [*draft.get("parties", ()), adviser]})
    place = f"/parties/{len(draft.get('parties', ()))}/roleDetails"
    for scored in (score(bundle, process, "draft"), *scores([case(bundle, process, "draft")])):
        assert [warning for warning in scored.warnings if "Kestrel" in warning] == [
            f"{place}: Kestrel LLP is taken for an adviser: its role is described as advising"
        ]


def test_trying_a_later_deadline_takes_no_stage_back(bundle: Bundle) -> None:
    process = to_process(samples.draft())
    answer = what_if(bundle, process, [{"tender_end": "2199-01-01"}], "bids_in")
    assert answer.scenarios[0].score.stage == "bids_in"


@pytest.mark.parametrize("ocid", ["ocds-zzzzzz-1", "fpds_dod_us-1"])
def test_a_register_whose_level_is_unknown_starts_from_the_mean_of_the_others(bundle: Bundle, ocid: str) -> None:
    """Not from a coin: with no history of the register, its own level is missing from the margin."""
    scored = scoring.score(
        bundle, to_process({"ocid": ocid, "tag": ["tender"], "tender": {"title": "Road works"}}), "draft"
    )
    rates = [
        other.calibration["no_award", "draft"].base_rate
        for name, other in bundle.registers.items()
        if name != "any" and ("no_award", "draft") in other.calibration
    ]
    assert scored.register == "any" and min(rates) < scored.failure < max(rates)
    assert scored.failure == pytest.approx(scored.base_rate, abs=0.05)
    low, high = scored.interval
    assert low < 1.5 * min(rates) and high > max(rates) / 1.5
    assert "level is not known" in scored.evidence
