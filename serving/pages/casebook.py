"""The casebook as pages: browse, filter and read its cases."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from models.comparables import citations, known_cases
from serving.pages.drafts import Draft
from serving.pages.filling import filled
from serving.pages.rendering import page
from tenders import casebook
from tenders.casebook import Case
from tenders.io import form

ON_A_PAGE = 25
ENDED = {"failed": "failed", "held": "held", "open": "not known, or too recent to tell"}
ENTERED = {"cohort": "by a rule", "picked": "picked"}
FILTERS = ("q", "ended", "sector", "entered")
LONGEST_SEARCH = 200


async def listed(request: Request) -> Response:
    """GET /casebook, filtered by q (words), ended, sector and entered."""
    asked = {name: request.query_params.get(name, "")[:LONGEST_SEARCH].strip() for name in FILTERS}
    found = [case for case in casebook.cases() if _is_asked(case, asked)]
    number = request.query_params.get("page", "1")
    last = max(1, -(-len(found) // ON_A_PAGE))
    at = min(int(number), last) if number.isdecimal() and len(number) < 5 and int(number) else 1
    return page(
        "casebook.html",
        here="/casebook",
        asked=asked,
        choices={"ended": ENDED, "sector": {name: name for name in sectors()}, "entered": ENTERED},
        cases=[(case, ended(case)) for case in found[(at - 1) * ON_A_PAGE : at * ON_A_PAGE]],
        count=len(found),
        of=len(casebook.cases()),
        at=at,
        last=last,
        query=urlencode({name: value for name, value in asked.items() if value}),
    )


async def one(request: Request) -> Response:
    """GET /casebook/CASE: one case with its facts, its end and where it is written."""
    try:
        case = casebook.case(request.path_params["case_id"])
    except KeyError:
        return page("missing.html", HTTPStatus.NOT_FOUND, here="/casebook")
    stated = filled(case.process().compiled())
    return page(
        "case.html",
        here="/casebook",
        case=case,
        ended=ENDED[ended(case)],
        facts=[(form.BY_KEY[key].label, text) for key, text in stated.items()],
        sources=list(citations(case)),
        draft=Draft(document=msgspec.json.encode(case.release()).decode(), name=case.name, values=stated),
    )


def ended(case: Case) -> str:
    """How a case ended, as a key of ENDED."""
    return {True: "failed", False: "held", None: "open"}[_failed().get(case.case_id)]


@cache
def sectors() -> tuple[str, ...]:
    """The sectors of the casebook, in order."""
    return tuple(sorted({case.sector for case in casebook.cases() if case.sector}))


@cache
def _failed() -> Mapping[str, bool]:
    return {each.case.case_id: each.failed for each in known_cases("awarded")}


def _is_asked(case: Case, asked: Mapping[str, str]) -> bool:
    if asked["ended"] in ENDED and ended(case) != asked["ended"]:
        return False
    if asked["sector"] and case.sector != asked["sector"]:
        return False
    if asked["entered"] in ENTERED and case.picked is not (asked["entered"] == "picked"):
        return False
    return all(word in _words(case) for word in asked["q"].casefold().split())


@cache
def _words(case: Case) -> str:
    texts = (case.name, case.buyer, case.provider, case.service, case.sector, case.account, case.outcome, case.case_id)
    return " ".join(texts).casefold()
