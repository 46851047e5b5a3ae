"""The report of a portfolio run: one self-contained HTML file for those who must defend it, readable on paper."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from markupsafe import Markup

from models.bundle import Bundle
from portfolio import bias, groups, saying
from portfolio.evidence import Evidence, evidence
from portfolio.groups import Group
from portfolio.rendering import rendered, text
from portfolio.table import JOINT
from portfolio.worklist import ColumnSource, Worklist

BINS = 20
MOST_GROUPS, MOST_LISTED, MOST_GONE, MOST_FACTS, MOST_EVIDENCE = 20, 500, 50, 200, 12
LONGEST = 300
"""Characters of a fact that are shown."""
LIMITS = (
    "A probability from past cases, not a verdict on a tender, a buyer or anyone.",
    "Reasons are associations, not causes.",
    "A listed tender is likelier to fail than others; even so it may well hold. One that is not listed may fail.",
    "Money at risk is probability x stated value: a sum to rank by, not a forecast of a loss.",
    "What is unknown was left unknown and never counted as zero.",
)


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One bar of the distribution: where it starts (percent of the width), its height to the highest, and its rows."""

    x: float
    height: float
    rows: int
    span: str


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the worklist as it is shown."""

    row: Mapping[str, Any]
    reasons: Sequence[str]
    value: str
    loss: str


def report(
    scored: ColumnSource,
    worklist: Worklist,
    manifest_facts: Mapping[str, Any],
    bundle: Bundle,
    outcomes: pa.Table | None = None,
) -> str:
    """The report as HTML. Figures are over tenders: of rows that share an ocid, the one that ranks first.

    `manifest_facts` are shown as they are: inputs and digests, settings, counts, errors, versions. `outcomes` has the
    columns `ocid` and `failed` (true or false), for error rates where it is known how tenders ended.
    """
    summary = worklist.summary
    source = ds.dataset(scored) if isinstance(scored, pa.Table) else scored
    by_loss = summary.wish.rank_by == "expected_loss"
    table = groups.tenders(source, summary.wish.seed, by_loss, worklist.rows, outcomes)
    facts = list(_flat(manifest_facts))
    listed = worklist.rows.slice(0, MOST_LISTED).to_pylist()
    css = text("pictures.css") + text("portfolio_report.css")
    return rendered(
        "portfolio_report.html",
        css=Markup(css),  # noqa: S704 - our own file
        digest=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
        summary=summary,
        said=saying.said(summary),
        bars=_bars(table),
        bands={each.name: each for each in groups.by(table, "band")},
        evidence=_evidence(bundle, table, summary.by_risk / max(summary.tenders, 1))[:MOST_EVIDENCE],
        grouped=_grouped(table),
        pounds=saying.pounds,
        listed=[_listed(row) for row in listed],
        more_listed=len(worklist.rows) - len(listed),
        gone=[] if worklist.gone is None else worklist.gone.slice(0, MOST_GONE).to_pylist(),
        more_gone=0 if worklist.gone is None else max(len(worklist.gone) - MOST_GONE, 0),
        audit=bias.audited(table),
        most=bias.MOST,
        ended=len(table) - table["failed"].null_count,
        facts=facts[:MOST_FACTS],
        more_facts=max(len(facts) - MOST_FACTS, 0),
        bundle=bundle.manifest,
        limits=LIMITS,
        today=datetime.now(UTC).date().isoformat(),
    )


def _bars(table: groups.Table) -> list[Bar]:
    counted, edges = np.histogram(table["failure"].to_numpy(), bins=BINS, range=(0, 1))
    most = max(int(counted.max()), 1)
    return [
        Bar(x=100 * start, height=rows / most, rows=rows, span=f"{start:.0%} to {end:.0%}")
        for rows, start, end in zip(counted.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]


def _evidence(bundle: Bundle, table: groups.Table, share: float) -> list[Evidence]:
    """Of each register and stage in the portfolio, the commonest first."""
    counted = table.group_by(["register", "stage"], use_threads=False).aggregate([([], "count_all")]).to_pylist()
    ordered = sorted(counted, key=lambda row: (-row["count_all"], str(row["register"]), str(row["stage"])))
    return [evidence(bundle, str(row["register"]), str(row["stage"]), row["count_all"], share) for row in ordered]


def _grouped(table: groups.Table) -> dict[str, tuple[list[Group], int]]:
    """The tables by title: their rows, and how many more there are."""
    bands = [name for _, name in groups.VALUE_BANDS]
    found: dict[str, tuple[list[Group], int]] = {}
    for title, name in (("buyer", "buyer"), ("category", "category"), ("region", "region")):
        each = groups.by(table, name)
        found[title] = groups.foremost(each, MOST_GROUPS), max(len(each) - MOST_GROUPS, 0)
    by_value = {each.name: each for each in groups.by(table, "value_band")}
    found["value"] = [by_value[name] for name in (*bands, groups.UNSTATED) if name in by_value], 0
    found["year of publication"] = groups.by(table, "year"), 0
    return found


def _listed(row: Mapping[str, Any]) -> Listed:
    value, loss = row["value_gbp"], row["expected_loss_gbp"]
    return Listed(
        row=row,
        reasons=row["reasons"].split(JOINT) if row["reasons"] else (),
        value="unknown" if value is None else saying.pounds(value),
        loss="unknown" if loss is None else saying.pounds(loss),
    )


def _flat(facts: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The facts of a manifest one by one, each under its whole name."""
    if isinstance(facts, Mapping):
        for key, value in facts.items():
            yield from _flat(value, f"{name} {key}".strip().replace("_", " "))
    elif isinstance(facts, list | tuple):
        for number, value in enumerate(facts, start=1):
            yield from _flat(value, f"{name} {number}")
    else:
        yield name, "none" if facts is None else str(facts)[:LONGEST]
