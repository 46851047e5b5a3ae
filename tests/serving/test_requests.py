"""Whatever is sent: 400 or 413 with the JSON path, as JSON; never a 500, never a traceback."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bad_input import BAD, Bad, ids

JSON = [bad for bad in BAD if bad.suffix == ".json"]
RAW = {
    "nothing": b"",
    "spaces": b"  \n",
    "half a body": b'{"tender": {"ti',
    "a scalar": b"3",
    "null": b"null",
    "a string": b'"tender"',
    "a list": b"[]",
    "Latin-1": '{"tender": {"title": "Soins à domicile"}}'.encode("latin-1"),
    "UTF-16": '{"tender": {}}'.encode("utf-16"),
    "zero bytes": b"\0\0\0",
    "100,000 brackets": b"[" * 100_000,
    "100,000 objects": b'{"tender":' * 100_000,
    "an empty object": b"{}",
    "a misspelt tender": b'{"tneder": {}}',
    "a tender that is null": b'{"tender": null}',
    "a stage of no name": b'{"tender": {"title": "x"}, "stage": "later"}',
    "a stage that is an object": b'{"tender": {"title": "x"}, "stage": {}}',
    "explain that is a word": b'{"tender": {"title": "x"}, "explain": "yes"}',
    "infinity as a number too large": b'{"tender": {"value": 1e999}}',
    "infinity by name": b'{"tender": {"value": Infinity}}',
    "not a number": b'{"tender": {"value": NaN}}',
    "half a character": b'{"tender": {"title": "\\ud800"}}',
}


def _check_refusal(answer: httpx.Response, status: int = 400) -> list[dict[str, str]]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert "Traceback" not in answer.text
    refused = answer.json()
    assert refused["error"]
    for problem in refused["problems"]:
        assert problem.keys() == {"path", "problem", "remedy"}
        assert problem["problem"]
    problems: list[dict[str, str]] = refused["problems"]
    return problems


@pytest.mark.parametrize("body", RAW.values(), ids=RAW.keys())
def test_a_bad_body_is_400(http: httpx.Client, body: bytes) -> None:
    assert _check_refusal(http.post("/score", content=body))


@pytest.mark.parametrize("bad", JSON, ids=ids)
def test_a_bad_tender_is_refused_where_it_is_wrong(http: httpx.Client, bad: Bad) -> None:
    body = b'{"tender":' + bad.data + b"}"
    problems = _check_refusal(http.post("/score", content=body), bad.status)
    if "where one is expected" not in problems[0]["problem"] and _is_json(body):
        assert problems[0]["path"] == f"/tender{bad.path}"


@pytest.mark.parametrize("bad", JSON, ids=ids)
def test_a_bad_tender_among_many_is_one_entry(http: httpx.Client, bad: Bad) -> None:
    body = b'[{"tender": {"title": "x"}}, {"tender":' + bad.data + b"}]"
    if not _is_json(body):
        _check_refusal(http.post("/score_many", content=body))
        return
    good, refused = http.post("/score_many", content=body).json()
    assert good["failure"] > 0
    if "where one is expected" not in refused["error"]:
        assert refused["problems"][0]["path"] == f"/1/tender{bad.path}"


def test_infinity_is_refused_by_its_path(http: httpx.Client) -> None:
    body = b'{"tender": {"tender": {"title": "x", "lots": [{"id": "1", "value": {"amount": 1e999}}]}}}'
    assert _check_refusal(http.post("/score", content=body))[0]["path"] == "/tender/tender/lots/0/value/amount"


def test_pickle_is_refused(http: httpx.Client) -> None:
    answer = http.post("/score", content=b"{}", headers={"Content-Type": "application/vnd.bentoml+pickle"})
    _check_refusal(answer, 415)


def test_headers_that_are_no_text_do_no_harm(http: httpx.Client) -> None:
    answer = http.post("/score", content=b'{"tender": {"title": "x"}}', headers=[(b"Content-Type", b"\xff\xfe")])
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/score", 405), ("DELETE", "/", 405), ("GET", "/no", 404)]
)
def test_routing_errors_are_json_too(http: httpx.Client, method: str, path: str, status: int) -> None:
    _check_refusal(http.request(method, path), status)


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["tender", "tenders", "stage", "explain", "releases", "records", "lots", "value", "date", "tag"]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(any_json)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_gets_an_answer(http: httpx.Client, document: Any) -> None:
    for path in ("/score", "/score_many"):
        answer = http.post(path, content=json.dumps(document))
        assert answer.status_code in (200, 400), answer.text
        assert "unexpected" not in answer.text


def _is_json(body: bytes) -> bool:
    """Whether our own reader finds JSON in it."""
    try:
        json.loads(body.decode().replace("9" * 5000, "9"))
    except (ValueError, RecursionError):
        return False
    return b"\\ud800" not in body
