"""Who scores the blocks on this machine: processes that have the bundle loaded."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

from serving.portfolio import work


@contextmanager
def local(workers: int, bundle: str) -> Iterator[Executor]:
    """Processes of this machine, each with the bundle loaded.

    They come from a server that has the libraries imported and nothing else, so that they share that memory.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["serving.portfolio.work"])
    with ProcessPoolExecutor(workers, context, _begin, (bundle,)) as executor:
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def _begin(bundle: str) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work.held(bundle)
    gc.freeze()


def _end_with_parent() -> None:
    """A worker whose run was killed has nobody to give its result to."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
