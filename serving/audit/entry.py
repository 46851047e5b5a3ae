"""An entry of the audit trail, and the chain of digests that shows if one was changed, removed or re-dated.

The digest of an entry is the SHA-256, as 64 hexadecimal digits, of the digest before it followed by the entry's own
text. Before the first entry stands `GENESIS`. Whoever knows the last digest can prove all that lies before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import msgspec

from tenders.errors import UsageError
from tenders.facts import Stage

GENESIS = "0" * 64
"""The digest before the first entry."""
Action = Literal[
    "trail begun",
    "trail pruned",
    "score",
    "score_many",
    "what_if",
    "suggest",
    "page",
    "job created",
    "job done",
    "job failed",
    "job cancelled",
    "job deleted",
    "job expired",
    "job served",
    "bundle served",
    "bundle refused",
    "bundle released",
    "bundle promoted",
    "promotion refused",
    "bundle rolled back",
    "keys in force",
    "key added",
    "key revoked",
    "back-up restored",
]
SCORES: tuple[Action, ...] = ("score", "score_many", "what_if", "suggest", "page")
"""Actions that can be replayed: somebody was told probabilities of tenders that came with the request."""


class AuditedScore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was said of one tender: its probabilities, 0 to 1, at a stage. `refused` if it could not be scored."""

    stage: Stage | None = None
    failure: float | None = None
    outcomes: Mapping[str, float | None] = {}
    refused: bool = False


class AuditedPortfolio(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the files of a portfolio depend on, beside the upload, its stage and the bundle.

    `name` is the SHA-256 of the name that the upload was kept under, `created` the time in its manifest. `since` says
    that it was compared with an earlier job. The rest is as in `serving.jobs.job.JobOptions`.
    """

    name: str
    created: str
    register: str | None = None
    capacity: int
    rank_by: str
    most_per_buyer: int | None = None
    sample: float = 0.0
    seed: int = 0
    since: bool = False


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was done or said.

    `time` is UTC. `key` is the name of the key that a request came with, `user` the user of the machine who ran a
    command. `input`, `output`, `outputs` and `bundle_sha256` are SHA-256 digests: of the bytes that came, of the bytes
    that were answered, of a job's files by name, and of the bundle's manifest. `job` is the beginning of the digest of
    a job's id, which is a secret. `subject` is what was changed: a version, or the name of a key; `before` is what it
    was.
    """

    time: str
    action: Action
    product: str
    key: str = ""
    user: str = ""
    page: str = ""
    input: str = ""
    output: str = ""
    outputs: Mapping[str, str] = {}
    stage: Stage | None = None
    bundle: str = ""
    bundle_sha256: str = ""
    results: tuple[AuditedScore, ...] = ()
    job: str = ""
    rows: int | None = None
    portfolio: AuditedPortfolio | None = None
    subject: str = ""
    before: str = ""
    note: str = ""


class AuditHead(msgspec.Struct, frozen=True):
    """The end of a trail: the number of its last entry and that entry's digest. Kept elsewhere, it proves the rest."""

    seq: int
    digest: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.digest}"


class AuditRow(msgspec.Struct, frozen=True):
    """One entry as it is stored: its number from 1, its text, and its digest."""

    seq: int
    entry: str
    digest: str


def parse_head(text: str) -> AuditHead:
    """The head that `audit head` printed. Raises UsageError."""
    seq, colon, digest = text.strip().partition(":")
    if not (colon and seq.isascii() and seq.isdecimal() and len(seq) < 19 and len(digest) == len(GENESIS)):
        raise UsageError(f"{text[:80]!r} is no head. Give SEQ:DIGEST, as 'tender-risk audit head' prints it")
    return AuditHead(int(seq), digest.lower())


def entry_text(entry: AuditEntry) -> str:
    """The canonical JSON of an entry: fields in the order of their names, nothing between them, defaults left out."""
    return msgspec.json.encode(entry, order="sorted").decode()


def read_entry(text: str) -> AuditEntry:
    """The entry in a row. Raises msgspec.DecodeError (a ValueError)."""
    return msgspec.json.decode(text.encode("utf-8", "surrogatepass"), type=AuditEntry)


def chained(previous: str, text: str) -> str:
    """The digest of an entry's text after the digest before it."""
    return sha256(f"{previous}{text}".encode("utf-8", "surrogatepass"))


def sha256(*pieces: bytes | bytearray) -> str:
    """The SHA-256 of some bytes, which may come in pieces, as hexadecimal digits."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def now_text() -> str:
    """The current time in UTC, to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def job_label(id: str) -> str:
    """How the trail calls a job: whoever knows the id itself sees the job."""
    return sha256(id.encode())[:16]


def entry_now(action: Action, **about: Any) -> AuditEntry:
    """An entry of what happens now, by this version of the product; `about` are the entry's other fields."""
    return AuditEntry(time=now_text(), action=action, product=product_version(), **about)


@cache
def product_version() -> str:
    """The version of Tender Risk."""
    try:
        return version("tender-risk")
    except PackageNotFoundError:
        # A bento holds the packages and not their distribution.
        return "bento"
