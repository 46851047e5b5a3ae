"""OCDS releases: decoded JSON or bytes to `Tender`s, every value checked, and every wrong one named by its JSON path.

There are two ways in: one release at a time (`to_tender`), and many JSON lines at once (`decode_releases`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from math import isfinite
from operator import attrgetter
from typing import Any, get_origin

import msgspec

from tenders import dates
from tenders.codelists import CURRENCIES, STANDARD_FIELDS
from tenders.errors import DataError, Problem
from tenders.io.upgrade import may_be_1_0
from tenders.tender import Tender

# Larger than any tender in the registers read so far (the largest has 1,124 lots), and small enough that one tender
# cannot hold up a server.
MAX_LOTS = 2000
MAX_TYPE_PROBLEMS = 100
"""Values of wrong types that are named of one release."""

Check = Callable[[str], str | None]
"""Says what is wrong with a text; None if nothing is."""
_Known = dict[str, Any]
"""The names of fields, each with those of the object or objects in it (`_Known`), or None."""
Fields = frozenset[tuple[type, str]]
"""Fields of structs, each as (struct, attribute name)."""
NO_FIELDS: Fields = frozenset()
BROKEN_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not JSON."""

_AT = re.compile(r" - at `(?:key in )?\$(.*)`$")


def to_tender(release: Any, where: str = "") -> Tender:
    """The release as a `Tender`. `where` is the JSON path of the release, and is put before every path in an error.

    Raises DataError with all that is wrong.
    """
    if not isinstance(release, Mapping):
        raise DataError.at(where, f"expected an object, got {json_type(release)}")
    if release.get("tender") is None:
        raise DataError.at(
            f"{where}/tender", "the release has no tender", "Add the tender object: what is bought, and how"
        )
    tender = _convert(release, where)
    # `are_valid` is for many tenders: for one alone it takes several times as long.
    if problems := list(find_problems(tender, where)):
        raise DataError(problems)
    return tender


def parse_release(release: Any, where: str) -> tuple[dict[str, Any], Tender]:
    """One release of several: the fields of it that are read, as plain JSON and as a `Tender`.

    Raises DataError with all that is wrong. It does not check that there is a tender, nor
    what only the merged releases can show: an update holds only what changed.
    """
    if not isinstance(release, Mapping):
        raise DataError.at(where, f"expected an object, got {json_type(release)}")
    tender = _convert(release, where)
    if problems := list(_value_problems(tender, where)):
        raise DataError(problems)
    return _prune(release, _json_fields(Tender), nulls=True), tender


def check_releases(fields: Sequence[Mapping[str, Any]], where: Sequence[str]) -> None:
    """Checks the fields of several releases of one process, as `parse_release` does; `where` has the path of each.

    Raises DataError with all that is wrong in any of them.
    """
    typed: list[Tender] = []
    problems: list[Problem] = []
    for release, place in zip(fields, where, strict=True):
        try:
            typed.append(_convert(release, place))
        except DataError as error:
            problems += error.problems
    if problems or not _validator(Tender, NO_FIELDS)(typed):
        # Only now is it worth to go through them one by one.
        if not problems:
            problems = [each for t, place in zip(typed, where, strict=True) for each in _value_problems(t, place)]
        raise DataError(problems)


def json_type(value: Any) -> str:
    """What JSON calls the type of a value."""
    names = {dict: "object", list: "array", str: "string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "number" if isinstance(value, int | float) else type(value).__name__)


# Checks.


def are_valid(tenders: Sequence[Tender], skip: Fields = NO_FIELDS) -> bool:
    """Whether `find_problems` finds nothing in any of many tenders, in a small part of the time that it would take.

    The fields in `skip`, and what they hold, are not checked: the caller does it.
    """
    return _validator(Tender, skip)(tenders) and not any(
        any(_tender_problems(tender, "")) for tender in tenders if _needs_tender_checks(tender)
    )


def find_problems(tender: Tender, where: str = "") -> Iterator[Problem]:
    """Everything that makes a tender unfit to score: impossible values, dates that do not exist, two buyers."""
    yield from _value_problems(tender, where)
    yield from _tender_problems(tender, where)


def _needs_tender_checks(tender: Tender) -> bool:
    """Whether `_tender_problems` can find anything: not with one buyer, few lots, and suppliers of every award."""
    buyers = 0
    for party in tender.parties:
        if "buyer" in party.roles:
            buyers += 1
    return buyers > 1 or len(tender.tender.lots) > MAX_LOTS or not all(award.suppliers for award in tender.awards)


def _tender_problems(tender: Tender, where: str) -> Iterator[Problem]:
    if len(tender.tender.lots) > MAX_LOTS:
        yield Problem(
            path=f"{where}/tender/lots",
            problem=f"{len(tender.tender.lots)} lots; at most {MAX_LOTS} are read",
            remedy="Score the parts that will be let together",
        )
    buyers = [i for i, party in enumerate(tender.parties) if "buyer" in party.roles]
    if len(buyers) > 1 and len({tender.parties[i].id for i in buyers}) > 1:
        yield Problem(
            path=f"{where}/parties/{buyers[1]}/roles",
            problem="a second party has the role buyer",
            remedy="Name the lead as buyer and give the others the role procuringEntity or centralPurchasingBody",
        )
    for i, award in enumerate(tender.awards):
        if award.status == "active" and not award.suppliers:
            yield Problem(
                path=f"{where}/awards/{i}/suppliers",
                problem="an active award without a supplier",
                remedy="Name the supplier, or give the award's true status",
            )


def _value_problems(tender: Tender, where: str) -> Iterator[Problem]:
    for path, problem, remedy in _walk(tender):
        yield Problem(path=where + path, problem=problem, remedy=remedy)


def _walk(part: msgspec.Struct) -> list[tuple[str, str, str]]:
    """Everything wrong in a struct: path, problem, remedy."""
    found: list[tuple[str, str, str]] = []
    for attribute, name, check, remedy in _checked_fields(type(part)):
        value = getattr(part, attribute)
        if value is None or value == ():
            continue
        if check:
            if problem := check(value):
                found.append((f"/{name}", problem, remedy))
        elif isinstance(value, tuple):
            for i, child in enumerate(value):
                if wrong := _walk(child):
                    found += [(f"/{name}/{i}{path}", problem, inside) for path, problem, inside in wrong]
        elif isinstance(value, msgspec.Struct):
            found += [(f"/{name}{path}", problem, inside) for path, problem, inside in _walk(value)]
    return found


@cache
def _validator(part: type, skip: Fields) -> Callable[[Sequence[Any]], bool]:
    """A function that says whether `_walk` finds nothing in many structs of a type, but for the fields in `skip`.

    It goes through the structs field by field, not one by one, so that the interpreter's own loops do the work.
    """
    checked = [field for field in _checked_fields(part) if (part, field[0]) not in skip]
    leaves = [(attrgetter(name), _CHECKS_OF_MANY[check]) for name, _, check, _ in checked if check]
    parents = {name for name, _, check, _ in checked if not check}
    inner = [(field, _struct_in(field.type)) for field in msgspec.structs.fields(part) if field.name in parents]
    children = [
        (attrgetter(field.name), _is_tuple(field.type), _validator(kind, skip))
        for field, kind in inner
        if kind and _has_checks(kind, skip)
    ]

    def valid(parts: Sequence[Any]) -> bool:
        for read, are_fine in leaves:
            if not are_fine(list(map(read, parts))):
                return False
        for read, is_tuple, children_valid in children:
            values = list(chain.from_iterable(map(read, parts)) if is_tuple else filter(None, map(read, parts)))
            if values and not children_valid(values):
                return False
        return True

    return valid


def _has_checks(part: type, skip: Fields) -> bool:
    return any((part, name) not in skip for name, *_ in _checked_fields(part))


def _is_tuple(annotation: Any) -> bool:
    """Whether a field holds `tuple[X, ...]` and not `X | None`."""
    return get_origin(annotation) is tuple


@cache
def _checked_fields(part: type) -> tuple[tuple[str, str, Check | None, str], ...]:
    """The fields of a struct that hold a date, a currency or another struct: attribute, JSON name, check, remedy."""
    checked: list[tuple[str, str, Check | None, str]] = []
    for field in msgspec.structs.fields(part):
        inner = _struct_in(field.type)
        if inner and _checked_fields(inner):
            checked.append((field.name, field.encode_name, None, ""))
        elif field.name == "date" or field.name.startswith("date_") or field.name.endswith(("_date", "_deadline")):
            checked.append((field.name, field.encode_name, dates.problem, "Write dates as YYYY-MM-DD"))
        elif field.name == "currency":
            checked.append((field.name, field.encode_name, _currency_problem, "Use an ISO 4217 code such as GBP"))
    return tuple(checked)


def _currency_problem(text: str) -> str | None:
    return None if text in CURRENCIES else f"{text[:20]!r} is no currency"


def _are_dates(texts: Sequence[str | None]) -> bool:
    try:
        dates.ordinals(texts)
    except ValueError:
        return False
    return True


_CHECKS_OF_MANY: dict[Check, Callable[[Sequence[str | None]], bool]] = {
    dates.problem: _are_dates,
    _currency_problem: frozenset({None, *CURRENCIES}).issuperset,
}
"""For each check, a function that says of many texts at once whether none is wrong; None is an absent text."""


# From JSON to types.


def unread_fields(release: Any, where: str = "") -> list[str]:
    """JSON paths of the fields that OCDS, the UK extension and `tenderRisk` do not know."""
    return [where + path for path in _unread(release, _json_fields(Tender))] if isinstance(release, Mapping) else []


def select_fields(release: Mapping[str, Any], where: str) -> tuple[dict[str, Any], list[str]]:
    """The fields of a release that are read, as plain JSON, and what `unread_fields` finds, in one go."""
    unread: list[str] = []
    return _select(release, _json_fields(Tender), where, unread), unread


def _select(value: Mapping[str, Any], known: _Known, where: str, unread: list[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, inside in value.items():
        if name not in known:
            if name not in STANDARD_FIELDS and not str(name).startswith("x_"):
                unread.append(f"{where}/{str(name)[:80]}")
            continue
        inner = known[name]
        if inner is None:
            is_array = isinstance(inside, list | tuple)
            kept[name] = [child for child in inside if child is not None] if is_array else inside
        elif type(inside) is dict:
            kept[name] = _select(inside, inner, f"{where}/{name}", unread)
        elif type(inside) is list or isinstance(inside, tuple):
            kept[name] = [
                _select(child, inner, f"{where}/{name}/{i}", unread) if type(child) is dict else child
                for i, child in enumerate(inside)
                if child is not None
            ]
        else:
            kept[name] = inside
    return kept


def _unread(value: Mapping[str, Any], known: _Known) -> list[str]:
    """Paths from an object to the fields in it that are not known. Nearly always there is none, so none is made."""
    found: list[str] = []
    for name, inside in value.items():
        if name not in known:
            if name not in STANDARD_FIELDS and not str(name).startswith("x_"):
                found.append(f"/{str(name)[:80]}")
            continue
        inner = known[name]
        if inner is None:
            continue
        if type(inside) is dict or isinstance(inside, Mapping):
            found += [f"/{name}{path}" for path in _unread(inside, inner)]
        elif isinstance(inside, list | tuple):
            for i, child in enumerate(inside):
                if (type(child) is dict or isinstance(child, Mapping)) and (paths := _unread(child, inner)):
                    found += [f"/{name}/{i}{path}" for path in paths]
    return found


@cache
def _json_fields(part: type) -> _Known:
    """The JSON names of a struct's fields, each with those of the struct inside it; None for a leaf."""
    inside = {field.encode_name: _struct_in(field.type) for field in msgspec.structs.fields(part)}
    return {name: inner and _json_fields(inner) for name, inner in inside.items()}


def _struct_in(annotation: Any) -> type | None:
    """The struct inside `X | None` or `tuple[X, ...]`, or None for a leaf."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    return next(filter(None, map(_struct_in, getattr(annotation, "__args__", ()))), None)


def _convert(release: Mapping[str, Any], where: str) -> Tender:
    try:
        return msgspec.convert(release, Tender)
    except msgspec.ValidationError as error:
        first = error
    # OCDS writes null for "not there". Absent is our only word for that.
    stated = _prune(release, _json_fields(Tender), nulls=False)
    try:
        return msgspec.convert(stated, Tender)
    except msgspec.ValidationError as second:
        problem = _type_problem(second if "got `null`" in str(first) else first, where)
    raise DataError([problem, *_further_problems(stated, where, problem.path)])


def _further_problems(stated: dict[str, Any], where: str, first: str) -> Iterator[Problem]:
    """What else is wrong with a release that has a value of a wrong type: each such value is taken out in turn."""
    try:
        rest: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(_finite(stated)))
    except RecursionError:
        return
    seen = {first}
    for _ in range(MAX_TYPE_PROBLEMS):
        try:
            yield from (each for each in _value_problems(msgspec.convert(rest, Tender), where) if each.path not in seen)
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


def _type_problem(error: msgspec.ValidationError, where: str) -> Problem:
    text = str(error)
    at = _AT.search(text)
    path = re.sub(r"\[(\d+)\]", r"/\1", at[1].replace(".", "/")) if at else ""
    return Problem(path=where + path, problem=_AT.sub("", text).replace("`", "").replace("Expected", "expected"))


def _prune(value: Mapping[str, Any], known: _Known, nulls: bool) -> dict[str, Any]:
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
                    _prune(child, inner, nulls) if type(child) is dict or isinstance(child, Mapping) else child
                    for child in inside
                    if child is not None
                ]
        elif inner is not None and (type(inside) is dict or isinstance(inside, Mapping)):
            kept[name] = _prune(inside, inner, nulls)
        else:
            kept[name] = inside
    return kept


# Many JSON lines at once: how a portfolio of a million releases is read.


class _Line(Tender, frozen=True, kw_only=True):
    """A line of JSON lines: a release, unless it has one of these."""

    releases: msgspec.Raw | None = None
    records: msgspec.Raw | None = None
    compiled_release: msgspec.Raw | None = None
    versioned_release: msgspec.Raw | None = None


_EMPTY_LINE = _Line()
_decode_line = msgspec.json.Decoder(_Line).decode


def decode_releases(texts: Sequence[bytes], skip: Fields = NO_FIELDS) -> list[Tender | None]:
    """For each text the one valid release in it; None for a text that holds anything else.

    Each is decoded straight into its types, which is enough to score it but not to explain it, and unknown fields are
    not looked for. `tenders.io.read` reads what is None here. The caller checks the fields in `skip` (`are_valid`).
    """
    try:
        lines: list[_Line | None] = list(map(_decode_line, texts))
    except BROKEN_JSON:
        lines = [_decode_or_none(text) for text in texts]
    of_release = (line if line and _is_release(line) else None for line in lines)
    # Only their text tells some releases of 1.0 from those of 1.1 that name no parties.
    later = [None if line and may_be_1_0(line, text) else line for line, text in zip(of_release, texts, strict=True)]
    return only_valid(later, skip)


def only_valid(releases: Sequence[Tender | None], skip: Fields = NO_FIELDS) -> list[Tender | None]:
    """The releases, with None in place of those that have problems outside the fields in `skip`."""
    present = [release for release in releases if release is not None]
    # Nearly always all are valid, and then none is checked by itself.
    if are_valid(present, skip):
        return list(releases)
    return [None if release is None or any(find_problems(release)) else release for release in releases]


def _decode_or_none(text: bytes) -> _Line | None:
    try:
        return _decode_line(text)
    except BROKEN_JSON:
        return None


def _is_release(line: _Line) -> bool:
    others = line.releases or line.records or line.compiled_release or line.versioned_release
    return not others and line.tender is not _EMPTY_LINE.tender
