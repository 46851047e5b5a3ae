"""What stands behind the numbers: the bundle's metrics, its reliability pictures and its model card."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from models.bundle import Bundle, TrainingSource
from models.transparency import STANDARD, record_text, transparency_record
from serving.pages.rendering import page
from serving.pages.result import cases_counted, cases_learnt
from serving.served import served_bundle
from tenders import casebook

CARD, RELIABILITY, EFFECTS = "model-card.txt", "reliability.svg", "effects-"
RECORD = "transparency-record"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}
"""A picture that is opened by itself runs nothing."""


class MetricRow(msgspec.Struct, frozen=True):
    """How well one outcome is predicted at one stage; AUC with its interval in percent.

    `cases` are those of the bundle's own register, `cohort` or `picked`; for another register it is that one's name.
    """

    outcome: str
    stage: str
    cases: str
    n: int
    positives: int
    base_rate: float
    auc: float
    low: float
    high: float
    ece: float | None
    skill: float | None

    @property
    def error(self) -> tuple[float, float]:
        """The calibration error on either side of the base rate: from and width, in percent of a scale to a half."""
        error = self.ece or 0.0
        low, high = (min(max(end, 0.0), 0.5) for end in (self.base_rate - error, self.base_rate + error))
        return round(200 * low, 1), round(200 * (high - low), 1)


async def about_page(_: Request) -> Response:
    """GET /about."""
    bundle = served_bundle()
    rows = list(metric_rows(bundle))
    pictures = {
        name: name.removesuffix(RELIABILITY).removesuffix("-")
        for name in sorted(_pictures(bundle))
        if name.endswith(RELIABILITY)
    }
    plots = {
        name: name.removeprefix(EFFECTS).removesuffix(".svg") for name in bundle.pictures if name.startswith(EFFECTS)
    }
    own = [row for row in rows if row.cases not in bundle.registers]
    return page(
        "about.html",
        here="/about",
        manifest=bundle.manifest,
        learnt=cases_learnt(bundle),
        sources=[(source, _cases_of(source)) for source in bundle.manifest.data],
        own=own,
        others=[row for row in rows if row.cases in bundle.registers],
        calibrated=[row for row in own if row.ece is not None],
        pictures=pictures,
        plots=plots,
        without=[name for name in bundle.registers if name not in pictures.values()],
        card=CARD,
        record=RECORD,
    )


async def picture(request: Request) -> Response:
    """GET /about/NAME: a picture of the bundle, its model card, or its transparency record as a page or a file."""
    name = request.path_params["name"]
    if name == CARD:
        return Response(served_bundle().card, media_type="text/plain; charset=utf-8", headers=HEADERS)
    if name == RECORD:
        record = transparency_record(served_bundle())
        return page("record.html", here="/about", record=record, standard=STANDARD, file=f"{RECORD}.md")
    if name == f"{RECORD}.md":
        named = {"Content-Disposition": f'attachment; filename="{name}"', **HEADERS}
        return Response(record_text(served_bundle()), media_type="text/markdown; charset=utf-8", headers=named)
    content = _pictures(served_bundle()).get(name)
    if content is None:
        return page("missing.html", 404, here="/about", what="picture")
    return Response(content, media_type="image/svg+xml", headers=HEADERS)


def _cases_of(source: TrainingSource) -> str:
    """How many cases of a source count, in words."""
    if source.name == casebook.NAME:
        return cases_counted(source.rows, "those with a known day")
    return f"{source.rows:,} cases."


def metric_rows(bundle: Bundle) -> Iterator[MetricRow]:
    """The metrics in the bundle's manifest that have an AUC with its interval."""
    for name, metrics in bundle.manifest.metrics.items():
        first, second, third, *_ = (*name.split("/"), "", "")
        outcome, stage, cases = (second, third, first) if first in bundle.registers else (first, second, third)
        auc, low, high = metrics.get("auc"), metrics.get("auc_low"), metrics.get("auc_high")
        if auc is None or low is None or high is None or not cases:
            continue
        skill = metrics.get("brier_skill")
        yield MetricRow(
            outcome,
            stage,
            cases,
            int(metrics.get("n") or 0),
            int(metrics.get("positives") or 0),
            metrics.get("base_rate") or 0.0,
            round(100 * auc, 1),
            round(100 * low, 1),
            round(100 * high, 1),
            metrics.get("ece"),
            skill,
        )


def _pictures(bundle: Bundle) -> dict[str, bytes]:
    """The pictures of a bundle and of its registers, by the last part of their address."""
    pictures = dict(bundle.pictures)
    for register, other in bundle.registers.items():
        pictures |= {f"{register}-{name}": content for name, content in other.pictures.items()}
    return pictures
