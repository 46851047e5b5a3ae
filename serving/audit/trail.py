"""The trail of a process: entries are appended by one thread, many in one transaction, and the sender waits for it.

TENDER_RISK_AUDIT is blank for SQLite in the data directory, a PostgreSQL URL, or `off`. TENDER_RISK_AUDIT_INPUTS=on
keeps what was sent beside its entry. TENDER_RISK_AUDIT_SYNC=off leaves it to the operating system when an entry reaches
the disk: one that was written survives the end of the process, and not that of the machine.
"""

from __future__ import annotations

import getpass
import logging
import os
import queue
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path

import msgspec
import prometheus_client

from serving.audit.entry import Action, AuditEntry, AuditHead, entry_now
from serving.audit.store import AuditStore, BusyError, PostgresTrail, SqliteTrail, TrailDatabase
from serving.jobs.settings import POSTGRESQL, settings
from tenders.errors import TenderRiskError, UnreachableError, UsageError

AUDIT, INPUTS, SYNC = "TENDER_RISK_AUDIT", "TENDER_RISK_AUDIT_INPUTS", "TENDER_RISK_AUDIT_SYNC"
OFF = "off"
NAME = "audit.sqlite"
MAX_BATCH = 500
"""Entries of one transaction."""
MAX_REASON = 1_000
"""Characters of why a bundle is refused."""
QUICK_SECONDS = 0.001
"""What the last transaction may have taken where the next is written by the thread that asks for it."""

SEQ = prometheus_client.Gauge(
    "tender_risk_audit_seq", "Number of the last entry of the audit trail.", multiprocess_mode="max"
)
HEAD = prometheus_client.Gauge(
    "tender_risk_audit_head",
    "The first 12 hexadecimal digits of the digest of that entry, as a number.",
    multiprocess_mode="mostrecent",
)
log = logging.getLogger("tender_risk.audit")


class AuditSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the trail is: `url`, or a file. `inputs` are kept, and entries `synced` to disk, or not."""

    file: Path
    url: str = ""
    is_on: bool = True
    inputs: bool = False
    synced: bool = True


def audit_settings(environment: Mapping[str, str] = os.environ) -> AuditSettings:
    """The settings in the environment. Raises UsageError for a value that is not valid."""
    where = environment.get(AUDIT, "").strip()
    if where not in ("", OFF) and not where.startswith(POSTGRESQL):
        # The value may hold a password, so the message leaves it out.
        raise UsageError(f"{AUDIT}: expected {POSTGRESQL[0]}… or {OFF}; leave it out for SQLite")
    return AuditSettings(
        file=settings(environment).data / NAME,
        url="" if where == OFF else where,
        is_on=where != OFF,
        inputs=_is_on(environment, INPUTS, False),
        synced=_is_on(environment, SYNC, True),
    )


def _is_on(environment: Mapping[str, str], name: str, default: bool) -> bool:
    text = environment.get(name, "").strip() or ("on" if default else OFF)
    if text not in ("on", OFF):
        raise UsageError(f"{name}: expected on or {OFF}, got {text[:40]!r}")
    return text == "on"


def open_store(chosen: AuditSettings, made: bool = True, last: AuditHead | None = None) -> AuditStore:
    """The trail that the settings name. Raises UnreachableError; without `made`, also if there is none yet."""
    database: TrailDatabase = PostgresTrail(chosen.url) if chosen.url else SqliteTrail(chosen.file, chosen.synced, made)
    return AuditStore(database, made, last)


class AuditTrail:
    """Appends entries from many threads. Raises UnreachableError when it is made and cannot be used."""

    def __init__(self, chosen: AuditSettings) -> None:
        self.settings = chosen
        self._store: AuditStore | None = open_store(chosen)
        self._head = self._store.head()
        self._queue: queue.SimpleQueue[_Appended] = queue.SimpleQueue()
        self._writing, self._seconds = threading.Lock(), 0.0
        _show(self._head)
        threading.Thread(target=self._run, name="audit", daemon=True).start()

    def append(self, entry: AuditEntry, content: bytes | None = None) -> Future[AuditHead]:
        """Appends an entry with the bytes that it is about, which are kept if the settings say so.

        The future is done when the entry is durable, and raises UnreachableError if it is not.
        """
        appended = _Appended(entry, content if self.settings.inputs else None, Future())
        # Handing over to another thread takes longer than a quick disk. On a slow one nobody but that thread waits.
        if self._seconds < QUICK_SECONDS and self._writing.acquire(blocking=False):
            try:
                # Who asks may be the loop that answers everybody: it does not wait for another process.
                self._write([appended], wait=False)
            except BusyError:
                self._queue.put(appended)
            finally:
                self._writing.release()
        else:
            self._queue.put(appended)
        return appended.done

    def _run(self) -> None:
        while True:
            first = self._queue.get()
            with self._writing:
                # What came while the last transaction was synced goes into one.
                batch = [first]
                while len(batch) < MAX_BATCH and not self._queue.empty():
                    batch.append(self._queue.get())
                self._write(batch)

    def _write(self, batch: list[_Appended], wait: bool = True) -> None:
        begun = time.monotonic()
        try:
            head = self._append(batch, wait)
        except BusyError:
            raise
        except TenderRiskError as error:
            log.error("%s", error)
            for appended in batch:
                appended.done.set_exception(UnreachableError(str(error)))
        except Exception as error:
            log.exception("the audit trail")
            self._drop()
            for appended in batch:
                appended.done.set_exception(UnreachableError(f"the audit trail: {type(error).__name__}"))
        else:
            self._seconds = time.monotonic() - begun
            for appended in batch:
                appended.done.set_result(head)

    def _append(self, batch: list[_Appended], wait: bool) -> AuditHead:
        if self._store is not None and self._store.is_lost():
            log.error("the audit trail is gone from its place; the last entry was %s", self._head)
            self._drop()
        if self._store is None:
            if not wait:
                raise BusyError("the audit trail is not open")
            self._store = open_store(self.settings, last=self._head)
        try:
            contents = [record.content for record in batch]
            self._head = self._store.append([record.entry for record in batch], contents, wait)
        except BusyError:
            raise
        except TenderRiskError:
            self._drop()
            raise
        _show(self._head)
        return self._head

    def _drop(self) -> None:
        """Lets the connection go: the next entry opens another."""
        store, self._store = self._store, None
        if store is not None:
            store.close()


class _Appended(msgspec.Struct):
    """An entry on its way into the trail."""

    entry: AuditEntry
    content: bytes | None
    done: Future[AuditHead]


def _show(head: AuditHead) -> None:
    SEQ.set(head.seq)
    HEAD.set(int(head.digest[:12], 16))


_creation = threading.Lock()
_made: dict[AuditSettings, AuditTrail] = {}


def served_trail() -> AuditTrail | None:
    """The trail of this process; None where it is off. Raises UsageError, and UnreachableError if it cannot be used."""
    chosen = audit_settings()
    if not chosen.is_on:
        return None
    with _creation:
        if chosen not in _made:
            _made[chosen] = AuditTrail(chosen)
        return _made[chosen]


def note_command(action: Action, subject: str, before: str = "", note: str = "") -> AuditHead | None:
    """Appends what a person changed by a command; None where the trail is off. Raises as `served_trail`."""
    chosen = audit_settings()
    if not chosen.is_on:
        return None
    store = open_store(chosen)
    try:
        return store.append([entry_now(action, user=machine_user(), subject=subject, before=before, note=note)])
    finally:
        store.close()


def note_refusal(subject: str, reason: str, before: str = "") -> None:
    """Appends that a promotion by command was refused. Who ran it is told why it was refused in any case: a trail that
    cannot be written is logged."""
    try:
        note_command("promotion refused", subject, before, reason[:MAX_REASON])
    except TenderRiskError as error:
        log.error("%s", error)


def machine_user() -> str:
    """The name of the user of the machine who runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        return str(os.getuid())
