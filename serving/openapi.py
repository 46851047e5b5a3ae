"""The OpenAPI document. Its schemas are made from the structs that the endpoints read and answer with.

BentoML would describe requests and answers by pydantic models, its own errors and its own name, so this document takes
the place of its `/docs.json`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from types import UnionType
from typing import Any, ClassVar, get_args, get_origin

import bentoml
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.answers import ErrorAnswer
from serving.health import Readiness

REFERENCE = "#/components/schemas/{name}"
ERRORS = {
    400: "The body or the tender cannot be read; each path leads to one problem",
    401: "No valid key",
    403: "The key has not the scope, or a browser sent this for another site's page",
    408: "The body did not come in time",
    413: "Too large",
    421: "The service does not answer to the name in Host",
    429: "Too many requests of one key, or wrong keys of one address; Retry-After says when to try again",
    500: "Our mistake; the log of the service has it",
    503: "The model, the jobs' directory or their database cannot be reached, or the audit trail not be written",
}
ROUTE_ERRORS = ERRORS | {
    404: "There is no such job, or its files are gone",
    409: "The job is not done",
}
INFRASTRUCTURE = {
    "/healthz": "Whether the service is up",
    "/livez": "Whether the process lives",
    "/readyz": "Whether the service takes requests",
    "/metrics": "Metrics for Prometheus",
}


class RawBody(bentoml.IODescriptor):  # type: ignore[misc]
    """A body as it came, described by the struct that `serving.requests` reads from it.

    BentoML's own parsing would refuse without JSON paths, take `1e999` for infinity and drop unknown fields silently.
    """

    raw: bytes
    json_type: ClassVar[Any] = None

    @classmethod
    async def from_http_request(cls, request: Request, _: object) -> RawBody:
        """The body, not parsed."""
        body: RawBody = cls.model_construct(raw=await request.body())
        return body

    @classmethod
    def mime_type(cls) -> str:
        """The media type in BentoML's descriptions."""
        return "application/json"

    @classmethod
    def model_json_schema(cls, *_: object, ref_template: str = "#/$defs/{model}", **__: object) -> dict[str, Any]:
        """The schema for BentoML's own descriptions, such as that in a bento. They know no union: its first type."""
        kind = get_args(cls.json_type)[0] if isinstance(cls.json_type, UnionType) else cls.json_type
        (schema,), components = _schemas([kind], ref_template.replace("{model}", "{name}"))
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        return {**(components[name] if name else schema), "$defs": components}


class ApiRoute(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint beside those of BentoML. `answer` is the type that it answers with as JSON, or a media type."""

    path: str
    method: str
    endpoint: Callable[[Request], Awaitable[Response]]
    description: str
    answer: Any = None
    status: int = HTTPStatus.OK

    def route(self) -> Route:
        """The route for Starlette."""
        return Route(self.path, self.endpoint, methods=[self.method])


def described(body: Any, answer: Any) -> dict[str, type[RawBody]]:
    """What `bentoml.api` has to be told of an endpoint that reads `body` and answers `answer`."""
    return {"input_spec": _described_by(body), "output_spec": _described_by(answer)}


def _described_by(struct: Any) -> type[RawBody]:
    class Described(RawBody):
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
    error = answer_schemas[-1]
    paths: dict[str, dict[str, Any]] = {}
    for api, body, schema in zip(apis, body_schemas, answer_schemas, strict=False):
        operation = _operation(api.doc or "", _content(schema), HTTPStatus.OK, error, ERRORS)
        operation["requestBody"] = {"required": True, **_content(body)}
        paths[api.route] = {"post": operation}
    route_schemas = iter(answer_schemas[len(apis) :])
    for route in routes:
        schema = next(route_schemas) if route in typed else None
        content = _content(schema) if schema else {"content": {route.answer: {}}} if route.answer else {}
        operation = _operation(route.description, content, route.status, error, ROUTE_ERRORS)
        if names := [part[1:-1] for part in route.path.split("/") if part.startswith("{")]:
            operation["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
            ]
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    for path, description in INFRASTRUCTURE.items():
        paths[path] = {"get": {"description": description, "responses": {"200": {"description": "Yes"}}}}
    paths["/readyz"]["get"]["responses"]["200"] |= _content(answer_schemas[-2])
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tender Risk", "description": inspect.getdoc(service.inner) or "", "version": _version()},
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {"schemas": {**components, **answer_components}},
    }


def _operation(
    description: str, content: dict[str, Any], status: int, error: Any, errors: Mapping[int, str]
) -> dict[str, Any]:
    responses = {str(int(status)): {"description": HTTPStatus(status).phrase, **content}}
    responses |= {str(code): {"description": text, **_content(error)} for code, text in errors.items()}
    return {"description": inspect.cleandoc(description), "responses": responses}


def _content(schema: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


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
        return {"anyOf": [schema(part) for part in get_args(of)]} if isinstance(of, UnionType) else by_leaf[of]

    return [schema(of) for of in wanted], _without_false_items(components)


def _leaves(of: Any) -> Iterable[Any]:
    is_compound = isinstance(of, UnionType) or get_origin(of) is list
    return [leaf for part in get_args(of) for leaf in _leaves(part)] if is_compound else [of]


def _without_false_items(schema: Any) -> Any:
    """A schema in which tuples are bounded by `maxItems` alone: BentoML cannot read the `"items": false` beside it."""
    if isinstance(schema, list):
        return [_without_false_items(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _without_false_items(part) for key, part in schema.items() if (key, part) != ("items", False)}


def _version() -> str:
    try:
        return version("tender-risk")
    except PackageNotFoundError:
        # A bento holds the packages and not their distribution.
        return "bento"
