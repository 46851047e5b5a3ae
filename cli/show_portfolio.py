"""What a portfolio run prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from portfolio.manifest import RunManifest
    from portfolio.run import PortfolioRun


def manifest(out: Console, found: RunManifest, given: PortfolioRun) -> None:
    """What was scored and where it is."""
    counts = found.counts
    out.print(
        f"{counts.scored:,} tenders scored with bundle {given.options.bundle.rsplit('/', 1)[-1]}: {given.out}",
        markup=False,
    )
    bands = ", ".join(f"{number:,} {band}" for band, number in counts.bands.items())
    out.print(f"  failure probability: {bands or 'none'}", markup=False)
    if counts.refused:
        out.print(f"  {counts.refused:,} rows refused, with place and reason: {given.errors_file}", markup=False)
    if listed := found.worklist:
        out.print(f"  {listed.listed:,} to review: {given.worklist_file}", markup=False)
    if given.report:
        out.print(f"  the report: {given.report}", markup=False)
    out.print(f"  what was run on what: {given.manifest_file}", markup=False)
