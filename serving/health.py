"""`/readyz`: whether the service takes requests, by which bundle it answers, and what is amiss."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving import shadow
from serving.answers import json_response
from serving.jobs import job_service
from serving.served import refused, served


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether requests are answered, the bundle's version, the SHA-256 of its manifest, and what is amiss."""

    ready: bool
    bundle: str
    bundle_sha256: str
    warnings: tuple[str, ...] = ()


async def readyz(request: Request) -> Response:
    """GET /readyz: 503 if jobs cannot be done; with `?of=scoring` that is a warning alone."""
    current, trouble = served(), job_service.trouble()
    ready = not trouble or request.query_params.get("of") == "scoring"
    unsigned = "" if current.bundle.signer else "the bundle is not signed"
    jobs = trouble and f"no jobs: {trouble}"
    state = Readiness(
        ready=ready,
        bundle=current.version,
        bundle_sha256=current.bundle.sha256,
        warnings=tuple(filter(None, [refused(), unsigned, jobs, job_service.doubt(), shadow.trouble()])),
    )
    return json_response(state, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)
