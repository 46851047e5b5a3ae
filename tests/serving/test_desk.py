"""POST /what_if, /suggest and /comparables on the real service: what the functions give, refused as /score refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.bundle import Bundle
from models.comparables import comparables
from models.suggest import suggest
from models.what_if import what_if
from tenders.io.read import to_process, too_many_bytes
from tests import samples
from tests.bad_input import BAD, Bad, ids
from tests.serving.test_bad_bodies import _check_refusal, _is_json

ROOT = Path(__file__).parents[2]
MANCHESTER = json.loads((ROOT / "examples" / "manchester-lco.json").read_bytes())
FORM = {"title": "Community nursing", "lots": 1, "value": 5.9e9, "term_years": 10}
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
    base = http.post("/score", json={"tender": FORM, "stage": "draft"}).json()
    changed = http.post("/score", json={"tender": {**FORM, **SET}, "stage": "draft"}).json()
    found = http.post("/what_if", json={"tender": FORM, "stage": "draft", "set": SET}).json()
    assert found["base"] == base
    assert found["scenarios"][0]["score"]["failure"] == changed["failure"]
    assert http.post("/suggest", json={"tender": FORM, "stage": "draft"}).json()["failure"] == base["failure"]


def test_several_scenarios_come_back_in_their_order(http: httpx.Client) -> None:
    scenarios = [{"lots": 2}, {"lots": 8}, {}]
    found = http.post("/what_if", json={"tender": FORM, "scenarios": scenarios, "explain": False}).json()
    assert [each["settings"] for each in found["scenarios"]] == scenarios
    assert not found["base"]["reasons"] and not found["base"]["factors"]


@each_endpoint
def test_a_document_posted_as_it_is_is_read_too(http: httpx.Client, path: str) -> None:
    for document in (FORM, samples.draft()):
        bare = http.post(path, json={**document, **ENDPOINTS[path]})
        wrapped = http.post(path, json={"tender": document, **ENDPOINTS[path]})
        assert bare.status_code == 200 and bare.json() == wrapped.json()


@each_endpoint
def test_what_a_request_has_no_place_for_is_named(http: httpx.Client, path: str) -> None:
    answer = http.post(path, json={"tender": FORM, "stge": "draft", **ENDPOINTS[path]}).json()
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
    assert _check_refusal(http.post(path, json={"tender": FORM, **more}))[0]["path"] == where


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
    answer = http.post("/what_if", content=json.dumps({"tender": FORM, "set": facts}))
    assert answer.status_code in (200, 400), answer.text
    assert "unexpected" not in answer.text


def test_hostile_text_comes_back_as_text(http: httpx.Client) -> None:
    text = "<script>alert(1)</script>\u202e=cmd|' /C calc'!A0 😀"
    answer = http.post("/what_if", json={"tender": FORM, "set": {"title": text}})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["scenarios"][0]["settings"] == {"title": text}


def test_openapi_describes_them(http: httpx.Client) -> None:
    said = http.get("/docs.json").json()
    for path, answer in (("/what_if", "WhatIfAnswer"), ("/suggest", "Suggested"), ("/comparables", "Compared")):
        found = http.post(path, json={"tender": FORM, **ENDPOINTS[path]}).json()
        assert set(said["components"]["schemas"][answer]["properties"]) == found.keys()


@each_endpoint
def test_requests_are_counted_by_endpoint(http: httpx.Client, path: str) -> None:
    http.post(path, json={"tender": FORM, **ENDPOINTS[path]})
    assert f'endpoint="{path}",method="POST",status="200"' in http.get("/metrics").text
