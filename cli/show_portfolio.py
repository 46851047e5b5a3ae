"""What a portfolio run prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from portfolio.given import Run
    from portfolio.manifest import Manifest


def manifest(out: Console, found: Manifest, given: Run) -> None:
    """What was scored and where it is."""
    counts = found.counts
    out.print(
        f"{counts.scored:,} tenders scored with bundle {given.asked.bundle.rsplit('/', 1)[-1]}: {given.out}",
        markup=False,
    )
    bands = ", ".join(f"{number:,} {band}" for band, number in counts.bands.items())
    out.print(f"  failure probability: {bands or 'none'}", markup=False)
    if counts.refused:
        out.print(f"  {counts.refused:,} rows refused, each with its place and reason: {given.refused}", markup=False)
    if listed := found.worklist:
        out.print(f"  {listed.by_risk + listed.at_random:,} to review: {given.listed}", markup=False)
    if given.report:
        out.print(f"  the report: {given.report}", markup=False)
    out.print(f"  what was run on what: {given.manifest}", markup=False)
