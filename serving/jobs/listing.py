"""The rows of a job for its pages: every scored row by rank in one Parquet file, from which pyarrow cuts a page.

Rank and choice are those of `portfolio`, whose worklist holds the rows to review alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from portfolio import ranking
from portfolio.columns import OUTPUT_SCHEMA
from portfolio.ranking import Indices, RankingKeys, Selection
from portfolio.worklist import EARLIER_COLUMNS, WorklistOptions, compare_with_earlier
from tenders import files

RANKED_SCHEMA = pa.schema(
    [
        *OUTPUT_SCHEMA,
        ("expected_loss_gbp", pa.float64()),
        ("rank", pa.int64()),
        ("chosen", pa.bool_()),
        ("drawn", pa.bool_()),
        ("change", pa.string()),
        ("earlier_failure", pa.float64()),
        ("moved", pa.float64()),
    ]
)
"""`expected_loss_gbp` is failure × value, null without a value; `chosen` marks rows of the worklist, `drawn` those of
them that the random draw chose. `change` is as on the worklist, on the row that stands for its tender; `moved` is
failure less `earlier_failure`. All three are null without an earlier job."""
GROUP_ROWS = 5_000
"""Rows of a row group: a page shows rows of few groups, and reads no others."""
REPEATED = ("file", "category", "region", "register", "stage", "band", "unknown", "warnings", "bundle")
"""Columns whose values recur: each distinct value is held once."""
CHOICE_COLUMNS = ("category", "region", "register")
MAX_CHOICES = 200
PAGE_ROWS = 50
MAX_FILTER_LENGTH = 200
BANDS = ("very high", "high", "typical", "low")
VALUES: Mapping[str, tuple[str, float | None, float | None]] = {
    "unknown": ("unknown", None, None),
    "-100k": ("under £100,000", 0, 1e5),
    "100k-1m": ("£100,000 to £1 million", 1e5, 1e6),
    "1m-10m": ("£1 to £10 million", 1e6, 1e7),
    "10m-100m": ("£10 to £100 million", 1e7, 1e8),
    "100m-": ("over £100 million", 1e8, None),
}
"""Bands of value: label, from, and up to but not including."""
CHANGES = {"new": "new", "up": "likelier to fail", "down": "less likely", "same": "the same"}
ROWS = {"1": "on the worklist", "random": "drawn at random"}
EXACT_FILTERS = ("band", "category", "region", "register", "change")
FILTERS = (*EXACT_FILTERS, "buyer", "value", "chosen")

Choices = dict[str, list[str]]
"""The values of each column of CHOICE_COLUMNS, the most common first."""


class WorklistView(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows a page shows and in which order; `down` sorts from the largest."""

    sort: str = "rank"
    down: bool = False
    page: int = 1
    filters: Mapping[str, str] = {}

    def query(self, **changes: Any) -> str:
        """The view with changes, as the query of an address."""
        view = msgspec.structs.replace(self, **changes)
        values: dict[str, Any] = {name: value for name, value in view.filters.items() if value}
        if (view.sort, view.down) != ("rank", False):
            values.update(sort=view.sort, down=int(view.down))
        return urlencode(values | ({"page": view.page} if view.page > 1 else {}))


class WorklistPage(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a page; `count` rows match the filters, of `total`; `page` and `last` are page numbers."""

    rows: list[dict[str, Any]]
    count: int
    total: int
    page: int
    last: int


def write_ranked(
    scored: Path, worklist: Path, options: WorklistOptions, out: Path, scratch: Path, earlier: Path | None = None
) -> Choices:
    """Writes every row of `scored` by rank, whole or not at all; rows of `worklist` with their reasons.

    `scratch` is a folder for files that the caller deletes. `earlier` has the scored rows of an earlier job. Returns
    the values that the rows can be filtered by.
    """
    by_loss = options.rank_by == "expected_loss"
    keys = ranking.read_ranking_keys(ds.dataset(scored), options.seed)
    selection = ranking.select(keys, by_loss, options.capacity, options.sample_size, options.most_per_buyer)
    order = ranking.rank_order(keys, by_loss)
    chosen = selection.rows
    reasons = np.full(len(order), None, dtype=object)
    reasons[chosen] = pq.read_table(worklist, columns=["reasons"])["reasons"].to_pylist()
    table = _in_order(scored, pa.array(order), scratch)
    table = table.set_column(OUTPUT_SCHEMA.get_field_index("reasons"), "reasons", pa.array(reasons[order], pa.string()))
    table = table.append_column("expected_loss_gbp", pc.multiply(table["failure"], table["value_gbp"]))
    table = table.append_column("rank", pa.array(np.arange(1, len(order) + 1)))
    table = table.append_column("chosen", pa.array(np.isin(order, chosen)))
    table = table.append_column("drawn", pa.array(np.isin(order, selection.at_random)))
    for name, column in _change_columns(keys, selection, order, options.seed, earlier).items():
        table = table.append_column(name, column)
    partial = files.partial_path(out)
    with pq.ParquetWriter(partial, RANKED_SCHEMA, compression="zstd") as writer:
        for start in range(0, table.num_rows, GROUP_ROWS):
            writer.write_table(table.slice(start, GROUP_ROWS).cast(RANKED_SCHEMA), GROUP_ROWS)
    partial.replace(out)
    return {name: _common_values(table[name]) for name in CHOICE_COLUMNS}


def _in_order(scored: Path, order: pa.Array, scratch: Path) -> pa.Table:
    """All rows in order, as files of `scratch`, one a column, which are mapped and not held in memory."""
    columns = {}
    for name in OUTPUT_SCHEMA.names:
        read = pq.read_table(scored, columns=[name], read_dictionary=[name] if name in REPEATED else None)
        file = scratch / f"{name}.arrow"
        with pa.ipc.new_stream(str(file), read.schema) as writer:
            writer.write_table(read.take(order))
        del read
        columns[name] = pa.ipc.open_stream(pa.memory_map(str(file))).read_all()[name]
    return pa.table(columns)


def _change_columns(
    keys: RankingKeys, selection: Selection, order: Indices, seed: int, earlier: Path | None
) -> dict[str, pa.Array]:
    """The columns `change`, `earlier_failure` and `moved` of rows in `order`."""
    names = ("change", "earlier_failure", "moved")
    if earlier is None:
        return {name: pa.nulls(len(order), RANKED_SCHEMA.field(name).type) for name in names}
    rows = pq.read_table(earlier, columns=[name for name in EARLIER_COLUMNS if name in OUTPUT_SCHEMA.names])
    columns = compare_with_earlier(keys.tender[order], keys.failure[order], rows, seed)
    columns["moved"] = pc.round(pc.subtract(pa.array(keys.failure[order]), columns["earlier_failure"]), 4)
    # Other rows of the same tender were scored on more or fewer facts: compared with the earlier row they would seem
    # to have moved.
    is_first = pa.array(np.isin(order, selection.tenders))
    return {name: pc.if_else(is_first, columns[name], pa.scalar(None, columns[name].type)) for name in names}


def read_choices(path: Path) -> Choices:
    """The values that rows can be filtered by, from the file in which they are kept."""
    return msgspec.json.decode(path.read_bytes(), type=Choices)


def _common_values(column: Any) -> list[str]:
    counts = pc.value_counts(column.combine_chunks().dictionary_decode().drop_null()).to_pylist()
    counts.sort(key=lambda count: (-count["counts"], count["values"]))
    return [count["values"] for count in counts[:MAX_CHOICES]]


def parse_view(query: Mapping[str, str]) -> WorklistView:
    """The view that a query describes; invalid parts of it are left out."""
    number = query.get("page", "1")
    return WorklistView(
        sort=query.get("sort", "rank") if query.get("sort") in RANKED_SCHEMA.names else "rank",
        down=query.get("down") == "1",
        page=int(number) if number.isascii() and number.isdecimal() and 0 < len(number) < 7 else 1,
        filters={name: query.get(name, "")[:MAX_FILTER_LENGTH].strip() for name in FILTERS},
    )


def read_page(ranked: Path, view: WorklistView) -> WorklistPage:
    """The rows of a view, from a file of RANKED_SCHEMA."""
    with pq.ParquetFile(ranked, pre_buffer=False) as file:
        total = file.metadata.num_rows
        names = file.schema_arrow.names
        # A file that an earlier version wrote has fewer columns.
        if view.sort not in names:
            view = msgspec.structs.replace(view, sort="rank", down=False)
        matches = pq.read_table(ranked, columns=sorted({"rank", view.sort}), filters=_filter(view.filters, names))
        last = max(1, -(-matches.num_rows // PAGE_ROWS))
        page = min(max(view.page, 1), last)
        keys = [(view.sort, "descending" if view.down else "ascending")]
        order = pc.sort_indices(matches, keys + ([("rank", "ascending")] if view.sort != "rank" else []))
        ranks = matches["rank"].take(order.slice((page - 1) * PAGE_ROWS, PAGE_ROWS)).to_pylist()
        return WorklistPage(rows=_read_rows(file, ranks), count=matches.num_rows, total=total, page=page, last=last)


def read_first(path: Path, count: int) -> tuple[list[dict[str, Any]], int]:
    """The first `count` rows of a Parquet file, and how many it has."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        batch = next(file.iter_batches(count), None)
        return batch.to_pylist() if batch else [], file.metadata.num_rows


def read_row(ranked: Path, rank: int) -> dict[str, Any] | None:
    """The row of a rank; None if there is none."""
    with pq.ParquetFile(ranked, pre_buffer=False) as file:
        return _read_rows(file, [rank])[0] if 1 <= rank <= file.metadata.num_rows else None


def _read_rows(file: pq.ParquetFile, ranks: Sequence[int]) -> list[dict[str, Any]]:
    """The rows of some ranks, in the order of `ranks`. A rank is a position in the file: other groups are not read."""
    if not ranks:
        return []
    size = file.metadata.row_group(0).num_rows
    positions: dict[int, list[int]] = defaultdict(list)
    for rank in ranks:
        positions[(rank - 1) // size].append((rank - 1) % size)
    tables = [file.read_row_group(group, use_threads=False).take(pa.array(at)) for group, at in positions.items()]
    rows = {row["rank"]: row for table in tables for row in table.to_pylist()}
    return [rows[rank] for rank in ranks]


def _filter(filters: Mapping[str, str], names: Sequence[str]) -> Any:
    conditions = [
        pc.field(name) == pc.scalar(filters[name]) for name in EXACT_FILTERS if filters.get(name) and name in names
    ]
    if text := filters.get("buyer"):
        conditions.append(pc.match_substring(pc.field("buyer"), text, ignore_case=True))
    if filters.get("value") in VALUES:
        conditions += _value_conditions(filters["value"])
    if filters.get("chosen"):
        drawn = filters["chosen"] == "random" and "drawn" in names
        conditions.append(pc.field("drawn" if drawn else "chosen"))
    return reduce(and_, conditions) if conditions else None


def _value_conditions(band: str) -> list[Any]:
    _, least, below = VALUES[band]
    field = pc.field("value_gbp")
    if least is None and below is None:
        return [field.is_null()]
    return [*([field >= least] if least is not None else []), *([field < below] if below is not None else [])]
