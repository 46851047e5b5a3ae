"""`tender-risk audit`: the trail of what was told to whom. The trail is the one that the service's settings name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from cli.options import BundleDir, Json, err, out, print_json
from cli.progress import working
from tenders.errors import DataError, UnreachableError, UsageError

if TYPE_CHECKING:
    from serving.audit.checking import TrailReport
    from serving.audit.store import AuditStore

app = typer.Typer(help="The audit trail of scores, jobs, promotions and keys.", no_args_is_help=True)
Trail = Annotated[
    Path | None, typer.Option("--trail", help="A trail's SQLite file. By default the one that the service keeps.")
]


@contextmanager
def opened(trail: Path | None) -> Iterator[AuditStore]:
    """The trail in a file, or that of the settings. Raises UsageError where it is off, UnreachableError without one."""
    from serving.audit import trail as trails

    chosen = trails.audit_settings()
    if trail is not None:
        chosen = msgspec.structs.replace(chosen, file=trail, url="", is_on=True)
    if not chosen.is_on:
        raise UsageError(f"{trails.AUDIT} is {trails.OFF}: no trail is kept")
    if not chosen.url and not chosen.file.is_file():
        raise UnreachableError(f"there is no trail at {chosen.file}. Name its file with --trail")
    store = trails.open_store(chosen, made=False)
    try:
        yield store
    finally:
        store.close()


def _verified(store: AuditStore, head: str | None) -> TrailReport:
    from serving.audit.checking import verify
    from serving.audit.entry import parse_head

    kept = parse_head(head) if head else None
    with working("verifying"):
        return verify(store, kept)


@app.command("verify")
def verify_trail(
    head: Annotated[
        str | None, typer.Option(help="SEQ:DIGEST as 'audit head' printed it earlier: also finds a cut end.")
    ] = None,
    trail: Trail = None,
    json: Json = False,
) -> None:
    """Verify every entry; name the first that was changed, removed or re-dated. Exits 1 if there is one."""
    with opened(trail) as store:
        report = _verified(store, head)
    if json:
        print_json({**msgspec.structs.asdict(report), "whole": report.is_whole})
    elif report.is_whole:
        pruned = f"; {report.pruned:,} before them were pruned" if report.pruned else ""
        out.print(f"{report.entries:,} entries are as they were written{pruned}.")
        out.print(f"Head {report.head}")
        if report.clock_back:
            out.print(f"{report.clock_back:,} of them are dated before the one they follow: a clock was set back.")
    if report.problem is not None:
        raise DataError.at("trail", str(report.problem))


@app.command()
def head(trail: Trail = None, json: Json = False) -> None:
    """Print SEQ:DIGEST of the last entry. Kept elsewhere, it proves all entries up to it."""
    with opened(trail) as store:
        last = store.head()
    print_json(last) if json else out.print(str(last))


@app.command()
def export(trail: Trail = None) -> None:
    """Print every entry as a line of JSON with its number and digest, and the head on stderr."""
    from serving.audit.entry import GENESIS, AuditHead

    last = AuditHead(0, GENESIS)
    with opened(trail) as store:
        for seq, text, digest in store.rows():
            last = AuditHead(seq, digest)
            line = {"seq": seq, "digest": digest, "entry": msgspec.Raw(text.encode("utf-8", "replace"))}
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    err.print(f"Head {last}", markup=False)


@app.command()
def replay(
    seq: Annotated[int, typer.Argument(help="The number of the entry.")],
    input: Annotated[
        Path | None, typer.Option("--input", help="What was sent, where the trail keeps no inputs; a job's upload.")
    ] = None,
    bundle: BundleDir = None,
    trail: Trail = None,
    json: Json = False,
) -> None:
    """Compute a score or a portfolio of the trail again; exits 1 and lists the differences unless the same was told."""
    from serving.audit.replaying import replay as compute

    with opened(trail) as store, working("computing"):
        result = compute(store, seq, input, bundle)
    if json:
        print_json(result)
    else:
        same = "the same bytes" if result.same_bytes else "the same probabilities"
        out.print(f"Entry {seq}, {result.action} of {result.time}, bundle {result.bundle}, product {result.product}:")
        where = f" in {len(result.compared)} files: {', '.join(result.compared)}" if result.compared else ""
        count = len(result.differences)
        out.print(f"{count} difference{'s' * (count != 1)}." if count else f"{same.capitalize()}{where}.")
    if result.differences:
        other = result.product != result.product_now
        why = f" Another version told it: {result.product}, and this is {result.product_now}." if other else ""
        raise DataError.at(f"entry {seq}", f"{'; '.join(result.differences)}.{why}")


@app.command()
def prune(
    before: Annotated[str, typer.Option(help="A day, as in 2026-01-31: entries before it are deleted.")],
    trail: Trail = None,
    json: Json = False,
) -> None:
    """Delete the entries before a day; the chain stays verifiable. Results of jobs are kept by other settings."""
    from serving.audit.trail import machine_user

    try:
        day = datetime.strptime(before, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"--before: expected a day such as 2026-01-31, got {before[:40]!r}") from None
    with opened(trail) as store:
        report = _verified(store, None)
        if report.problem is not None:
            raise DataError.at("trail", f"{report.problem}. Nothing is pruned of a trail that does not verify")
        count = store.prune(day.isoformat(timespec="microseconds"), machine_user())
        last = store.head()
    if json:
        print_json({"pruned": count, "head": last})
    else:
        out.print(f"{count:,} entries before {before} are gone. Head {last}")
