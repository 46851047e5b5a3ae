"""What requests note in the trail, and the middleware that holds each answer until its entries are durable.

Nobody is told a number that the trail does not have: if it cannot be written, the answer is 503.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.score import Score
from models.suggest import Suggestions
from models.what_if import WhatIf
from serving.audit.entry import (
    Action,
    AuditedScore,
    AuditEntry,
    AuditHead,
    entry_now,
    job_label,
    sha256,
)
from serving.audit.trail import MAX_REASON, AuditTrail, machine_user, served_trail
from serving.callers import current_caller
from serving.metering import count_error
from tenders.errors import UnreachableError
from tenders.facts import Stage

MAX_KEYS = 100
"""Keys that one entry names."""
log = logging.getLogger("tender_risk.audit")
REFUSED = (
    b'{"error":"the audit trail cannot be written, so nothing is answered; the service\'s log has why","problems":[]}'
)


class RequestTrail(msgspec.Struct):
    """The trail during one request: the name of its key, and the entries that its answer waits for."""

    trail: AuditTrail | None
    key: str
    pending: list[Future[AuditHead]] = msgspec.field(default_factory=list)


_request: ContextVar[RequestTrail | None] = ContextVar("request_trail", default=None)


def note(entry: AuditEntry, content: bytes | None = None) -> None:
    """Appends an entry for the request that runs, whose answer waits. Outside of requests nobody is told anything."""
    request = _request.get()
    if request is not None and request.trail is not None:
        keyed = msgspec.structs.replace(entry, key=request.key)
        request.pending.append(request.trail.append(keyed, content))


def is_noted() -> bool:
    """Whether what runs is noted: it costs something to put an entry together."""
    request = _request.get()
    return request is not None and request.trail is not None


def note_answer(
    action: Action,
    sent: Sequence[bytes],
    scores: Iterable[AuditedScore],
    output: Sequence[bytes],
    bundle: tuple[str, str],
) -> None:
    """Notes the answer to a request: what came, what was said, the bytes that leave, the bundle (version, digest).

    What came and what leaves may be in pieces, which are joined only where inputs are kept.
    """
    request = _request.get()
    if request is None or request.trail is None:
        return
    results = tuple(scores)
    stages = {result.stage for result in results if result.stage}
    entry = entry_now(
        action,
        input=sha256(*sent),
        output=sha256(*output),
        stage=stages.pop() if len(stages) == 1 else None,
        bundle=bundle[0],
        bundle_sha256=bundle[1],
        results=results,
    )
    note(entry, b"".join(sent) if request.trail.settings.inputs else None)


def note_page(page: str, content: bytes, score: Score, bundle: tuple[str, str]) -> None:
    """Notes a page that shows a score: `content` is the file that its reader can save of the draft."""
    if not is_noted():
        return
    entry = entry_now(
        "page",
        page=page,
        input=sha256(content),
        stage=score.stage,
        bundle=bundle[0],
        bundle_sha256=bundle[1],
        results=(audited(score),),
    )
    note(entry, content)


def note_job(action: Action, id: str, input: str = "", stage: Stage | None = None, page: str = "") -> None:
    """Notes what a request does to a job, or which page or file of its results it is given."""
    note(entry_now(action, job=job_label(id), input=input, stage=stage, page=page))


def note_job_end(action: Action, id: str, owner: str, **about: Any) -> None:
    """Notes how a job ended, and waits until that is durable: what `about` says is served from then on.

    Raises UnreachableError, and then the job has not ended.
    """
    trail = served_trail()
    if trail is not None:
        trail.append(entry_now(action, key=owner, job=job_label(id), **about)).result()


def note_bundle(version: str, sha256: str, signer: str, before: str = "") -> None:
    """Notes that this process serves a bundle from now on, in place of the one `before`, and waits until that is
    durable. Raises UnreachableError."""
    _note_of_bundle("bundle served", version, sha256, f"signed by {signer}" if signer else "not signed", before)


def note_refused_bundle(version: str, sha256: str, reason: str, before: str = "") -> None:
    """Notes that this process does not serve a bundle that was promoted, and why; `before` is served on. Waits until
    that is durable. Raises UnreachableError."""
    _note_of_bundle("bundle refused", version, sha256, reason[:MAX_REASON], before)


def _note_of_bundle(action: Action, version: str, sha256: str, note: str, before: str) -> None:
    trail = served_trail()
    if trail is not None:
        entry = entry_now(
            action,
            user=machine_user(),
            subject=version,
            before=before,
            bundle=version,
            bundle_sha256=sha256,
            note=note,
        )
        trail.append(entry).result()


def note_keys(names: Iterable[str], change: str) -> None:
    """Notes which keys open from now on, by name and id, and what has changed. A trail that cannot be written is
    logged: until it can, no answer leaves in any case."""
    listed = sorted(names)
    more = f" and {len(listed) - MAX_KEYS} more" if len(listed) > MAX_KEYS else ""
    try:
        trail = served_trail()
        if trail is not None:
            subject = f"{', '.join(listed[:MAX_KEYS])}{more}"
            trail.append(entry_now("keys in force", user=machine_user(), subject=subject, note=change)).result()
    except UnreachableError as error:
        log.error("%s", error)


def audited(score: Score) -> AuditedScore:
    """The probabilities of a score."""
    return AuditedScore(stage=score.stage, failure=score.failure, outcomes=msgspec.structs.asdict(score.outcomes))


def audited_answer(answer: WhatIf | Suggestions) -> tuple[AuditedScore, ...]:
    """The probabilities of an answer about one tender: as it is, and then with each change."""
    if isinstance(answer, WhatIf):
        return tuple(map(audited, (answer.base, *(scenario.score for scenario in answer.scenarios))))
    changed = (*answer.single, *([answer.pair] if answer.pair else []))
    return tuple(
        AuditedScore(stage=answer.stage, failure=failure)
        for failure in (answer.failure, *(scenario.failure for scenario in changed))
    )


class AuditGate:
    """ASGI middleware: lets no part of an answer leave before the entries of its request are durable."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.trail = served_trail()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = RequestTrail(self.trail, current_caller.get().name)
        is_refused = False

        async def gate(message: Message) -> None:
            nonlocal is_refused
            if request.pending and not is_refused:
                try:
                    for future in request.pending:
                        await _durable(future)
                except UnreachableError as error:
                    is_refused = True
                    count_error(error)
                    await _refuse(send)
                request.pending.clear()
            if not is_refused:
                await send(message)

        token = _request.set(request)
        try:
            await self.app(scope, receive, gate)
        finally:
            _request.reset(token)


async def _durable(future: Future[AuditHead]) -> None:
    """Waits until an entry is durable. Raises UnreachableError if it will not be."""
    if future.done():
        future.result()
    else:
        await asyncio.wrap_future(future)


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(REFUSED)).encode())]
    start = {"type": "http.response.start", "status": int(HTTPStatus.SERVICE_UNAVAILABLE), "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": REFUSED, "more_body": False})
