"""From JSON to `Tender`: one odd value in a field that decides nothing is left out, and noted; any other is refused.

What decides a score or an outcome is listed here (`_DECIDING`). A value of a wrong type in such a field, or a word in
place of a date, is named with its JSON path, and so is everything else that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from math import isfinite
from typing import Any

import msgspec
from msgspec.structs import replace

from tenders.defaults import is_nothing, no_date
from tenders.errors import DataError, Problem
from tenders.io.checks import value_problems
from tenders.settled import without
from tenders.tender import Tender
from tenders.tender_chunk import struct_in

MAX_TYPE_PROBLEMS = 100
"""Values of wrong types that are named of one release."""
MOST_ODD = 50
"""Odd values that are left out of one release."""

Known = dict[str, Any]
"""The names of fields, each with those of the object or objects in it (`Known`), or None."""

_AT = re.compile(r" - at `(?:key in )?\$(.*)`$")


def read_leniently(release: Mapping[str, Any], where: str) -> tuple[Mapping[str, Any], Tender, list[Problem]]:
    """The release and its `Tender`, both without odd values in fields that decide nothing, and a note of each of them.

    Raises DataError with all that is wrong in fields that decide.
    """
    notes: list[Problem] = []
    document = release
    while True:
        try:
            tender = _convert(document, where)
            break
        except DataError as error:
            wrong_type = error.problems[0]
            if len(notes) > MOST_ODD or (mended := _mend(document, wrong_type, where)) is None:
                others = _further_problems(prune(document, json_fields(Tender), nulls=False), where, wrong_type.path)
                deciding = (other for other in others if _decides(other.path.removeprefix(where)))
                raise DataError([wrong_type, *deciding]) from None
            document, note = mended
            notes += note
    wrong = list(value_problems(tender, ""))
    if not wrong:
        return document, tender, notes
    plain = prune(document, json_fields(Tender), nulls=False)
    empty = {problem.path: text for problem in wrong if is_nothing(text := str(value_at(plain, problem.path)))}
    if problems := [problem for problem in wrong if _decides(problem.path) and problem.path not in empty]:
        raise DataError(list(under(where, problems)))
    notes += under(where, [_left_out(problem, empty.get(problem.path)) for problem in wrong])
    paths = [problem.path for problem in wrong]
    return without_paths(plain, paths), without(tender, paths), notes


def _left_out(wrong: Problem, empty: str | None) -> Problem:
    """The note of a wrong value that is left out; `empty` is one that stands for nothing."""
    if empty is None:
        return Problem(path=wrong.path, problem=f"{wrong.problem}: it is left out", remedy=wrong.remedy)
    return no_date(wrong.path, empty) if empty.strip() else Problem(path=wrong.path, problem="empty, so it is unknown")


def _mend(document: Mapping[str, Any], wrong: Problem, where: str) -> tuple[Mapping[str, Any], list[Problem]] | None:
    """The document with an odd value read in another way, or left out, and a note of that; None if it decides."""
    path = wrong.path.removeprefix(where)
    value = value_at(document, path)
    if wrong.problem.startswith("expected int") and isinstance(value, float) and value.is_integer():
        return _put(document, path, int(value)), []
    if wrong.problem.startswith("expected array") and is_array_as_object(value):
        note = Problem(path=wrong.path, problem=f"{wrong.problem}: its members are read as the entries")
        return _put(document, path, list(value.values())), [note]
    if not path or _decides(path):
        return None
    note = Problem(path=wrong.path, problem=f"{wrong.problem}: it is left out")
    return without_paths(prune(document, json_fields(Tender), nulls=False), [path]), [note]


def is_array_as_object(value: Any) -> bool:
    """Whether it is an object of objects, by which some programs write an array: {"1": {…}, "2": {…}}."""
    return isinstance(value, Mapping) and bool(value) and all(isinstance(member, Mapping) for member in value.values())


def _decides(path: str) -> bool:
    """Whether a field decides a score or an outcome, so that nobody may leave it out silently or not."""
    return bool(_DECIDING.fullmatch(re.sub(r"/\d+(?=/|$)", "/*", path)))


_DECIDING = re.compile(
    "|".join(
        path.replace("/*", r"(?:/\*)?")
        for path in (
            "", "/ocid", "/date", "/tag/*", "/buyer", "/buyer/(?:id|name)", "/parties/*", "/parties/*/(?:id|name)",
            "/parties/*/roles/*", "/tender", "/tender/(?:title|description|status|datePublished|procurementMethod)",
            "/tender/value(?:/.*)?", "/tender/(?:tenderPeriod|contractPeriod|enquiryPeriod)",
            "/tender/(?:tenderPeriod|contractPeriod|enquiryPeriod)/(?:startDate|endDate|durationIn.*)",
            "/tender/numberOfTenderers", "/tender/tenderers(?:/.*)?", "/tender/lots/*", "/tender/lots/*/(?:id|status)",
            "/tender/lots/*/value(?:/.*)?", "/tender/lots/*/contractPeriod",
            "/tender/lots/*/contractPeriod/(?:startDate|endDate|durationIn.*)", "/tender/items/*",
            "/tender/items/*/classification(?:/id|/scheme)?", "/tender/classification(?:/id|/scheme)?",
            "/planning", "/planning/budget(?:/amount(?:/.*)?)?", "/bids", "/bids/statistics/*",
            "/bids/statistics/*/(?:value|measure|relatedLot)", "/awards/*", "/awards/*/(?:id|status|date)",
            "/awards/*/(?:value|suppliers|relatedLots)(?:/.*)?", "/contracts/*",
            "/contracts/*/(?:id|awardID|status|dateSigned|dateTerminated)", "/contracts/*/value(?:/.*)?",
            "/contracts/*/period", "/contracts/*/period/(?:startDate|endDate|durationIn.*)", "/tenderRisk(?:/.*)?",
        )
    )
)  # fmt: skip
"""The fields that decide: what is wrong in any other is left out, with a note."""


def _convert(release: Mapping[str, Any], where: str) -> Tender:
    try:
        return msgspec.convert(release, Tender)
    except msgspec.ValidationError as error:
        first = error
    # OCDS writes null for "not there". Absent is our only word for that.
    try:
        return msgspec.convert(prune(release, json_fields(Tender), nulls=False), Tender)
    except msgspec.ValidationError as second:
        problem = _type_problem(second if "got `null`" in str(first) else first, where)
    raise DataError(problem)


def _further_problems(stated: dict[str, Any], where: str, first: str) -> Iterator[Problem]:
    """What else is wrong with a release that has a value of a wrong type: each such value is taken out in turn."""
    try:
        rest: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(_finite(stated)))
    except RecursionError:
        return
    seen = {first}
    for _ in range(MAX_TYPE_PROBLEMS):
        try:
            values = value_problems(msgspec.convert(rest, Tender), where)
            yield from (problem for problem in values if problem.path not in seen)
            return
        except msgspec.ValidationError as error:
            problem = _type_problem(error, where)
        if problem.path not in seen:
            yield problem
        seen.add(problem.path)
        if not _take_out(rest, problem.path.removeprefix(where)):
            return


def _finite(value: Any) -> Any:
    """The same value, with text where a number is infinite or none: neither is JSON."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return value if not isinstance(value, float) or isfinite(value) else str(value)


def _take_out(document: Any, path: str) -> bool:
    """Removes what is at a path; False if there is nothing. The other objects of an array keep their places."""
    *steps, last = path.strip("/").split("/")
    for step in steps:
        inside = document[int(step)] if isinstance(document, list) else document.get(step)
        if not isinstance(inside, dict | list):
            return False
        document = inside
    if isinstance(document, list):
        if document[int(last)] == {}:
            return False
        document[int(last)] = {}
        return True
    return document.pop(last, document) is not document


def value_at(value: Any, path: str) -> Any:
    """What stands at a JSON path in decoded JSON; None if nothing does."""
    for step in path.strip("/").split("/"):
        if isinstance(value, list):
            value = value[int(step)] if step.isdigit() and int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value


def without_paths(document: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """A copy without what stands at some paths; in arrays null stands for it, so that the other places stay."""
    copied, fresh = dict(document), set[int]()
    for path in paths:
        inside, last = _own_owner(copied, path, fresh)
        if isinstance(inside, list):
            inside[int(last)] = None
        elif isinstance(inside, dict):
            inside.pop(last, None)
    return copied


def _put(document: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    copied = dict(document)
    inside, last = _own_owner(copied, path, set())
    inside[int(last) if isinstance(inside, list) else last] = value
    return copied


def _own_owner(copied: dict[str, Any], path: str, fresh: set[int]) -> tuple[Any, str]:
    """The object or array that holds what stands at a path, None if there is none, and its key there.

    Those on the way are copied, once: `fresh` holds which are. The rest is shared with the original, for it may be
    large, or as deep as JSON may be.
    """
    *steps, last = path.strip("/").split("/")
    inside: Any = copied
    for step in steps:
        key = int(step) if isinstance(inside, list) and step.isdigit() else step
        below = value_at(inside, step)
        if not isinstance(below, dict | list):
            return None, last
        if id(below) not in fresh:
            inside[key] = below = below.copy()
            fresh.add(id(below))
        inside = below
    return inside, last


def _type_problem(error: msgspec.ValidationError, where: str) -> Problem:
    text = str(error)
    at = _AT.search(text)
    path = re.sub(r"\[(\d+)\]", r"/\1", at[1].replace(".", "/")) if at else ""
    return Problem(path=where + path, problem=_AT.sub("", text).replace("`", "").replace("Expected", "expected"))


def prune(value: Mapping[str, Any], known: Known, nulls: bool) -> dict[str, Any]:
    """Only the fields that are known; without nulls in arrays, and without any if `nulls` is false."""
    kept: dict[str, Any] = {}
    for name, inside in value.items():
        if name not in known or (inside is None and not nulls):
            continue
        inner = known[name]
        if type(inside) is list or isinstance(inside, tuple):
            if inner is None:
                kept[name] = [child for child in inside if child is not None]
            else:
                kept[name] = [
                    prune(child, inner, nulls) if type(child) is dict or isinstance(child, Mapping) else child
                    for child in inside
                    if child is not None
                ]
        elif inner is not None and (type(inside) is dict or isinstance(inside, Mapping)):
            kept[name] = prune(inside, inner, nulls)
        else:
            kept[name] = inside
    return kept


@cache
def json_fields(part: type) -> Known:
    """The JSON names of a struct's fields, each with those of the struct inside it; None for a leaf."""
    inside = {field.encode_name: struct_in(field.type) for field in msgspec.structs.fields(part)}
    return {name: inner and json_fields(inner) for name, inner in inside.items()}


def under(where: str, notes: Iterable[Problem]) -> Iterator[Problem]:
    """Problems of what stands at the JSON path `where`."""
    return (replace(note, path=where + note.path) for note in notes)
