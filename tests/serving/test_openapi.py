"""The OpenAPI document is true: it describes every endpoint, and every answer validates against it."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import bentoml
import httpx
import pytest
from starlette.responses import Response

from models.score import Score
from serving import openapi, service
from serving.middleware import RequestMetrics
from serving.requests import TenderBody
from tests import samples
from tests.serving.conftest import ROOT
from tests.serving.made import MANCHESTER

FORM = {"title": "Community nursing", "lots": 1, "value": 5.9e9, "term_years": 10}
BAD = {"title": "x", "lots": -1}
REQUESTS: list[tuple[str, Any, int]] = [
    ("/score", {"tender": FORM}, 200),
    ("/score", {"tender": samples.draft(), "stage": "draft"}, 200),
    ("/score", {"tender": MANCHESTER}, 200),
    ("/score", {"tender": MANCHESTER, "explain": False}, 200),
    ("/score", {"tender": BAD}, 400),
    ("/score", {}, 400),
    ("/score_many", {"tenders": [FORM]}, 200),
    ("/score_many", 5, 400),
    ("/what_if", {"tender": FORM, "set": {"lots": 4, "term_years": None}}, 200),
    ("/what_if", {"tender": MANCHESTER, "scenarios": [{"lots": 4}, {}]}, 200),
    ("/what_if", {"tender": FORM}, 400),
    ("/suggest", {"tender": MANCHESTER, "stage": "draft"}, 200),
    ("/suggest", {"tender": FORM}, 200),
    ("/comparables", {"tender": MANCHESTER, "count": 50}, 200),
    ("/comparables", {"tender": FORM, "count": 0}, 400),
]
WITH_A_BAD_ONE = ("/score_many", [FORM, BAD], 200)
"""Answered with an error entry for what the document does not allow."""


@pytest.fixture(scope="module")
def document(http: httpx.Client) -> dict[str, Any]:
    document: dict[str, Any] = http.get("/docs.json").json()
    return document


def test_it_has_the_products_name_and_version(document: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert document["openapi"].startswith("3.1")
    assert (document["info"]["title"], document["info"]["version"]) == ("Tender Risk", project["version"])
    assert "BentoML" not in str(document)


def test_it_has_the_products_licence_and_contact(document: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert document["info"]["license"]["identifier"] == project["license"]
    assert document["info"]["contact"]["name"] == "The maintainers of Tender Risk"


@pytest.mark.parametrize("path", openapi.BODY_EXAMPLES)
def test_every_example_is_answered_as_it_stands(http: httpx.Client, document: dict[str, Any], path: str) -> None:
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert [*faults(content["example"], content["schema"], document)] == []
    assert http.post(path, json=content["example"]).status_code == 200


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names) and all(name.isidentifier() for name in names)


def test_the_client_of_bentoml_works_from_it(url: str) -> None:
    with bentoml.SyncHTTPClient(url, server_ready_timeout=30) as client:
        assert client.score(tender=FORM, stage="draft")["stage"] == "draft"
        assert [row["stage"] for row in client.score_many(tenders=[FORM], stage="draft")] == ["draft"]
        assert client.what_if(tender=FORM, set={"lots": 4})["scenarios"][0]["settings"] == {"lots": 4}
        assert client.suggest(tender=FORM)["stage"] == "draft"
        assert len(client.comparables(tender=FORM, count=2)["cases"]) == 2
        with pytest.raises(bentoml.exceptions.InvalidArgument, match="/tender/lots"):
            client.score(tender=BAD)


def test_a_method_that_a_path_does_not_have_is_answered_with_those_that_it_has(http: httpx.Client) -> None:
    answer = http.put("/jobs")
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_it_describes_every_endpoint(document: dict[str, Any]) -> None:
    assert {
        "/score", "/score_many", "/what_if", "/suggest", "/comparables", "/jobs", "/jobs/{id}", "/jobs/{id}/output",
        "/healthz", "/livez", "/readyz", "/metrics",
    } <= document["paths"].keys()  # fmt: skip
    assert {"get", "post"} == document["paths"]["/jobs"].keys()


def test_it_describes_requests(document: dict[str, Any]) -> None:
    body = document["paths"]["/score"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = resolved(body, document)
    assert schema["required"] == ["tender"]
    assert schema["properties"].keys() == {"tender", "stage", "explain"}
    assert set(schema["properties"]["stage"]["anyOf"][0]["enum"]) == {"draft", "bids_in", "awarded"}


@pytest.mark.parametrize(("path", "body", "status"), [*REQUESTS, WITH_A_BAD_ONE])
def test_every_answer_validates(
    http: httpx.Client, document: dict[str, Any], path: str, body: Any, status: int
) -> None:
    answer = http.post(path, json=body)
    assert answer.status_code == status
    operation = document["paths"][path]["post"]
    content = operation["responses"][str(status)]["content"]["application/json"]
    assert [*faults(answer.json(), content["schema"], document)] == []


@pytest.mark.parametrize(("path", "body", "status"), [request for request in REQUESTS if request[2] == 200])
def test_every_request_that_is_answered_validates(document: dict[str, Any], path: str, body: Any, status: int) -> None:
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert [*faults(body, content["schema"], document)] == []


RELEASE = {"ocid": "ocds-1", "tender": {"title": "Nursing", "value": {"amount": 5.0}}}
ALLOWED: list[tuple[str, Any]] = [
    ("/score", {"tender": RELEASE}),
    ("/score", {"tender": {"releases": [{**RELEASE, "date": "2026-03-01T09:00:00Z"}]}}),
    ("/score", {"tender": {**FORM, "tender_start": "2024-01-31", "tender_end": "2024-06-30"}}),
    ("/score_many", [RELEASE, FORM, {"tender": FORM, "stage": "draft"}]),
    ("/what_if", {"tender": FORM, "scenarios": [{}, {"title": None, "advisers": ["A"], "lots": 1}]}),
]


@pytest.mark.parametrize(("path", "body"), ALLOWED)
def test_what_it_allows_is_scored(http: httpx.Client, document: dict[str, Any], path: str, body: Any) -> None:
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert [*faults(body, content["schema"], document)] == []
    answer = http.post(path, json=body)
    assert answer.status_code == 200
    assert "error" not in str(answer.json())


REFUSED: list[tuple[str, Any]] = [
    ("/score", {"tender": {**FORM, "tender_start": "2024-04-31"}}),
    ("/score", {"tender": {**FORM, "term_years": 1e18}}),
    ("/score", {"tender": {**FORM, "price_to_former_cost": 1e7}}),
    ("/score", {"tender": {**FORM, "service_lines": 0}}),
    ("/score", {"tender": {"releases": [RELEASE, RELEASE]}}),
    ("/score", {"tender": {"releases": [{"ocid": "ocds-1", "date": "2026-03-01", "tender": {}}] * 2}}),
    ("/score_many", [{"name": "no tender"}]),
    ("/score_many", [{"tender": {"title": "Nursing", "value": {"amount": 5.0}}}]),
    ("/what_if", {"tender": FORM, "scenarios": []}),
    ("/what_if", {"tender": FORM, "scenarios": [{}] * 21}),
    ("/what_if", {"tender": FORM, "set": {"title": " "}}),
    ("/what_if", {"tender": FORM, "set": {"advisers": [""]}}),
    ("/what_if", {"tender": FORM, "set": {"incumbents": []}}),
    ("/what_if", {"tender": FORM, "set": {"lots": 0}}),
]


@pytest.mark.parametrize(("path", "body"), REFUSED)
def test_what_is_refused_it_does_not_allow(
    http: httpx.Client, document: dict[str, Any], path: str, body: Any
) -> None:
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert [*faults(body, content["schema"], document)]
    answer = http.post(path, json=body)
    assert answer.status_code == 400 or {*answer.json()[0]} == {"error", "problems"}


def test_it_says_from_which_stage_on_a_fact_is_known(document: dict[str, Any]) -> None:
    fields = document["components"]["schemas"]["Form"]["properties"]
    assert fields["award_date"]["description"] == "Known from awarded on."
    assert "Known" not in str(fields["title"])


def test_every_field_of_an_answer_is_described(http: httpx.Client, document: dict[str, Any]) -> None:
    answer = http.post("/score", json={"tender": MANCHESTER}).json()
    assert set(document["components"]["schemas"]["Score"]["properties"]) == answer.keys()


def test_a_new_endpoint_is_described_and_counted_without_another_edit() -> None:
    @service.with_middleware
    @bentoml.service(**service.SETTINGS)
    class WithMore(service.TenderRisk.inner):  # type: ignore[misc, name-defined]
        @bentoml.api(route="/more", **openapi.described(TenderBody, list[Score]))
        async def more(self, raw: bytes) -> Response:
            """Answers more."""
            return Response(raw)

    operation = openapi.document(WithMore, [])["paths"]["/more"]["post"]
    schemas = [operation["requestBody"], operation["responses"]["200"]]
    assert [schema["content"]["application/json"]["schema"] for schema in schemas] == [
        {"$ref": "#/components/schemas/TenderBody"},
        {"type": "array", "items": {"$ref": "#/components/schemas/Score"}},
    ]
    assert operation["description"] == "Answers more."
    (counted,) = (options["endpoints"] for middleware, options in WithMore.middlewares if middleware is RequestMetrics)
    assert {"/more", "/score", "/about", "/healthz"} <= {*counted}


def test_what_is_not_so_does_not_validate(http: httpx.Client, document: dict[str, Any]) -> None:
    answer = http.post("/score", json={"tender": MANCHESTER}).json()
    schema = {"$ref": "#/components/schemas/Score"}
    for wrong in ({"failure": "0.3"}, {"interval": [0.1]}, {"band": "middling"}, {"reasons": [{}]}, {"ocid": 5}):
        assert [*faults({**answer, **wrong}, schema, document)]
    del answer["evidence"]
    assert [*faults(answer, schema, document)]


TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "integer": (int,),
    "number": (int, float), "null": (type(None),),
}  # fmt: skip
CHECKED = {
    "$ref", "anyOf", "enum", "type", "properties", "required", "additionalProperties", "items", "prefixItems",
    "minItems", "maxItems", "minimum", "maximum", "format", "oneOf", "minProperties", "maxLength", "pattern",
}  # fmt: skip
ANNOTATIONS = {"title", "description", "default", "example", "examples"}


def resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference leads to."""
    if "$ref" not in schema:
        return schema
    target: dict[str, Any] = document["components"]["schemas"][schema["$ref"].removeprefix("#/components/schemas/")]
    return target


def faults(value: Any, schema: dict[str, Any], document: dict[str, Any], where: str = "") -> list[str]:
    """What does not fit a schema, by path: the keywords that msgspec writes, and a fault for any other."""
    schema = resolved(schema, document)
    if unknown := schema.keys() - CHECKED - ANNOTATIONS:
        return [f"{where}: {unknown} is not checked here"]
    if "anyOf" in schema:
        branches = [faults(value, branch, document, where) for branch in schema["anyOf"]]
        return [] if [] in branches else min(branches, key=len)
    if "oneOf" in schema and sum(not faults(value, branch, document) for branch in schema["oneOf"]) != 1:
        return [f"{where}: not one of {schema['oneOf']}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: {value!r} is none of {schema['enum']}"]
    kinds = TYPES.get(schema.get("type", ""), (object,))
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds and object not in kinds):
        return [f"{where}: {value!r} is no {schema['type']}"]
    return [*_inside(value, schema, document, where), *_out_of_bounds(value, schema, where)]


def _inside(value: Any, schema: dict[str, Any], document: dict[str, Any], where: str) -> list[str]:
    if isinstance(value, dict):
        wrong = [f"{where}/{name}: missing" for name in schema.get("required", ()) if name not in value]
        rest = schema.get("additionalProperties", {})
        wrong += [f"{where}/{name}: unknown" for name in value if rest is False and name not in schema["properties"]]
        wrong += [f"{where}: too few"] if len(value) < schema.get("minProperties", 0) else []
        for name, part in value.items():
            of = schema.get("properties", {}).get(name, rest if isinstance(rest, dict) else {})
            wrong += faults(part, of, document, f"{where}/{name}")
        return wrong
    parts = schema.get("prefixItems", [])
    return [
        fault
        for number, part in enumerate(value if isinstance(value, list) else [])
        for of in [parts[number] if number < len(parts) else schema.get("items", {})]
        for fault in faults(part, of, document, f"{where}/{number}")
    ]


def _out_of_bounds(value: Any, schema: dict[str, Any], where: str) -> list[str]:
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            return [f"{where}: {len(value)} items"]
    elif isinstance(value, str):
        if len(value) > schema.get("maxLength", len(value)) or not re.search(schema.get("pattern", ""), value):
            return [f"{where}: {value!r} is not as it must be"]
    elif isinstance(value, int | float) and not (schema.get("minimum", value) <= value <= schema.get("maximum", value)):
        return [f"{where}: {value} is out of range"]
    return []
