"""Templates to answers: everything escaped, nothing inline, nothing kept by the browser."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
from starlette.responses import Response

HERE = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def page(template: str, status: int = 200, headers: Mapping[str, str] = HEADERS, **content: Any) -> Response:
    """The answer that shows a template."""
    return Response(rendered(template, **content), status, media_type="text/html", headers=headers)


def rendered(template: str, **content: Any) -> str:
    """A template with its content, every value escaped."""
    return environment().get_template(template).render(content)


def fixed(kind: str, *names: str) -> Callable[[Any], Any]:
    """The endpoint that gives files beside the templates as they are, one after the other."""

    async def given(_: object) -> Response:
        return Response("".join(map(text, names)), media_type=kind, headers={"X-Content-Type-Options": "nosniff"})

    return given


@functools.cache
def text(name: str) -> str:
    """A file beside the templates."""
    return (HERE / name).read_text(encoding="utf-8")


@functools.cache
def environment() -> jinja2.Environment:
    """How templates are read: a name that is not given is an error, not a blank."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["percent"] = percent
    made.filters["exact"] = exact
    made.filters["chance"] = chance
    made.filters["points"] = points
    made.filters["plain"] = plain
    return made


def percent(share: float) -> str:
    """0.314 as "31%"; never 0% or 100%, which no model can know."""
    rounded = round(share * 100)
    if rounded < 1:
        return "under 1%"
    return "over 99%" if rounded > 99 else f"{rounded}%"


def exact(share: float) -> str:
    """0.3141 as "31.4%": where scores stand beside each other."""
    return f"{share:.1%}"


def chance(share: float | None) -> str:
    """A part of a score. Exactly 0 or 1 is no prediction any more: the bids are counted, or there is an award."""
    known = {None: "unknown", 0.0: "no", 1.0: "yes"}
    return known[share] if share in known else percent(share or 0.0)


def points(difference: float) -> str:
    """0.0123 as "+1.2", in percentage points."""
    shown = f"{abs(difference) * 100:.1f}"
    sign = "" if shown == "0.0" else "+" if difference > 0 else "−"
    return f"{sign}{shown}"


def plain(code: str) -> str:
    """A codelist's word as people write it."""
    return code.replace("_", " ")
