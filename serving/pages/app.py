"""The page at `/`: GET shows the form, POST shows it again with the score or with what is wrong."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio.to_thread
import jinja2
import msgspec
from starlette.applications import Starlette
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models import scoring
from models.scoring import Score
from serving.answers import held
from serving.observing import metrics
from serving.pages import layout, result
from tenders import form, reading
from tenders.errors import DataError, Problem, TenderRiskError
from tenders.facts import STAGES, Stage

HERE = Path(__file__).parent
# The page repeats what was entered and stays light: as many characters as the longest description may have.
MAX_ENTERED = 20_000
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Filled(msgspec.Struct, frozen=True):
    """What a user sent: the form's values, the stage, and the file, if there is one."""

    values: Mapping[str, str] = {}
    stage: Stage | None = None
    upload: tuple[str, bytes] | None = None


async def empty_form(_: Request) -> Response:
    """GET /: the form."""
    return _page(Filled())


async def filled_form(request: Request) -> Response:
    """POST /: the form with its score, or with what is wrong, and nothing lost."""
    try:
        filled = await _filled(request)
    except (HTTPException, UnicodeDecodeError):
        return _page(Filled(), error=DataError.at("", "the form cannot be read", "Send it again from this page"))
    try:
        score = await anyio.to_thread.run_sync(_scored, filled)
    except TenderRiskError as error:
        return _page(filled, error=error)
    return _page(filled, score=score)


async def style(_: Request) -> Response:
    """GET /style.css."""
    return Response(_css(), media_type="text/css", headers={"X-Content-Type-Options": "nosniff"})


async def _filled(request: Request) -> Filled:
    sent = await request.form(max_files=1, max_fields=4 * len(form.FIELDS), max_part_size=reading.MAX_BYTES)
    stage = next((each for each in STAGES if each == sent.get("stage")), None)
    return Filled(values=_values(sent), stage=stage, upload=await _upload(sent.get("file")))


def _values(sent: FormData) -> dict[str, str]:
    return {key: value.strip() for key in form.BY_KEY if isinstance(value := sent.get(key), str) and value.strip()}


async def _upload(file: Any) -> tuple[str, bytes] | None:
    if not isinstance(file, UploadFile) or not file.filename:
        return None
    return file.filename, await file.read()


def _scored(filled: Filled) -> Score:
    if filled.upload is not None:
        name, content = filled.upload
        found = reading.read(content, Path(name).suffix.lower() or ".json")
        if len(found) > 1:
            problem = f"{len(found)} tenders in the file; this page scores one"
            raise DataError.at("", problem, "Use POST /score_many or tender-risk portfolio")
        return scoring.score(held(), found[0], stage=filled.stage)
    if not filled.values:
        raise DataError.at("", "nothing is filled in", "Fill what is known; whatever is empty counts as unknown")
    too_long = [key for key, value in filled.values.items() if len(value) > MAX_ENTERED]
    if too_long:
        raise DataError([Problem(path=f"/{key}", problem=f"more than {MAX_ENTERED:,} characters") for key in too_long])
    return scoring.score(held(), reading.one(dict(filled.values)), stage=filled.stage)


def _page(filled: Filled, score: Score | None = None, error: TenderRiskError | None = None) -> Response:
    problems = list(getattr(error, "problems", ())) or ([Problem(path="", problem=str(error))] if error else [])
    of_form = [] if filled.upload else problems
    text = _template().render(
        groups=layout.groups({key: value[:MAX_ENTERED] for key, value in filled.values.items()}, of_form),
        elsewhere=problems if filled.upload else layout.elsewhere(problems),
        stage=filled.stage,
        stages=STAGES,
        file=filled.upload[0] if filled.upload else None,
        result=result.shown(score, by_label=filled.upload is None) if score else None,
        refused=error is not None,
    )
    status = error.http_status if error else 200
    return Response(text, status, media_type="text/html", headers=HEADERS)


@functools.cache
def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(HERE)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html")


@functools.cache
def _css() -> str:
    return (HERE / "style.css").read_text(encoding="utf-8")


pages = Starlette(
    routes=[
        Route("/", empty_form, methods=["GET"]),
        Route("/", filled_form, methods=["POST"]),
        Route("/style.css", style, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]
)
