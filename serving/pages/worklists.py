"""The worklist of a job that is done: sorted, filtered and cut on the server; a row opens as a commissioner sees it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import anyio.to_thread
import msgspec
from starlette.responses import Response

from models import score as scoring
from portfolio.manifest import RunManifest
from portfolio.rendering import plain, pounds
from portfolio.report import summary_sentences
from serving.answers import held
from serving.jobs import listing
from serving.jobs.job import Job
from serving.jobs.listing import BANDS, CHANGES, ROWS, VALUES, View
from serving.jobs.places import Places
from serving.jobs.ranking import choices
from serving.jobs.taking import KINDS
from serving.pages import home, opening
from serving.pages.drafts import Draft
from serving.pages.rendering import page
from tenders.errors import TenderRiskError

COLUMNS = {
    "rank": "Rank",
    "failure": "Failure",
    "title": "Tender",
    "low": "Likely between",
    "band": "Against usual",
    "value_gbp": "Value",
    "expected_loss_gbp": "Expected loss",
    "buyer": "Buyer",
    "category": "Category",
    "region": "Region",
    "register": "Register",
    "published": "Published",
}
SINCE = "moved"
"""What the column of changes is sorted by: it is there where something earlier is compared."""
"""What is shown and can be sorted by; the largest first where that is what is looked for."""
DOWN_FIRST = frozenset({"failure", "low", "value_gbp", "expected_loss_gbp", "published", SINCE})
MOST_GONE = 50


class Gone(msgspec.Struct, frozen=True):
    """What is no longer there: the first rows, and how many in all."""

    rows: list[dict[str, Any]]
    count: int


class Heading(msgspec.Struct, frozen=True):
    """A column's head: what it says, where a click leads, and how it is sorted now, in ARIA's words."""

    said: str
    query: str
    sorted: str


def shown(job: Job, places: Places, query: Mapping[str, str], about: dict[str, Any]) -> Response:
    """The worklist as the query asks. Raises FileNotFoundError when its files are gone."""
    view = listing.view(query)
    manifest = msgspec.json.decode(places.manifest.read_bytes(), type=RunManifest)
    return page(
        "worklist.html",
        **about,
        counts=manifest.counts,
        bundle=manifest.options.bundle,
        view=view,
        listed=listing.listed(places.worklist, view),
        headings=[_heading(name, said, view) for name, said in _columns(job).items()],
        choices={"band": BANDS, **choices(places.choices)},
        changes=CHANGES,
        which=ROWS,
        gone=Gone(*listing.first(places.gone, MOST_GONE)) if job.options.since else None,
        said=[*(summary_sentences(manifest.worklist) if manifest.worklist else ()), *_differs(job, manifest)],
        values={name: said for name, (said, _, _) in VALUES.items()},
        formats=list(KINDS),
        money=pounds,
    )


async def opened(job: Job, places: Places, rank: int, query: Mapping[str, str]) -> Response:
    """The tender of a row, read again from the upload, scored at the row's stage as everywhere else.

    `query` is that of the view from which it was opened, to which it leads back.
    """
    row = await anyio.to_thread.run_sync(listing.row, places.worklist, rank)
    back = f"/portfolio/{job.id}?{listing.view(query).query()}".rstrip("?")
    if row is None:
        return page("no_job.html", HTTPStatus.NOT_FOUND, here="/portfolio")
    draft = Draft(name=job.name)
    try:
        draft = await opening.opened(places.upload, job.options.register, row["line"], row["place"])
        draft = msgspec.structs.replace(draft, name=job.name, stage=row["stage"])
        return await anyio.to_thread.run_sync(_scored, draft, back)
    except TenderRiskError as error:
        return home.shown(draft, error=error, back=back)


def _scored(draft: Draft, back: str) -> Response:
    stage = draft.at()
    return home.shown(draft, scoring.score(held(), draft.process(stage), stage), back=back)


def _columns(job: Job) -> dict[str, str]:
    """The columns of its table; after the interval stands what has changed."""
    if job.options.since is None:
        return COLUMNS
    names = [*COLUMNS]
    after = names.index("low") + 1
    return {name: COLUMNS.get(name, "Change") for name in (*names[:after], SINCE, *names[after:])}


def _differs(job: Job, manifest: RunManifest) -> list[str]:
    """Why a probability may have changed though the tender did not, a sentence each."""
    since, found = job.options.since, []
    if since and since.bundle != manifest.options.bundle:
        found.append(f"The earlier file was scored by model {since.bundle}: some changes are the model's.")
    if since and since.stage != job.options.stage:
        was = plain(since.stage) if since.stage else "the furthest stage of each"
        found.append(f"The earlier file was scored as of {was}: some changes are the stage's.")
    return found


def _heading(name: str, said: str, view: View) -> Heading:
    if view.sort != name:
        return Heading(said, view.query(sort=name, down=name in DOWN_FIRST, page=1), "none")
    turned = view.query(down=not view.down, page=1)
    return Heading(said, turned, "descending" if view.down else "ascending")
