"""Where a portfolio is uploaded, and where its job says how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from portfolio.rendering import plain
from portfolio.worklist import DEFAULT_CAPACITY
from serving.jobs import api, asked, office, since
from serving.jobs.job import MOST_CAPACITY, Job
from serving.jobs.receiving import LONGEST_FIELD
from serving.jobs.settings import settings
from serving.pages import worklists
from serving.pages.rendering import HEADERS, page
from tenders.errors import Problem, TenderRiskError
from tenders.facts import STAGES
from tenders.io.detection import BULK_SUFFIXES, CODECS

# The form says where it comes from, by which other sites' forms are told from it.
UPLOADING = {**HEADERS, "Referrer-Policy": "same-origin"}
# The page looks how far the job is.
WAITING = {**HEADERS, "Content-Security-Policy": f"{HEADERS['Content-Security-Policy']}; connect-src 'self'"}
HERE = "/portfolio"
FIELDS = {
    "stage": "Score them as of",
    "register": "Columns of the table",
    "rank_by": "Rank by",
    "capacity": "Reviews you have people for",
    "most_per_buyer": "At most so many of one buyer",
    "sample": "Share drawn at random",
    "seed": "Seed of the draw",
    "since": "Compare with an earlier portfolio",
    "file": "File of tenders",
}
"""What is asked for, by the name under which it is sent. The file comes last: what stands before it is read, and shown
again, also when the file is refused.
"""
RANKS = {"failure": "probability of failure", "expected_loss": "expected loss"}


async def empty(request: Request) -> Response:
    """GET /portfolio: where to put the file; the jobs there are, where keys are configured.

    With `?since=ID` it asks for a newer file than that of a job, to be scored as that was.
    """
    return await anyio.to_thread.run_sync(_begun, request.query_params.get("since", "")[:LONGEST_FIELD])


async def uploaded(request: Request) -> Response:
    """POST /portfolio: takes the file in, and goes where its job is."""
    fields: dict[str, str] = {}
    try:
        job = await api.uploaded(request, fields)
    except TenderRiskError as error:
        return await anyio.to_thread.run_sync(_form, fields, error)
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST)
    return RedirectResponse(f"{HERE}/{job.id}", HTTPStatus.SEE_OTHER)


async def one(request: Request) -> Response:
    """GET /portfolio/ID: how far the job is, and in the end its worklist."""
    return await anyio.to_thread.run_sync(_one, request)


async def cancelled(request: Request) -> Response:
    """POST /portfolio/ID/cancel."""
    return await anyio.to_thread.run_sync(_changed, request, False)


async def deleted(request: Request) -> Response:
    """POST /portfolio/ID/delete."""
    return await anyio.to_thread.run_sync(_changed, request, True)


async def opened(request: Request) -> Response:
    """GET /portfolio/ID/row/RANK: the tender of a row as the desk shows it."""
    try:
        job = await anyio.to_thread.run_sync(api.find, request)
        if job is None or job.state != "done":
            return missing()
        places = office.office().places(job)
        return await worklists.opened(job, places, request.path_params["rank"], request.query_params)
    except (TenderRiskError, FileNotFoundError):
        return missing()


def missing() -> Response:
    """There is no such job."""
    return page("no_job.html", HTTPStatus.NOT_FOUND, here=HERE)


def _begun(named: str) -> Response:
    """The empty form; where an earlier job is named, with its options, for what is scored otherwise seems to change."""
    if not named.strip():
        return _form({})
    try:
        earlier = since.job(named, office.office().find)
    except TenderRiskError as error:
        return _form({"since": named}, error)
    return _form({**(asked.fields(earlier.options) if earlier else {}), "since": named}, earlier=earlier)


def _form(fields: Mapping[str, str], error: TenderRiskError | None = None, earlier: Job | None = None) -> Response:
    """The form with what was entered, and what is wrong with it beside the field it is about."""
    problems = list(getattr(error, "problems", ())) or ([Problem(path="", problem=str(error))] if error else [])
    try:
        jobs = office.listed()
    except TenderRiskError as unreachable:
        jobs, problems = None, [*problems, Problem(path="", problem=str(unreachable))]
    given = settings()
    return page(
        "portfolio.html",
        error.http_status if error else HTTPStatus.OK,
        UPLOADING,
        here=HERE,
        fields={"capacity": str(DEFAULT_CAPACITY), **fields},
        wrong={each.path.removeprefix("/"): _told(each) for each in problems if each.path.removeprefix("/") in FIELDS},
        elsewhere=[each for each in problems if each.path.removeprefix("/") not in FIELDS],
        labels=FIELDS,
        earlier=earlier,
        jobs=jobs,
        stages={each: plain(each) for each in STAGES},
        registers={each: each for each in asked.REGISTERS},
        ranks=RANKS,
        most=MOST_CAPACITY,
        upload=given.upload // 2**20,
        days=given.days,
        endings=[*BULK_SUFFIXES, *CODECS],
    )


def _told(problem: Problem) -> str:
    return f"{problem.problem}. {problem.remedy}." if problem.remedy else f"{problem.problem}."


def _one(request: Request) -> Response:
    try:
        job = api.find(request)
        if job is None:
            return missing()
        places = office.office().places(job)
        return worklists.shown(job, places, request.query_params, about(job)) if job.state == "done" else _waiting(job)
    except (TenderRiskError, FileNotFoundError):
        return missing()


def about(job: Job) -> dict[str, Any]:
    """What every page of a job says of it."""
    return {"here": HERE, "job": job, "until": office.office().expires(job).date().isoformat()}


def _waiting(job: Job) -> Response:
    headers = HEADERS if job.ended else WAITING
    return page("waiting.html", HTTPStatus.OK, headers, **about(job))


def _changed(request: Request, delete: bool) -> Response:
    try:
        job = api.find(request)
        if job is None:
            return missing()
        if delete:
            office.office().delete(job)
            return RedirectResponse(HERE, HTTPStatus.SEE_OTHER)
        office.office().cancel(job)
    except TenderRiskError:
        return missing()
    return RedirectResponse(f"{HERE}/{job.id}", HTTPStatus.SEE_OTHER)
