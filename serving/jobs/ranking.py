"""The worklist of a scored portfolio as its pages need it: every row by rank, and those that there are people for.

The order, the choice and the report are those of `serving.portfolio`; here they become files of a job.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from models.bundle import Bundle
from serving.jobs.job import Options
from serving.portfolio import ranking, saying
from serving.portfolio.report import report
from serving.portfolio.table import SCHEMA
from serving.portfolio.worklist import Wish, Worklist, worklist

RANKED = pa.schema([*SCHEMA, ("expected_loss_gbp", pa.float64()), ("rank", pa.int64()), ("chosen", pa.bool_())])
"""`expected_loss_gbp` is failure × value, null without a value; `chosen` says that the row is on the worklist."""
GROUP = 5_000
"""Rows of a row group: a page shows rows of few of them, and reads no others."""
REPEATED = ("file", "category", "region", "register", "stage", "band", "unknown", "warnings", "bundle")
"""Columns whose values recur, so that they are held once."""
FILTERED = ("category", "region", "register")
MOST_CHOICES = 200


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside the rows: sentences on how they were chosen, and the values they can be filtered by."""

    said: tuple[str, ...]
    choices: dict[str, list[str]]


def wish(options: Options, rows: int) -> Wish:
    """What is asked of the worklist; without a capacity, every row."""
    capacity = options.capacity or max(rows, 1)
    return Wish(capacity=capacity, rank_by=options.rank_by, most_per_buyer=options.most_per_buyer)


def listed(scored: Path, options: Options, bundle: Bundle) -> Worklist:
    """The rows of `scored` that there are people for."""
    source = ds.dataset(scored)
    return worklist(source, wish(options, source.count_rows()), metrics=bundle.manifest.metrics)


def reported(scored: Path, made: Worklist, facts: Any, bundle: Bundle) -> str:
    """The report on a run; `facts` are those of its manifest."""
    return report(ds.dataset(scored), made, msgspec.to_builtins(facts), bundle)


def ranked(scored: Path, made: Worklist, out: Path) -> About:
    """Writes every row of `scored` by rank, whole or not at all, and which of them are in the worklist `made`."""
    asked = made.summary.wish
    by_loss = asked.rank_by == "expected_loss"
    standing = ranking.standing(ds.dataset(scored), asked.seed)
    choice = ranking.choose(standing, by_loss, asked.capacity, asked.drawn, asked.most_per_buyer)
    order = ranking.order(standing, by_loss)
    table = pq.read_table(scored, read_dictionary=list(REPEATED)).take(pa.array(order))
    chosen = np.isin(order, np.concatenate([choice.risk, choice.random]))
    loss = pc.multiply(table["failure"], table["value_gbp"])
    for name, column in (
        ("expected_loss_gbp", loss),
        ("rank", pa.array(np.arange(1, len(order) + 1))),
        ("chosen", pa.array(chosen)),
    ):
        table = table.append_column(name, column)
    partial = out.with_name(f".{out.name}.partial")
    with pq.ParquetWriter(partial, RANKED, compression="zstd") as writer:
        for at in range(0, table.num_rows, GROUP):
            writer.write_table(table.slice(at, GROUP).cast(RANKED), GROUP)
    partial.replace(out)
    return About(said=saying.said(made.summary), choices={name: _values(table[name]) for name in FILTERED})


def _values(column: Any) -> list[str]:
    counted = pc.value_counts(column.combine_chunks().dictionary_decode().drop_null()).to_pylist()
    counted.sort(key=lambda each: (-each["counts"], each["values"]))
    return [each["values"] for each in counted[:MOST_CHOICES]]
