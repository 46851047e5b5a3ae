"""What a portfolio costs beside its floors: `python -m benchmarks.portfolio --size 1000000 --repeats 5`.

The same made-up releases, side by side in one run: typed decoding of their bytes and the boosters' `inplace_predict` of
their matrix, which no scoring can do without, the run itself, the same tenders as flat Parquet, and what the Rust
library `ocdscardinal` takes merely to read the file. Then how the cost grows with the size, the memory at its peak, and
what each feature costs.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import made_tenders
from benchmarks.tables import ResultTable, Row, add_output_options, show, write
from features.table_builder import TableBuilder
from models import bundle as bundles
from models import score as scoring
from models.predict import track_record_lookup
from portfolio.columns import ScoredRows
from portfolio.run import PortfolioRun, run_portfolio
from portfolio.work import CHUNK, RunOptions, cached_bundle
from portfolio.workers import local_workers
from tenders.io import form
from tenders.io.blocks import blocks
from tenders.io.ocds import decode_releases
from tenders.io.read import to_process
from tenders.io.streams import Block, block_lines
from tenders.process import publication_days
from tenders.tender import Tender, bid_count

FLOORS, YARDSTICK, PARQUET, MEMORY = 2.5, 1.5, 3.0, 1024
"""What is promised: at most so many times the floors, so many times the yardstick's MB/s, so many times faster from
Parquet, so many MB."""
SAMPLE = 20_000
MB = 1e6


def main() -> None:
    """Runs the benchmark, prints its tables and writes what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100_000, help="tenders of the largest portfolio")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    add_output_options(parser)
    options = parser.parse_args()
    bundle = str(bundles.released())
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        source = home / "tenders.jsonl"
        made_tenders.write(source, options.size)
        tables = []
        for made in (
            partial(side_by_side, home, source, bundle, options.size, options.workers, options.repeats),
            partial(yardstick, home, source, bundle, options.repeats),
            partial(growth, home, source, options.size, options.workers),
            partial(features, source, bundle),
        ):
            tables.append(made())
            show(tables[-1])
    write("portfolio", tables, options)


def side_by_side(home: Path, source: Path, bundle: str, size: int, workers: int, repeats: int) -> ResultTable:
    """The run, its floors and the same from Parquet, taking turns; medians."""
    files = {
        "JSON lines": source,
        "Parquet": flattened(source, home / "tenders.parquet"),
        "Parquet, instants as texts": flattened(source, home / "texts.parquet", days=False),
    }
    cut = list(blocks(source))
    seconds: dict[str, list[float]] = {name: [] for name in ("decoding", "predicting", *files)}
    with _pool(workers) as floor, local_workers(workers, bundle) as executor:
        list(floor.map(_ready, [bundle] * workers * 2))
        list(executor.map(_ready, [bundle] * workers * 2))
        for _ in range(repeats):
            seconds["decoding"].append(_timed(lambda: list(floor.map(decoded, cut))))
            share = [(bundle, size // (workers * 4))] * (workers * 4)
            seconds["predicting"].append(sum(floor.map(predicted, share)) / workers)
            for name, file in files.items():
                seconds[name].append(_timed(partial(_run, home, file, bundle, workers, executor)))
    taken = {name: statistics.median(times) for name, times in seconds.items()}
    floors = taken["decoding"] + taken["predicting"]
    rows: list[Row] = [
        {"what": name, "seconds": value, "µs a tender": 1e6 * value / size, "times the floors": value / floors}
        for name, value in taken.items()
    ]
    return ResultTable(
        title=f"{size:,} tenders of {source.stat().st_size / size:,.0f} bytes, {workers} workers, median of {repeats}",
        rows=rows,
        notes=[
            f"Times the floors: {taken['JSON lines'] / floors:.2f} (promised: at most {FLOORS}).",
            f"JSON lines over Parquet: {taken['JSON lines'] / taken['Parquet']:.2f} (promised: at least {PARQUET}).",
        ],
    )


def yardstick(home: Path, source: Path, bundle: str, repeats: int) -> ResultTable:
    """MB/s on one thread each: the run, and the Rust library that reads the same file and counts its fields."""
    script = "import ocdscardinal, sys; ocdscardinal.coverage(sys.argv[1])"
    read, scored = [], []
    with local_workers(1, bundle) as executor:
        executor.submit(_ready, bundle).result()
        for _ in range(repeats):
            command = [sys.executable, "-c", script, str(source)]
            environment = {**os.environ, "RAYON_NUM_THREADS": "1"}
            read.append(_timed(partial(subprocess.run, command, env=environment, check=True)))
            scored.append(_timed(partial(_run, home, source, bundle, 1, executor)))
    size = source.stat().st_size / MB
    rate = {"ocdscardinal.coverage": size / statistics.median(read), "scoring": size / statistics.median(scored)}
    times = rate["scoring"] / rate["ocdscardinal.coverage"]
    return ResultTable(
        title="One thread each",
        rows=[{"what": name, "MB/s": value} for name, value in rate.items()],
        notes=[f"Scoring moves {times:.2f} times what the yardstick reads (promised: at least {YARDSTICK})."],
    )


def growth(home: Path, source: Path, size: int, workers: int) -> ResultTable:
    """Seconds and peak memory of the real command, from a thousand tenders up to all of them."""
    rows: list[Row] = []
    counts = [count for count in (1_000, 10_000, 100_000, 1_000_000) if count < size] + [size]
    for count in counts:
        part = home / f"{count}.jsonl"
        with source.open("rb") as whole, part.open("wb") as some:
            some.writelines(islice(whole, count))
        seconds, peak = _command(part, home / "out.parquet", workers)
        part.unlink()
        rows.append({"tenders": count, "seconds": seconds, "µs a tender": 1e6 * seconds / count, "peak MB": peak})
    line = np.polyfit([row["tenders"] for row in rows], [row["seconds"] for row in rows], 1)
    off = max(abs(np.polyval(line, row["tenders"]) / row["seconds"] - 1) for row in rows)
    return ResultTable(
        title="How it grows: the whole command",
        rows=rows,
        notes=[
            f"A line fits: {line[1]:.1f} s to start and {1e6 * line[0]:.0f} µs a tender, off by at most {off:.0%}.",
            f"Peak memory, of all processes together: {max(row['peak MB'] for row in rows):.0f} MB (promised: under "
            f"{MEMORY}).",
        ],
    )


def _command(source: Path, out: Path, workers: int) -> tuple[float, float]:
    """Seconds that the command takes, and the most MB that its processes held together, shared pages shared out."""
    command = [str(Path(sys.executable).with_name("tender-risk")), "portfolio", str(source), str(out)]
    began, peak = perf_counter(), 0.0
    running = subprocess.Popen([*command, "--stage", "draft", "--workers", str(workers)], stdout=subprocess.DEVNULL)
    while running.poll() is None:
        peak = max(peak, sum(map(_held, [running.pid, *_below(running.pid)])))
        time.sleep(0.1)
    if running.returncode:
        raise SystemExit(f"the command failed with {running.returncode}")
    return perf_counter() - began, peak / MB


def features(source: Path, bundle: str) -> ResultTable:
    """What each step and each feature costs, in microseconds a tender, in chunks and batches as a worker makes them."""
    loaded = cached_bundle(bundle)
    with source.open("rb") as file:
        texts = list(islice(file, SAMPLE))
    # As in a worker: what is held for good is not walked again and again.
    gc.freeze()
    cost = {"decoding (floor)": _timed(lambda: deque(map(_decode, texts), maxlen=0))}
    rows = ScoredRows(source.name)
    checked = rows.checked(loaded, "draft")
    builder = TableBuilder(loaded.columns_read("draft"), "draft")
    for at in range(0, len(texts), CHUNK):
        steps = _Steps(cost)
        read = steps.taken("decoding and checking", decode_releases, texts[at : at + CHUNK], checked)
        days = steps.taken("days of publication", publication_days, read.chunk.tenders)
        steps.taken("columns", builder.add, read.chunk, days)
        rows.add_releases(loaded, "draft", [0] * len(read.chunk), read.chunk, [()] * len(read.chunk))
    table = builder.table()
    table = table.with_records(steps.taken("track records", track_record_lookup, loaded, table))
    for feature in loaded.weighed:
        if feature.stage == "draft":
            cost[f"feature {feature.name}"] = _timed(partial(feature.measure, table))
    cost["all that is predicted and told, as a table"] = _timed(rows.table)
    floor = cost["decoding (floor)"]
    return ResultTable(
        title="Where the time goes, one thread",
        rows=[
            {"step": name, "µs a tender": 1e6 * seconds / len(texts), "times decoding": seconds / floor}
            for name, seconds in cost.items()
        ],
    )


class _Steps:
    """Seconds by step, added up."""

    def __init__(self, cost: dict[str, float]) -> None:
        self._cost = cost

    def taken(self, name: str, step: Callable[..., Any], *given: Any) -> Any:
        """What a step makes of what is given."""
        began = perf_counter()
        made = step(*given)
        self._cost[name] = self._cost.get(name, 0.0) + perf_counter() - began
        return made


def flattened(source: Path, to: Path, days: bool = True) -> Path:
    """The same tenders as a table of the flat form's columns: its dates as days, or as the texts of the releases."""
    names = (
        "title", "description", "buyer", "region", "cpv", "category", "value", "currency", "lots", "published",
        "tender_start", "tender_end", "contract_start", "contract_end", "procurement_method", "bidders", "award_value",
        "award_date", "supplier",
    )  # fmt: skip
    kinds = {"value": pa.float64(), "lots": pa.int64(), "bidders": pa.int64(), "award_value": pa.float64()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in names])
    dated = [name for name in names if form.BY_KEY[name].kind == "date" and days]
    with pq.ParquetWriter(to, _dated(schema, dated), compression="zstd") as writer:
        for some in _some(source, 50_000):
            table = pa.Table.from_pylist([_flat(msgspec.json.decode(line)) for line in some], schema=schema)
            for name in dated:
                texts = pc.utf8_slice_codeunits(table[name], 0, 10)
                table = table.set_column(names.index(name), name, texts.cast(pa.date32()))
            writer.write_table(table)
    return to


def _dated(schema: pa.Schema, names: list[str]) -> pa.Schema:
    return pa.schema([field.with_type(pa.date32()) if field.name in names else field for field in schema])


def decoded(block: Block) -> int:
    """Decodes every line of a block into the product's own types, and keeps nothing."""
    for _, line in block_lines(block):
        _decode(line)
    return block.number


def predicted(work: tuple[str, int]) -> float:
    """Seconds that the boosters take for so many rows of the matrix that the made-up releases give."""
    bundle, rows = work
    loaded = cached_bundle(bundle)
    made = [to_process(release) for release in made_tenders.releases(200)]
    cases = [scoring.case(loaded, process, "draft") for process in made]
    ((_, prediction),) = scoring.predict_cases(cases)
    seconds = 0.0
    for outcome, matrix in prediction.matrix.items():
        booster = loaded.boosters[loaded.part(outcome, "draft").outcome, "draft"]
        whole = np.tile(matrix, (rows // len(matrix) + 1, 1))[:rows]
        seconds += _timed(partial(booster.inplace_predict, whole, predict_type="margin"))
    return seconds


_decode = msgspec.json.Decoder(Tender).decode


def _run(home: Path, source: Path, bundle: str, workers: int, executor: Executor) -> None:
    options = RunOptions(bundle=bundle, stage="draft")
    run = PortfolioRun(source=source, out=home / "out.parquet", options=options, format="parquet", workers=workers)
    run_portfolio(run, executor)


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, get_context("forkserver"))


def _ready(bundle: str) -> None:
    cached_bundle(bundle)
    time.sleep(0.2)


def _timed(call: Callable[[], object]) -> float:
    began = perf_counter()
    call()
    return perf_counter() - began


def _some(source: Path, size: int) -> Iterator[list[bytes]]:
    with source.open("rb") as file:
        while some := list(islice(file, size)):
            yield some


def _flat(release: dict[str, object]) -> Row:
    document = msgspec.convert(release, Tender)
    about, value = document.tender, document.tender.value
    award = document.awards[0] if document.awards else None
    period, term = about.tender_period, about.contract_period
    return {
        "title": about.title,
        "description": about.description,
        "buyer": document.buyer.name if document.buyer else None,
        "region": about.items[0].delivery_addresses[0].region,
        "cpv": str(about.items[0].classification.id) if about.items[0].classification else None,
        "category": about.main_procurement_category,
        "value": value.amount if value else None,
        "currency": value.currency if value else None,
        "lots": len(about.lots),
        "published": about.date_published,
        "tender_start": period.start_date if period else None,
        "tender_end": period.end_date if period else None,
        "contract_start": term.start_date if term else None,
        "contract_end": term.end_date if term else None,
        "procurement_method": about.procurement_method,
        "bidders": bid_count(document, None),
        "award_value": award.value.amount if award and award.value else None,
        "award_date": award.date if award else None,
        "supplier": award.suppliers[0].name if award else None,
    }


def _below(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from _below(child)


def _held(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return 1024 * float(next((line.split()[1] for line in text.splitlines() if line.startswith("Pss:")), 0))


if __name__ == "__main__":
    main()
