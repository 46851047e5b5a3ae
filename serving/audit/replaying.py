"""Computes again what an entry of the trail says was told, from the same input by the same bundle.

A portfolio is computed again as a job is done, with the options that its entry has, and the digests of its files are
compared. What a job of before was compared with is not there any more: then its rows alone are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from models import bundle as bundles
from models.bundle import Bundle
from serving.answers import ANSWERS, json_bytes
from serving.audit.entry import (
    SCORES,
    Action,
    AuditedPortfolio,
    AuditedScore,
    AuditEntry,
    product_version,
    read_entry,
    sha256,
)
from serving.audit.noting import audited
from serving.audit.store import AuditStore
from serving.jobs.again import RepeatedJob, repeat_job
from serving.jobs.job import JobOptions
from serving.jobs.paths import safe_name
from serving.pages.drafts import score_saved
from tenders.errors import BundleError, DataError, UnreachableError, UsageError
from tenders.io.blocks import describe_file

MAX_DIFFERENCES = 20
DONE: Action = "job done"
ROWS = ("scored.parquet", "scored.parquet.errors")
"""The files of a job that do not depend on how its rows are ranked."""
NOT_OPTIONS = ("name", "created", "since")


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that was computed again. `differences` are in words; there are none if all is the same.

    `same_bytes` says whether the answer, or each of the files `compared`, has the digest that the entry has; None for a
    page, of which its probabilities are kept.
    """

    seq: int
    action: str
    time: str
    bundle: str
    product: str
    product_now: str
    same_bytes: bool | None
    differences: tuple[str, ...]
    compared: tuple[str, ...] = ()


def replay(store: AuditStore, seq: int, sent: bytes | Path | None = None, directory: Path | None = None) -> Replay:
    """Computes the entry again, from what was `sent` where inputs are not kept, by the bundle in `directory`.

    Without a directory, the released bundle of the entry's version is taken. A portfolio takes the path of the upload,
    under the name that it had. Raises UsageError for an entry that is neither of a score nor of a portfolio that is
    done, or without its input; DataError for another input than the entry's; BundleError for another bundle;
    UnreachableError if the input cannot be read.
    """
    row = store.row(seq)
    if row is None:
        raise UsageError(f"the trail has no entry {seq}")
    try:
        entry = read_entry(row.entry)
    except (ValueError, RecursionError) as error:
        changed = f"entry {seq} is not as it was written: {error}"
        raise DataError.at("", changed, "Run: tender-risk audit verify") from None
    if entry.action == DONE:
        return _replay_job(entry, seq, sent, directory)
    if entry.action not in SCORES:
        raise UsageError(f"entry {seq} is {entry.action!r}, and {_replayed(store, entry)}")
    try:
        content = _input(store, entry, sent.read_bytes() if isinstance(sent, Path) else sent)
    except OSError as error:
        raise UnreachableError(f"{sent!s}: {error.strerror}") from None
    bundle = _bundle(entry, directory)
    output, results = _computed(entry, content, bundle)
    same_bytes = None if output is None else sha256(output) == entry.output
    differences = [*_differences(entry.results, results)]
    if same_bytes is False and not differences:
        differences = ["every probability is the same, and the rest of the answer is not"]
    return _replay(entry, seq, same_bytes, differences)


def _replay(
    entry: AuditEntry, seq: int, same_bytes: bool | None, differences: Sequence[str], compared: Sequence[str] = ()
) -> Replay:
    return Replay(
        seq=seq,
        action=entry.action,
        time=entry.time,
        bundle=entry.bundle,
        product=entry.product,
        product_now=product_version(),
        same_bytes=same_bytes,
        differences=tuple(differences[:MAX_DIFFERENCES]),
        compared=tuple(compared),
    )


def _replayed(store: AuditStore, entry: AuditEntry) -> str:
    """What can be computed again instead of an entry."""
    for seq, text, _ in store.rows() if entry.job else ():
        of = read_entry(text)
        if (of.action, of.job) == (DONE, entry.job):
            return f"what was told in this job is computed again as entry {seq}, {DONE!r}"
    return f"only {', '.join((*SCORES, DONE))} are computed again"


def _replay_job(entry: AuditEntry, seq: int, upload: bytes | Path | None, directory: Path | None) -> Replay:
    if not isinstance(upload, Path):
        raise UsageError(f"uploads are kept with their jobs: give the file whose SHA-256 is {entry.input} with --input")
    name, portfolio = safe_name(upload.name), entry.portfolio
    digest = describe_file(upload).sha256
    if digest != entry.input:
        raise DataError.at("input", f"its SHA-256 is {digest}, and the entry's {entry.input}")
    if portfolio and sha256(name.encode()) != portfolio.name:
        remedy = "Give a copy under that name, which the job's manifest has"
        raise DataError.at("input", f"it was uploaded under another name than {name}, and its rows hold that", remedy)
    # An entry of an earlier version does not say how its rows were ranked.
    options = msgspec.convert(_options(portfolio) if portfolio else {}, JobOptions)
    options = msgspec.structs.replace(options, stage=entry.stage)
    made_from = directory or bundles.RELEASED / entry.bundle
    _bundle(entry, made_from)
    created = portfolio.created if portfolio else ""
    again = repeat_job(upload, name, made_from, entry.bundle, options, created)
    compared = comparable_files(entry)
    differences = job_differences(entry, again, compared)
    return _replay(entry, seq, not differences, differences, compared)


def comparable_files(entry: AuditEntry) -> list[str]:
    """The files of a job that come out again: all, unless nobody knows how they were ranked or with what compared."""
    is_all = entry.portfolio is not None and not entry.portfolio.since
    return [name for name in sorted(entry.outputs) if is_all or name in ROWS]


def job_differences(entry: AuditEntry, again: RepeatedJob, compared: Sequence[str]) -> list[str]:
    """In words, how the files of a job that was repeated differ from those in its entry."""
    rows = [f"{entry.rows} rows were scored, and {again.rows} are"] if entry.rows != again.rows else []
    changed = [
        f"{name} is not made again" if name not in again.outputs else f"{name} is not the same bytes"
        for name in compared
        if again.outputs.get(name) != entry.outputs[name]
    ]
    return [*rows, *changed]


def _options(portfolio: AuditedPortfolio) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(portfolio).items() if name not in NOT_OPTIONS}


def _input(store: AuditStore, entry: AuditEntry, content: bytes | None) -> bytes:
    if content is None:
        content = store.kept_input(entry.input)
    if content is None:
        raise UsageError(f"the trail keeps no inputs: give the file whose SHA-256 is {entry.input} with --input")
    if sha256(content) != entry.input:
        raise DataError.at("input", f"its SHA-256 is {sha256(content)}, and the entry's {entry.input}")
    return content


def _bundle(entry: AuditEntry, directory: Path | None) -> Bundle:
    bundle = bundles.load(directory or bundles.RELEASED / entry.bundle)
    if bundle.sha256 != entry.bundle_sha256:
        raise BundleError(
            f"the bundle's manifest has the SHA-256 {bundle.sha256}, and the entry's bundle {entry.bundle} had "
            f"{entry.bundle_sha256}. Give that one with --bundle"
        )
    return bundle


def _computed(entry: AuditEntry, content: bytes, bundle: Bundle) -> tuple[bytes | None, list[AuditedScore]]:
    if entry.action != "page":
        answer, scores = ANSWERS[entry.action](content, bundle)
        return json_bytes(answer), list(scores)
    return None, [audited(score_saved(content, entry.stage, bundle))]


def _differences(then: tuple[AuditedScore, ...], now: list[AuditedScore]) -> list[str]:
    if len(then) != len(now):
        return [f"{len(then)} results then, {len(now)} now"]
    differences = []
    for place, (before, after) in enumerate(zip(then, now, strict=True)):
        old, new = _flat(before), _flat(after)
        differences += [
            f"result {place}: {name} was {old.get(name)}, and is {new.get(name)}"
            for name in old.keys() | new.keys()
            if old.get(name) != new.get(name)
        ]
    return sorted(differences)


def _flat(score: AuditedScore) -> dict[str, Any]:
    fields = {"stage": score.stage, "failure": score.failure, "refused": score.refused}
    return {**fields, **score.outcomes}
