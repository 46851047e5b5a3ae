"""What stands behind the numbers: the bundle's figures, its reliability pictures and its card."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from models.bundle import Bundle
from serving.answers import held
from serving.pages.rendering import page

CARD, RELIABILITY = "model-card.txt", "reliability.svg"
UNSEEN = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}
"""A picture opened by itself runs nothing."""


class Figure(msgspec.Struct, frozen=True):
    """How well one outcome is told apart at one stage, AUC with its interval in percent.

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
    gain: float | None

    @property
    def error(self) -> tuple[float, float]:
        """The calibration error either way of the base rate: from and width, in percent of a scale to a half."""
        off = self.ece or 0.0
        low, high = (min(max(end, 0.0), 0.5) for end in (self.base_rate - off, self.base_rate + off))
        return round(200 * low, 1), round(200 * (high - low), 1)


async def shown(_: Request) -> Response:
    """GET /about."""
    bundle = held()
    found = list(figures(bundle))
    pictures = {name: name.removesuffix(RELIABILITY).removesuffix("-") for name in sorted(_pictures(bundle))}
    own = [each for each in found if each.cases not in bundle.registers]
    return page(
        "about.html",
        here="/about",
        manifest=bundle.manifest,
        own=own,
        others=[each for each in found if each.cases in bundle.registers],
        calibrated=[each for each in own if each.ece is not None],
        pictures=pictures,
        without=[name for name in bundle.registers if name not in pictures.values()],
        card=CARD,
    )


async def picture(request: Request) -> Response:
    """GET /about/NAME: a picture of the bundle, or its card."""
    name = request.path_params["name"]
    if name == CARD:
        return Response(held().card, media_type="text/plain; charset=utf-8", headers=UNSEEN)
    found = _pictures(held()).get(name)
    if found is None:
        return page("missing.html", 404, here="/about")
    return Response(found, media_type="image/svg+xml", headers=UNSEEN)


def figures(bundle: Bundle) -> Iterator[Figure]:
    """The figures of the bundle's manifest that have an AUC with its interval."""
    for name, row in bundle.manifest.metrics.items():
        first, second, third, *_ = (*name.split("/"), "", "")
        outcome, stage, cases = (second, third, first) if first in bundle.registers else (first, second, third)
        auc, low, high = row.get("auc"), row.get("auc_low"), row.get("auc_high")
        if auc is None or low is None or high is None or not cases:
            continue
        brier, usual = row.get("brier"), row.get("brier_of_base_rate")
        yield Figure(
            outcome,
            stage,
            cases,
            int(row.get("n") or 0),
            int(row.get("positives") or 0),
            row.get("base_rate") or 0.0,
            round(100 * auc, 1),
            round(100 * low, 1),
            round(100 * high, 1),
            row.get("ece"),
            None if brier is None or usual is None else usual - brier,
        )


def _pictures(bundle: Bundle) -> dict[str, bytes]:
    """The pictures of a bundle and of its registers, by the name that their address ends with."""
    found = dict(bundle.pictures)
    for register, other in bundle.registers.items():
        found |= {f"{register}-{name}": each for name, each in other.pictures.items()}
    return found
