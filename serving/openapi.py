"""The OpenAPI document. Its schemas are made from the structs that the endpoints read and answer with.

BentoML would describe requests and answers by pydantic models, its own errors and its own name, so this document takes
the place of its `/docs.json`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from types import UnionType
from typing import Any, ClassVar, Union, get_args, get_origin

import bentoml
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.answers import ErrorAnswer
from serving.audit.entry import product_version
from serving.documents import ENTRY, FORM, PACKAGE, RECORD, RELEASE
from serving.health import Readiness

REFERENCE = "#/components/schemas/{name}"
ERRORS = {
    400: "The body or the tender cannot be read; each path leads to one problem",
    401: "No valid key",
    403: "The key has not the scope, or a browser sent this for another site's page",
    408: "The body did not come in time",
    413: "Too large",
    415: "The body is of a type that is not read",
    421: "The service does not answer to the name in Host",
    429: "Too many requests of one key, or wrong keys of one address; Retry-After says when to try again",
    500: "Our mistake; the log of the service has it",
    503: "The model, the jobs' directory or their database cannot be reached, or the audit trail not be written",
}
ROUTE_ERRORS = ERRORS | {
    507: "The disk has no room for the upload",
    404: "There is no such job, or its files are gone",
    409: "The job is not done",
}
OF_READY = "`scoring`: ready also while no job can be done"
INFRASTRUCTURE = {
    "/healthz": "Whether the service is up",
    "/livez": "Whether the process lives",
    "/readyz": "Whether the service takes requests",
    "/metrics": "Metrics for Prometheus",
}
METRICS = "/metrics"
"""It needs a key like the endpoints; monitoring asks the others without."""
LICENCE = {"name": "Apache License 2.0", "identifier": "Apache-2.0"}
CONTACT = {"name": "The maintainers of Tender Risk"}
SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Programs: Authorization: Bearer KEY"},
    "basic": {"type": "http", "scheme": "basic", "description": "Browsers: any name, and the key as the password"},
}
"""Where keys are configured; on a loopback address none need be."""
EXAMPLE = {"title": "Community nursing", "value": 6_000_000, "lots": 1, "tender_period_days": 35, "term_years": 5}
BODY_EXAMPLES: Mapping[str, Any] = {
    "/score": {"tender": EXAMPLE, "stage": "draft"},
    "/score_many": {"tenders": [EXAMPLE, {"title": "School meals", "value": 640_000}], "stage": "draft"},
    "/what_if": {"tender": EXAMPLE, "set": {"lots": 4}},
    "/suggest": {"tender": EXAMPLE, "stage": "draft"},
    "/comparables": {"tender": EXAMPLE, "count": 3},
}
"""A request of each endpoint that is answered as it stands (tests/serving/test_openapi.py sends them)."""
SHARED = {"Entry": ENTRY, "Form": FORM, "Package": PACKAGE, "Record": RECORD, "Release": RELEASE}
"""Schemas that stand in many bodies."""
ONE_OF = {"WhatIfBody": ("set", "scenarios")}
"""Bodies that have exactly one of some fields."""
TAGS = {
    "scores": "One tender or many, as JSON",
    "jobs": "Portfolios: a file is uploaded, scored in the background, and its results are downloaded",
    "service": "Health and metrics",
}


class DescribedBody(bentoml.IODescriptor):  # type: ignore[misc]
    """A body as it came, described by the struct that `serving.requests` reads from it.

    BentoML's own parsing would refuse without JSON paths, take `1e999` for infinity and drop unknown fields silently.
    """

    json_type: ClassVar[Any] = None

    @classmethod
    def mime_type(cls) -> str:
        """The media type in BentoML's descriptions."""
        return "application/json"

    @classmethod
    def model_json_schema(cls, *_: object, ref_template: str = "#/$defs/{model}", **__: object) -> dict[str, Any]:
        """The schema for BentoML's own descriptions, such as that in a bento. They know no union: its first type."""
        kind = get_args(cls.json_type)[0] if _is_union(cls.json_type) else cls.json_type
        (schema,), components = _schemas([kind], ref_template.replace("{model}", "{name}"))
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        return {**(components[name] if name else schema), "$defs": components}


class RawBody(DescribedBody):
    """A body in one piece."""

    raw: bytes

    @classmethod
    async def from_http_request(cls, request: Request, _: object) -> RawBody:
        """The body, not parsed."""
        body: RawBody = cls.model_construct(raw=await request.body())
        return body


class BodyInPieces(DescribedBody):
    """A body in the pieces in which it came: to join large ones takes long."""

    pieces: list[bytes]

    @classmethod
    async def from_http_request(cls, request: Request, _: object) -> BodyInPieces:
        """The body, not parsed."""
        body: BodyInPieces = cls.model_construct(pieces=[piece async for piece in request.stream() if piece])
        return body


class ApiRoute(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint beside those of BentoML. `answer` is the type that it answers with as JSON, or a media type.

    `body` and `query` describe the request as OpenAPI does: content by media type, and parameters.
    """

    path: str
    method: str
    endpoint: Callable[[Request], Awaitable[Response]]
    description: str
    answer: Any = None
    status: int = HTTPStatus.OK
    body: Mapping[str, Any] | None = None
    query: Sequence[Mapping[str, Any]] = ()


def starlette_routes(routes: Sequence[ApiRoute]) -> list[Route]:
    """The routes for Starlette, one a path: so that a method that it does not have is answered with all that it has."""
    methods: dict[str, dict[str, Callable[[Request], Awaitable[Response]]]] = {}
    for route in routes:
        methods.setdefault(route.path, {})[route.method] = route.endpoint
    return [Route(path, _by_method(known), methods=[*known]) for path, known in methods.items()]


def _by_method(endpoints: Mapping[str, Callable[[Request], Awaitable[Response]]]) -> Any:
    async def respond(request: Request) -> Response:
        return await endpoints["GET" if request.method == "HEAD" else request.method](request)

    return respond


def described(body: Any, answer: Any, kind: type[DescribedBody] = RawBody) -> dict[str, type[DescribedBody]]:
    """What `bentoml.api` has to be told of an endpoint that reads `body` and answers `answer`.

    The endpoint is given the body by the name that `kind` has for it: `raw`, or `pieces` for `BodyInPieces`.
    """
    return {"input_spec": _described_by(body, kind), "output_spec": _described_by(answer, RawBody)}


def _described_by(struct: Any, kind: type[DescribedBody]) -> type[DescribedBody]:
    class Described(kind):  # type: ignore[misc, valid-type]
        json_type: ClassVar[Any] = struct

    return Described


def document(service: Any, routes: Sequence[ApiRoute]) -> dict[str, Any]:
    """The OpenAPI document of a BentoML service with some routes of its own."""
    apis = list(service.apis.values())
    bodies = [api.input_spec.json_type for api in apis]
    answers = [api.output_spec.json_type for api in apis]
    typed = [route for route in routes if not isinstance(route.answer, str | None)]
    body_schemas, components = _schemas(bodies, REFERENCE)
    answer_schemas, answer_components = _schemas(
        [*answers, *(route.answer for route in typed), Readiness, ErrorAnswer], REFERENCE
    )
    for component in answer_components.values():
        # Every answer has every field: none is left out because it has its default.
        if "properties" in component:
            component["required"] = list(component["properties"])
    components = {**_with_references(components), **{name: _inner_references(part) for name, part in SHARED.items()}}
    for name, fields in ONE_OF.items():
        components[name]["oneOf"] = [{"required": [field]} for field in fields]
    error = answer_schemas[-1]
    paths: dict[str, dict[str, Any]] = {}
    for api, body, schema in zip(apis, body_schemas, answer_schemas, strict=False):
        operation = _operation(api.doc or "", _content(schema), HTTPStatus.OK, error, ERRORS)
        operation["requestBody"] = {"required": True, **_content(_with_references(body), BODY_EXAMPLES.get(api.route))}
        paths[api.route] = {"post": {"operationId": api.name, "tags": ["scores"], **operation}}
    route_schemas = iter(answer_schemas[len(apis) :])
    for route in routes:
        schema = next(route_schemas) if route in typed else None
        content = _content(schema) if schema else {"content": {route.answer: {}}} if route.answer else {}
        operation = _operation(route.description, content, route.status, error, ROUTE_ERRORS)
        if route.body:
            operation["requestBody"] = {"required": True, "content": route.body}
        names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
        of_path = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
        if parameters := [*of_path, *route.query]:
            operation["parameters"] = parameters
        ident = {"operationId": _operation_id(route), "tags": ["jobs"]}
        paths.setdefault(route.path, {})[route.method.lower()] = ident | operation
    for path, description in INFRASTRUCTURE.items():
        paths[path] = {"get": _infrastructure(path, description, error)}
    ready = paths["/readyz"]["get"]
    for code in ("200", "503"):
        ready["responses"][code] |= _content(answer_schemas[-2])
    ready["parameters"] = [{"name": "of", "in": "query", "description": OF_READY, "schema": {"enum": ["scoring"]}}]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tender Risk",
            "description": inspect.getdoc(service.inner) or "",
            "version": product_version(),
            "license": LICENCE,
            "contact": CONTACT,
        },
        "servers": [{"url": "."}],
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "security": [{}, *({name: []} for name in SECURITY)],
        "paths": paths,
        "components": {"schemas": {**components, **answer_components}, "securitySchemes": SECURITY},
    }


def _operation_id(route: ApiRoute) -> str:
    """A name for a route that clients make a function of."""
    last = route.path.rstrip("/").rpartition("/")[2]
    action = {"GET": "get", "POST": "create", "DELETE": "delete"}[route.method]
    if not last.startswith("{"):
        return f"{action}_{last}" if last == "jobs" else f"job_{last}"
    return f"{action}_job"


def _infrastructure(path: str, description: str, error: Any) -> dict[str, Any]:
    """The description of an endpoint for whoever runs the service."""
    codes = (401, 403, 421, 429, 500) if path == METRICS else (500, 503)
    kept = {code: ERRORS[code] for code in codes}
    answer = {"content": {"text/plain": {"schema": {"type": "string"}}}} if path == METRICS else {}
    operation = _operation(description, answer, HTTPStatus.OK, error, kept)
    return {"operationId": path.strip("/"), "tags": ["service"], **operation}


def _operation(
    description: str, content: dict[str, Any], status: int, error: Any, errors: Mapping[int, str]
) -> dict[str, Any]:
    responses = {str(int(status)): {"description": HTTPStatus(status).phrase, **content}}
    responses |= {str(code): {"description": text, **_content(error)} for code, text in errors.items()}
    text = inspect.cleandoc(description)
    return {"summary": text.partition(".")[0], "description": text, "responses": responses}


def _content(schema: Any, example: Any = None) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema, **({"example": example} if example else {})}}}


def _schemas(types: Iterable[Any], reference: str) -> tuple[list[Any], dict[str, Any]]:
    """The schema of each type, and the components that they refer to.

    msgspec describes no union of two structs, so lists and unions are described here.
    """
    wanted = list(types)
    leaves = list(dict.fromkeys(leaf for of in wanted for leaf in _leaves(of)))
    leaf_schemas, components = msgspec.json.schema_components(leaves, ref_template=reference)
    by_leaf = dict(zip(leaves, leaf_schemas, strict=True))

    def schema(of: Any) -> Any:
        if get_origin(of) is list:
            return {"type": "array", "items": schema(get_args(of)[0])}
        return {"anyOf": [schema(part) for part in get_args(of)]} if _is_union(of) else by_leaf[of]

    return [schema(of) for of in wanted], _without_false_items(components)


def _is_union(of: Any) -> bool:
    return get_origin(of) in (Union, UnionType)


def _leaves(of: Any) -> Iterable[Any]:
    is_compound = _is_union(of) or get_origin(of) is list
    return [leaf for part in get_args(of) for leaf in _leaves(part)] if is_compound else [of]


def _with_references(schema: Any) -> Any:
    """A schema in which references stand for the shared ones."""
    if isinstance(schema, list):
        return [_with_references(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    name = next((name for name, shared in SHARED.items() if schema == shared), None)
    if name:
        return {"$ref": REFERENCE.format(name=name)}
    return {key: _with_references(part) for key, part in schema.items()}


def _inner_references(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: _with_references(part) for key, part in schema.items()}


def _without_false_items(schema: Any) -> Any:
    """A schema in which tuples are bounded by `maxItems` alone: BentoML cannot read the `"items": false` beside it."""
    if isinstance(schema, list):
        return [_without_false_items(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _without_false_items(part) for key, part in schema.items() if (key, part) != ("items", False)}
