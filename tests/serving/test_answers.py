"""The endpoints for programs: each answers what its function gives, whatever form the tender comes in."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import bundle as bundles
from models import score as scoring
from models.bundle import Bundle
from models.comparables import comparables
from models.suggest import suggest
from models.what_if import what_if
from serving import answers
from tenders.io.read import to_process, too_many_bytes
from tests import samples
from tests.bad_input import BAD, Bad, ids
from tests.serving.test_requests import _check_refusal, _is_json

FORM = {"title": "Community nursing", "value": "5,900,000", "currency": "GBP", "lots": 1, "tender_period_days": 35}
CONTRACT = {
    "ocid", "stage", "failure", "interval", "outcomes", "band", "register", "bundle", "reasons", "factors", "unknown",
    "warnings", "evidence",
}  # fmt: skip


def test_it_is_what_scoring_says(http: httpx.Client) -> None:
    answer = http.post("/score", json={"tender": samples.draft(), "stage": "draft", "explain": True})
    served = bundles.load(bundles.released())
    direct = scoring.score(served, to_process(samples.draft()), stage="draft", explain=True)
    assert answer.status_code == 200
    assert answer.content == msgspec.json.encode(direct)


def test_it_has_every_part_of_the_contract(http: httpx.Client) -> None:
    answer = http.post("/score", json={"tender": FORM}).json()
    assert answer.keys() >= CONTRACT
    assert answer["interval"][0] <= answer["failure"] <= answer["interval"][1]
    assert {"no_award", "early_end", "single_bid"} == answer["outcomes"].keys()
    assert all(
        {"feature", "value", "effect", "text", "path", "evidence"} == reason.keys() for reason in answer["reasons"]
    )
    assert answer["reasons"] and answer["unknown"] and answer["evidence"]


def test_stage_and_explain_are_optional(http: httpx.Client) -> None:
    plain = http.post("/score", json={"tender": FORM}).json()
    assert plain == http.post("/score", json={"tender": FORM, "stage": None, "explain": True}).json()
    short = http.post("/score", json={"tender": FORM, "explain": False}).json()
    assert short["failure"] == pytest.approx(plain["failure"], abs=2e-4)
    assert short["reasons"] == []


def test_the_stage_is_the_one_asked_for(http: httpx.Client) -> None:
    body = {"tender": {**FORM, "bidders": 1}}
    assert http.post("/score", json=body).json()["stage"] == "bids_in"
    assert http.post("/score", json={**body, "stage": "draft"}).json()["stage"] == "draft"


@pytest.mark.parametrize(
    "document",
    [
        samples.draft(),
        {"releases": [samples.draft()]},
        {"records": [{"ocid": samples.OCID, "compiledRelease": samples.draft()}]},
        {"records": [{"ocid": samples.OCID, "releases": [samples.draft()]}]},
    ],
    ids=["release", "release package", "record package, compiled", "record package, releases"],
)
def test_every_form_of_ocds_is_one_score(http: httpx.Client, document: samples.Json) -> None:
    expected = http.post("/score", json={"tender": samples.draft()}).json()["failure"]
    assert http.post("/score", json={"tender": document}).json()["failure"] == expected
    assert http.post("/score", json=document).json()["failure"] == expected, "posted as it is"


def test_unknown_fields_of_the_request_are_named(http: httpx.Client) -> None:
    answer = http.post("/score", json={"tender": FORM, "stge": "draft"})
    assert answer.status_code == 200
    assert any("/stge" in warning for warning in answer.json()["warnings"])


def test_unknown_fields_of_the_tender_are_named_and_change_nothing(http: httpx.Client) -> None:
    plain = http.post("/score", json={"tender": FORM}).json()
    more = http.post("/score", json={"tender": {**FORM, "lotz": 9}}).json()
    assert any("lotz" in warning for warning in more["warnings"])
    assert more["failure"] == plain["failure"]


def test_the_body_is_json_whatever_it_calls_itself(http: httpx.Client) -> None:
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json",
    ):
        answer = http.post("/score", content=msgspec.json.encode({"tender": FORM}), headers={"Content-Type": kind})
        assert answer.status_code == 200, kind


def test_a_byte_order_mark_is_no_error(http: httpx.Client) -> None:
    assert http.post("/score", content=b"\xef\xbb\xbf" + msgspec.json.encode({"tender": FORM})).status_code == 200


def test_large_tenders_take_the_slow_lane_to_the_same_answer(http: httpx.Client) -> None:
    # Over 256 kB a thread does the work.
    padded = {**samples.draft(), "x_padding": "x" * 300_000}
    answer = http.post("/score", json={"tender": padded}).json()
    assert answer["failure"] == http.post("/score", json={"tender": samples.draft()}).json()["failure"]


GOOD = {"title": "Community nursing", "lots": 1}
BAD_TENDER = {"title": "Community nursing", "lots": -1}


@pytest.mark.parametrize(
    "body", [[{"tender": GOOD}, {"tender": BAD_TENDER}], [GOOD, BAD_TENDER], {"tenders": [GOOD, BAD_TENDER]}]
)
def test_one_bad_tender_is_one_error_entry(http: httpx.Client, body: object) -> None:
    answer = http.post("/score_many", json=body)
    assert answer.status_code == 200
    good, bad = answer.json()
    assert good == http.post("/score", json={"tender": GOOD}).json()
    assert bad.keys() == {"error", "problems"}
    assert bad["problems"][0]["path"].endswith("/lots")


def test_paths_lead_into_the_body(http: httpx.Client) -> None:
    paths = [
        http.post("/score_many", json=body).json()[-1]["problems"][0]["path"]
        for body in (
            [GOOD, BAD_TENDER],
            [GOOD, {"tender": BAD_TENDER}],
            {"tenders": [{"tender": BAD_TENDER}]},
            [5],
            [{"tender": 5}],
        )
    ]
    assert paths == ["/1/lots", "/1/tender/lots", "/tenders/0/tender/lots", "/0", "/0/tender"]


def test_releases_and_requests_may_be_mixed(http: httpx.Client) -> None:
    release = samples.draft()
    bare, wrapped = http.post("/score_many", json=[release, {"tender": release}]).json()
    assert bare == wrapped
    assert bare["ocid"] == samples.OCID


def test_what_holds_for_all_can_be_said_once(http: httpx.Client) -> None:
    tenders = [{**GOOD, "bidders": 2}, {"tender": {**GOOD, "bidders": 2}, "stage": "bids_in", "explain": True}]
    first, second = http.post("/score_many", json={"tenders": tenders, "stage": "draft", "explain": False}).json()
    assert (first["stage"], bool(first["reasons"])) == ("draft", False)
    assert (second["stage"], bool(second["reasons"])) == ("bids_in", True)


def test_unknown_fields_are_named_in_every_entry(http: httpx.Client) -> None:
    for entry in http.post("/score_many", json={"tenders": [{"tender": GOOD}] * 2, "expain": False}).json():
        assert any("/expain" in warning for warning in entry["warnings"])


def test_an_empty_list_is_an_empty_answer(http: httpx.Client) -> None:
    assert http.post("/score_many", json=[]).json() == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"tenders": 5}, "/tenders"),
        ({"tenders": None}, "/tenders"),
        (GOOD, ""),
        ("x", ""),
        ({"tenders": [], "stage": "x"}, "/stage"),
        ({"tenders": [], "explain": 1}, "/explain"),
    ],
)
def test_a_body_that_is_no_list_is_refused(http: httpx.Client, body: object, path: str) -> None:
    answer = http.post("/score_many", json=body)
    assert answer.status_code == 400
    assert answer.json()["problems"][0]["path"] == path


@pytest.mark.parametrize("stage", ["bids_in", "awarded"])
@pytest.mark.parametrize("path", ["/score", "/suggest", "/comparables", "/what_if"])
def test_a_stage_that_the_tender_has_not_reached_is_400_in_words(http: httpx.Client, path: str, stage: str) -> None:
    more = {"set": {"lots": 2}} if path == "/what_if" else {}
    answer = http.post(path, json={"tender": {"title": "Nursing", "lots": 3}, "stage": stage, **more})
    assert answer.status_code == 400
    (problem,) = answer.json()["problems"]
    assert problem["path"] == "/stage"
    assert problem["problem"].startswith("the bids are not in" if stage == "bids_in" else "the contract is not awarded")
    assert problem["remedy"].startswith("Score it at draft")


def test_of_many_only_the_tender_that_has_not_reached_the_stage_is_an_error(http: httpx.Client) -> None:
    tenders = [{"tender": {"title": "Nursing", "bidders": 3}}, {"tender": {"title": "Nursing"}}]
    scored, refused = http.post("/score_many", json={"tenders": tenders, "stage": "bids_in"}).json()
    assert scored["stage"] == "bids_in" and refused["problems"][0]["path"] == "/stage"


def test_more_than_a_request_can_hold_is_413(http: httpx.Client) -> None:
    answer = http.post("/score_many", content=b"[" + b"{}," * 10_000 + b"{}]")
    assert answer.status_code == 413
    assert "portfolio" in answer.json()["error"]


ROOT = Path(__file__).parents[2]
MANCHESTER = json.loads((ROOT / "examples" / "manchester-lco.json").read_bytes())
COMMUNITY = {"title": "Community nursing", "lots": 1, "value": 5.9e9, "term_years": 10}
SET = {"lots": 4, "tender_period_days": 60}
ENDPOINTS = {"/what_if": {"set": {"title": "x"}}, "/suggest": {}, "/comparables": {}}
each_endpoint = pytest.mark.parametrize("path", ENDPOINTS)


def test_what_if_answers_what_the_function_gives(http: httpx.Client, bundle: Bundle) -> None:
    body = {"tender": MANCHESTER, "stage": "draft", "set": SET}
    expected = what_if(bundle, to_process(MANCHESTER), [SET], "draft")
    assert http.post("/what_if", json=body).content == msgspec.json.encode(expected)


def test_suggest_answers_what_the_function_gives(http: httpx.Client, bundle: Bundle) -> None:
    body = {"tender": MANCHESTER, "stage": "draft"}
    assert http.post("/suggest", json=body).content == msgspec.json.encode(
        suggest(bundle, to_process(MANCHESTER), "draft")
    )


def test_comparables_answers_what_the_function_gives(http: httpx.Client) -> None:
    expected = comparables(to_process(MANCHESTER), "draft", 3)
    body = {"tender": MANCHESTER, "stage": "draft", "count": 3}
    assert http.post("/comparables", json=body).content == msgspec.json.encode(expected)


def test_the_number_is_the_one_of_score(http: httpx.Client) -> None:
    base = http.post("/score", json={"tender": COMMUNITY, "stage": "draft"}).json()
    changed = http.post("/score", json={"tender": {**COMMUNITY, **SET}, "stage": "draft"}).json()
    answer = http.post("/what_if", json={"tender": COMMUNITY, "stage": "draft", "set": SET}).json()
    assert answer["base"] == base
    assert answer["scenarios"][0]["score"]["failure"] == changed["failure"]
    assert http.post("/suggest", json={"tender": COMMUNITY, "stage": "draft"}).json()["failure"] == base["failure"]


def test_several_scenarios_come_back_in_their_order(http: httpx.Client) -> None:
    scenarios = [{"lots": 2}, {"lots": 8}, {}]
    answer = http.post("/what_if", json={"tender": COMMUNITY, "scenarios": scenarios, "explain": False}).json()
    assert [scenario["settings"] for scenario in answer["scenarios"]] == scenarios
    assert not answer["base"]["reasons"] and not answer["base"]["factors"]


@each_endpoint
def test_a_document_posted_as_it_is_is_read_too(http: httpx.Client, path: str) -> None:
    for document in (COMMUNITY, samples.draft()):
        bare = http.post(path, json={**document, **ENDPOINTS[path]})
        wrapped = http.post(path, json={"tender": document, **ENDPOINTS[path]})
        assert bare.status_code == 200 and bare.json() == wrapped.json()


@each_endpoint
def test_what_a_request_has_no_place_for_is_named(http: httpx.Client, path: str) -> None:
    answer = http.post(path, json={"tender": COMMUNITY, "stge": "draft", **ENDPOINTS[path]}).json()
    assert any("/stge" in warning for warning in answer["warnings"])


@pytest.mark.parametrize(
    ("path", "more", "where"),
    [
        ("/what_if", {}, "/set"),
        ("/what_if", {"set": {}, "scenarios": [{}]}, "/set"),
        ("/what_if", {"set": []}, "/set"),
        ("/what_if", {"set": None}, "/set"),
        ("/what_if", {"scenarios": {}}, "/scenarios"),
        ("/what_if", {"scenarios": []}, "/scenarios"),
        ("/what_if", {"scenarios": [{}, 3]}, "/scenarios/1"),
        ("/what_if", {"set": {"lots": "many"}}, "/set/lots"),
        ("/what_if", {"set": {"lotz": 4}}, "/set/lotz"),
        ("/what_if", {"set": {"bidders": 4}, "stage": "draft"}, "/set/bidders"),
        ("/what_if", {"set": {"lots": {"a": 1}}}, "/set/lots"),
        ("/what_if", {"scenarios": [{"lots": -1}]}, "/scenarios/0/lots"),
        ("/what_if", {"scenarios": [{}, {"lots": -1}]}, "/scenarios/1/lots"),
        ("/what_if", {"set": {"title": "x"}, "stage": "later"}, "/stage"),
        ("/suggest", {"stage": "later"}, "/stage"),
        ("/comparables", {"count": 0}, "/count"),
        ("/comparables", {"count": True}, "/count"),
        ("/comparables", {"count": 51}, "/count"),
    ],
)
def test_what_is_wrong_in_a_request_is_refused_by_its_path(
    http: httpx.Client, path: str, more: dict[str, Any], where: str
) -> None:
    assert _check_refusal(http.post(path, json={"tender": COMMUNITY, **more}))[0]["path"] == where


@each_endpoint
@pytest.mark.parametrize("bad", [bad for bad in BAD if bad.suffix == ".json"], ids=ids)
def test_a_bad_tender_is_refused_where_it_is_wrong(http: httpx.Client, path: str, bad: Bad) -> None:
    more = json.dumps(ENDPOINTS[path])[1:-1]
    body = b'{"tender":' + bad.data + (b"," + more.encode() if more else b"") + b"}"
    problems = _check_refusal(http.post(path, content=body), bad.status)
    if "where one is expected" not in problems[0]["problem"] and _is_json(body):
        assert problems[0]["path"] == f"/tender{bad.path}"


@each_endpoint
def test_a_body_over_the_limit_is_413(http: httpx.Client, path: str) -> None:
    size = 33 * 2**20
    assert (
        http.post(path, content=b" " * size).json()["problems"][0]["problem"]
        == too_many_bytes(size).problems[0].problem
    )


any_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["lots", "value", "single_block", "advisers", "cpv", "published", "lot_count", "x"]), any_value
    )
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_set_gets_an_answer(http: httpx.Client, facts: dict[str, Any]) -> None:
    answer = http.post("/what_if", content=json.dumps({"tender": COMMUNITY, "set": facts}))
    assert answer.status_code in (200, 400), answer.text
    assert "unexpected" not in answer.text


def test_hostile_text_comes_back_as_text(http: httpx.Client) -> None:
    text = "<script>alert(1)</script>\u202e=cmd|' /C calc'!A0 😀"
    answer = http.post("/what_if", json={"tender": COMMUNITY, "set": {"title": text}})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["scenarios"][0]["settings"] == {"title": text}


@each_endpoint
def test_requests_are_counted_by_endpoint(http: httpx.Client, path: str) -> None:
    http.post(path, json={"tender": COMMUNITY, **ENDPOINTS[path]})
    assert f'endpoint="{path}",method="POST",status="200"' in http.get("/metrics").text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MemoryError(), 503),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 503),
        (RuntimeError("can't start new thread"), 503),
        (OSError(errno.EIO, "Input/output error"), 500),
        (ValueError("a secret of the tender"), 500),
    ],
)
def test_what_nobody_expected_is_answered_without_its_words(error: Exception, status: int) -> None:
    response = answers.unexpected_response(error)
    assert response.status_code == status
    assert "secret" not in bytes(response.body).decode()
