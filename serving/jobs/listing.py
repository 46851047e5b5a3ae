"""A page of a worklist: filtered, sorted and cut by pyarrow, which reads no more of the file than that takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from serving.jobs.ranking import RANKED

ON_A_PAGE = 50
LONGEST = 200
"""Characters of a filter."""
BANDS = ("very high", "high", "typical", "low")
VALUES: Mapping[str, tuple[str, float | None, float | None]] = {
    "unknown": ("unknown", None, None),
    "-100k": ("under £100,000", 0, 1e5),
    "100k-1m": ("£100,000 to £1 million", 1e5, 1e6),
    "1m-10m": ("£1 to £10 million", 1e6, 1e7),
    "10m-100m": ("£10 to £100 million", 1e7, 1e8),
    "100m-": ("over £100 million", 1e8, None),
}
"""Bands of value: what they are called, from, and up to but not including."""
CHANGES = {"new": "new", "up": "likelier to fail", "down": "less likely", "same": "the same"}
ROWS = {"1": "on the worklist", "random": "drawn at random"}
EXACT = ("band", "category", "region", "register", "change")
FILTERS = (*EXACT, "buyer", "value", "chosen")


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a worklist; `down` sorts from the largest."""

    sort: str = "rank"
    down: bool = False
    page: int = 1
    filters: Mapping[str, str] = {}

    def query(self, **changes: Any) -> str:
        """The view as the query of its address, with changes."""
        made = msgspec.structs.replace(self, **changes)
        given: dict[str, Any] = {name: value for name, value in made.filters.items() if value}
        if (made.sort, made.down) != ("rank", False):
            given.update(sort=made.sort, down=int(made.down))
        return urlencode(given | ({"page": made.page} if made.page > 1 else {}))


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A page of rows, how many there are in all and of those asked for, and the number of the last page."""

    rows: list[dict[str, Any]]
    count: int
    of: int
    page: int
    last: int


def view(query: Mapping[str, str]) -> View:
    """The view that a query asks for; what cannot be meant is left out."""
    number = query.get("page", "1")
    return View(
        sort=query.get("sort", "rank") if query.get("sort") in RANKED.names else "rank",
        down=query.get("down") == "1",
        page=int(number) if number.isascii() and number.isdecimal() and 0 < len(number) < 7 else 1,
        filters={name: query.get(name, "")[:LONGEST].strip() for name in FILTERS},
    )


def listed(worklist: Path, asked: View) -> Listed:
    """The rows of a view."""
    with pq.ParquetFile(worklist, pre_buffer=False) as file:
        of = file.metadata.num_rows
        names = file.schema_arrow.names
        # A worklist that an earlier version made has fewer columns.
        if asked.sort not in names:
            asked = msgspec.structs.replace(asked, sort="rank", down=False)
        found = pq.read_table(worklist, columns=sorted({"rank", asked.sort}), filters=_filter(asked.filters, names))
        last = max(1, -(-found.num_rows // ON_A_PAGE))
        page = min(max(asked.page, 1), last)
        keys = [(asked.sort, "descending" if asked.down else "ascending")]
        order = pc.sort_indices(found, keys + ([("rank", "ascending")] if asked.sort != "rank" else []))
        ranks = found["rank"].take(order.slice((page - 1) * ON_A_PAGE, ON_A_PAGE)).to_pylist()
        return Listed(rows=_rows(file, ranks), count=found.num_rows, of=of, page=page, last=last)


def first(rows: Path, most: int) -> tuple[list[dict[str, Any]], int]:
    """The first rows of a file, and how many there are in all."""
    with pq.ParquetFile(rows, pre_buffer=False) as file:
        batch = next(file.iter_batches(most), None)
        return batch.to_pylist() if batch else [], file.metadata.num_rows


def row(worklist: Path, rank: int) -> dict[str, Any] | None:
    """The row of a rank."""
    with pq.ParquetFile(worklist, pre_buffer=False) as file:
        return _rows(file, [rank])[0] if 1 <= rank <= file.metadata.num_rows else None


def _rows(file: pq.ParquetFile, ranks: Sequence[int]) -> list[dict[str, Any]]:
    """Rows by rank, which says where they stand, in the order of `ranks`; other row groups are not read."""
    if not ranks:
        return []
    size = file.metadata.row_group(0).num_rows
    within: dict[int, list[int]] = defaultdict(list)
    for rank in ranks:
        within[(rank - 1) // size].append((rank - 1) % size)
    parts = [file.read_row_group(group, use_threads=False).take(pa.array(at)) for group, at in within.items()]
    found = {each["rank"]: each for part in parts for each in part.to_pylist()}
    return [found[rank] for rank in ranks]


def _filter(filters: Mapping[str, str], names: Sequence[str]) -> Any:
    asked = [pc.field(name) == pc.scalar(filters[name]) for name in EXACT if filters.get(name) and name in names]
    if text := filters.get("buyer"):
        asked.append(pc.match_substring(pc.field("buyer"), text, ignore_case=True))
    if filters.get("value") in VALUES:
        asked += _value(filters["value"])
    if filters.get("chosen"):
        drawn = filters["chosen"] == "random" and "drawn" in names
        asked.append(pc.field("drawn" if drawn else "chosen"))
    both = None
    for each in asked:
        both = each if both is None else both & each
    return both


def _value(band: str) -> list[Any]:
    _, least, below = VALUES[band]
    field = pc.field("value_gbp")
    if least is None and below is None:
        return [field.is_null()]
    found = [field >= least] if least is not None else []
    return [*found, field < below] if below is not None else found
