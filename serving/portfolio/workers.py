"""Who scores the blocks: processes of this machine, or a Dask cluster. Either takes the same calls."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

from serving.portfolio import work
from tenders.errors import UnreachableError, UsageError


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


@contextmanager
def cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """A Dask cluster, and how many threads it has.

    Raises UsageError where Dask is not installed, UnreachableError where nothing answers at the address.
    """
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("a cluster needs Dask: install tender-risk[cluster]") from None
    try:
        client = Client(address, timeout="10s")
    except (OSError, TimeoutError) as error:
        raise UnreachableError(f"{address}: no cluster answers ({error})") from None
    with client:
        yield client.get_executor(pure=False, retries=3), max(sum(client.nthreads().values()), 1)


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
