"""What the body of a request asks for: one document, how to score it, and where it stands in the body.

    {"tender": <OCDS release, record, package or flat form>, "stage": "draft", "explain": true}

is the contract. A release, record, package or form posted as it is is read too: it cannot be mistaken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tenders.errors import DataError, Problem, TooLargeError
from tenders.facts import STAGES, Stage
from tenders.io import form
from tenders.io.detection import RELEASE_KEYS
from tenders.io.ocds import json_type
from tenders.io.text import parse_json

OPTIONS = ("stage", "explain")
# More are a portfolio: 10,000 take most of a minute, longer than clients wait.
MAX_MANY = 10_000
MAX_NAMED = 20
EXAMPLE = 'Send {"tender": {…}, "stage": "draft"}'


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One document to score. `where` is its JSON path in the body; `warnings` name what was not read.

    `more` holds what else the endpoint asks for, by name.
    """

    document: Any
    where: str = ""
    stage: Stage | None = None
    explain: bool = True
    warnings: tuple[str, ...] = ()
    more: Mapping[str, Any] = {}


NOTHING_SAID = Asked(document=None)


def decoded(raw: bytes) -> Any:
    """The JSON in `raw`. Raises DataError for wrong encodings and broken or too deep JSON.

    Infinity and NaN come through, so that the check of the tender can name their place.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError.at("", f"byte {error.start} is not UTF-8", "Encode the body as UTF-8") from None
    if not text.strip():
        raise DataError.at("", "the body is empty", EXAMPLE)
    return parse_json(text)


def asked(body: Any, where: str = "", default: Asked = NOTHING_SAID, more: tuple[str, ...] = ()) -> Asked:
    """The request in a decoded body, which stands at `where`; what it leaves open is as in `default`.

    `more` names what the endpoint takes beside `stage` and `explain`. Raises DataError with paths into the body.
    """
    if not isinstance(body, Mapping):
        raise DataError.at(where, f"expected an object, got {json_type(body)}", EXAMPLE)
    stage, explain = _options(body, where, default)
    read = {name: body[name] for name in more if name in body}
    if _is_bare(body):
        document = {name: value for name, value in body.items() if name not in (*OPTIONS, *more)}
        return Asked(document=document, where=where, stage=stage, explain=explain, warnings=default.warnings, more=read)
    if "tender" not in body:
        has = ", ".join(f"{str(name)[:40]!r}" for name in list(body)[:5])
        raise DataError.at(f"{where}/tender", f"there is no tender; the body has {has or 'nothing'}", EXAMPLE)
    warnings = (*default.warnings, *_unread(body, ("tender", *more), where))
    return Asked(
        document=body["tender"], where=f"{where}/tender", stage=stage, explain=explain, warnings=warnings, more=read
    )


def asked_many(body: Any) -> tuple[list[Any], str, Asked]:
    """The list in the body of /score_many, where it stands, and what holds for all of it.

    `[…]` or `{"tenders": […], "stage": "draft"}`; each entry is what /score takes. Raises DataError, and
    TooLargeError over MAX_MANY.
    """
    where, default = "", NOTHING_SAID
    if isinstance(body, Mapping) and "tenders" in body:
        stage, explain = _options(body, "", default)
        default = Asked(document=None, stage=stage, explain=explain, warnings=_unread(body, ("tenders",), ""))
        body, where = body["tenders"], "/tenders"
    if not isinstance(body, list):
        raise DataError.at(where, f"expected an array, got {json_type(body)}", 'Send [{"tender": {…}}, …]')
    if len(body) > MAX_MANY:
        problem = f"{len(body)} tenders; at most {MAX_MANY} are scored at once"
        raise TooLargeError(Problem(path=where, problem=problem, remedy="Use tender-risk portfolio for more"))
    return body, where, default


def _options(body: Mapping[str, Any], where: str, default: Asked) -> tuple[Stage | None, bool]:
    stage, explain = body.get("stage", default.stage), body.get("explain", default.explain)
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


def _is_bare(body: Mapping[str, Any]) -> bool:
    """Whether the body is the document itself, not a request that holds one."""
    if "tender" not in body:
        return not (RELEASE_KEYS | form.BY_KEY.keys()).isdisjoint(body)
    section = body["tender"]
    holds_release = isinstance(section, Mapping) and not (RELEASE_KEYS | {"tender"}).isdisjoint(section)
    return isinstance(section, Mapping) and not holds_release and not RELEASE_KEYS.isdisjoint(body)


def _unread(body: Mapping[str, Any], read: tuple[str, ...], where: str) -> tuple[str, ...]:
    names = [f"{where}/{str(name)[:80]}" for name in body if name not in (*read, *OPTIONS)]
    if not names:
        return ()
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return (f"not read, because a request has no such field: {', '.join(names[:MAX_NAMED])}{more}",)
