"""How results look on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from cli import show_desk

if TYPE_CHECKING:
    # Importing these takes longer than most commands.
    from models.score import Score
    from tenders.registers.quality import QualityReport
    from training.evaluate import Evaluation

FEW_REASONS = 6
WORD = len("fpds_dod_us")
"""The longest name of a register, outcome or stage."""


def score(out: Console, found: Score, everything: bool) -> None:
    """One score: the number, its parts, its reasons, what is unknown, and how thin the evidence is."""
    low, high = found.interval
    name = escape(found.ocid or "tender")
    out.print(f"[bold]{name}[/bold] at {found.stage}")
    out.print(
        f"  failure      [bold]{found.failure:.1%}[/bold]  ({low:.1%} to {high:.1%})  {found.band}; "
        f"base rate {found.base_rate:.1%}"
    )
    parts = found.outcomes
    out.print(f"    no award   {parts.no_award:.1%}")
    out.print(f"    early end  {parts.early_end:.1%}, given an award")
    if parts.single_bid is not None:
        out.print(f"  single bid   {parts.single_bid:.1%}")
    reasons = found.reasons if everything else found.reasons[:FEW_REASONS]
    if reasons:
        out.print("  reasons, with their effect in percentage points")
    for reason in reasons:
        out.print(f"    {100 * reason.effect:+6.2f}  {escape(reason.text)}  [dim]{escape(reason.path)}[/dim]")
    if everything:
        for each in found.unknown:
            out.print(f"    unknown  {each.feature}: {each.why}")
        show_desk.factors(out, found.factors)
    elif found.unknown:
        out.print(f"  unknown: {len(found.unknown)} features that the model weighs (--explain lists them)")
    for warning in found.warnings:
        out.print(f"  warning: {escape(warning)}")
    out.print(f"  evidence: {found.evidence}")
    out.print(f"  [dim]bundle {found.bundle}, register {found.register}[/dim]")


def checked(out: Console, found: Sequence[Mapping[str, Any]]) -> None:
    """What each tender lacks, by path."""
    for each in found:
        out.print(f"[bold]{escape(each['ocid'] or 'tender')}[/bold]: read without error, at {each['stage']}")
        for warning in each["warnings"]:
            out.print(f"  warning: {escape(warning)}")
        out.print(f"  {len(each['missing'])} features cannot be computed; what would fill them:")
        by_path: dict[str, list[str]] = {}
        for gap in each["missing"]:
            by_path.setdefault(gap["path"], []).append(gap["label"])
        for path, labels in by_path.items():
            out.print(f"    {path}  [dim]{', '.join(labels)}[/dim]")


def history(out: Console, found: QualityReport) -> None:
    """What a history holds, what is doubtful in it, and how it changes from year to year."""
    read = f"{found.rows:,} rows, {found.cases:,} cases in {found.clusters:,} groups that share fate"
    out.print(f"[bold]{escape(found.register)}[/bold]: {read}, {found.first or '?'} to {found.last or '?'}")
    for name, each in found.outcomes.items():
        out.print(f"  {name}: {_share(each.rate)} of {each.told:,} told, {each.censored:,} censored")
    doubtful = {"without a date": found.undated, "repeat an earlier id": found.repeated, **found.impossible}
    for text, number in {**doubtful, **found.problems}.items():
        if number:
            out.print(f"  {number:,}  {escape(text)}")
    for example in found.examples:
        out.print(f"    [dim]{escape(example)}[/dim]")
    years = Table("year", "cases", *(f"{name} rate" for name in found.outcomes))
    for year, row in found.years.items():
        years.add_row(str(year or "undated"), f"{row.cases:,}", *(_share(o.rate) for o in row.outcomes.values()))
    out.print(years)
    fill = Table("fact", "filled", "year by year")
    for path, share in found.fill.items():
        fill.add_row(path, _share(share), _span([row.fill.get(path, 0.0) for row in found.years.values()]))
    out.print(fill)


def features(out: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """The catalogue as a table."""
    table = Table("feature", "stage", "theme", "unit", "direction", "what it measures")
    sign = {1: "riskier", -1: "safer", 0: ""}
    for row in rows:
        table.add_row(
            row["name"], row["stage"], row["theme"], row["unit"], sign[row["direction"]], row["doc"].split(". ")[0]
        )
    out.print(table)


def trained(out: Console, run_id: str, metrics: Mapping[str, Mapping[str, float | None]]) -> None:
    """Figures of a training run, and its id."""
    table = Table(Column("of", min_width=WORD), "n", "positives", "base rate", "AUC", "95 %", "Brier", "ECE")
    for name, row in metrics.items():
        table.add_row(
            # Words, which a narrow terminal breaks between and does not cut.
            escape(name.replace("/", " ")),
            f"{row['n']:.0f}",
            f"{row['positives']:.0f}",
            _figure(row["base_rate"]),
            _figure(row["auc"]),
            f"{_figure(row['auc_low'])} to {_figure(row['auc_high'])}",
            _figure(row["brier"]),
            _figure(row["ece"]),
        )
    out.print(table)
    out.print(f"run {run_id}\nrelease it with: tender-risk release {run_id}")


def evaluated(out: Console, found: Evaluation) -> None:
    """Figures of an evaluation; picked cases in a row of their own."""
    table = Table("cases", "n", "positives", "censored", "base rate", "AUC", "95 %", "Brier", "ECE", "lift at 5 %")
    rows = {"judged by": found, **({"picked": found.picked} if found.picked else {})}
    for name, each in rows.items():
        span = " to ".join(map(_figure, each.auc_ci)) if each.auc_ci else "–"
        table.add_row(
            name,
            f"{each.n:,}",
            f"{each.positives:,}",
            f"{each.censored:,}",
            _figure(each.base_rate),
            _figure(each.auc),
            span,
            _figure(each.brier),
            _figure(each.ece),
            _figure(each.lift_at_5),
        )
    out.print(f"{escape(found.register)}: {found.outcome} at {found.stage}")
    out.print(table)


def _span(shares: Sequence[float]) -> str:
    low, high = min(shares), max(shares)
    return "the same" if low == high else f"{_share(low)} to {_share(high)}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
