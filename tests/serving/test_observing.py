"""Health, metrics, OpenAPI and the log: what the service says about itself."""

from __future__ import annotations

import httpx
import pytest

from tests.serving.conftest import address, running


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_it_is_healthy(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code == 200


def test_requests_are_counted_by_endpoint_and_status(http: httpx.Client) -> None:
    http.post("/score", json={"tender": {"title": "x"}})
    http.post("/score", json={})
    said = http.get("/metrics").text
    assert 'tender_risk_request_seconds_count{endpoint="/score",method="POST",status="200"}' in said
    assert 'tender_risk_request_seconds_count{endpoint="/score",method="POST",status="400"}' in said


def test_random_paths_do_not_fill_the_metrics(http: httpx.Client) -> None:
    http.get("/random-path-0")
    before = http.get("/metrics").text.count("\n")
    for number in range(1, 100):
        assert http.request("GET" if number % 2 else f"M{number}", f"/random-path-{number}").status_code in (404, 405)
    said = http.get("/metrics").text
    assert "random-path" not in said
    # One more method ("other"), one series of a histogram.
    assert said.count("\n") - before < 50


def test_openapi_describes_the_endpoints(http: httpx.Client) -> None:
    said = http.get("/docs.json").json()
    assert said["openapi"].startswith("3.")
    assert {"/score", "/score_many", "/healthz", "/metrics"} <= said["paths"].keys()
    body = said["paths"]["/score"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["tender"]
    assert body["properties"].keys() == {"tender", "stage", "explain"}
    assert body["properties"]["stage"]["enum"] == ["draft", "bids_in", "awarded"]
    answer = http.post("/score", json={"tender": {"title": "x"}}).json()
    assert set(said["components"]["schemas"]["Scored"]["properties"]) == answer.keys()


def test_answers_say_no_version_of_the_server(http: httpx.Client) -> None:
    for path in ("/", "/nowhere", "/healthz"):
        assert "uvicorn" not in http.get(path).headers.get("server", "").lower()
    assert not any(character.isdigit() for character in http.post("/score", json={}).headers["server"])


def test_one_request_is_one_line_of_the_log() -> None:
    with running(TENDER_RISK_LOG="INFO") as process:
        url = address(process)
        httpx.get(f"{url}line%0Abreak%0d%0a2026-01-01 GET '/forged' 200")
        process.terminate()
        said = process.communicate()[1]
    assert any("404" in line and "forged" in line and "break" in line for line in said.splitlines())
