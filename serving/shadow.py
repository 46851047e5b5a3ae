"""Shadow scoring: a challenger scores what the served bundle has scored, and metrics alone say how far the two differ.

TENDER_RISK_SHADOW is blank, `challenger` for the bundle that the file `challenger` beside the pointer names, or a
bundle's directory. The challenger has a process of its own (`serving.challenger`), which gives way to everything else.
A request leaves its bytes and its answer in a bounded queue and goes on: whatever becomes of the challenger, no answer
waits for it, changes, or tells of it. Nothing of what was sent is logged or kept.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import msgspec
import prometheus_client

from models import bundle as bundles
from models.bundle_files import MANIFEST
from models.score import Band, Score
from tenders.child_process import ChildEndedError, ChildProcess
from tenders.errors import BundleError, UsageError
from tenders.facts import Stage

SHADOW, CHALLENGER = "TENDER_RISK_SHADOW", "challenger"
MODULE = f"{__package__}.challenger"
MAX_QUEUED, MAX_QUEUED_BYTES = 1_000, 64 * 2**20
"""Requests that wait for the challenger, and their bytes; more are not compared."""
POLL_SECONDS = 1.0
"""Seconds between two looks at the pointer."""
REPLY_SECONDS = 120.0
"""After so long a challenger that does not answer is ended."""
RETRY_SECONDS = 60.0
"""Seconds until a challenger whose process ended is started again."""
STOP_SECONDS = 5.0

TENDERS = prometheus_client.Counter(
    "tender_risk_shadow_tenders",
    "Scored tenders that the challenger was to score too: compared, dropped (it was busy or not there), failed.",
    ("outcome",),
)
DIFFERENCE = prometheus_client.Histogram(
    "tender_risk_shadow_difference_points",
    "How far the challenger's failure probability lies from the served one, in percentage points.",
    ("stage", "higher"),
    buckets=(0, 0.1, 0.5, 1, 2, 5, 10, 20, 50, 100),
)
BANDS = prometheus_client.Counter(
    "tender_risk_shadow_bands", "Compared tenders by the served band and the challenger's.", ("served", "challenger")
)
QUEUE = prometheus_client.Gauge(
    "tender_risk_shadow_queue", "Requests that wait for the challenger.", multiprocess_mode="livesum"
)
BUNDLE = prometheus_client.Gauge(
    "tender_risk_shadow_bundle", "1 for the challenger that scores.", ("version", "sha256"), multiprocess_mode="livemax"
)
REFUSED = prometheus_client.Gauge(
    "tender_risk_shadow_refused", "1 while there is a challenger that cannot score.", multiprocess_mode="livemax"
)
log = logging.getLogger("tender_risk")


class ShadowScore(msgspec.Struct, frozen=True, array_like=True):
    """What one bundle says of one tender."""

    stage: Stage
    failure: float
    band: Band


class ShadowRequest(msgspec.Struct, frozen=True, array_like=True):
    """The body of a request that was answered; of the answer's page, the draft as it is saved, and the stage shown."""

    action: Literal["score", "score_many", "page"]
    raw: bytes
    stage: Stage | None = None


class ShadowHello(msgspec.Struct, frozen=True):
    """What a challenger says first: what it is, or why it cannot score."""

    version: str = ""
    sha256: str = ""
    refused: str = ""


ShadowScores = Sequence[ShadowScore | None]
"""What was said of each tender of a request; None of those that were refused."""


def chosen_shadow(environment: Mapping[str, str] = os.environ) -> str:
    """The setting; blank without a shadow. Raises UsageError for an address in MLflow, which a service does not ask."""
    text = environment.get(SHADOW, "").strip()
    if text.startswith(("models:/", "runs:/")):
        remedy = f"For MLflow: tender-risk serve --shadow {text}"
        raise UsageError(f"{SHADOW}: expected {CHALLENGER} or a directory. {remedy}")
    return text


class ChallengerProcess:
    """The process that scores by one bundle. Raises BundleError if it cannot."""

    def __init__(self, directory: Path) -> None:
        self._child = ChildProcess(MODULE, str(directory))
        try:
            self.bundle = self._hello()
        except BaseException:
            self.end()
            raise
        BUNDLE.labels(self.bundle.version, self.bundle.sha256).set(1)

    def _hello(self) -> ShadowHello:
        try:
            (reply,) = self._child.ask(seconds=REPLY_SECONDS)
        except ChildEndedError as error:
            raise BundleError(f"its process ended ({error})") from None
        hello = msgspec.msgpack.decode(reply, type=ShadowHello)
        if hello.refused:
            raise BundleError(hello.refused)
        return hello

    def scores(self, request: ShadowRequest) -> list[ShadowScore | None]:
        """What the challenger says of each tender of a request; None where it fails. Raises ChildEndedError."""
        (reply,) = self._child.ask(msgspec.msgpack.encode(request), seconds=REPLY_SECONDS)
        return msgspec.msgpack.decode(reply, type=list[ShadowScore | None])

    def end(self) -> None:
        """Ends the process."""
        self._child.end()
        if hasattr(self, "bundle"):
            BUNDLE.labels(self.bundle.version, self.bundle.sha256).set(0)


class _Waiting(msgspec.Struct, frozen=True):
    request: ShadowRequest
    answered: ShadowScores


class Shadow(threading.Thread):
    """Compares what was told with what a challenger says, one request after the other."""

    def __init__(self, chosen: str) -> None:
        super().__init__(name="shadow", daemon=True)
        self._chosen = chosen
        self._queue: queue.Queue[_Waiting] = queue.Queue(MAX_QUEUED)
        self._bytes, self._counting = 0, threading.Lock()
        self._challenger: ChallengerProcess | None = None
        self._seen: tuple[Any, ...] = ()
        self._look_at, self._retry_at = 0.0, float("inf")
        self._stopping = threading.Event()
        self.trouble = ""

    def offer(self, request: ShadowRequest, answered: ShadowScores) -> None:
        """Takes a request that was answered, if there is room; never waits."""
        if self._challenger is None and not self.trouble:
            return
        size = len(request.raw)
        with self._counting:
            fits = self._challenger is not None and self._bytes + size <= MAX_QUEUED_BYTES
            self._bytes += size if fits else 0
        if fits:
            try:
                self._queue.put_nowait(_Waiting(request, answered))
            except queue.Full:
                self._release(size)
                fits = False
        if not fits:
            TENDERS.labels("dropped").inc(_count(answered))

    def _release(self, size: int) -> None:
        with self._counting:
            self._bytes -= size

    def run(self) -> None:
        """Compares until `stop`."""
        while not self._stopping.is_set():
            try:
                self._follow()
                self._next()
            except Exception as error:  # noqa: BLE001 - logged, without its message, which could hold what was sent
                log.error("shadow scoring: %s", type(error).__name__)
        self._end()

    def stop(self) -> None:
        """Ends the thread and the challenger's process."""
        self._stopping.set()
        challenger = self._challenger
        if challenger is not None:
            # The thread may wait for its answer.
            challenger.end()
        self.join(STOP_SECONDS)

    def _next(self) -> None:
        try:
            waiting = self._queue.get(timeout=POLL_SECONDS)
        except queue.Empty:
            return
        self._release(len(waiting.request.raw))
        QUEUE.set(self._queue.qsize())
        challenger = self._challenger
        if challenger is None:
            TENDERS.labels("dropped").inc(_count(waiting.answered))
            return
        try:
            compare(waiting.answered, challenger.scores(waiting.request))
        except Exception as error:  # noqa: BLE001 - whatever it is, the next challenger may do better
            TENDERS.labels("failed").inc(_count(waiting.answered))
            self._fail(f"its process ended or did not answer ({type(error).__name__})")
            self._retry_at = time.monotonic() + RETRY_SECONDS

    def _follow(self) -> None:
        """Starts the challenger anew if another was named, or its process ended a while ago."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + POLL_SECONDS
        try:
            directory = bundles.challenger() if self._chosen == CHALLENGER else Path(self._chosen).resolve()
        except BundleError as error:
            if self.trouble != str(error):
                self._fail(str(error))
            return
        seen = _mark(directory)
        if seen == self._seen and now < self._retry_at:
            return
        self._end()
        self._seen, self._retry_at, self.trouble = seen, float("inf"), ""
        REFUSED.set(0)
        if directory is None:
            return
        try:
            self._challenger = ChallengerProcess(directory)
        except (BundleError, OSError) as error:
            self._fail(str(error))
        else:
            log.warning("%s scores in the shadow", self._challenger.bundle.version)

    def _fail(self, why: str) -> None:
        self._end()
        self.trouble = f"no shadow scoring, the challenger cannot be used: {why}"
        REFUSED.set(1)
        log.error("%s", self.trouble)

    def _end(self) -> None:
        challenger, self._challenger = self._challenger, None
        if challenger is not None:
            challenger.end()


def compare(answered: ShadowScores, scores: ShadowScores) -> None:
    """Counts how far two bundles differ on the same tenders."""
    for served, other in zip_longest(answered, scores):
        if served is None:
            continue
        if other is None:
            TENDERS.labels("failed").inc()
            continue
        TENDERS.labels("compared").inc()
        difference = round(100 * (other.failure - served.failure), 6)
        higher = "challenger" if difference > 0 else "served" if difference < 0 else "neither"
        DIFFERENCE.labels(served.stage, higher).observe(abs(difference))
        BANDS.labels(served.band, other.band).inc()


def _count(answered: ShadowScores) -> int:
    return sum(score is not None for score in answered)


def _mark(directory: Path | None) -> tuple[Any, ...]:
    """What changes when there is another challenger."""
    if directory is None:
        return (None,)
    try:
        manifest = (directory / MANIFEST).stat()
    except OSError:
        return (directory,)
    return directory, manifest.st_mtime_ns, manifest.st_ino, manifest.st_size


class _Running(msgspec.Struct):
    shadow: Shadow | None = None


_running = _Running()


def start() -> None:
    """Begins shadow scoring, if it is set."""
    chosen = chosen_shadow()
    if chosen:
        _running.shadow = Shadow(chosen)
        _running.shadow.start()


def stop() -> None:
    """Ends shadow scoring."""
    shadow, _running.shadow = _running.shadow, None
    if shadow is not None:
        shadow.stop()


def trouble() -> str:
    """Why the challenger does not score; blank if it does, or if there is none."""
    return _running.shadow.trouble if _running.shadow else ""


def offer(action: str, raw: bytes, answer: Any) -> None:
    """Has the challenger score what was scored: the body of a request and what was answered, a score or several."""
    if _running.shadow is not None:
        offer_scores(action, raw, shadow_scores_of(answer))


def offer_scores(action: str, raw: bytes, answered: ShadowScores) -> None:
    """As `offer`, of what was answered of each tender."""
    shadow = _running.shadow
    if shadow is not None and action in ("score", "score_many"):
        shadow.offer(ShadowRequest("score_many" if action == "score_many" else "score", raw), answered)


def offer_page(saved: bytes, score: Score) -> None:
    """Has the challenger score a draft, as it is saved, whose score was shown."""
    if _running.shadow is not None:
        _running.shadow.offer(ShadowRequest("page", saved, score.stage), shadow_scores_of(score))


def is_on() -> bool:
    """Whether a challenger is to score what is scored."""
    return _running.shadow is not None


def shadow_scores_of(answer: Any) -> list[ShadowScore | None]:
    """What an answer, a score or several, says of each tender."""
    answers = answer if isinstance(answer, list) else [answer]
    return [ShadowScore(a.stage, a.failure, a.band) if isinstance(a, Score) else None for a in answers]
