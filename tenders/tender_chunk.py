"""Tenders that are read field by field: for each path of a release a list, one value a tender.

A field of the objects at a path is taken out of them once, and what no tender of a chunk has is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate, chain, repeat
from operator import attrgetter, methodcaller
from typing import Any, TypeVar

import msgspec
from msgspec.structs import astuple

from tenders.codelists import LATER_ROLES
from tenders.facts import STAGES, Stage
from tenders.tender import Award, Lot, Party, Procedure, Tender

Made = TypeVar("Made")
Values = Sequence[Any] | None
"""A value of each tender, None for unknown; None if it is unknown of all."""
NO_FACTS = Tender().tender_risk
"""What a tender that states none of our own facts holds: one object for all."""
ALL_AWARDS = "/all awards"
"""In place of `/awards`: also those that were taken back."""
_TAKEN_BACK = frozenset({"unsuccessful", "cancelled"})
_MOSTLY_READ = (Tender, Procedure, Lot)
"""Types of which most fields are read: to take all out at once costs less than one after the other."""


class Fields(dict[str, Sequence[Any]]):
    """The fields of objects of one type by their JSON names: of each the values of all objects, in their order."""

    def __init__(self, objects: Sequence[Any]) -> None:
        self._objects = objects
        self._type: Any = type(objects[0])
        if issubclass(self._type, _MOSTLY_READ):
            # Lines of a file have fields of their own after those of a tender.
            columns = zip(*map(astuple, objects), strict=False)
            self.update(zip(self._type.__struct_encode_fields__, columns, strict=False))

    def __bool__(self) -> bool:
        """There are objects, whether a field was taken out of them yet or not."""
        return True

    def known(self, name: str) -> Values:
        """The values of a field; None if it is unknown of all objects."""
        values = self[name]
        return None if values[0] is None and values.count(None) == len(values) else values

    def __missing__(self, name: str) -> Sequence[Any]:
        values = self[name] = list(map(_getter(self._type, name), self._objects))
        return values


class TenderChunk:
    """Some tenders, at best few enough to stay in the processor's cache.

    In a path `0` is the first entry of a list, and `*` every entry: the values of the first tender, then those of the
    second, and so on. Awards are those that were not taken back.
    """

    def __init__(self, tenders: Sequence[Tender]) -> None:
        self.tenders = tenders
        self._objects: dict[str, Sequence[Any] | None] = {"": tenders}
        self._fields: dict[str, Fields | None] = {}
        self._sizes: dict[str, list[int]] = {}
        self._made: dict[Callable[[TenderChunk], Any], Any] = {}

    def __len__(self) -> int:
        return len(self.tenders)

    def values(self, path: str) -> Values:
        """The value at a path of each tender."""
        parent, last = _split(path)
        fields = self.fields(parent)
        return None if fields is None else fields.known(last)

    def column(self, path: str) -> Sequence[Any]:
        """The values of a field of all objects at a path, empty if no tender has one."""
        parent, last = _split(path)
        fields = self.fields(parent)
        return () if fields is None else fields[last]

    def lists(self, path: str) -> Sequence[tuple[Any, ...]]:
        """The list at a path of each tender."""
        return self.objects(path) or [()] * len(self)

    def sizes(self, path: str) -> list[int]:
        """How many entries the list at a path of each tender has."""
        if path not in self._sizes:
            self._sizes[path] = list(map(len, self.lists(path)))
        return self._sizes[path]

    def have_one(self, path: str) -> bool:
        """Whether the list at a path has one entry in every tender."""
        return self.sizes(path).count(1) == len(self)

    def owners(self, path: str) -> Iterator[int]:
        """The row of the tender of each entry of the lists at a path."""
        return chain.from_iterable(map(repeat, range(len(self)), self.sizes(path)))

    def grouped(self, path: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Values of all entries of the lists at a path, those of a tender together."""
        if self.have_one(path):
            return list(zip(values, strict=True))
        ends = list(accumulate(self.sizes(path)))
        return list(map(tuple(values).__getitem__, map(slice, [0, *ends], ends)))

    def entries(self, path: str) -> Sequence[Any]:
        """All entries of the lists at a path, those of the first tender first."""
        return self.objects(f"{path}/*") or ()

    def forget(self) -> None:
        """Forgets what was read, because the tenders were changed."""
        self._objects, self._fields, self._sizes, self._made = {"": self.tenders}, {}, {}, {}

    def forget_field(self, path: str) -> None:
        """Reads a field again, because it alone was changed in the tenders; nothing that was made `once` is of it."""
        parent, last = _split(path)
        if fields := self._fields.get(parent):
            fields.pop(last, None)

    def parties(self, stage: Stage) -> list[list[tuple[Party, tuple[str, ...]]]]:
        """The parties of each tender that have a role at a stage, with those roles."""
        later = later_roles(stage)
        return [
            [(party, roles) for party in parties if (roles := tuple(r for r in party.roles if r not in later))]
            for parties in self.lists("/parties")
        ]

    def once(self, read: Callable[[TenderChunk], Made]) -> Made:
        """What a function reads of the chunk, for columns that share it."""
        if read not in self._made:
            self._made[read] = read(self)
        made: Made = self._made[read]
        return made

    def objects(self, path: str) -> Sequence[Any] | None:
        """The object or list at a path of each tender, an empty one where there is none; None if no tender has one."""
        if path not in self._objects:
            self._objects[path] = self._read_objects(path)
        return self._objects[path]

    def fields(self, path: str) -> Fields | None:
        """The fields of the objects at a path; None if no tender has one."""
        if path not in self._fields:
            self._fields[path] = self._read_fields(path)
        return self._fields[path]

    def _read_objects(self, path: str) -> Sequence[Any] | None:
        parent, last = _split(path)
        if last == "*":
            lists = self.objects(parent)
            return lists and (list(chain.from_iterable(lists)) or None)
        if last == "0":
            lists = self.objects(parent)
            return lists and [entries[0] if entries else _empty(parent) for entries in lists]
        if path == "/awards":
            return self._standing_awards()
        fields = self.fields(parent)
        return None if fields is None else _whole(path, fields["awards" if path == ALL_AWARDS else last])

    def _standing_awards(self) -> Sequence[Any] | None:
        awards, fields = self.objects(ALL_AWARDS), self.fields(f"{ALL_AWARDS}/*")
        if awards is None or fields is None:
            return None
        if _TAKEN_BACK.isdisjoint(fields["status"]) and not any(fields["finalStatus"]):
            return awards
        standing = [tuple(filter(stands, of_tender)) for of_tender in awards]
        return standing if any(standing) else None

    def _read_fields(self, path: str) -> Fields | None:
        if path.startswith("/awards/") and self.objects("/awards") is self.objects(ALL_AWARDS):
            return self.fields(f"{ALL_AWARDS}{path.removeprefix('/awards')}")
        objects = self.objects(path)
        return Fields(objects) if objects else None


def _whole(path: str, objects: Sequence[Any]) -> Sequence[Any] | None:
    """The objects or lists at a path, an empty object for None; None if all are empty."""
    if not any(objects) or (objects[0] is NO_FACTS and objects.count(NO_FACTS) == len(objects)):
        return None
    if all(objects) or isinstance(objects[0], tuple | dict):
        return objects
    empty = _empty(path)
    return [empty if part is None else part for part in objects]


@cache
def _split(path: str) -> tuple[str, str]:
    parent, _, last = path.rpartition("/")
    return parent, last


def stands(award: Award) -> bool:
    """Whether something was awarded, and not taken back."""
    return (award.final_status or award.status) not in _TAKEN_BACK


@cache
def later_roles(stage: Stage) -> frozenset[str]:
    """The party roles that nobody has yet at a stage."""
    return frozenset[str]().union(*(LATER_ROLES[later] for later in STAGES[STAGES.index(stage) :]))


def struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    """The struct inside `X | None` or `tuple[X, ...]`; None for a leaf."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    return next(filter(None, map(struct_in, getattr(annotation, "__args__", ()))), None)


@cache
def _getter(part: type[Any], name: str) -> Callable[[Any], Any]:
    """What takes the field with a JSON name out of an object."""
    if part is dict:
        return methodcaller("get", name)
    return attrgetter(part.__struct_fields__[part.__struct_encode_fields__.index(name)])


@cache
def _empty(path: str) -> Any:
    """An empty object, or an empty entry of the list, at a path."""
    part: type[msgspec.Struct] = Tender
    for name in path.replace(ALL_AWARDS, "/awards").strip("/").split("/"):
        if name not in ("0", "*"):
            (field,) = (field for field in msgspec.structs.fields(part) if field.encode_name == name)
            part = struct_in(field.type) or part
    return part()
