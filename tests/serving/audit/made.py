"""Trails that tests change."""

from __future__ import annotations

from pathlib import Path

from serving.audit.entry import AuditedScore, AuditEntry, now_text
from serving.audit.store import AuditStore, SqliteTrail


def entry(number: int = 0, time: str = "") -> AuditEntry:
    """An entry that differs from others by its number."""
    result = AuditedScore(stage="draft", failure=number / 1000, outcomes={"no_award": 0.1, "single_bid": None})
    return AuditEntry(
        time=time or now_text(),
        action="score",
        product="1",
        input=f"{number:064x}",
        bundle="2026.1.1",
        results=(result,),
    )


def trail(folder: Path, count: int = 0) -> tuple[AuditStore, SqliteTrail]:
    """A trail in a file with so many entries behind its first, and its database. It syncs nothing: that takes time."""
    database = SqliteTrail(folder / "audit.sqlite", synced=False)
    store = AuditStore(database)
    if count:
        store.append([entry(number) for number in range(count)])
    return store, database
