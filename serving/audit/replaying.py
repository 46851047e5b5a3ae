"""Computes again what an entry of the trail says was told, from the same input by the same bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from models import bundle as bundles
from models import score as scoring
from models.bundle import Bundle
from serving.answers import ANSWERS, json_bytes
from serving.audit.entry import SCORES, AuditedScore, AuditEntry, product_version, read_entry, sha256
from serving.audit.noting import audited
from serving.audit.store import AuditStore
from serving.pages.drafts import read_upload
from tenders.errors import BundleError, DataError, UsageError
from tenders.facts import STAGES

MAX_DIFFERENCES = 20


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that was computed again. `differences` are in words; there are none if all is the same.

    `same_bytes` says whether the answer has the digest that the entry has; None for a page, of which its probabilities
    are kept.
    """

    seq: int
    action: str
    time: str
    bundle: str
    product: str
    product_now: str
    same_bytes: bool | None
    differences: tuple[str, ...]


def replay(store: AuditStore, seq: int, content: bytes | None = None, directory: Path | None = None) -> Replay:
    """Computes the entry again, from `content` where inputs are not kept, by the bundle in `directory`.

    Without a directory, the released bundle of the entry's version is taken. Raises UsageError for an entry that is
    none of a score, or without its input; DataError for another input than the entry's; BundleError for another bundle.
    """
    row = store.row(seq)
    if row is None:
        raise UsageError(f"the trail has no entry {seq}")
    entry = read_entry(row.entry)
    if entry.action not in SCORES:
        raise UsageError(f"entry {seq} is {entry.action!r}: only {', '.join(SCORES)} are computed again")
    content = _input(store, entry, content)
    bundle = _bundle(entry, directory)
    output, results = _computed(entry, content, bundle)
    same_bytes = None if output is None else sha256(output) == entry.output
    differences = [*_differences(entry.results, results)]
    if same_bytes is False and not differences:
        differences = ["every probability is the same, and the rest of the answer is not"]
    return Replay(
        seq=seq,
        action=entry.action,
        time=entry.time,
        bundle=entry.bundle,
        product=entry.product,
        product_now=product_version(),
        same_bytes=same_bytes,
        differences=tuple(differences[:MAX_DIFFERENCES]),
    )


def _input(store: AuditStore, entry: AuditEntry, content: bytes | None) -> bytes:
    if content is None:
        content = store.kept_input(entry.input)
    if content is None:
        raise UsageError(f"the trail keeps no inputs: give the file whose SHA-256 is {entry.input} with --input")
    if sha256(content) != entry.input:
        raise DataError.at("", f"the input's SHA-256 is {sha256(content)}, and the entry's {entry.input}")
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
    stage = entry.stage or STAGES[0]
    draft = msgspec.structs.replace(read_upload("draft.json", content), stage=stage)
    return None, [audited(scoring.score(bundle, draft.process(stage), stage, explain=False))]


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
