"""POST /score: the contract's object, whatever form the tender comes in."""

from __future__ import annotations

import httpx
import msgspec
import pytest

from models import bundle
from models import score as scoring
from tenders.io.read import to_process
from tests import samples

FORM = {"title": "Community nursing", "value": "5,900,000", "currency": "GBP", "lots": 1, "tender_period_days": 35}
CONTRACT = {
    "ocid", "stage", "failure", "interval", "outcomes", "band", "register", "bundle", "reasons", "factors", "unknown",
    "warnings", "evidence",
}  # fmt: skip


def test_it_is_what_scoring_says(http: httpx.Client) -> None:
    answer = http.post("/score", json={"tender": samples.draft(), "stage": "draft", "explain": True})
    held = bundle.load(bundle.released())
    direct = scoring.score(held, to_process(samples.draft()), stage="draft", explain=True)
    assert answer.status_code == 200
    assert answer.content == msgspec.json.encode(direct)


def test_it_has_every_part_of_the_contract(http: httpx.Client) -> None:
    answer = http.post("/score", json={"tender": FORM}).json()
    assert answer.keys() >= CONTRACT
    assert answer["interval"][0] <= answer["failure"] <= answer["interval"][1]
    assert {"no_award", "early_end", "single_bid"} == answer["outcomes"].keys()
    assert all({"feature", "value", "effect", "text", "path"} == reason.keys() for reason in answer["reasons"])
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
