"""A first portfolio page: a file of many tenders in, a worklist out, each scored as /score_many scores it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from models.scoring import Score
from serving import answers, body, spreadsheets
from serving.pages import keeping, uploads
from serving.pages.drafts import Draft
from serving.pages.filling import at
from serving.pages.received import received
from serving.pages.rendering import page
from tenders.errors import DataError, Problem, TenderRiskError, TooLargeError

MOST = 2_000
"""More keep a browser waiting for longer than people wait: `tender-risk portfolio` is for those."""
SHOWN = 100
CARRIED = 300_000
"""Bytes of tenders that the worklist carries so that a row can be opened."""
FEW_REASONS = 3
COLUMNS = (
    "rank", "ocid", "title", "failure", "low", "high", "band", "base_rate", "no_award", "early_end", "single_bid",
    "stage", "register", "bundle", "warnings", "error",
)  # fmt: skip


class Row(msgspec.Struct, frozen=True):
    """One tender of the file: where it stood, what it is called, its score or what is wrong, and what opens it."""

    number: int
    title: str
    score: Score | None
    error: str
    document: Any
    draft: Draft | None = None


async def empty(_: Request) -> Response:
    """GET /portfolio: where to put the file."""
    return _page([], [])


async def scored(request: Request) -> Response:
    """POST /portfolio: the worklist."""
    return await anyio.to_thread.run_sync(_worklist, *await _sent(request))


async def download(request: Request) -> Response:
    """POST /portfolio.csv: the worklist as CSV, every row of it."""
    rows, problems = await anyio.to_thread.run_sync(_ranked, *await _sent(request))
    if problems:
        return _page([], problems)
    lines = [_line(rank, row) for rank, row in enumerate(rows, start=1)]
    return keeping.taken(keeping.MARK + spreadsheets.written(lines, COLUMNS), "worklist.csv", keeping.CSV)


async def _sent(request: Request) -> tuple[str, bytes]:
    try:
        return (await received(request)).upload or ("", b"")
    except TenderRiskError:
        return "", b""


def _worklist(name: str, content: bytes) -> Response:
    rows, problems = _ranked(name, content)
    carried, shown = 0, []
    for row in rows[:SHOWN]:
        explained = _scored(row.number, row.document, True)
        carried += len(msgspec.json.encode(row.document))
        opens = explained.score is not None and carried <= CARRIED
        shown.append(msgspec.structs.replace(explained, draft=uploads.drafted(row.document)) if opens else explained)
    return _page(rows, problems, shown, name)


def _ranked(name: str, content: bytes) -> tuple[list[Row], list[Problem]]:
    """Every tender of a file, the likeliest to fail first and what cannot be scored last; or what is wrong with it."""
    try:
        if not name:
            raise DataError.at("", "no file was given", "Choose one with many tenders")
        documents = [each for document in uploads.documents(name, content) for each in apart(document)]
        if len(documents) > MOST:
            problem = f"{len(documents):,} tenders; this page scores up to {MOST:,}"
            remedy = "Use tender-risk portfolio, or POST /score_many"
            raise TooLargeError(Problem(path="", problem=problem, remedy=remedy))
    except DataError as error:
        return [], error.problems
    rows = [_scored(number, document, False) for number, document in enumerate(documents, start=1)]
    return sorted(rows, key=lambda row: (-row.score.failure if row.score else 1, row.number)), []


def apart(document: Any) -> list[Any]:
    """A package's tenders one by one: each record, or the releases of each ocid together; anything else as it is."""
    if not isinstance(document, Mapping):
        return [document]
    if isinstance(document.get("records"), list):
        return list(document["records"])
    releases = document.get("releases")
    if not isinstance(releases, list) or "ocid" in document:
        return [document]
    together: dict[str, list[Any]] = defaultdict(list)
    for number, release in enumerate(releases):
        together[str(at(release, "/ocid") or number)].append(release)
    return [{"releases": each} for each in together.values()]


def _scored(number: int, document: Any, explain: bool) -> Row:
    places = ("/title", "/tender/title", "/releases/0/tender/title")
    title = next((str(found) for place in places if (found := at(document, place))), "")
    try:
        asked = body.asked(document if _is_request(document) else {"tender": document}, f"/{number - 1}")
        score = answers.scored(msgspec.structs.replace(asked, explain=explain))
    except TenderRiskError as error:
        return Row(number, title[:200], None, answers.error_entry(error)["error"], document)
    return Row(number, title[:200], score, "", document)


def _is_request(document: Any) -> bool:
    """Whether it is {"tender": {…}, "stage": …} with a whole document inside."""
    inner = document.get("tender") if isinstance(document, Mapping) else None
    return isinstance(inner, Mapping) and not (body.RELEASE_KEYS | {"tender"}).isdisjoint(inner)


def _line(rank: int, row: Row) -> dict[str, Any]:
    if row.score is None:
        return {"title": row.title, "error": row.error}
    told = msgspec.to_builtins(row.score)
    low, high = row.score.interval
    return {
        **told,
        **told["outcomes"],
        "rank": rank,
        "title": row.title,
        "low": low,
        "high": high,
        "warnings": "; ".join(row.score.warnings),
    }


def _page(rows: list[Row], problems: list[Problem], shown: list[Row] | None = None, name: str = "") -> Response:
    return page(
        "portfolio.html",
        400 if problems else 200,
        here="/portfolio",
        rows=rows,
        shown=shown or [],
        bad=[row for row in rows if row.score is None],
        problems=problems,
        few=FEW_REASONS,
        most=MOST,
        name=name,
    )
