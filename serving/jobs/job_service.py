"""The jobs of a service: taken in, found by id, cancelled, deleted. The API and the pages call this."""

from __future__ import annotations

import functools
import logging
import shutil
import threading
from contextlib import suppress
from datetime import datetime

import msgspec

from portfolio.manifest import RunManifest
from serving.audit import noting
from serving.callers import current_caller
from serving.jobs.job import EARLIER_PATH, EarlierJob, Job, JobOptions, State, is_id, new_id, now, read_options
from serving.jobs.paths import DataDirectory, JobPaths
from serving.jobs.receiving import Upload
from serving.jobs.results import check_results
from serving.jobs.scoring import read_task
from serving.jobs.settings import Settings, settings
from serving.jobs.store import Store, open_store
from serving.jobs.worker import Worker
from tenders import files
from tenders.errors import DataError, TenderRiskError, UnreachableError

MAX_WAITING = 100
"""Jobs that have not ended; more are not taken in."""
MAX_LISTED = 200

log = logging.getLogger("tender_risk.jobs")


class JobAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A job, as the API shows it. `links` lead to its results once it is done; `bundle` is blank until work began."""

    id: str
    name: str
    state: State
    rows: int
    bytes: int
    size: int
    message: str
    created: str
    expires: str
    bundle: str
    options: JobOptions
    page: str
    links: dict[str, str]


class JobService:
    """Everything about jobs that outlives a request. Made at first use: a service without jobs needs no folder."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.directory = DataDirectory(settings.data)
        self.store: Store = open_store(settings, self.directory)
        self.worker = Worker(settings, self.directory, self.store)
        self.worker.start()

    def submit(self, id: str, upload: Upload) -> Job:
        """Queues a job for an upload that is in the folder of `id`.

        Raises DataError for options that are not valid, UnreachableError if too many jobs wait.
        """
        options, earlier = read_options(upload.fields, self.find)
        self.check_room()
        if earlier:
            compared = link_earlier(earlier, self.paths(earlier), JobPaths(self.directory.folder(id)))
            options = msgspec.structs.replace(options, since=compared)
        job = Job(
            id=id,
            home=self.directory.name,
            created=now(),
            name=upload.path.name,
            size=upload.size,
            options=options,
            owner=current_caller.get().name,
        )
        self.store.add(job)
        noting.note_job("job created", id, input=upload.sha256, stage=options.stage)
        self.worker.wake()
        return job

    def check_room(self) -> None:
        """Raises UnreachableError if too many jobs wait."""
        if self.store.waiting(self.directory.name) >= MAX_WAITING:
            raise UnreachableError(f"{MAX_WAITING} jobs wait already. Try again later")

    def new(self) -> tuple[str, JobPaths]:
        """An id and a folder for a job whose upload begins."""
        job_id = new_id()
        return job_id, JobPaths(self.directory.create(job_id))

    def discard(self, id: str) -> None:
        """Deletes the folder of an upload that was refused."""
        shutil.rmtree(self.directory.folder(id), ignore_errors=True)

    def find(self, id: str) -> Job | None:
        """The job with this id, if the key that the request came with may see it."""
        job = self.store.get(id) if is_id(id) else None
        return job if job and current_caller.get().owns(job.owner) else None

    def paths(self, job: Job) -> JobPaths:
        """The files of a job."""
        return JobPaths(self.directory.folder(job.id))

    def results(self, job: Job) -> JobPaths:
        """The files of a job that is done, which are what was written.

        Raises DamagedResultError if one is not, FileNotFoundError if they are gone.
        """
        paths = self.paths(job)
        check_results(paths, job.outputs)
        return paths

    def cancel(self, job: Job) -> None:
        """Stops a job. Its files stay, without the rows that it was to be compared with."""
        if self.store.cancel(job.id):
            noting.note_job("job cancelled", job.id)
            self.paths(job).drop_earlier()

    def delete(self, job: Job) -> None:
        """Stops a job and deletes its row and files; a worker that runs it deletes the files when it stops."""
        # First, so that the folder goes even if this service is killed before it does.
        with suppress(FileNotFoundError):
            self.paths(job).deleted.touch()
        self.store.delete(job.id)
        noting.note_job("job deleted", job.id)
        self.directory.remove(job.id)

    def expires(self, job: Job) -> datetime:
        """When the job's files are deleted."""
        return job.created + self.settings.lifetime


_creation = threading.Lock()
_trouble = [""]


@functools.cache
def _job_service() -> JobService:
    return JobService(settings())


def job_service() -> JobService:
    """The job service of this process. Raises UnreachableError if its directory or database cannot be reached."""
    with _creation:
        try:
            service = _job_service()
        except TenderRiskError as error:
            _trouble[0] = str(error)
            raise
        _trouble[0] = ""
        return service


def trouble() -> str:
    """Why no job can be done at the moment; blank if they can."""
    if _job_service.cache_info().currsize:
        return _job_service().worker.trouble
    return _trouble[0]


def doubt() -> str:
    """Why nothing is deleted for its age at the moment."""
    return _job_service().worker.doubt if _job_service.cache_info().currsize else ""


def start() -> None:
    """Continues the jobs of an earlier service. A service that cannot keep jobs still scores single tenders."""
    if not DataDirectory.is_at(settings().data):
        return
    try:
        job_service()
    except TenderRiskError as error:
        log.warning("no jobs: %s", error)


def stop() -> None:
    """Queues the running job again, for the next service."""
    if _job_service.cache_info().currsize:
        _job_service().worker.stop()


def newest_jobs() -> list[Job] | None:
    """The newest jobs of the key that the request came with, of all for admin.

    None where no keys are configured: everyone would see everyone's.
    """
    caller = current_caller.get()
    service = job_service()
    owner = None if "admin" in caller.scopes else caller.name
    return service.store.newest(service.directory.name, MAX_LISTED, owner) if caller.name else None


def job_answer(job: Job) -> JobAnswer:
    """A job, as the API shows it."""
    task = read_task(job_service().paths(job))
    names = ("output", "errors", "manifest", "worklist", *(["gone"] if job.options.since else []), "report")
    return JobAnswer(
        id=job.id,
        name=job.name,
        state=job.state,
        rows=job.rows,
        bytes=job.bytes,
        size=job.size,
        message=job.message,
        created=job.created.isoformat(timespec="seconds"),
        expires=job_service().expires(job).isoformat(timespec="seconds"),
        bundle=task.version if task else "",
        options=job.options,
        page=f"/portfolio/{job.id}",
        links={name: f"/jobs/{job.id}/{name}" for name in names} if job.state == "done" else {},
    )


def link_earlier(earlier: Job, source: JobPaths, target: JobPaths) -> EarlierJob:
    """Puts the scored rows of an earlier job into the folder of a new one, for the time until that one has ended.

    The comparison then gives the same bytes whenever it runs, also if the earlier job is deleted meanwhile. Raises
    DataError if the earlier rows are gone.
    """
    rows = target.since / f"{earlier.stem}-scored.parquet"
    try:
        check_results(source, earlier.outputs)
        target.since.mkdir(mode=0o700, exist_ok=True)
        files.link_or_copy(source.scored, rows)
        bundle = msgspec.json.decode(source.manifest.read_bytes(), type=RunManifest).options.bundle
    except FileNotFoundError:
        remedy = "Upload the earlier file again, or leave this empty"
        raise DataError.at(EARLIER_PATH, f"the files of the job of {earlier.name} are gone", remedy) from None
    return EarlierJob(
        name=earlier.name,
        created=earlier.created.replace(microsecond=0),
        rows=earlier.rows,
        stage=earlier.options.stage,
        bundle=bundle,
    )
