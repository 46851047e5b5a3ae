"""The endpoints for programs: from the bytes of a request to the bytes of its answer."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from models import comparables as comparing
from models import score as scoring
from models import suggest as suggesting
from models import what_if as whatif
from models.bundle import Bundle
from models.comparables import Comparables
from models.score import Score
from models.suggest import Suggestions
from models.what_if import WhatIf
from serving import metering, shadow
from serving.audit import noting
from serving.audit.entry import Action, AuditedScore
from serving.documents import FACTS
from serving.requests import ScoreBody, ScoreRequest, TenderBody, decode, read_many, read_request
from serving.served import served_bundle
from tenders.errors import DataError, Problem, TenderRiskError, UnreachableError
from tenders.io.ocds import json_type
from tenders.io.read import to_process
from tenders.process import Process

UNEXPECTED = "an unexpected error; the service's log has it"
NO_MEMORY = "the service has no memory left for this. Send fewer tenders at a time, or try again later"
WHAT_IF_EXAMPLE = 'Send {"tender": {…}, "set": {"lots": 4}} or {"tender": {…}, "scenarios": [{…}, {…}]}'
MAX_COMPARABLES = 50
PIECE_BYTES = 2**18
"""What is larger is received and sent in pieces of this size: while 30 MB are copied at once nobody is answered."""
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
"""Of every answer that is no page: it is what it says, and nobody keeps it."""

log = logging.getLogger("tender_risk")
_encode = msgspec.json.Encoder().encode

Facts = Mapping[str, Any]
FormFacts = Annotated[
    dict[str, Any], msgspec.Meta(description="Keys of the flat form with their values", extra_json_schema=FACTS)
]
Answer: TypeAlias = tuple[Any, Iterable[AuditedScore]]
"""What is answered, and the probabilities in it."""
Result = TypeVar("Result", WhatIf, Suggestions, Comparables)


class WhatIfBody(ScoreBody, frozen=True, kw_only=True):
    """One tender, and facts to change: `set` for one scenario, `scenarios` for several."""

    set: FormFacts | msgspec.UnsetType = msgspec.UNSET
    scenarios: Annotated[
        Annotated[list[FormFacts], msgspec.Meta(min_length=1, max_length=whatif.MAX_SCENARIOS)] | msgspec.UnsetType,
        msgspec.Meta(description=f"In place of set: up to {whatif.MAX_SCENARIOS} of its kind"),
    ] = msgspec.UNSET


class ComparablesBody(TenderBody, frozen=True, kw_only=True):
    """One tender, and how many cases to name."""

    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_COMPARABLES)] = comparing.NEAREST


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no answer. Paths are JSON paths into the body."""

    error: str
    problems: tuple[Problem, ...] = ()


def bundle_identity() -> tuple[str, str]:
    """The version and digest of the bundle that is served."""
    bundle = served_bundle()
    return bundle.manifest.version, bundle.sha256


def score(raw: bytes) -> Response:
    """POST /score."""
    return _answered("score", raw)


def score_many(raw: bytes) -> Response:
    """POST /score_many: a list in, a list out, in the same order; a bad tender is an error entry."""
    return _answered("score_many", raw)


def what_if(raw: bytes) -> Response:
    """POST /what_if."""
    return _answered("what_if", raw)


def suggest(raw: bytes) -> Response:
    """POST /suggest."""
    return _answered("suggest", raw)


def _answered(action: Action, raw: bytes) -> Response:
    try:
        content, scores = ANSWERS[action](raw, served_bundle())
    except TenderRiskError as error:
        return error_response(error)
    for scored in content if isinstance(content, list) else [content]:
        if isinstance(scored, Score):
            metering.count_score(scored)
    answer = json_response(content)
    noting.note_answer(action, [raw], scores, [bytes(answer.body)], bundle_identity())
    shadow.offer(action, raw, content)
    return answer


def score_answer(raw: bytes, bundle: Bundle) -> Answer:
    """What /score answers, and the probabilities in it. Raises TenderRiskError, as those below."""
    scored = score_request(read_request(decode(raw)), bundle)
    return scored, [noting.audited(scored)]


def many_answer(raw: bytes, bundle: Bundle) -> Answer:
    """What /score_many answers."""
    entries, where, defaults = read_many(decode(raw))
    scored = [_score_entry(entry, f"{where}/{i}", defaults, bundle) for i, entry in enumerate(entries)]
    audited = (noting.audited(row) if isinstance(row, Score) else AuditedScore(refused=True) for row in scored)
    return scored, audited


def what_if_answer(raw: bytes, bundle: Bundle) -> Answer:
    """What /what_if answers."""
    request = read_request(decode(raw), body_type=WhatIfBody)
    result = _with_warnings(_what_if(request, bundle), request)
    return result, noting.audited_answer(result)


def suggest_answer(raw: bytes, bundle: Bundle) -> Answer:
    """What /suggest answers."""
    request = read_request(decode(raw), body_type=TenderBody)
    result = _with_warnings(suggesting.suggest(bundle, _process(request), request.stage), request)
    return result, noting.audited_answer(result)


ANSWERS: Mapping[Action, Callable[[bytes, Bundle], Answer]] = {
    "score": score_answer,
    "score_many": many_answer,
    "what_if": what_if_answer,
    "suggest": suggest_answer,
}
"""What the endpoints that tell probabilities compute; the audit trail's replay computes it again."""


def comparables(raw: bytes) -> Response:
    """POST /comparables."""
    try:
        request = read_request(decode(raw), body_type=ComparablesBody)
        nearest = comparing.comparables(_process(request), request.stage, _count(request))
        return json_response(_with_warnings(nearest, request))
    except TenderRiskError as error:
        return error_response(error)


def score_request(request: ScoreRequest, bundle: Bundle | None = None) -> Score:
    """The score of one request, by the bundle that is served or another. Raises DataError with paths into the body."""
    try:
        process = to_process(request.document)
        score = scoring.score(
            bundle or served_bundle(), process, request.stage, request.explain, watch=metering.note_prediction
        )
    except DataError as error:
        raise error.under(request.where) from None
    if request.warnings:
        return msgspec.structs.replace(score, warnings=type(score.warnings)([*score.warnings, *request.warnings]))
    return score


def json_bytes(content: Any) -> bytes:
    """`content` as the bytes of a JSON answer."""
    return _encode(content)


class PiecesResponse(Response):
    """An answer in JSON whose body is in pieces, each of which is sent by itself: to join them takes long."""

    def __init__(self, pieces: Sequence[bytes], status: int = HTTPStatus.OK) -> None:
        headers = {**HEADERS, "Content-Length": str(sum(map(len, pieces)))}
        super().__init__(None, status, headers, "application/json")
        self.pieces = pieces

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Sends the pieces."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in self.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            # The server notices between two pieces that the client is gone, and others get their turn.
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        if self.background is not None:
            await self.background()


def json_response(content: Any, status: int = HTTPStatus.OK) -> Response:
    """`content` as a JSON answer."""
    return Response(json_bytes(content), status, headers=HEADERS, media_type="application/json")


def error_response(error: TenderRiskError) -> Response:
    """The answer that says what was wrong and where."""
    return json_response(error_answer(error), error.http_status)


def unexpected_response(error: Exception) -> Response:
    """The answer to what nobody expected: 503 where memory ran out, else 500. It is counted, and not logged."""
    out_of_memory = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    # Python tells that the system has no memory for the stack of a thread by these words alone.
    if out_of_memory or str(error) == "can't start new thread":
        return error_response(UnreachableError(NO_MEMORY))
    metering.count_error(None)
    return json_response(ErrorAnswer(error=UNEXPECTED), HTTPStatus.INTERNAL_SERVER_ERROR)


def error_answer(error: TenderRiskError) -> ErrorAnswer:
    """An error in the contract's shape; it is counted."""
    metering.count_error(error)
    problems: list[Problem] = getattr(error, "problems", [])
    text = str(problems[0]) if problems else str(error)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return ErrorAnswer(error=f"{text}{more}", problems=tuple(problems))


def _score_entry(entry: Any, where: str, defaults: ScoreRequest, bundle: Bundle) -> Score | ErrorAnswer:
    try:
        return score_request(read_request(entry, where, defaults), bundle)
    except TenderRiskError as error:
        return error_answer(error)
    except Exception:
        # Our mistake, not the sender's: the other tenders still get their answer.
        log.exception("score_many %s", where)
        metering.count_error(None)
        return ErrorAnswer(error=UNEXPECTED, problems=(Problem(path=where, problem=UNEXPECTED),))


def _with_warnings(result: Result, request: ScoreRequest) -> Result:
    return msgspec.structs.replace(result, warnings=(*result.warnings, *request.warnings))


def _process(request: ScoreRequest) -> Process:
    """The tender of a request, compiled once for its stage. Raises DataError with paths into the body."""
    try:
        process = to_process(request.document)
        process.as_of(request.stage or process.latest_stage())
    except DataError as error:
        raise error.under(request.where) from None
    return process


def _what_if(request: ScoreRequest, bundle: Bundle) -> WhatIf:
    where, scenarios = _scenarios(request)
    process = _process(request)
    try:
        return whatif.what_if(bundle, process, scenarios, request.stage, request.explain)
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
