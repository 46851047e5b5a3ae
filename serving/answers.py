"""From the bytes of a request to the bytes of its answer, the same for one tender and for many."""

from __future__ import annotations

import functools
import gc
import logging
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

from models import bundle as bundles
from models import score as scoring
from models.bundle import Bundle
from models.score import Score
from serving import body
from tenders.errors import DataError, Problem, TenderRiskError
from tenders.io.read import to_process

# A young collection every ten scores or so, not several a score.
COLLECT = (50_000, 20, 50)
UNEXPECTED = "an unexpected error; the service's log has it"

log = logging.getLogger("tender_risk")
_encode = msgspec.json.Encoder().encode


@functools.cache
def held() -> Bundle:
    """The released bundle, loaded once a process. Raises BundleError.

    What is loaded stays: freezing it spares the garbage collector from walking it at every full
    collection, which is what makes the slowest requests slow. And a score makes some thousands of objects and
    no cycles, so that by default several collections a score find nothing.
    """
    loaded = bundles.load(bundles.released())
    # The first prediction sets up threads and buffers; no user should wait for that.
    scoring.score(loaded, to_process({"title": "warming up", "lots": 1}))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)
    return loaded


def score(raw: bytes) -> Response:
    """Answers POST /score."""
    try:
        return answer(scored(body.asked(body.decoded(raw))))
    except TenderRiskError as error:
        return refusal(error)


def score_many(raw: bytes) -> Response:
    """Answers POST /score_many: a list in, a list out, in the same order; a bad tender is an error entry."""
    try:
        entries, where, default = body.asked_many(body.decoded(raw))
        return answer([_entry(each, f"{where}/{i}", default) for i, each in enumerate(entries)])
    except TenderRiskError as error:
        return refusal(error)


def scored(asked: body.Asked) -> Score:
    """The score of one request. Raises DataError with paths into the body."""
    try:
        score = scoring.score(held(), to_process(asked.document), stage=asked.stage, explain=asked.explain)
    except DataError as error:
        raise error.under(asked.where) from None
    if asked.warnings:
        return msgspec.structs.replace(score, warnings=type(score.warnings)([*score.warnings, *asked.warnings]))
    return score


def answer(content: Any, status: int = HTTPStatus.OK) -> Response:
    """`content` as a JSON answer."""
    return Response(_encode(content), status, media_type="application/json")


def refusal(error: TenderRiskError) -> Response:
    """The answer that says what was wrong and where."""
    return answer(error_entry(error), error.http_status)


def error_entry(error: TenderRiskError) -> dict[str, Any]:
    """An error in the contract's shape."""
    problems: list[Problem] = getattr(error, "problems", [])
    said = str(problems[0]) if problems else str(error)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return {"error": f"{said}{more}", "problems": problems}


def _entry(each: Any, where: str, default: body.Asked) -> Score | dict[str, Any]:
    try:
        return scored(body.asked(each, where, default))
    except TenderRiskError as error:
        return error_entry(error)
    except Exception:
        # Our mistake, not the sender's: the other tenders still get their answer.
        log.exception("score_many %s", where)
        return {"error": UNEXPECTED, "problems": [Problem(path=where, problem=UNEXPECTED)]}
