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
from serving.pages import result
from serving.pages.drafts import Draft
from serving.pages.form import form_values
from serving.pages.rendering import page
from tenders import casebook
from tenders.casebook import CasebookCase
from tenders.io import form

PAGE_CASES = 25
ENDINGS = {"failed": "failed", "held": "did not fail", "open": "not known, or too recent to tell"}
ENTRIES = {"cohort": "by a rule", "picked": "chosen by its end"}
FILTERS = ("q", "ended", "sector", "entered")
MAX_FILTER_LENGTH = 200


async def list_cases(request: Request) -> Response:
    """GET /casebook, filtered by q (words), ended, sector and entered."""
    filters = {name: request.query_params.get(name, "")[:MAX_FILTER_LENGTH].strip() for name in FILTERS}
    cases = [case for case in casebook.cases() if _matches(case, filters)]
    number = request.query_params.get("page", "1")
    last = max(1, -(-len(cases) // PAGE_CASES))
    at = min(int(number), last) if number.isdecimal() and len(number) < 5 and int(number) else 1
    return page(
        "casebook.html",
        here="/casebook",
        filters=filters,
        choices={"ended": ENDINGS, "sector": {name: name for name in sectors()}, "entered": ENTRIES},
        cases=[(case, ending(case)) for case in cases[(at - 1) * PAGE_CASES : at * PAGE_CASES]],
        counted=result.cases_counted(len(cases), "those that fit the filter" if any(filters.values()) else "all"),
        at=at,
        last=last,
        query=urlencode({name: value for name, value in filters.items() if value}),
    )


async def show_case(request: Request) -> Response:
    """GET /casebook/CASE: one case with its facts, its end and its sources."""
    try:
        case = casebook.case(request.path_params["case_id"])
    except KeyError:
        return page("missing.html", HTTPStatus.NOT_FOUND, here="/casebook", what="case")
    stated = form_values(case.process().compiled())
    return page(
        "case.html",
        here="/casebook",
        case=case,
        ended=ENDINGS[ending(case)],
        facts=[(form.BY_KEY[key].label, text) for key, text in stated.items()],
        sources=list(citations(case)),
        draft=Draft(document=msgspec.json.encode(case.release()).decode(), name=case.name, values=stated),
    )


def ending(case: CasebookCase) -> str:
    """How a case ended, as a key of ENDINGS."""
    return {True: "failed", False: "held", None: "open"}[_failed().get(case.case_id)]


@cache
def sectors() -> tuple[str, ...]:
    """The sectors of the casebook, in order."""
    return tuple(sorted({case.sector for case in casebook.cases() if case.sector}))


@cache
def _failed() -> Mapping[str, bool]:
    return {case.case.case_id: case.failed for case in known_cases("awarded")}


def _matches(case: CasebookCase, filters: Mapping[str, str]) -> bool:
    if filters["ended"] in ENDINGS and ending(case) != filters["ended"]:
        return False
    if filters["sector"] and case.sector != filters["sector"]:
        return False
    if filters["entered"] in ENTRIES and case.picked is not (filters["entered"] == "picked"):
        return False
    return all(word in _words(case) for word in filters["q"].casefold().split())


@cache
def _words(case: CasebookCase) -> str:
    texts = (case.name, case.buyer, case.provider, case.service, case.sector, case.account, case.outcome, case.case_id)
    return " ".join(texts).casefold()
