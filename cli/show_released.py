"""How releases, promotions and rollbacks look on a terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from cli.show import WORD

if TYPE_CHECKING:
    # Importing these takes longer than most commands.
    from training.promotion import Promotion, Release, Rollback


def released(out: Console, found: Release) -> None:
    """What was released, and whether it is served."""
    if found.served:
        out.print(f"Released {found.version}; it is champion and served by default.")
    else:
        out.print(f"Released {found.version} as challenger; {found.champion} is served until: tender-risk promote")


def promotion(out: Console, found: Promotion) -> None:
    """Both models' figures on the same cases, and whether the challenger is served now."""
    compared = found.comparison.compared
    if compared:
        out.print(f"challenger {found.challenger} against champion {found.champion}, on cases that neither had seen")
        table = Table(
            Column("of", min_width=WORD), "cases", "n", "figure", "champion", "challenger", "difference", "95 %"
        )
        for each in compared:
            if each.group != "all" and not each.worse:
                continue
            low, high = each.interval
            difference = f"{each.difference:+.4f}"
            table.add_row(
                # Words, which a narrow terminal breaks between and does not cut.
                escape(f"{each.register} {each.outcome} {each.stage}"),
                escape(each.group),
                f"{each.n:,}",
                each.measure,
                f"{each.champion:.4f}",
                f"{each.challenger:.4f}",
                f"[bold]{difference} worse[/bold]" if each.worse else difference,
                f"{low:+.4f} to {high:+.4f}",
            )
        out.print(table)
        large = Counter(each.group == "all" for each in compared)[False]
        out.print(f"  {large} figures of large groups were compared too; only those that are worse are shown")
    for missing in (*found.comparison.not_compared, *found.comparison.too_few):
        out.print(f"  not compared: {escape(missing)}")
    if found.promoted:
        before = f"; {found.champion} is the former champion" if found.champion else ""
        out.print(f"Promoted {found.challenger}: it is served by default{escape(before)}.")


def rollback(out: Console, found: Rollback) -> None:
    """What is served again."""
    out.print(f"{found.champion} is champion and served again; {found.withdrawn} is not.")
