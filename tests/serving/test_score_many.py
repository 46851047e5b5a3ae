"""POST /score_many: a list in, a list out; one bad tender is one error entry."""

from __future__ import annotations

import httpx
import pytest

from tests import samples

GOOD = {"title": "Community nursing", "lots": 1}
BAD = {"title": "Community nursing", "lots": -1}


@pytest.mark.parametrize("body", [[{"tender": GOOD}, {"tender": BAD}], [GOOD, BAD], {"tenders": [GOOD, BAD]}])
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
        for body in ([GOOD, BAD], [GOOD, {"tender": BAD}], {"tenders": [{"tender": BAD}]}, [5], [{"tender": 5}])
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


def test_more_than_a_request_can_hold_is_413(http: httpx.Client) -> None:
    answer = http.post("/score_many", content=b"[" + b"{}," * 10_000 + b"{}]")
    assert answer.status_code == 413
    assert "portfolio" in answer.json()["error"]
