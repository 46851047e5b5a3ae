"""Who scores the blocks on a Dask cluster: workers that are told the bytes, and checked before they answer.

Workers need no way to the input, for every block carries its bytes. They need the bundle under the same name, and the
same code and libraries: a worker that differs says so instead of scoring, because its numbers would differ too.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from portfolio.manifest import bundle_digest, versions
from portfolio.run import RESUME
from portfolio.work import Asked
from tenders import files
from tenders.errors import UnreachableError, UsageError
from tenders.io.streams import Block, block_lines

LOCAL = "local"
"""The address that stands for a cluster on this machine, started for the run."""
CONNECT = 10
"""Seconds until a scheduler must answer."""
WITHOUT_WORKERS = 60.0
"""Seconds that a run waits for a first worker, or for another when the last one died."""
RETRIES = 2
"""How often a block is tried again that failed: a file server may have paused. Blocks of dead workers are besides."""
_ONE_AT_A_TIME = threading.Lock()


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker must have: the versions of the run's own machine, and the digest of its bundle."""

    versions: tuple[tuple[str, str], ...]
    bundle: str


@contextmanager
def cluster(
    address: str, bundle: str, workers: int = 1, patience: float = WITHOUT_WORKERS
) -> Iterator[tuple[Executor, int]]:
    """The cluster of a scheduler's address, or one of so many `workers` on this machine for LOCAL; and how many it has.

    Raises UsageError where Dask is not installed or the address is none, UnreachableError where no scheduler answers
    or no worker comes within `patience` seconds.
    """
    try:
        import dask
        from distributed import Client
    except ImportError:
        raise UsageError("a cluster needs Dask: install tender-risk[cluster]") from None
    with ExitStack() as stack:
        # A block is as large as it is; Dask's advice to send less does not apply.
        stack.enter_context(dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GiB"}))
        at = stack.enter_context(_on_this_machine(workers)) if address == LOCAL else _checked(address)
        try:
            client = stack.enter_context(Client(at, timeout=CONNECT, set_as_default=False))
        except OSError as error:
            raise UnreachableError(f"{address}: no cluster answers ({error})") from None
        try:
            client.wait_for_workers(1, timeout=patience)
        except TimeoutError:
            raise UnreachableError(f"{address}: no worker in {patience:.0f} seconds. Start dask worker") from None
        executor = _Cluster(client, owned(bundle), patience)
        stack.callback(executor.end)
        yield executor, len(client.nthreads())


def _checked(address: str) -> str:
    from distributed.comm.addressing import parse_address, parse_host_port

    try:
        parse_host_port(parse_address(address, strict=True)[1])
    except ValueError:
        raise UsageError(f"{address!r} is no address. Give one such as tcp://scheduler:8786, or local") from None
    return address


@contextmanager
def _on_this_machine(workers: int) -> Iterator[Any]:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as started:
        yield started


class _Cluster(Executor):
    """Takes the same calls as processes do, and fails them with words for a person if the cluster is lost."""

    def __init__(self, client: Any, expected: Expected, patience: float) -> None:
        self._client, self._expected, self._patience = client, expected, patience
        self._waiting: set[Future[Any]] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def submit(self, call: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        from distributed.client import ClosedClientError

        here: Future[Any] = Future()
        self._waiting.add(here)
        # A worker may not reach a path of this machine: what is to be written there is written here.
        to = next((each for each in given if isinstance(each, Path)), None)
        carry = [carried(each) if isinstance(each, Block) else each for each in given if each is not to]
        try:
            # Each call has a name of its own, else equal blocks would be one.
            there = self._client.submit(done_there, self._expected, call, *carry, **named, pure=False, retries=RETRIES)
            there.add_done_callback(partial(self._end, here, to))
        except ClosedClientError:
            self._fail(here, "the scheduler is gone")
        return here

    def end(self) -> None:
        """Looks after the workers no longer."""
        self._ended.set()

    def _end(self, here: Future[Any], to: Path | None, there: Any) -> None:
        from distributed.scheduler import KilledWorker

        if there.cancelled():
            self._fail(here, "the scheduler is gone")
            return
        try:
            fault = there.exception()
            found = None if fault else there.result()
        except (CancelledError, OSError):
            self._fail(here, "the scheduler is gone")
            return
        if isinstance(fault, KilledWorker):
            self._fail(here, "workers died one after the other over the same block: have they enough memory?")
        elif fault:
            self._settle(here, partial(here.set_exception, fault))
        else:
            self._settle(here, partial(_give, here, found, to))

    def _fail(self, here: Future[Any], why: str) -> None:
        self._settle(here, partial(here.set_exception, UnreachableError(f"{why}. {RESUME}")))

    def _settle(self, here: Future[Any], how: Callable[[], None]) -> None:
        with self._lock:
            if here not in self._waiting:
                return
            self._waiting.discard(here)
        if here.set_running_or_notify_cancel():
            how()

    def _watch(self) -> None:
        """A cluster that has lost its last worker would keep the run waiting for ever."""
        alone = 0.0
        while not self._ended.wait(1):
            with suppress(Exception):
                alone = 0.0 if self._client.nthreads() else alone + 1
            if alone >= self._patience:
                for here in list(self._waiting):
                    self._fail(here, f"no worker for {alone:.0f} seconds")


def owned(bundle: str) -> Expected:
    """What this machine has of what a worker must have. Raises UnreachableError if there is no such bundle."""
    libraries = {**versions(), "distributed": version("distributed")}
    return Expected(versions=tuple(sorted(libraries.items())), bundle=bundle_digest(Path(bundle)))


def _give(here: Future[Any], found: Any, to: Path | None) -> None:
    """Ends a call with what was found, or with its being written."""
    try:
        if to is not None:
            files.whole(to, found)
    except OSError as error:
        here.set_exception(error)
    else:
        here.set_result(found)


def carried(block: Block) -> Block:
    """The block with the bytes of its range, numbered as before: a worker may not reach the file, or find another."""
    if block.kind != "range":
        return block
    return msgspec.structs.replace(block, kind="lines", data=b"".join(line for _, line in block_lines(block)))


def done_there(expected: Expected, call: Callable[..., Any], asked: Asked, *given: Any) -> Any:
    """What a worker makes of a call, if it has what is expected. Raises UnreachableError that names the difference."""
    _check(expected, asked.bundle)
    # A bundle remembers where in its track records it read last, so it serves one thread at a time.
    with _ONE_AT_A_TIME:
        return call(asked, *given)


@cache
def _check(wanted: Expected, bundle: str) -> None:
    # An error is not remembered: a worker that was mended is asked again.
    try:
        found = owned(bundle)
    except UnreachableError as error:
        raise UnreachableError(f"the worker on {socket.gethostname()}: {error}") from None
    if found.bundle != wanted.bundle:
        raise UnreachableError(f"the worker on {socket.gethostname()} has another bundle as {bundle}. Copy it anew")
    here = dict(found.versions)
    other = [f"{name} {here.get(name)} for {value}" for name, value in wanted.versions if here.get(name) != value]
    if other:
        raise UnreachableError(f"the worker on {socket.gethostname()} has {', '.join(other)}. Install the same there")
