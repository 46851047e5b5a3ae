"""Large bodies are answered by a process of their own: `python -m serving.large`, a child of the service.

To decode 30 MB of JSON holds the interpreter for a third of a second, and to score what is in it keeps it busy for much
longer: in the service's own process nobody else would be answered meanwhile, not even a health check. The process is
started for the first such body, takes one after the other, and gives way to everything else on the machine.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.to_thread
import msgspec
from starlette.responses import Response

from models import bundle as bundles
from models.bundle import Bundle
from models.score import Score
from serving import answers, metering, shadow
from serving.answers import PIECE_BYTES, PiecesResponse
from serving.audit import noting
from serving.audit.entry import Action, AuditedScore
from serving.jobs.subprocess import lower_priority
from serving.metering import Metered
from serving.served import served
from serving.shadow import ShadowScore
from tenders import child_process
from tenders.child_process import ChildEndedError, ChildProcess
from tenders.errors import TenderRiskError, UnreachableError

LARGE_BYTES = 2**20
"""Larger bodies come here."""
MOST_WAITING = 20
"""Bodies that wait or are worked on; each is in memory."""
MOST_SECONDS = 120.0
"""After so long the process is ended: no body that is read takes as long."""
MODULE = f"{__package__}.large"
log = logging.getLogger("tender_risk")


class LargeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer without its body, which follows in so many `pieces`.

    It has its status, the probabilities in it, for the trail and a challenger, and metrics.
    """

    status: int
    pieces: int = 0
    scores: list[AuditedScore] = []
    shadow_scores: list[ShadowScore | None] = []
    metered: Metered = Metered()


class LargeBodies:
    """The process, and how it is asked: by one thread at a time."""

    def __init__(self) -> None:
        self._child: ChildProcess | None = None
        self._ended = False

    def ask(self, action: str, pieces: Sequence[bytes], directory: str, sha256: str) -> tuple[LargeAnswer, list[bytes]]:
        """The answer to a body by a bundle, in pieces as the body is: nobody else is answered while 30 MB are joined.

        Raises UnreachableError if the process ends before it has it.
        """
        header = msgspec.json.encode((action, directory, sha256, len(pieces)))
        try:
            child = self._running()
            answer = msgspec.json.decode(child.ask(header, *pieces, seconds=MOST_SECONDS)[0], type=LargeAnswer)
            return answer, child.ask(seconds=MOST_SECONDS, answers=answer.pieces)
        except (ChildEndedError, OSError) as error:
            log.error("the process for large bodies could not be started, or ended while it worked on one: %s", error)
            raise UnreachableError(answers.NO_MEMORY) from None

    def _running(self) -> ChildProcess:
        if self._ended:
            raise OSError("the service ends")
        if self._child is not None and not self._child.is_alive:
            self._child.end()
            self._child = None
        if self._child is None:
            self._child = ChildProcess(MODULE, is_logged=True)
        return self._child

    def begin(self) -> None:
        """Lets the process be started by the next body."""
        self._ended = False

    def end(self) -> None:
        """Ends the process from another thread: who waits for it is told that there is no answer."""
        self._ended = True
        if self._child is not None:
            self._child.end()


_bodies = LargeBodies()
_one_at_a_time = anyio.CapacityLimiter(1)


def start() -> None:
    """Takes large bodies from now on."""
    _bodies.begin()


def stop() -> None:
    """Ends the process: the service would wait for its answer before it ends."""
    _bodies.end()


async def answered(action: str, pieces: Sequence[bytes]) -> Response:
    """The answer to a large body, which a process of its own gives."""
    if _one_at_a_time.statistics().tasks_waiting >= MOST_WAITING:
        return answers.error_response(UnreachableError("too many large bodies at once. Try again later"))
    pinned = served()
    ask = functools.partial(_bodies.ask, action, pieces, str(pinned.directory), pinned.bundle.sha256)
    try:
        answer, body = await anyio.to_thread.run_sync(ask, limiter=_one_at_a_time)
    except TenderRiskError as error:
        return answers.error_response(error)
    metering.add(answer.metered)
    if answer.status == HTTPStatus.OK and action in answers.ANSWERS:
        # In a thread: to take the digest of so many bytes takes a while.
        await anyio.to_thread.run_sync(_note, cast("Action", action), pieces, answer, body)
    return PiecesResponse(body, answer.status)


def _note(action: Action, pieces: Sequence[bytes], answer: LargeAnswer, body: Sequence[bytes]) -> None:
    noting.note_answer(action, pieces, answer.scores, body, answers.bundle_identity())
    if shadow.is_on():
        shadow.offer_scores(action, b"".join(pieces), answer.shadow_scores)


# In the process.


def work(connection: Connection) -> None:
    """Answers one body after the other, until the service is gone."""
    lower_priority()
    for header in child_process.requests(connection):
        action, directory, sha256, pieces = msgspec.json.decode(header, type=tuple[str, str, str, int])
        raw = b"".join([connection.recv_bytes() for _ in range(pieces)])
        answer, body = computed(action, raw, directory, sha256)
        starts = range(0, len(body), PIECE_BYTES)
        whole = msgspec.structs.replace(answer, pieces=len(starts), metered=metering.take())
        connection.send_bytes(msgspec.json.encode(whole))
        for start in starts:
            connection.send_bytes(body, start, min(PIECE_BYTES, len(body) - start))


def computed(action: Action | str, raw: bytes, directory: str, sha256: str) -> tuple[LargeAnswer, bytes]:
    """The answer to a body, and its bytes."""
    try:
        if action not in answers.ANSWERS:
            response = answers.comparables(raw)
            return LargeAnswer(status=response.status_code), bytes(response.body)
        compute: Callable[[bytes, Bundle], Any] = answers.ANSWERS[action]  # type: ignore[index]
        content, scores = compute(raw, _bundle(directory, sha256))
        body = answers.json_bytes(content)
    except TenderRiskError as error:
        response = answers.error_response(error)
    except Exception as error:
        log.exception("a large body")
        response = answers.unexpected_response(error)
    else:
        for scored in content if isinstance(content, list) else [content]:
            if isinstance(scored, Score):
                metering.count_score(scored)
        shadow_scores = shadow.shadow_scores_of(content)
        return LargeAnswer(status=HTTPStatus.OK, scores=list(scores), shadow_scores=shadow_scores), body
    return LargeAnswer(status=response.status_code), bytes(response.body)


@functools.lru_cache(maxsize=2)
def _bundle(directory: str, sha256: str) -> Bundle:
    """The bundle that the service serves. Raises UnreachableError if its files are other ones by now."""
    bundle = bundles.load(Path(directory))
    if bundle.sha256 != sha256:
        raise UnreachableError("the files of the bundle have changed since the service read them")
    return bundle


if __name__ == "__main__":
    work(child_process.connect())
