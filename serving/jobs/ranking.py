"""The worklist of a job as its pages need it: every scored row by rank, and which of them there are people for.

Order and choice are those of `serving.portfolio`, whose worklist holds the chosen rows alone.
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

from serving.portfolio import ranking, writing
from serving.portfolio.table import SCHEMA
from serving.portfolio.worklist import Wish

RANKED = pa.schema([*SCHEMA, ("expected_loss_gbp", pa.float64()), ("rank", pa.int64()), ("chosen", pa.bool_())])
"""`expected_loss_gbp` is failure × value, null without a value; `chosen` says that the row is on the worklist."""
GROUP = 5_000
"""Rows of a row group: a page shows rows of few of them, and reads no others."""
REPEATED = ("file", "category", "region", "register", "stage", "band", "unknown", "warnings", "bundle")
"""Columns whose values recur, so that they are held once."""
FILTERED = ("category", "region", "register")
MOST_CHOICES = 200

Choices = dict[str, list[str]]
"""The values of each column of FILTERED, the commonest first."""


def ranked(scored: Path, listed: Path, wish: Wish, out: Path) -> Choices:
    """Writes every row of `scored` by rank, whole or not at all; those of the worklist `listed` with its reasons."""
    by_loss = wish.rank_by == "expected_loss"
    standing = ranking.standing(ds.dataset(scored), wish.seed)
    choice = ranking.choose(standing, by_loss, wish.capacity, wish.drawn, wish.most_per_buyer)
    order = ranking.order(standing, by_loss)
    on_list = np.concatenate([choice.risk, choice.random])
    reasons = np.full(len(order), None, dtype=object)
    reasons[on_list] = pq.read_table(listed, columns=["reasons"])["reasons"].to_pylist()
    table = pq.read_table(scored, read_dictionary=list(REPEATED)).take(pa.array(order))
    table = table.set_column(SCHEMA.get_field_index("reasons"), "reasons", pa.array(reasons[order], pa.string()))
    table = table.append_column("expected_loss_gbp", pc.multiply(table["failure"], table["value_gbp"]))
    table = table.append_column("rank", pa.array(np.arange(1, len(order) + 1)))
    table = table.append_column("chosen", pa.array(np.isin(order, on_list)))
    unfinished = writing.partial(out)
    with pq.ParquetWriter(unfinished, RANKED, compression="zstd") as writer:
        for at in range(0, table.num_rows, GROUP):
            writer.write_table(table.slice(at, GROUP).cast(RANKED), GROUP)
    unfinished.replace(out)
    return {name: _values(table[name]) for name in FILTERED}


def choices(path: Path) -> Choices:
    """What `ranked` answered, from the file in which it was kept."""
    return msgspec.json.decode(path.read_bytes(), type=Choices)


def _values(column: Any) -> list[str]:
    counted = pc.value_counts(column.combine_chunks().dictionary_decode().drop_null()).to_pylist()
    counted.sort(key=lambda each: (-each["counts"], each["values"]))
    return [each["values"] for each in counted[:MOST_CHOICES]]
