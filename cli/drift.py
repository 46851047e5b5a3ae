"""`tender-risk drift`: whether scores still mean what they meant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.given import AtStage, BundleDir, Json, err, out, print_json, stage_of

if TYPE_CHECKING:
    from portfolio.drift import DriftReport


def drift(
    source: Annotated[Path, typer.Argument(metavar="IN", help="The portfolio.")],
    stage: AtStage = None,
    bundle: BundleDir = None,
    register: Annotated[str | None, typer.Option(help="The tables of IN have this register's own columns.")] = None,
    json: Json = False,
) -> None:
    """Compare a portfolio with what its models learnt from: do scores still mean what they meant?"""
    from models import bundle as bundles
    from portfolio import drift as drifting

    loaded = bundles.load(bundle or bundles.released())
    with err.status(f"comparing {source}"):
        found = drifting.measure_drift(loaded, drifting.read_cases(source, loaded, stage_of(stage), register))
    print_json(found) if json else show(out, found)


def show(console: Console, found: DriftReport) -> None:
    """The answer, then each register and stage with what moved."""
    console.print(found.answer, style="bold", markup=False)
    for each in found.compared:
        console.print(f"{each.register} at {each.stage}: {each.rows:,} tenders", markup=False)
        for line in each.sentences:
            console.print(f"  {line}", markup=False)
    if found.refused:
        console.print(f"{found.refused:,} rows were refused: tender-risk portfolio says why.", markup=False)
    console.print(found.note, style="dim", markup=False)
