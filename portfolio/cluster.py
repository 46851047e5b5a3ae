"""Scoring blocks on a Dask cluster.

Where all workers can open the input and write beside the output, they read blocks and write parts themselves, and only
descriptions pass the scheduler (`share_files`). Elsewhere every block carries its bytes, and its part comes back.

Workers need the bundle under the same path, and the same code and libraries. A worker that differs refuses to score,
because its numbers would differ too.
"""

from __future__ import annotations

import hashlib
import os
import secrets
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
from portfolio.parts import block_path
from portfolio.run import RESUME, PortfolioRun
from portfolio.work import RunOptions
from tenders import files
from tenders.errors import UnreachableError, UsageError
from tenders.io.blocks import input_tags, opened, read_first
from tenders.io.remote import AnyPath, RemotePath, locate
from tenders.io.streams import Block, block_lines

LOCAL = "local"
"""The address that stands for a cluster on this machine, started for the run."""
CONNECT_SECONDS = 10
"""How long to wait for a scheduler to answer."""
WORKER_SECONDS = 60.0
"""How long to wait for a first worker, and for another when the last one died."""
KEPT_BYTES = 4_096
"""Blocks with more data than this pass through the shared folder, not the scheduler."""
RETRIES = 2
"""How often a block that failed is tried again, for a file server may have paused. Blocks of workers that died are
given to others besides."""
_ONE_CALL = threading.Lock()


class WorkerRequirements(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker must have: the versions of the machine that runs the command, and the digest of its bundle."""

    versions: tuple[tuple[str, str], ...]
    bundle: str


class SharedFiles(msgspec.Struct, frozen=True, kw_only=True):
    """What workers must see of the input and the output to use them themselves.

    `listing` is a digest of names and sizes at `source`; `probe` is a file beside the output that holds `secret`.
    """

    source: AnyPath
    listing: str
    probe: AnyPath
    secret: str


@contextmanager
def cluster_workers(
    address: str, bundle: str, workers: int = 1, patience: float = WORKER_SECONDS
) -> Iterator[tuple[Executor, int]]:
    """The workers of the scheduler at an address, and how many there are; for LOCAL, `workers` on this machine.

    Raises UsageError if Dask is not installed or the address is malformed; UnreachableError if no scheduler answers, or
    no worker comes within `patience` seconds.
    """
    try:
        import dask
        from distributed import Client
    except ImportError:
        raise UsageError("a cluster needs Dask: install tender-risk[cluster]") from None
    with ExitStack() as stack:
        # Dask advises against large messages, but blocks are as large as they are.
        stack.enter_context(dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GiB"}))
        at = stack.enter_context(_start_local_cluster(workers)) if address == LOCAL else _checked(address)
        try:
            client = stack.enter_context(Client(at, timeout=CONNECT_SECONDS, set_as_default=False))
        except OSError as error:
            raise UnreachableError(f"{address}: no cluster answers ({error})") from None
        try:
            client.wait_for_workers(1, timeout=patience)
        except TimeoutError:
            raise UnreachableError(f"{address}: no worker in {patience:.0f} seconds. Start dask worker") from None
        executor = _ClusterExecutor(client, requirements(bundle), patience)
        stack.callback(executor.stop_watching)
        yield executor, len(client.nthreads())


def share_files(executor: Executor, run: PortfolioRun) -> str | None:
    """Makes workers read the input and write parts themselves. Returns why not, if one of them cannot: then lines and
    parts pass the scheduler.

    Every worker lists the input and writes a file beside the output. Raises as `input_tags` does.
    """
    if not isinstance(executor, _ClusterExecutor):
        raise TypeError("the executor is not that of a cluster")
    out = run.to or run.out
    if isinstance(out, Path):
        out.parent.mkdir(parents=True, exist_ok=True)
    shared = SharedFiles(
        source=run.source.resolve(),
        listing=_listing(run.source),
        probe=out.resolve().with_name(f".{out.name}.{secrets.token_hex(4)}.probe"),
        secret=secrets.token_hex(),
    )
    why = executor.probe(shared)
    if why is None:
        executor.share(run.parts.resolve())
    return why


def _listing(source: AnyPath) -> str:
    names = [(file.file, file.size) for file in input_tags(source)]
    return hashlib.sha256(msgspec.json.encode(names)).hexdigest()


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's answer: the file that it wrote beside the output, or why it cannot use the input or write there."""

    written: str = ""
    why: str = ""


def probe_files(shared: SharedFiles) -> ProbeResult:
    """On a worker: reads the input, and writes a file beside the output."""
    host = socket.gethostname()
    try:
        if _listing(shared.source) != shared.listing:
            return ProbeResult(why=f"the worker on {host} sees other files at {shared.source}")
        read_first(shared.source)
    except (OSError, UsageError) as error:
        return ProbeResult(why=f"the worker on {host} cannot open the input: {error}")
    try:
        if shared.probe.read_bytes() != shared.secret.encode():
            return ProbeResult(why=f"the worker on {host} sees other files beside the output")
        own = shared.probe.with_name(f"{shared.probe.name}.{secrets.token_hex(4)}")
        files.write_whole(own, shared.secret.encode())
    except OSError as error:
        return ProbeResult(why=f"the worker on {host} cannot write beside the output: {error}")
    return ProbeResult(written=str(own))


def _checked(address: str) -> str:
    from distributed.comm.addressing import parse_address, parse_host_port

    try:
        parse_host_port(parse_address(address, strict=True)[1])
    except ValueError:
        raise UsageError(f"{address!r} is no address. Give one such as tcp://scheduler:8786, or local") from None
    return address


@contextmanager
def _start_local_cluster(workers: int) -> Iterator[Any]:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as started:
        yield started


class _ClusterExecutor(Executor):
    """An executor like that of local processes. If the cluster is lost, calls fail with a message for the user."""

    def __init__(self, client: Any, required: WorkerRequirements, patience: float) -> None:
        self._client, self._required, self._patience = client, required, patience
        self._folder: AnyPath | None = None
        self._is_folder_there = False
        self._pending: set[Future[Any]] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        threading.Thread(target=self._watch_workers, daemon=True).start()

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        from distributed.client import ClosedClientError

        future: Future[Any] = Future()
        self._pending.add(future)
        path = next((argument for argument in arguments if isinstance(argument, Path | RemotePath)), None)
        described = with_data if self._folder is None else self._described
        # There is a folder to keep blocks in as soon as there is one for parts.
        self._is_folder_there = self._is_folder_there or path is not None
        sent = [described(value) if isinstance(value, Block) else value for value in arguments if value is not path]
        # A worker that shares no files cannot write to a path, so its result is sent back and written here.
        to, path = (path.resolve(), None) if path and self._folder else (None, path)
        kept = [value.path for value in sent if isinstance(value, Block) and value.kind == "kept"]
        try:
            # Not pure: equal blocks would count as one call.
            remote = self._client.submit(
                run_call, self._required, to, call, *sent, **named, pure=False, retries=RETRIES
            )
            remote.add_done_callback(partial(self._complete, future, path, kept))
        except ClosedClientError:
            self._fail(future, "the scheduler is gone")
        return future

    def probe(self, shared: SharedFiles) -> str | None:
        """Asks every worker to use the input and the place of the output. Returns why one of them cannot."""
        written = [shared.probe]
        try:
            files.write_whole(shared.probe, shared.secret.encode())
            answers = self._client.run(probe_files, shared, on_error="return").values()
            probes = [probe if isinstance(probe, ProbeResult) else ProbeResult(why=f"{probe}") for probe in answers]
            written += [locate(probe.written) for probe in probes if probe.written]
            if why := next((probe.why for probe in probes if probe.why), None):
                return why
            same = all(path.read_bytes() == shared.secret.encode() for path in written)
        except OSError as error:
            return f"{error}"
        finally:
            for path in written:
                with suppress(OSError):
                    path.unlink()
        return None if same else "what a worker writes beside the output is not seen here"

    def share(self, folder: AnyPath) -> None:
        """From now on workers read blocks and write parts themselves; `folder` is that of the parts."""
        self._folder = folder

    def _described(self, block: Block) -> Block:
        """The block without data, if a worker finds it by itself; large data are kept in the shared folder for it."""
        if block.kind == "arrow" and block.path:
            return msgspec.structs.replace(block, kind="parquet", data=b"")
        if len(block.data) <= KEPT_BYTES or self._folder is None or not self._is_folder_there:
            return block
        path = block_path(self._folder, block.number)
        files.write_whole(path, msgspec.msgpack.encode(block))
        return msgspec.structs.replace(block, kind="kept", data=b"", path=str(path))

    def stop_watching(self) -> None:
        """Stops the thread that watches the workers."""
        self._stopped.set()

    def _complete(self, future: Future[Any], path: AnyPath | None, kept: list[str], remote: Any) -> None:
        from distributed.scheduler import KilledWorker

        for place in kept:
            with suppress(OSError):
                locate(place).unlink()
        if remote.cancelled():
            self._fail(future, "the scheduler is gone")
            return
        try:
            error = remote.exception()
            result = None if error else remote.result()
        except (CancelledError, OSError):
            self._fail(future, "the scheduler is gone")
            return
        if isinstance(error, KilledWorker):
            self._fail(future, "workers died one after the other over the same block: have they enough memory?")
        elif error:
            self._finish(future, partial(future.set_exception, error))
        else:
            self._finish(future, partial(_set_result, future, result, path))

    def _fail(self, future: Future[Any], why: str) -> None:
        self._finish(future, partial(future.set_exception, UnreachableError(f"{why}. {RESUME}")))

    def _finish(self, future: Future[Any], finish: Callable[[], None]) -> None:
        with self._lock:
            if future not in self._pending:
                return
            self._pending.discard(future)
        if future.set_running_or_notify_cancel():
            finish()

    def _watch_workers(self) -> None:
        """Fails all calls when the cluster has been without workers for too long, or the run would wait for ever."""
        seconds = 0.0
        while not self._stopped.wait(1):
            with suppress(Exception):
                seconds = 0.0 if self._client.nthreads() else seconds + 1
            if seconds >= self._patience:
                for future in list(self._pending):
                    self._fail(future, f"no worker for {seconds:.0f} seconds")


def _set_result(future: Future[Any], result: Any, path: AnyPath | None) -> None:
    """Completes a call with its result, which is written if it belongs into a file."""
    try:
        if path is not None:
            files.write_whole(path, result)
    except OSError as error:
        future.set_exception(error)
    else:
        future.set_result(result)


def requirements(bundle: str) -> WorkerRequirements:
    """What this machine has of what a worker must have. Raises UnreachableError if there is no such bundle."""
    libraries = {**versions(), "distributed": version("distributed")}
    return WorkerRequirements(versions=tuple(sorted(libraries.items())), bundle=bundle_digest(Path(bundle)))


def with_data(block: Block) -> Block:
    """The block with its bytes instead of a file, or a range of one: a worker may not reach it, or find another one."""
    if block.kind == "file":
        path = locate(block.path)
        try:
            return msgspec.structs.replace(block, path=path.name, data=path.read_bytes())
        except OSError:
            # What is wrong with it stands in the block that it is read as.
            return next(opened(block))
    if block.kind != "range":
        return block
    return msgspec.structs.replace(block, kind="lines", data=b"".join(line for _, line in block_lines(block)))


def run_call(
    required: WorkerRequirements, to: AnyPath | None, call: Callable[..., Any], options: RunOptions, *arguments: Any
) -> Any:
    """Runs a call on a worker, if it has what is required. With `to`, the result is written there, and none comes back.

    Raises UnreachableError that names the difference, or what the worker cannot read or write.
    """
    _check_worker(required, options.bundle)
    host = socket.gethostname()
    try:
        # A bundle caches the place in its track records that it read last, so it serves one thread at a time.
        with _ONE_CALL:
            result = call(options, *arguments)
        if to is None:
            return result
        # A block that was given to another may be written by both at once.
        files.write_whole(to, result, by=f"{host}-{os.getpid()}-{threading.get_ident()}")
    except OSError as error:
        raise UnreachableError(f"the worker on {host}: {error}") from None
    return b""


@cache
def _check_worker(required: WorkerRequirements, bundle: str) -> None:
    # Errors are not cached: a worker that was repaired is checked again.
    host = socket.gethostname()
    try:
        own = requirements(bundle)
    except UnreachableError as error:
        raise UnreachableError(f"the worker on {host}: {error}") from None
    if own.bundle != required.bundle:
        raise UnreachableError(f"the worker on {host} has a different bundle at {bundle}. Copy it again")
    installed = dict(own.versions)
    wrong = [(name, value) for name, value in required.versions if installed.get(name) != value]
    if wrong:
        differences = ", ".join(f"{name} {installed.get(name)} instead of {value}" for name, value in wrong)
        raise UnreachableError(f"the worker on {host} has {differences}. Install the same versions there")
