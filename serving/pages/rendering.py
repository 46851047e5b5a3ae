"""Pages as HTTP answers: every value escaped, no inline scripts or styles, nothing kept by the browser."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
from starlette.responses import Response

from models.score import Score
from portfolio import rendering
from serving import shadow
from serving.answers import bundle_identity
from serving.audit.noting import is_noted, note_page
from serving.audit.trail import AuditSettings, audit_settings
from serving.callers import in_session
from serving.pages.drafts import Draft, saved_bytes

TEMPLATES = Path(__file__).parent / "templates"
SHADOWED = "answer.html"
"""The one page of a draft whose score a challenger computes too: the others show it again."""
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
    """The answer that shows a template. A score that it shows is noted in the audit trail."""
    if isinstance(score := content.get("score"), Score):
        note_shown(template, content["draft"], score)
    return Response(render(template, **content), status, media_type="text/html", headers=headers)


def note_shown(template: str, draft: Draft, score: Score) -> None:
    """Notes in the audit trail that a score of a draft is shown; that of its answer goes to a challenger as well."""
    is_shadowed = template == SHADOWED and shadow.is_on()
    if not is_noted() and not is_shadowed:
        return
    saved = saved_bytes(draft)
    note_page(template.removesuffix(".html"), saved, score, bundle_identity())
    if is_shadowed:
        shadow.offer_page(saved, score)


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
    templates = rendering.environment(TEMPLATES, rendering.TEMPLATES)
    templates.globals["in_session"] = in_session.get
    templates.globals["stored"] = what_is_stored(audit_settings())
    return templates


def what_is_stored(settings: AuditSettings) -> str:
    """What the service keeps of a tender that a person enters, as a sentence."""
    if not settings.is_on:
        return "We store nothing that you enter."
    if settings.inputs:
        return "We keep what you enter and the scores that we show."
    return "We do not store what you enter. We note which scores we show, and when."
