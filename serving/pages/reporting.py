"""The report: one self-contained file that prints to two A4 pages. The same for the page and the command line.

What goes on it is bounded, so that it stays on two pages whatever was entered: long texts are cut, with a mark.
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
from serving.answers import held
from serving.pages import result, stages
from serving.pages.filling import filled
from serving.pages.peers import of_held, strip
from serving.pages.received import Received
from serving.pages.rendering import HEADERS, rendered, text
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.process import Process

REASONS, CASES, SUGGESTIONS, INPUTS, UNKNOWN = 6, 4, 3, 27, 14
FACTORS = {"failure": 5, "survival": 2}
LONGEST = {"title": 150, "description": 200}
PATH_HEIGHT = 124
OTHERWISE = 44
"""Characters of a fact that are shown."""
LIMITS = (
    "A probability from past cases, not a verdict on this tender or on anyone.",
    "Reasons and differences are associations, not causes: changing a fact need not change what happens.",
    "UK scores rest on a small casebook; part of its cases were picked because of how they ended.",
    "The records of factors stand beside the probability and are no part of it; most are not told from chance.",
    "What is unknown was left unknown and never counted as zero.",
)


def answer(sent: Received) -> Response:
    """POST /desk/report."""
    stage = sent.draft.at()
    made = html(held(), sent.draft.process(stage), stage, of_held)
    style = f"style-src 'sha256-{_digest()}'"
    policy = f"default-src 'none'; img-src data:; {style}; base-uri 'none'; frame-ancestors 'none'"
    headers = {
        **HEADERS,
        "Content-Security-Policy": policy,
        "Content-Disposition": 'inline; filename="tender-risk-report.html"',
    }
    return Response(made, media_type="text/html", headers=headers)


def html(bundle: Bundle, process: Process, stage: Stage | None, peers: Callable[[Stage], Peers]) -> str:
    """The report on a process at a stage, by default the latest it has reached, with its `peers` at that stage.

    Raises DataError as scoring does.
    """
    score = scoring.score(bundle, process, stage)
    at = score.stage
    stated = filled(process.as_of(at))
    inputs = [(form.BY_KEY[key].label, _cut(key, value)) for key, value in stated.items() if key != "title"]
    return rendered(
        "report.html",
        css=Markup(_css()),  # noqa: S704 - our own file
        digest=_digest(),
        title=_cut("title", stated.get("title") or score.ocid or "Tender"),
        result=result.shown(score, by_label=process.form is not None),
        score=score,
        reasons=REASONS,
        path=stages.path(_reached(bundle, process, score), PATH_HEIGHT),
        strip=strip(score, bundle, peers),
        inputs=inputs[:INPUTS],
        more_inputs=len(inputs) - INPUTS,
        unknown=[result.label(each.feature) for each in score.unknown],
        most_unknown=UNKNOWN,
        factors=_factors(score),
        few_factors=FACTORS,
        caveat=CAVEAT,
        found=comparables.comparables(process, at, CASES),
        suggestions=suggest.suggest_for(bundle, process, score),
        few=SUGGESTIONS,
        limits=LIMITS,
        today=datetime.now(UTC).date().isoformat(),
        created=bundle.manifest.created,
    )


def _reached(bundle: Bundle, process: Process, score: Score) -> list[Score]:
    """The scores of the stages before, and this one."""
    before = STAGES[: STAGES.index(score.stage)]
    return [*(scoring.score(bundle, process, stage, explain=False) for stage in before), score]


def _factors(score: Score) -> Mapping[str, list[Factor] | int]:
    shown = [each for each in score.factors if each.state == "shown"]
    return {
        "failure": [each for each in shown if each.seen_with == "failure"],
        "survival": [each for each in shown if each.seen_with == "survival"],
        "absent": sum(each.state == "absent" for each in score.factors),
        "unknown": sum(each.state == "unknown" for each in score.factors),
    }


def _cut(key: str, value: str) -> str:
    most = LONGEST.get(key, OTHERWISE)
    line = " ".join(value.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


@functools.cache
def _css() -> str:
    return text("report.css") + text("pictures.css")


@functools.cache
def _digest() -> str:
    """What a browser checks our style by."""
    return base64.b64encode(hashlib.sha256(_css().encode()).digest()).decode()
