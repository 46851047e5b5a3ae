"""A cluster gives the bytes of a run on one machine, whoever dies on the way, and says what keeps it from doing so.

Scheduler and workers are real processes, started as on any machine, on the loopback address alone.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

pytest.importorskip("distributed")

from models import bundle as bundles
from portfolio import cluster
from portfolio.cluster import cluster_workers, requirements, run_call, share_files, with_data
from portfolio.run import PortfolioRun, Progress, run_portfolio
from portfolio.work import RunOptions, score_block
from portfolio.worklist import WorklistOptions
from tenders.errors import UnreachableError
from tenders.io.blocks import blocks
from tenders.io.remote import RemotePath
from tenders.io.streams import Block, Bounds, block_lines, count_lines
from tests.portfolio import sample_files

ROOT = Path(__file__).parents[2]
SMALL = Bounds(block=20_000)
OPTIONS = RunOptions(bundle=str(bundles.released()), stage="draft")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six hundred tenders: many blocks of them."""
    return sample_files.written(
        tmp_path_factory.mktemp("cluster"), "in.jsonl", sample_files.lines(sample_files.releases(600))
    )


@pytest.fixture(scope="module")
def alone(source: Path) -> bytes:
    """What a run in this process writes."""
    with ThreadPoolExecutor(1) as executor:
        run_portfolio(small_run(source, "alone.parquet"), executor)
    return source.with_name("alone.parquet").read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files of every kind, in a folder of its own."""
    home = tmp_path_factory.mktemp("kinds") / "in"
    forms = [{**form, "title": f"Nursing at home {i}"} for i, form in enumerate(sample_files.FORMS * 20)]
    release = sample_files.lines(sample_files.releases(40))
    sample_files.written(home, "a.jsonl", release)
    sample_files.written(home, "b.jsonl.gz", sample_files.packed(release, "gz"))
    sample_files.written(home, "c.json", sample_files.GOOD)
    sample_files.written(home, "d.json", b'{"releases": [')
    sample_files.written(home, "e.json", release)
    sample_files.written(home, "f.parquet", sample_files.as_parquet(forms))
    sample_files.written(home, "g.csv", sample_files.as_csv(forms))
    sample_files.written(home, "notes.txt", b"no reader for this")
    return home


def folder_run(folder: Path, name: str) -> PortfolioRun:
    return PortfolioRun(
        source=folder, out=folder.with_name(name), options=OPTIONS, format="parquet", workers=2,
        bounds=msgspec.structs.replace(SMALL, rows=50), worklist=WorklistOptions(capacity=60),
    )  # fmt: skip


def small_run(source: Path, name: str) -> PortfolioRun:
    out = source.with_name(name)
    return PortfolioRun(source=source, out=out, options=OPTIONS, format="parquet", workers=2, bounds=SMALL)


@contextmanager
def dask(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """`dask …` as a process, killed at the end."""
    command = [str(Path(sys.executable).with_name("dask")), *words]
    environment = {**os.environ, "DASK_DISTRIBUTED__WORKER__DAEMON": "False"}
    running = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


@contextmanager
def scheduler() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A scheduler on a free port, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with dask("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard") as running:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"tcp://127.0.0.1:{port}", running


def worker(address: str) -> Any:
    """A worker that nobody starts again when it dies."""
    return dask("worker", address, "--host", "127.0.0.1", "--no-nanny", "--nthreads", "1", "--no-dashboard")


def after(blocks: int, do: Callable[[], object]) -> Callable[[Progress], None]:
    """Does something once, when so many blocks are done."""
    left = [blocks]

    def shown(_: Progress) -> None:
        left[0] -= 1
        if left[0] == 0:
            do()

    return shown


def test_a_worker_that_is_killed_costs_no_byte_and_no_line_passes_the_scheduler(
    source: Path, alone: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = small_run(source, "killed.parquet")
    by_kind, here = folder_run(folder, "cluster.parquet"), folder_run(folder, "here.parquet")
    with (
        scheduler() as (address, _),
        worker(address) as one,
        worker(address),
        cluster_workers(address, OPTIONS.bundle) as (executor, _),
    ):
        executor._client.wait_for_workers(2, timeout=30)
        assert share_files(executor, of) is None
        sent: list[Block] = []
        remembered = executor._described
        monkeypatch.setattr(executor, "_described", lambda block: sent.append(remembered(block)) or sent[-1])
        run_portfolio(of, executor, on_progress=after(5, lambda: os.kill(one.pid, signal.SIGKILL)))
        assert one.poll() == -signal.SIGKILL
        executor.share(by_kind.parts)
        run_portfolio(by_kind, executor)
    assert of.out.read_bytes() == alone
    assert all(len(block.data) <= cluster.KEPT_BYTES for block in sent)
    assert {block.kind for block in sent} >= {"range", "file", "parquet", "kept", "problems"}

    with ThreadPoolExecutor(1) as executor:
        run_portfolio(here, executor)
    for one_file, other in ((by_kind.out, here.out), (by_kind.errors_file, here.errors_file)):
        assert one_file.read_bytes() == other.read_bytes()
    assert by_kind.worklist_file.read_bytes() == here.worklist_file.read_bytes()
    # What was shared for a time is gone.
    assert {path.name for path in folder.parent.iterdir()} == {folder.name} | {
        f"{name}.{kind}"
        for name in ("cluster", "here")
        for kind in ("parquet", "parquet.errors", "parquet.manifest.json", "worklist.parquet")
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": Path("/nowhere/in.jsonl")}, r"cannot open the input: /nowhere/in\.jsonl: no such file"),
        ({"listing": "other"}, "sees other files at"),
        ({"source": RemotePath("gs://audit/in")}, r"cannot open the input: gs:// needs the package gcsfs"),
        ({"probe": Path("/nowhere/probe")}, "cannot write beside the output"),
        ({"secret": "other"}, "sees other files beside the output"),
    ],
)
def test_a_worker_says_what_it_cannot_use(source: Path, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    probe = sample_files.written(tmp_path, "probe", b"secret")
    shared = cluster.SharedFiles(source=source, listing=cluster._listing(source), probe=probe, secret="secret")
    good = cluster.probe_files(shared)
    assert (good.why, Path(good.written).read_bytes()) == ("", b"secret")
    assert re.search(f"the worker on .* {message}", cluster.probe_files(msgspec.structs.replace(shared, **changes)).why)


def test_a_worker_that_cannot_write_its_part_says_so(source: Path, tmp_path: Path) -> None:
    block = next(iter(blocks(source)))
    with pytest.raises(UnreachableError, match=r"the worker on .*: .*No such file or directory"):
        run_call(requirements(OPTIONS.bundle), tmp_path / "nowhere/000000000.arrow", score_block, OPTIONS, block)


def test_a_lost_scheduler_ends_the_run_with_how_to_resume(
    source: Path, alone: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the worker is sent the lines, because it sees other files than the command."""
    of = small_run(source, "lost.parquet")
    with (
        scheduler() as (address, running),
        worker(address),
        cluster_workers(address, OPTIONS.bundle) as (executor, _),
        pytest.raises(UnreachableError, match=r"the scheduler is gone\. What was scored is kept: .* --resume"),
    ):
        monkeypatch.setattr(cluster, "_listing", lambda _: "what a worker does not see")
        why = share_files(executor, of)
        assert why and re.fullmatch(rf"the worker on .* sees other files at {source}", why)
        run_portfolio(of, executor, on_progress=after(3, running.kill))
    assert len(list(of.parts_folder.glob("*.arrow"))) >= 3
    with ThreadPoolExecutor(1) as executor:
        run_portfolio(of, executor, resume=True)
    assert of.out.read_bytes() == alone


def test_a_cluster_without_workers_ends_the_run_after_a_time(source: Path) -> None:
    with scheduler() as (address, _):
        with (
            pytest.raises(UnreachableError, match="no worker in 1 seconds"),
            cluster_workers(address, OPTIONS.bundle, 1, 1),
        ):
            pass
        with (
            worker(address) as only,
            cluster_workers(address, OPTIONS.bundle, patience=20) as (executor, count),
        ):
            assert count == 1
            executor._patience = 2
            with pytest.raises(UnreachableError, match=r"no worker for 2 seconds\. What was scored is kept"):
                run_portfolio(small_run(source, "empty.parquet"), executor, on_progress=after(2, only.kill))


def test_an_address_without_a_scheduler_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    with (
        pytest.raises(UnreachableError, match=r"tcp://127\.0\.0\.1:9: no cluster answers"),
        cluster_workers("tcp://127.0.0.1:9", OPTIONS.bundle),
    ):
        pass


def test_the_command_starts_a_cluster_of_its_own(source: Path, tmp_path: Path) -> None:
    out, here = tmp_path / "out.parquet", source.with_name("here.parquet")
    command = [str(Path(sys.executable).with_name("tender-risk")), "portfolio", str(source), str(out)]
    more = ["--stage", "draft", "--cluster", "local", "--workers", "1", "--capacity", "3"]
    done = subprocess.run(
        [*command, *more], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "600 tenders scored" in done.stdout
    with ThreadPoolExecutor(1) as executor:
        of = msgspec.structs.replace(
            small_run(source, here.name), bounds=Bounds(), workers=1, worklist=WorklistOptions(capacity=3)
        )
        run_portfolio(of, executor)
    assert out.read_bytes() == of.out.read_bytes()
    listed = out.with_name("out.worklist.parquet")
    assert listed.read_bytes() == of.worklist_file.read_bytes()
    assert all(pq.read_table(listed)["reasons"].to_pylist())


@pytest.mark.parametrize("content", [b"", b"\n", b"a", b"a\n\n\nb", b"\xef\xbb\xbf{}\r\n{}\n\n"])
def test_a_block_carries_the_lines_of_its_range(tmp_path: Path, content: bytes) -> None:
    for block in blocks(sample_files.written(tmp_path, "a.jsonl", content), bounds=Bounds(block=3)):
        sent = with_data(block)
        assert list(block_lines(sent)) == list(block_lines(block))
        assert count_lines(sent) == count_lines(block)


@pytest.mark.parametrize("content", [b"", b'{"releases": [', sample_files.GOOD, sample_files.GOOD + b"\n{}\nno\n"])
def test_a_block_carries_its_whole_file(tmp_path: Path, content: bytes) -> None:
    sample_files.written(tmp_path, "in/a.json", content)
    (block,) = blocks(tmp_path / "in", whole_files=True)
    here, sent = score_block(OPTIONS, block), with_data(block)
    (tmp_path / "in/a.json").unlink()
    assert score_block(OPTIONS, sent) == here


def test_a_worker_answers_what_a_process_does_without_the_input(tmp_path: Path) -> None:
    path = sample_files.written(tmp_path, "a.jsonl", sample_files.lines(sample_files.releases(5)))
    (block,) = blocks(path)
    here, sent = score_block(OPTIONS, block), with_data(block)
    path.unlink()
    assert run_call(requirements(OPTIONS.bundle), None, score_block, OPTIONS, sent) == here


def differing(**changes: Any) -> cluster.WorkerRequirements:
    """What is expected of a worker that differs from this machine."""
    return msgspec.structs.replace(requirements(OPTIONS.bundle), **changes)


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (
            differing(versions=(("numpy", "1.0"),)),
            r"the worker on .* has numpy .* instead of 1\.0\. Install the same versions there",
        ),
        (differing(bundle="0" * 64), r"the worker on .* has a different bundle at"),
    ],
    ids=["a library", "a bundle"],
)
def test_a_worker_that_differs_refuses_to_score(
    tmp_path: Path, expected: cluster.WorkerRequirements, message: str
) -> None:
    (block,) = blocks(sample_files.written(tmp_path, "a.jsonl", sample_files.GOOD))
    with pytest.raises(UnreachableError, match=message):
        run_call(expected, None, score_block, OPTIONS, with_data(block))


def test_a_worker_without_the_bundle_says_so(tmp_path: Path) -> None:
    (block,) = blocks(sample_files.written(tmp_path, "a.jsonl", sample_files.GOOD))
    options = msgspec.structs.replace(OPTIONS, bundle=str(tmp_path / "nowhere"))
    with pytest.raises(UnreachableError, match=r"the worker on .*: no bundle at .*nowhere"):
        run_call(requirements(OPTIONS.bundle), None, score_block, options, with_data(block))
