"""A portfolio by groups, such as buyer, region or year: failures, flags and money at risk, and the bias audit.

The bias audit compares how often groups are flagged and listed and, where outcomes are known, how often wrongly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from models.factor_records import wilson
from portfolio import ranking
from portfolio.ranking import Floats, Hashes, Indices
from portfolio.worklist import WorklistOptions

TenderGroups: TypeAlias = pa.Table
"""One row a tender: what `tender_groups` returns."""

NOT_STATED = "not stated"
FLAGGED_BANDS = ("high", "very high")
VALUE_BANDS = (
    (1e4, "under £10,000"),
    (1e5, "£10,000 to £100,000"),
    (1e6, "£100,000 to £1m"),
    (1e7, "£1m to £10m"),
    (1e8, "£10m to £100m"),
    (np.inf, "£100m and over"),
)
"""Upper limits in pounds, and names."""
TEXT_COLUMNS = ("buyer", "category", "region", "band", "register", "stage")
BUYER_SIZES = ((1, "1 tender"), (9, "2 to 9 tenders"), (99, "10 to 99 tenders"), (math.inf, "100 tenders and more"))
"""The most tenders of a buyer of each size, and names."""
BUYER_NOT_STATED = "buyer not stated"
MOST_REGIONS = 20
"""Regions in the bias audit: those with the most tenders."""


class GroupTotals(msgspec.Struct, frozen=True, kw_only=True):
    """A group of tenders: how many, their mean probability of failure, and how many are flagged and listed by risk.

    `at_risk_gbp` is the sum of probability x value in pounds over those whose value is known; `unvalued` counts the
    others.
    """

    name: str
    rows: int
    failure: float
    flagged: int
    listed: int
    at_risk_gbp: float
    unvalued: int


class Proportion(msgspec.Struct, frozen=True, kw_only=True):
    """`hits` of `of` tenders: a share with Wilson's 95 % interval."""

    hits: int
    of: int

    @property
    def share(self) -> float | None:
        """Hits divided by all; None of no tender."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval, which holds for few tenders and for rare hits too; 0 to 1 of no tender."""
        return wilson(self.hits / self.of, self.of) if self.of else (0.0, 1.0)

    def compared_with(self, overall: Proportion) -> str:
        """Where the interval lies relative to the overall share: "above", "below", or "no clear difference"."""
        low, high = self.interval
        share = overall.share or 0.0
        return "above" if low > share else "below" if high < share else "no clear difference"


class GroupAudit(msgspec.Struct, frozen=True, kw_only=True):
    """A group in the bias audit: the shares that are flagged and listed by risk, and the errors.

    `false_alarms` are the flagged among those that did not fail, `missed` the unflagged among those that failed, where
    it is known how tenders ended.
    """

    name: str
    rows: int
    flagged: Proportion
    listed: Proportion
    false_alarms: Proportion
    missed: Proportion


def tender_groups(
    source: ds.Dataset, options: WorklistOptions, worklist: pa.Table, outcomes: pa.Table | None = None
) -> TenderGroups:
    """One row a tender with what it is grouped by: numbers and dictionary codes, which fit in memory.

    Columns: `failure`, `loss` (pounds, null if no value is known), `flagged`, `listed` (on the worklist by risk),
    `failed` (null where `outcomes`, with columns `ocid` and `failed`, do not say), `value_band`, `year`, and
    TEXT_COLUMNS, null where not stated. Spellings of one buyer count as one.
    """
    keys = ranking.read_ranking_keys(source, options.seed)
    rows = ranking.distinct_tenders(keys, options.by_loss)
    texts = _read_texts(source).take(pa.array(rows))
    tenders = keys.tender[rows]
    by_risk = worklist.filter(pc.equal(worklist["selected_by"], "risk"))
    return (
        texts.select([*TEXT_COLUMNS, "year"])
        .append_column("failure", pa.array(keys.failure[rows]))
        .append_column("loss", pa.array(ranking.expected_loss(keys)[rows], from_pandas=True))
        .append_column("flagged", pc.is_in(texts["band"].cast(pa.string()), pa.array(FLAGGED_BANDS)))
        .append_column("listed", pa.array(np.isin(tenders, ranking.tender_hashes(by_risk, options.seed))))
        .append_column("failed", _failed(tenders, outcomes, options.seed))
        .append_column("value_band", _value_band(keys.value[rows]))
    )


def group_totals(tenders: TenderGroups, column: str) -> list[GroupTotals]:
    """The groups of a column, in order of their names; what is not stated comes last."""
    aggregates = tenders.group_by(column, use_threads=False).aggregate(
        [
            ([], "count_all"),
            ("failure", "mean"),
            ("flagged", "sum"),
            ("listed", "sum"),
            ("loss", "sum"),
            ("loss", "count"),
        ]
    )
    groups = [
        GroupTotals(
            name=NOT_STATED if row[column] is None else str(row[column]),
            rows=row["count_all"],
            failure=row["failure_mean"],
            flagged=row["flagged_sum"],
            listed=row["listed_sum"],
            at_risk_gbp=row["loss_sum"] or 0.0,
            unvalued=row["count_all"] - row["loss_count"],
        )
        for row in aggregates.to_pylist()
    ]
    return sorted(groups, key=lambda group: (group.name == NOT_STATED, group.name))


def most_at_risk(groups: list[GroupTotals], count: int) -> list[GroupTotals]:
    """The groups with the most money at risk, then with the most expected failures."""
    return sorted(groups, key=lambda group: (-group.at_risk_gbp, -group.rows * group.failure, group.name))[:count]


def bias_audit(tenders: TenderGroups) -> dict[str, list[GroupAudit]]:
    """The audit of all tenders ("all"), by "size" of buyer and by "region"."""
    sizes = [*(name for _, name in BUYER_SIZES), BUYER_NOT_STATED]
    by_size = _audit(tenders.append_column("size", _buyer_sizes(tenders["buyer"])), "size")
    by_region = sorted(_audit(tenders, "region"), key=lambda group: (-group.rows, group.name))
    overall = _audit(tenders.append_column("all", pa.array(["all"] * len(tenders), pa.string())), "all")
    return {
        "all": list(overall),
        "size": sorted(by_size, key=lambda group: sizes.index(group.name)),
        "region": by_region[:MOST_REGIONS],
    }


def _audit(tenders: TenderGroups, column: str) -> Iterator[GroupAudit]:
    flagged = tenders["flagged"]
    failed = pc.fill_null(tenders["failed"], False)
    succeeded = pc.fill_null(pc.invert(tenders["failed"]), False)
    indicators = {
        "flagged": flagged,
        "listed": tenders["listed"],
        "failed": failed,
        "succeeded": succeeded,
        "false_alarms": pc.and_(succeeded, flagged),
        "missed": pc.and_(failed, pc.invert(flagged)),
    }
    grouped = pa.table({column: tenders[column], **indicators}).group_by(column, use_threads=False)
    for row in grouped.aggregate([([], "count_all"), *((name, "sum") for name in indicators)]).to_pylist():
        count = {name: row[f"{name}_sum"] for name in indicators}
        yield GroupAudit(
            name=NOT_STATED if row[column] is None else row[column],
            rows=row["count_all"],
            flagged=Proportion(hits=count["flagged"], of=row["count_all"]),
            listed=Proportion(hits=count["listed"], of=row["count_all"]),
            false_alarms=Proportion(hits=count["false_alarms"], of=count["succeeded"]),
            missed=Proportion(hits=count["missed"], of=count["failed"]),
        )


def _read_texts(source: ds.Dataset) -> pa.Table:
    batches = []
    spellings: dict[str, str] = {}
    for batch in ranking.scanner(source, (*TEXT_COLUMNS, "published")).to_batches():
        columns = {name: batch[name].dictionary_encode() for name in TEXT_COLUMNS}
        columns["buyer"] = _one_spelling(batch["buyer"], spellings)
        columns["year"] = pc.year(batch["published"])
        batches.append(pa.RecordBatch.from_pydict(columns))
    empty = {
        **{name: pa.array([], pa.string()).dictionary_encode() for name in TEXT_COLUMNS},
        "year": pa.array([], pa.int64()),
    }
    return pa.Table.from_batches(batches or [pa.RecordBatch.from_pydict(empty)]).unify_dictionaries()


def _one_spelling(buyers: pa.Array, spellings: dict[str, str]) -> pa.Array:
    """Buyers with one spelling each: the first that came, kept in `spellings` by the normalised name."""
    encoded = buyers.dictionary_encode()
    pairs = zip(ranking.normalised_buyers(encoded.dictionary).to_pylist(), encoded.dictionary.to_pylist(), strict=True)
    names = [normalised and spellings.setdefault(normalised, spelling) for normalised, spelling in pairs]
    return pa.array(names, pa.string()).take(encoded.indices).dictionary_encode()


def _value_band(value: Floats) -> pa.Array:
    limits, names = zip(*VALUE_BANDS, strict=True)
    codes = np.searchsorted(limits, np.nan_to_num(value), side="right").clip(max=len(names) - 1)
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32(), mask=np.isnan(value)), pa.array(names))


def _buyer_sizes(buyers: pa.ChunkedArray) -> pa.Array:
    """For each tender the size of its buyer, by name."""
    codes = pc.fill_null(buyers.combine_chunks().indices, -1).to_numpy(zero_copy_only=False)
    if not len(codes):
        return pa.array([], pa.string())
    counts = np.bincount(codes + 1)[codes + 1]
    names = np.array([name for _, name in BUYER_SIZES])[np.searchsorted([most for most, _ in BUYER_SIZES], counts)]
    return pa.array(np.where(codes < 0, BUYER_NOT_STATED, names).tolist(), pa.string())


def _failed(tenders: Hashes, outcomes: pa.Table | None, seed: int) -> pa.Array:
    """Whether each tender failed; null where the outcomes do not say."""
    if outcomes is None:
        return pa.nulls(len(tenders), pa.bool_())
    stated = outcomes.filter(pc.and_(pc.is_valid(outcomes["ocid"]), pc.is_valid(outcomes["failed"])))
    if not len(stated):
        return pa.nulls(len(tenders), pa.bool_())
    known, first = np.unique(ranking.tender_hashes(stated, seed), return_index=True)
    at: Indices = np.searchsorted(known, tenders).clip(max=len(known) - 1)
    return stated["failed"].combine_chunks().take(pa.array(first[at], mask=known[at] != tenders))
