"""What an API is: how a day is asked for page by page, and what a page holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from tenders.errors import DataError
from tenders.io.ocds import json_type

PACKAGE = "100"
"""Releases of a package that are asked for: the most that is answered."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A request: the parameters of its address, and its body if it has one."""

    params: Mapping[str, str] = {}
    json: Any = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Releases, what the next page is asked for with, None if there is none, and how many the day has, if told."""

    releases: list[dict[str, Any]]
    following: str | None = None
    count: int | None = None


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """An API that publishes notices.

    `pause` are the seconds between two requests. `later` are the statuses that mean that there were too many, each with
    the seconds to wait where the answer does not say. A day is asked for with `ask`, and with what the page before
    named as `following`; `page` reads the decoded answer and raises DataError if it is no page.
    """

    name: str
    url: str
    pause: float
    later: Mapping[int, float]
    ask: Callable[[date, str | None], Ask]
    page: Callable[[Any], Page]


def between(first: str, last: str) -> Callable[[date, str | None], Ask]:
    """What asks for the release packages of a day by the parameters of its first and its last second."""

    def ask(day: date, following: str | None) -> Ask:
        asked = {"limit": PACKAGE, first: f"{day}T00:00:00", last: f"{day}T23:59:59"}
        return Ask(params=asked if following is None else {**asked, "cursor": following})

    return ask


def package(document: Any) -> Page:
    """A release package as a page; the next one is told by the cursor in its link, whatever address that has."""
    releases, link = listed(document, "releases"), (document.get("links") or {}).get("next")
    if not link:
        return Page(releases=releases)
    cursor = parse_qs(urlsplit(str(link)).query).get("cursor")
    if not cursor:
        raise DataError.at("/links/next", "the link to the next page has no cursor", "Has the API changed?")
    return Page(releases=releases, following=cursor[0])


def listed(document: Any, name: str) -> list[dict[str, Any]]:
    """The objects of an array in an answer. Raises DataError if they are none."""
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise DataError.at(f"/{name}", f"expected an array of objects, got {json_type(found)}", "Has the API changed?")
    return found
