"""What makes a tender unfit to score: dates and currencies that are none, and more lots than are read.

A tender alone is checked value by value, so that all that is wrong is named; many are checked field by field, so that
the interpreter's own loops do the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any, get_origin

import msgspec

from tenders import dates
from tenders.codelists import CURRENCIES
from tenders.errors import Problem
from tenders.tender import Tender

# Larger than any tender in the registers read so far (the largest has 1,124 lots), and small enough that one tender
# cannot hold up a server.
MAX_LOTS = 2000

Check = Callable[[str], str | None]
"""Says what is wrong with a text; None if nothing is."""
Fields = frozenset[tuple[type, str]]
"""Fields of structs, each as (struct, attribute name)."""
NO_FIELDS: Fields = frozenset()


def are_valid(tenders: Sequence[Tender], skip: Fields = NO_FIELDS) -> bool:
    """Whether `find_problems` finds nothing in any of many tenders, in a small part of the time that it would take.

    The fields in `skip`, and what they hold, are not checked: the caller does it.
    """
    return _validator(Tender, skip)(tenders) and not any(
        any(tender_problems(tender, "")) for tender in tenders if _needs_tender_checks(tender)
    )


def find_problems(tender: Tender, where: str = "") -> Iterator[Problem]:
    """Everything that makes a tender unfit to score: impossible values, dates that do not exist, too many lots."""
    yield from value_problems(tender, where)
    yield from tender_problems(tender, where)


def _needs_tender_checks(tender: Tender) -> bool:
    """Whether `_tender_problems` can find anything: not with few lots."""
    return len(tender.tender.lots) > MAX_LOTS


def tender_problems(tender: Tender, where: str) -> Iterator[Problem]:
    """What only the whole tender can show."""
    if len(tender.tender.lots) > MAX_LOTS:
        yield Problem(
            path=f"{where}/tender/lots",
            problem=f"{len(tender.tender.lots)} lots; at most {MAX_LOTS} are read",
            remedy="Score the parts that will be let together",
        )


def value_problems(tender: Tender, where: str) -> Iterator[Problem]:
    """Every date and currency that is none."""
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
    inner = [(field, struct_in(field.type)) for field in msgspec.structs.fields(part) if field.name in parents]
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
        inner = struct_in(field.type)
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


def struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    """The struct inside `X | None` or `tuple[X, ...]`, or None for a leaf."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    return next(filter(None, map(struct_in, getattr(annotation, "__args__", ()))), None)
