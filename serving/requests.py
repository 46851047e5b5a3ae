"""Reads the body of a request: one document, how to score it, and where it stands in the body.

    {"tender": <OCDS release, record, package or flat form>, "stage": "draft", "explain": true}

is the contract. A release, record, package or form posted by itself is read too, because it cannot be mistaken.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

import msgspec

from serving.documents import DOCUMENT, ENTRY
from tenders.errors import DataError, Problem, TooLargeError
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.io.detection import RELEASE_KEYS
from tenders.io.ocds import json_type
from tenders.io.text import parse_json

# More are a portfolio: 10,000 take most of a minute, longer than clients wait.
MAX_MANY = 10_000
MAX_UNREAD = 20
EXAMPLE = 'Send {"tender": {…}, "stage": "draft"}'

Document = Annotated[
    dict[str, Any],
    msgspec.Meta(description="An OCDS release, record or package, or the flat form", extra_json_schema=DOCUMENT),
]
Entry = Annotated[dict[str, Any], msgspec.Meta(extra_json_schema=ENTRY)]
Entries = Annotated[list[Entry], msgspec.Meta(min_length=1, max_length=MAX_MANY)]
AsOf = Annotated[
    Stage | None, msgspec.Meta(description="As of which stage; the latest of which a fact is known if left out")
]


class TenderBody(msgspec.Struct, frozen=True, kw_only=True):
    """One tender."""

    tender: Document
    stage: AsOf = None


class ScoreBody(TenderBody, frozen=True, kw_only=True):
    """One tender, and how to score it."""

    explain: Annotated[bool, msgspec.Meta(description="Whether to give the reasons; without them it is faster")] = True


class ManyBody(msgspec.Struct, frozen=True, kw_only=True):
    """Many tenders; a list without an object around it is read too."""

    tenders: Entries
    stage: Annotated[Stage | None, msgspec.Meta(description="For all that state none themselves")] = None
    explain: Annotated[bool, msgspec.Meta(description="For all that do not say themselves")] = True


class ScoreRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One document to score. `where` is its JSON path in the body; `warnings` name the fields that were not read.

    `more` holds the other fields of the endpoint's body, by name.
    """

    document: Any
    where: str = ""
    stage: Stage | None = None
    explain: bool = True
    warnings: tuple[str, ...] = ()
    more: Mapping[str, Any] = {}


DEFAULTS = ScoreRequest(document=None)
_OPTIONS = ("stage", "explain")


def decode(raw: bytes) -> Any:
    """The JSON in `raw`. Raises DataError for wrong encodings and for broken or too deep JSON.

    Infinity and NaN pass, so that the check of the tender can name their place.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError.at("", f"byte {error.start} is not UTF-8", "Encode the body as UTF-8") from None
    if not text.strip():
        raise DataError.at("", "the body is empty", EXAMPLE)
    return parse_json(text)


def read_request(
    body: Any, where: str = "", defaults: ScoreRequest = DEFAULTS, body_type: type[TenderBody] = ScoreBody
) -> ScoreRequest:
    """The request in a decoded body, which stands at `where`; what it leaves out is as in `defaults`.

    `body_type` declares the fields that the endpoint reads. Raises DataError with paths into the body.
    """
    more = _other_fields(body_type)
    if not isinstance(body, Mapping):
        raise DataError.at(where, f"expected an object, got {json_type(body)}", EXAMPLE)
    stage, explain = _read_options(body, where, defaults)
    values = {name: body[name] for name in more if name in body}
    if _is_document(body):
        document = {name: value for name, value in body.items() if name not in (*_OPTIONS, *more)}
        return ScoreRequest(
            document=document, where=where, stage=stage, explain=explain, warnings=defaults.warnings, more=values
        )
    if "tender" not in body:
        names = ", ".join(f"{str(name)[:40]!r}" for name in list(body)[:5])
        raise DataError.at(f"{where}/tender", f"there is no tender; the body has {names or 'nothing'}", EXAMPLE)
    return ScoreRequest(
        document=body["tender"],
        where=f"{where}/tender",
        stage=stage,
        explain=explain,
        warnings=(*defaults.warnings, *_unread(body, ("tender", *more), where)),
        more=values,
    )


def read_many(body: Any) -> tuple[list[Any], str, ScoreRequest]:
    """The list in the body of /score_many, its JSON path, and what holds for all of it.

    `[…]` or `{"tenders": […], "stage": "draft"}`; each entry is what /score takes. Raises DataError, and
    TooLargeError over MAX_MANY.
    """
    where, defaults = "", DEFAULTS
    if isinstance(body, Mapping) and "tenders" in body:
        stage, explain = _read_options(body, "", defaults)
        warnings = _unread(body, ("tenders",), "")
        defaults = ScoreRequest(document=None, stage=stage, explain=explain, warnings=warnings)
        body, where = body["tenders"], "/tenders"
    if not isinstance(body, list):
        raise DataError.at(where, f"expected an array, got {json_type(body)}", 'Send [{"tender": {…}}, …]')
    if len(body) > MAX_MANY:
        problem = f"{len(body)} tenders; at most {MAX_MANY} are scored at once"
        raise TooLargeError(Problem(path=where, problem=problem, remedy="Use tender-risk portfolio for more"))
    return body, where, defaults


@cache
def _other_fields(body_type: type[TenderBody]) -> tuple[str, ...]:
    return tuple(name for name in body_type.__struct_fields__ if name not in ScoreBody.__struct_fields__)


def _read_options(body: Mapping[str, Any], where: str, defaults: ScoreRequest) -> tuple[Stage | None, bool]:
    stage, explain = body.get("stage", defaults.stage), body.get("explain", defaults.explain)
    problems = []
    if stage is not None and stage not in STAGES:
        problem = f"{stage!r:.40} is no stage"
        problems.append(Problem(path=f"{where}/stage", problem=problem, remedy=f"Use {', '.join(STAGES)}"))
    if not isinstance(explain, bool):
        problem = f"expected true or false, got {json_type(explain)}"
        problems.append(Problem(path=f"{where}/explain", problem=problem))
    if problems:
        raise DataError(problems)
    return stage, explain


def _is_document(body: Mapping[str, Any]) -> bool:
    """Whether the body is the document itself, not a request that holds one."""
    if "tender" not in body:
        return not (RELEASE_KEYS | form.BY_KEY.keys()).isdisjoint(body)
    section = body["tender"]
    holds_release = isinstance(section, Mapping) and not (RELEASE_KEYS | {"tender"}).isdisjoint(section)
    return isinstance(section, Mapping) and not holds_release and not RELEASE_KEYS.isdisjoint(body)


def _unread(body: Mapping[str, Any], read: tuple[str, ...], where: str) -> tuple[str, ...]:
    names = [f"{where}/{str(name)[:80]}" for name in body if name not in (*read, *_OPTIONS)]
    if not names:
        return ()
    more = f" and {len(names) - MAX_UNREAD} more" if len(names) > MAX_UNREAD else ""
    return (f"not read, because a request has no such field: {', '.join(names[:MAX_UNREAD])}{more}",)
