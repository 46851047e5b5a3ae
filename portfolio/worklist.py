"""The worklist: of all scored tenders those to review, in order, with what to expect of them and what has changed."""

from __future__ import annotations

from collections import Counter
from typing import Literal, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from portfolio import changes, expected, ranking
from portfolio.expected import Metrics, Precision, Validated
from portfolio.ranking import Choice, Floats, Standing
from portfolio.table import SCHEMA
from tenders.errors import UsageError

ColumnSource: TypeAlias = ds.Dataset | pa.Table
"""Rows of SCHEMA: a Parquet or Arrow dataset, of which a part is in memory at a time, or a table."""

SINCE = ("change", "earlier_failure", "earlier_rank")
LISTED = pa.schema(
    [
        ("rank", pa.int64()),
        ("chosen", pa.string()),
        ("inclusion", pa.float64()),
        ("expected_loss_gbp", pa.float64()),
        ("change", pa.string()),
        ("earlier_failure", pa.float64()),
        ("earlier_rank", pa.int64()),
        *SCHEMA,
    ]
)
"""A worklist's columns. `chosen` is "risk" or "random"; `inclusion` the probability with which the draw chose this row,
null for those chosen by risk: only the drawn speak for the whole portfolio, each for 1 / inclusion tenders. SINCE is
null where there was no earlier run, or where it did not hold the tender."""


RankBy = Literal["failure", "expected_loss"]
CAPACITY = 200
"""Tenders that are listed where nobody says how many there are people for."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What an office asks for: how many tenders it can review, and by what they are ranked.

    `rank_by` is the probability of failure, or that times the value in pounds. `sample` is the share (0 to 1) of the
    capacity that is drawn at random from all tenders, so that the next model can be judged without selection. The
    `seed` settles the draw and who comes first among equals. Raises UsageError for what cannot be.
    """

    capacity: int
    rank_by: RankBy = "failure"
    most_per_buyer: int | None = None
    sample: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.capacity < 1:
            raise UsageError(f"a worklist of {self.capacity}. Give the number of tenders that can be reviewed")
        if self.most_per_buyer is not None and self.most_per_buyer < 1:
            raise UsageError(f"at most {self.most_per_buyer} a buyer leaves none. Give 1 or more")
        if not 0 <= self.sample <= 1:
            raise UsageError(f"{self.sample} of the worklist at random. Give a share between 0 and 1")
        if not 0 <= self.seed < 2**64:
            raise UsageError(f"{self.seed} is no seed. Give a whole number from 0 up")

    @property
    def drawn(self) -> int:
        """How many are drawn at random: one at least, if any are wanted."""
        return max(round(self.sample * self.capacity), 1) if self.sample else 0


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be known to read a worklist.

    `rows` were scored, of `tenders` by ocid; a tender is listed once, by the row that ranks first. `passed_over` were
    kept off by the limit a buyer. `tied` tenders stand level with the last one chosen by risk, of which `tied_chosen`
    are on the list. `unvalued` tenders have no known value: by expected loss they rank after all others. `inclusion` is
    the probability with which any tender was drawn. `money_at_risk_gbp` is the sum of probability x value in pounds
    over all tenders, and over the list. `base` is the mean probability over all tenders. `changes` counts new, up, down
    and same on the list, and the gone; it is None where there was no earlier run.
    """

    wish: Wish
    rows: int
    tenders: int
    by_risk: int
    at_random: int
    inclusion: float
    passed_over: int
    tied: int
    tied_chosen: int
    unvalued: int
    unvalued_listed: int
    money_at_risk_gbp: float
    money_listed_gbp: float
    base: float
    precision: Precision | None
    validated: tuple[Validated, ...]
    changes: dict[str, int] | None


class Worklist(msgspec.Struct, frozen=True, kw_only=True):
    """The rows to review (LISTED), first those chosen by risk; how they were chosen; and what an earlier run had."""

    rows: pa.Table
    summary: Summary
    gone: pa.Table | None = None


def worklist(
    scored: ColumnSource, wish: Wish, earlier: pa.Table | None = None, metrics: Metrics | None = None
) -> Worklist:
    """The worklist of scored rows: the same whatever their order, for the same seed.

    `earlier` is an earlier worklist or whole output, joined by ocid, else by file, line and place. `metrics` are those
    of the bundle's manifest, for what validation found.
    """
    source = ds.dataset(scored) if isinstance(scored, pa.Table) else scored
    standing = ranking.standing(source, wish.seed)
    by_loss = wish.rank_by == "expected_loss"
    choice = ranking.choose(standing, by_loss, wish.capacity, wish.drawn, wish.most_per_buyer)
    chosen = np.concatenate([choice.risk, choice.random])
    inclusion = len(choice.random) / max(len(choice.tenders), 1)
    since = {name: pa.nulls(len(chosen), LISTED.field(name).type) for name in SINCE}
    gone = None
    if earlier is not None:
        tenders = standing.tender[chosen]
        since = changes.compared(tenders, standing.failure[chosen], earlier, wish.seed)
        gone = changes.gone(tenders, standing.tender, earlier, wish.seed)
    by_risk = [True] * len(choice.risk) + [False] * len(choice.random)
    new = {
        "rank": pa.array(range(1, len(chosen) + 1), pa.int64()),
        "chosen": pa.array(["risk" if each else "random" for each in by_risk], pa.string()),
        "inclusion": pa.array([None if each else inclusion for each in by_risk], pa.float64()),
        "expected_loss_gbp": pa.array(_loss(standing)[chosen], from_pandas=True),
        **since,
    }
    fetched = _fetched(source, chosen)
    rows = pa.table({**new, **{name: fetched[name] for name in SCHEMA.names}}, schema=LISTED)
    return Worklist(
        rows=rows, summary=_summary(wish, standing, choice, rows, inclusion, gone, metrics or {}), gone=gone
    )


def _fetched(source: ds.Dataset, rows: ranking.Numbers) -> pa.Table:
    """Whole rows by their numbers, in that order."""
    ordered = np.argsort(rows)
    return ranking.scanner(source, SCHEMA.names).take(pa.array(rows[ordered])).take(pa.array(np.argsort(ordered)))


def _loss(standing: Standing) -> Floats:
    return standing.failure * standing.value


def _summary(
    wish: Wish,
    standing: Standing,
    choice: Choice,
    rows: pa.Table,
    inclusion: float,
    gone: pa.Table | None,
    metrics: Metrics,
) -> Summary:
    by_risk = rows.slice(0, len(choice.risk))
    loss, listed = _loss(standing), np.concatenate([choice.risk, choice.random])
    unvalued = np.isnan(standing.value)
    share = len(choice.risk) / max(len(choice.tenders), 1)
    groups = Counter(zip(by_risk["register"].to_pylist(), by_risk["stage"].to_pylist(), strict=True))
    found = (expected.validated(metrics, register, stage, share) for (register, stage), _ in groups.most_common())
    return Summary(
        wish=wish,
        rows=len(standing.failure),
        tenders=len(choice.tenders),
        by_risk=len(choice.risk),
        at_random=len(choice.random),
        inclusion=inclusion,
        passed_over=choice.passed_over,
        tied=choice.tied,
        tied_chosen=choice.tied_chosen,
        unvalued=int(unvalued[choice.tenders].sum()),
        unvalued_listed=int(unvalued[listed].sum()),
        money_at_risk_gbp=round(float(np.nansum(loss[choice.tenders])), 2),
        money_listed_gbp=round(float(np.nansum(loss[listed])), 2),
        base=round(float(standing.failure[choice.tenders].mean()), 4) if len(choice.tenders) else 0.0,
        precision=expected.precision(*(_numbers(by_risk, name) for name in ("failure", "low", "high"))),
        validated=tuple(each for each in found if each),
        changes=None if gone is None else {**Counter(rows["change"].to_pylist()), "gone": len(gone)},
    )


def _numbers(rows: pa.Table, name: str) -> Floats:
    return ranking.floats(rows[name].combine_chunks())
