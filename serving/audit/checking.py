"""Finds out whether a trail is as it was written, and which entry is the first that is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from serving.audit.entry import GENESIS, AuditHead, chained, parse_head, read_entry, sha256
from serving.audit.store import AuditStore
from tenders.errors import UsageError

PRUNED = '"trail pruned"'
CHANGED = "is not as it was written: its text, its time or its digest was changed, or an entry before it was removed"


class TrailProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a trail, and the number of the first entry that shows it."""

    seq: int
    problem: str

    def __str__(self) -> str:
        return f"entry {self.seq:,} {self.problem}"


class TrailReport(msgspec.Struct, frozen=True, kw_only=True):
    """A trail that was verified: its first and last entry, and what is wrong, if anything is.

    `pruned` counts the entries that were deleted from its old end by command, `clock_back` those whose time is before
    that of the entry they follow: a clock was set back, or entries came from several machines.
    """

    entries: int
    pruned: int
    head: AuditHead
    clock_back: int
    problem: TrailProblem | None

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.problem is None


def verify(store: AuditStore, kept: AuditHead | None = None) -> TrailReport:
    """Verifies every entry of a trail, and its end against a head that was `kept` elsewhere.

    Raises UnreachableError if the trail cannot be read.
    """
    entries, clock_back, last_time = 0, 0, ""
    first: int | None = None
    head, anchor = AuditHead(0, GENESIS), None
    problem: TrailProblem | None = None
    kept_digest = kept.digest if kept and kept.seq == 0 else None
    for seq, text, digest in store.rows():
        if first is None:
            first = seq
            if seq != 1:
                anchor = _anchor(store, seq - 1)
                head = anchor or head
        entries += 1
        problem = problem or _first_problem(head, seq, text, digest)
        if kept and seq == kept.seq:
            kept_digest = str(digest)
        if problem is None:
            try:
                time = read_entry(text).time
            except ValueError as error:
                problem = TrailProblem(seq=seq, problem=f"is none that this version knows: {error}")
            else:
                clock_back += time < last_time
                last_time = time
        head = AuditHead(seq, str(digest))
    if not entries:
        problem = TrailProblem(seq=1, problem="is missing: the trail is empty")
    if problem and problem.seq == first and anchor:
        # The entry that says where the chain begins may be the one that was changed.
        problem = _changed_anchor(store, anchor) or problem
    problem = problem or _head_problem(head, first or 1, kept, kept_digest) or _input_problem(store)
    pruned = max((first or 1) - 1, 0)
    return TrailReport(entries=entries, pruned=pruned, head=head, clock_back=clock_back, problem=problem)


def _first_problem(before: AuditHead, seq: Any, text: Any, digest: Any) -> TrailProblem | None:
    if seq != before.seq + 1:
        missing = seq - before.seq - 1
        if missing > 0:
            return TrailProblem(seq=before.seq + 1, problem=f"is missing ({missing:,} in a row)")
        return TrailProblem(seq=seq, problem="is numbered as none can be")
    if not isinstance(text, str) or digest != chained(before.digest, text):
        return TrailProblem(seq=seq, problem=CHANGED)
    return None


def _pruned(store: AuditStore) -> Iterator[tuple[int, AuditHead]]:
    """The entries that note a pruning: their numbers, and the last entry that went with each."""
    for seq, text, _ in store.rows():
        if isinstance(text, str) and PRUNED in text:
            try:
                yield seq, parse_head(read_entry(text).before)
            except (ValueError, UsageError):
                continue


def _anchor(store: AuditStore, seq: int) -> AuditHead | None:
    """The entry before the first one that is left, as its pruning noted it."""
    return next((head for _, head in _pruned(store) if head.seq == seq), None)


def _changed_anchor(store: AuditStore, anchor: AuditHead) -> TrailProblem | None:
    noted = next(seq for seq, head in _pruned(store) if head == anchor)
    row, before = store.row(noted), store.row(noted - 1)
    if row and before and row.digest != chained(before.digest, row.entry):
        return TrailProblem(seq=noted, problem=CHANGED)
    return None


def _head_problem(head: AuditHead, first: int, kept: AuditHead | None, kept_digest: str | None) -> TrailProblem | None:
    if kept is None or kept.seq < first - 1:
        return None
    if kept.seq > head.seq:
        return TrailProblem(seq=head.seq + 1, problem=f"is missing, and all up to {kept.seq:,}, the head that was kept")
    if kept_digest is not None and kept_digest != kept.digest:
        problem = "has another digest than the head that was kept: it, or one before it, was written again"
        return TrailProblem(seq=kept.seq, problem=problem)
    return None


def _input_problem(store: AuditStore) -> TrailProblem | None:
    for seq, digest in store.input_digests():
        if sha256(store.kept_input(digest) or b"") != digest:
            return TrailProblem(seq=seq, problem="has an input that is not as it was kept")
    return None
