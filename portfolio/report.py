"""The report of a portfolio run: one self-contained HTML file, for screen and paper, and the summary in sentences."""

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
from portfolio import groups
from portfolio.columns import JOINT
from portfolio.expectations import ExpectedPrecision, ModelEvidence, ValidationResult, model_evidence
from portfolio.groups import GroupTotals, TenderGroups
from portfolio.rendering import plain, pounds, read_asset, render
from portfolio.worklist import ScoredData, Worklist, WorklistSummary

HISTOGRAM_BINS = 20
MOST_GROUPS, MOST_LISTED, MOST_GONE, MOST_FACTS, MOST_EVIDENCE = 20, 500, 50, 200, 12
"""The most rows that the report shows of each; the rest is counted."""
LONGEST_FACT = 300
"""Characters."""
LIMITS = (
    "A probability is based on past cases. It is not a verdict on a tender, a buyer or a person.",
    "Reasons are associations, not causes.",
    "A listed tender is more likely to fail than others, but it may well succeed. One that is not listed may fail.",
    "Money at risk is probability x stated value. Use it to rank tenders, not to forecast a loss.",
    "Unknown facts were left unknown. They were never counted as zero.",
)


class HistogramBar(msgspec.Struct, frozen=True, kw_only=True):
    """One bar: where it starts (percent of the width), its height as a share of the highest, its rows and its range."""

    x: float
    height: float
    rows: int
    range: str


class WorklistEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the worklist with its reasons as a list."""

    row: Mapping[str, Any]
    reasons: Sequence[str]


def render_report(
    scored: ScoredData,
    worklist: Worklist,
    manifest: Mapping[str, Any],
    bundle: Bundle,
    outcomes: pa.Table | None = None,
) -> str:
    """The report as HTML. It counts tenders: of rows that share an ocid, the highest-ranking one.

    `manifest` is shown fact by fact: inputs and digests, options, counts, versions. `outcomes` has the columns `ocid`
    and `failed` (true or false); with it the report shows error rates.
    """
    summary = worklist.summary
    source = ds.dataset(scored) if isinstance(scored, pa.Table) else scored
    tenders = groups.tender_groups(source, summary.options, worklist.rows, outcomes)
    facts = list(_flatten(manifest))
    entries = [_entry(row) for row in worklist.rows.slice(0, MOST_LISTED).to_pylist()]
    css = read_asset("pictures.css") + read_asset("portfolio_report.css")
    return render(
        "portfolio_report.html",
        css=Markup(css),  # noqa: S704 - our own file
        css_digest=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
        summary=summary,
        sentences=summary_sentences(summary),
        bars=_histogram(tenders),
        bands={group.name: group for group in groups.group_totals(tenders, "band")},
        evidence=_evidence(bundle, tenders, summary.by_risk / max(summary.tenders, 1))[:MOST_EVIDENCE],
        group_tables=_group_tables(tenders),
        entries=entries,
        more_entries=len(worklist.rows) - len(entries),
        gone=[] if worklist.gone is None else worklist.gone.slice(0, MOST_GONE).to_pylist(),
        more_gone=0 if worklist.gone is None else max(len(worklist.gone) - MOST_GONE, 0),
        audit=groups.bias_audit(tenders),
        most_regions=groups.MOST_REGIONS,
        known_outcomes=len(tenders) - tenders["failed"].null_count,
        facts=facts[:MOST_FACTS],
        more_facts=max(len(facts) - MOST_FACTS, 0),
        bundle=bundle.manifest,
        limits=LIMITS,
        today=str(manifest.get("created") or datetime.now(UTC).isoformat())[:10],
    )


def _histogram(tenders: TenderGroups) -> list[HistogramBar]:
    counts, edges = np.histogram(tenders["failure"].to_numpy(), bins=HISTOGRAM_BINS, range=(0, 1))
    highest = max(int(counts.max()), 1)
    return [
        HistogramBar(x=100 * start, height=rows / highest, rows=rows, range=f"{start:.0%} to {end:.0%}")
        for rows, start, end in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]


def _evidence(bundle: Bundle, tenders: TenderGroups, share: float) -> list[ModelEvidence]:
    """The evidence for each register and stage in the portfolio, the most frequent first."""
    counts = tenders.group_by(["register", "stage"], use_threads=False).aggregate([([], "count_all")]).to_pylist()
    counts.sort(key=lambda row: (-row["count_all"], str(row["register"]), str(row["stage"])))
    return [model_evidence(bundle, str(row["register"]), str(row["stage"]), row["count_all"], share) for row in counts]


def _group_tables(tenders: TenderGroups) -> dict[str, tuple[list[GroupTotals], int]]:
    """The tables by title: their rows, and how many more groups there are."""
    tables: dict[str, tuple[list[GroupTotals], int]] = {}
    for column in ("buyer", "category", "region"):
        totals = groups.group_totals(tenders, column)
        tables[column] = groups.most_at_risk(totals, MOST_GROUPS), max(len(totals) - MOST_GROUPS, 0)
    bands = [*(name for _, name in groups.VALUE_BANDS), groups.NOT_STATED]
    by_value = sorted(groups.group_totals(tenders, "value_band"), key=lambda group: bands.index(group.name))
    tables["value"] = by_value, 0
    tables["year of publication"] = groups.group_totals(tenders, "year"), 0
    return tables


def _entry(row: Mapping[str, Any]) -> WorklistEntry:
    return WorklistEntry(row=row, reasons=row["reasons"].split(JOINT) if row["reasons"] else ())


def _flatten(facts: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The facts of a manifest one by one, each under its full name."""
    if isinstance(facts, Mapping):
        for key, value in facts.items():
            yield from _flatten(value, f"{name} {key}".strip().replace("_", " "))
    elif isinstance(facts, list | tuple):
        for number, value in enumerate(facts, start=1):
            yield from _flatten(value, f"{name} {number}")
    else:
        yield name, "none" if facts is None else str(facts)[:LONGEST_FACT]


def summary_sentences(summary: WorklistSummary) -> tuple[str, ...]:
    """The summary of a worklist in sentences: who was selected, what to expect, the money, and the changes."""
    return (
        *_selection_sentences(summary),
        *_expectation_sentences(summary),
        *_money_sentences(summary),
        *_change_sentences(summary),
    )


def _selection_sentences(summary: WorklistSummary) -> Iterator[str]:
    options = summary.options
    rank = "expected loss (probability x value in pounds)" if options.by_loss else "probability of failure"
    yield f"{summary.listed:,} of {summary.tenders:,} tenders are listed: {summary.by_risk:,} with the highest {rank}."
    if summary.rows > summary.tenders:
        yield (
            f"{summary.rows - summary.tenders:,} of {summary.rows:,} rows repeat a tender (the same ocid). "
            "Each tender is listed once, by its highest-ranking row."
        )
    if summary.at_random:
        yield (
            f"{summary.at_random:,} are drawn at random from all tenders, each with a probability of "
            f"{summary.inclusion_probability:.3g}. Only these show how the whole portfolio fails, and test the next "
            "model fairly."
        )
    if summary.tied > summary.tied_chosen:
        yield (
            f"{summary.tied:,} tenders rank equal at the end of the list, and {summary.tied_chosen:,} of them are "
            f"listed. A draw with seed {options.seed} chose them, not their place in the file."
        )
    if options.most_per_buyer is not None:
        yield (
            f"At most {options.most_per_buyer} per buyer: {summary.passed_over:,} tenders that rank higher than the "
            "last one listed were left out. The limit does not apply to tenders without a stated buyer, nor to those "
            "drawn at random."
        )
    if summary.listed < min(options.capacity, summary.tenders):
        unused = options.capacity - summary.listed
        yield f"Because of the limit per buyer, {unused:,} of {options.capacity:,} reviews are unused."


def _expectation_sentences(summary: WorklistSummary) -> Iterator[str]:
    if summary.precision:
        yield _expected(summary.precision, summary.mean_failure)
    yield from map(_validated, summary.validated)
    if summary.precision and not summary.validated:
        yield "The bundle has no validation results to compare this with."


def _expected(precision: ExpectedPrecision, base: float) -> str:
    low, high = precision.interval
    least, most = precision.prediction_interval
    return (
        f"If the scores are right, {precision.expected:.0%} of the {precision.rows:,} chosen by risk will fail, "
        f"compared with {base:.0%} of all tenders. The calibration leaves room for {low:.0%} to {high:.0%} "
        "(95% interval; all tenders share this error, so a longer list does not reduce it). With chance added, "
        f"reviews should find {least:.0%} to {most:.0%}."
    )


def _validated(result: ValidationResult) -> str:
    cases = f"In validation on {result.rows:,} unseen cases of {result.register} at {plain(result.stage)}, "
    if result.precision is None or result.share is None:
        return f"{cases}{result.base_rate:.0%} failed. How many a list of this length finds was not measured."
    return (
        f"{cases}{result.precision:.0%} of the top {result.share:.0%} failed ({plain(result.outcome)}), compared with "
        f"{result.base_rate:.0%} of all."
    )


def _money_sentences(summary: WorklistSummary) -> Iterator[str]:
    yield (
        f"The listed tenders carry {pounds(summary.money_listed_gbp)} of the {pounds(summary.money_at_risk_gbp)} at "
        "risk (probability x value, in pounds at the average rate of the tender's year)."
    )
    if summary.unvalued:
        rank = " and rank after all others" if summary.options.by_loss else ""
        yield (
            f"Tenders without a known value are not in that sum{rank}: {summary.unvalued:,}, of which "
            f"{summary.unvalued_listed:,} on the list."
        )


def _change_sentences(summary: WorklistSummary) -> Iterator[str]:
    if summary.changes is not None:
        words = {
            "new": "new",
            "up": "more likely to fail",
            "down": "less likely to fail",
            "same": "unchanged",
            "gone": "gone",
        }
        counts = (f"{summary.changes[name]:,} {text}" for name, text in words.items() if summary.changes.get(name))
        yield f"Since the earlier run: {', '.join(counts) or 'nothing'}."
