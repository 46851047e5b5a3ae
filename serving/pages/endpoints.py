"""The page /docs: the OpenAPI document to read, with a command to copy for each endpoint. No script draws it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from serving.pages.rendering import page

Json = Mapping[str, Any]
WORDS: Mapping[str, str] = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "null": "null",
    "array": "list",
}


class SchemaType(msgspec.Struct, frozen=True):
    """The type of a value in words, and the schemas that it leads to by name."""

    words: str
    links: tuple[str, ...] = ()


class FieldRow(msgspec.Struct, frozen=True):
    """One field of a schema, or one parameter."""

    name: str
    type: SchemaType
    required: bool
    text: str = ""


class AnswerRow(msgspec.Struct, frozen=True):
    """One answer of an endpoint: its status, what it means, and what it holds."""

    status: str
    text: str
    type: SchemaType


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint. `example` is the body of a request that is answered, as JSON; empty if none is shown."""

    method: str
    path: str
    ident: str
    text: str
    tag: str
    parameters: tuple[FieldRow, ...]
    bodies: tuple[tuple[str, SchemaType], ...]
    example: str
    answers: tuple[AnswerRow, ...]


def docs_page(document: Json) -> Response:
    """GET /docs, from an OpenAPI document."""
    shown = endpoints(document)
    groups = [(tag["name"], tag["description"], [e for e in shown if e.tag == tag["name"]]) for tag in document["tags"]]
    schemas = {name: (of.get("description", ""), fields(of)) for name, of in document["components"]["schemas"].items()}
    return page("endpoints.html", here="/docs", info=document["info"], groups=groups, schemas=sorted(schemas.items()))


def endpoints(document: Json) -> list[Endpoint]:
    """Every operation of a document, in its order."""
    return [
        _endpoint(path, method, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def _endpoint(path: str, method: str, operation: Json) -> Endpoint:
    content: Json = operation.get("requestBody", {}).get("content", {})
    example = next((of["example"] for of in content.values() if "example" in of), None)
    return Endpoint(
        method=method.upper(),
        path=path,
        ident=operation["operationId"],
        text=operation["description"],
        tag=operation["tags"][0],
        parameters=tuple(
            FieldRow(of["name"], schema_type(of["schema"]), bool(of.get("required")), of.get("description", ""))
            for of in operation.get("parameters", ())
        ),
        bodies=tuple((media_type, schema_type(of["schema"])) for media_type, of in content.items()),
        example=json.dumps(example) if example else "",
        answers=tuple(_answers(operation["responses"])),
    )


def _answers(responses: Json) -> Iterator[AnswerRow]:
    for status, response in responses.items():
        contents = [schema_type(of["schema"]) for of in response.get("content", {}).values() if of.get("schema")]
        yield AnswerRow(status, response["description"], contents[0] if contents else SchemaType(""))


def fields(schema: Json) -> tuple[FieldRow, ...]:
    """The fields of an object's schema."""
    required = schema.get("required", ())
    return tuple(
        FieldRow(name, schema_type(of), name in required, of.get("description", ""))
        for name, of in schema.get("properties", {}).items()
    )


def schema_type(schema: Json) -> SchemaType:
    """What a schema allows, in words."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return SchemaType(name, (name,))
    if "anyOf" in schema:
        return _joined([schema_type(part) for part in schema["anyOf"]], " or ")
    if "enum" in schema:
        return SchemaType(", ".join(map(str, schema["enum"])))
    if schema.get("type") == "array":
        of = schema_type(schema.get("items") or next(iter(schema.get("prefixItems", ())), {}))
        return SchemaType(f"list of {of.words}" if of.words else "list", of.links)
    if schema.get("format") == "binary":
        return SchemaType("file")
    return SchemaType(WORDS.get(str(schema.get("type", "")), "any value"))


def _joined(parts: Sequence[SchemaType], between: str) -> SchemaType:
    return SchemaType(between.join(part.words for part in parts), tuple(name for part in parts for name in part.links))
