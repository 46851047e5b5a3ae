"""The auditor's commands: portfolio scores every tender of a file, drift tells whether scores still hold for it."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from msgspec import structs
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cli.options import AtStage, BundleDir, ColumnsOf, Json, err, out, parse_stage, print_json
from cli.output import print_drift, print_portfolio
from cli.progress import working
from tenders.errors import DataError, UsageError
from tenders.io.remote import RemotePath, local_copy, locate

Source = Annotated[
    str, typer.Argument(metavar="IN", help="A file, a folder or an s3:// address: OCDS, Parquet, CSV or XLSX.")
]
Reasons = Literal["worklist", "all", "none"]
RankedBy = Literal["failure", "expected_loss"]
Out = Annotated[
    str, typer.Argument(metavar="OUT", help="A file or s3:// address for the scores: .parquet, .csv, .xlsx or .jsonl.")
]


def portfolio(
    source: Source,
    output: Out,
    format: Annotated[str | None, typer.Option(help="parquet, csv, xlsx or jsonl. Default: the ending of OUT.")] = None,
    stage: AtStage = None,
    bundle: BundleDir = None,
    register: ColumnsOf = None,
    reasons: Annotated[
        Literal["worklist", "all", "none"], typer.Option(help="Which tenders get reasons.")
    ] = "worklist",
    capacity: Annotated[int | None, typer.Option(help="Tenders you can review. Writes a worklist.")] = None,
    rank_by: Annotated[
        Literal["failure", "expected_loss"], typer.Option(help="Rank by probability, or by probability x value.")
    ] = "failure",
    most_per_buyer: Annotated[int | None, typer.Option(help="The most tenders of one buyer on the worklist.")] = None,
    sample: Annotated[float, typer.Option(help="Share of the worklist drawn at random, 0 to 1.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the random draw and of ties.")] = 0,
    since: Annotated[str | None, typer.Option(help="An earlier OUT or worklist, as Parquet, to compare with.")] = None,
    report: Annotated[str | None, typer.Option(help="Where to write a report, as one HTML file.")] = None,
    outcomes: Annotated[
        str | None,
        typer.Option(
            help="Known outcomes, which move the level of the scores and stand in the report: OCDS notices, or CSV or "
            "Parquet with ocid and failed (in Parquet known_on too, where days are known)."
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Number of processes. Default: one for each core.")] = None,
    cluster: Annotated[
        str | None, typer.Option(help="A Dask cluster: its address, such as tcp://scheduler:8786, or local.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    json: Json = False,
) -> None:
    """Score every tender of a file or folder, and list those worth a review."""
    from portfolio.workers import local_workers, start_fork_server

    if not cluster:
        start_fork_server()
    from models import bundle as bundles
    from portfolio import cluster as clusters
    from portfolio.output import output_format
    from portfolio.run import PortfolioRun, run_portfolio
    from portfolio.run import Progress as RunProgress
    from portfolio.work import RunOptions
    from portfolio.worklist import DEFAULT_CAPACITY, WorklistOptions

    if workers and cluster not in (None, clusters.LOCAL):
        raise UsageError("a cluster has its own workers: leave out --workers")
    directory = str((bundle or bundles.released()).resolve())
    worklist = None
    if capacity is not None or report:
        worklist = WorklistOptions(
            capacity=DEFAULT_CAPACITY if capacity is None else capacity,
            rank_by=rank_by,
            most_per_buyer=most_per_buyer,
            sample=sample,
            seed=seed,
        )
    count = workers or os.cpu_count() or 1
    with ExitStack() as stack:
        near, to = stack.enter_context(_written_to(output))
        near_report, report_to = stack.enter_context(_written_to(report)) if report else (None, None)
        run = PortfolioRun(
            source=locate(source),
            out=near,
            to=to,
            options=RunOptions(bundle=directory, stage=parse_stage(stage), register=register, explain=reasons == "all"),
            format=output_format(near, format),
            workers=count,
            worklist=worklist,
            explain_worklist=reasons != "none",
            since=stack.enter_context(local_copy(locate(since))) if since else None,
            report=near_report,
            report_to=report_to,
            outcomes=stack.enter_context(local_copy(locate(outcomes))) if outcomes else None,
        )
        if cluster:
            executor, count = stack.enter_context(clusters.cluster_workers(cluster, directory, count))
            run = structs.replace(run, workers=count)
            if why := clusters.share_files(executor, run):
                err.print(f"Every line passes the scheduler, because {why}", markup=False)
        else:
            executor = stack.enter_context(local_workers(count, directory))
        progress = stack.enter_context(_progress())
        task = progress.add_task("scoring", total=None, rows="")
        # Where there is no terminal, a bar shows nothing.
        lines = None if err.is_terminal else stack.enter_context(working("scoring"))

        def show(at: RunProgress) -> None:
            seconds = progress.tasks[task].elapsed or math.inf
            speed = f"{at.rows:,} tenders, {at.rows / seconds:,.0f} a second"
            progress.update(task, completed=at.bytes, total=at.size, rows=speed)
            if lines:
                lines.update(f"scoring: {speed}, {at.bytes / max(at.size, 1):.0%} of the input")

        manifest = run_portfolio(run, executor, resume, show)
    print_json(manifest) if json else print_portfolio(out, manifest, run)
    if manifest.counts.refused and not manifest.counts.scored:
        problem = f"none of {manifest.counts.refused:,} rows could be read"
        raise DataError.at(run.source.name, problem, f"{run.errors_file.name} says why of each")


@contextmanager
def _written_to(text: str) -> Iterator[tuple[Path, RemotePath | None]]:
    """Where an output is written on this machine, and the address to which it is then copied, if it is one."""
    place = locate(text)
    if isinstance(place, Path):
        yield place, None
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder, place.name), place


def drift(
    source: Annotated[str, typer.Argument(metavar="IN", help="The portfolio: a file, a folder or an s3:// address.")],
    stage: AtStage = None,
    bundle: BundleDir = None,
    register: ColumnsOf = None,
    json: Json = False,
) -> None:
    """Compare a portfolio with the data that its models learnt from: do scores still mean the same?"""
    from models import bundle as bundles
    from portfolio.drift import measure_drift, read_cases

    model = bundles.load(bundle or bundles.released())
    with working(f"comparing {source}"):
        report = measure_drift(model, read_cases(locate(source), model, parse_stage(stage), register))
    print_json(report) if json else print_drift(out, report)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rows]}"), TimeElapsedColumn(),
        TimeRemainingColumn(), console=err, transient=True,
    )  # fmt: skip
