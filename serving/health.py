"""`/readyz`: whether the service takes requests, by which bundle it answers, and what is amiss."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.answers import json_response
from serving.served import refused, served


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether requests are answered, the bundle's version, the SHA-256 of its manifest, and what is amiss."""

    ready: bool
    bundle: str
    bundle_sha256: str
    warnings: tuple[str, ...] = ()


async def readyz(_: Request) -> Response:
    """GET /readyz."""
    current = served()
    return json_response(
        Readiness(
            ready=True,
            bundle=current.version,
            bundle_sha256=current.bundle.sha256,
            warnings=tuple(filter(None, [refused()])),
        )
    )
