"""The endpoints for programs: from the bytes of a request to the bytes of its answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from starlette.responses import Response

from models import comparables as comparing
from models import score as scoring
from models import suggest as suggesting
from models import what_if as whatif
from models.comparables import Comparables
from models.score import Score
from models.suggest import Suggestions
from models.what_if import WhatIf
from serving.requests import ScoreBody, ScoreRequest, TenderBody, decode, read_many, read_request
from serving.served import served_bundle
from tenders.errors import DataError, Problem, TenderRiskError
from tenders.io.ocds import json_type
from tenders.io.read import to_process
from tenders.process import Process

UNEXPECTED = "an unexpected error; the service's log has it"
WHAT_IF_EXAMPLE = 'Send {"tender": {…}, "set": {"lots": 4}} or {"tender": {…}, "scenarios": [{…}, {…}]}'
MAX_COMPARABLES = 50
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
"""Of every answer that is no page: it is what it says, and nobody keeps it."""

log = logging.getLogger("tender_risk")
_encode = msgspec.json.Encoder().encode

Facts = Mapping[str, Any]


class WhatIfBody(ScoreBody, frozen=True, kw_only=True):
    """One tender, and facts to change: `set` for one scenario, `scenarios` for several."""

    set: Annotated[
        dict[str, Any] | msgspec.UnsetType, msgspec.Meta(description="Keys of the flat form with their values")
    ] = msgspec.UNSET
    scenarios: Annotated[
        list[dict[str, Any]] | msgspec.UnsetType,
        msgspec.Meta(description=f"In place of set: up to {whatif.MAX_SCENARIOS} of its kind"),
    ] = msgspec.UNSET


class ComparablesBody(TenderBody, frozen=True, kw_only=True):
    """One tender, and how many cases to name."""

    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_COMPARABLES)] = comparing.NEAREST


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no answer. Paths are JSON paths into the body."""

    error: str
    problems: tuple[Problem, ...] = ()


def score(raw: bytes) -> Response:
    """POST /score."""
    try:
        return json_response(score_request(read_request(decode(raw))))
    except TenderRiskError as error:
        return error_response(error)


def score_many(raw: bytes) -> Response:
    """POST /score_many: a list in, a list out, in the same order; a bad tender is an error entry."""
    try:
        entries, where, defaults = read_many(decode(raw))
        return json_response([_score_entry(entry, f"{where}/{i}", defaults) for i, entry in enumerate(entries)])
    except TenderRiskError as error:
        return error_response(error)


def what_if(raw: bytes) -> Response:
    """POST /what_if."""
    return _answer_with(raw, WhatIfBody, _what_if)


def suggest(raw: bytes) -> Response:
    """POST /suggest."""
    return _answer_with(
        raw, TenderBody, lambda request: suggesting.suggest(served_bundle(), _process(request), request.stage)
    )


def comparables(raw: bytes) -> Response:
    """POST /comparables."""
    return _answer_with(
        raw,
        ComparablesBody,
        lambda request: comparing.comparables(_process(request), request.stage, _count(request)),
    )


def score_request(request: ScoreRequest) -> Score:
    """The score of one request. Raises DataError with paths into the body."""
    try:
        process = to_process(request.document)
        score = scoring.score(served_bundle(), process, stage=request.stage, explain=request.explain)
    except DataError as error:
        raise error.under(request.where) from None
    if request.warnings:
        return msgspec.structs.replace(score, warnings=type(score.warnings)([*score.warnings, *request.warnings]))
    return score


def json_response(content: Any, status: int = HTTPStatus.OK) -> Response:
    """`content` as a JSON answer."""
    return Response(_encode(content), status, headers=HEADERS, media_type="application/json")


def error_response(error: TenderRiskError) -> Response:
    """The answer that says what was wrong and where."""
    return json_response(error_answer(error), error.http_status)


def error_answer(error: TenderRiskError) -> ErrorAnswer:
    """An error in the contract's shape."""
    problems: list[Problem] = getattr(error, "problems", [])
    text = str(problems[0]) if problems else str(error)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return ErrorAnswer(error=f"{text}{more}", problems=tuple(problems))


def _score_entry(entry: Any, where: str, defaults: ScoreRequest) -> Score | ErrorAnswer:
    try:
        return score_request(read_request(entry, where, defaults))
    except TenderRiskError as error:
        return error_answer(error)
    except Exception:
        # Our mistake, not the sender's: the other tenders still get their answer.
        log.exception("score_many %s", where)
        return ErrorAnswer(error=UNEXPECTED, problems=(Problem(path=where, problem=UNEXPECTED),))


def _answer_with(
    raw: bytes, body: type[TenderBody], compute: Callable[[ScoreRequest], WhatIf | Suggestions | Comparables]
) -> Response:
    try:
        request = read_request(decode(raw), body_type=body)
        result = compute(request)
        return json_response(msgspec.structs.replace(result, warnings=(*result.warnings, *request.warnings)))
    except TenderRiskError as error:
        return error_response(error)


def _process(request: ScoreRequest) -> Process:
    """The tender of a request, compiled once for its stage. Raises DataError with paths into the body."""
    try:
        process = to_process(request.document)
        process.as_of(request.stage or process.latest_stage())
    except DataError as error:
        raise error.under(request.where) from None
    return process


def _what_if(request: ScoreRequest) -> WhatIf:
    where, scenarios = _scenarios(request)
    process = _process(request)
    try:
        return whatif.what_if(served_bundle(), process, scenarios, request.stage, request.explain)
    except DataError as error:
        raise error.under(where) from None


def _scenarios(request: ScoreRequest) -> tuple[str, list[Facts]]:
    """The scenarios, and the JSON path of the facts of a single one."""
    if len(request.more) != 1:
        raise DataError.at("/set", "expected one of set and scenarios", WHAT_IF_EXAMPLE)
    if "set" in request.more:
        return "/set", [_facts(request.more["set"], "/set")]
    entries = request.more["scenarios"]
    if not isinstance(entries, list) or not entries:
        raise DataError.at("/scenarios", f"expected an array of objects, got {json_type(entries)}", WHAT_IF_EXAMPLE)
    scenarios = [_facts(entry, f"/scenarios/{number}") for number, entry in enumerate(entries)]
    return "/scenarios/0" if len(scenarios) == 1 else "", scenarios


def _facts(value: Any, where: str) -> Facts:
    if not isinstance(value, Mapping):
        raise DataError.at(where, f"expected an object, got {json_type(value)}", WHAT_IF_EXAMPLE)
    return value


def _count(request: ScoreRequest) -> int:
    count = request.more.get("count", comparing.NEAREST)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_COMPARABLES:
        raise DataError.at("/count", f"expected a whole number from 1 to {MAX_COMPARABLES}")
    return count
