"""`tender-risk report`: the board's two pages as one file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cli.given import AtStage, BundleDir, File, Json, out, print_json, read, stage_of
from tenders.errors import DataError, UnreachableError


def report(
    file: File,
    to: Annotated[Path, typer.Option("--out", help="Where to write it.")] = Path("report.html"),
    stage: AtStage = None,
    bundle: BundleDir = None,
    json: Json = False,
) -> None:
    """Write one self-contained HTML file that prints to two pages: score, reasons, factors, comparables, limits."""
    from models import bundle as bundles
    from models import score as scoring
    from models.comparables import peers
    from serving.pages import reporting

    at = stage_of(stage)
    processes = read(file)
    if len(processes) > 1:
        raise DataError.at("", f"{len(processes)} tenders in the file; a report is about one", "Give one a file")
    loaded = bundles.load(bundle or bundles.released())
    score = scoring.score(loaded, processes[0], at, explain=False)
    _write(to, reporting.report_html(loaded, processes[0], at, partial(peers, loaded)))
    if json:
        print_json({"report": str(to), "ocid": score.ocid, "stage": score.stage, "failure": score.failure})
    else:
        out.print(f"{to}: failure {score.failure:.1%} at {score.stage}, in two pages to print", markup=False)


def _write(to: Path, text: str) -> None:
    """Whole or not at all. Raises UnreachableError."""
    from tenders import files

    try:
        files.write_whole(to, text.encode())
    except OSError as error:
        raise UnreachableError(f"{to}: {error.strerror}. Give another place with --out") from None
