"""Portfolios as pages: the upload form, a job's progress, and its worklist, of which every row opens as one tender."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import anyio.to_thread
import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from portfolio.manifest import RunManifest
from portfolio.rendering import plain, pounds
from portfolio.report import summary_sentences
from portfolio.worklist import DEFAULT_CAPACITY
from serving.audit import noting
from serving.jobs import api, listing, reviews
from serving.jobs.downloads import MEDIA_TYPES
from serving.jobs.job import MAX_CAPACITY, REGISTERS, Job, earlier_job, form_fields
from serving.jobs.job_service import job_service, newest_jobs
from serving.jobs.listing import BANDS, CHANGES, ROWS, VALUES, WorklistView
from serving.jobs.paths import JobPaths
from serving.jobs.receiving import MAX_FIELD_BYTES
from serving.jobs.results import DamagedResultError
from serving.jobs.settings import settings
from serving.metering import count_error
from serving.pages import answer, home, opening
from serving.pages.drafts import Draft, DraftRequest
from serving.pages.rendering import HEADERS, page
from tenders.errors import DataError, Problem, TenderRiskError
from tenders.facts import STAGES
from tenders.io.detection import BULK_SUFFIXES, CODECS

# The page asks how far the job is.
WAITING_HEADERS = {**HEADERS, "Content-Security-Policy": f"{HEADERS['Content-Security-Policy']}; connect-src 'self'"}
HERE = "/portfolio"
FIELDS = {
    "stage": "Score them as of",
    "register": "Columns of the table",
    "rank_by": "Rank by",
    "capacity": "Reviews you have people for",
    "most_per_buyer": "Most reviews of one buyer",
    "sample": "Share drawn at random",
    "seed": "Seed of the draw",
    "since": "Compare with an earlier portfolio",
    "file": "File of tenders",
}
"""Labels by field."""
RANKS = {"failure": "probability of failure", "expected_loss": "expected loss"}
COLUMNS = {
    "rank": "Rank",
    "failure": "Failure",
    "title": "Tender",
    "low": "Likely between",
    "band": "Against usual",
    "value_gbp": "Value",
    "buyer": "Buyer",
    "published": "Published",
}
"""The table's columns: those that fit on one screen. Each heading sorts by its column."""
OTHERS = {
    "expected_loss_gbp": "Expected loss",
    "category": "Category",
    "region": "Region",
    "register": "Register",
}
"""What else can be sorted by; it stands under the tender's title."""
CHANGE_COLUMN = "moved"
"""By what the column of changes is sorted; it is there where the job is compared with an earlier one."""
LARGEST_FIRST = frozenset({"failure", "low", "value_gbp", "expected_loss_gbp", "published", CHANGE_COLUMN})
MAX_GONE = 50
RANK_DIGITS = 12
"""Digits of the rank of a row in an address."""
MAX_REVIEW_BYTES = 10_000


class GoneTenders(msgspec.Struct, frozen=True):
    """Tenders of the earlier job that this one does not have: the first rows, and how many in all."""

    rows: list[dict[str, Any]]
    count: int


class RefusedReview(msgspec.Struct, frozen=True):
    """A review that is not kept: the rank of its row, what was entered, and what is wrong, by field."""

    rank: int
    fields: Mapping[str, str]
    wrong: Mapping[str, str]


class ColumnHeading(msgspec.Struct, frozen=True):
    """A column's heading: its label, the query that a click leads to, and the value of `aria-sort`."""

    label: str
    query: str
    sorted: str


async def upload_form(request: Request) -> Response:
    """GET /portfolio: the upload form, and the newest jobs where keys are configured.

    With `?since=ID` it asks for a newer file than that of a job, to be scored with the same options.
    """
    return await anyio.to_thread.run_sync(_empty_form, request.query_params.get("since", "")[:MAX_FIELD_BYTES])


async def upload(request: Request) -> Response:
    """POST /portfolio: takes the file in, and leads to its job."""
    fields: dict[str, str] = {}
    try:
        job = await api.take_upload(request, fields)
    except TenderRiskError as error:
        return await anyio.to_thread.run_sync(_form, fields, error)
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST)
    return RedirectResponse(f"{HERE}/{job.id}", HTTPStatus.SEE_OTHER)


def _empty_form(earlier_text: str) -> Response:
    """The empty form; with an earlier job, its options: what is scored otherwise would seem to have changed."""
    if not earlier_text.strip():
        return _form({})
    try:
        earlier = earlier_job(earlier_text, job_service().find)
    except TenderRiskError as error:
        return _form({"since": earlier_text}, error)
    return _form({**(form_fields(earlier.options) if earlier else {}), "since": earlier_text}, earlier=earlier)


def _form(fields: Mapping[str, str], error: TenderRiskError | None = None, earlier: Job | None = None) -> Response:
    """The form with what was entered, and what is wrong beside its field."""
    if error:
        count_error(error)
    problems = list(getattr(error, "problems", ())) or ([Problem(path="", problem=str(error))] if error else [])
    try:
        jobs = newest_jobs()
    except TenderRiskError as unreachable:
        jobs, problems = None, [*problems, Problem(path="", problem=str(unreachable))]
    by_field = [(problem.path.removeprefix("/"), problem) for problem in problems]
    return page(
        "portfolio.html",
        error.http_status if error else HTTPStatus.OK,
        HEADERS,
        here=HERE,
        fields={"capacity": str(DEFAULT_CAPACITY), **fields},
        wrong={name: _message(problem) for name, problem in by_field if name in FIELDS},
        elsewhere=[problem for name, problem in by_field if name not in FIELDS],
        labels=FIELDS,
        # Whoever has set an option, or set one wrongly, sees all of them.
        optional=any(value for name, value in fields.items() if name not in ("capacity", "file"))
        or any(name in FIELDS and name != "file" for name, _ in by_field),
        earlier=earlier,
        jobs=jobs,
        stages={stage: plain(stage) for stage in STAGES},
        registers={register: register for register in REGISTERS},
        ranks=RANKS,
        most=MAX_CAPACITY,
        upload=settings().upload // 2**20,
        days=settings().days,
        endings=[*BULK_SUFFIXES, *CODECS],
    )


def _message(problem: Problem) -> str:
    return f"{problem.problem}. {problem.remedy}." if problem.remedy else f"{problem.problem}."


async def job_page(request: Request) -> Response:
    """GET /portfolio/ID: the job's progress, and in the end its worklist."""
    return await anyio.to_thread.run_sync(_with_job, request, _job_page)


async def cancel(request: Request) -> Response:
    """POST /portfolio/ID/cancel."""
    return await anyio.to_thread.run_sync(_with_job, request, _cancel)


async def delete(request: Request) -> Response:
    """POST /portfolio/ID/delete."""
    return await anyio.to_thread.run_sync(_with_job, request, _delete)


async def review(request: Request) -> Response:
    """POST /portfolio/ID/review/RANK: keeps a review of a row, and leads back to the view of the query."""
    try:
        job = await anyio.to_thread.run_sync(api.find, request)
        if job is None or job.state != "done":
            return _missing()
        sent = await request.form(max_files=0, max_fields=10, max_part_size=MAX_REVIEW_BYTES)
        fields = {name: value for name, value in sent.items() if isinstance(value, str)}
        return await anyio.to_thread.run_sync(_review, job, _rank(request), fields, request.query_params)
    except (TenderRiskError, FileNotFoundError, HTTPException):
        return _missing()


def _rank(request: Request) -> int:
    """The rank in an address; 0, which no row has, for a text that is none."""
    rank = request.path_params["rank"]
    return int(rank) if rank.isascii() and rank.isdecimal() and len(rank) <= RANK_DIGITS else 0


def _review(job: Job, rank: int, fields: Mapping[str, str], query: Mapping[str, str]) -> Response:
    paths = job_service().paths(job)
    row = listing.read_row(paths.ranked, rank)
    if row is None:
        return _missing()
    try:
        reviews.add_review(paths, reviews.read_review(fields, row))
    except DataError as error:
        wrong = {problem.path.strip("/"): _message(problem) for problem in error.problems}
        return _worklist(job, paths, query, RefusedReview(rank, fields, wrong))
    at = listing.parse_view(query).query()
    return RedirectResponse(f"{HERE}/{job.id}{'?' if at else ''}{at}#row-{rank}", HTTPStatus.SEE_OTHER)


async def open_row(request: Request) -> Response:
    """GET /portfolio/ID/row/RANK: the tender of a row, read again from the upload and scored at the row's stage.

    The query is that of the worklist's view, to which the page leads back.
    """
    try:
        job = await anyio.to_thread.run_sync(api.find, request)
        if job is None or job.state != "done":
            return _missing()
        rank = _rank(request)
        paths = await anyio.to_thread.run_sync(job_service().results, job)
        return await _open_row(job, paths, rank, request.query_params)
    except DamagedResultError as error:
        return _damaged(error)
    except (TenderRiskError, FileNotFoundError):
        return _missing()


def _with_job(request: Request, respond: Callable[[Request, Job], Response]) -> Response:
    try:
        job = api.find(request)
        return _missing() if job is None else respond(request, job)
    except DamagedResultError as error:
        return _damaged(error)
    except (TenderRiskError, FileNotFoundError):
        return _missing()


def _missing() -> Response:
    return page("no_job.html", HTTPStatus.NOT_FOUND, here=HERE, damaged="")


def _damaged(error: DamagedResultError) -> Response:
    return page("no_job.html", error.http_status, here=HERE, damaged=str(error))


def _cancel(_: Request, job: Job) -> Response:
    job_service().cancel(job)
    return RedirectResponse(f"{HERE}/{job.id}", HTTPStatus.SEE_OTHER)


def _delete(_: Request, job: Job) -> Response:
    job_service().delete(job)
    return RedirectResponse(HERE, HTTPStatus.SEE_OTHER)


def _job_page(request: Request, job: Job) -> Response:
    if job.state == "done":
        noting.note_job("job served", job.id, page="worklist page")
        return _worklist(job, job_service().results(job), request.query_params)
    return page("waiting.html", HTTPStatus.OK, HEADERS if job.ended else WAITING_HEADERS, **_facts(job))


def _facts(job: Job) -> dict[str, Any]:
    """What every page of a job states."""
    return {"here": HERE, "job": job, "until": job_service().expires(job).date().isoformat()}


def _worklist(job: Job, paths: JobPaths, query: Mapping[str, str], refused: RefusedReview | None = None) -> Response:
    """The worklist in the view of a query. Raises FileNotFoundError when its files are gone."""
    view = listing.parse_view(query)
    manifest = msgspec.json.decode(paths.manifest.read_bytes(), type=RunManifest)
    reviewed = reviews.read_reviews(paths)
    return page(
        "worklist.html",
        HTTPStatus.BAD_REQUEST if refused else HTTPStatus.OK,
        HEADERS,
        **_facts(job),
        reviewed=reviewed,
        refused=refused,
        verdicts=reviews.LABELS,
        sorts={**_columns(job), **OTHERS},
        counts=manifest.counts,
        bundle=manifest.options.bundle,
        view=view,
        listed=listing.read_page(paths.ranked, view),
        headings=[_heading(name, label, view) for name, label in _columns(job).items()],
        choices={"band": BANDS, **listing.read_choices(paths.choices)},
        changes=CHANGES,
        which=ROWS,
        gone=GoneTenders(*listing.read_first(paths.gone, MAX_GONE)) if job.options.since else None,
        summary=[*(summary_sentences(manifest.worklist) if manifest.worklist else ()), *_differences(job, manifest)],
        by_loss=job.options.rank_by == "expected_loss",
        values={name: label for name, (label, _, _) in VALUES.items()},
        formats=list(MEDIA_TYPES),
        money=pounds,
    )


async def _open_row(job: Job, paths: JobPaths, rank: int, query: Mapping[str, str]) -> Response:
    row = await anyio.to_thread.run_sync(listing.read_row, paths.ranked, rank)
    back = f"{HERE}/{job.id}?{listing.parse_view(query).query()}".rstrip("?")
    if row is None:
        return _missing()
    draft = Draft(name=job.name)
    try:
        draft = await opening.open_draft(paths.upload, job.options.register, row["line"], row["place"])
        draft = msgspec.structs.replace(draft, name=job.name, stage=row["stage"])
        return await anyio.to_thread.run_sync(_score_row, draft, back)
    except TenderRiskError as error:
        return home.render_form(draft, error, back)


def _score_row(draft: Draft, back: str) -> Response:
    return answer.answer_page(DraftRequest(draft, None, {}), back)


def _columns(job: Job) -> dict[str, str]:
    """The columns of a job's table; the column of changes follows the interval."""
    if job.options.since is None:
        return COLUMNS
    names = [*COLUMNS]
    after = names.index("low") + 1
    return {name: COLUMNS.get(name, "Change") for name in (*names[:after], CHANGE_COLUMN, *names[after:])}


def _differences(job: Job, manifest: RunManifest) -> list[str]:
    """Why a probability may have changed though the tender did not: one sentence for each reason."""
    since, sentences = job.options.since, []
    if since and since.bundle != manifest.options.bundle:
        sentences.append(f"Model {since.bundle} scored the earlier file: some changes are the model's.")
    if since and since.stage != job.options.stage:
        stage = plain(since.stage) if since.stage else "the latest stage of each"
        sentences.append(f"The earlier file was scored as of {stage}: some changes are the stage's.")
    return sentences


def _heading(name: str, label: str, view: WorklistView) -> ColumnHeading:
    if view.sort != name:
        return ColumnHeading(label, view.query(sort=name, down=name in LARGEST_FIRST, page=1), "none")
    query = view.query(down=not view.down, page=1)
    return ColumnHeading(label, query, "descending" if view.down else "ascending")
