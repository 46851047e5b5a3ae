"""A portfolio by groups: how many tenders, how likely they fail, and what money is at risk, by buyer, place or year."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from portfolio import ranking
from portfolio.ranking import Hashes, Numbers

Table: TypeAlias = pa.Table

UNSTATED = "not stated"
FLAGGED = ("high", "very high")
"""The bands of a tender that is flagged."""
VALUE_BANDS = (
    (1e4, "under £10,000"),
    (1e5, "£10,000 to £100,000"),
    (1e6, "£100,000 to £1m"),
    (1e7, "£1m to £10m"),
    (1e8, "£10m to £100m"),
    (np.inf, "£100m and over"),
)
TEXTS = ("buyer", "category", "region", "band", "register", "stage")


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Some tenders: how many, their mean probability of failure (0 to 1), and how many are flagged and listed by risk.

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


def tenders(source: ds.Dataset, seed: int, by_loss: bool, listed: Table, outcomes: Table | None = None) -> Table:
    """One row a tender, with what groups are made of: numbers and codes, no texts of its own.

    Columns: `failure`, `loss` (pounds, null if no value is known), `flagged`, `listed` (on the worklist by risk),
    `failed` (null where `outcomes`, columns `ocid` and `failed`, do not say), `value_band`, `year`, and TEXTS, null
    where not stated. Spellings of one buyer are one.
    """
    standing = ranking.standing(source, seed)
    rows = ranking.tenders_of(standing, by_loss)
    told = _told(source).take(pa.array(rows))
    loss = (standing.failure * standing.value)[rows]
    by_risk = listed.filter(pc.equal(listed["chosen"], "risk"))
    return (
        told.select([*TEXTS, "year"])
        .append_column("failure", pa.array(standing.failure[rows]))
        .append_column("loss", pa.array(loss, from_pandas=True))
        .append_column("flagged", pc.is_in(told["band"].cast(pa.string()), pa.array(FLAGGED)))
        .append_column("listed", pa.array(np.isin(standing.tender[rows], _hashes(by_risk, seed))))
        .append_column("failed", _failed(standing.tender[rows], outcomes, seed))
        .append_column("value_band", _value_band(standing.value[rows]))
    )


def by(table: Table, name: str) -> list[Group]:
    """The groups of a column of `tenders`, in order of their names; what is not stated last."""
    counted = table.group_by(name, use_threads=False).aggregate(
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
        Group(
            name=UNSTATED if row[name] is None else str(row[name]),
            rows=row["count_all"],
            failure=row["failure_mean"],
            flagged=row["flagged_sum"],
            listed=row["listed_sum"],
            at_risk_gbp=row["loss_sum"] or 0.0,
            unvalued=row["count_all"] - row["loss_count"],
        )
        for row in counted.to_pylist()
    ]
    return sorted(groups, key=lambda group: (group.name == UNSTATED, group.name))


def foremost(groups: list[Group], most: int) -> list[Group]:
    """Those with the most money at risk, then the most failures to expect."""
    return sorted(groups, key=lambda each: (-each.at_risk_gbp, -each.rows * each.failure, each.name))[:most]


def _told(source: ds.Dataset) -> Table:
    batches = []
    spelt: dict[str, str] = {}
    for batch in ranking.scanned(source, (*TEXTS, "published")):
        columns = {name: batch[name].dictionary_encode() for name in TEXTS}
        columns["buyer"] = _spelt(batch["buyer"], spelt)
        columns["year"] = pc.year(batch["published"])
        batches.append(pa.RecordBatch.from_pydict(columns))
    empty = {
        **{name: pa.array([], pa.string()).dictionary_encode() for name in TEXTS},
        "year": pa.array([], pa.int64()),
    }
    return pa.Table.from_batches(batches or [pa.RecordBatch.from_pydict(empty)]).unify_dictionaries()


def _spelt(column: pa.Array, spelt: dict[str, str]) -> pa.Array:
    """Buyers with all spellings of one under the first that came, which `spelt` remembers by the name they share."""
    encoded = column.dictionary_encode()
    shared = ranking.buyer_names(encoded.dictionary).to_pylist()
    told = zip(shared, encoded.dictionary.to_pylist(), strict=True)
    names = [name and spelt.setdefault(name, spelling) for name, spelling in told]
    return pa.array(names, pa.string()).take(encoded.indices).dictionary_encode()


def _value_band(value: ranking.Floats) -> pa.Array:
    limits, names = zip(*VALUE_BANDS, strict=True)
    codes = np.searchsorted(limits, np.nan_to_num(value), side="right").clip(max=len(names) - 1)
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32(), mask=np.isnan(value)), pa.array(names))


def _failed(tender: Hashes, outcomes: Table | None, seed: int) -> pa.Array:
    if outcomes is None:
        return pa.nulls(len(tender), pa.bool_())
    stated = outcomes.filter(pc.and_(pc.is_valid(outcomes["ocid"]), pc.is_valid(outcomes["failed"])))
    names, first = np.unique(_hashes(stated, seed), return_index=True)
    at: Numbers = np.searchsorted(names, tender).clip(max=max(len(names) - 1, 0))
    known = names[at] == tender if len(names) else np.zeros(len(tender), dtype=bool)
    return stated["failed"].combine_chunks().take(pa.array(first[at] if len(names) else at, mask=~known))


def _hashes(table: Table, seed: int) -> Hashes:
    parts = [ranking.hashed(batch, seed)[:, 0] for batch in table.to_batches()]
    return np.concatenate([np.empty(0, dtype=np.uint64), *parts])
