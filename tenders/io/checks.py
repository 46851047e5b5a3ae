"""From untyped JSON to a `Tender`, or to errors that name every place that is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any, get_origin

import msgspec

from tenders import dates
from tenders.codelists import CURRENCIES, STANDARD_FIELDS
from tenders.errors import DataError, Problem
from tenders.tender import Tender

# Larger than any tender in the registers read so far (the largest has 1,124 lots), small enough
# that one tender cannot hold a server.
MAX_LOTS = 2000

Check = Callable[[str], str | None]
Fields = frozenset[tuple[type, str]]
"""Fields of structs, each by its struct and name."""
NO_FIELDS: Fields = frozenset()

_AT = re.compile(r" - at `(?:key in )?\$(.*)`$")


def converted(release: Any, where: str = "") -> Tender:
    """The release as a `Tender`. `where` is the release's own JSON path, put before every path.

    Raises DataError with the first wrong type, or with all wrong values.
    """
    if not isinstance(release, Mapping):
        raise DataError.at(where, f"expected an object, got {named(release)}")
    if release.get("tender") is None:
        raise DataError.at(
            f"{where}/tender", "the release has no tender", "Add the tender object: what is bought, and how"
        )
    tender = _typed(release, where)
    # Not `sound`, which is for many: of one it takes several times as long.
    if found := list(problems(tender, where)):
        raise DataError(found)
    return tender


def known_part(release: Any, where: str) -> tuple[dict[str, Any], Tender]:
    """One release of several: the fields of it that are read, as they stand and with their types.

    Raises DataError with the first wrong type, or with all wrong values. That the release has a tender, and
    what only the whole can tell, is not asked: an update holds only what changed.
    """
    if not isinstance(release, Mapping):
        raise DataError.at(where, f"expected an object, got {named(release)}")
    tender = _typed(release, where)
    found = list(_bad_values(tender, where))
    if found:
        raise DataError(found)
    return _pruned(release, Tender), tender


def named(value: Any) -> str:
    """What JSON calls a value's type."""
    names = {dict: "object", list: "array", str: "string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "number" if isinstance(value, int | float) else type(value).__name__)


def sound(tenders: Sequence[Tender], besides: Fields = NO_FIELDS) -> bool:
    """Whether `problems` finds nothing in any of many tenders: in a small part of the time that it would take.

    The fields `besides`, by struct and name, are left to somebody else, with all that is in them.
    """
    return _sound(Tender, besides)(tenders) and not any(
        any(_bad_whole(each, "")) for each in tenders if _may_be_bad(each)
    )


def problems(tender: Tender, where: str = "") -> Iterator[Problem]:
    """What no score can be built on: values that cannot be, dates that don't exist, two buyers."""
    yield from _bad_values(tender, where)
    yield from _bad_whole(tender, where)


def _may_be_bad(tender: Tender) -> bool:
    """Whether `_bad_whole` has to look: a tender of one buyer, before its award and of few lots, is none of its."""
    buyers = ["buyer" in party.roles for party in tender.parties]
    return buyers.count(True) > 1 or bool(tender.awards) or len(tender.tender.lots) > MAX_LOTS


def _bad_whole(tender: Tender, where: str) -> Iterator[Problem]:
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


def unread_fields(release: Any, where: str = "") -> list[str]:
    """JSON paths of the fields that neither OCDS, the UK extension nor `tenderRisk` knows."""
    return [where + path for path in _unread(release, Tender)]


def _unread(value: Any, part: type) -> Iterator[str]:
    if not isinstance(value, Mapping):
        return
    known = _parts(part)
    for name, inside in value.items():
        inner = known.get(name)
        if inner:
            for place, child in _children(inside):
                for path in _unread(child, inner):
                    yield f"/{name}{place}{path}"
        elif name not in known and name not in STANDARD_FIELDS and not str(name).startswith("x_"):
            yield f"/{str(name)[:80]}"


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list | tuple):
        yield from ((f"/{i}", child) for i, child in enumerate(value))
    else:
        yield "", value


@cache
def _parts(part: type) -> dict[str, type | None]:
    """The JSON names of a struct's fields, each with the struct inside it; None for a leaf."""
    return {field.encode_name: _struct_in(field.type) for field in msgspec.structs.fields(part)}


def _struct_in(annotation: Any) -> type | None:
    """The struct inside `X | None` or `tuple[X, ...]`, or None for a leaf."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    return next(filter(None, map(_struct_in, getattr(annotation, "__args__", ()))), None)


def _bad_values(tender: Tender, where: str) -> Iterator[Problem]:
    for path, problem, remedy in _bad(tender):
        yield Problem(path=where + path, problem=problem, remedy=remedy)


@cache
def _sound(part: type, besides: Fields) -> Callable[[Sequence[Any]], bool]:
    """Tells of structs of a type whether `_bad` finds nothing in any of them, `besides` some fields.

    They are walked field by field and not one by one, for then the walk is the interpreter's own.
    """
    checked = [each for each in _checked(part) if (part, each[0]) not in besides]
    texts = [(attrgetter(name), _MANY[check]) for name, _, check, _ in checked if check]
    held = {name for name, _, check, _ in checked if not check}
    inner = [(field, _struct_in(field.type)) for field in msgspec.structs.fields(part) if field.name in held]
    children = [
        (attrgetter(field.name), _is_tuple(field.type), _sound(kind, besides))
        for field, kind in inner
        if kind and _asks(kind, besides)
    ]

    def sound(parts: Sequence[Any]) -> bool:
        for read, fine in texts:
            if not fine(list(map(read, parts))):
                return False
        for read, many, test in children:
            found = list(chain.from_iterable(map(read, parts)) if many else filter(None, map(read, parts)))
            if found and not test(found):
                return False
        return True

    return sound


def _asks(part: type, besides: Fields) -> bool:
    """Whether anything in a struct has to be looked at."""
    return any((part, name) not in besides for name, *_ in _checked(part))


def _is_tuple(annotation: Any) -> bool:
    """Whether a field holds `tuple[X, ...]` and not `X | None`."""
    return get_origin(annotation) is tuple


def _bad(part: msgspec.Struct) -> Iterator[tuple[str, str, str]]:
    for attribute, name, check, remedy in _checked(type(part)):
        value = getattr(part, attribute)
        if value is None or value == ():
            continue
        if check:
            problem = check(value)
            if problem:
                yield f"/{name}", problem, remedy
        elif isinstance(value, tuple):
            for i, child in enumerate(value):
                for path, problem, remedy_inside in _bad(child):
                    yield f"/{name}/{i}{path}", problem, remedy_inside
        elif isinstance(value, msgspec.Struct):
            for path, problem, remedy_inside in _bad(value):
                yield f"/{name}{path}", problem, remedy_inside


@cache
def _checked(part: type) -> tuple[tuple[str, str, Check | None, str], ...]:
    """The fields of a struct that hold a date, a currency or another struct: attribute, JSON name, check, remedy."""
    found: list[tuple[str, str, Check | None, str]] = []
    for field in msgspec.structs.fields(part):
        inner = _struct_in(field.type)
        if inner and _checked(inner):
            found.append((field.name, field.encode_name, None, ""))
        elif field.name == "date" or field.name.startswith("date_") or field.name.endswith(("_date", "_deadline")):
            found.append((field.name, field.encode_name, dates.problem, "Write dates as YYYY-MM-DD"))
        elif field.name == "currency":
            found.append((field.name, field.encode_name, _currency_problem, "Use an ISO 4217 code such as GBP"))
    return tuple(found)


def _currency_problem(text: str) -> str | None:
    return None if text in CURRENCIES else f"{text[:20]!r} is no currency"


def _are_dates(texts: Sequence[str | None]) -> bool:
    try:
        dates.ordinals(texts)
    except ValueError:
        return False
    return True


_MANY: dict[Check, Callable[[Sequence[str | None]], bool]] = {
    dates.problem: _are_dates,
    _currency_problem: frozenset({None, *CURRENCIES}).issuperset,
}
"""Of each check, what tells of many texts at once whether it finds nothing in any of them; None is no text."""


def _typed(release: Mapping[str, Any], where: str) -> Tender:
    try:
        return msgspec.convert(release, Tender)
    except msgspec.ValidationError as error:
        first = error
    # OCDS writes null for 'not there'; absent is our only word for that.
    try:
        return msgspec.convert(_pruned(release, Tender, nulls=False), Tender)
    except msgspec.ValidationError as second:
        problem = _type_problem(second if "got `null`" in str(first) else first, where)
    raise DataError(problem)


def _type_problem(error: msgspec.ValidationError, where: str) -> Problem:
    text = str(error)
    at = _AT.search(text)
    path = re.sub(r"\[(\d+)\]", r"/\1", at[1].replace(".", "/")) if at else ""
    return Problem(path=where + path, problem=_AT.sub("", text).replace("`", "").replace("Expected", "expected"))


def _pruned(value: Mapping[str, Any], part: type, *, nulls: bool = True) -> dict[str, Any]:
    """Only the fields that `part` holds; without nulls in arrays, and without any if `nulls` is false."""
    known = _parts(part)
    return {
        name: _pruned_inside(inside, known[name], nulls)
        for name, inside in value.items()
        if name in known and (nulls or inside is not None)
    }


def _pruned_inside(value: Any, part: type | None, nulls: bool) -> Any:
    if isinstance(value, list | tuple):
        given = [child for child in value if child is not None]
        return [_pruned(c, part, nulls=nulls) if part and isinstance(c, Mapping) else c for c in given]
    return _pruned(value, part, nulls=nulls) if part and isinstance(value, Mapping) else value
