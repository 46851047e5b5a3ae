"""`tender-risk pull`: notices of an API into a file that every other command reads."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.status import Status

from cli.options import Json, err, out, print_json
from cli.output import print_pull
from tenders.errors import UsageError

DAY = ["%Y-%m-%d"]


def pull(
    api: Annotated[str, typer.Argument(metavar="API", help="find-a-tender, contracts-finder or ted.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Where the notices go, as OCDS JSON lines: .jsonl.")],
    first: Annotated[datetime, typer.Option("--from", formats=DAY, help="The first day.")],
    last: Annotated[datetime, typer.Option("--to", formats=DAY, help="The last day; it is pulled too.")],
    url: Annotated[str | None, typer.Option(help="Another address of the API, such as a mirror.")] = None,
    json: Json = False,
) -> None:
    """Pull the notices of some days, at the speed that their API asks for; run it again to continue."""
    from tenders.apis import find_api
    from tenders.apis.pull import PullRequest
    from tenders.apis.pull import pull as pull_notices

    chosen = find_api(api)
    request = PullRequest(api=chosen.name, url=url or chosen.url, first=first.date(), last=last.date())
    if urlsplit(request.url).scheme not in ("http", "https") or not urlsplit(request.url).netloc:
        raise UsageError(f"--url {request.url} is no web address")
    if request.first > request.last:
        raise UsageError(f"--from {request.first} is after --to {request.last}")
    if request.last > datetime.now(UTC).date():
        raise UsageError(f"--to {request.last} has not come yet")
    if output.suffix != ".jsonl":
        raise UsageError(f"{output.name} would not be read as JSON lines. Name it .jsonl")
    with err.status("") as status:
        progress = _PullStatus(status, (request.last - request.first).days + 1)
        pulled = pull_notices(chosen, request, output, progress.day, progress.waiting)
    print_json(pulled) if json else print_pull(out, pulled, output)


class _PullStatus:
    """Shows how far a pull is."""

    def __init__(self, status: Status, days: int) -> None:
        self._status, self._days = status, days
        self._counts: dict[date, int] = {}

    def day(self, day: date, releases: int) -> None:
        self._counts[day] = releases
        total = sum(self._counts.values())
        self._status.update(f"day {len(self._counts)} of {self._days}, {day}: {releases:,} notices, {total:,} in all")

    def waiting(self, why: str, seconds: float) -> None:
        self._status.update(f"{why}: waiting {seconds:.0f} s before the same is asked again")
