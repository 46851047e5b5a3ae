"""The jobs over HTTP, for programs. The pages ask the same office."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response

from serving.answers import answer, refusal
from serving.jobs import office as offices
from serving.jobs import taking
from serving.jobs.job import Job
from serving.jobs.office import office
from serving.jobs.places import Places
from serving.jobs.receiving import received
from serving.limits import drained
from tenders.errors import TenderRiskError

HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
# A report has its own styles and no scripts.
REPORT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
Found = Callable[[Request, Job, Places], Awaitable[Response]]


async def uploaded(request: Request, fields: dict[str, str] | None = None) -> Job:
    """The job of an upload, its file on disk; `fields` is filled with what comes beside the file, refused or not.

    Raises TenderRiskError, once what the sender still sends has been read: until then it would not listen.
    """
    try:
        return await _taken_in(request, {} if fields is None else fields)
    except TenderRiskError:
        await drained(request)
        raise


async def _taken_in(request: Request, fields: dict[str, str]) -> Job:
    _from_us(request)
    offered = await anyio.to_thread.run_sync(office)
    await anyio.to_thread.run_sync(offered.check_room)
    name, places = await anyio.to_thread.run_sync(offered.new)
    try:
        upload = await received(request, places.uploads, fields)
        return await anyio.to_thread.run_sync(offered.take_in, name, upload)
    except BaseException:
        offered.drop(name)
        raise


def _from_us(request: Request) -> None:
    """Raises CrossSiteError for a form that another site's page sent: it would fill the disk behind a user's back."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        ours = site in ("none", "same-origin")
    else:
        # Browsers leave the first out where the connection is not secret; programs leave both out.
        ours = origin is None or urlsplit(origin).netloc == request.headers.get("Host")
    if not ours:
        raise CrossSiteError("another site's page sent this")


class CrossSiteError(TenderRiskError):
    """A request that a browser made for another site."""

    http_status = HTTPStatus.FORBIDDEN


async def posted(request: Request) -> Response:
    """POST /jobs: takes an upload in, as a form or as the bare body with `?name=`."""
    try:
        job = await uploaded(request)
    except TenderRiskError as error:
        return refusal(error)
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST)
    made = answer(offices.told(job), HTTPStatus.ACCEPTED)
    made.headers["Location"] = f"/jobs/{job.id}"
    return made


async def listed(_: Request) -> Response:
    """GET /jobs: the newest, where keys are configured."""
    try:
        jobs = await anyio.to_thread.run_sync(offices.listed)
    except TenderRiskError as error:
        return refusal(error)
    if jobs is None:
        return _said(HTTPStatus.NOT_FOUND, "jobs are not listed where no keys are configured")
    return answer([offices.told(job) for job in jobs])


def of_job(found: Found, needs: str = "") -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of one job; 404 if there is none, 409 unless it is in the state that `needs` says."""

    async def endpoint(request: Request) -> Response:
        try:
            job = await anyio.to_thread.run_sync(find, request)
            if job is None:
                return _said(HTTPStatus.NOT_FOUND, "no such job")
            if needs and job.state != needs:
                return _said(HTTPStatus.CONFLICT, f"the job is {job.state}, not {needs}")
            return await found(request, job, office().places(job))
        except TenderRiskError as error:
            return refusal(error)
        except FileNotFoundError:
            return _said(HTTPStatus.NOT_FOUND, "the job's files are gone")

    return endpoint


def find(request: Request) -> Job | None:
    """The job that the address names."""
    return office().find(request.path_params["id"])


async def shown(_: Request, job: Job, __: Places) -> Response:
    """GET /jobs/ID."""
    return answer(offices.told(job))


async def cancelled(_: Request, job: Job, __: Places) -> Response:
    """POST /jobs/ID/cancel: nothing more is done of it; its files stay."""
    await anyio.to_thread.run_sync(office().cancel, job)
    return answer(offices.told(office().find(job.id) or job))


async def deleted(_: Request, job: Job, __: Places) -> Response:
    """DELETE /jobs/ID: calls it off, and takes its files away."""
    await anyio.to_thread.run_sync(office().delete, job)
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def output(request: Request, job: Job, places: Places) -> Response:
    """GET /jobs/ID/output: every scored row in the order of the upload."""
    kind = request.query_params.get("format", "parquet")
    return sent(await taking.taken(places.scored, kind), f"{job.stem}-scored.{kind}", taking.KINDS[kind])


async def worklist(request: Request, job: Job, places: Places) -> Response:
    """GET /jobs/ID/worklist: the rows that there are people for."""
    kind = request.query_params.get("format", "csv")
    made = await taking.taken(places.chosen, kind)
    return sent(made, f"{job.stem}-worklist.{kind}", taking.KINDS[kind])


async def gone(request: Request, job: Job, places: Places) -> Response:
    """GET /jobs/ID/gone: what the earlier job had and this one has not."""
    if job.options.since is None:
        return _said(HTTPStatus.NOT_FOUND, "the job was compared with no earlier one")
    kind = request.query_params.get("format", "csv")
    return sent(await taking.taken(places.gone, kind), f"{job.stem}-gone.{kind}", taking.KINDS[kind])


async def errors(_: Request, job: Job, places: Places) -> Response:
    """GET /jobs/ID/errors: the rows that could not be scored, as JSON lines."""
    return sent(places.errors, f"{job.stem}-errors.jsonl", taking.KINDS["jsonl"])


async def manifest(_: Request, job: Job, places: Places) -> Response:
    """GET /jobs/ID/manifest."""
    return sent(places.manifest, f"{job.stem}-manifest.json", "application/json")


async def report(_: Request, job: Job, places: Places) -> Response:
    """GET /jobs/ID/report."""
    made = sent(places.report, f"{job.stem}-report.html", "text/html", "inline")
    made.headers["Content-Security-Policy"] = REPORT
    return made


def sent(file: Path, name: str, kind: str, how: str = "attachment") -> Response:
    """A file to take away. Raises FileNotFoundError."""
    stat = file.stat()
    return FileResponse(
        file, headers=HEADERS, media_type=kind, filename=name, stat_result=stat, content_disposition_type=how
    )


def _said(status: HTTPStatus, text: str) -> Response:
    return answer({"error": text, "problems": []}, status)
