"""The page /docs shows every endpoint, field and answer of the OpenAPI document, without scripts of others."""

from __future__ import annotations

import httpx

from serving.pages.endpoints import SchemaType, endpoints, schema_type


def test_the_page_shows_every_endpoint_and_every_answer(http: httpx.Client) -> None:
    document, page = http.get("/docs.json").json(), http.get("/docs", headers={"Accept": "text/html"})
    assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html")
    for endpoint in endpoints(document):
        assert f'<h3 id="{endpoint.ident}">{endpoint.method} {endpoint.path}</h3>' in page.text
    for name in document["components"]["schemas"]:
        assert f'<h3 id="{name}">{name}</h3>' in page.text
    assert f"{document['info']['title']} {document['info']['version']}" in page.text


def test_the_page_loads_nothing_from_elsewhere(http: httpx.Client) -> None:
    page = http.get("/docs").text
    assert 'src="http' not in page and 'href="http' not in page
    assert page.count("<script") == 1


def test_types_are_put_into_words() -> None:
    assert schema_type({"anyOf": [{"type": "string"}, {"type": "null"}]}).words == "text or null"
    assert schema_type({"enum": ["draft", "awarded"]}).words == "draft, awarded"
    listed = {"type": "array", "items": {"$ref": "#/components/schemas/Reason"}}
    assert schema_type(listed) == SchemaType("list of Reason", ("Reason",))
    assert schema_type({"type": "array", "prefixItems": [{"type": "number"}]}).words == "list of number"
    assert schema_type({}).words == "any value"
