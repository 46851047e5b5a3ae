"""The commissioner's commands: what-if, suggest, compare, report and record. `cli.main` has the others."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cli.options import AtStage, BundleDir, File, Json, out, parse_stage, print_json, read_processes
from cli.output import print_comparables, print_suggestions, print_what_if
from tenders.errors import DataError, UnreachableError, UsageError

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A fact to set, by its key in the form; all of them together."),
]
Scenarios = Annotated[
    list[str] | None,
    typer.Option("--scenario", metavar="'KEY=VALUE ...'", help="One more scenario, shown beside the others."),
]


def what_if(
    file: File,
    set_: Settings = None,
    scenario: Scenarios = None,
    stage: AtStage = None,
    bundle: BundleDir = None,
    json: Json = False,
) -> None:
    """Score a tender with some facts changed, beside the tender as it is."""
    from models import bundle as bundles
    from models import what_if as whatif

    at = parse_stage(stage)
    scenarios = [parse_settings(set_ or [])] if set_ or not scenario else []
    scenarios += [parse_settings(_split_words(text)) for text in scenario or []]
    model = bundles.load(bundle or bundles.released())
    for result in [whatif.what_if(model, process, scenarios, at) for process in read_processes(file)]:
        print_json(result) if json else print_what_if(out, result)


def suggest(file: File, stage: AtStage = None, bundle: BundleDir = None, json: Json = False) -> None:
    """List changes that go with a lower probability of failure, with cases for and against each."""
    from models import bundle as bundles
    from models import suggest as suggesting

    at = parse_stage(stage)
    model = bundles.load(bundle or bundles.released())
    for result in [suggesting.suggest(model, process, at) for process in read_processes(file)]:
        print_json(result) if json else print_suggestions(out, result)


def compare(
    file: File,
    stage: AtStage = None,
    count: Annotated[int, typer.Option("--count", min=1, max=50, help="How many cases.")] = 6,
    json: Json = False,
) -> None:
    """Show the nearest casebook cases, how they ended, and their sources."""
    from models import comparables

    at = parse_stage(stage)
    for result in [comparables.comparables(process, at, count) for process in read_processes(file)]:
        print_json(result) if json else print_comparables(out, result)


def report(
    file: File,
    to: Annotated[
        Path, typer.Option("--out", help="Where to write it; a name that ends in .pdf needs Chromium.")
    ] = Path("report.html"),
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who makes it; the report says so.")] = "",
    stage: AtStage = None,
    bundle: BundleDir = None,
    json: Json = False,
) -> None:
    """Write a report of two pages for a board, as HTML or PDF: number, reasons, changes, look-alikes, limits."""
    from models import bundle as bundles
    from models import score as scoring
    from models.comparables import peers
    from serving.pages.reporting import report_html, write_report

    at = parse_stage(stage)
    processes = read_processes(file)
    if len(processes) > 1:
        raise DataError.at("", f"{len(processes)} tenders in the file; a report is about one", "Give one a file")
    model = bundles.load(bundle or bundles.released())
    score = scoring.score(model, processes[0], at, explain=False)
    write_report(report_html(model, processes[0], at, partial(peers, model), by), to)
    if json:
        print_json({"report": str(to), "ocid": score.ocid, "stage": score.stage, "failure": score.failure})
    else:
        out.print(f"{to}: failure {score.failure:.1%} at {score.stage}, on two pages", markup=False)


def record(
    to: Annotated[Path | None, typer.Option("--out", help="Where to write it. Standard output by default.")] = None,
    bundle: BundleDir = None,
    json: Json = False,
) -> None:
    """Write the algorithmic transparency record of the models: the fields of the UK standard, as Markdown."""
    from models import bundle as bundles
    from models.transparency import record_text, transparency_record
    from tenders import files

    model = bundles.load(bundle or bundles.released())
    if json:
        print_json(transparency_record(model))
    elif to is None:
        out.print(record_text(model), markup=False, end="")
    else:
        try:
            files.write_whole(to, record_text(model).encode())
        except OSError as error:
            raise UnreachableError(f"{to}: {error.strerror}. Give another place with --out") from None
        open_fields = sum(field.open for section in transparency_record(model) for field in section.fields)
        out.print(f"{to}: {open_fields} fields are yours to fill in", markup=False)


def parse_settings(pairs: list[str]) -> dict[str, str]:
    """KEY=VALUE pairs as settings. Raises UsageError for a text that is no pair, or a key given twice."""
    settings: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{pair[:80]!r} is no KEY=VALUE. Write for example lots=4")
        if key.strip() in settings:
            raise UsageError(f"{key.strip()[:80]} is set twice in one scenario. Use --scenario for another")
        settings[key.strip()] = value
    return settings


def _split_words(scenario: str) -> list[str]:
    try:
        return shlex.split(scenario)
    except ValueError as error:
        remedy = "Quote a value with spaces, as in 'lots=4 title=\"At home\"'"
        raise UsageError(f"{scenario[:80]!r}: {error}. {remedy}") from None
