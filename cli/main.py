"""`tender-risk`: every command, thin over the packages. Heavy imports happen in the command that needs them.

Errors go to standard error. Exit 0 fine, 1 the data was refused, 2 wrong usage, 3 a file or service cannot be reached.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli import auditing, desk, keys, output, portfolio, pulling
from cli.options import AtStage, BundleDir, File, Json, as_path, err, out, parse_stage, print_json, read_processes
from cli.progress import working
from tenders.errors import BundleError, DataError, TenderRiskError

# Threads that wait for each other by spinning are very slow on a machine that also does something else.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

app = typer.Typer(
    name="tender-risk",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def print_version(wanted: bool) -> None:
    """Prints the version and ends, where `--version` stands."""
    if not wanted:
        return
    from models import bundle as bundles
    from serving.audit.entry import product_version

    out.print(f"tender-risk {product_version()}, bundle {bundles.released().name}", markup=False)
    raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=print_version, is_eager=True, help="Print both versions."),
    ] = False,
) -> None:
    """Failure probabilities, with reasons, for public tenders before the damage is done."""


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
    stage: AtStage = None,
    bundle: BundleDir = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print all reasons and what is unknown.")] = False,
    json: Json = False,
) -> None:
    """Score tenders: the probability of failure, and why."""
    from models import bundle as bundles
    from models import score as scoring

    at = parse_stage(stage)
    model = bundles.load(bundle or bundles.released())
    # All are scored before the first is printed: a file is refused as a whole.
    for result in [scoring.score(model, process, at) for process in read_processes(file)]:
        print_json(result) if json else output.print_score(out, result, explain)


app.command()(desk.what_if)
app.command()(desk.suggest)
app.command()(desk.compare)
app.command()(desk.report)
app.command()(desk.record)
app.command()(portfolio.portfolio)
app.command()(portfolio.drift)
app.command()(pulling.pull)
app.add_typer(auditing.app, name="audit")
app.add_typer(keys.app, name="keys")


@app.command()
def check(
    file: File,
    register: Annotated[
        str | None, typer.Option(help="The file is a history of this register: report on its quality.")
    ] = None,
    json: Json = False,
) -> None:
    """List all that is wrong or missing in a file or folder, by JSON path, and what its fields allow by stage.

    With --register, what a register's history holds. Exits 1 if anything was refused.
    """
    if register:
        from tenders.registers import find_register, quality

        with working(f"reading {file}"):
            report = quality.quality_report(find_register(register), Path(file))
        print_json(report) if json else output.print_quality(out, report)
        return
    from portfolio.coverage import check as check_source

    with as_path(file) as source, working(f"reading {file}"):
        checked = check_source(source)
    print_json(checked) if json else output.print_check(out, checked)
    if checked.refused:
        raise typer.Exit(DataError.exit_code)


@app.command()
def outcomes(file: File, json: Json = False) -> None:
    """Print how tenders and their lots ended, with the place and the words that decide."""
    from tenders.outcomes import tender_outcomes

    # All are read before the first is printed, as by score; and relaunches are looked for among all.
    endings = tender_outcomes(read_processes(file))
    if not json:
        output.print_outcomes(out, endings)
        return
    for ending in endings:
        print_json(ending)


@app.command()
def features(
    effects: Annotated[bool, typer.Option("--effects", help="Print each factor's layers of evidence.")] = False,
    bundle: BundleDir = None,
    json: Json = False,
) -> None:
    """Print the catalogue of features; with --effects, what is known of each factor's effect in the UK models."""
    if effects:
        from models import bundle as bundles
        from tenders.io import form

        model = bundles.load(bundle or bundles.released())
        without = [field.name for field in form.FIELDS if field.name not in model.moving_fields]
        listing = {"effects": model.manifest.effects, "no_known_effect": without}
        print_json(listing) if json else output.print_effects(out, model.manifest.effects, without)
        return
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
    print_json(rows) if json else output.print_features(out, rows)


@app.command()
def train(
    config: Annotated[Path | None, typer.Argument(help="A recipe in TOML. The default recipe without.")] = None,
    history: Annotated[
        Path | None, typer.Option(help="A directory of histories, each named as its register, such as NAME.parquet.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep-registers", help="Keep the released models of registers; train the UK's alone.")
    ] = False,
    keep_uk: Annotated[
        bool | None,
        typer.Option(
            "--keep-uk/--refit-uk",
            help="Keep the released models of the UK; train those of the histories alone. The default for a directory "
            "with a history of your own and no other.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Train on the casebook, and on registers if given, tracked in MLflow; prints the run's id."""
    from cli.training import judged
    from cli.training import train as train_models
    from training.recipe import read_recipe

    run_id, result = train_models(read_recipe(config), history, keep, keep_uk)
    registers = result.registers
    if json:
        few = registers.too_few if registers else ()
        left_out = registers.left_out if registers else ()
        print_json({"run_id": run_id, "metrics": result.fresh_metrics, "not_learnt": few, "left_out": left_out})
        return
    remarks = [*judged(registers.judged)] if registers else []
    remarks += [f"not learnt: {text}." for text in (registers.too_few if registers else ())]
    remarks += [f"{text}." for text in (registers.left_out if registers else ())]
    output.print_training(out, run_id, result.fresh_metrics, remarks)


@app.command()
def evaluate(
    register: Annotated[str, typer.Option(help="The register that both files are of.")],
    history: Annotated[Path, typer.Option(help="Earlier cases, for track records.")],
    test: Annotated[Path, typer.Option(help="The cases to judge by.")],
    bundle: BundleDir = None,
    outcome: Annotated[str | None, typer.Option(help="no_award, early_end, single_bid or failure.")] = None,
    stage: Annotated[str | None, typer.Option(help="draft, bids_in or awarded. The first open one by default.")] = None,
    json: Json = False,
) -> None:
    """Judge a bundle on cases that it has not seen."""
    from models import bundle as bundles
    from tenders.registers import find_register
    from training import evaluate as evaluation

    model = bundles.load(bundle or bundles.released())
    with working(f"scoring {test}"):
        result = evaluation.evaluate(model, find_register(register), history, test, outcome, parse_stage(stage))
    print_json(result) if json else output.print_evaluation(out, result)


@app.command()
def release(
    run_id: Annotated[str, typer.Argument(help="The run that 'train' printed.")],
    to: Annotated[
        Path | None, typer.Option(help="Write the bundle to this directory instead, for --bundle; nothing is served.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="The private key that signs it. Your own, if left out.")] = None,
    json: Json = False,
) -> None:
    """Release a run's bundle as challenger of the one that is served; the first is served at once."""
    from serving.audit.trail import note_command
    from training import promotion

    if to:
        result = promotion.write_bundle(run_id, to, key=key)
    else:
        result = promotion.release(run_id, key=key)
        note_command("bundle released", result.version, result.champion, "served" if result.served else "challenger")
    print_json(result) if json else output.print_release(out, result)


@app.command()
def sign(
    bundle: Annotated[Path, typer.Argument(help="The directory of a bundle.")],
    key: Annotated[Path | None, typer.Option(help="The private key that signs it. Your own, if left out.")] = None,
    json: Json = False,
) -> None:
    """Sign a bundle that you have checked, so that whoever trusts your key takes it."""
    from models import bundle as bundles
    from models import signatures

    bundles.sign(bundle, signatures.signing_key(key))
    print_json({"signed": str(bundle)}) if json else out.print(f"{bundle} is signed.", markup=False)


@app.command()
def promote(
    uncompared: Annotated[bool, typer.Option("--uncompared", help="Promote also what cannot be compared.")] = False,
    json: Json = False,
) -> None:
    """Serve the challenger, unless it is worse than the champion by more than chance explains."""
    from serving.audit.trail import note_command
    from training import promotion

    with _refusal_noted(promotion.challenger_version):
        with working("comparing") as status:
            result = promotion.promote(uncompared, status.update)
        if result.promoted:
            note_command("bundle promoted", result.challenger, result.champion)
        print_json(result) if json else output.print_promotion(out, result)
        if not result.promoted:
            raise result.refusal()


@app.command()
def rollback(json: Json = False) -> None:
    """Serve the former champion again."""
    from serving.audit.trail import note_command
    from training import promotion

    with _refusal_noted(promotion.former_version):
        result = promotion.rollback()
    note_command("bundle rolled back", result.champion, result.withdrawn)
    print_json(result) if json else output.print_rollback(out, result)


@contextmanager
def _refusal_noted(version: Callable[[], str | None]) -> Iterator[None]:
    """Notes in the trail that a bundle does not become champion, and why: broken, of no trusted signer, or worse."""
    from serving.audit.trail import note_refusal
    from training import promotion

    try:
        yield
    except (BundleError, DataError) as error:
        note_refusal(version() or "", str(error), promotion.served() or "")
        raise


@app.command()
def backup(
    to: Annotated[Path, typer.Argument(help="A new or empty directory.")],
    json: Json = False,
) -> None:
    """Copy all that must last: jobs with their files, the audit trail and the keys. The service may run meanwhile."""
    from serving import backup as backing

    result = backing.back_up(to)
    print_json(result) if json else out.print(f"{result.files:,} files in {result.directory}", markup=False)
    for what in result.without:
        err.print(f"without {what}", markup=False)


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="The directory of a back-up.")],
    json: Json = False,
) -> None:
    """Put a back-up back, once every file of it has been checked, before the service starts."""
    from serving import backup as backing
    from serving.audit.trail import note_command

    result = backing.restore(source)
    note_command("back-up restored", str(result.files))
    print_json(result) if json else out.print(f"{result.files:,} files in {result.directory}", markup=False)
    for what in result.without:
        err.print(f"without {what}", markup=False)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Keys are required unless it is a loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 3000,
    bundle: Annotated[
        str | None,
        typer.Option("--bundle", help="A bundle's directory, or models:/tender-risk@champion in MLflow."),
    ] = None,
    shadow: Annotated[
        str | None,
        typer.Option(
            help="Score by this bundle too, for metrics alone: 'challenger', a directory, or an address in MLflow."
        ),
    ] = None,
) -> None:
    """Start the service: pages at /, the API beside them."""
    from serving.running import serve as start

    with tempfile.TemporaryDirectory() as scratch:
        if bundle:
            os.environ["TENDER_RISK_BUNDLE"] = str(_fetched(bundle, Path(scratch)))
        if shadow:
            named = shadow if shadow == "challenger" else str(_fetched(shadow, Path(scratch)))
            os.environ["TENDER_RISK_SHADOW"] = named
        start(host, port)


def _fetched(bundle: str, into: Path) -> Path:
    """The directory of a bundle; one at an address in MLflow is copied first, to a directory of its own."""
    if not bundle.startswith(("models:/", "runs:/")):
        return Path(bundle).resolve()
    from training import tracking

    return tracking.fetch(bundle, Path(tempfile.mkdtemp(dir=into)))
