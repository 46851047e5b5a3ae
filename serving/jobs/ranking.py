"""The worklist of a job as its pages need it: every scored row by rank, and which of them there are people for.

Order and choice are those of `portfolio`, whose worklist holds the chosen rows alone.
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

from portfolio import ranking
from portfolio.ranking import Indices, RankingKeys, Selection
from portfolio.table import SCHEMA
from portfolio.worklist import EARLIER_COLUMNS, WorklistOptions, compare_with_earlier
from tenders import files

RANKED = pa.schema(
    [
        *SCHEMA,
        ("expected_loss_gbp", pa.float64()),
        ("rank", pa.int64()),
        ("chosen", pa.bool_()),
        ("drawn", pa.bool_()),
        ("change", pa.string()),
        ("earlier_failure", pa.float64()),
        ("moved", pa.float64()),
    ]
)
"""`expected_loss_gbp` is failure × value, null without a value; `chosen` says that the row is on the worklist, `drawn`
that the draw put it there. `change` is told as on the worklist, of the row that stands for its tender; `moved` is
failure less `earlier_failure`. All three are null where nothing earlier is compared."""
GROUP = 5_000
"""Rows of a row group: a page shows rows of few of them, and reads no others."""
REPEATED = ("file", "category", "region", "register", "stage", "band", "unknown", "warnings", "bundle")
"""Columns whose values recur, so that they are held once."""
FILTERED = ("category", "region", "register")
MOST_CHOICES = 200

Choices = dict[str, list[str]]
"""The values of each column of FILTERED, the commonest first."""


def ranked(scored: Path, listed: Path, wish: WorklistOptions, out: Path, since: Path | None = None) -> Choices:
    """Writes every row of `scored` by rank, whole or not at all; those of the worklist `listed` with its reasons.

    `since` are the scored rows of an earlier job.
    """
    by_loss = wish.rank_by == "expected_loss"
    keys = ranking.read_ranking_keys(ds.dataset(scored), wish.seed)
    choice = ranking.select(keys, by_loss, wish.capacity, wish.sample_size, wish.most_per_buyer)
    order = ranking.rank_order(keys, by_loss)
    on_list = choice.rows
    reasons = np.full(len(order), None, dtype=object)
    reasons[on_list] = pq.read_table(listed, columns=["reasons"])["reasons"].to_pylist()
    table = pq.read_table(scored, read_dictionary=list(REPEATED)).take(pa.array(order))
    table = table.set_column(SCHEMA.get_field_index("reasons"), "reasons", pa.array(reasons[order], pa.string()))
    table = table.append_column("expected_loss_gbp", pc.multiply(table["failure"], table["value_gbp"]))
    table = table.append_column("rank", pa.array(np.arange(1, len(order) + 1)))
    table = table.append_column("chosen", pa.array(np.isin(order, on_list)))
    table = table.append_column("drawn", pa.array(np.isin(order, choice.at_random)))
    for name, column in _changes(keys, choice, order, wish.seed, since).items():
        table = table.append_column(name, column)
    unfinished = files.partial(out)
    with pq.ParquetWriter(unfinished, RANKED, compression="zstd") as writer:
        for at in range(0, table.num_rows, GROUP):
            writer.write_table(table.slice(at, GROUP).cast(RANKED), GROUP)
    unfinished.replace(out)
    return {name: _values(table[name]) for name in FILTERED}


def _changes(
    keys: RankingKeys, choice: Selection, order: Indices, seed: int, since: Path | None
) -> dict[str, pa.Array]:
    """The columns `change`, `earlier_failure` and `moved` of rows in `order`."""
    names = ("change", "earlier_failure", "moved")
    if since is None:
        return {name: pa.nulls(len(order), RANKED.field(name).type) for name in names}
    earlier = pq.read_table(since, columns=[name for name in EARLIER_COLUMNS if name in SCHEMA.names])
    found = compare_with_earlier(keys.tender[order], keys.failure[order], earlier, seed)
    found["moved"] = pc.round(pc.subtract(pa.array(keys.failure[order]), found["earlier_failure"]), 4)
    # Other rows of a tender were scored on less or more of it: beside the earlier one they would seem to have moved.
    first = pa.array(np.isin(order, choice.tenders))
    return {name: pc.if_else(first, found[name], pa.scalar(None, found[name].type)) for name in names}


def choices(path: Path) -> Choices:
    """What `ranked` answered, from the file in which it was kept."""
    return msgspec.json.decode(path.read_bytes(), type=Choices)


def _values(column: Any) -> list[str]:
    counted = pc.value_counts(column.combine_chunks().dictionary_decode().drop_null()).to_pylist()
    counted.sort(key=lambda each: (-each["counts"], each["values"]))
    return [each["values"] for each in counted[:MOST_CHOICES]]
