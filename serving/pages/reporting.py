"""The report for a board: one self-contained file that prints to two A4 pages. The page and the command line share it.

What goes on it is limited, so that it stays on two pages in type of 11 points whatever was entered: long texts are cut,
with a mark. Its one script is the Print button's. Chromium, where it is installed, prints it to a PDF.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from markupsafe import Markup
from starlette.responses import Response

from models import comparables, suggest
from models import score as scoring
from models.bundle import Bundle
from models.comparables import Peers
from models.factors import CAVEAT, Factor
from models.score import Score
from serving.pages import answer, result, unknown
from serving.pages.drafts import DraftRequest, score_draft
from serving.pages.form import form_values, label_of
from serving.pages.rendering import HEADERS, note_shown, read_static, render
from serving.served import served_bundle
from tenders import files
from tenders.errors import UnreachableError
from tenders.facts import Stage
from tenders.io import form
from tenders.process import Process

MAX_REASONS, MAX_CASES, MAX_CHANGES, MAX_INPUTS, MAX_OPEN, MAX_UNKNOWN, MAX_DOUBTS = 4, 3, 3, 12, 3, 4, 1
MAX_FACTORS = {"failure": 4, "survival": 2}
MAX_CHARACTERS = {"title": 110}
MAX_OTHER_CHARACTERS = 32
MAX_NAME_CHARACTERS = 80
PRINT = (
    'const button = document.getElementById("print");\n'
    "button.hidden = false;\n"
    'button.addEventListener("click", () => window.print());\n'
)
"""The report's script: without scripts the button would do nothing, so that it is hidden until then."""
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PDF_SECONDS = 60
LIMITS = (
    "A probability from past cases, not a verdict on this tender or on anyone.",
    "Reasons and differences are links, not causes: a change need not alter what happens.",
    "UK scores rest on few past cases, and some of them were chosen because of how they ended.",
    "What is unknown was left unknown and never counted as zero.",
)


def report_page(request: DraftRequest) -> Response:
    """POST /desk/report."""
    process, score = score_draft(request.draft, served_bundle())
    html = report_html(served_bundle(), process, score.stage, result.served_peers, request.texts.get("by", ""))
    note_shown("report.html", request.draft, score)
    policy = f"{_policy()}; base-uri 'none'; frame-ancestors 'none'"
    headers = {
        **HEADERS,
        "Content-Security-Policy": policy,
        "Content-Disposition": 'inline; filename="tender-risk-report.html"',
    }
    return Response(html, media_type="text/html", headers=headers)


def report_html(
    bundle: Bundle, process: Process, stage: Stage | None, peers: Callable[[Stage], Peers], author: str = ""
) -> str:
    """The report on a process at a stage, by default the latest it has reached. `peers` gives its peers at a stage.

    `author` is who made it, as they sign it. Raises DataError as scoring does.
    """
    score = scoring.score(bundle, process, stage)
    view = result.result_view(score)
    stated = form_values(process.as_of(score.stage))
    inputs = [(form.BY_KEY[key].label, _shortened(key, value)) for key, value in stated.items() if key != "title"]
    suggested = suggest.suggest_for(bundle, process, score)
    keys, _ = unknown.open_keys(process, score)
    ranges = unknown.fact_ranges(bundle, process, score, keys)
    open_facts = [fact for fact in ranges if fact.high - fact.low >= answer.SMALLEST][:MAX_OPEN]
    return render(
        "report.html",
        css=Markup(_css()),  # noqa: S704 - our own file
        script=Markup(PRINT),  # noqa: S704 - our own text
        policy=_policy(),
        title=_shortened("title", stated.get("title") or score.ocid or "Tender"),
        sentence=answer.sentence(score, view),
        result=view,
        score=score,
        max_reasons=MAX_REASONS,
        strip=result.peer_strip(score, bundle, peers),
        inputs=inputs[:MAX_INPUTS],
        more_inputs=len(inputs) - MAX_INPUTS,
        open_facts=[(label_of(fact.field.name), fact) for fact in open_facts],
        unknown=[result.feature_label(feature.feature) for feature in score.unknown],
        max_unknown=MAX_UNKNOWN,
        doubts=result.doubts(score.warnings)[:MAX_DOUBTS],
        factors=_factors(score),
        max_factors=MAX_FACTORS,
        caveat=CAVEAT,
        cases=comparables.comparables(process, score.stage, MAX_CASES),
        suggestions=suggested,
        changes=[answer.Change(item, answer.against(item, score)) for item in suggested.single[:MAX_CHANGES]],
        limits=LIMITS,
        author=" ".join(author.split())[:MAX_NAME_CHARACTERS],
        today=datetime.now(UTC).date().isoformat(),
        created=bundle.manifest.created,
    )


def write_report(html: str, to: Path) -> None:
    """Writes a report whole or not at all: as a PDF where the name ends so, printed by Chromium, else as HTML.

    Raises UnreachableError if the place cannot be written, or no Chromium can print it.
    """
    content = _printed(html) if to.suffix.lower() == ".pdf" else html.encode()
    try:
        files.write_whole(to, content)
    except OSError as error:
        raise UnreachableError(f"{to}: {error.strerror}. Give another place with --out") from None


def _printed(html: str) -> bytes:
    """The report as a PDF. Raises UnreachableError without Chromium, or if it fails or takes too long."""
    remedy = "Write an .html file with --out, and print that in a browser"
    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if browser is None:
        raise UnreachableError(f"no Chromium is installed, which prints a PDF. Install chromium. Or: {remedy}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page, pdf = Path(folder) / "report.html", Path(folder) / "report.pdf"
        page.write_text(html, encoding="utf-8")
        # Chromium starts no sandbox for root. The page is ours, escaped, and loads nothing.
        root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        quiet = ["--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer", *root]
        command = [browser, *quiet, f"--user-data-dir={folder}/profile", f"--print-to-pdf={pdf}", page.as_uri()]
        try:
            subprocess.run(command, timeout=PDF_SECONDS, check=True, capture_output=True)  # noqa: S603 - no shell
            return pdf.read_bytes()
        except subprocess.TimeoutExpired:
            raise UnreachableError(f"{browser}: no PDF after {PDF_SECONDS} seconds. {remedy}") from None
        except (OSError, subprocess.CalledProcessError) as error:
            raise UnreachableError(f"{browser} made no PDF: {str(error)[:200]}. {remedy}") from None


def _factors(score: Score) -> Mapping[str, list[Factor] | int]:
    shown = [factor for factor in score.factors if factor.state == "shown"]
    return {
        "failure": [factor for factor in shown if factor.seen_with == "failure"],
        "survival": [factor for factor in shown if factor.seen_with == "survival"],
        "absent": sum(factor.state == "absent" for factor in score.factors),
        "unknown": sum(factor.state == "unknown" for factor in score.factors),
    }


def _shortened(key: str, value: str) -> str:
    most = MAX_CHARACTERS.get(key, MAX_OTHER_CHARACTERS)
    line = " ".join(value.split())
    unit = form.BY_KEY[key].unit
    line = f"{line} {unit}" if unit in ("days", "years") else line
    return line if len(line) <= most else f"{line[: most - 1]}…"


@functools.cache
def _css() -> str:
    return read_static("report.css") + read_static("pictures.css")


@functools.cache
def _policy() -> str:
    """What a browser may use: our style and our script, by their digests."""
    style, script = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (_css(), PRINT))
    return f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; script-src 'sha256-{script}'"
