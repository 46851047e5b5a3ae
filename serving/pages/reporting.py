"""The report: one self-contained file that prints to two A4 pages. The page and the command line share it.

What goes on it is limited, so that it stays on two pages whatever was entered: long texts are cut, with a mark.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from markupsafe import Markup
from starlette.responses import Response

from models import comparables, suggest
from models import score as scoring
from models.bundle import Bundle
from models.comparables import Peers
from models.factors import CAVEAT, Factor
from models.score import Score
from serving.answers import served_bundle
from serving.pages import result, stages
from serving.pages.drafts import DraftRequest
from serving.pages.form import form_values
from serving.pages.rendering import HEADERS, read_static, render
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.process import Process

MAX_REASONS, MAX_CASES, MAX_SUGGESTIONS, MAX_INPUTS, MAX_UNKNOWN = 6, 4, 3, 27, 14
MAX_FACTORS = {"failure": 5, "survival": 2}
MAX_CHARACTERS = {"title": 150, "description": 200}
MAX_OTHER_CHARACTERS = 44
PATH_HEIGHT = 124
LIMITS = (
    "A probability from past cases, not a verdict on this tender or on anyone.",
    "Reasons and differences are associations, not causes: changing a fact need not change what happens.",
    "UK scores rest on a small casebook; part of its cases were picked because of how they ended.",
    "The records of factors stand beside the probability and are no part of it; most could be due to chance.",
    "What is unknown was left unknown and never counted as zero.",
)


def report_page(request: DraftRequest) -> Response:
    """POST /desk/report."""
    stage = request.draft.latest_stage()
    html = report_html(served_bundle(), request.draft.process(stage), stage, result.served_peers)
    style = f"style-src 'sha256-{_digest()}'"
    policy = f"default-src 'none'; img-src data:; {style}; base-uri 'none'; frame-ancestors 'none'"
    headers = {
        **HEADERS,
        "Content-Security-Policy": policy,
        "Content-Disposition": 'inline; filename="tender-risk-report.html"',
    }
    return Response(html, media_type="text/html", headers=headers)


def report_html(bundle: Bundle, process: Process, stage: Stage | None, peers: Callable[[Stage], Peers]) -> str:
    """The report on a process at a stage, by default the latest it has reached. `peers` gives its peers at a stage.

    Raises DataError as scoring does.
    """
    score = scoring.score(bundle, process, stage)
    stated = form_values(process.as_of(score.stage))
    inputs = [(form.BY_KEY[key].label, _shortened(key, value)) for key, value in stated.items() if key != "title"]
    earlier = STAGES[: STAGES.index(score.stage)]
    scores = [*(scoring.score(bundle, process, before, explain=False) for before in earlier), score]
    return render(
        "report.html",
        css=Markup(_css()),  # noqa: S704 - our own file
        digest=_digest(),
        title=_shortened("title", stated.get("title") or score.ocid or "Tender"),
        result=result.result_view(score),
        score=score,
        max_reasons=MAX_REASONS,
        path=stages.stage_path(scores, PATH_HEIGHT),
        strip=result.peer_strip(score, bundle, peers),
        inputs=inputs[:MAX_INPUTS],
        more_inputs=len(inputs) - MAX_INPUTS,
        unknown=[result.feature_label(feature.feature) for feature in score.unknown],
        max_unknown=MAX_UNKNOWN,
        factors=_factors(score),
        max_factors=MAX_FACTORS,
        caveat=CAVEAT,
        comparables=comparables.comparables(process, score.stage, MAX_CASES),
        suggestions=suggest.suggest_for(bundle, process, score),
        max_suggestions=MAX_SUGGESTIONS,
        limits=LIMITS,
        today=datetime.now(UTC).date().isoformat(),
        created=bundle.manifest.created,
    )


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
    return line if len(line) <= most else f"{line[: most - 1]}…"


@functools.cache
def _css() -> str:
    return read_static("report.css") + read_static("pictures.css")


@functools.cache
def _digest() -> str:
    """What a browser checks our style by."""
    return base64.b64encode(hashlib.sha256(_css().encode()).digest()).decode()
