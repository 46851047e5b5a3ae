"""The jobs over HTTP, for programs. The pages call the same service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response

from serving.answers import HEADERS, ErrorAnswer, error_response, json_response
from serving.audit import noting
from serving.jobs.downloads import MEDIA_TYPES, download
from serving.jobs.durable import FULL, DiskFullError
from serving.jobs.job import Job
from serving.jobs.job_service import JobAnswer, job_answer, job_service, newest_jobs
from serving.jobs.paths import JobPaths
from serving.jobs.receiving import receive_upload
from serving.jobs.reviews import write_verdicts
from serving.middleware import CROSS_SITE, drain, is_cross_site
from serving.openapi import ApiRoute
from tenders.errors import TenderRiskError

# A report has its own styles and no scripts.
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
Answer = Callable[[Request, Job, JobPaths], Awaitable[Response]]


class CrossSiteError(TenderRiskError):
    """A request that a browser made for another site."""

    http_status = HTTPStatus.FORBIDDEN


async def take_upload(request: Request, fields: dict[str, str] | None = None) -> Job:
    """The job of an upload, once its file is on disk. `fields` is filled with the other fields, even if it is refused.

    Raises TenderRiskError after it has read the rest of the body: until then the sender would not listen.
    """
    try:
        return await _take_upload(request, {} if fields is None else fields)
    except TenderRiskError:
        await drain(request)
        raise


async def _take_upload(request: Request, fields: dict[str, str]) -> Job:
    if is_cross_site(request.headers):
        raise CrossSiteError(CROSS_SITE)
    service = await anyio.to_thread.run_sync(job_service)
    await anyio.to_thread.run_sync(service.check_room)
    job_id, paths = await anyio.to_thread.run_sync(service.new)
    try:
        upload = await receive_upload(request, paths.uploads, fields)
        return await anyio.to_thread.run_sync(service.submit, job_id, upload)
    except BaseException as error:
        service.discard(job_id)
        if isinstance(error, OSError) and error.errno in FULL:
            raise DiskFullError("the disk has no room for this file. Try again later") from None
        raise


async def create(request: Request) -> Response:
    """POST /jobs: takes an upload in, as a form or as the bare body with `?name=`."""
    try:
        job = await take_upload(request)
    except TenderRiskError as error:
        return error_response(error)
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST)
    response = json_response(job_answer(job), HTTPStatus.ACCEPTED)
    response.headers["Location"] = f"/jobs/{job.id}"
    return response


async def list_jobs(_: Request) -> Response:
    """GET /jobs: the newest jobs, where keys are configured."""
    try:
        jobs = await anyio.to_thread.run_sync(newest_jobs)
    except TenderRiskError as error:
        return error_response(error)
    if jobs is None:
        return _error(HTTPStatus.NOT_FOUND, "jobs are not listed where no keys are configured")
    return json_response([job_answer(job) for job in jobs])


def job_endpoint(endpoint: Answer, state: str = "") -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of one job: 404 if there is none, 409 unless it is in `state`."""

    async def respond(request: Request) -> Response:
        try:
            job = await anyio.to_thread.run_sync(find, request)
            if job is None:
                return _error(HTTPStatus.NOT_FOUND, "no such job")
            if state and job.state != state:
                return _error(HTTPStatus.CONFLICT, f"the job is {job.state}, not {state}")
            service = job_service()
            paths = await anyio.to_thread.run_sync(service.results, job) if state else service.paths(job)
            answer = await endpoint(request, job, paths)
            if state and answer.status_code == HTTPStatus.OK:
                noting.note_job("job served", job.id, page=endpoint.__name__)
            return answer
        except TenderRiskError as error:
            return error_response(error)
        except FileNotFoundError:
            return _error(HTTPStatus.NOT_FOUND, "the job's files are gone")

    return respond


def find(request: Request) -> Job | None:
    """The job that the address names."""
    return job_service().find(request.path_params["id"])


async def show(_: Request, job: Job, __: JobPaths) -> Response:
    """GET /jobs/ID."""
    return json_response(job_answer(job))


async def cancel(_: Request, job: Job, __: JobPaths) -> Response:
    """POST /jobs/ID/cancel: stops the job; its files stay."""
    await anyio.to_thread.run_sync(job_service().cancel, job)
    cancelled = await anyio.to_thread.run_sync(job_service().find, job.id)
    return json_response(job_answer(cancelled or job))


async def delete(_: Request, job: Job, __: JobPaths) -> Response:
    """DELETE /jobs/ID: stops the job and deletes its files."""
    await anyio.to_thread.run_sync(job_service().delete, job)
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def output(request: Request, job: Job, paths: JobPaths) -> Response:
    """GET /jobs/ID/output: every scored row in the order of the upload."""
    return await _send_rows(request, paths.scored, f"{job.stem}-scored", "parquet")


async def worklist(request: Request, job: Job, paths: JobPaths) -> Response:
    """GET /jobs/ID/worklist: the rows to review."""
    return await _send_rows(request, paths.worklist, f"{job.stem}-worklist", "csv")


async def gone(request: Request, job: Job, paths: JobPaths) -> Response:
    """GET /jobs/ID/gone: the tenders of the earlier job that this one does not have."""
    if job.options.since is None:
        return _error(HTTPStatus.NOT_FOUND, "the job was compared with no earlier one")
    return await _send_rows(request, paths.gone, f"{job.stem}-gone", "csv")


async def verdicts(request: Request, job: Job, paths: JobPaths) -> Response:
    """GET /jobs/ID/verdicts: the reviews of its rows, which `portfolio --outcomes` reads."""
    rows = await anyio.to_thread.run_sync(write_verdicts, paths)
    return await _send_rows(request, rows, f"{job.stem}-verdicts", "csv")


async def errors(_: Request, job: Job, paths: JobPaths) -> Response:
    """GET /jobs/ID/errors: the rows that could not be scored, as JSON lines."""
    return send_file(paths.errors, f"{job.stem}-errors.jsonl", MEDIA_TYPES["jsonl"])


async def manifest(_: Request, job: Job, paths: JobPaths) -> Response:
    """GET /jobs/ID/manifest: what was run on what."""
    return send_file(paths.manifest, f"{job.stem}-manifest.json", "application/json")


async def report(_: Request, job: Job, paths: JobPaths) -> Response:
    """GET /jobs/ID/report: the report as a page."""
    response = send_file(paths.report, f"{job.stem}-report.html", "text/html", "inline")
    response.headers["Content-Security-Policy"] = REPORT_POLICY
    return response


def send_file(file: Path, name: str, media_type: str, disposition: str = "attachment") -> Response:
    """A file to download. Raises FileNotFoundError."""
    stat = file.stat()
    return FileResponse(
        file,
        headers=HEADERS,
        media_type=media_type,
        filename=name,
        stat_result=stat,
        content_disposition_type=disposition,
    )


async def _send_rows(request: Request, rows: Path, name: str, default: str) -> Response:
    """Rows in the format of the query `format`."""
    kind = request.query_params.get("format", default)
    return send_file(await download(rows, kind), f"{name}.{kind}", MEDIA_TYPES[kind])


def _error(status: HTTPStatus, text: str) -> Response:
    return json_response(ErrorAnswer(error=text), status)


OPTIONS = ("stage", "register", "capacity", "rank_by", "most_per_buyer", "sample", "seed", "since")
"""The fields of an upload beside its file, and the query of one whose body is the file."""
FILE = {"type": "string", "format": "binary"}
UPLOAD = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["file"],
            "properties": {"file": FILE, **{name: {"type": "string"} for name in OPTIONS}},
        }
    },
    "application/octet-stream": {"schema": FILE},
}
OF_BODY = "The file's name, if the body is the file"
NAME = [{"name": "name", "in": "query", "description": OF_BODY, "schema": {"type": "string"}}]
FORMAT = [{"name": "format", "in": "query", "schema": {"enum": [*MEDIA_TYPES]}}]
ROUTES = [
    ApiRoute(
        path="/jobs",
        method="POST",
        endpoint=create,
        description="Takes an upload in, as a form or as the bare body with `?name=`",
        answer=JobAnswer,
        status=HTTPStatus.ACCEPTED,
        body=UPLOAD,
        query=NAME,
    ),
    ApiRoute(
        path="/jobs",
        method="GET",
        endpoint=list_jobs,
        description="The newest jobs, where keys are configured",
        answer=list[JobAnswer],
    ),
    ApiRoute(path="/jobs/{id}", method="GET", endpoint=job_endpoint(show), description="The job", answer=JobAnswer),
    ApiRoute(
        path="/jobs/{id}",
        method="DELETE",
        endpoint=job_endpoint(delete),
        description="Stops the job and deletes its files",
        status=HTTPStatus.NO_CONTENT,
    ),
    ApiRoute(
        path="/jobs/{id}/cancel",
        method="POST",
        endpoint=job_endpoint(cancel),
        description="Stops the job; its files stay",
        answer=JobAnswer,
    ),
    *(
        ApiRoute(
            path=f"/jobs/{{id}}/{endpoint.__name__}",
            method="GET",
            endpoint=job_endpoint(endpoint, "done"),
            description=(endpoint.__doc__ or "").partition(": ")[2],
            answer=media_type,
            query=FORMAT if media_type == "*/*" else (),
        )
        for endpoint, media_type in (
            (output, "*/*"),
            (worklist, "*/*"),
            (gone, "*/*"),
            (verdicts, "*/*"),
            (errors, MEDIA_TYPES["jsonl"]),
            (manifest, "application/json"),
            (report, "text/html"),
        )
    ),
]
