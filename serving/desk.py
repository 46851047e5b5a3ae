"""The commissioner's endpoints: /what_if, /suggest and /comparables, read and refused as /score is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from models import comparables as comparing
from models import suggest as suggesting
from models import what_if as whatif
from models.comparables import Comparables
from models.suggest import Suggestions
from models.what_if import WhatIf
from serving import body
from serving.answers import answer, held, refusal
from serving.body import Asked
from tenders.errors import DataError, TenderRiskError
from tenders.io.ocds import json_type
from tenders.io.read import to_process
from tenders.process import Process

Answer = WhatIf | Suggestions | Comparables
Settings = list[Mapping[str, Any]]
EXAMPLE = 'Send {"tender": {…}, "set": {"lots": 4}} or {"tender": {…}, "scenarios": [{…}, {…}]}'
MAX_COUNT = 50


def what_if(raw: bytes) -> Response:
    """Answers POST /what_if."""
    return _answered(raw, ("set", "scenarios"), _what_if)


def suggest(raw: bytes) -> Response:
    """Answers POST /suggest."""
    return _answered(raw, (), lambda asked: suggesting.suggest(held(), _process(asked), asked.stage))


def comparables(raw: bytes) -> Response:
    """Answers POST /comparables."""
    return _answered(raw, ("count",), lambda asked: comparing.comparables(_process(asked), asked.stage, _count(asked)))


def _answered(raw: bytes, more: tuple[str, ...], found: Callable[[Asked], Answer]) -> Response:
    try:
        asked = body.asked(body.decoded(raw), more=more)
        made = found(asked)
        return answer(msgspec.structs.replace(made, warnings=(*made.warnings, *asked.warnings)))
    except TenderRiskError as error:
        return refusal(error)


def _process(asked: Asked) -> Process:
    """The tender of a request, compiled once for its stage. Raises DataError with paths into the body."""
    try:
        process = to_process(asked.document)
        process.as_of(asked.stage or process.latest_stage())
    except DataError as error:
        raise error.under(asked.where) from None
    return process


def _what_if(asked: Asked) -> WhatIf:
    where, scenarios = _scenarios(asked)
    process = _process(asked)
    try:
        return whatif.what_if(held(), process, scenarios, asked.stage, asked.explain)
    except DataError as error:
        raise error.under(where) from None


def _scenarios(asked: Asked) -> tuple[str, Settings]:
    """The scenarios, and where the facts of a single one stand in the body."""
    if len(asked.more) != 1:
        raise DataError.at("/set", "expected one of set and scenarios", EXAMPLE)
    if "set" in asked.more:
        return "/set", [_settings(asked.more["set"], "/set")]
    listed = asked.more["scenarios"]
    if not isinstance(listed, list) or not listed:
        raise DataError.at("/scenarios", f"expected an array of objects, got {json_type(listed)}", EXAMPLE)
    found = [_settings(each, f"/scenarios/{number}") for number, each in enumerate(listed)]
    return "/scenarios/0" if len(found) == 1 else "", found


def _settings(given: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise DataError.at(where, f"expected an object, got {json_type(given)}", EXAMPLE)
    return given


def _count(asked: Asked) -> int:
    count = asked.more.get("count", comparing.NEAREST)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_COUNT:
        raise DataError.at("/count", f"expected a whole number from 1 to {MAX_COUNT}")
    return count
