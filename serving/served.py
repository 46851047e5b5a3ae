"""The one bundle that a process serves. A promotion is noticed, checked beside the old bundle, and then served.

A request keeps the bundle with which it began, whatever happens meanwhile (`PinnedBundle`); so does a job.
"""

from __future__ import annotations

import contextvars
import functools
import gc
import logging
import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import prometheus_client
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models import bundle as bundles
from models import score as scoring
from models.bundle import Bundle
from models.bundle_files import manifest_bytes, sha256
from portfolio.manifest import bundle_digest
from tenders.errors import BundleError, UnreachableError
from tenders.facts import STAGES
from tenders.io.read import to_process

HEADER = "X-Tender-Risk-Bundle"
POLL_SECONDS = 1.0
"""Seconds between two looks at the pointer."""
# A young collection every ten scores or so, instead of several for each score.
GC_THRESHOLDS = (50_000, 20, 50)
PROBE = {"title": "warming up", "lots": 1}

BUNDLE = prometheus_client.Gauge(
    "tender_risk_bundle", "1 for the bundle that is served.", ("version", "sha256"), multiprocess_mode="livemax"
)
REFUSED = prometheus_client.Gauge(
    "tender_risk_bundle_refused", "1 while a promoted bundle is refused.", multiprocess_mode="livemax"
)
log = logging.getLogger("tender_risk")
T = TypeVar("T")


class ServedBundle:
    """A bundle, the directory that it was read from, and what is computed once from it."""

    def __init__(self, bundle: Bundle, directory: Path) -> None:
        self.bundle, self.directory = bundle, directory
        self._kept: dict[tuple[Any, ...], Any] = {}

    @property
    def version(self) -> str:
        """Its version, such as 2026.11.5."""
        return self.bundle.manifest.version

    @property
    def header(self) -> str:
        """How an answer names it."""
        return f"{self.version}; sha256={self.bundle.sha256}"

    def once(self, compute: Callable[..., T], *arguments: Any) -> T:
        """What `compute` gives for these arguments, computed once while this bundle is served."""
        key = (compute, *arguments)
        if key not in self._kept:
            self._kept[key] = compute(*arguments)
        result: T = self._kept[key]
        return result


class BundleState(msgspec.Struct, kw_only=True):
    """What a process serves; `refused` says why the bundle that the pointer names is not served."""

    current: ServedBundle | None = None
    refused: str = ""


_state = BundleState()
_loading = threading.Lock()
_pinned: contextvars.ContextVar[ServedBundle | None] = contextvars.ContextVar("bundle", default=None)


def served() -> ServedBundle:
    """The bundle of this request, or the one that is served; the first call loads it. Raises BundleError."""
    return _pinned.get() or _current()


def _current() -> ServedBundle:
    current = _state.current
    if current is None:
        with _loading:
            current = _state.current or load(bundles.released())
            if _state.current is None:
                _switch(current)
    return current


def served_bundle() -> Bundle:
    """The bundle of `served`."""
    return served().bundle


def refused() -> str:
    """Why the bundle that was promoted last is not served; blank if it is."""
    return _state.refused


def once_a_bundle(compute: Callable[..., T]) -> Callable[..., T]:
    """Decorates a function of the served bundle: computed once while that is served."""

    @functools.wraps(compute)
    def kept(*arguments: Any) -> T:
        return served().once(compute, *arguments)

    return kept


def load(directory: Path, prepare: Sequence[Callable[[], object]] = ()) -> ServedBundle:
    """Reads a bundle and has it score a tender at every stage, so that its first request is as quick as the next.

    `prepare` is called as if it were served already. Raises BundleError if it does not verify or gives no probability.
    """
    loaded = ServedBundle(bundles.load(directory), directory.resolve())
    for stage in STAGES:
        score = scoring.explained(scoring.case(loaded.bundle, to_process(PROBE), stage, check_stage=False))
        if not math.isfinite(score.failure) or not 0 <= score.failure <= 1:
            raise BundleError(f"{directory}: gives {score.failure} for a tender at {stage}, which is no probability")
    context = contextvars.copy_context()
    context.run(_pinned.set, loaded)
    for compute in prepare:
        context.run(compute)
    return loaded


def _switch(new: ServedBundle) -> None:
    """Serves a bundle from now on.

    What is loaded is frozen: the garbage collector does not walk it at every full collection, which is what makes the
    slowest requests slow. A score makes some thousands of objects and no cycles, so by default several collections
    for each score would find nothing.
    """
    old, _state.current, _state.refused = _state.current, new, ""
    if old is not None:
        BUNDLE.labels(old.version, old.bundle.sha256).set(0)
        del old
        gc.unfreeze()
    BUNDLE.labels(new.version, new.bundle.sha256).set(1)
    REFUSED.set(0)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


class BundleWatch(threading.Thread):
    """Looks at the pointer file, and serves the bundle that it names once that has been read and checked.

    A bundle that is refused leaves the old one in service; it is tried again when the pointer is written again. `note`
    is given the new bundle and the old one before the new one is served; while it raises UnreachableError the old one
    stays. `note_refusal` is given the version and digest of a bundle that is refused, why, and what is served on; as
    long as it raises UnreachableError it is given them again.
    """

    def __init__(
        self,
        prepare: Sequence[Callable[[], object]] = (),
        note: Callable[[ServedBundle, ServedBundle], None] = lambda *_: None,
        note_refusal: Callable[[str, str, str, str], None] = lambda *_: None,
    ) -> None:
        super().__init__(name="bundle", daemon=True)
        self._prepare, self._note, self._note_refusal = prepare, note, note_refusal
        self._unnoted: tuple[str, str, str, str] | None = None
        self._stopping = threading.Event()
        self._seen: tuple[int, ...] = ()

    def run(self) -> None:
        """Looks until `stop`."""
        while not self._stopping.wait(POLL_SECONDS):
            try:
                self.look()
            except Exception:
                log.exception("the bundle")

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping.set()

    def look(self) -> None:
        """Changes the bundle if the pointer was written since the last look."""
        self._try_to_note()
        mark = _mark()
        if mark == self._seen:
            return
        self._seen = mark
        current = _current()
        try:
            directory = bundles.released()
            if directory.resolve() == current.directory and bundle_digest(directory) == current.bundle.sha256:
                _accept()
                return
            new = load(directory, self._prepare)
        except BundleError as error:
            self._refuse(str(error), current)
            log.error("%s", _state.refused)
            return
        except Exception as error:
            # Whatever is wrong with the new one, the old one still answers.
            self._refuse(f"it cannot be used ({type(error).__name__})", current)
            log.exception("%s", _state.refused)
            return
        try:
            self._note(new, current)
        except UnreachableError as error:
            _refuse(str(error), current)
            log.error("%s", _state.refused)
            self._seen = ()
            return
        _switch(new)
        log.warning("%s is served in place of %s", new.version, current.version)

    def _refuse(self, reason: str, current: ServedBundle) -> None:
        _refuse(reason, current)
        self._unnoted = (*pointed_bundle(), reason, current.header)
        self._try_to_note()

    def _try_to_note(self) -> None:
        if self._unnoted is not None:
            try:
                self._note_refusal(*self._unnoted)
                self._unnoted = None
            except UnreachableError as error:
                log.error("%s", error)


def pointed_bundle() -> tuple[str, str]:
    """The version that the pointer names and the SHA-256 of its manifest; blank where there is none to read."""
    try:
        directory = bundles.released()
    except BundleError:
        return "", ""
    try:
        return directory.name, sha256(manifest_bytes(directory))
    except BundleError:
        return directory.name, ""


def _accept() -> None:
    _state.refused = ""
    REFUSED.set(0)


def _refuse(reason: str, current: ServedBundle) -> None:
    _state.refused = f"the promoted bundle is refused, {current.version} is served: {reason}"
    REFUSED.set(1)


def _mark() -> tuple[int, ...]:
    """What changes when the pointer is written."""
    try:
        status = bundles.POINTER.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_ino, status.st_size


class PinnedBundle:
    """ASGI middleware: a request is answered by the bundle that is served when it begins, and the answer names it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # Not `served`: a connection's later requests may run in the context of an earlier one. asyncio keeps that
        # in which a reader was added to the loop, and uvicorn adds it again after a large body.
        pinned = _current()

        async def name(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = pinned.header
            await send(message)

        token = _pinned.set(pinned)
        try:
            await self.app(scope, receive, name)
        finally:
            _pinned.reset(token)
