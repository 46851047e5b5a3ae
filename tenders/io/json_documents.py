"""JSON documents cut into pieces that are read one by one, so that what is wrong with one costs no other.

A piece is a record, the releases of one ocid, or a document of another kind, as the bytes that it was written in.
`tenders.io.read` says later what is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from tenders.io.detection import BOM, document_kind, split_concatenated
from tenders.io.ocds import BROKEN_JSON

# A text, or what opens, closes and separates. A text that never ends is one token too.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{},]', re.S)
_KEY = re.compile(rb'\s*"((?:[^"\\]|\\.)*)"\s*:', re.S)

_NO_NAME = '"'
"""The name, which no member can have, for what stands outside the members of a broken object."""
Bytes = bytes | Raw


class DocumentPiece(msgspec.Struct, frozen=True, array_like=True):
    """What is read at once: one value, or the releases of one ocid. `places` are their JSON paths in the document."""

    kind: Literal["record", "releases", "document"]
    places: list[str]
    values: list[bytes]


class _Top(msgspec.Struct):
    """The members of an object by which kinds of documents are told apart."""

    records: Raw | UnsetType = UNSET
    compiledRelease: Raw | UnsetType = UNSET  # noqa: N815 - OCDS names
    versionedRelease: Raw | UnsetType = UNSET  # noqa: N815
    releases: Raw | UnsetType = UNSET
    results: Raw | UnsetType = UNSET
    tender: Raw | UnsetType = UNSET
    ocid: Raw | UnsetType = UNSET


class _Ocid(msgspec.Struct):
    ocid: str | None = None


def split_document(document: bytes) -> Iterator[DocumentPiece]:
    """The pieces of a release package, record package, record, list or sequence of these; of anything else one piece.

    Of bytes that are not JSON too: what is broken stays within the piece that holds it.
    """
    document = document.removeprefix(BOM)
    documents = split_concatenated(document)
    if len(documents) > 1:
        for i, part in enumerate(documents):
            yield from _split(part, f"/{i}")
        return
    if not document.lstrip().startswith(b"["):
        yield from _split(document, "")
        return
    count = -1
    for count, item in enumerate(_items(document)):
        yield from _split(item, f"/{count}")
    if count < 0:
        yield _whole(document, "")


def piece_size(piece: DocumentPiece) -> int:
    """The size of a piece in bytes."""
    return sum(map(len, piece.values))


def _split(value: Bytes, where: str) -> Iterator[DocumentPiece]:
    top = _top(value)
    kind = document_kind(top)
    if kind == "record package":
        records = enumerate(_items(top["records"]))
        pieces = [DocumentPiece("record", [f"{where}/records/{i}"], [bytes(record)]) for i, record in records]
        yield from pieces or [_whole(value, where)]
    elif kind == "results":
        items = _items(top["results"])
        for i, item in enumerate(items):
            yield from _split(item, f"{where}/results/{i}")
        if not items:
            yield _whole(value, where)
    elif kind == "record":
        yield DocumentPiece("record", [where], [bytes(value)])
    elif kind == "release package":
        yield from _by_ocid(_items(top["releases"]), f"{where}/releases") or [_whole(value, where)]
    else:
        yield _whole(value, where)
        return
    if _NO_NAME in top:
        yield _whole(top[_NO_NAME], where)


def _by_ocid(releases: Sequence[Bytes], where: str) -> list[DocumentPiece]:
    """One piece for each ocid, where its first release stands; a release without an ocid stands alone."""
    pieces: dict[str, DocumentPiece] = {}
    for i, release in enumerate(releases):
        piece = pieces.setdefault(_ocid(release) or f"#{i}", DocumentPiece("releases", [], []))
        piece.places.append(f"{where}/{i}")
        piece.values.append(bytes(release))
    return list(pieces.values())


def _whole(value: Bytes, where: str) -> DocumentPiece:
    return DocumentPiece("document", [where], [bytes(value)])


def _top(value: Bytes) -> dict[str, Bytes]:
    try:
        top = msgspec.json.decode(value, type=_Top)
    except msgspec.ValidationError:
        return {}
    except BROKEN_JSON:
        return _broken_members(bytes(value))
    return {name: inside for name in _Top.__struct_fields__ if (inside := getattr(top, name)) is not UNSET}


def _ocid(release: Bytes) -> str | None:
    """The ocid; None where there is none or it is not text."""
    try:
        return msgspec.json.decode(release, type=_Ocid).ocid
    except msgspec.ValidationError:
        return None
    except BROKEN_JSON:
        return _string(bytes(_broken_members(bytes(release)).get("ocid", b"null")))


def _string(value: bytes) -> str | None:
    try:
        return msgspec.json.decode(value, type=str)
    except BROKEN_JSON:
        return None


def _items(value: Bytes) -> Sequence[Bytes]:
    try:
        return msgspec.json.decode(value, type=list[Raw])
    except msgspec.ValidationError:
        return []
    except BROKEN_JSON:
        return _broken_items(bytes(value))


def _broken_items(value: bytes) -> list[bytes]:
    if not value.lstrip().startswith(b"["):
        return []
    *inside, after = _split_at_commas(value)
    items = [*inside, after] if after.strip() else inside
    return items if len(items) > 1 or any(item.strip() for item in items) else []


def _broken_members(value: bytes) -> dict[str, Bytes]:
    """The members of an object that is not JSON, by name; what has no name under _NO_NAME."""
    if not value.lstrip().startswith(b"{"):
        return {}
    members: dict[str, Bytes] = {}
    for part in _split_at_commas(value):
        if match := _KEY.match(part):
            members[match[1].decode("utf-8", "replace")] = part[match.end() :].strip()
        elif part.strip():
            members[_NO_NAME] = part
    return members


def _split_at_commas(value: bytes) -> Iterator[bytes]:
    """What stands between the commas of an array or object, and then what follows it, even where that is not JSON."""
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
