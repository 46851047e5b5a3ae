"""`tender-risk pull`: notices of an API into a file that every other command reads."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from cli.options import Json, err, out, print_json
from cli.output import print_pull
from cli.progress import Working, working
from tenders.errors import UsageError

DAY = ["%Y-%m-%d"]


def pull(
    api: Annotated[str, typer.Argument(metavar="API", help="find-a-tender, contracts-finder or ted.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Where the notices go, as OCDS JSON lines: .jsonl.")],
    first: Annotated[datetime | None, typer.Option("--from", formats=DAY, help="The first day.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=DAY, help="The last day; it is pulled too.")] = None,
    since_last: Annotated[
        bool, typer.Option("--since-last", help="Go on after the last day in OUT, to yesterday: a daily job.")
    ] = False,
    recount: Annotated[
        bool, typer.Option("--recount", help="Ask for every day again in parts, and take what only these give.")
    ] = False,
    url: Annotated[str | None, typer.Option(help="Another address of the API, such as a mirror.")] = None,
    json: Json = False,
) -> None:
    """Pull the notices of some days, at the speed that their API asks for; run it again to continue."""
    from tenders.apis import find_api
    from tenders.apis.pull import PullRequest
    from tenders.apis.pull import pull as pull_notices

    chosen = find_api(api)
    address = url or chosen.url
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).netloc:
        raise UsageError(f"--url {address} is no web address")
    if output.suffix != ".jsonl":
        raise UsageError(f"{output.name} would not be read as JSON lines. Name it .jsonl")
    begin, end = (day and day.date() for day in (first, last))
    days = _since_last(chosen.name, address, output, begin, end) if since_last else _days(begin, end)
    if days is None:
        if json:
            print_json({"output": output.name, "days": {}, "releases": 0})
        else:
            out.print(f"{output}: nothing to pull, it is complete to yesterday", markup=False)
        return
    request = PullRequest(api=chosen.name, url=address, first=days[0], last=days[1], recount=recount)
    with working("") as status:
        progress = _PullStatus(status, (request.last - request.first).days + 1)
        pulled = pull_notices(chosen, request, output, progress.day, progress.waiting, since_last)
    print_json(pulled) if json else print_pull(out, pulled, output)
    if pulled.incomplete:
        err.print(f"{output}: {chosen.name} did not give all of {', '.join(pulled.incomplete)}", markup=False)
        raise typer.Exit(1)


def _days(first: date | None, last: date | None) -> tuple[date, date]:
    """The days that are asked for. Raises UsageError if there are none."""
    if first is None or last is None:
        raise UsageError("--from and --to are needed; with --since-last they are not")
    if first > last:
        raise UsageError(f"--from {first} is after --to {last}")
    if last > datetime.now(UTC).date():
        raise UsageError(f"--to {last} has not come yet")
    return first, last


def _since_last(api: str, url: str, output: Path, first: date | None, last: date | None) -> tuple[date, date] | None:
    """The days after those in the output, to yesterday; None if there are none. Raises UsageError if it is unknown
    where to begin."""
    from tenders.apis.pull import last_pull

    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    end, former = last or yesterday, last_pull(output)
    if end > yesterday:
        raise UsageError(f"--to {end} is not over: with --since-last a day is pulled once, when it is over")
    if former and (former.api, former.url) != (api, url):
        raise UsageError(f"{output.name} was pulled from {former.api} at {former.url}. Pull into another file")
    if not former and first is None:
        raise UsageError(f"{output.name} has no last day yet. Say --from for the first run")
    begin = former.last + timedelta(days=1) if former else first
    return (begin, end) if begin and begin <= end else None


class _PullStatus:
    """Shows how far a pull is."""

    def __init__(self, status: Working, days: int) -> None:
        self._status, self._days = status, days
        self._counts: dict[date, int] = {}

    def day(self, day: date, releases: int) -> None:
        self._counts[day] = releases
        total = sum(self._counts.values())
        self._status.update(f"day {len(self._counts)} of {self._days}, {day}: {releases:,} notices, {total:,} in all")

    def waiting(self, why: str, seconds: float) -> None:
        self._status.update(f"{why}: waiting {seconds:.0f} s before the same is asked again")
