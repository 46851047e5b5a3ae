"""The processes of this machine that score blocks, each with the bundle loaded."""

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
CALLS_AHEAD = 3
"""Calls per worker that are submitted before their results are there. They bound what is in memory at once."""


def completed(
    executor: Executor, workers: int, calls: Iterable[tuple[Key, tuple[Any, ...]]]
) -> Iterator[tuple[Key, Any]]:
    """Each key with the result of its call (a function and its arguments), in the order in which calls complete.

    When this is closed no call is running any more.
    """
    pending: dict[Future[Any], Key] = {}
    try:
        for key, call in calls:
            pending[executor.submit(*call)] = key
            if len(pending) >= CALLS_AHEAD * workers:
                yield from _finished(pending)
        while pending:
            yield from _finished(pending)
    finally:
        wait([future for future in pending if not future.cancel()])


def _finished(pending: dict[Future[Any], Key]) -> Iterator[tuple[Key, Any]]:
    for future in wait(pending, return_when=FIRST_COMPLETED).done:
        yield pending.pop(future), future.result()


def start_fork_server() -> None:
    """Starts the server that forks the workers. It imports the libraries while the caller does other things."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["portfolio.work"])
    ensure_running()


@contextmanager
def local_workers(count: int, bundle: str) -> Iterator[Executor]:
    """Processes of this machine, each with the bundle loaded.

    They are forked from a server that has only the libraries imported, so that they share that memory.
    """
    _keep_freed_memory()
    start_fork_server()
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(count, context, _start_worker, (bundle,)) as executor:
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def _keep_freed_memory() -> None:
    """Makes the GNU C library keep freed memory for the next block.

    Returning it to the system and asking for it again takes a fifth of the time of a table. Other C libraries have no
    `mallopt`, and nothing changes.
    """
    with suppress(AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, 2**25)
        library.mallopt(_M_TRIM_THRESHOLD, 2**30)


def return_freed_memory(executor: Executor | None = None, workers: int = 0) -> None:
    """Returns to the system what `local_workers` had this process keep, where a run turns to something else; so do
    these workers, which nobody waits for."""
    import pyarrow as pa

    if executor is not None:
        for _ in range(workers):
            executor.submit(return_freed_memory)
    pa.default_memory_pool().release_unused()
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""


def _start_worker(bundle: str) -> None:
    from portfolio import work

    _keep_freed_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work.cached_bundle(bundle)


def _end_with_parent() -> None:
    """Ends a worker whose run was killed: nobody would take its results."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
