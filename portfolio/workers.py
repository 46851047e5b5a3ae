"""Who scores the blocks on this machine: processes that have the bundle loaded."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from multiprocessing.forkserver import ensure_running
from typing import Any, TypeVar

Key = TypeVar("Key")
AHEAD = 3
"""Calls a worker that are made before they are answered: they bound what is held at once."""


def answered(
    executor: Executor, workers: int, calls: Iterable[tuple[Key, tuple[Any, ...]]]
) -> Iterator[tuple[Key, Any]]:
    """Each key with what its call, a function and its arguments, gave: as the answers come.

    When this is closed no call is under way any more.
    """
    waiting: dict[Future[Any], Key] = {}
    try:
        for key, call in calls:
            waiting[executor.submit(*call)] = key
            if len(waiting) >= AHEAD * workers:
                yield from _finished(waiting)
        while waiting:
            yield from _finished(waiting)
    finally:
        wait([future for future in waiting if not future.cancel()])


def _finished(waiting: dict[Future[Any], Key]) -> Iterator[tuple[Key, Any]]:
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        yield waiting.pop(future), future.result()


def begin_server() -> None:
    """Starts the server that `local` takes its processes from, which imports while the caller does."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["portfolio.work"])
    ensure_running()


@contextmanager
def local(workers: int, bundle: str) -> Iterator[Executor]:
    """Processes of this machine, each with the bundle loaded.

    They come from a server that has the libraries imported and nothing else, so that they share that memory.
    """
    _keep_memory()
    begin_server()
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(workers, context, _begin, (bundle,)) as executor:
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def _keep_memory() -> None:
    """Has the C library keep what is freed for the next block: to return it and be given it anew is a fifth of the time
    that a table takes. Where it is not the GNU library, nothing changes."""
    with suppress(AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, 2**25)
        library.mallopt(_TRIM_THRESHOLD, 2**30)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of mallopt(3) in numbers."""


def _begin(bundle: str) -> None:
    from portfolio import work

    _keep_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work.held(bundle)


def _end_with_parent() -> None:
    """A worker whose run was killed has nobody to give its result to."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
