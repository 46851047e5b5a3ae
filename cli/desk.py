"""The commissioner's commands: what if, suggest, compare. `cli.main` has the others."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from cli import show_desk
from cli.given import AtStage, BundleDir, File, Json, out, print_json, read, stage_of
from tenders.errors import UsageError

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A fact to set, by its key in the form; all of them together."),
]
Scenarios = Annotated[
    list[str] | None,
    typer.Option("--scenario", metavar="'KEY=VALUE ...'", help="One more scenario, to stand beside the others."),
]


def what_if(
    file: File,
    set_: Settings = None,
    scenario: Scenarios = None,
    stage: AtStage = None,
    bundle: BundleDir = None,
    json: Json = False,
) -> None:
    """Score a tender with some facts set otherwise, beside the tender as it is."""
    from models import bundle as bundles
    from models import what_if as whatif

    at = stage_of(stage)
    given = [settings(each) for each in ([set_ or []] if set_ or not scenario else [])]
    given += [settings(_words(each)) for each in scenario or []]
    loaded = bundles.load(bundle or bundles.released())
    for found in [whatif.what_if(loaded, process, given, at) for process in read(file)]:
        print_json(found) if json else show_desk.what_if(out, found)


def suggest(file: File, stage: AtStage = None, bundle: BundleDir = None, json: Json = False) -> None:
    """Name the changes that go with a lower probability of failure, with cases for and against."""
    from models import bundle as bundles
    from models import suggest as suggesting

    at = stage_of(stage)
    loaded = bundles.load(bundle or bundles.released())
    for found in [suggesting.suggest(loaded, process, at) for process in read(file)]:
        print_json(found) if json else show_desk.suggestions(out, found)


def compare(
    file: File,
    stage: AtStage = None,
    count: Annotated[int, typer.Option("--count", min=1, max=50, help="How many cases.")] = 6,
    json: Json = False,
) -> None:
    """Show the nearest casebook cases, how they ended, and where that is written."""
    from models import comparables

    at = stage_of(stage)
    for found in [comparables.comparables(process, at, count) for process in read(file)]:
        print_json(found) if json else show_desk.comparables(out, found)


def settings(pairs: list[str]) -> dict[str, str]:
    """KEY=VALUE pairs as settings. Raises UsageError for a pair that is none, or a key given twice."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{pair[:80]!r} is no KEY=VALUE. Write for example lots=4")
        if key.strip() in found:
            raise UsageError(f"{key.strip()[:80]} is set twice in one scenario. Use --scenario for another")
        found[key.strip()] = value
    return found


def _words(scenario: str) -> list[str]:
    try:
        return shlex.split(scenario)
    except ValueError as error:
        remedy = "Quote a value with spaces, as in 'lots=4 title=\"At home\"'"
        raise UsageError(f"{scenario[:80]!r}: {error}. {remedy}") from None
