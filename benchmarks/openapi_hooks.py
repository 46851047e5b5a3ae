"""What Schemathesis does before and after each call of `benchmarks.openapi`: mends what a schema cannot say, and notes.

A schema cannot say that all releases of a package have one ocid, that a form must show the stage as of which it is
scored and have as many lots as values of lots, or that a fact to change must be known at that stage. Cases that are to
be valid get that; those that are to be refused stay as they are.

Of each answer a line is written to the file that OPENAPI_ANSWERS names: the path, whether the case was valid or
invalid, the status, and whether the answer carries a probability.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import schemathesis

from tenders.facts import STAGES
from tenders.io.form import BY_KEY

ANSWERS = "OPENAPI_ANSWERS"
SCORING = ("/score", "/score_many", "/what_if", "/suggest")


SHOWN: dict[str, dict[str, Any]] = {"bids_in": {"bidders": 3}, "awarded": {"bidders": 3, "award_date": "2024-05-02"}}
"""What shows that a tender has reached a stage."""


def mended(value: Any) -> Any:
    """A body that keeps what its schema cannot say."""
    if isinstance(value, list):
        return [mended(part) for part in value]
    if not isinstance(value, dict):
        return value
    parts = {name: mended(part) if name in ("tender", "tenders") else part for name, part in value.items()}
    body = _with_lots(parts)
    if isinstance(body.get("releases"), list):
        body["releases"] = _of_one_process(body["releases"])
    for entry in [body, *(body["tenders"] if isinstance(body.get("tenders"), list) else ())]:
        stage = entry.get("stage") or body.get("stage") if isinstance(entry, dict) else None
        if isinstance(stage, str) and isinstance(form := entry.get("tender"), dict) and BY_KEY.keys() >= form.keys():
            entry["tender"] = {**SHOWN.get(stage, {}), **form}
    reached = STAGES.index(body["stage"]) if body.get("stage") in STAGES else 0
    if isinstance(body.get("set"), dict):
        body["set"] = _known(body["set"], reached)
    if isinstance(body.get("scenarios"), list):
        body["scenarios"] = [_known(facts, reached) for facts in body["scenarios"]]
    return body


def _of_one_process(releases: list[Any]) -> list[Any]:
    first = releases[0].get("ocid") if releases and isinstance(releases[0], dict) else None
    return [{**release, "ocid": first} if first and isinstance(release, dict) else release for release in releases]


def _known(facts: Any, reached: int) -> Any:
    if not isinstance(facts, dict):
        return facts
    later = {field.name for field in BY_KEY.values() if STAGES.index(field.stage) > reached}
    known = {key: value for key, value in facts.items() if key not in later}
    if known.get("lots") or known.get("lot_values"):
        # They say whether it is one contract.
        known.pop("single_block", None)
    return _with_lots(known)


def _with_lots(form: dict[str, Any]) -> dict[str, Any]:
    """As many lots as there are values of lots."""
    values = form.get("lot_values")
    return {**form, "lots": len(values)} if form.get("lots") and isinstance(values, list) and values else form


def is_scored(answer: Any) -> bool:
    """Whether an answer carries a probability: of many tenders, that of one at least."""
    if isinstance(answer, list):
        return any(is_scored(entry) for entry in answer)
    if not isinstance(answer, Mapping):
        return False
    if "base" in answer:
        return is_scored(answer["base"]) and is_scored([scenario["score"] for scenario in answer["scenarios"]])
    return isinstance(answer.get("failure"), float) and 0 <= answer["failure"] <= 1


def _is_valid(case: Any) -> bool:
    return case.meta is None or not case.meta.generation.mode.is_negative


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    """Mends the valid bodies for the endpoints that score."""
    if case.operation.path in SCORING and _is_valid(case):
        case.body = mended(case.body)
    return case


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Notes an answer."""
    path = case.operation.path
    scored = False
    if path in SCORING and response.status_code == 200:
        scored = is_scored(json.loads(response.content))
    line = [path, "valid" if _is_valid(case) else "invalid", response.status_code, scored]
    with Path(os.environ[ANSWERS]).open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(line) + "\n")
