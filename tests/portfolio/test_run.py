"""A run gives the same bytes whoever scores it and however often it was killed, and loses no row without saying so."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from models import bundle as bundles
from models import score as scoring
from models.bundle import Bundle
from portfolio import workers
from portfolio.columns import JOINT
from portfolio.manifest import RunManifest
from portfolio.parts import existing
from portfolio.run import PortfolioRun, _read_outcomes, run_portfolio
from portfolio.work import RefusedRow, RunOptions
from tenders.errors import UsageError
from tenders.io.blocks import blocks
from tenders.io.read import read_bytes
from tenders.io.streams import Bounds
from tests import samples
from tests.bad_input import BAD
from tests.portfolio import sample_files

SMALL = Bounds(block=20_000)
OPTIONS = RunOptions(bundle=str(bundles.released()), stage="draft")


@pytest.fixture(scope="module")
def here() -> Iterator[Executor]:
    """Someone who scores in this process."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A hundred and fifty tenders: several blocks of them."""
    return sample_files.written(tmp_path, "in.jsonl", sample_files.lines(sample_files.releases(150)))


def small_run(source: Path, name: str = "out.parquet", options: RunOptions = OPTIONS) -> PortfolioRun:
    """A run in small blocks, into a file beside its input."""
    out = source.with_name(name)
    return PortfolioRun(source=source, out=out, options=options, format=out.suffix[1:], bounds=SMALL)


def stopped(of: PortfolioRun, by: Executor) -> None:
    """A run that is ended from outside when its first block is done."""

    class Stopped(Exception):
        """As a signal would."""

    def stop(_: object) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        run_portfolio(of, by, on_progress=stop)


def refused(of: PortfolioRun) -> list[RefusedRow]:
    """The refusals of a run."""
    return [msgspec.json.decode(line, type=RefusedRow) for line in of.errors_file.read_bytes().splitlines()]


def test_every_row_equals_the_score_of_its_tender(source: Path, here: Executor, bundle: Bundle) -> None:
    of = small_run(source)
    assert run_portfolio(of, here).counts.scored == 150
    table = pq.read_table(of.out).to_pylist()
    for line, row in zip(source.read_bytes().splitlines(), table, strict=True):
        score = scoring.score(bundle, read_bytes(line)[0], "draft")
        expected = [
            row[name] for name in ("ocid", "stage", "failure", "low", "high", "band", "base_rate", "register", "bundle")
        ]
        assert expected == [
            score.ocid, score.stage, score.failure, *score.interval, score.band, score.base_rate, score.register,
            score.bundle,
        ]  # fmt: skip
        assert {name: row[name] for name in score.outcomes.__struct_fields__} == msgspec.structs.asdict(score.outcomes)
        assert row["unknown"].split(JOINT) == [unknown.feature for unknown in score.unknown]
        assert row["warnings"] == JOINT.join(score.warnings)
    assert [row["line"] for row in table] == list(range(1, 151))


def test_reasons_equal_those_of_a_score(source: Path, here: Executor, bundle: Bundle) -> None:
    of = small_run(source, options=msgspec.structs.replace(OPTIONS, explain=True))
    run_portfolio(of, here)
    score = scoring.score(bundle, read_bytes(source.read_bytes().splitlines()[0])[0], "draft")
    (row,) = pq.read_table(of.out).slice(0, 1).to_pylist()
    assert row["reasons"].split(JOINT)[0].startswith(score.reasons[0].text)


def test_the_workers_do_not_change_a_byte(source: Path, here: Executor) -> None:
    alone, together = small_run(source), msgspec.structs.replace(small_run(source, "together.parquet"), workers=2)
    run_portfolio(alone, here)
    with workers.local_workers(2, OPTIONS.bundle) as two:
        run_portfolio(together, two)
    assert alone.out.read_bytes() == together.out.read_bytes()


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.xlsx", "out.jsonl"])
def test_a_resumed_run_gives_the_same_bytes(source: Path, here: Executor, name: str) -> None:
    of = small_run(source, name)
    run_portfolio(of, here)
    whole = of.out.read_bytes(), of.errors_file.read_bytes()
    again = small_run(source, f"stopped-{name}")
    stopped(again, here)
    # Those that were under way when it was ended are there too.
    assert not again.out.exists() and 1 <= len(existing(again.parts_folder)) <= workers.CALLS_AHEAD
    assert len(list(blocks(source, bounds=SMALL))) > workers.CALLS_AHEAD
    run_portfolio(again, here, resume=True)
    assert (again.out.read_bytes(), again.errors_file.read_bytes()) == whole
    assert not again.parts_folder.exists()


def test_no_worker_writes_after_a_run_has_ended(source: Path) -> None:
    of = small_run(source)
    with ThreadPoolExecutor(2) as two:
        stopped(of, two)
        left = existing(of.parts_folder)
    assert left and existing(of.parts_folder) == left


def test_a_killed_command_resumes_to_the_same_bytes(source: Path, here: Executor) -> None:
    """The real command, killed at a moment of chance, again and again until it is through."""
    command = [str(Path(sys.executable).with_name("tender-risk")), "portfolio", str(source), "--stage", "draft"]
    moment = random.Random(5)
    out = source.with_name("killed.parquet")
    for attempt in range(3):
        resume = ["--resume"] if out.with_name("killed.parquet.parts").exists() else []
        running = subprocess.Popen([*command, str(out), *resume], start_new_session=True)
        try:
            assert running.wait(timeout=1 + 4 * moment.random() if attempt < 2 else 120) == 0
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        if out.exists():
            break
    of = msgspec.structs.replace(small_run(source), bounds=Bounds())
    run_portfolio(of, here)
    assert out.read_bytes() == of.out.read_bytes()


def test_workers_end_with_a_run_that_is_killed(source: Path) -> None:
    script = (
        "import time\nfrom portfolio import workers\nfrom models import bundle\n"
        "with workers.local_workers(1, str(bundle.released())) as one:\n"
        "    import os; print(one.submit(os.getpid).result(), flush=True); time.sleep(60)"
    )
    running = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert running.stdout
    worker = int(running.stdout.readline())
    running.kill()
    running.wait()
    running.stdout.close()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists()


def test_a_bad_row_costs_that_row_only_and_is_reported(tmp_path: Path, here: Executor) -> None:
    bad = [sample for sample in BAD if sample.suffix == ".json" and sample.data.strip() and b"\n" not in sample.data]
    assert len(bad) >= 30
    good = samples.data(samples.draft())
    content = b"".join(good + b"\n" + sample.data + b"\n" for sample in bad)
    of = small_run(sample_files.written(tmp_path, "in.jsonl", content))
    counts = run_portfolio(of, here).counts
    assert {row.line for row in refused(of)} == set(range(2, 2 * len(bad) + 1, 2))
    assert all(row.problem for row in refused(of))
    # A bad package may hold a good release, which stands on a line with an even number.
    scored = pq.read_table(of.out)["line"].to_pylist()
    assert [line for line in scored if line % 2] == list(range(1, 2 * len(bad), 2))
    assert counts.scored == len(scored)


def test_a_run_that_was_begun_is_not_overwritten(source: Path, here: Executor) -> None:
    of = small_run(source)
    stopped(of, here)
    with pytest.raises(UsageError, match="--resume"):
        run_portfolio(of, here)


def test_parts_with_other_options_or_input_are_refused(source: Path, here: Executor) -> None:
    of = small_run(source)
    stopped(of, here)
    with pytest.raises(UsageError, match="different options"):
        run_portfolio(
            msgspec.structs.replace(of, options=msgspec.structs.replace(OPTIONS, stage="awarded")), here, resume=True
        )
    source.write_bytes(source.read_bytes() + sample_files.GOOD + b"\n")
    with pytest.raises(UsageError, match="different input"):
        run_portfolio(of, here, resume=True)


def test_the_manifest_records_inputs_counts_and_output(source: Path, here: Executor) -> None:
    of = small_run(source)
    manifest = run_portfolio(of, here)
    assert msgspec.json.decode(of.manifest_file.read_bytes(), type=RunManifest) == manifest
    assert manifest.output_sha256 == hashlib.sha256(of.out.read_bytes()).hexdigest()
    assert manifest.inputs[0].size == source.stat().st_size and len(manifest.inputs[0].sha256) == 64
    assert manifest.counts.scored == sum(manifest.counts.bands.values()) == sum(manifest.counts.stages.values()) == 150
    assert manifest.counts.repeated == 0 and manifest.versions["python"]


def test_an_ocid_that_stood_before_is_counted(tmp_path: Path, here: Executor) -> None:
    content = sample_files.lines(sample_files.releases(3)) * 2
    assert run_portfolio(small_run(sample_files.written(tmp_path, "in.jsonl", content)), here).counts.repeated == 3


def test_nothing_to_score_is_an_empty_table(tmp_path: Path, here: Executor) -> None:
    of = small_run(sample_files.written(tmp_path, "in.jsonl", b'{"no": "tender"}\n'))
    counts = run_portfolio(of, here).counts
    assert (counts.scored, counts.refused) == (0, 1)
    assert pq.read_table(of.out).num_rows == 0


def test_known_outcomes_are_read_of_notices_as_everywhere() -> None:
    notices = Path(__file__).parents[2] / "examples" / "own-history" / "notices.json"
    known = _read_outcomes(notices)
    assert known is not None
    assert known.to_pydict() == {
        "ocid": ["own-1", "own-2", "own-3", "own-4", "own-5"],
        "failed": [None, True, True, None, None],
    }
