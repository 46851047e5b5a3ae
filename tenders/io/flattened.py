"""Flattened OCDS: tables whose headings are paths into a release, put together again.

Two conventions are read. flatten-tool's headings have slashes (`tender/value/amount`, `tender/lots/0/id`): the rows of
all sheets that share `ocid` and `id` are one release, and objects of an array are one if they share their id. The OCP
data registry's have underscores (`tender_value_amount` in `main.csv`): a row of a table such as `awards_suppliers` is
an object of that array, and belongs to the row that `_link_main` and `_link_awards`, or `main_ocid` and `awards_id`,
name.

Sources: flatten-tool's documentation, "unflatten"; flatterer's, "outputs".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple, get_args, get_origin

import msgspec

from tenders.codelists import STANDARD_FIELDS
from tenders.errors import DataError, Problem, TooLargeError
from tenders.tender import Tender

SEPARATORS = "/._"
"""What may stand between the names of a heading."""
MAIN = "main"
"""The name of the registry's table with one row a release."""
LONGEST_SHEET_NAME = 31
WHOLE_EXPORT = "Give the whole export, as .zip or .tar.gz: main.csv and the tables beside it"
_LINK, _LINK_MAIN, _MAIN_OCID = "_link", "_link_main", "main_ocid"
_OF_A_RELEASE = frozenset({"date", "tag", "initiationType"})
_YES, _NO = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})

Step = str | int
"""The name of a member, or the place of an object in an array."""


class FlatTable(NamedTuple):
    """A table as it was read: its name, the names of its columns, and its rows with their numbers.

    A text in place of a row says what is wrong with it.
    """

    name: str
    columns: Sequence[str]
    rows: Iterable[tuple[int, Sequence[str] | str]]


class FlatRelease(NamedTuple):
    """A release that was put together, and the row where it begins, such as `row 2`."""

    place: str
    release: dict[str, Any]


class FlatGroup(NamedTuple):
    """The releases of one ocid in flattened tables, each with the row where it begins."""

    places: list[str]
    releases: list[dict[str, Any]]


class Heading(NamedTuple):
    """Where a column's cells go in a release, and how a cell is read."""

    steps: tuple[Step, ...]
    read: Callable[[str], Any]


def find_heading(name: str, separator: str, root: type = Tender) -> Heading | None:
    """The place in a release that a heading names; None if it names no field that is read.

    An array without the number of its object means its first.
    """
    place = _find(name, separator, root)
    read = _reader(place[1]) if place else None
    return Heading(place[0], read) if place and read else None


def find_place(name: str, separator: str) -> tuple[Step, ...] | None:
    """The place in a release that a name leads to, also of an object or an array; None if nothing is read there.

    An array without the number of its object, on the way, means its first.
    """
    place = _find(name, separator, Tender)
    return place[0] if place else None


def _find(name: str, separator: str, root: type) -> tuple[tuple[Step, ...], Any] | None:
    """The place that a name leads to, and its type."""
    steps: list[Step] = []
    kind: Any = root
    for part in name.split(separator):
        if _array_of(kind) is not None:
            steps.append(int(part) if part.isdecimal() else 0)
            kind = _array_of(kind)
            if part.isdecimal():
                continue
        if get_origin(kind) is dict:
            # A name of the user's own, such as `tenderRisk/own/urgency`.
            steps.append(part)
            kind = get_args(kind)[1]
            continue
        struct = _struct_of(kind)
        field = _fields(struct).get(part) if struct else None
        if field is None:
            return None
        steps.append(part)
        kind = field
    return tuple(steps), kind


def headings(columns: Sequence[str]) -> tuple[dict[int, Heading], str]:
    """The columns of a table of releases that are read, by their number, and the separator of its headings.

    Nothing is read, and the separator is empty, if no heading leads into a part of a release, and there is no `ocid`
    beside what says of a release when and what it is: often a sheet of its own.
    """
    for separator in SEPARATORS:
        read = {place: heading for place, name in enumerate(columns) if (heading := find_heading(name, separator))}
        if any(len(heading.steps) > 1 for heading in read.values()):
            return read, separator
    whole = {"ocid"} <= set(columns) and not _OF_A_RELEASE.isdisjoint(columns)
    return (read, separator) if whole else ({}, "")


def is_linked(columns: Sequence[str]) -> bool:
    """Whether a table belongs to those of the OCP data registry, or of flatterer, which are joined by their links."""
    return bool({_LINK, _LINK_MAIN, _MAIN_OCID} & set(columns))


def _is_main(table: FlatTable) -> bool:
    """Whether it is the registry's table with one row a release."""
    return table.name == MAIN or "ocid" in table.columns


def releases(tables: Sequence[FlatTable], most_rows: int) -> tuple[list[FlatRelease], list[Problem]]:
    """The releases in tables that belong together, in the order of their first rows, and what is wrong with other rows.

    Raises TooLargeError above `most_rows` rows, DataError if the tables hold no release.
    """
    joined = _Joined(most_rows, alone=len(tables) == 1)
    linked = [table for table in tables if is_linked(table.columns)]
    if linked:
        linked += [table for table in tables if _is_main(table) and table not in linked]
    if linked and not any(map(_is_main, linked)):
        raise DataError.at("", f"rows of {linked[0].name} without the releases that own them", WHOLE_EXPORT)
    # A parent's name begins its children's, so it is read before them.
    for table in sorted(linked, key=lambda table: (not _is_main(table), len(table.name))):
        joined.add_linked(table)
    for table in tables:
        if table not in linked:
            joined.add(table)
    if not joined.releases and not joined.problems:
        raise DataError.at("row 2", "no row below the column names", "Give one row a release")
    return joined.releases, joined.problems


def groups(tables: Sequence[FlatTable], most_rows: int) -> tuple[list[FlatGroup], list[Problem]]:
    """The releases of flattened tables, those of one ocid together, and what is wrong with rows.

    Raises as `releases` does.
    """
    placed, problems = releases(tables, most_rows)
    by_ocid: dict[str, FlatGroup] = {}
    for place, release in placed:
        group = by_ocid.setdefault(release.get("ocid") or place, FlatGroup([], []))
        group.places.append(place)
        group.releases.append(release)
    return list(by_ocid.values()), problems


class _Joined:
    """Releases as their rows come."""

    def __init__(self, most_rows: int, alone: bool) -> None:
        self.releases: list[FlatRelease] = []
        self.problems: list[Problem] = []
        self._most, self._rows, self._alone = most_rows, 0, alone
        self._by_key: dict[tuple[str, str], dict[str, Any]] = {}
        self._by_link: dict[tuple[str, str], dict[str, Any]] = {}
        self._by_ocid: dict[str, dict[str, Any]] = {}

    def add(self, table: FlatTable) -> None:
        """Rows that share `ocid` and `id` are one release, in whatever table they stand."""
        read, separator = headings(table.columns)
        if not read:
            problem = f"no column of the sheet {table.name} is a place in a release"
            self.problems.append(Problem(path=f"sheet {table.name}", problem=problem, remedy="Leave it out"))
            return
        unread = _unread(table.columns, read, separator)
        names = {heading.steps: place for place, heading in read.items()}
        ocid_at, id_at = names.get(("ocid",)), names.get(("id",))
        for place, row in self._numbered(table):
            ocid = _cell(row, ocid_at)
            key = (ocid, _cell(row, id_at))
            release = self._by_key.get(key) if ocid else None
            if release is None:
                release = self._new(place)
                self._by_key[key] = release
            _merge(release, _tree(row, read))
            release.update((name, row[at]) for at, name in unread if at < len(row) and row[at])

    def add_linked(self, table: FlatTable) -> None:
        """Each row is the object of an array of the release or object that its links name."""
        if _is_main(table):
            self._add_main(table)
            return
        parent, (name, root) = _parent(table), _array(table.name)
        if root is None:
            # An array that nothing reads.
            return
        inside = name if parent == MAIN else name.removeprefix(f"{parent}_")
        names = {name: place for place, name in enumerate(table.columns)}
        read = {p: h for name, p in names.items() if name[:1] != "_" and (h := find_heading(name, "_", root))}
        link, up = names.get(_LINK), names.get(f"{_LINK}_{parent}")
        ocid_at, parent_id = names.get(_MAIN_OCID), names.get(f"{parent}_id")
        for place, row in self._numbered(table):
            owner = self._by_link.get((parent, _cell(row, up))) if up is not None else None
            if owner is None and ocid_at is not None:
                owner = self._by_ocid.get(_cell(row, ocid_at))
                if owner is not None and parent != MAIN:
                    owner = self._by_link.get((parent, f"{_cell(row, ocid_at)} {_cell(row, parent_id)}"))
            if owner is None:
                problem = f"no row of the table {parent} has the link of this row"
                self.problems.append(Problem(path=place, problem=problem, remedy=WHOLE_EXPORT))
                continue
            member = _append(owner, inside, _tree(row, read))
            if member is None:
                problem = f"the row of the table {parent} has no place for this row"
                self.problems.append(Problem(path=place, problem=problem, remedy=WHOLE_EXPORT))
                continue
            self._by_link[name, _cell(row, link)] = member
            if ocid_at is not None:
                self._by_link[name, f"{_cell(row, ocid_at)} {member.get('id', '')}"] = member

    def _add_main(self, table: FlatTable) -> None:
        read, separator = headings(table.columns)
        unread = _unread(table.columns, read, separator)
        link = table.columns.index(_LINK) if _LINK in table.columns else None
        for place, row in self._numbered(table):
            release = self._new(place)
            release.update(_tree(row, read))
            release.update((name, row[at]) for at, name in unread if at < len(row) and row[at])
            self._by_link[MAIN, _cell(row, link)] = release
            self._by_ocid[str(release.get("ocid", ""))] = release

    def _new(self, place: str) -> dict[str, Any]:
        release: dict[str, Any] = {}
        self.releases.append(FlatRelease(place, release))
        return release

    def _numbered(self, table: FlatTable) -> Iterable[tuple[str, Sequence[str]]]:
        """The rows that hold something, each with its place; those that are wrong become problems."""
        for number, row in table.rows:
            place = f"row {number}" if self._alone or table.name == MAIN else f"{table.name}, row {number}"
            self._rows += 1
            if self._rows > self._most:
                problem = f"more than {self._most:,} rows of flattened releases"
                raise TooLargeError(Problem(path="", problem=problem, remedy="Split it by year, or give JSON lines"))
            if isinstance(row, str):
                self.problems.append(Problem(path=place, problem=row))
            elif any(row[len(table.columns) :]):
                problem = f"{len(row)} cells where there are {len(table.columns)} columns"
                self.problems.append(Problem(path=place, problem=problem, remedy="Quote the cells that hold commas"))
            elif any(row) and not row[0].startswith("#"):
                yield place, row


def _cell(row: Sequence[str], place: int | None) -> str:
    return row[place] if place is not None and place < len(row) else ""


def _unread(columns: Sequence[str], read: Mapping[int, Heading], separator: str) -> list[tuple[int, str]]:
    """The columns that hold what no field of OCDS is called: the reader of the release warns of them."""
    others = [(place, name) for place, name in enumerate(columns) if place not in read and name[:1] not in ("", "_")]
    known = STANDARD_FIELDS | {"ocid", _MAIN_OCID}
    return [
        (place, name)
        for place, name in others
        if not all(part in known or part.isdecimal() for part in (name.split(separator) if separator else [name]))
        and not name.startswith("x_")
    ]


# One row.


def _tree(row: Sequence[str], read: Mapping[int, Heading]) -> dict[str, Any]:
    """The objects that the cells of a row are in; an empty cell is in none."""
    tree: dict[Step, Any] = {}
    for place, heading in read.items():
        if place < len(row) and (text := row[place].strip()):
            inside = tree
            for step in heading.steps[:-1]:
                inside = inside.setdefault(step, {})
            inside[heading.steps[-1]] = heading.read(text)
    plain: dict[str, Any] = _plain(tree)
    return plain


def _plain(value: Any) -> Any:
    """Objects whose members are numbered as arrays."""
    if not isinstance(value, dict):
        return value
    inside = {step: _plain(inner) for step, inner in value.items()}
    numbered = [step for step in inside if isinstance(step, int)]
    return [inside[step] for step in sorted(numbered)] if numbered else inside


def _merge(release: dict[str, Any], row: Mapping[str, Any]) -> None:
    """Adds what a further row says; what an earlier row said stays."""
    for name, value in row.items():
        before = release.setdefault(name, value)
        if before is value:
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            _merge(before, value)
        elif isinstance(before, list) and isinstance(value, list):
            for member in value:
                _merge_member(before, member)


def _merge_member(members: list[Any], member: Any) -> None:
    same = isinstance(member, dict) and member.get("id")
    if same:
        for before in members:
            if isinstance(before, dict) and before.get("id") == same:
                _merge(before, member)
                return
    if member not in members:
        members.append(member)


# Tables of arrays.


def _parent(table: FlatTable) -> str:
    """The table whose rows own those of a table: the nearest that it links to."""
    names = [name.removeprefix(f"{_LINK}_") for name in table.columns if name.startswith(f"{_LINK}_")]
    names += [name.removesuffix("_id") for name in table.columns if name.endswith("_id")]
    return max((name for name in names if table.name.startswith(f"{name}_")), key=len, default=MAIN)


def _array(name: str) -> tuple[str, type | None]:
    """The array that a table is named after, in full, and the type of its rows; None if it is nothing that is read."""
    kind: Any = Tender
    parts = name.split("_")
    for place, part in enumerate(parts):
        struct = _struct_of(_array_of(kind) or kind)
        inside = _fields(struct) if struct else {}
        # Excel cuts a sheet's name.
        cut = [field for field in inside if field.startswith(part)] if len(name) == LONGEST_SHEET_NAME else []
        parts[place] = cut[0] if part not in inside and len(cut) == 1 else part
        kind = inside.get(parts[place])
        if kind is None:
            return name, None
    return "_".join(parts), _struct_of(_array_of(kind) or kind)


def _append(owner: dict[str, Any], place: str, member: dict[str, Any]) -> dict[str, Any] | None:
    """Puts an object into an array of its owner. The place has the names on the way, and the array's; None if one of
    them is something else there."""
    *steps, last = place.split("_")
    inside: Any = owner
    for step in steps:
        if not isinstance(inside, dict):
            return None
        inside = inside.setdefault(step, {})
    array = inside.setdefault(last, []) if isinstance(inside, dict) else None
    if not isinstance(array, list):
        return None
    array.append(member)
    return member


# Types.


@cache
def _fields(struct: type) -> dict[str, Any]:
    """The types of a struct's fields by their JSON names."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(struct)}


def _array_of(kind: Any) -> Any:
    """The type of the objects of an array; None for anything else."""
    return get_args(kind)[0] if get_origin(kind) is tuple else None


def _struct_of(kind: Any) -> type | None:
    kinds = (kind, *get_args(kind))
    return next((member for member in kinds if isinstance(member, type) and issubclass(member, msgspec.Struct)), None)


@cache
def _reader(kind: Any) -> Callable[[str], Any] | None:
    """How a cell of a type is read; None for an object or array of them, which is no cell."""
    if _array_of(kind) is not None:
        return _words if _struct_of(_array_of(kind)) is None else None
    # A type with bounds is `Annotated`.
    leaves = {get_args(option)[0] if hasattr(option, "__metadata__") else option for option in (kind, *get_args(kind))}
    if str in leaves or any(get_origin(leaf) is Literal for leaf in leaves):
        return str
    if bool in leaves:
        return _truth
    return _number if leaves & {int, float} else None


def _words(text: str) -> list[str]:
    """Several texts in a cell: flatten-tool writes semicolons between them, the registry commas."""
    words = text.split(";" if ";" in text else ",")
    return [word.strip() for word in words if word.strip()]


def _truth(text: str) -> bool | str:
    word = text.lower()
    return word in _YES if word in _YES | _NO else text


def _number(text: str) -> float | int | str:
    """A number; a text that is none stays, and is refused at its place."""
    try:
        return int(text) if text.lstrip("-").isdecimal() else float(text)
    except ValueError:
        return text
