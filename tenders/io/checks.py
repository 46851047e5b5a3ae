"""What makes a tender unfit to score: dates and currencies that are none, and more lots than are read.

A tender alone is checked value by value, so that all that is wrong is named; many are checked field by field, so that
the interpreter's own loops do the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, get_origin

import msgspec

from tenders import dates
from tenders.codelists import CURRENCIES
from tenders.errors import Problem
from tenders.tender import Tender
from tenders.tender_chunk import ALL_AWARDS, TenderChunk, struct_in

# Larger than any tender in the registers read so far (the largest has 1,124 lots), and small enough that one tender
# cannot hold up a server.
MAX_LOTS = 2000

Check = Callable[[str], str | None]
"""Says what is wrong with a text; None if nothing is."""
Fields = frozenset[tuple[type, str]]
"""Fields of structs, each as (struct, attribute name)."""
NO_FIELDS: Fields = frozenset()


def are_valid(tenders: TenderChunk, skip: Fields = NO_FIELDS) -> bool:
    """Whether `find_problems` finds nothing in any of many tenders, in a small part of the time that it would take.

    The fields in `skip`, and what they hold, are not checked: the caller does it.
    """
    lots = tenders.sizes("/tender/lots")
    return (not lots or max(lots) <= MAX_LOTS) and _are_valid_at(tenders, _checked_of_many(Tender, "", skip))


def find_problems(tender: Tender, where: str = "") -> Iterator[Problem]:
    """Everything that makes a tender unfit to score: impossible values, dates that do not exist, too many lots."""
    yield from value_problems(tender, where)
    yield from tender_problems(tender, where)


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
    problems: list[tuple[str, str, str]] = []
    for attribute, name, check, remedy in _checked_fields(type(part)):
        value = getattr(part, attribute)
        if value is None or value == ():
            continue
        if check:
            if problem := check(value):
                problems.append((f"/{name}", problem, remedy))
        elif isinstance(value, tuple):
            for i, child in enumerate(value):
                if wrong := _walk(child):
                    problems += [(f"/{name}/{i}{path}", problem, inside) for path, problem, inside in wrong]
        elif isinstance(value, msgspec.Struct):
            problems += [(f"/{name}{path}", problem, inside) for path, problem, inside in _walk(value)]
    return problems


class _Checked(msgspec.Struct, frozen=True):
    """What is checked of many objects at a path: each of their fields with its check, and the objects in them."""

    path: str
    leaves: list[tuple[str, Callable[[Sequence[Any]], bool]]]
    inner: list[tuple[str, _Checked]]


@cache
def _checked_of_many(part: type, path: str, skip: Fields) -> _Checked:
    """What is checked of many structs of a type at a path, but for the fields in `skip`."""
    checked = [field for field in _checked_fields(part) if (part, field[0]) not in skip]
    types = {field.name: field.type for field in msgspec.structs.fields(part)}
    leaves = [(name, _CHECKS_OF_MANY[check]) for _, name, check, _ in checked if check]
    inner = []
    for attribute, name, check, _ in checked:
        if not check and (kind := struct_in(types[attribute])):
            below = path + (ALL_AWARDS if (part, name) == (Tender, "awards") else f"/{name}")
            inside = _checked_of_many(kind, f"{below}/*" if get_origin(types[attribute]) is tuple else below, skip)
            if inside.leaves or inside.inner:
                inner.append((name, inside))
    return _Checked(path, leaves, inner)


def _are_valid_at(tenders: TenderChunk, checked: _Checked) -> bool:
    """Whether no object at a path has a wrong value, nor one inside it.

    It goes through the tenders field by field, not one by one, so that the interpreter's own loops do the work.
    """
    fields = tenders.fields(checked.path)
    return fields is None or (
        all(is_fine(fields[name]) for name, is_fine in checked.leaves)
        and all(_are_valid_at(tenders, inside) for name, inside in checked.inner if any(fields[name]))
    )


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
