"""OCDS releases: decoded JSON or bytes to `Tender`s, every value checked, and every wrong one named by its JSON path.

There are two ways in: one release at a time (`read_release`), and many JSON lines at once (`decode_releases`). One odd
value in a field that decides nothing does not cost the tender: it is left out, and that is noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from tenders.codelists import STANDARD_FIELDS
from tenders.defaults import find_defaults
from tenders.errors import DataError, Problem
from tenders.io.checks import NO_FIELDS, Fields, are_valid, find_problems, tender_problems
from tenders.io.conversion import (
    Known,
    is_array_as_object,
    json_fields,
    read_leniently,
    under,
    without_paths,
)
from tenders.io.upgrade import may_be_1_0
from tenders.many import hold_no_defaults
from tenders.settled import settle, without
from tenders.tender import Tender
from tenders.tender_chunk import TenderChunk

BROKEN_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not JSON."""


class ReadRelease(msgspec.Struct, frozen=True):
    """A release that was read: as JSON, only the fields that are read; as a `Tender`; and what was left out of both."""

    document: Mapping[str, Any]
    tender: Tender
    notes: tuple[Problem, ...] = ()


def to_tender(release: Any, where: str = "") -> Tender:
    """The release as a `Tender`. `where` is the JSON path of the release, and is put before every path in an error.

    Raises DataError with all that is wrong.
    """
    return read_release(release, where).tender


def read_release(release: Any, where: str = "") -> ReadRelease:
    """The release, and what has to be said of it; the notes' paths start with `where`. Raises as `to_tender` does."""
    if not isinstance(release, Mapping):
        raise DataError.at(where, f"expected an object, got {json_type(release)}")
    if release.get("tender") is None:
        raise DataError.at(
            f"{where}/tender", "the release has no tender", "Add the tender object: what is bought, and how"
        )
    document, tender, left_out = read_leniently(release, where)
    # `are_valid` is for many tenders: for one alone it takes several times as long.
    if problems := list(tender_problems(tender, where)):
        raise DataError(problems)
    settled = settle(tender, left_out)
    return ReadRelease(document, settled.tender, (*left_out, *under(where, settled.notes)))


def parse_release(release: Any, where: str) -> tuple[dict[str, Any], Tender]:
    """The fields of one of several releases that are read, as `read_parts` has them, as JSON and as a `Tender`.

    Raises DataError with all that is wrong.
    """
    if not isinstance(release, Mapping):
        raise DataError.at(where, f"expected an object, got {json_type(release)}")
    (part,) = read_parts([select_fields(release, "")[0]], [where])
    return dict(part.document), part.tender


def read_parts(fields: Sequence[dict[str, Any]], where: Sequence[str]) -> list[ReadRelease]:
    """Several releases of one process: without defaults, and without what only the merged releases can show.

    `fields` are those of each that are read (`select_fields`), `where` its path. It does not check that there is a
    tender: an update holds only what changed. Raises DataError with all that is wrong in any of them.
    """
    try:
        typed = [msgspec.convert(release, Tender) for release in fields]
    except msgspec.ValidationError:
        typed = []
    # Nearly always all are sound, and then none is looked at by itself.
    if typed and are_valid(chunk := TenderChunk(typed)) and not _have_defaults(chunk):
        return list(map(ReadRelease, fields, typed))
    parts, problems = [], list[Problem]()
    for release, place in zip(fields, where, strict=True):
        try:
            parts.append(_read_part(release, place))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return parts


def _have_defaults(chunk: TenderChunk) -> bool:
    return not hold_no_defaults(chunk) and any(any(find_defaults(tender)) for tender in chunk.tenders)


def _read_part(release: dict[str, Any], where: str) -> ReadRelease:
    document, tender, left_out = read_leniently(release, where)
    defaults = list(find_defaults(tender))
    if defaults:
        paths = [problem.path for problem in defaults]
        document, tender = without_paths(document, paths), without(tender, paths)
    return ReadRelease(document, tender, (*left_out, *under(where, defaults)))


def json_type(value: Any) -> str:
    """What JSON calls the type of a value."""
    names = {dict: "object", list: "array", str: "string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "number" if isinstance(value, int | float) else type(value).__name__)


def unread_fields(release: Any, where: str = "") -> list[str]:
    """JSON paths of the fields that OCDS, the UK extension and `tenderRisk` do not know."""
    return [where + path for path in _unread(release, json_fields(Tender))] if isinstance(release, Mapping) else []


def select_fields(release: Mapping[str, Any], where: str) -> tuple[dict[str, Any], list[str]]:
    """The fields of a release that are read, as plain JSON, and what `unread_fields` finds, in one go."""
    unread: list[str] = []
    return _select(release, json_fields(Tender), where, unread), unread


def _select(value: Mapping[str, Any], known: Known, where: str, unread: list[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, inside in value.items():
        if name not in known:
            if name not in STANDARD_FIELDS and not str(name).startswith("x_"):
                unread.append(f"{where}/{str(name)[:80]}")
            continue
        inner = known[name]
        if inner is None:
            # Most leaves are texts, and stay as they are.
            kept[name] = inside if type(inside) is str else _leaf(name, inside)
        elif type(inside) is dict and (not inside or not inner.keys().isdisjoint(inside)):
            kept[name] = _select(inside, inner, f"{where}/{name}", unread)
        elif type(inside) is list or isinstance(inside, tuple):
            kept[name] = [
                _select(child, inner, f"{where}/{name}/{i}", unread) if type(child) is dict else child
                for i, child in enumerate(inside)
                if child is not None
            ]
        elif is_array_as_object(inside):
            # Read as the array that it stands for, and then its members are selected.
            kept[name] = inside
        elif type(inside) is dict:
            kept[name] = _select(inside, inner, f"{where}/{name}", unread)
        else:
            kept[name] = inside
    return kept


def _leaf(name: str, inside: Any) -> Any:
    """A value without objects in it. Ids are texts, because one notice writes 1 and the next "1"."""
    if isinstance(inside, list | tuple):
        stated = [child for child in inside if child is not None]
        return [str(child) if type(child) is int else child for child in stated] if name == "relatedLots" else stated
    return str(inside) if type(inside) is int and name in _ID_NAMES else inside


_ID_NAMES = frozenset({"id", "relatedLot", "awardID"})


def _unread(value: Mapping[str, Any], known: Known) -> list[str]:
    """Paths from an object to the fields in it that are not known. Nearly always there is none, so none is made."""
    unread: list[str] = []
    for name, inside in value.items():
        if name not in known:
            if name not in STANDARD_FIELDS and not str(name).startswith("x_"):
                unread.append(f"/{str(name)[:80]}")
            continue
        inner = known[name]
        if inner is None:
            continue
        if type(inside) is dict or isinstance(inside, Mapping):
            if inner.keys().isdisjoint(inside) and is_array_as_object(inside):
                members = ((key, _unread(child, inner)) for key, child in inside.items())
                unread += [f"/{name}/{key}{path}" for key, paths in members for path in paths]
            else:
                unread += [f"/{name}{path}" for path in _unread(inside, inner)]
        elif isinstance(inside, list | tuple):
            for i, child in enumerate(inside):
                if (type(child) is dict or isinstance(child, Mapping)) and (paths := _unread(child, inner)):
                    unread += [f"/{name}/{i}{path}" for path in paths]
    return unread


# Many JSON lines at once: how a portfolio of a million releases is read.


class _Line(Tender, frozen=True, kw_only=True):
    """A line of JSON lines: a release, unless it has one of these."""

    releases: msgspec.Raw | None = None
    records: msgspec.Raw | None = None
    compiled_release: msgspec.Raw | None = None
    versioned_release: msgspec.Raw | None = None


_EMPTY_LINE = _Line()
_other_contents = attrgetter("releases", "records", "compiled_release", "versioned_release")
_decode_line = msgspec.json.Decoder(_Line).decode


class Releases(msgspec.Struct, frozen=True):
    """Releases, None for a row that holds none that is valid, and the `chunk` of those that are there."""

    rows: Sequence[Tender | None]
    chunk: TenderChunk


def decode_releases(texts: Sequence[bytes], skip: Fields = NO_FIELDS) -> Releases:
    """For each text the one valid release in it; None for a text that holds anything else.

    Each is decoded straight into its types, which is enough to score it but not to explain it, and unknown fields are
    not looked for. `tenders.io.read` reads what is None here. The caller checks the fields in `skip` (`are_valid`).
    """
    try:
        lines: list[_Line | None] = list(map(_decode_line, texts))
    except BROKEN_JSON:
        lines = [_decode_or_none(text) for text in texts]
    # Only their text tells some releases of 1.0 from those of 1.1 that name no parties.
    return only_valid(
        [
            line if line and _is_release(line) and (line.parties or not may_be_1_0(line, text)) else None
            for line, text in zip(lines, texts, strict=True)
        ],
        skip,
    )


def only_valid(releases: Sequence[Tender | None], skip: Fields = NO_FIELDS) -> Releases:
    """The releases, with None in place of those that have problems outside the fields in `skip`."""
    chunk = TenderChunk([release for release in releases if release is not None])
    # Nearly always all are valid, and then none is checked by itself.
    if are_valid(chunk, skip):
        return Releases(releases, chunk)
    valid = [None if release is None or any(find_problems(release)) else release for release in releases]
    return Releases(valid, TenderChunk([release for release in valid if release is not None]))


def _decode_or_none(text: bytes) -> _Line | None:
    try:
        return _decode_line(text)
    except BROKEN_JSON:
        return None


def _is_release(line: _Line) -> bool:
    return line.tender is not _EMPTY_LINE.tender and not any(_other_contents(line))
