"""What more weighed features cost a portfolio: `python -m benchmarks.feature_cost`.

The released bundle beside the same bundle that also weighs `price_only`, three more features and ten documented
factors, each with an effect of 0, so that what differs is the cost of the features. Both score the same tenders in
turns in one process; the ratio of the least processor times is promised to be at most MOST.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from time import process_time

from msgspec.structs import replace

from benchmarks import made_tenders
from benchmarks.portfolio import flattened
from benchmarks.tables import ResultTable, Row, add_output_options, show, write
from features.catalogue import catalogue, factor_features
from models import bundle as bundles
from models.bundle import Bundle
from portfolio.work import RunOptions, cached_bundle, score_block
from tenders.facts import STAGES
from tenders.io.blocks import blocks

MOST = 1.3
FEATURES = ("price_only", "cpv_divisions", "title_words", "round_value")
FACTORS = 10


def main() -> None:
    """Runs the benchmark, prints its table; exit 1 if more features cost more than MOST."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=9)
    add_output_options(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = compared(Path(folder), options.size, options.repeats)
    show(table)
    write("feature_cost", [table], options)
    raise SystemExit(0 if all(row["ratio"] <= MOST for row in table.rows) else 1)


def compared(home: Path, size: int, repeats: int) -> ResultTable:
    """A row a stage and kind of file: microseconds a tender with each bundle, and their ratio."""
    released = bundles.load(bundles.released())
    added = added_features(released)
    # Nobody signs what is only measured.
    os.environ["TENDER_RISK_UNSIGNED"] = "allow"
    bundles.save(with_features(released, added), home / "more")
    directories = {"released": str(bundles.released()), "more features": str(home / "more")}
    rows: list[Row] = []
    for stage in STAGES:
        lines = home / f"{stage}.jsonl"
        made_tenders.write(lines, size, stage=stage)
        for kind, file in {"JSON lines": lines, "Parquet": flattened(lines, home / f"{stage}.parquet")}.items():
            seconds = {name: float("inf") for name in directories}
            cut = list(blocks(file))
            for _ in range(repeats):
                for name, directory in directories.items():
                    cached_bundle(directory)
                    began = process_time()
                    for block in cut:
                        score_block(RunOptions(bundle=directory), block)
                    seconds[name] = min(seconds[name], process_time() - began)
            costs = {f"{name}, µs": 1e6 * taken / size for name, taken in seconds.items()}
            ratio = seconds["more features"] / seconds["released"]
            rows.append({"stage": stage, "file": kind, **costs, "ratio": ratio})
    note = f"Added: {', '.join(added)}. Promised: at most {MOST} times."
    return ResultTable(title=f"{size:,} tenders, one process, least of {repeats} turns", rows=rows, notes=[note])


def added_features(bundle: Bundle) -> tuple[str, ...]:
    """The features of FEATURES, and the first FACTORS documented factors of a draft that the bundle does not weigh."""
    weighed = {feature.name for feature in bundle.weighed}
    factors = [feature.name for feature, _ in factor_features() if feature.stage == "draft" and feature.path]
    return (*FEATURES, *[name for name in factors if name not in {*weighed, *FEATURES}][:FACTORS])


def with_features(bundle: Bundle, names: tuple[str, ...]) -> Bundle:
    """The same bundle, which also weighs these features, each with an effect of 0 on every outcome."""
    like = bundle.manifest.effects[0]
    none = {outcome: replace(effect, coefficient=0.0) for outcome, effect in like.outcomes.items()}
    added = [
        replace(like, feature=name, stage=catalogue()[name].stage, fact=name, outcomes=none, unless="")
        for name in names
    ]
    return replace(bundle, manifest=replace(bundle.manifest, effects=(*bundle.manifest.effects, *added)))


if __name__ == "__main__":
    main()
