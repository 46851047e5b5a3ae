"""A portfolio in a store gives the bytes that it gives in a folder, whenever it is ended, and no secret is written.

The store is moto's server on the loopback address, which speaks S3's protocol.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

pytest.importorskip("s3fs")
pytest.importorskip("moto")

from typer.testing import CliRunner

from cli.main import app
from models import bundle as bundles
from portfolio import workers
from portfolio.cluster import requirements, run_call
from portfolio.parts import part_path
from portfolio.run import PortfolioRun, run_portfolio
from portfolio.work import RunOptions, score_block
from tenders.errors import UnreachableError, UsageError
from tenders.io.blocks import blocks
from tenders.io.remote import RemotePath
from tenders.io.streams import Bounds
from tests.portfolio import sample_files
from tests.portfolio.test_run import stopped

ROOT = Path(__file__).parents[2]
SMALL = Bounds(block=20_000)
OPTIONS = RunOptions(bundle=str(bundles.released()), stage="draft")
SECRET = "the-secret-of-a-test"
FOLDER = {
    "2023/a.jsonl": sample_files.lines(sample_files.releases(40)),
    "2023/b.jsonl.gz": sample_files.packed(sample_files.lines(sample_files.releases(30)), "gz"),
    "2024/c.json": sample_files.GOOD,
    "2024/d.parquet": sample_files.as_parquet(sample_files.FORMS),
    "2024/e.csv": sample_files.as_csv(sample_files.FORMS),
    "2024/f.xlsx": sample_files.as_xlsx(sample_files.FORMS),
    "2024/g.json": b'{"releases": [',
    "2024/h.json": sample_files.lines(sample_files.releases(3)),
    "notes.txt": b"no reader for this",
}


@pytest.fixture(scope="module")
def bucket() -> Iterator[RemotePath]:
    """A bucket of a store of this machine, to which the environment has the keys."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        import s3fs

        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("audit")
        yield RemotePath("s3://audit")
        s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture(scope="module")
def here() -> Iterator[Executor]:
    """Someone who scores in this process."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, bucket: RemotePath) -> Path:
    """A folder of files of every kind, which are in the bucket too."""
    home = tmp_path_factory.mktemp("register")
    for name, content in FOLDER.items():
        sample_files.written(home, f"in/{name}", content)
        (bucket / f"in/{name}").write_bytes(content)
    return home / "in"


@pytest.fixture(scope="module")
def alone(folder: Path, here: Executor) -> dict[str, bytes]:
    """What a run on this machine writes."""
    of = PortfolioRun(
        source=folder, out=folder.with_name("out.parquet"), options=OPTIONS, format="parquet", bounds=SMALL
    )
    run_portfolio(of, here)
    return {path.name: path.read_bytes() for path in (of.out, of.errors_file)}


def remote_run(bucket: RemotePath, tmp_path: Path, to: str) -> PortfolioRun:
    """The same run in the bucket."""
    near, place = tmp_path / "near" / "out.parquet", bucket / f"{to}/out.parquet"
    near.parent.mkdir(exist_ok=True)
    return PortfolioRun(source=bucket / "in", out=near, to=place, options=OPTIONS, format="parquet", bounds=SMALL)


def names(place: RemotePath) -> list[str]:
    return [name for name, _ in place.files()] if place.is_dir() else []


def test_a_store_gives_the_bytes_of_a_folder(
    bucket: RemotePath, tmp_path: Path, here: Executor, alone: dict[str, bytes]
) -> None:
    of = remote_run(bucket, tmp_path, "whole")
    manifest = run_portfolio(of, here)
    assert names(bucket / "whole") == ["out.parquet", "out.parquet.errors", "out.parquet.manifest.json"]
    for name, content in alone.items():
        assert (bucket / "whole" / name).read_bytes() == content
    assert [entry.file for entry in manifest.inputs] == sorted(FOLDER)
    assert all(len(entry.sha256) == 64 for entry in manifest.inputs)
    for _, file in (bucket / "whole").files():
        assert SECRET.encode() not in file.read_bytes()


def test_a_run_that_is_ended_goes_on_from_another_machine(
    bucket: RemotePath, tmp_path: Path, here: Executor, alone: dict[str, bytes]
) -> None:
    of = remote_run(bucket, tmp_path, "stopped")
    stopped(of, here)
    before = names(of.to.with_name("out.parquet.parts"))
    assert "run.json" in before and "000000000.arrow" in before
    assert names(bucket / "stopped") == [f"out.parquet.parts/{name}" for name in before]

    with pytest.raises(UsageError, match=r"a run into out\.parquet was begun\. Add --resume, or delete s3://audit/"):
        run_portfolio(of, here)
    other = msgspec.structs.replace(of, options=msgspec.structs.replace(OPTIONS, explain=True))
    with pytest.raises(UsageError, match=r"begun with different options"):
        run_portfolio(other, here, resume=True)

    first = part_path(of.parts, 0)
    assert isinstance(first, RemotePath)
    kept = first.known()
    elsewhere = msgspec.structs.replace(of, out=tmp_path / "out.parquet")
    changed: list[bool] = []
    run_portfolio(elsewhere, here, resume=True, on_progress=lambda _: changed.append(first.known() != kept))
    # What was scored was not scored again.
    assert changed and not any(changed)
    assert (bucket / "stopped/out.parquet").read_bytes() == alone["out.parquet"]
    assert names(of.to.with_name("out.parquet.parts")) == []


def test_input_that_changed_is_not_mixed_with_what_was_scored(
    bucket: RemotePath, tmp_path: Path, here: Executor
) -> None:
    source = bucket / "changing.jsonl"
    source.write_bytes(sample_files.lines(sample_files.releases(60)))
    of = msgspec.structs.replace(remote_run(bucket, tmp_path, "changed"), source=source)
    stopped(of, here)
    source.write_bytes(sample_files.lines(sample_files.releases(60))[::-1])
    with pytest.raises(UsageError, match="begun with different input"):
        run_portfolio(of, here, resume=True)


def test_an_output_within_the_input_and_files_of_others_are_refused(
    bucket: RemotePath, tmp_path: Path, here: Executor, alone: dict[str, bytes]
) -> None:
    with pytest.raises(UsageError, match=r"s3://audit/in/out\.parquet is inside the input"):
        run_portfolio(remote_run(bucket, tmp_path, "in"), here)
    of = remote_run(bucket, tmp_path, "taken")
    (of.to.with_name("out.parquet.parts") / "letter.txt").write_bytes(b"mine")
    with pytest.raises(UsageError, match="is in the way, and no run wrote it"):
        run_portfolio(of, here)


def test_what_is_not_there_is_named(bucket: RemotePath, tmp_path: Path, here: Executor) -> None:
    of = msgspec.structs.replace(remote_run(bucket, tmp_path, "none"), source=RemotePath("s3://nobody/in.jsonl"))
    with pytest.raises(UnreachableError, match=r"s3://nobody/in\.jsonl: no such file"):
        run_portfolio(of, here)
    assert names(bucket / "none") == []


def test_a_worker_reads_and_writes_its_blocks_in_the_store(bucket: RemotePath, folder: Path, tmp_path: Path) -> None:
    """What a worker of a cluster is given: descriptions, and where the parts go."""
    source = bucket / "in/2024"
    for block in blocks(source, whole_files=True):
        sent = msgspec.structs.replace(block, kind="parquet", data=b"") if block.kind == "arrow" else block
        to = bucket / f"parts/{block.number}"
        assert run_call(requirements(OPTIONS.bundle), to, score_block, OPTIONS, sent) == b""
        assert to.read_bytes() == score_block(OPTIONS, block)
    assert not {"c.json", "d.parquet", "g.json"} & {
        block.file for block in blocks(source, whole_files=True) if block.data and block.kind != "arrow"
    }


def test_the_commands_of_the_page_run(bucket: RemotePath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bucket / "register.jsonl").write_bytes(sample_files.lines(sample_files.releases(20)))
    (bucket / "tender.json").write_bytes(sample_files.GOOD)
    page = (ROOT / "docs/portfolio.md").read_text()
    portfolio, score = re.findall(r"^tender-risk .*s3://audit.*$", page, re.M)
    # Someone in this process scores, because to start one takes longer than all the rest.
    monkeypatch.setattr(workers, "start_fork_server", lambda: None)
    monkeypatch.setattr(workers, "local_workers", lambda count, _: ThreadPoolExecutor(count))
    monkeypatch.chdir(tmp_path)
    for line, shown in ((portfolio, "s3://audit/audited/scores.worklist.parquet"), (score, "failure")):
        answer = CliRunner().invoke(app, shlex.split(line)[1:])
        assert answer.exit_code == 0, answer.output
        assert shown in answer.output and SECRET not in answer.output
    written = names(bucket / "audited")
    assert written == [
        "report.html", "scores.parquet", "scores.parquet.errors", "scores.parquet.manifest.json", "scores.worklist.parquet"
    ]  # fmt: skip
    assert pq.read_table((bucket / "audited/scores.parquet").open()).num_rows == 20
    assert json.loads((bucket / "audited/scores.parquet.manifest.json").read_bytes())["since"] is None
    assert list(tmp_path.iterdir()) == []
