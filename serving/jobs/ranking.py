"""The worklist of a scored portfolio: every tender by rank, and which of them there are people for.

One function, which the worklist of `tender-risk portfolio` is to take the place of.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from serving.jobs.job import Options
from serving.portfolio.table import SCHEMA

RANKED = pa.schema([*SCHEMA, ("expected_loss_gbp", pa.float64()), ("rank", pa.int64()), ("chosen", pa.bool_())])
"""`expected_loss_gbp` is failure × value, null without a value; `chosen` says that the row is within the capacity."""
GROUP = 5_000
"""Rows of a row group: a page shows rows of few of them, and reads no others."""
REPEATED = ("file", "category", "region", "register", "stage", "band", "unknown", "warnings", "bundle")
"""Columns whose values recur, so that they are held once."""
FILTERED = ("category", "region", "register")
MOST_CHOICES = 200


def ranked(scored: Path, options: Options, out: Path) -> dict[str, list[str]]:
    """Writes the rows of `scored` by rank, whole or not at all.

    Equal rows stay in the order of the input. Answers the values of each column of FILTERED, the commonest first.
    """
    table = pq.read_table(scored, read_dictionary=list(REPEATED))
    loss = pc.multiply(table["failure"], table["value_gbp"])
    table = table.append_column("expected_loss_gbp", loss)
    by = "expected_loss_gbp" if options.rank_by == "loss" else "failure"
    place = pa.array(range(table.num_rows), pa.int64())
    keys = pa.table({"by": table[by], "failure": table["failure"], "place": place})
    order = pc.sort_indices(keys, [("by", "descending"), ("failure", "descending"), ("place", "ascending")])
    table = table.take(order)
    chosen = pa.array(_chosen(table["buyer"], options), pa.bool_())
    rank = pa.array(range(1, table.num_rows + 1), pa.int64())
    table = table.append_column("rank", rank).append_column("chosen", chosen)
    partial = out.with_name(f".{out.name}.partial")
    with pq.ParquetWriter(partial, RANKED, compression="zstd") as writer:
        for at in range(0, table.num_rows, GROUP):
            writer.write_table(table.slice(at, GROUP).cast(RANKED), GROUP)
    partial.replace(out)
    return {name: _values(table[name]) for name in FILTERED}


def _chosen(buyers: Any, options: Options) -> list[bool]:
    """From the top, as many as there are people for, and no more of one buyer than wished."""
    if options.capacity is None:
        return [True] * len(buyers)
    taken: Counter[str] = Counter()
    left, found = options.capacity, []
    for buyer in buyers.to_pylist():
        full = options.most_per_buyer is not None and buyer is not None and taken[buyer] >= options.most_per_buyer
        found.append(left > 0 and not full)
        if found[-1]:
            left -= 1
            taken[buyer] += 1
    return found


def _values(column: Any) -> list[str]:
    counted = pc.value_counts(column.combine_chunks().dictionary_decode().drop_null()).to_pylist()
    counted.sort(key=lambda each: (-each["counts"], each["values"]))
    return [each["values"] for each in counted[:MOST_CHOICES]]


def choices(path: Path) -> dict[str, list[str]]:
    """What `ranked` answered, from the file in which it was kept."""
    return msgspec.json.decode(path.read_bytes(), type=dict[str, list[str]])
