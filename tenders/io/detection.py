"""What a file, a table or a document is, told here and nowhere else: by the end of a file's name and its first bytes,
by a table's headings, and by a document's keys.

Every command, the service and the pages ask this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import pairwise
from pathlib import PurePath
from typing import Any, Literal

import msgspec

from tenders.io import flattened
from tenders.io.remote import AnyPath, read_head
from tenders.own_columns import is_of_own_history

CODECS = {".gz": "gzip", ".zst": "zstd"}
"""The suffixes of compressed files, and the names that pyarrow has for their codecs."""
JSON_LINES = (".jsonl", ".ndjson")
YAML = (".yaml", ".yml")
WORKBOOKS = (".xlsx", ".xlsm")
ARCHIVES = (".zip", ".tar")
"""Files that hold others."""
BULK_SUFFIXES = (*JSON_LINES, ".json", ".parquet", ".csv", ".xlsx", ".yaml", ".yml", *ARCHIVES)
"""The files that tenders are read from, each also compressed."""
_SHORT = {".tgz": (".tar", "gzip")}
_CODEC_MARKS = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))
_MARKS = ((b"PK\x03\x04", ".zip"), (b"PAR1", ".parquet"))
_TEXTS = (*JSON_LINES, ".json", ".csv", *YAML, "")
"""Suffixes of files that hold text, so that other first bytes say that the name is wrong."""

RELEASE_KEYS = frozenset(
    {
        "ocid", "releases", "records", "compiledRelease", "versionedRelease",
        "parties", "awards", "contracts", "tag", "bids", "planning",
    }
)  # fmt: skip
"""Keys that only a release, a record or a package has at its top. A request and a filled form have `tender` and `buyer`
too, so these are not among them."""

PACKAGE_KEYS = ("releases", "records", "results")
"""The keys of documents that hold any number of tenders."""
DocumentKind = Literal["record package", "record", "release package", "results", "kept draft", "form", "release"]
TableKind = Literal["forms", "releases", "unknown"]

RESULTS = "results"
"""Where APIs put the packages that they found."""

BOM = b"\xef\xbb\xbf"
_NOT_AN_OBJECT = re.compile(rb"^(?!\s*\{|\s*$)", re.M)
# Within one document a comma stands between them, and no text holds a line end.
_BETWEEN_DOCUMENTS = re.compile(rb"(?<=[}\]])[ \t\r]*\n\s*(?=[{\[])")
# A text, or what opens and closes. A text that never ends is one token too.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{}]', re.S)
_WHOLE_OBJECT = re.compile(rb"\s*\{.*\}\s*", re.S)


_UNREADABLE = {
    b"%PDF": "a PDF",
    b"\x89PNG": "an image (PNG)",
    b"\xff\xd8\xff": "an image (JPEG)",
    b"GIF8": "an image (GIF)",
    b"II*\x00": "an image (TIFF)",
    b"MM\x00*": "an image (TIFF)",
    b"\xd0\xcf\x11\xe0": "an old Word or Excel file",
    b"{\\rtf": "a rich text file",
}
"""How files begin that are often sent and cannot be read."""


def unreadable_kind(data: bytes, suffix: str) -> str | None:
    """What a file is in words, if it is a document or an image that is not read; None for any other."""
    if data.startswith(b"PK") and suffix not in WORKBOOKS and b"word/" in data:
        return "a Word document"
    return next((kind for start, kind in _UNREADABLE.items() if data.startswith(start)), None)


def split_suffix(name: str | PurePath) -> tuple[str, str | None]:
    """The suffix that says what a file is, such as `.csv`, and the codec that it is compressed with, if it is.

    A name may be a suffix alone.
    """
    stem, dot, last = PurePath(name).name.lower().rpartition(".")
    if f"{dot}{last}" in _SHORT:
        return _SHORT[f"{dot}{last}"]
    codec = CODECS.get(f"{dot}{last}")
    if codec:
        _, dot, last = stem.rpartition(".")
    return f"{dot}{last}" if dot else "", codec


def file_kind(name: str | PurePath, head: bytes) -> tuple[str, str | None]:
    """As `split_suffix`, but the first bytes of the file come before a name that says nothing else: downloads are often
    compressed and called .json."""
    suffix, codec = split_suffix(name)
    if codec is None and suffix in _TEXTS:
        codec = next((codec for mark, codec in _CODEC_MARKS if head.startswith(mark)), None)
        suffix = next((kind for mark, kind in _MARKS if head.startswith(mark)), suffix)
    return suffix, codec


def is_workbook(names: Iterable[str]) -> bool:
    """Whether an archive with files of these names is a workbook, whatever it is called."""
    return "[Content_Types].xml" in names


def path_kind(path: AnyPath) -> tuple[str, str | None]:
    """`file_kind` of a file. Raises OSError if it cannot be read."""
    return file_kind(path.name, read_head(path, 4))


def table_kind(columns: Sequence[str], form_keys: Set[str]) -> TableKind:
    """What the rows of a table are, by its headings: forms, or parts of flattened releases."""
    read = flattened.headings(columns)[0].values()
    if flattened.is_linked(columns) or any(len(heading.steps) > 1 for heading in read):
        return "releases"
    if not form_keys.isdisjoint(columns):
        return "forms"
    return "releases" if read else "unknown"


def document_kind(document: Mapping[str, Any]) -> DocumentKind:
    """What a decoded JSON object is, by its keys.

    A kept draft is what the pages save: a tender, and under `set` what was changed in it. What has no key of OCDS is a
    form.
    """
    if "records" in document:
        return "record package"
    if "compiledRelease" in document or "versionedRelease" in document:
        return "record"
    if "releases" in document:
        return "release package"
    if RESULTS in document and "tender" not in document and RELEASE_KEYS.isdisjoint(document):
        return "results"
    if isinstance(document.get("set"), Mapping) and isinstance(document.get("tender"), Mapping):
        return "kept draft"
    return "form" if "tender" not in document and _has_no_release_key(document) else "release"


def _has_no_release_key(document: Mapping[str, Any]) -> bool:
    """Whether no key shows that it is a release. A form may have the ocid of a history of one's own."""
    keys = RELEASE_KEYS.intersection(document)
    if keys != {"ocid"} or not is_of_own_history("/ocid", document["ocid"]):
        return not keys
    return {"id", "date"}.isdisjoint(document) and not isinstance(document.get("buyer"), Mapping)


def is_json_lines(text: str | bytes) -> bool:
    """Whether a text is JSON lines: it is not JSON, every line starts an object, and at least one is whole."""
    data = (text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text).removeprefix(BOM).strip()
    if b"\n" not in data or _NOT_AN_OBJECT.search(data) or _is_json(data):
        return False
    return any(map(_is_json, data.split(b"\n")))


def starts_json_lines(lines: Sequence[bytes]) -> bool:
    """Whether the first lines of a file that are not blank start JSON lines: one whole object, and then another."""
    if len(lines) < 2:
        return False
    first, second, *_ = lines
    return bool(_WHOLE_OBJECT.fullmatch(first.removeprefix(BOM))) and second.lstrip().startswith(b"{")


def split_concatenated(data: bytes) -> list[bytes]:
    """The JSON documents that are written one after the other, as `ocdskit --pretty` does; one if there are no more.

    Together they are all of the data. One that is broken costs no other where the next begins on a line of its own.
    """
    data = data.removeprefix(BOM)
    if _is_json(data):
        return [data]
    ends = [0, *(match.end() for match in _BETWEEN_DOCUMENTS.finditer(data)), len(data)]
    parts = [data[begin:end] for begin, end in pairwise(ends)]
    # Otherwise a comma is missing within one document.
    if len(parts) > 1 and (_is_json(parts[0]) or _is_json(parts[-1])):
        return [whole for part in parts for whole in _split_closed(part)]
    return _split_closed(data)


def _split_closed(data: bytes) -> list[bytes]:
    """Documents without a line end between them: each ends where all that it opened is closed."""
    if _is_json(data):
        return [data]
    parts, begin, depth = [], 0, 0
    for token in _TOKEN.finditer(data):
        mark = data[token.start() : token.start() + 1]
        depth += (mark in b"[{") - (mark in b"]}")
        if depth == 0 and mark in b"]}":
            parts.append(data[begin : token.end()])
            begin = token.end()
    parts += [data[begin:]] if data[begin:].strip() else []
    others = len(parts) > 1 and all(map(_is_json, parts[:-1])) and parts[-1].lstrip().startswith((b"{", b"["))
    return parts if others else [data]


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
