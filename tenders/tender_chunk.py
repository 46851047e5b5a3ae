"""Tenders that are read field by field: for each path of a release a list, one value a tender.

What lies on the way to several fields is looked up once, and what no tender of a chunk has is not looked up at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import chain
from operator import attrgetter, is_
from typing import Any, get_origin

import msgspec

from tenders.codelists import LATER_ROLES
from tenders.facts import STAGES, Stage
from tenders.tender import Award, Party, Tender

Values = Sequence[Any] | None
"""A value of each tender, None for unknown; None if it is unknown of all."""
NO_FACTS = Tender().tender_risk
"""What a tender that states none of our own facts holds: one object for all."""


class TenderChunk:
    """Some tenders, at best few enough to stay in the processor's cache.

    In a path `0` is the first entry of a list, and `*` every entry: the values of the first tender, then those of the
    second, and so on. Awards are those that were not taken back.
    """

    def __init__(self, tenders: Sequence[Tender]) -> None:
        self.tenders = tenders
        self._parts: dict[str, Sequence[Any] | None] = {"": tenders}

    def __len__(self) -> int:
        return len(self.tenders)

    def values(self, path: str) -> Values:
        """The value at a path of each tender."""
        parent, last = _split(path)
        parts = self._objects(parent)
        if not parts:
            return None
        kind = parts[0].__class__
        values = [codes.get(last) for codes in parts] if kind is dict else list(map(_step(kind, last).get, parts))
        return None if values[0] is None and values.count(None) == len(values) else values

    def lists(self, path: str) -> Sequence[tuple[Any, ...]]:
        """The list at a path of each tender."""
        return self._objects(path) or [()] * len(self)

    def entries(self, path: str) -> list[Any]:
        """All entries of the lists at a path, those of the first tender first."""
        return list(chain.from_iterable(self.lists(path)))

    def parties(self, stage: Stage) -> list[list[tuple[Party, tuple[str, ...]]]]:
        """The parties of each tender that have a role at a stage, with those roles."""
        later = later_roles(stage)
        return [
            [(party, roles) for party in parties if (roles := tuple(r for r in party.roles if r not in later))]
            for parties in self.lists("/parties")
        ]

    def _objects(self, path: str) -> Sequence[Any] | None:
        """The object at a path of each tender, an empty one where there is none; None if no tender has one."""
        try:
            return self._parts[path]
        except KeyError:
            objects = self._parts[path] = self._read_objects(path)
            return objects

    def _read_objects(self, path: str) -> Sequence[Any] | None:
        parent, last = _split(path)
        if last == "*":
            return self.entries(parent)
        if last == "0":
            lists = self.lists(parent)
            return [entries[0] if entries else _empty(parent) for entries in lists] if any(lists) else None
        parts = self._objects(parent)
        if not parts:
            return None
        step = _step(parts[0].__class__, last)
        objects = list(map(step.get, parts))
        if path == "/awards":
            return [tuple(filter(stands, awards)) if awards else awards for awards in objects]
        if step.empty is None or all(objects):
            return None if path == "/tenderRisk" and all(map(partial(is_, NO_FACTS), objects)) else objects
        return [step.empty if part is None else part for part in objects] if any(objects) else None


@cache
def _split(path: str) -> tuple[str, str]:
    parent, _, last = path.rpartition("/")
    return parent, last


def stands(award: Award) -> bool:
    """Whether something was awarded, and not taken back."""
    return (award.final_status or award.status) not in ("unsuccessful", "cancelled")


@cache
def later_roles(stage: Stage) -> frozenset[str]:
    """The party roles that nobody has yet at a stage."""
    return frozenset[str]().union(*(LATER_ROLES[later] for later in STAGES[STAGES.index(stage) :]))


def struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    """The struct inside `X | None` or `tuple[X, ...]`; None for a leaf."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    return next(filter(None, map(struct_in, getattr(annotation, "__args__", ()))), None)


class _Step(msgspec.Struct, frozen=True):
    """How a field of a type is read, and what stands for an object that is not there; None for a list or a leaf."""

    get: Callable[[Any], Any]
    empty: msgspec.Struct | None


@cache
def _step(part: type, name: str) -> _Step:
    (field,) = (field for field in msgspec.structs.fields(part) if field.encode_name == name)
    inner = struct_in(field.type)
    return _Step(attrgetter(field.name), None if inner is None or get_origin(field.type) is tuple else inner())


@cache
def _empty(path: str) -> Any:
    """An empty entry of the list at a path."""
    part: type[msgspec.Struct] = Tender
    for name in path.strip("/").split("/"):
        if name not in ("0", "*"):
            (field,) = (field for field in msgspec.structs.fields(part) if field.encode_name == name)
            part = struct_in(field.type) or part
    return part()
