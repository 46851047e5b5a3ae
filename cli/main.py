"""`tender-risk`: every command, thin over the packages. Heavy imports happen in the command that needs them.

Errors go to standard error. Exit 0 fine, 1 the data was refused, 2 wrong usage, 3 a file or service cannot be reached.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from cli import show
from tenders.errors import DataError, TenderRiskError, UsageError
from tenders.facts import STAGES, Stage
from tenders.process import Process

app = typer.Typer(
    name="tender-risk",
    help="Failure probabilities, with reasons, for public tenders before the damage is done.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
File = Annotated[str, typer.Argument(metavar="FILE|-", help="An OCDS file or a filled form; - for standard input.")]
BundleDir = Annotated[Path | None, typer.Option("--bundle", help="A bundle's directory. The released one by default.")]


def run() -> None:
    """The console script: errors in one line each, and their exit code."""
    try:
        app()
    except DataError as error:
        for problem in error.problems:
            err.print(f"error: {problem}", markup=False)
        sys.exit(error.exit_code)
    except TenderRiskError as error:
        err.print(f"error: {error}", markup=False)
        sys.exit(error.exit_code)


@app.command()
def score(
    file: File,
    stage: Annotated[str | None, typer.Option(help="draft, bids_in or awarded. The latest known by default.")] = None,
    bundle: BundleDir = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print all reasons and what is unknown.")] = False,
    json: Json = False,
) -> None:
    """Score tenders: the probability of failure, and why."""
    from models import bundle as bundles
    from models import scoring

    at = _stage(stage)
    loaded = bundles.load(bundle or bundles.released())
    # All before the first is printed: a file is refused whole.
    for found in [scoring.score(loaded, process, at) for process in _read(file)]:
        if json:
            _print_json(found)
        else:
            show.score(out, found, explain)


@app.command()
def check(
    file: File,
    register: Annotated[
        str | None, typer.Option(help="The file is a history of this register: report on its quality.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what is missing or wrong in an OCDS file, by JSON path; or what a register's history holds."""
    if register:
        from tenders.sources import quality, source

        with err.status(f"reading {file}"):
            report = quality.report(source(register), Path(file))
        _print_json(report) if json else show.history(out, report)
        return
    from features.catalogue import known_at
    from features.track_records import TrackRecord

    found = []
    for process in _read(file):
        stage = process.latest_stage()
        tender = process.as_of(stage)
        missing = [f for f in known_at(stage) if not f.evidence and f.measure(tender, TrackRecord()) is None]
        found.append(
            {
                "ocid": process.ocid,
                "stage": stage,
                "missing": [{"path": f.path, "feature": f.name, "label": f.label} for f in missing],
                "warnings": list(process.warnings),
            }
        )
    _print_json(found) if json else show.checked(out, found)


@app.command()
def features(json: Json = False) -> None:
    """Print the catalogue of features."""
    from features.catalogue import catalogue

    rows = [
        {
            "name": f.name,
            "stage": f.stage,
            "theme": f.theme,
            "unit": f.unit,
            "label": f.label,
            "path": f.path,
            "direction": f.direction,
            "doc": " ".join(f.doc.split()),
        }
        for f in catalogue().values()
    ]
    _print_json(rows) if json else show.features(out, rows)


@app.command()
def train(
    config: Annotated[Path | None, typer.Argument(help="A recipe in TOML. The default recipe without.")] = None,
    json: Json = False,
) -> None:
    """Train on the casebook, tracked in MLflow; prints the run's id."""
    from training import dataset, recipe, tracking
    from training import train as training

    chosen = recipe.read(config)
    with err.status("reading the casebook") as status:
        history = dataset.history()
        result = training.train(history, chosen, lambda text: status.update(f"training {text}"))
        status.update("writing the run")
        run_id = tracking.log(result)
    if json:
        _print_json({"run_id": run_id, "metrics": result.bundle.manifest.metrics})
    else:
        show.trained(out, run_id, result.bundle.manifest.metrics)


@app.command()
def evaluate(
    register: Annotated[str, typer.Option(help="The register that both files are of.")],
    history: Annotated[Path, typer.Option(help="What had been known before: for track records.")],
    test: Annotated[Path, typer.Option(help="The cases to judge by.")],
    bundle: BundleDir = None,
    outcome: Annotated[str | None, typer.Option(help="no_award, early_end, single_bid or failure.")] = None,
    stage: Annotated[str | None, typer.Option(help="draft, bids_in or awarded. The first open one by default.")] = None,
    json: Json = False,
) -> None:
    """Judge a bundle on cases that it has not seen."""
    from models import bundle as bundles
    from tenders.sources import source
    from training import evaluate as evaluation

    loaded = bundles.load(bundle or bundles.released())
    with err.status(f"scoring {test}"):
        found = evaluation.evaluate(loaded, source(register), history, test, outcome, _stage(stage))
    _print_json(found) if json else show.evaluated(out, found)


@app.command()
def release(run_id: Annotated[str, typer.Argument(help="The run that 'train' printed.")], json: Json = False) -> None:
    """Release a run's bundle: it is served from now on."""
    from training import tracking

    where = tracking.release(run_id)
    _print_json({"version": where.name}) if json else out.print(f"Released {where.name}; it is served by default.")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Keys are required unless it is a loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 3000,
) -> None:
    """Start the service: pages at /, the API beside them."""
    from serving.running import serve as start

    start(host, port)


def _read(file: str) -> list[Process]:
    from tenders import reading

    return reading.read(sys.stdin.buffer.read()) if file == "-" else reading.read_file(Path(file))


def _stage(text: str | None) -> Stage | None:
    if text is not None and text not in STAGES:
        raise UsageError(f"{text!r} is no stage. Use one of {', '.join(STAGES)}")
    return text


def _print_json(value: object) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
