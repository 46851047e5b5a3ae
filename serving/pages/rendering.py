"""Pages as HTTP answers: every value escaped, no inline scripts or styles, nothing kept by the browser."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
from starlette.responses import Response

from portfolio import rendering

TEMPLATES = Path(__file__).parent / "templates"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # Other sites are not told the address, and forms say that they come from here.
    "Referrer-Policy": "same-origin",
    # The browser may keep a page to go back to; nobody else may.
    "Cache-Control": "private, no-cache",
}


def page(template: str, status: int = 200, headers: Mapping[str, str] = HEADERS, **content: Any) -> Response:
    """The answer that shows a template."""
    return Response(render(template, **content), status, media_type="text/html", headers=headers)


def missing_page(status: int) -> Response:
    """The page for an address that leads nowhere."""
    return page("missing.html", status, here="", what="page")


def render(template: str, **content: Any) -> str:
    """A template with its content, every value escaped."""
    return _environment().get_template(template).render(content)


def static(media_type: str, *names: str) -> Callable[[Any], Any]:
    """The endpoint that gives files beside the templates, one after the other."""

    async def respond(_: object) -> Response:
        content = "".join(map(read_static, names))
        return Response(content, media_type=media_type, headers={"X-Content-Type-Options": "nosniff"})

    return respond


@functools.cache
def read_static(name: str) -> str:
    """The text of a file beside the templates; style sheets shared with the portfolio's report are looked up there."""
    folder = next(folder for folder in (TEMPLATES, rendering.TEMPLATES) if (folder / name).is_file())
    return (folder / name).read_text(encoding="utf-8")


@functools.cache
def _environment() -> jinja2.Environment:
    return rendering.environment(TEMPLATES, rendering.TEMPLATES)
