"""Files that a user takes away: the tender as it stands, and empty templates."""

from __future__ import annotations

import functools

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.pages.drafts import kept
from serving.pages.received import Received
from tenders.io import xlsx as workbooks

MARK = "\ufeff"
"""Tells Excel that a CSV is UTF-8."""
CSV = "text/csv; charset=utf-8"


def json(sent: Received) -> Response:
    """POST /desk/save.json: the form, or the file with what was changed in it."""
    content = msgspec.json.format(msgspec.json.encode(kept(sent.draft)), indent=2)
    return taken(content, "tender.json", "application/json")


def xlsx(sent: Received) -> Response:
    """POST /desk/save.xlsx: the form's facts; an OCDS file has more."""
    return taken(workbooks.template_xlsx(sent.draft.values), "tender.xlsx", workbooks.MEDIA_TYPE)


def csv(sent: Received) -> Response:
    """POST /desk/save.csv: the form's facts; an OCDS file has more."""
    return taken(MARK + workbooks.template_csv(sent.draft.values), "tender.csv", CSV)


async def template_xlsx(_: Request) -> Response:
    """GET /template.xlsx."""
    return taken(_template(), "tender-risk-form.xlsx", workbooks.MEDIA_TYPE)


async def template_csv(_: Request) -> Response:
    """GET /template.csv."""
    return taken(MARK + workbooks.template_csv(), "tender-risk-form.csv", CSV)


@functools.cache
def _template() -> bytes:
    return workbooks.template_xlsx()


def taken(content: bytes | str, name: str, kind: str) -> Response:
    """A file to keep."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Response(content, media_type=kind, headers=headers)
