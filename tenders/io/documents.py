"""JSON documents cut into pieces that are read one by one, so that what is wrong with one costs no other.

A piece is a record, the releases of one ocid, or a document of another kind, as the bytes that it was written in; what
stands in it is asked later, by `tenders.io.read`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

# Text, or what opens, closes and separates. Text that never ends is one token too.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{},]', re.S)
_KEY = re.compile(rb'\s*"((?:[^"\\]|\\.)*)"\s*:', re.S)
_NOT_AN_OBJECT = re.compile(rb"^(?!\s*\{|\s*$)", re.M)
_FIRST_OBJECT = re.compile(rb"\s*\{.*\}\s*", re.S)
_BOM = b"\xef\xbb\xbf"

_REST = None
BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for what is no JSON."""
Written = bytes | Raw
How = Literal["record", "releases", "document"]


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """What is read at once: one value, or the releases of one ocid; `places` are their JSON paths in the document."""

    how: How
    places: list[str]
    values: list[bytes]


class _Top(msgspec.Struct):
    """What tells the kinds of documents apart."""

    records: Raw | UnsetType = UNSET
    compiledRelease: Raw | UnsetType = UNSET  # noqa: N815 - OCDS names
    versionedRelease: Raw | UnsetType = UNSET  # noqa: N815
    releases: Raw | UnsetType = UNSET


class _Named(msgspec.Struct):
    ocid: str | None = None


def pieces(document: bytes) -> Iterator[Piece]:
    """The pieces of a release package, record package, record, list of these, or one piece of anything else.

    Also of a document that is no JSON: what breaks it stays within the piece that holds it.
    """
    document = document.removeprefix(_BOM)
    if not document.lstrip().startswith(b"["):
        yield from _of(document, "")
        return
    count = -1
    for count, item in enumerate(_items(document)):
        yield from _of(item, f"/{count}")
    if count < 0:
        yield _alone(document, "")


def size(piece: Piece) -> int:
    """In bytes."""
    return sum(map(len, piece.values))


def are_lines(document: bytes) -> bool:
    """Whether a document is JSON lines after all: every line begins an object, and not all are parts of one."""
    given = document.removeprefix(_BOM).strip()
    if b"\n" not in given or _NOT_AN_OBJECT.search(given) or _is_json(given):
        return False
    return any(map(_is_json, given.split(b"\n")))


def _is_json(value: bytes) -> bool:
    try:
        msgspec.json.decode(value, type=Raw)
    except BROKEN:
        return False
    return True


def begin_lines(lines: Sequence[bytes]) -> bool:
    """Whether the first lines that are not blank begin JSON lines: an object in the first, another in the second."""
    if len(lines) < 2:
        return False
    first, second, *_ = lines
    return bool(_FIRST_OBJECT.fullmatch(first.removeprefix(_BOM))) and second.lstrip().startswith(b"{")


def _of(value: Written, where: str) -> Iterator[Piece]:
    top = _top(value)
    if "records" in top:
        listed = [Piece("record", [f"{where}/records/{i}"], [bytes(r)]) for i, r in enumerate(_items(top["records"]))]
        yield from listed or [_alone(value, where)]
    elif "compiledRelease" in top or "versionedRelease" in top:
        yield Piece("record", [where], [bytes(value)])
    elif "releases" in top:
        yield from _together(_items(top["releases"]), f"{where}/releases") or [_alone(value, where)]
    else:
        yield _alone(value, where)
        return
    if _REST in top:
        yield _alone(top[_REST], where)


def _together(releases: Sequence[Written], where: str) -> list[Piece]:
    """Releases of one ocid are one piece, where the first of them stands; a release without an ocid is one alone."""
    found: dict[str, Piece] = {}
    for i, release in enumerate(releases):
        piece = found.setdefault(_ocid(release) or f"#{i}", Piece("releases", [], []))
        piece.places.append(f"{where}/{i}")
        piece.values.append(bytes(release))
    return list(found.values())


def _alone(value: Written, where: str) -> Piece:
    return Piece("document", [where], [bytes(value)])


def _top(value: Written) -> dict[str | None, Written]:
    try:
        top = msgspec.json.decode(value, type=_Top)
    except msgspec.ValidationError:
        return {}
    except BROKEN:
        return _members(bytes(value))
    return {name: inside for name in _Top.__struct_fields__ if (inside := getattr(top, name)) is not UNSET}


def _ocid(release: Written) -> str | None:
    """The ocid, None where there is none or it is no text."""
    try:
        return msgspec.json.decode(release, type=_Named).ocid
    except msgspec.ValidationError:
        return None
    except BROKEN:
        return _text(bytes(_members(bytes(release)).get("ocid", b"null")))


def _text(value: bytes) -> str | None:
    try:
        return msgspec.json.decode(value, type=str)
    except BROKEN:
        return None


def _items(value: Written) -> Sequence[Written]:
    try:
        return msgspec.json.decode(value, type=list[Raw])
    except msgspec.ValidationError:
        return []
    except BROKEN:
        return _broken_items(bytes(value))


def _broken_items(value: bytes) -> list[bytes]:
    if not value.lstrip().startswith(b"["):
        return []
    *inside, after = _parts(value)
    found = [*inside, after] if after.strip() else inside
    return found if len(found) > 1 or any(part.strip() for part in found) else []


def _members(value: bytes) -> dict[str | None, Written]:
    """The members of an object that is no JSON, by their names; what has no name under _REST."""
    if not value.lstrip().startswith(b"{"):
        return {}
    found: dict[str | None, Written] = {}
    for part in _parts(value):
        if match := _KEY.match(part):
            found[match[1].decode("utf-8", "replace")] = part[match.end() :].strip()
        elif part.strip():
            found[_REST] = part
    return found


def _parts(value: bytes) -> Iterator[bytes]:
    """What stands between the commas of an array or object, and then what follows it; also where that is no JSON."""
    depth = begin = 0
    for token in _TOKEN.finditer(value):
        mark = value[token.start() : token.start() + 1]
        closes = mark in b"]}"
        depth += (mark in b"[{") - closes
        if depth == 1 and mark in b"[{":
            begin = token.end()
        elif (depth == 1 and mark == b",") or (depth == 0 and closes):
            yield value[begin : token.start()]
            begin = token.end()
        if depth == 0 and closes:
            break
    yield value[begin:]
