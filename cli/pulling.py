"""`tender-risk pull`: notices of an API into a file that every other command reads."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
from rich.status import Status

from cli.given import Json, err, out, print_json
from tenders.errors import UsageError

if TYPE_CHECKING:
    from tenders.apis.pull import PullResult

DAY = ["%Y-%m-%d"]


def pull(
    api: Annotated[str, typer.Argument(metavar="API", help="find-a-tender, contracts-finder or ted.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Where the notices go, as OCDS JSON lines: .jsonl.")],
    first: Annotated[datetime, typer.Option("--from", formats=DAY, help="The first day.")],
    last: Annotated[datetime, typer.Option("--to", formats=DAY, help="The last day; it is pulled too.")],
    url: Annotated[str | None, typer.Option(help="Another address of the API, such as a mirror.")] = None,
    json: Json = False,
) -> None:
    """Pull the notices of some days, slowly, as their API asks; the same command goes on where it was ended."""
    from tenders.apis import find_api
    from tenders.apis.pull import PullRequest
    from tenders.apis.pull import pull as pull_notices

    chosen = find_api(api)
    asked = PullRequest(api=chosen.name, url=url or chosen.url, first=first.date(), last=last.date())
    if urlsplit(asked.url).scheme not in ("http", "https") or not urlsplit(asked.url).netloc:
        raise UsageError(f"--url {asked.url} is no address of the web")
    if asked.first > asked.last:
        raise UsageError(f"--from {asked.first} is after --to {asked.last}")
    if asked.last > datetime.now(UTC).date():
        raise UsageError(f"--to {asked.last} has not come yet")
    if output.suffix != ".jsonl":
        raise UsageError(f"{output.name} would not be read as JSON lines. Name it .jsonl")
    with err.status("") as status:
        shown = _Shown(status, (asked.last - asked.first).days + 1)
        found = pull_notices(chosen, asked, output, shown.day, shown.waiting)
    print_json(found) if json else _show(found, output)


class _Shown:
    """How far a pull is."""

    def __init__(self, status: Status, days: int) -> None:
        self._status, self._days = status, days
        self._there: dict[date, int] = {}

    def day(self, day: date, releases: int) -> None:
        self._there[day] = releases
        self._status.update(
            f"day {len(self._there)} of {self._days}, {day}: {releases:,} notices, {sum(self._there.values()):,} in all"
        )

    def waiting(self, why: str, seconds: float) -> None:
        self._status.update(f"{why}: waiting {seconds:.0f} s before the same is asked again")


def _show(found: PullResult, output: Path) -> None:
    out.print(f"{output}: {found.releases:,} notices of {found.processes:,} processes", markup=False)
    if found.repeated:
        out.print(f"  {found.repeated:,} more were there twice and left out")
    if found.unread:
        out.print(f"  {found.unread:,} numbers were none, such as 1e9999, and are left out")
    empty = [str(day) for day, count in found.days.items() if not count]
    if empty:
        out.print(
            f"  no notice on {len(empty)} of {len(found.days)} days: {', '.join(empty[:10])}{' …' * (len(empty) > 10)}"
        )
