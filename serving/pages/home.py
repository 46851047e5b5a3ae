"""The first page, at `/`: the facts that count most, a file, or the text of a draft. It leads to the answer.

What is sent is answered with the address of the page that shows it, so that Back and refresh work without scripts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from models import score as scoring
from serving.answers import json_response
from serving.metering import count_error
from serving.pages import answer, form, result
from serving.pages.drafts import Draft, DraftRequest, read_request, read_upload, score_draft
from serving.pages.rendering import HEADERS, page
from serving.pages.unknown import empty_moves, moves
from serving.served import served_bundle
from tenders import cpv
from tenders.errors import DataError, Problem, StageError, TenderRiskError
from tenders.io.prose import found_facts

DraftPage = Callable[[DraftRequest], Response]
# The page asks for codes while words are typed.
START_HEADERS = {**HEADERS, "Content-Security-Policy": f"{HEADERS['Content-Security-Policy']}; connect-src 'self'"}
MAX_QUERY = 200


def endpoint(render: DraftPage) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of a page of one tender: rendered in a thread; if that is refused, the form says what is wrong."""

    async def respond(request: Request) -> Response:
        try:
            draft_request = await read_request(request)
        except TenderRiskError as error:
            return await anyio.to_thread.run_sync(render_form, Draft(), error)
        if request.method == "GET" and not draft_request.texts:
            return RedirectResponse("/", HTTPStatus.SEE_OTHER)
        return await anyio.to_thread.run_sync(_render_or_refuse, render, draft_request)

    return respond


def _render_or_refuse(render: DraftPage, request: DraftRequest) -> Response:
    try:
        return render(request)
    except TenderRiskError as error:
        return render_form(request.draft, error)


async def start_page(request: Request) -> Response:
    """GET /: the questions, filled with what the address holds."""
    try:
        draft = (await read_request(request)).draft
    except TenderRiskError as error:
        return await anyio.to_thread.run_sync(render_form, Draft(), error)
    return await anyio.to_thread.run_sync(render_form, draft)


async def codes(request: Request) -> Response:
    """GET /cpv?q=WORDS: the codes whose names have these words, for the list beside the field."""
    words = request.query_params.get("q", "")[:MAX_QUERY]
    return json_response([f"{code} {name}" for code, name in cpv.search(words)])


def send(request: DraftRequest) -> Response:
    """POST /: leads to the answer, or back to the questions: with the facts that were found in a text, or to edit."""
    draft, texts = request.draft, request.texts
    if texts.get("edit"):
        return render_form(draft)
    try:
        if request.upload is not None:
            read = read_upload(*request.upload)
            # What was typed before the file was chosen stays, and comes before what the file says.
            draft = msgspec.structs.replace(read, values={**read.values, **draft.values}, last=draft.last)
        elif texts.get("prose", "").strip():
            return _with_facts(draft)
        _check(draft)
    except TenderRiskError as error:
        return render_form(draft, error)
    if draft.method == "post":
        return answer.answer_page(DraftRequest(draft, None, texts))
    return RedirectResponse(f"/answer?{draft.address}", HTTPStatus.SEE_OTHER)


def _with_facts(draft: Draft) -> Response:
    facts = {fact.key: fact.value for fact in found_facts(draft.text)}
    if not facts:
        problem = "no fact is found in the text"
        raise DataError.at(
            "/prose", problem, "Paste the part that tells value, term, lots and dates, or fill in the form"
        )
    draft = msgspec.structs.replace(draft, values={**facts, **draft.values})
    if draft.method == "post":
        return render_form(draft)
    return RedirectResponse(f"/?{draft.address}", HTTPStatus.SEE_OTHER)


def _check(draft: Draft) -> None:
    """Raises DataError with all that is wrong with a draft, so that it can be put right at once."""
    problems: list[Problem] = []
    text = draft.values.get("cpv", "")
    if text and not cpv.is_code(text) and cpv.code_named(text) is None:
        matches = cpv.search(text)
        remedy = "Choose one from the list: " + "; ".join(f"{code} {name}" for code, name in matches[:3])
        problem = f"{text!r:.60} is not the name of a code"
        problems.append(
            Problem(path="/cpv", problem=problem, remedy=remedy if matches else "Try other words, or leave it")
        )
    if draft.values.get("lots", "").strip() in ("0", "0.0"):
        problems.append(Problem(path="/lots", problem="no tender has 0 lots", remedy="1 means one block"))
    try:
        stage = draft.latest_stage()
        scoring.case(served_bundle(), draft.process(stage), stage)
    except DataError as error:
        problems += error.problems
    if problems:
        raise StageError(problems) if all(problem.path == "/stage" for problem in problems) else DataError(problems)


def render_form(draft: Draft, error: TenderRiskError | None = None, back: str = "") -> Response:
    """The questions with a draft and, above them, what is wrong; `back` is the address it was opened from."""
    if error:
        count_error(error)
    problems = list(getattr(error, "problems", ())) or ([Problem(path="", problem=str(error))] if error else [])
    # A file that could not be read filled no field: its paths are its own.
    form_problems = problems if draft.values else []
    sentences = {fact.key: fact.sentence for fact in found_facts(draft.text)} if draft.text else {}
    moved, doubts = ({}, {}) if error else _about(draft)
    groups = form.groups(draft.values, form_problems, moved or empty_moves(), sentences, doubts)
    elsewhere = form.problems_elsewhere(problems) if draft.values else problems
    return page(
        "form.html",
        error.http_status if error else HTTPStatus.OK,
        START_HEADERS,
        here="/",
        draft=draft,
        groups=groups,
        wrong=[entry for group in groups for entry in group.entries if entry.problem],
        elsewhere=[problem for problem in elsewhere if problem.path not in ("/stage", "/prose")],
        beside={problem.path.strip("/"): problem for problem in elsewhere},
        refused=error is not None,
        facts_read=sum(sentence in sentences.values() for sentence in sentences.values()),
        codes=cpv.search(draft.values.get("cpv") or draft.values.get("title", "")),
        notes=draft.notes,
        back=back,
    )


def _about(draft: Draft) -> tuple[Any, dict[str, str]]:
    """How far each field can move the score of a draft, and what its fields contradict."""
    if not draft.values:
        return {}, {}
    try:
        process, score = score_draft(draft, served_bundle())
    except TenderRiskError:
        return {}, {}
    return moves(process, score.stage), {key: text for key, _, text in result.doubts(score.warnings) if key}
