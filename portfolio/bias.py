"""The bias audit: how often tenders are flagged and listed, and how often wrongly, by size of buyer and by region."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.factor_records import wilson
from portfolio.groups import Table

SIZES = ((1, "1 tender"), (9, "2 to 9 tenders"), (99, "10 to 99 tenders"), (math.inf, "100 tenders and more"))
UNNAMED = "buyer not stated"
MOST = 20
"""Groups that are shown: those with the most tenders."""


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """`of` tenders, `hits` of which something is true: the share with Wilson's interval (95 %); None of no tender."""

    hits: int
    of: int

    @property
    def share(self) -> float | None:
        """Hits of all."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval, which holds for few and for rare ones too; 0 to 1 of no tender."""
        return wilson(self.hits / self.of, self.of) if self.of else (0.0, 1.0)

    def against(self, all: Rate) -> str:
        """Whether the interval leaves the share of all on one side: "above", "below" or "as all"."""
        low, high = self.interval
        share = all.share or 0.0
        return "above" if low > share else "below" if high < share else "as all"


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """A group of tenders: how many are flagged, how many listed by risk, and, where outcomes are known, the errors.

    `false_alarms` are flagged among those that held, `missed` not flagged among those that failed.
    """

    name: str
    rows: int
    flagged: Rate
    listed: Rate
    false_alarms: Rate
    missed: Rate


def audited(table: Table) -> dict[str, list[Audited]]:
    """The audit of `groups.tenders` by size of buyer and by region, after "all"."""
    sized = table.append_column("size", _sizes(table["buyer"]))
    order = [*(name for _, name in SIZES), UNNAMED]
    sizes = sorted(_audit(sized, "size"), key=lambda each: order.index(each.name))
    regions = sorted(_audit(table, "region"), key=lambda each: (-each.rows, each.name))[:MOST]
    whole = table.append_column("all", pa.array(["all"] * len(table), pa.string()))
    return {"all": list(_audit(whole, "all")), "size": sizes, "region": regions}


def _audit(table: Table, name: str) -> Iterator[Audited]:
    failed, held = pc.fill_null(table["failed"], False), pc.fill_null(pc.invert(table["failed"]), False)
    counted = {
        "flagged": table["flagged"],
        "listed": table["listed"],
        "failed": failed,
        "held": held,
        "alarms": pc.and_(held, table["flagged"]),
        "missed": pc.and_(failed, pc.invert(table["flagged"])),
    }
    grouped = pa.table({name: table[name], **counted}).group_by(name, use_threads=False)
    for row in grouped.aggregate([([], "count_all"), *((each, "sum") for each in counted)]).to_pylist():
        got = {each: row[f"{each}_sum"] for each in counted}
        yield Audited(
            name="not stated" if row[name] is None else row[name],
            rows=row["count_all"],
            flagged=Rate(hits=got["flagged"], of=row["count_all"]),
            listed=Rate(hits=got["listed"], of=row["count_all"]),
            false_alarms=Rate(hits=got["alarms"], of=got["held"]),
            missed=Rate(hits=got["missed"], of=got["failed"]),
        )


def _sizes(buyers: pa.ChunkedArray) -> pa.Array:
    """For each tender how many its buyer has, in words."""
    codes = pc.fill_null(buyers.combine_chunks().indices, -1).to_numpy(zero_copy_only=False)
    if not len(codes):
        return pa.array([], pa.string())
    counts = np.bincount(codes + 1)[codes + 1]
    names = np.array([name for _, name in SIZES])[np.searchsorted([most for most, _ in SIZES], counts)]
    return pa.array(np.where(codes < 0, UNNAMED, names).tolist(), pa.string())
