"""`tender-risk portfolio`: a file of tenders in, every one of them scored."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cli import show_portfolio
from cli.given import AtStage, BundleDir, Json, err, out, print_json, stage_of

Source = Annotated[Path, typer.Argument(metavar="IN", help="A file or a folder: OCDS, Parquet, CSV or XLSX.")]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="Where the scores go: .parquet, .csv, .xlsx or .jsonl.")]


def portfolio(
    source: Source,
    output: Out,
    format: Annotated[str | None, typer.Option(help="parquet, csv, xlsx or jsonl, if OUT does not say.")] = None,
    stage: AtStage = None,
    bundle: BundleDir = None,
    register: Annotated[str | None, typer.Option(help="The tables of IN have this register's own columns.")] = None,
    reasons: Annotated[str, typer.Option(help="Who gets reasons: worklist, all or none.")] = "worklist",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes: by default one a core.")] = None,
    cluster: Annotated[str | None, typer.Option(help="A Dask cluster to run on, such as tcp://scheduler:8786.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was ended.")] = False,
    json: Json = False,
) -> None:
    """Score every tender of a file, as many as there are."""
    from models import bundle as bundles
    from serving.portfolio import workers as working
    from serving.portfolio import writing
    from serving.portfolio.run import Run, run
    from serving.portfolio.work import Asked

    directory = str((bundle or bundles.released()).resolve())
    asked = Asked(bundle=directory, stage=stage_of(stage), register=register, explain=reasons == "all")
    with ExitStack() as stack:
        count = workers or os.cpu_count() or 1
        if cluster:
            executor, count = stack.enter_context(working.cluster(cluster))
        else:
            executor = stack.enter_context(working.local(count, directory))
        given = Run(source=source, out=output, asked=asked, format=writing.format_of(output, format), workers=count)
        shown = stack.enter_context(_progress())
        task = shown.add_task("scoring", total=None, rows="")
        manifest = run(
            given,
            executor,
            resume,
            lambda at: shown.update(task, completed=at.bytes, total=at.size, rows=f"{at.rows:,} tenders"),
        )
    print_json(manifest) if json else show_portfolio.manifest(out, manifest, given)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rows]}"), TimeElapsedColumn(),
        TimeRemainingColumn(), console=err, transient=True,
    )  # fmt: skip
