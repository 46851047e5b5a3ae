"""How what-if, suggestions, comparables and factors look on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    # Importing these takes longer than printing them.
    from models.comparables import Comparables
    from models.factors import Factor, State
    from models.precedents import Precedent, Precedents
    from models.suggest import Suggestion, Suggestions
    from models.what_if import WhatIf

GROUPS: tuple[tuple[State, str], ...] = (("shown", "shown"), ("absent", "not shown"), ("unknown", "cannot be judged"))
FEW_WORDS = 6


def factors(out: Console, found: Sequence[Factor]) -> None:
    """Factors by state; the unknown ones by title only."""
    from models.factors import CAVEAT

    out.print("  documented factors, each with its record in the casebook")
    for state, heading in GROUPS:
        here = [factor for factor in found if factor.state == state]
        if state == "unknown":
            out.print(f"    {heading}: {escape('; '.join(factor.title for factor in here)) or 'none'}")
            continue
        out.print(f"    {heading}: {len(here)}")
        for factor in here:
            mark = "  (seen with survival)" if factor.seen_with == "survival" else ""
            record = f"{factor.cases.words}. {escape('; '.join(factor.sources))}"
            out.print(f"      {escape(factor.text)}{mark}\n        [dim]{record}[/dim]")
    out.print(f"    {CAVEAT}")


def what_if(out: Console, found: WhatIf) -> None:
    """The scenarios side by side with the tender as it is."""
    table = Table("", "as it is", *(_settings(each.settings) for each in found.scenarios))
    scores = [found.base, *(each.score for each in found.scenarios)]
    table.add_row("failure", *(f"{each.failure:.1%}" for each in scores))
    table.add_row("95 %", *(f"{each.interval[0]:.1%} to {each.interval[1]:.1%}" for each in scores))
    table.add_row("difference", "", *(f"{100 * each.difference:+.2f} points" for each in found.scenarios))
    table.add_row("no award", *(f"{each.outcomes.no_award:.1%}" for each in scores))
    table.add_row("early end", *(f"{each.outcomes.early_end:.1%}" for each in scores))
    out.print(f"[bold]{escape(found.ocid or 'tender')}[/bold] at {found.stage}")
    out.print(table)
    out.print(f"  {found.note}")
    out.print(f"  evidence: {found.base.evidence}")


def suggestions(out: Console, found: Suggestions) -> None:
    """What lowers the probability, with cases for and against, or that nothing does."""
    out.print(f"[bold]{escape(found.ocid or 'tender')}[/bold] at {found.stage}: failure {found.failure:.1%}")
    out.print(f"  {found.text}")
    for each in found.single:
        _suggestion(out, each)
    if found.pair:
        out.print("  the best pair")
        _suggestion(out, found.pair)
    for said, texts in (
        ("tried, and no lower", found.without_effect),
        ("not told apart from what the tender leaves open", found.entangled),
        ("not tried, for the model does not weigh it", found.unweighed),
    ):
        if texts:
            out.print(f"  {said}: {escape(' '.join(texts))}")
    out.print(f"  {found.note}")
    out.print(f"  evidence: {found.evidence}")


def _suggestion(out: Console, each: Suggestion) -> None:
    out.print(f"  {100 * each.difference:+6.2f}  {escape(each.text)}  [dim]{_settings(each.settings)}[/dim]")
    _precedents(out, each.cases)


def _precedents(out: Console, cases: Precedents) -> None:
    (failed, cohort), (bad, picked) = cases.cohort, cases.picked
    cohorts = f"{failed} of {cohort} cohort cases (of {cases.events} programmes or buyers)"
    out.print(f"          with it failed: {cohorts}, {bad} of {picked} picked ones")
    for said, side in (("held", cases.held), ("failed", cases.failed)):
        if side:
            out.print(f"          {said}: {escape('; '.join(map(_named, side)))}")


def _named(case: Precedent) -> str:
    return f"{case.name} ({case.outcome})"


def comparables(out: Console, found: Comparables) -> None:
    """The nearest cases, each with what it shares, how it ended, and where that is written."""
    out.print(f"[bold]{escape(found.ocid or 'tender')}[/bold] at {found.stage}: the nearest cases whose end is known")
    for each in found.cases:
        ended = "failed" if each.failed else "held"
        entered = "picked" if each.cohort == "picked" else "cohort"
        out.print(f"  [bold]{escape(each.name)}[/bold]  {ended}: {escape(each.outcome)} {each.outcome_date}".rstrip())
        likeness = each.likeness
        out.print(f"    {escape('; '.join((*likeness.also, *likeness.unlike)[:FEW_WORDS]))}")
        out.print(f"    {escape(each.account)}{'  (recalled, not read)' if each.recalled else ''}")
        places = ", ".join(source.url for source in each.sources) or "no address"
        shared = f"{likeness.shared} facts in common, distance {likeness.distance:.2f}"
        out.print(f"    [dim]{each.case}, {entered}; {shared}; {escape(places)}[/dim]")
    out.print(f"  {found.note}")


def _settings(settings: Mapping[str, Any]) -> str:
    return escape(", ".join(f"{key}={value}" for key, value in settings.items())) or "nothing set"
