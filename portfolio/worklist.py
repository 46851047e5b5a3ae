"""The worklist: the tenders to review, in order, with what to expect of them and what changed since an earlier run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from portfolio import expectations, ranking
from portfolio.columns import OUTPUT_SCHEMA
from portfolio.expectations import ExpectedPrecision, ValidationMetrics, ValidationResult
from portfolio.output import OutputColumn, fill_columns, schema_of
from portfolio.ranking import Floats, Hashes, Indices, RankingKeys, Selection
from tenders.errors import UsageError

ScoredData: TypeAlias = ds.Dataset | pa.Table
"""Rows of OUTPUT_SCHEMA: a Parquet or Arrow dataset, read a part at a time, or a table."""

RankBy = Literal["failure", "expected_loss"]
DEFAULT_CAPACITY = 200
"""Tenders on the worklist where nobody says how many can be reviewed."""
GONE_COLUMNS = ("ocid", "title", "buyer", "failure")
EARLIER_COLUMNS = (*GONE_COLUMNS, "file", "line", "place", "rank")
"""The columns of an earlier run that the comparison needs. An output of millions of rows has many others."""
NOT_IN_PORTFOLIO, NOT_SELECTED = "no longer in the portfolio", "no longer on the worklist"


class WorklistOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How many tenders an office can review, and how they are selected.

    `rank_by` is the probability of failure, or that times the value in pounds. `sample` is the share (0 to 1) of the
    capacity that is drawn at random from all tenders, so that the next model can be judged without selection bias. The
    `seed` decides the draw and the order of ties. Raises UsageError for options out of range.
    """

    capacity: int
    rank_by: RankBy = "failure"
    most_per_buyer: int | None = None
    sample: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.capacity < 1:
            raise UsageError(f"a capacity of {self.capacity}. Give the number of tenders that can be reviewed")
        if self.most_per_buyer is not None and self.most_per_buyer < 1:
            raise UsageError(f"at most {self.most_per_buyer} tenders per buyer leaves none. Give 1 or more")
        if not 0 <= self.sample <= 1:
            raise UsageError(f"{self.sample} is not a share of the worklist. Give a number from 0 to 1")
        if not 0 <= self.seed < 2**64:
            raise UsageError(f"{self.seed} is not a seed. Give a whole number from 0 up")

    @property
    def by_loss(self) -> bool:
        """Whether tenders are ranked by expected loss."""
        return self.rank_by == "expected_loss"

    @property
    def sample_size(self) -> int:
        """How many tenders are drawn at random: at least one, if any share is asked for."""
        return max(round(self.sample * self.capacity), 1) if self.sample else 0


class SelectedRows(msgspec.Struct, frozen=True, kw_only=True):
    """The selected rows, from which the columns of the worklist are filled.

    `expected_loss` has shape (rows,), NaN where unknown; `changes` is empty where there was no earlier run.
    """

    selection: Selection
    expected_loss: Floats
    changes: Mapping[str, pa.Array]

    @property
    def is_by_risk(self) -> NDArray[np.bool_]:
        """Whether each row was selected by risk, not at random."""
        return np.arange(len(self.selection.rows)) < len(self.selection.by_risk)


WORKLIST_COLUMNS: tuple[OutputColumn[SelectedRows], ...] = (
    OutputColumn(
        "rank",
        pa.int64(),
        "the place on the worklist, from 1",
        lambda rows: np.arange(1, len(rows.selection.rows) + 1),
    ),
    OutputColumn(
        "selected_by",
        pa.string(),
        "`risk`, or `random` if it was drawn from all tenders, so that the next model can be tested fairly",
        lambda rows: np.where(rows.is_by_risk, "risk", "random").tolist(),
    ),
    OutputColumn(
        "inclusion_probability",
        pa.float64(),
        "the probability with which the draw selects any tender: each drawn tender represents 1 / this many tenders; "
        "empty if it was selected by risk",
        lambda rows: np.where(rows.is_by_risk, np.nan, rows.selection.inclusion_probability),
    ),
    OutputColumn(
        "expected_loss_gbp",
        pa.float64(),
        "`failure` x `value_gbp`, empty if the value is unknown",
        lambda rows: rows.expected_loss,
    ),
    OutputColumn(
        "change",
        pa.string(),
        "since the earlier run: `new`, `up` or `down` (the probability rose or fell, to 4 decimals), or `same`; empty "
        "without an earlier run",
        lambda rows: rows.changes.get("change"),
    ),
    OutputColumn(
        "earlier_failure",
        pa.float64(),
        "`failure` in the earlier run",
        lambda rows: rows.changes.get("earlier_failure"),
    ),
    OutputColumn(
        "earlier_rank", pa.int64(), "`rank` in the earlier worklist", lambda rows: rows.changes.get("earlier_rank")
    ),
)
"""The columns that a worklist has before those of the scored row."""
WORKLIST_SCHEMA = pa.schema([*schema_of(WORKLIST_COLUMNS), *OUTPUT_SCHEMA])


class WorklistSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader of the worklist has to know.

    `rows` were scored, of `tenders` by ocid; a tender is listed once, by its highest-ranking row. `passed_over` were
    kept off by the limit per buyer. `tied` tenders rank equal to the last one chosen by risk; `tied_chosen` of them are
    on the list. `unvalued` tenders have no known value: by expected loss they rank after all others.
    `inclusion_probability` is that with which any tender was drawn. `money_at_risk_gbp` is the sum of probability x
    value in pounds over all tenders, `money_listed_gbp` over the list. `mean_failure` is the mean probability over all
    tenders. `changes` counts new, up, down and same on the list, and gone; None where there was no earlier run.
    """

    options: WorklistOptions
    rows: int
    tenders: int
    by_risk: int
    at_random: int
    inclusion_probability: float
    passed_over: int
    tied: int
    tied_chosen: int
    unvalued: int
    unvalued_listed: int
    money_at_risk_gbp: float
    money_listed_gbp: float
    mean_failure: float
    precision: ExpectedPrecision | None
    validated: tuple[ValidationResult, ...]
    changes: dict[str, int] | None

    @property
    def listed(self) -> int:
        """How many tenders are on the list."""
        return self.by_risk + self.at_random


class Worklist(msgspec.Struct, frozen=True, kw_only=True):
    """The rows to review (WORKLIST_SCHEMA), first those chosen by risk; their summary; and what an earlier run had."""

    rows: pa.Table
    summary: WorklistSummary
    gone: pa.Table | None = None


def build_worklist(
    scored: ScoredData,
    options: WorklistOptions,
    earlier: pa.Table | None = None,
    metrics: ValidationMetrics | None = None,
) -> Worklist:
    """The worklist of scored rows. It is the same whatever the order of the rows, for the same seed.

    `earlier` is an earlier worklist or a whole earlier output; tenders are matched by ocid, else by file, line and
    place. `metrics` are the bundle's validation metrics.
    """
    source = ds.dataset(scored) if isinstance(scored, pa.Table) else scored
    keys = ranking.read_ranking_keys(source, options.seed)
    selection = ranking.select(keys, options.by_loss, options.capacity, options.sample_size, options.most_per_buyer)
    selected = selection.rows
    changes: Mapping[str, pa.Array] = {}
    gone = None
    if earlier is not None:
        changes = compare_with_earlier(keys.tender[selected], keys.failure[selected], earlier, options.seed)
        gone = gone_tenders(keys.tender[selected], keys.tender, earlier, options.seed)
    filled = fill_columns(
        WORKLIST_COLUMNS,
        SelectedRows(selection=selection, expected_loss=ranking.expected_loss(keys)[selected], changes=changes),
        len(selected),
    )
    rows = pa.Table.from_arrays([*filled.columns, *_take(source, selected).columns], schema=WORKLIST_SCHEMA)
    return Worklist(rows=rows, summary=_summary(options, keys, selection, rows, gone, metrics or {}), gone=gone)


def _take(source: ds.Dataset, rows: Indices) -> pa.Table:
    """All columns of some rows, in the order of `rows`."""
    ordered = np.argsort(rows)
    return (
        ranking.scanner(source, OUTPUT_SCHEMA.names).take(pa.array(rows[ordered])).take(pa.array(np.argsort(ordered)))
    )


def _summary(
    options: WorklistOptions,
    keys: RankingKeys,
    selection: Selection,
    rows: pa.Table,
    gone: pa.Table | None,
    metrics: ValidationMetrics,
) -> WorklistSummary:
    by_risk, tenders = rows.slice(0, len(selection.by_risk)), selection.tenders
    loss, unvalued = ranking.expected_loss(keys), np.isnan(keys.value)
    share = len(selection.by_risk) / max(len(tenders), 1)
    groups = Counter(zip(by_risk["register"].to_pylist(), by_risk["stage"].to_pylist(), strict=True))
    results = (expectations.validation_result(metrics, *group, share) for group, _ in groups.most_common())
    failure, low, high = (ranking.float_array(by_risk[name].combine_chunks()) for name in ("failure", "low", "high"))
    return WorklistSummary(
        options=options,
        rows=len(keys.failure),
        tenders=len(tenders),
        by_risk=len(selection.by_risk),
        at_random=len(selection.at_random),
        inclusion_probability=selection.inclusion_probability,
        passed_over=selection.passed_over,
        tied=selection.tied,
        tied_chosen=selection.tied_chosen,
        unvalued=int(unvalued[tenders].sum()),
        unvalued_listed=int(unvalued[selection.rows].sum()),
        money_at_risk_gbp=round(float(np.nansum(loss[tenders])), 2),
        money_listed_gbp=round(float(np.nansum(loss[selection.rows])), 2),
        mean_failure=round(float(keys.failure[tenders].mean()), 4) if len(tenders) else 0.0,
        precision=expectations.expected_precision(failure, low, high),
        validated=tuple(result for result in results if result),
        changes=None if gone is None else {**Counter(rows["change"].to_pylist()), "gone": len(gone)},
    )


def compare_with_earlier(tenders: Hashes, failure: Floats, earlier: pa.Table, seed: int) -> dict[str, pa.Array]:
    """The columns `change`, `earlier_failure` and `earlier_rank` of tenders, given by hash, with their failure now.

    `earlier` is an earlier worklist or a whole earlier output. `change` is "new" for a tender that it does not hold,
    "up" or "down" if the probability rose or fell to 4 decimals, else "same". Ranks are not compared: a tender's rank
    changes with its neighbours'.
    """
    first = _by_failure(earlier)
    known, at = np.unique(ranking.tender_hashes(earlier, seed)[first], return_index=True)
    if len(known):
        place = np.minimum(np.searchsorted(known, tenders), len(known) - 1)
        is_known, rows = known[place] == tenders, first[at[place]]
    else:
        is_known, rows = np.zeros(len(tenders), dtype=bool), np.zeros(len(tenders), dtype=np.int64)
    before = np.full(len(tenders), np.nan)
    before[is_known] = ranking.float_array(earlier["failure"].combine_chunks())[rows[is_known]]
    difference = np.round(failure - before, 4)
    change = np.select([~is_known, difference > 0, difference < 0], ["new", "up", "down"], "same")
    ranks = pa.nulls(len(tenders), pa.int64())
    if "rank" in earlier.column_names:
        ranks = earlier["rank"].cast(pa.int64()).combine_chunks().take(pa.array(rows, mask=~is_known))
    return {
        "change": pa.array(change.tolist(), pa.string()),
        "earlier_failure": pa.array(before, from_pandas=True),
        "earlier_rank": ranks,
    }


def gone_tenders(selected: Hashes, present: Hashes, earlier: pa.Table, seed: int) -> pa.Table:
    """The tenders of an earlier run that are gone: GONE_COLUMNS, `rank` and `why`, one row a tender.

    Of an earlier worklist these are the tenders that are not `selected` now, by their rank; of a whole output, those
    that are not `present` in the portfolio, highest probability first.
    """
    tenders = ranking.tender_hashes(earlier, seed)
    is_present = np.isin(tenders, present)
    is_worklist = "rank" in earlier.column_names
    missing = ~np.isin(tenders, selected) if is_worklist else ~is_present
    order = np.arange(len(tenders)) if is_worklist else _by_failure(earlier)
    candidates = order[missing[order]]
    rows = candidates[np.sort(np.unique(tenders[candidates], return_index=True)[1])]
    taken = earlier.take(pa.array(rows))
    ranks = taken["rank"].cast(pa.int64()) if is_worklist else pa.nulls(len(rows), pa.int64())
    why = pa.array(np.where(is_present[rows], NOT_SELECTED, NOT_IN_PORTFOLIO).tolist(), pa.string())
    return taken.select(GONE_COLUMNS).append_column("rank", ranks).append_column("why", why)


def _by_failure(earlier: pa.Table) -> Indices:
    """Row numbers, highest probability of failure first: a tender's first row stands for it, as on today's list."""
    order: Indices = pc.sort_indices(earlier["failure"], sort_keys=[("", "descending")]).to_numpy().astype(np.int64)
    return order
