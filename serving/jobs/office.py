"""The jobs of a service: taken in, found by their name, called off, thrown away. What the API and the pages ask."""

from __future__ import annotations

import functools
import logging
import shutil
import threading
from datetime import datetime

import msgspec

from serving import keys
from serving.jobs import asked, since, store
from serving.jobs.home import Home
from serving.jobs.job import Job, is_id, new_id, now
from serving.jobs.places import Places
from serving.jobs.receiving import Upload
from serving.jobs.settings import Settings, settings
from serving.jobs.store import Store
from serving.jobs.worker import Worker
from tenders.errors import TenderRiskError, UnreachableError

MOST_WAITING = 100
"""Jobs that have not ended; more are not taken in."""
MOST_LISTED = 200

log = logging.getLogger("tender_risk.jobs")


class Office:
    """Everything about jobs that outlives a request. Made at the first need: who never has a job gets no folder."""

    def __init__(self, given: Settings) -> None:
        self.settings = given
        self.home = Home(given.data)
        self.store: Store = store.opened(given, self.home)
        self.worker = Worker(given, self.home, self.store)
        self.worker.start()

    def take_in(self, id: str, upload: Upload) -> Job:
        """A job for an upload that is in its folder; from here on it is done without anyone waiting.

        Raises DataError for options that cannot be meant, UnreachableError if too many wait.
        """
        options, earlier = asked.wanted(upload.fields, self.find)
        self.check_room()
        if earlier:
            taken = since.taken_along(earlier, self.places(earlier), Places(self.home.folder(id)))
            options = msgspec.structs.replace(options, since=taken)
        job = Job(
            id=id, home=self.home.name, created=now(), name=upload.path.name, size=upload.size, options=options
        )  # fmt: skip
        self.store.add(job)
        self.worker.wake()
        return job

    def check_room(self) -> None:
        """Raises UnreachableError if too many jobs wait."""
        if self.store.waiting(self.home.name) >= MOST_WAITING:
            raise UnreachableError(f"{MOST_WAITING} jobs wait already. Try again later")

    def new(self) -> tuple[str, Places]:
        """A name and a folder for a job that is being uploaded."""
        name = new_id()
        return name, Places(self.home.made(name))

    def drop(self, id: str) -> None:
        """Takes away the folder of a job that did not come about."""
        shutil.rmtree(self.home.folder(id), ignore_errors=True)

    def find(self, id: str) -> Job | None:
        """The job of that name."""
        return self.store.get(id) if is_id(id) else None

    def places(self, job: Job) -> Places:
        """Where its files are."""
        return Places(self.home.folder(job.id))

    def cancel(self, job: Job) -> None:
        """Calls it off; its files stay, but not what it was to be compared with."""
        if self.store.cancel(job.id):
            since.let_go(self.places(job))

    def delete(self, job: Job) -> None:
        """Calls it off and takes its row and its files away; who is at work on them does that when it stops."""
        self.store.delete(job.id)
        self.home.remove(job.id)

    def expires(self, job: Job) -> datetime:
        """When its files go."""
        return job.created + self.settings.kept


_making = threading.Lock()


@functools.cache
def _made() -> Office:
    return Office(settings())


def office() -> Office:
    """The one of this process. Raises UnreachableError if its directory or its database cannot be reached."""
    with _making:
        return _made()


def begin() -> None:
    """Goes on with what was there when the service ended. A service that cannot keep jobs scores all the same."""
    given = settings()
    if not given.data.is_dir():
        return
    try:
        office()
    except TenderRiskError as error:
        log.warning("no jobs: %s", error)


def end() -> None:
    """Lets the job that runs wait for the next service."""
    if _made.cache_info().currsize:
        _made().worker.end()


def listed() -> list[Job] | None:
    """The newest jobs; None where no keys are configured, for then everyone would see everyone's."""
    return office().store.newest(office().home.name, MOST_LISTED) if keys.configured() else None


def told(job: Job) -> dict[str, object]:
    """A job as the API tells it."""
    names = ("output", "errors", "manifest", "worklist", *(["gone"] if job.options.since else []), "report")
    links = {name: f"/jobs/{job.id}/{name}" for name in names}
    return {
        **{name: getattr(job, name) for name in ("id", "name", "state", "rows", "bytes", "size", "message")},
        "created": job.created.isoformat(timespec="seconds"),
        "expires": office().expires(job).isoformat(timespec="seconds"),
        "options": msgspec.to_builtins(job.options),
        "page": f"/portfolio/{job.id}",
        "links": links if job.state == "done" else {},
    }
